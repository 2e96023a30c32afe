//! Blocks between the processes of a host: one seals a block in a file, the others map it. No byte is copied.
//!
//! As in Ray's object store, an object is immutable once it is sealed, and a reader keeps its pages alive even when the
//! owner has dropped it. There is no store process: the folder in shared memory and the messages between nodes do.

use super::extent::Extent;
use super::file::BlockFile;
use super::reader::unreadable;
use super::writer::schema_to_bytes;
use super::{BlockReader, BlockStore, Found, Stored};
use arrow::ipc::convert::try_schema_from_flatbuffer_bytes;
use bench_model::{Attempt, BlockId, BlockRef, TaskFailure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// Where another process of the host finds a block's bytes. It travels in a message; the bytes do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    path: PathBuf,
    len: u64,
    /// As an Arrow IPC message, and the checksum of its bytes: Arrow panics on some damaged ones.
    schema: (Vec<u8>, u64),
    extents: Vec<Extent>,
}

impl BlockStore {
    /// Where a block's file is. None if the block is not here or has no file: a small block, or one on the heap.
    #[must_use]
    pub fn locate(&self, block: BlockId, attempt: Attempt) -> Option<Located> {
        let stored = self.lock().get(block, attempt).cloned()?;
        match stored.as_ref() {
            Stored::Heap { .. } => None,
            Stored::Encoded { schema, extents, file } => {
                let schema = schema_to_bytes(schema);
                let hash = XxHash3_64::oneshot(&schema);
                let (path, extents) = (file.path().to_owned(), extents.clone());
                Some(Located { path, len: file.len(), schema: (schema, hash), extents })
            }
        }
    }

    /// Maps a block that another process of this host has sealed, as this node's copy. Its rows are verified when they
    /// are read. The owner may drop the block afterwards; the copy is still readable.
    ///
    /// The file must come from a process of the same build that has proven to belong to this cluster: what passes its
    /// checksums is not validated any further.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if its owner has dropped it meanwhile, [`TaskFailure::CorruptBlock`] if the file or
    /// its description is damaged.
    pub fn adopt(&self, block: &BlockRef, located: Located) -> Result<(), TaskFailure> {
        let copy = located.map(block.id)?;
        // A second copy of what is here already is let go outside the lock.
        drop(self.change(|index| index.insert(block.id, block.attempt, copy)));
        Ok(())
    }
}

impl Located {
    /// Maps the block for one reader, who keeps it readable. Of the file holds what [`BlockStore::adopt`] says.
    ///
    /// # Errors
    /// Those of [`BlockStore::adopt`].
    pub(crate) fn open(self, block: BlockId) -> Result<BlockReader, TaskFailure> {
        Found::new(block, Arc::new(self.map(block)?)).open()
    }

    fn map(self, block: BlockId) -> Result<Stored, TaskFailure> {
        let (schema, hash) = &self.schema;
        let schema = (XxHash3_64::oneshot(schema) == *hash).then(|| try_schema_from_flatbuffer_bytes(schema).ok());
        let schema = Arc::new(schema.flatten().ok_or(TaskFailure::CorruptBlock(block))?);
        let file = BlockFile::adopt(self.path, self.len).map_err(|e| unreadable(block, &e))?;
        Ok(Stored::Encoded { schema, extents: self.extents, file: Arc::new(file) })
    }
}
