//! How a node reaches the blocks of the others: the seam between the slots' world and the network.

use bench_model::{Batches, BlockRef, Bytes, Storage, TaskFailure};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Blocks of other nodes, one item per block in the order in which they were asked for. Waiting for them blocks the
/// calling thread.
pub(crate) type Remote = Box<dyn Iterator<Item = Result<Batches, TaskFailure>> + Send>;

/// The other nodes of a cluster, as holders of blocks.
pub(crate) trait Peers: Send + Sync {
    /// Begins to copy a block of another node into this node's store. It is called under the session's lock, so it must
    /// not block. What needs no waiting is answered at once; the end of everything else is told to the machine as
    /// [`bench_model::Event::Fetched`], once per call, also for a block that is on its way already.
    fn fetch(&self, block: &BlockRef, storage: Storage) -> Option<Result<(), TaskFailure>>;

    /// Reads blocks of other nodes without keeping them. The next blocks may be on their way while one is read. An item,
    /// or its own iterator, is [`TaskFailure::MissingBlock`] if the block's node is gone or has dropped it, and
    /// [`TaskFailure::CorruptBlock`] if its bytes are not the ones that were written. What is on its way takes a part of
    /// the reader's share of memory, and waiting for it is over when `stop` is raised.
    fn read(&self, blocks: Vec<BlockRef>, memory: Bytes, stop: &Arc<AtomicBool>) -> Remote;

    /// What the planner ships for `key`. It is called on a slot's thread and may block there until `stop` is raised.
    ///
    /// # Errors
    /// The driver is gone or knows nothing of that name, or [`TaskFailure::Cancelled`].
    fn ship(&self, key: &[u8], stop: &AtomicBool) -> Result<bytes::Bytes, TaskFailure>;

    /// What was shipped for `key` cannot be used: it is asked for again when it is next needed.
    fn refuse(&self, key: &[u8]);
}

/// A cluster of one node: what is not here is nowhere.
pub(crate) struct Alone;

impl Peers for Alone {
    fn fetch(&self, block: &BlockRef, _storage: Storage) -> Option<Result<(), TaskFailure>> {
        Some(Err(TaskFailure::MissingBlock(block.id)))
    }

    fn read(&self, blocks: Vec<BlockRef>, _: Bytes, _: &Arc<AtomicBool>) -> Remote {
        Box::new(blocks.into_iter().map(|block| Err(TaskFailure::MissingBlock(block.id))))
    }

    fn ship(&self, _: &[u8], _: &AtomicBool) -> Result<bytes::Bytes, TaskFailure> {
        Err(TaskFailure::Fatal("a call names a plan, but nobody has planned anything here".to_owned()))
    }

    fn refuse(&self, _: &[u8]) {
        // Nothing was shipped.
    }
}
