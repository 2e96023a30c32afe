//! What is asked for, and the heads of what comes back.

use crate::store::Located;
use bench_model::{BlockRef, TaskFailure};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};

/// A request for one block or plan. Who may ask is settled by the token in the call's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Ticket {
    /// A block's rows.
    Block {
        /// The driver's session: a node that has meanwhile joined another has none of its blocks.
        session: u64,
        /// Which block.
        block: BlockRef,
        /// The asking host's boot, if it could map the other's files.
        boot: Option<String>,
    },
    /// An encoded plan, from the driver.
    Shipment {
        /// What the task's arguments call it.
        key: Bytes,
    },
}

/// The head of an answer, in the first message's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Head {
    /// So many extents follow, after the schema in this message's header.
    Extents(u32),
    /// The bytes are on this host: map them.
    Located(Located),
    /// A plan of so many bytes follows.
    Shipment(u64),
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

/// A failure as a status that keeps its type.
pub(crate) fn to_status(failure: &TaskFailure) -> Status {
    let details = postcard::to_stdvec(failure).unwrap_or_default();
    Status::with_details(Code::FailedPrecondition, failure.to_string(), details.into())
}

/// The failure in a status, if the other side put one in.
pub(crate) fn from_status(status: &Status) -> Option<TaskFailure> {
    if status.code() != Code::FailedPrecondition {
        return None;
    }
    postcard::from_bytes(status.details()).ok()
}

/// What tells this host and network from every other; none where the system does not say. Nodes in network namespaces of
/// their own count as different hosts: they stand for such.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{} {}", id.trim(), network.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{BlockId, FragmentId, JobId, TaskId};

    #[test]
    fn failures_keep_their_type_on_the_way() {
        let block = BlockId { task: TaskId { job: JobId(1), fragment: FragmentId(2), partition: 4 }, output: 3 };
        for failure in [
            TaskFailure::MissingBlock(block),
            TaskFailure::CorruptBlock(block),
            TaskFailure::Fatal("no".to_owned()),
            TaskFailure::OutOfMemory("all of it".to_owned()),
        ] {
            assert_eq!(from_status(&to_status(&failure)), Some(failure));
        }
        assert_eq!(from_status(&Status::unavailable("gone")), None);
        assert_eq!(from_status(&Status::failed_precondition("without details")), None);
    }
}
