//! What a node has to give: its present incarnation's blocks, as bytes or as the place where they lie.

use crate::remote::blocks::{Encoded, Extent, Mapped, Shelf};
use crate::remote::member::Member;
use crate::store::{BlockStore, Located};
use bench_model::{BlockRef, TaskFailure};
use std::sync::{Arc, Mutex, PoisonError};

/// A smaller block is sent to a process of the same host faster than that one opens and maps its file.
const MAPPED_MIN: u64 = 64 << 10;
/// A smaller part of an answer is sent faster than it gets a file.
const SEALED_MIN: u64 = 256 << 10;

/// The shelf of a node: its present incarnation's blocks.
pub(crate) struct NodeShelf(pub(crate) Arc<Mutex<Option<Arc<dyn Member>>>>);

impl NodeShelf {
    /// Only the store leaves the lock: whoever holds the incarnation last ends its threads, which must not happen on the
    /// thread that brings them what they wait for.
    fn with<T>(&self, session: u64, ask: impl FnOnce(&BlockStore) -> T) -> Option<T> {
        let store = {
            let member = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            member.as_ref().filter(|m| m.configured().session == session)?.store()
        };
        Some(ask(&store))
    }
}

impl Shelf for NodeShelf {
    fn locate(&self, session: u64, block: &BlockRef, mapped: Mapped) -> Option<Located> {
        let bytes = block.meta.bytes.get();
        match mapped {
            Mapped::Large if bytes < MAPPED_MIN => return None,
            Mapped::Answer if bytes < SEALED_MIN => return None,
            Mapped::Sealed | Mapped::Large => {}
            // Without a file it is sent, whatever the reason.
            Mapped::Answer => self.with(session, |store| store.spill(block.id, block.attempt).ok()).flatten()?,
        }
        self.with(session, |store| store.locate(block.id, block.attempt)).flatten()
    }

    fn take(&self, session: u64, block: &BlockRef) -> Result<Encoded, TaskFailure> {
        let found = self.with(session, |store| store.find(block));
        let travelling = found.unwrap_or(Err(TaskFailure::MissingBlock(block.id)))?.travel()?;
        let extents = travelling.extents.into_iter().map(|(bytes, hash)| Extent { bytes, hash }).collect();
        Ok(Encoded { schema: travelling.schema, extents })
    }
}
