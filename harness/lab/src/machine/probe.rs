//! Reading the live system, one fact at a time. What cannot be read is absent.

use bench_record::Machine;
use std::fs;
use std::path::Path;

use super::cgroup::Cgroup;
use super::disk::DiskSpace;

/// The machine part of a run's context; `data` is the folder whose disk matters.
pub(super) fn machine(cgroup: &Cgroup, data: &Path) -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = count_cores(&cpuinfo).unwrap_or_else(available_cores);
    let memory = meminfo("MemTotal:").unwrap_or(0);
    let granted = cgroup.quota_cores().into_iter().chain([f64::from(available_cores())]).reduce(f64::min);
    Machine {
        cpu_model: cpu_model(&cpuinfo).unwrap_or_else(|| "unknown".to_owned()),
        arch: std::env::consts::ARCH.to_owned(),
        cores,
        memory_bytes: memory,
        os: os_name().unwrap_or_else(|| std::env::consts::OS.to_owned()),
        kernel: line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
        disk: DiskSpace::of(data).ok().and_then(|d| d.filesystem),
        tcp_congestion: line("/proc/sys/net/ipv4/tcp_congestion_control"),
        quota_cores: granted.filter(|granted| *granted < f64::from(cores)),
        memory_limit_bytes: cgroup.memory_limit_bytes().filter(|limit| *limit < memory),
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        hypervisor: hypervisor(&cpuinfo),
    }
}

/// The trimmed contents of a one-line file, if it is there and not empty.
pub(super) fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A field of `/proc/meminfo`, in bytes.
pub(super) fn meminfo(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// All memory of the machine, or of the control group that this process may not leave.
pub(crate) fn memory_total_bytes() -> Option<u64> {
    at_most(meminfo("MemTotal:"), Cgroup::of_self().memory_limit_bytes())
}

/// Memory that can be taken without swapping, here and in this process's control group.
#[must_use]
pub fn memory_available_bytes() -> Option<u64> {
    at_most(meminfo("MemAvailable:"), Cgroup::of_self().memory_available_bytes())
}

/// The smaller of what is known.
fn at_most(machine: Option<u64>, group: Option<u64>) -> Option<u64> {
    machine.into_iter().chain(group).min()
}

/// Cores this process may be scheduled on, its control group's quota included.
pub(super) fn available_cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

fn count_cores(cpuinfo: &str) -> Option<u32> {
    u32::try_from(cpuinfo.lines().filter(|l| l.starts_with("processor")).count()).ok().filter(|n| *n > 0)
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|l| l.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let model = field("model name").or_else(|| field("CPU part").map(|part| format!("ARM part {part}")))?;
    // Clouds hide the model's number in its name but not its family.
    match (field("cpu family"), field("model\t")) {
        (Some(family), Some(number)) => Some(format!("{model} (family {family} model {number})")),
        _ => Some(model),
    }
}

fn os_name() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned()).filter(|n| !n.is_empty())
}

fn hypervisor(cpuinfo: &str) -> Option<String> {
    let flagged = cpuinfo.lines().any(|l| l.starts_with("flags") && l.split_whitespace().any(|f| f == "hypervisor"));
    let named = line("/sys/class/dmi/id/sys_vendor").or_else(|| line("/sys/hypervisor/type"));
    flagged.then(|| named.unwrap_or_else(|| "unnamed".to_owned()))
}

/// Share of all cores' time that the hypervisor gave to others since boot.
pub(super) fn steal_share_since_boot() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = stat
        .lines()
        .find_map(|l| l.strip_prefix("cpu "))?
        .split_ascii_whitespace()
        .take(8)
        .filter_map(|t| t.parse().ok())
        .collect();
    let all: f64 = ticks.iter().sum();
    ticks.get(7).filter(|_| all > 0.0).map(|steal| steal / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_with_family_and_number() {
        let cpuinfo =
            "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Xeon\nflags\t\t: fpu hypervisor\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Xeon (family 6 model 207)"));
        assert_eq!(count_cores(cpuinfo), Some(1));
        assert!(hypervisor(cpuinfo).is_some());
    }
}
