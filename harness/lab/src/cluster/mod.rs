//! Clusters: node processes of this machine, emulated ones with limits and links of their own, and those of other
//! machines.
//!
//! | module | idea |
//! |---|---|
//! | `abilities` | what this machine can do for clusters |
//! | `child` | a node's process: starts it, hears where it listens, ends it on every path |
//! | `processes` | nodes as plain processes of this machine, and what can be done to a process |
//! | `shared` | folders in memory for blocks that nodes of one machine can map |
//! | `network` | a switch and links in network namespaces that vanish with their processes |
//! | `disk` | a disk of a node's own, which can be made to run full |
//! | `groups` | control groups: CPU quota and memory limit of a node |
//! | `emulated` | nodes with a link, a CPU quota and a memory limit each |
//! | `hosts_file` | the file that names other machines |
//! | `ssh` | commands on other machines |
//! | `deliver` | files brought to other machines: the program, tables |
//! | `hold` | what a run holds on another machine, and who tidies up there |
//! | `ready` | makes machines ready for a run: the program and the tables are there |
//! | `signals` | signals to processes on other machines |
//! | `hosts` | nodes on other machines |
//!
//! Invariant: whatever is started or set up ends with the value that stands for it, and at the latest with this process:
//! nodes die with the thread that started them, namespaces and what is mounted in them with their last process, and the
//! control groups and folders of a process that was killed are removed by whoever killed it, or by the next cluster. On
//! other machines, a waiting script sees to it.

mod abilities;
mod child;
mod deliver;
mod disk;
mod emulated;
mod groups;
mod hold;
mod hosts;
mod hosts_file;
mod network;
mod processes;
mod ready;
mod shared;
mod signals;
mod ssh;

pub use abilities::ClusterAbilities;
pub(crate) use groups::NodeGroup;
pub use hosts_file::{Hosts, HostsError};
pub(crate) use network::SWITCH;
pub use ready::{Holds, ReadyHost, TableFiles, make_ready};

use bench_model::{ClusterSpec, FaultKind, LaunchedNode, Launcher, NodeId};
use emulated::Emulation;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the nodes of a killed process may take to be gone.
const GONE_PATIENCE: Duration = Duration::from_secs(2);

/// Removes what clusters of killed processes of this machine have left: control groups and folders in memory. Their nodes
/// are on their way out, so this waits for them a little.
pub fn remove_leftovers() {
    shared::remove_folders_of_the_dead();
    let by = Instant::now() + GONE_PATIENCE;
    while !groups::remove_groups_of_the_dead() && Instant::now() < by {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts the nodes of any cluster with one program.
pub struct ClusterLauncher {
    /// The command line of a node, without where it listens.
    node: Vec<OsString>,
    /// The network of an emulated cluster, once it is needed.
    emulation: Mutex<Option<Emulation>>,
    /// Whether nodes get a disk of their own.
    own_disks: AtomicBool,
}

impl ClusterLauncher {
    /// A launcher of `argv --listen ADDRESS --scratch FOLDER`, and `--small-pages` where nodes share a machine.
    #[must_use]
    pub fn new(node: Vec<OsString>) -> Self {
        Self { node, emulation: Mutex::default(), own_disks: AtomicBool::new(false) }
    }

    /// A launcher of `bench node`, where the running program is `bench`.
    ///
    /// # Errors
    /// The path of the running program is unknown.
    pub fn this_program() -> std::io::Result<Self> {
        Ok(Self::new(vec![std::env::current_exe()?.into(), "node".into()]))
    }

    /// Whether nodes of a cluster get small pages only: more than one of them is on this machine.
    #[must_use]
    pub fn gives_small_pages(cluster: &ClusterSpec) -> bool {
        matches!(cluster, ClusterSpec::Processes { .. } | ClusterSpec::Emulated { .. }) && cluster.nodes() > 1
    }

    /// The command line of a node of this cluster that listens at `address`.
    fn argv(&self, cluster: &ClusterSpec, address: &str, scratch: &Path) -> Vec<OsString> {
        let mut argv = self.node.clone();
        argv.extend(["--listen".into(), address.into(), "--scratch".into(), scratch.into()]);
        argv.extend(Self::gives_small_pages(cluster).then(|| "--small-pages".into()));
        argv
    }
}

impl Launcher for ClusterLauncher {
    fn launch(&self, cluster: &ClusterSpec, node: NodeId, scratch: &Path) -> Result<Box<dyn LaunchedNode>, String> {
        let scratch = scratch.join(node.to_string());
        let disk = self.own_disks.load(Ordering::Relaxed).then_some(scratch.as_path());
        match cluster {
            ClusterSpec::Local | ClusterSpec::Attached { .. } => {
                Err(format!("a cluster that is {} has no node processes", cluster.name()))
            }
            ClusterSpec::Processes { .. } => {
                empty(&scratch);
                processes::launch(&self.argv(cluster, "127.0.0.1:0", &scratch), disk)
            }
            ClusterSpec::Emulated { nodes, limits } => {
                let mut emulation = self.emulation.lock().unwrap_or_else(PoisonError::into_inner);
                let emulation = match &mut *emulation {
                    Some(emulation) => emulation,
                    none => none.insert(Emulation::start(*nodes)?),
                };
                let address = emulation.address_of(node);
                empty(&scratch);
                emulation.launch(&self.argv(cluster, &format!("{address}:0"), &scratch), node, limits, disk)
            }
            ClusterSpec::Hosts { hosts, tls } => {
                let host =
                    hosts.get(node.0 as usize).ok_or_else(|| format!("the hosts file has no line for {node}"))?;
                hosts::launch(host, &self.node, tls.as_deref())
            }
        }
    }

    fn prepare_for(&self, faults: &[FaultKind]) -> bool {
        faults.contains(&FaultKind::DiskFull) && !self.own_disks.swap(true, Ordering::Relaxed)
    }
}

/// Removes what a killed node has left of its blocks.
fn empty(scratch: &Path) {
    // Mostly there is nothing; what cannot be removed goes with the folder that it is in.
    let _ = std::fs::remove_dir_all(scratch);
}
