//! Emulated nodes: processes of this machine with a link, a CPU quota and a memory limit each.

use super::child::NodeChild;
use super::disk::{Disk, OwnDisk};
use super::groups::NodeGroup;
use super::network::Network;
use super::processes::Hurt;
use crate::offspring::{Isolation, die_with_parent};
use bench_model::{Bytes, FaultKind, LaunchedNode, NodeId, NodeLimits};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What `rate` leaves of a link.
const SLOW_LINK_MBIT: u32 = 10;
/// What `oom` leaves of a node's memory: less than any process holds.
const NO_MEMORY: Bytes = Bytes::new(1 << 20);
/// More memory than there is.
const PLENTY: Bytes = Bytes::new(1 << 60);
/// How long the kernel may take to kill.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// The most nodes one switch has addresses for.
const NODES_MAX: u32 = 200;

/// What the nodes of one emulated cluster share.
pub(super) struct Emulation {
    network: Arc<Network>,
}

impl Emulation {
    /// Sets the network up.
    ///
    /// # Errors
    /// The machine refuses, or there are too many nodes.
    pub(super) fn start(nodes: u32) -> Result<Self, String> {
        if nodes > NODES_MAX {
            return Err(format!("an emulated cluster has at most {NODES_MAX} nodes, not {nodes}"));
        }
        Ok(Self { network: Arc::new(Network::start()?) })
    }

    pub(super) fn address_of(&self, node: NodeId) -> Ipv4Addr {
        self.network.address_of(node.0)
    }

    /// Starts a node under its limits; on a disk of its own if that is wanted and possible.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn launch(
        &mut self,
        argv: &[OsString],
        node: NodeId,
        limits: &NodeLimits,
        disk: Option<&Path>,
    ) -> Result<Box<dyn LaunchedNode>, String> {
        let group = NodeGroup::make(&node.to_string(), limits)?;
        let spawn = |disk: Option<&OwnDisk>| NodeChild::spawn_on(argv, Isolation::Network, None, disk);
        let (mut child, disk) = Disk::under(disk, spawn)?;
        if let Some(group) = &group {
            group.adopt(child.pid())?;
        }
        self.network.connect(node.0, child.pid())?;
        if let Some(mbit) = limits.rate_mbit {
            self.network.limit(node.0, child.pid(), mbit)?;
        }
        let address = child.await_listening()?;
        let network = Arc::clone(&self.network);
        Ok(Box::new(EmulatedNode {
            address,
            node,
            limits: *limits,
            hurt: Hurt::default(),
            is_link_hurt: false,
            disk,
            child,
            group,
            starving: None,
            network,
        }))
    }
}

struct EmulatedNode {
    address: SocketAddr,
    node: NodeId,
    limits: NodeLimits,
    hurt: Hurt,
    /// Whether its link was cut or slowed down, and has to be restored.
    is_link_hurt: bool,
    disk: Disk,
    child: NodeChild,
    // After the child: a group can be removed only when its process has ended.
    group: Option<NodeGroup>,
    /// The one in which it has no memory.
    starving: Option<NodeGroup>,
    network: Arc<Network>,
}

impl LaunchedNode for EmulatedNode {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn token(&self) -> &str {
        self.child.token()
    }

    fn is_alive(&mut self) -> bool {
        self.child.is_alive()
    }

    fn inject(&mut self, fault: &FaultKind) -> Result<(), String> {
        match fault {
            FaultKind::Cut | FaultKind::CutOneWay => {
                self.is_link_hurt = true;
                self.network.cut(self.node.0, self.child.pid(), *fault == FaultKind::Cut)
            }
            FaultKind::Rate => {
                self.is_link_hurt = true;
                self.network.limit(self.node.0, self.child.pid(), SLOW_LINK_MBIT)
            }
            FaultKind::Oom => self.starve().map_err(|why| match self.feed() {
                Ok(()) => why,
                Err(also) => format!("{why}, and the node has lost its limits: {also}"),
            }),
            FaultKind::DiskFull => self.disk.fill(self.child.pid()),
            _ => self
                .hurt
                .inject(&mut self.child, *fault)
                .unwrap_or_else(|| Err(format!("`{}` cannot be done to a node from outside", fault.name()))),
        }
    }

