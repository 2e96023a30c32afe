//! CPU time of single other processes: what the machine's own totals cannot resolve within a short trial.

use super::usage::cpu_ns;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The CPU time of every process that can be seen, by its number. To the nanosecond, where the machine's totals are
/// counted in ticks of 10 ms: even a trial of a few milliseconds shows who else was running.
///
/// Not the whole truth either: processes outside a container are not seen from inside, and those that ended between two
/// readings are in neither. The machine's totals have both.
#[derive(Debug)]
pub(super) struct Processes(BTreeMap<u32, u64>);

impl Processes {
    /// Reads every process that can be seen.
    pub(super) fn read() -> Self {
        let Ok(entries) = fs::read_dir("/proc") else { return Self(BTreeMap::new()) };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        Self(pids.filter_map(|pid| Some((pid, cpu_ns(pid)?))).collect())
    }

    /// What those processes used from `self` until `later`. One that is new has used all of its time since.
    pub(super) fn used(&self, later: &Self, by: impl Fn(u32) -> bool) -> u64 {
        let those = later.0.iter().filter(|(pid, _)| by(**pid));
        those.map(|(pid, ns)| ns.saturating_sub(self.0.get(pid).copied().unwrap_or(0))).sum()
    }
}

/// The parent of the kernel's threads, where they can be seen at all.
const KERNEL: u32 = 2;

/// The kernel's threads: they work for whoever reads, writes or runs short of memory, the engine too, so that their work is nobody else's.
pub(super) fn kernel_threads() -> BTreeSet<u32> {
    let is_there = fs::read_to_string(format!("/proc/{KERNEL}/comm")).is_ok_and(|name| name.trim() == "kthreadd");
    let children = fs::read_to_string(format!("/proc/{KERNEL}/task/{KERNEL}/children"));
    let Some(children) = children.ok().filter(|_| is_there) else { return BTreeSet::new() };
    children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).chain([KERNEL]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_used_since_is_foreign() {
        let before = Processes(BTreeMap::from([(1, 100), (7, 50), (8, 9)]));
        let after = Processes(BTreeMap::from([(1, 130), (7, 90), (9, 4)]));
        assert_eq!(before.used(&after, |pid| pid != 7), 30 + 4);
        assert_eq!(before.used(&after, |pid| ![1, 7, 9].contains(&pid)), 0);
    }

    #[test]
    fn this_process_is_seen_working() {
        let me = std::process::id();
        let before = Processes::read();
        let mut after = Processes::read();
        // However coarse the clock is, work shows on it in the end.
        while after.0.get(&me) <= before.0.get(&me) {
            after = Processes::read();
        }
        assert!(before.used(&after, |_| true) > 0);
        let kernel = kernel_threads();
        // Not one of a kernel that hides them, else many.
        assert!(!kernel.contains(&me) && (kernel.is_empty() || kernel.len() > 10), "{kernel:?}");
    }
}
