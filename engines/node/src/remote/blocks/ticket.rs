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
    /// What the asking process maps where it lies, if it is on the same host; everything is sent if absent.
    pub(crate) mapping: Option<Mapping>,
}

/// What a process of the same host maps instead of having it sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    /// The asking host, see [`boot_id`].
    pub(crate) boot: String,
    /// Which blocks.
    pub(crate) what: Mapped,
}

/// Which blocks are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mapped {
    /// Whatever has a file, as objects in shared memory have.
    Sealed,
    /// What has a file and is large enough that opening it costs less than sending it.
    Large,
    /// Large parts of an answer; those in memory get a file first.
    Answer,
}

impl Mapping {
    /// Such blocks, for a process on this host; none where the system does not say which host it is.
    pub(crate) fn of(what: Mapped) -> Option<Self> {
        boot_id().map(|boot| Self { boot, what })
    }
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

/// What tells this host, network and view of its files from every other; none where the system does not say. Nodes in network
/// namespaces of their own count as different hosts: they stand for such. So do those with a disk of their own, whose
/// files nobody else can open.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = std::fs::read_link("/proc/self/ns/net").ok()?;
    let files = std::fs::read_link("/proc/self/ns/mnt").ok()?;
    Some(format!("{} {} {}", id.trim(), network.display(), files.display()))
}
