//! What the whole machine was doing: the evidence for interference.

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
    /// Time all cores spent running something, in nanoseconds.
    pub(super) busy_ns: u64,
    /// Time the hypervisor ran others while this machine wanted to run.
    pub(super) steal_ns: u64,
    /// Time this control group was kept from running by its quota.
    pub(super) throttled_ns: u64,
    /// Time in which every task waited for memory.
    pub(super) memory_stall_ns: u64,
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
            throttled_ns: cgroup.throttled_ns().unwrap_or(0),
            memory_stall_ns: full_stall_ns(&pressure).unwrap_or(0),
        }
    }
}

/// Cores, busy time and steal time from `/proc/stat`.
fn cpu_times(stat: &str) -> (u32, u64, u64) {
    let mut ticks = [0u64; 8];
    if let Some(line) = stat.lines().find_map(|line| line.strip_prefix("cpu ")) {
        for (slot, text) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
            *slot = text.parse().unwrap_or(0);
        }
    }
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = ticks;
    let cores = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    let busy = user + nice + system + irq + softirq;
    (u32::try_from(cores).unwrap_or(u32::MAX), busy * ns_per_tick(), steal * ns_per_tick())
}

/// The total of the `full` line of a pressure file, which is in microseconds.
fn full_stall_ns(pressure: &str) -> Option<u64> {
    let line = pressure.lines().find(|line| line.starts_with("full "))?;
    let (_, total) = line.rsplit_once("total=")?;
    total.trim().parse::<u64>().ok().map(|us| us.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_steal_are_read_in_ticks_over_all_cores() {
        let stat = "cpu  10 1 5 1000 7 2 3 4 0 0\ncpu0 5 0 0 0 0 0 0 0 0 0\ncpu1 5 0 0 0 0 0 0 0 0 0\nintr 1\n";
        let tick = ns_per_tick();
        assert_eq!(cpu_times(stat), (2, 21 * tick, 4 * tick));
    }

    #[test]
    fn memory_stalls_are_read_in_microseconds() {
        let pressure =
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(full_stall_ns(pressure), Some(5_000));
    }
}
