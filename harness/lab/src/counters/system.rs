//! What the whole machine was doing: the evidence for interference.

use super::pressure::stalled_ns;
use super::usage::ns_per_tick;
use crate::machine::Cgroup;
use std::fs;
use std::time::Instant;

/// Machine-wide totals at one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemReading {
    pub(super) at: Instant,
    /// Cores that the totals are summed over.
    pub(super) cores: u32,
    /// Time all cores spent running something, in nanoseconds; like the others absent where the system does not tell.
    pub(super) busy_ns: Option<u64>,
    /// Time the hypervisor ran others while this machine wanted to run.
    pub(super) steal_ns: Option<u64>,
    /// Time this control group was kept from running by its quota.
    pub(super) throttled_ns: Option<u64>,
    /// Time in which every task waited for memory.
    pub(super) memory_stall_ns: Option<u64>,
}

impl SystemReading {
    pub(super) fn take(cgroup: &Cgroup) -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let pressure = fs::read_to_string("/proc/pressure/memory").unwrap_or_default();
        let (cores, busy_ns, steal_ns) = cpu_times(&stat);
        Self {
            at: Instant::now(),
            cores,
            busy_ns,
            steal_ns,
            throttled_ns: cgroup.throttled_ns(),
            memory_stall_ns: stalled_ns(&pressure, "full"),
        }
    }
}

/// Cores, busy time and steal time from `/proc/stat`.
fn cpu_times(stat: &str) -> (u32, Option<u64>, Option<u64>) {
    let total = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let ticks: Vec<u64> = total
        .map(|line| line.split_ascii_whitespace().map_while(|text| text.parse().ok()).collect())
        .unwrap_or_default();
    let cores = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    let (mut busy, mut stolen) = (None, None);
    if let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks.as_slice() {
        busy = Some((user + nice + system + irq + softirq) * ns_per_tick());
        stolen = Some(steal * ns_per_tick());
    }
    (u32::try_from(cores).unwrap_or(u32::MAX), busy, stolen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_steal_are_read_in_ticks_over_all_cores() {
        let stat = "cpu  10 1 5 1000 7 2 3 4 0 0\ncpu0 5 0 0 0 0 0 0 0 0 0\ncpu1 5 0 0 0 0 0 0 0 0 0\nintr 1\n";
        let tick = ns_per_tick();
        assert_eq!(cpu_times(stat), (2, Some(21 * tick), Some(4 * tick)));
    }

    #[test]
    fn what_the_system_does_not_tell_is_unknown_and_not_zero() {
        assert_eq!(cpu_times(""), (0, None, None));
        assert_eq!(cpu_times("cpu  10 1 5 1000\ncpu0 10 1 5 1000\n"), (1, None, None));
    }
}
