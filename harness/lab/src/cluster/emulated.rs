//! Emulated nodes: processes of this machine with a link, a CPU quota and a memory limit each.

use super::child::NodeChild;
use super::groups::NodeGroup;
use super::network::Network;
use super::processes::Hurt;
use crate::offspring::Isolation;
use bench_model::{Bytes, FaultKind, LaunchedNode, NodeId, NodeLimits};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What `rate` leaves of a link.
const SLOW_LINK_MBIT: u32 = 10;
/// What `oom` leaves of a node's memory: less than any process holds.
const NO_MEMORY: Bytes = Bytes::new(1 << 20);
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

    /// Starts a node under its limits.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn launch(
        &mut self,
        argv: &[OsString],
        node: NodeId,
        limits: &NodeLimits,
    ) -> Result<Box<dyn LaunchedNode>, String> {
        let group = NodeGroup::make(node.0, limits)?;
        let mut child = NodeChild::spawn(argv, Isolation::Network, None)?;
        if let Some(group) = &group {
            group.adopt(child.pid())?;
        }
        self.network.connect(node.0, child.pid())?;
        if let Some(mbit) = limits.rate_mbit {
            self.network.limit(node.0, child.pid(), mbit)?;
        }
        let address = child.await_listening()?;
        let network = Arc::clone(&self.network);
        let link = Link::default();
        Ok(Box::new(EmulatedNode {
            address,
            node,
            limits: *limits,
            hurt: Hurt::default(),
            link,
            child,
            group,
            network,
        }))
    }
}

/// What was done to a node's link and has to be undone.
#[derive(Default)]
struct Link {
    cut: bool,
    slow: bool,
}

struct EmulatedNode {
    address: SocketAddr,
    node: NodeId,
    limits: NodeLimits,
    hurt: Hurt,
    link: Link,
    child: NodeChild,
    // After the child: a group can be removed only when its process has ended.
    group: Option<NodeGroup>,
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
                self.network.cut(self.node.0, *fault == FaultKind::Cut)?;
                self.link.cut = true;
                Ok(())
            }
            FaultKind::Rate => {
                self.network.limit(self.node.0, self.child.pid(), SLOW_LINK_MBIT)?;
                self.link.slow = true;
                Ok(())
            }
            FaultKind::Oom => {
                if self.group.is_none() {
                    let limits = NodeLimits { memory: Some(Bytes::new(u64::MAX >> 1)), ..NodeLimits::default() };
                    self.group = NodeGroup::make(self.node.0, &limits)?;
                }
                let group = self.group.as_ref().ok_or("the node has no control group")?;
                group.adopt(self.child.pid())?;
                // The kernel first reclaims, then kills what still does not fit; a refusal means that it is at it.
                let _ = group.set_memory(NO_MEMORY);
                Ok(())
            }
            _ => self
                .hurt
                .inject(&mut self.child, *fault)
                .unwrap_or_else(|| Err(format!("`{}` cannot be done to a node from outside", fault.name()))),
        }
    }

    fn relieve(&mut self) -> Result<(), String> {
        self.hurt.relieve(&mut self.child)?;
        if std::mem::take(&mut self.link.cut) {
            self.network.mend(self.node.0)?;
        }
        if std::mem::take(&mut self.link.slow) {
            match self.limits.rate_mbit {
                Some(mbit) => self.network.limit(self.node.0, self.child.pid(), mbit)?,
                None => self.network.unlimit(self.node.0, self.child.pid())?,
            }
        }
        Ok(())
    }

    fn stop(&mut self, patience: Duration) {
        // A stopped or cut-off process cannot end by itself; if even that fails, it is killed.
        let _ = self.relieve();
        self.child.stop(patience);
    }
}