    fn relieve(&mut self) -> Result<(), String> {
        let (node, pid) = (self.node.0, self.child.pid());
        let fed = self.feed();
        // Each of them, also when another one cannot be undone.
        let hurt = self.hurt.relieve(&mut self.child);
        let disk = self.disk.empty(pid);
        let is_link_hurt = std::mem::take(&mut self.is_link_hurt);
        let link = if is_link_hurt { self.network.restore(node, pid, self.limits.rate_mbit) } else { Ok(()) };
        hurt.and(disk).and(fed).and(link)
    }

    fn stop(&mut self, patience: Duration) {
        // A stopped or cut-off process cannot end by itself; if even that fails, it is killed.
        let _ = self.relieve();
        self.child.stop(patience);
    }
}

impl EmulatedNode {
    /// Puts a node that has survived back under the limits that it had.
    fn feed(&mut self) -> Result<(), String> {
        let Some(starving) = self.starving.take() else { return Ok(()) };
        if !self.child.is_alive() {
            return Ok(());
        }
        // It must not be killed on its way.
        let fed = starving.set_memory(PLENTY);
        let pid = self.child.pid();
        fed.and(self.group.as_ref().map_or_else(|| starving.release(pid), |group| group.adopt(pid)))
    }

    /// Leaves the node without memory until the kernel kills it.
    fn starve(&mut self) -> Result<(), String> {
        // A group of its own: lowering the limit of the one it is in may be refused.
        let limits = NodeLimits { memory: Some(NO_MEMORY), ..NodeLimits::default() };
        let group = NodeGroup::make(&format!("{}-oom", self.node), &limits)?;
        let group = self.starving.insert(group.ok_or("the node has no control group")?);
        group.adopt(self.child.pid())?;
        // What the node holds already does not count there, and it may not ask for more for a while. Somebody else does:
        // then the kernel kills who has most.
        let mut hungry = Command::new("dd");
        hungry.args(["if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]).stdin(Stdio::null());
        hungry.stdout(Stdio::null()).stderr(Stdio::null());
        die_with_parent(&mut hungry, Isolation::None);
        group.enter_with(&mut hungry);
        hungry.status().map_err(|e| format!("cannot run dd: {e}; install coreutils"))?;
        let by = Instant::now() + KILL_PATIENCE;
        while self.child.is_alive() {
            if Instant::now() >= by {
                return Err("the kernel found another one to kill".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In which control groups a process is.
    fn groups_of(pid: u32) -> String {
        std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap()
    }

    #[test]
    fn a_node_that_survives_a_lack_of_memory_has_its_own_limits_again() {
        let limited = NodeLimits { cpu_milli: Some(500), memory: Some(Bytes::new(1 << 30)), rate_mbit: None };
        for limits in [limited, NodeLimits::default()] {
            let (Ok(network), Ok(starving)) = (Network::start(), NodeGroup::make("starving", &limited)) else {
                eprintln!("NOT TESTED: no node can be emulated here");
                return;
            };
            let argv: Vec<OsString> = vec!["sleep".into(), "600".into()];
            let child = NodeChild::spawn(&argv, Isolation::Network, None).unwrap();
            let pid = child.pid();
            let group = NodeGroup::make("starved", &limits).unwrap();
            group.iter().for_each(|group| group.adopt(pid).unwrap());
            let before = groups_of(pid);
            starving.iter().for_each(|group| group.adopt(pid).unwrap());
            assert_ne!(groups_of(pid), before);
            let mut node = EmulatedNode {
                address: ([127, 0, 0, 1], 1).into(),
                node: NodeId(0),
                limits,
                hurt: Hurt::default(),
                is_link_hurt: false,
                disk: Disk::Common,
                child,
                group,
                starving,
                network: Arc::new(network),
            };
            node.relieve().unwrap();
            assert_eq!(groups_of(pid), before);
            assert!(node.is_alive());
        }
    }
}
