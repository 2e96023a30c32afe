//! What a process tree has used so far, as the operating system counts it.

use super::tree::{process_tree, stat_after_command};
use bench_record::{NetworkBytes, Pressure};
use serde::{Deserialize, Serialize};
use std::fs;

/// What one trial used: the whole process tree of the engine, between two readings. What could not be read is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// CPU time of all threads, user and kernel.
    pub cpu_ns: Option<u64>,
    /// Largest resident memory since the trial began. Of one process as the kernel keeps it; of several, those that ended meanwhile
    /// included, the most that was seen at once, shared pages counted once: no more than it was, and short peaks may be missed.
    pub rss_bytes_peak: Option<u64>,
    /// Of several processes: no more than this was resident at any time. The sum of the peaks that the kernel keeps, which counts what
    /// they share once for each and adds up peaks of different moments. Absent if one of them ended meanwhile.
    pub rss_bytes_bound: Option<u64>,
    /// Bytes fetched from storage: zero when the page cache had them.
    pub read_bytes: Option<u64>,
    /// Bytes sent towards storage: counted when a page is dirtied, whether or not the disk has it yet.
    pub write_bytes: Option<u64>,
    /// How long tasks stalled for want of CPU, memory or storage.
    pub pressure: Option<Pressure>,
    /// Bytes over the interfaces of the network namespaces that the tree lives in.
    pub network: Option<NetworkBytes>,
}

/// Totals of a process tree at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TreeReading {
    pub(super) cpu_ns: Option<u64>,
    /// Summed over processes: an upper bound for several.
    pub(super) rss_bytes_peak: Option<u64>,
    /// Whether every process said its peak: one that ended and was not waited for yet has none.
    pub(super) all_peaks_are_known: bool,
    /// CPU time of children that ended and were waited for, summed.
    pub(super) reaped_cpu_ns: Option<u64>,
    /// Of the process with the largest peak.
    pub(super) rss_bytes_peak_of_one: Option<u64>,
    read_bytes: Option<u64>,
    write_bytes: Option<u64>,
}

impl TreeReading {
    /// Reads the processes of a tree, its root first. Processes that vanish while reading contribute what their parents
    /// reaped; what the root itself does not tell is unknown for the whole tree.
    pub(super) fn take(tree: &[u32]) -> Self {
        let Some((root, others)) = tree.split_first() else { return Self::default() };
        let mut total = Self::of(*root);
        for pid in others {
            let one = Self::of(*pid);
            total.rss_bytes_peak_of_one = total.rss_bytes_peak_of_one.max(one.rss_bytes_peak_of_one);
            let pairs = [
                (&mut total.cpu_ns, one.cpu_ns),
                (&mut total.rss_bytes_peak, one.rss_bytes_peak),
                (&mut total.reaped_cpu_ns, one.reaped_cpu_ns),
                (&mut total.read_bytes, one.read_bytes),
                (&mut total.write_bytes, one.write_bytes),
            ];
            for (total, one) in pairs {
                *total = total.map(|t| t.saturating_add(one.unwrap_or(0)));
            }
            total.all_peaks_are_known &= one.rss_bytes_peak.is_some();
        }
        total
    }

    fn of(pid: u32) -> Self {
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let peak = status_bytes(pid, "VmHWM:");
        let reaped_cpu_ns = reaped_cpu_ns(pid);
        Self {
            cpu_ns: cpu_ns(pid).map(|own| own.saturating_add(reaped_cpu_ns.unwrap_or(0))),
            rss_bytes_peak: peak,
            all_peaks_are_known: peak.is_some(),
            reaped_cpu_ns,
            rss_bytes_peak_of_one: peak,
            read_bytes: field(&io, "read_bytes:"),
            write_bytes: field(&io, "write_bytes:"),
        }
    }

    /// What the processes used from `self` until `later`; what else is counted is left to the caller.
    pub(super) fn until(self, later: Self) -> Usage {
        Usage {
            cpu_ns: increase(self.cpu_ns, later.cpu_ns),
            rss_bytes_peak: later.rss_bytes_peak,
            rss_bytes_bound: None,
            read_bytes: increase(self.read_bytes, later.read_bytes),
            write_bytes: increase(self.write_bytes, later.write_bytes),
            pressure: None,
            network: None,
        }
    }
}

/// CPU time that a process tree has used so far; unknown once its root is gone.
#[must_use]
pub fn tree_cpu_ns(root: u32) -> Option<u64> {
    TreeReading::take(&process_tree(root)).cpu_ns
}

/// By how much a counter grew; unknown if either reading is.
pub(super) fn increase(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    Some(after?.saturating_sub(before?))
}

/// Makes the peak memory of every process of the tree start over from what it holds now.
pub(super) fn reset_peaks(tree: &[u32]) {
    for pid in tree {
        // Refused for processes of other users: their peak then stays the peak of their life, an upper bound.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}

/// CPU time of a living process to the nanosecond.
pub(super) fn cpu_ns(pid: u32) -> Option<u64> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "the CPU clock of another process has no safe interface")]
    // SAFETY: both calls only write to the local variables they are given, and fail for a pid that is gone.
    let ok = unsafe {
        libc::clock_getcpuclockid(libc::pid_t::try_from(pid).ok()?, &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    ok.then(|| u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of children that ended and were waited for, in clock ticks of usually 10 ms.
fn reaped_cpu_ns(pid: u32) -> Option<u64> {
    let fields = stat_after_command(pid)?;
    let mut fields = fields.split_ascii_whitespace().skip(13);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks * ns_per_tick())
}

/// Nanoseconds of one clock tick of `/proc`.
pub(super) fn ns_per_tick() -> u64 {
    #[expect(unsafe_code, reason = "sysconf has no safe interface")]
    // SAFETY: reads a constant of the running system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000_000 / u64::try_from(per_second).unwrap_or(100).max(1)
}

fn status_bytes(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, name).map(|kib| kib * 1024)
}

/// The first number behind `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_is_gone_has_used_an_unknown_amount_and_not_zero() {
        let here = TreeReading::take(&[std::process::id()]);
        assert!(here.cpu_ns.is_some_and(|ns| ns > 0) && here.rss_bytes_peak.is_some_and(|b| b > 0));
        let gone = TreeReading::take(&[]);
        assert_eq!(gone, TreeReading::default());
        let usage = here.until(gone);
        assert_eq!(usage, Usage::default());
        assert_eq!(serde_json::to_value(usage).unwrap()["cpu_ns"], serde_json::Value::Null);
    }

    #[test]
    fn a_child_that_vanished_leaves_what_the_others_tell() {
        // No process has this number: it is above the largest one that Linux gives.
        let nobody = 1 << 23;
        let (alone, with) =
            (TreeReading::take(&[std::process::id()]), TreeReading::take(&[std::process::id(), nobody]));
        assert!(alone.cpu_ns.is_some() && with.cpu_ns >= alone.cpu_ns);
    }
}
