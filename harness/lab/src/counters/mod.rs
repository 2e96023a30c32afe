//! Counters of the operating system, read by the parent: the same ground truth for every engine.
//!
//! `read_bytes` and `write_bytes` are storage level (`/proc/PID/io`): a warm query reads 0 bytes. What the engine asked
//! for, page cache included, is in `read_call_bytes` and `write_call_bytes`.

mod interference;
mod system;
mod tree;
mod usage;

pub use interference::Interference;
pub use tree::process_tree;
pub use usage::Usage;

use crate::machine::Cgroup;
use system::SystemReading;
use usage::{TreeReading, cpu_ns, reset_peaks};

/// An open measurement over the process tree of one engine.
#[derive(Debug)]
pub struct Window {
    root: u32,
    cgroup: Cgroup,
    tree: TreeReading,
    own_cpu_ns: u64,
    system: SystemReading,
}

impl Window {
    /// Starts measuring the tree below `root`; its peak memory starts over.
    #[must_use]
    pub fn open(root: u32, cgroup: &Cgroup) -> Self {
        reset_peaks(root);
        let tree = TreeReading::take(root);
        let own_cpu_ns = cpu_ns(std::process::id()).unwrap_or(0);
        // Last, so that the harness's own reading of files is not taken for foreign work.
        let system = SystemReading::take(cgroup);
        Self { root, cgroup: cgroup.clone(), tree, own_cpu_ns, system }
    }

    /// What was used since, and by whom else. A tree that died meanwhile has used zero by this count.
    #[must_use]
    pub fn close(self) -> (Usage, Interference) {
        let system = SystemReading::take(&self.cgroup);
        let usage = self.tree.until(TreeReading::take(self.root));
        let own = cpu_ns(std::process::id()).unwrap_or(0).saturating_sub(self.own_cpu_ns);
        let ours = usage.cpu_ns + if self.root == std::process::id() { 0 } else { own };
        let wall = system.at.duration_since(self.system.at);
        let interference = Interference {
            other_cpu_ns: system.busy_ns.saturating_sub(self.system.busy_ns).saturating_sub(ours),
            steal_ns: system.steal_ns.saturating_sub(self.system.steal_ns),
            throttled_ns: system.throttled_ns.saturating_sub(self.system.throttled_ns),
            memory_stall_ns: system.memory_stall_ns.saturating_sub(self.system.memory_stall_ns),
            wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
            cores: system.cores,
        };
        (usage, interference)
    }
}
