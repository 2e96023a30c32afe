//! Which machines live in a process.

use bench_model::NodeId;

/// Which machines live in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residents {
    /// The driver and one node.
    Both(NodeId),
    /// The driver; the nodes are elsewhere.
    Driver,
    /// A node; the driver is elsewhere.
    Node(NodeId),
}

impl Residents {
    /// Where the node's machine lives; a number that no node has if it is elsewhere.
    pub(crate) fn node(self) -> NodeId {
        match self {
            Self::Both(node) | Self::Node(node) => node,
            Self::Driver => NodeId(u32::MAX),
        }
    }
}
