//! How a node reaches the blocks of the others: the seam between the slots' world and the network.

use bench_model::{Batches, BlockRef, Storage, TaskFailure};
use bytes::Bytes;

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
    /// [`TaskFailure::CorruptBlock`] if its bytes are not the ones that were written.
    fn read(&self, blocks: Vec<BlockRef>) -> Remote;

    /// What the planner ships for `key`. It is called on a slot's thread and may block there.
    ///
    /// # Errors
    /// The driver is gone or knows nothing of that name.
    fn ship(&self, key: &[u8]) -> Result<Bytes, TaskFailure>;
}

/// A cluster of one node: what is not here is nowhere.
pub(crate) struct Alone;

impl Peers for Alone {
    fn fetch(&self, block: &BlockRef, _storage: Storage) -> Option<Result<(), TaskFailure>> {
        Some(Err(TaskFailure::MissingBlock(block.id)))
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Remote {
        Box::new(blocks.into_iter().map(|block| Err(TaskFailure::MissingBlock(block.id))))
    }

    fn ship(&self, _key: &[u8]) -> Result<Bytes, TaskFailure> {
        Err(TaskFailure::Fatal("a call names a plan, but nobody has planned anything here".to_owned()))
    }
}
