//! The machine a run was on. Filled in by whoever can look at the live system; this crate only records it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use twox_hash::XxHash3_64;

/// What was read from the live system. A field nobody could read is absent, never empty or zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model name.
    pub cpu_model: String,
    /// The instruction set, such as `x86_64`.
    pub arch: String,
    /// Logical cores that the operating system shows.
    pub cores: u32,
    /// Physical memory.
    pub memory_bytes: u64,
    /// The operating system.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// The disk that holds the data, as device, model or file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// TCP congestion control in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_congestion: Option<String>,
    /// Cores this process may use, where a control group or an affinity mask grants fewer than there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_cores: Option<f64>,
    /// Memory this process may use, where a control group grants less than there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// The frequency governor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Whether it is a virtual machine, and whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<String>,
}

const GIB: u64 = 1 << 30;

impl Machine {
    /// Sixteen hex digits that are equal when times may share a table: processor, instruction set, cores, memory to the
    /// GiB and the limits in force. Kernel, disk and settings are shown but may change without making another machine.
    #[must_use]
    pub fn key(&self) -> String {
        let stable = format!(
            "{}\n{}\n{}\n{}\n{:?}\n{:?}",
            self.cpu_model.split_whitespace().collect::<Vec<_>>().join(" "),
            self.arch,
            self.cores,
            self.memory_bytes.div_ceil(GIB),
            self.quota_cores.map(|q| (q * 100.0).round() as u64),
            self.memory_limit_bytes.map(|b| b.div_ceil(GIB)),
        );
        format!("{:016x}", XxHash3_64::oneshot(stable.as_bytes()))
    }

    /// One line for the foot of a report.
    #[must_use]
    pub fn summary(&self) -> String {
        let gib = self.memory_bytes as f64 / (1u64 << 30) as f64;
        let mut line = format!("{}, {} cores, {gib:.1} GiB, {} {}", self.cpu_model, self.cores, self.os, self.kernel);
        let extras = [
            self.disk.as_ref().map(|d| format!("disk {d}")),
            self.tcp_congestion.as_ref().map(|t| format!("tcp {t}")),
            self.quota_cores.map(|q| format!("quota {q:.2} cores")),
            self.memory_limit_bytes.map(|b| format!("memory limit {:.1} GiB", b as f64 / (1u64 << 30) as f64)),
            self.governor.as_ref().map(|g| format!("governor {g}")),
            self.hypervisor.as_ref().map(|h| format!("virtual ({h})")),
        ];
        for extra in extras.into_iter().flatten() {
            line.push_str(", ");
            line.push_str(&extra);
        }
        line
    }
}

/// A machine that a node runs on, other than the one above, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeMachine {
    /// The address that its node listens on.
    pub address: IpAddr,
    /// The processor's model name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<String>,
    /// Logical cores that a process there may use.
    pub cores: u32,
    /// Physical memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl NodeMachine {
    /// Whether times may share a table: processor, cores and memory to the GiB agree. The address may be another one.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let memory = |m: &Self| m.memory_bytes.map(|bytes| bytes.div_ceil(GIB));
        (&self.cpu_model, self.cores, memory(self)) == (&other.cpu_model, other.cores, memory(other))
    }
}

impl fmt::Display for NodeMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores", self.cpu_model.as_deref().unwrap_or("unknown processor"), self.cores)?;
        self.memory_bytes.map_or(Ok(()), |bytes| write!(f, ", {:.1} GiB", bytes as f64 / GIB as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            cpu_model: "Example CPU  @ 2 GHz".into(),
            arch: "x86_64".into(),
            cores: 2,
            memory_bytes: 24 << 30,
            os: "Linux".into(),
            kernel: "6.18.0".into(),
            ..Machine::default()
        }
    }

    #[test]
    fn a_new_kernel_is_the_same_machine_but_fewer_cores_are_not() {
        let same = Machine { kernel: "6.19.1".into(), disk: Some("vda".into()), ..machine() };
        assert_eq!(same.key(), machine().key());
        assert_ne!(Machine { cores: 4, ..machine() }.key(), machine().key());
        assert_ne!(Machine { quota_cores: Some(1.5), ..machine() }.key(), machine().key());
    }

    #[test]
    fn memory_reserved_by_a_kernel_does_not_make_another_machine() {
        assert_eq!(Machine { memory_bytes: (24 << 30) - 300_000_000, ..machine() }.key(), machine().key());
    }

    #[test]
    fn a_node_s_machine_is_its_hardware_wherever_it_is_reached() {
        let one = NodeMachine {
            address: [10, 0, 0, 7].into(),
            cpu_model: Some("Example".into()),
            cores: 8,
            memory_bytes: Some(32 << 30),
        };
        let moved = NodeMachine { address: [10, 0, 0, 9].into(), memory_bytes: Some((32 << 30) - 9), ..one.clone() };
        assert!(moved.is_like(&one));
        assert!(!NodeMachine { cores: 4, ..one.clone() }.is_like(&one));
        assert!(!NodeMachine { cpu_model: None, ..one.clone() }.is_like(&one));
        assert_eq!(one.to_string(), "Example, 8 cores, 32.0 GiB");
    }
}
