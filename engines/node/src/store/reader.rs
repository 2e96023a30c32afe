//! Reading one block.

use super::Stored;
use super::extent::{MessageDecoder, matches};
use super::file::Unreadable;
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use bench_model::{BlockId, TaskFailure};
use std::sync::Arc;

/// A block that was found. It stays readable whatever becomes of the block in its store.
pub struct Found {
    block: BlockId,
    stored: Arc<Stored>,
}

impl Found {
    pub(super) fn new(block: BlockId, stored: Arc<Stored>) -> Self {
        Self { block, stored }
    }

    pub(super) fn into_parts(self) -> (BlockId, Arc<Stored>) {
        (self.block, self.stored)
    }

    /// Whether its rows have to be decoded from a file.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        matches!(self.stored.as_ref(), Stored::Encoded { .. })
    }

    /// Opens it for reading; a file is mapped if no reader has done so before.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if its file is gone, [`TaskFailure::CorruptBlock`] if it has another size.
    pub fn open(self) -> Result<BlockReader, TaskFailure> {
        let encoded = match self.stored.as_ref() {
            Stored::Encoded { schema, file, .. } => {
                let bytes = file.bytes().map_err(|e| unreadable(self.block, &e))?;
                Some((bytes, MessageDecoder::new(Arc::clone(schema))))
            }
            Stored::Heap { .. } => None,
        };
        Ok(BlockReader { block: self.block, stored: self.stored, taken: 0, encoded })
    }
}

/// Yields the batches of one block.
pub struct BlockReader {
    block: BlockId,
    stored: Arc<Stored>,
    /// How many batches (heap) or extents (file) were taken so far.
    taken: usize,
    /// The file and the decoder of this block, if it is in a file.
    encoded: Option<(Buffer, MessageDecoder)>,
}

impl BlockReader {
    /// Whether its rows are decoded from a file.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        self.encoded.is_some()
    }

    /// Its columns; none if it is in memory.
    pub(crate) fn schema(&self) -> Option<&SchemaRef> {
        match self.stored.as_ref() {
            Stored::Encoded { schema, .. } => Some(schema),
            Stored::Heap { .. } => None,
        }
    }

    /// The next batch, verified and decoded.
    ///
    /// # Errors
    /// [`TaskFailure::CorruptBlock`] if the bytes are not the ones that were written.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TaskFailure> {
        let corrupt = |reason: &dyn std::fmt::Display| {
            tracing::warn!(block = %self.block, %reason, "a block cannot be used");
            TaskFailure::CorruptBlock(self.block)
        };
        let (extents, bytes, decoder) = match (self.stored.as_ref(), &mut self.encoded) {
            (Stored::Heap { batches, .. }, _) => {
                let batch = batches.get(self.taken).cloned();
                self.taken += 1;
                return Ok(batch);
            }
            (Stored::Encoded { extents, .. }, Some((bytes, decoder))) => (extents, bytes, decoder),
            (Stored::Encoded { .. }, None) => return Ok(None),
        };
        loop {
            if let Some(batch) = decoder.next_batch().map_err(|e| corrupt(&e))? {
                return Ok(Some(batch));
            }
            let Some(extent) = extents.get(self.taken) else { return Ok(None) };
            self.taken += 1;
            let slice = extent.of(bytes).ok_or_else(|| corrupt(&"its extent lies outside its file"))?;
            if !matches(extent, &slice) {
                return Err(corrupt(&"its bytes do not match their checksum"));
            }
            decoder.feed(slice);
        }
    }
}

/// Every row of some blocks, in order.
///
/// # Errors
/// Those of [`Found::open`] and [`BlockReader::next_batch`].
pub fn read_all(blocks: Vec<Found>) -> Result<Vec<RecordBatch>, TaskFailure> {
    let mut batches = Vec::new();
    for block in blocks {
        let mut reader = block.open()?;
        while let Some(batch) = reader.next_batch()? {
            batches.push(batch);
        }
    }
    Ok(batches)
}

pub(super) fn unreadable(block: BlockId, error: &Unreadable) -> TaskFailure {
    match error {
        Unreadable::Missing(reason) => {
            tracing::warn!(%block, %reason, "a block's file is gone");
            TaskFailure::MissingBlock(block)
        }
        Unreadable::Resized => {
            tracing::warn!(%block, "a block's file changed its size");
            TaskFailure::CorruptBlock(block)
        }
    }
}
