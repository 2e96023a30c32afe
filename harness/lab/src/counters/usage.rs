//! What a process tree has used so far, as the operating system counts it.

use super::tree::process_tree;
use serde::{Deserialize, Serialize};
use std::fs;

/// What one trial used: the whole process tree of the engine, between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// CPU time of all threads, user and kernel.
    pub cpu_ns: u64,
    /// Largest resident memory since the trial began; summed over processes, hence an upper bound for several.
    pub rss_bytes_peak: u64,
    /// Bytes fetched from storage: zero when the page cache had them.
    pub read_bytes: u64,
    /// Bytes sent towards storage: counted when a page is dirtied, whether or not the disk has it yet.
    pub write_bytes: u64,
    /// Bytes asked for by read calls, page cache and pipes included. Memory-mapped reads are not calls.
    pub read_call_bytes: u64,
    /// Bytes given to write calls, pipes included.
    pub write_call_bytes: u64,
    /// Time that runnable threads waited for a core. Threads that ended meanwhile are not covered.
    pub runqueue_ns: u64,
}

/// Totals of a process tree at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TreeReading {
    cpu_ns: u64,
    rss_bytes_peak: u64,
    read_bytes: u64,
    write_bytes: u64,
    read_call_bytes: u64,
    write_call_bytes: u64,
    runqueue_ns: u64,
}

impl TreeReading {
    /// Reads the tree below `root`. Processes that vanish while reading contribute what their parents reaped.
    pub(super) fn take(root: u32) -> Self {
        let mut total = Self::default();
        for pid in process_tree(root) {
            total.cpu_ns += cpu_ns(pid).unwrap_or(0) + reaped_cpu_ns(pid).unwrap_or(0);
            total.rss_bytes_peak += status_bytes(pid, "VmHWM:").unwrap_or(0);
            total.runqueue_ns += runqueue_ns(pid);
            let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
            total.read_bytes += field(&io, "read_bytes:").unwrap_or(0);
            total.write_bytes += field(&io, "write_bytes:").unwrap_or(0);
            total.read_call_bytes += field(&io, "rchar:").unwrap_or(0);
            total.write_call_bytes += field(&io, "wchar:").unwrap_or(0);
        }
        total
    }

    /// What was used from `self` until `later`.
    pub(super) fn until(self, later: Self) -> Usage {
        Usage {
            cpu_ns: later.cpu_ns.saturating_sub(self.cpu_ns),
            rss_bytes_peak: later.rss_bytes_peak,
            read_bytes: later.read_bytes.saturating_sub(self.read_bytes),
            write_bytes: later.write_bytes.saturating_sub(self.write_bytes),
            read_call_bytes: later.read_call_bytes.saturating_sub(self.read_call_bytes),
            write_call_bytes: later.write_call_bytes.saturating_sub(self.write_call_bytes),
            runqueue_ns: later.runqueue_ns.saturating_sub(self.runqueue_ns),
        }
    }
}

/// Makes the peak memory of every process of the tree start over from what it holds now.
pub(super) fn reset_peaks(root: u32) {
    for pid in process_tree(root) {
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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may contain spaces and parentheses; numbers start after its last one.
    let (_, fields) = stat.rsplit_once(')')?;
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

fn runqueue_ns(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let waits = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    });
    waits.sum()
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
