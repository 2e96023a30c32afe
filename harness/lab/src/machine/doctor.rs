//! The facts about this machine that decide how far its numbers can be trusted, and what to do about the bad ones.

use super::cgroup::Cgroup;
use super::disk::DiskSpace;
use super::probe;
use crate::cluster::ClusterAbilities;
use bench_record::Machine;
use serde::Serialize;
use std::fmt;
use std::path::Path;

const GIB: u64 = 1 << 30;

/// What `bench doctor` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doctor {
    /// Equal where times may share a table: [`Machine::key`].
    pub machine_key: String,
    /// What goes into a run's context.
    pub machine: Machine,
    /// Cores this process may use at the same time, quota and affinity applied.
    pub cores_usable: f64,
    /// Memory that can be taken without swapping.
    pub memory_available_bytes: Option<u64>,
    /// Swap space.
    pub swap_bytes: Option<u64>,
    /// Where the control group's limits come from: `v1`, `v2` or `none`.
    pub cgroup: &'static str,
    /// The disk below the data folder.
    pub data_disk: Option<DiskSpace>,
    /// The unit of memory mapping.
    pub page_bytes: Option<u64>,
    /// What time is read from.
    pub clocksource: Option<String>,
    /// Whether hardware performance counters can be used.
    pub perf_events: bool,
    /// Share of CPU time that the hypervisor gave to others since boot.
    pub steal_share: Option<f64>,
    /// Whether the whole page cache can be dropped and limits can be set: effective user is root.
    pub root: bool,
    /// What clusters can be made of here.
    pub clusters: ClusterAbilities,
    /// What limits a run here, worst first.
    pub limits: Vec<Limit>,
}

/// Something that limits a run, and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What it is and what follows from it.
    pub what: String,
    /// What to do about it.
    pub next_step: String,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.next_step)
    }
}

impl Doctor {
    /// Examines this machine; `data` is the folder that holds the data, or will.
    #[must_use]
    pub fn examine(data: &Path) -> Self {
        let cgroup = Cgroup::of_self();
        let machine = probe::machine(&cgroup, data);
        let mut doctor = Self {
            machine_key: machine.key(),
            cores_usable: machine.quota_cores.unwrap_or(f64::from(machine.cores)),
            memory_available_bytes: probe::memory_available_bytes(),
            swap_bytes: probe::meminfo("SwapTotal:"),
            cgroup: cgroup.version(),
            data_disk: DiskSpace::of(data).ok(),
            page_bytes: page_bytes(),
            clocksource: probe::line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            perf_events: Path::new("/sys/bus/event_source/devices/cpu").exists(),
            steal_share: probe::steal_share_since_boot(),
            root: is_root(),
            clusters: ClusterAbilities::probe(),
            limits: Vec::new(),
            machine,
        };
        doctor.limits = doctor.find_limits();
        doctor
    }

    fn find_limits(&self) -> Vec<Limit> {
        let mut found = Vec::new();
        let mut limit = |what: String, next_step: &str| found.push(Limit { what, next_step: next_step.to_owned() });
        let memory = self.machine.memory_limit_bytes.unwrap_or(self.machine.memory_bytes);
        if let Some(free) = self.data_disk.as_ref().map(|d| d.free_bytes).filter(|free| *free < 10 * GIB) {
            limit(
                format!("only {} are free on the data disk: suites above `smoke` will not fit", gib(free)),
                "free some, or set BENCH_DATA to a folder on a larger disk",
            );
        }
        if memory < 8 * GIB {
            limit(
                format!("only {} of memory: larger queries will spill or fail", gib(memory)),
                "run the `smoke` suite, or give each engine a limit with --memory",
            );
        }
        if let Some(quota) = self.machine.quota_cores {
            limit(
                format!(
                    "only {quota:.2} of {} cores may be used: threads beyond that are throttled",
                    self.machine.cores
                ),
                "give --slots the whole number below it, or raise the quota",
            );
        }
        if let Some(steal) = self.steal_share.filter(|share| *share > 0.01) {
            limit(
                format!("the hypervisor gave {:.1} % of CPU time to others since boot", steal * 100.0),
                "expect contaminated trials; use a dedicated machine for numbers to publish",
            );
        }
        if self.cores_usable < 2.0 {
            limit("fewer than two usable cores: harness and engine share one".to_owned(), "compare only CPU time here");
        }
        if self.machine.governor.as_deref().is_some_and(|g| g != "performance") {
            let governor = self.machine.governor.as_deref().unwrap_or_default();
            limit(
                format!("the frequency governor is `{governor}`: clock speed follows load"),
                "set it to `performance` as root: cpupower frequency-set -g performance",
            );
        }
        if self.clocksource.as_deref().is_some_and(|c| !["tsc", "kvm-clock", "arch_sys_counter"].contains(&c)) {
            let clock = self.clocksource.as_deref().unwrap_or_default();
            limit(
                format!("time is read from `{clock}`, which is slow: spans cost more than they should"),
                "boot with clocksource=tsc if the processor allows it, or run without --spans",
            );
        }
        if self.swap_bytes.is_some_and(|swap| swap > 0) {
            limit(
                "swap is on: an engine short of memory gets slow instead of failing".to_owned(),
                "turn it off for measurements as root: swapoff -a",
            );
        }
        if !self.root {
            limit(
                "not root: cold-cache trials drop only the cache of the data files".to_owned(),
                "run as root if file-system metadata has to be cold too",
            );
        }
        if !self.perf_events {
            limit(
                "no hardware performance counters".to_owned(),
                "nothing is lost for reports; use bare metal to profile an engine",
            );
        }
        found
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB as f64)
}

fn page_bytes() -> Option<u64> {
    #[expect(unsafe_code, reason = "sysconf has no safe interface")]
    // SAFETY: reads a constant of the running system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).ok()
}

fn is_root() -> bool {
    #[expect(unsafe_code, reason = "geteuid has no safe interface")]
    // SAFETY: takes nothing, cannot fail.
    let user = unsafe { libc::geteuid() };
    user == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_examined_and_examined_again() {
        let (a, b) = (Doctor::examine(Path::new("/tmp")), Doctor::examine(Path::new("/")));
        assert_eq!(a.machine_key, b.machine_key);
        assert!(a.machine.cores > 0 && a.machine.memory_bytes > 0);
        assert!(a.cores_usable <= f64::from(a.machine.cores));
    }

    #[test]
    fn a_poor_machine_is_told_so_with_a_next_step() {
        let mut poor = Doctor::examine(Path::new("/"));
        poor.machine.quota_cores = Some(0.5);
        poor.machine.memory_limit_bytes = Some(GIB);
        poor.cores_usable = 0.5;
        let limits = poor.find_limits();
        let said: Vec<String> = limits.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|s| s.starts_with("only 1.0 GiB of memory")), "{said:?}");
        assert!(said.iter().any(|s| s.contains("0.50 of")), "{said:?}");
        assert!(limits.iter().all(|l| !l.next_step.is_empty()));
    }
}
