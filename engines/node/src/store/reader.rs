//! Reading one block.

use super::extent::{MessageDecoder, matches};
use super::file::Unreadable;
use super::{Outputs, Stored};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use bench_model::{BlockId, BlockRef, TaskFailure};

/// Yields the batches of one block.
pub(crate) struct BlockReader {
    block: BlockId,
    outputs: Outputs,
    /// How many batches (inline) or extents (file) were taken so far.
    taken: usize,
    /// The attempt's file and the decoder of this output, if it is in a file.
    encoded: Option<(Buffer, MessageDecoder)>,
}

impl BlockReader {
    pub(super) fn open(outputs: Outputs, block: &BlockRef) -> Result<Self, TaskFailure> {
        let encoded = match outputs.get(block.id.output as usize) {
            None => return Err(TaskFailure::MissingBlock(block.id)),
            Some(Stored::Extents { schema, file, .. }) => {
                let bytes = file.bytes().map_err(|e| unreadable(block.id, &e))?;
                Some((bytes, MessageDecoder::new(schema.clone())))
            }
            Some(_) => None,
        };
        Ok(Self { block: block.id, outputs, taken: 0, encoded })
    }

    /// The next batch, verified and decoded.
    ///
    /// # Errors
    /// [`TaskFailure::CorruptBlock`] if the bytes are not the ones that were written.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, TaskFailure> {
        match self.outputs.get(self.block.output as usize) {
            Some(Stored::Inline(batches)) => {
                let batch = batches.get(self.taken).cloned();
                self.taken += 1;
                Ok(batch)
            }
            Some(Stored::Extents { .. }) => self.next_decoded(),
            Some(Stored::Empty) | None => Ok(None),
        }
    }

    fn next_decoded(&mut self) -> Result<Option<RecordBatch>, TaskFailure> {
        let corrupt = |reason: &dyn std::fmt::Display| {
            tracing::warn!(block = %self.block, %reason, "a shuffle block cannot be used");
            TaskFailure::CorruptBlock(self.block)
        };
        let Some((bytes, decoder)) = &mut self.encoded else { return Ok(None) };
        loop {
            if let Some(batch) = decoder.next_batch().map_err(|e| corrupt(&e))? {
                return Ok(Some(batch));
            }
            let extents = match self.outputs.get(self.block.output as usize) {
                Some(Stored::Extents { extents, .. }) => extents,
                _ => return Ok(None),
            };
            let Some(extent) = extents.get(self.taken) else { return Ok(None) };
            self.taken += 1;
            let (offset, len) = (extent.offset as usize, extent.len as usize);
            let Some(end) = offset.checked_add(len).filter(|end| *end <= bytes.len()) else {
                return Err(corrupt(&"its extent lies outside its file"));
            };
            let slice = bytes.slice_with_length(offset, end - offset);
            if !matches(extent, &slice) {
                return Err(corrupt(&"its bytes do not match their checksum"));
            }
            decoder.feed(slice);
        }
    }
}

fn unreadable(block: BlockId, error: &Unreadable) -> TaskFailure {
    match error {
        Unreadable::Missing(reason) => {
            tracing::warn!(%block, %reason, "a shuffle file is gone");
            TaskFailure::MissingBlock(block)
        }
        Unreadable::Resized => {
            tracing::warn!(%block, "a shuffle file changed its size");
            TaskFailure::CorruptBlock(block)
        }
    }
}
