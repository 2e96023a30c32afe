//! What is asked for, and the heads of what comes back.

use crate::store::Located;
use bench_model::{BlockRef, TaskFailure};
use serde::{Deserialize, Serialize};

/// A request for the rows of blocks of one node, one block after the other. Who may ask is settled by the token in the
/// call's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// The driver's session: a node that has meanwhile joined another has none of its blocks.
    pub(crate) session: u64,
    /// Which blocks, in the order in which they are to come.
    pub(crate) blocks: Vec<BlockRef>,
    /// The asking host's boot, if it could map the other's files.
    pub(crate) boot: Option<String>,
}

/// The head of a block in an answer, in the metadata of its first message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Head {
    /// Extents follow, after the schema in this message's header.
    Extents {
        /// How many.
        count: u32,
        /// The schema's checksum.
        schema: u64,
    },
    /// The bytes are on this host: map them.
    Located(Located),
    /// The block is not to be had, and why; the next block follows.
    Failed(TaskFailure),
}

/// The head of an extent, in the metadata of its first piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExtentHead {
    /// How many bytes it has.
    pub(crate) len: u64,
    /// Their checksum.
    pub(crate) hash: u64,
}

/// The metadata key that carries the cluster's token.
pub(crate) const TOKEN: &str = "bench-token";

/// What tells this host and network from every other; none where the system does not say. Nodes in network namespaces of
/// their own count as different hosts: they stand for such.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{} {}", id.trim(), network.display()))
}
