//! Copies of blocks that other nodes hold.

use super::ledger::Medium;
use super::output::{INLINE_MAX, count, heap};
use super::writer::BlockWriter;
use super::{BlockStore, Stored, compact};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bench_model::{BlockMeta, BlockRef, Bytes, Checksum, Storage, TaskFailure};

impl BlockStore {
    /// Keeps a copy of another node's block, once all of its rows are here and are the right ones. A block that is here
    /// already stays as it is.
    ///
    /// # Errors
    /// What the rows say, [`TaskFailure::CorruptBlock`] if they are not the block's, [`TaskFailure::Transient`] if the
    /// disk takes no more.
    pub fn keep_copy(
        &self,
        block: &BlockRef,
        storage: Storage,
        schema: &SchemaRef,
        rows: impl Iterator<Item = Result<RecordBatch, TaskFailure>>,
    ) -> Result<(), TaskFailure> {
        let medium = match storage {
            _ if block.meta.bytes.get() <= INLINE_MAX => Medium::Heap,
            Storage::Disk => Medium::Disk,
            Storage::Shared if self.shared.is_some() => Medium::Shared,
            Storage::Shared | Storage::Heap => Medium::Heap,
        };
        let mut seen = BlockMeta::default();
        let rows = rows.inspect(|batch| {
            if let Ok(batch) = batch {
                count(&mut seen, batch);
            }
        });
        let copy = match medium {
            Medium::Heap => self.copy_on_heap(block, schema, rows)?,
            _ => self.copy_in_file(block, medium, schema, rows)?,
        };
        // A part of an answer carries no checksum.
        let same_rows = block.meta.checksum == Checksum::default() || block.meta.checksum == seen.checksum;
        if seen.rows != block.meta.rows || !same_rows {
            return Err(TaskFailure::CorruptBlock(block.id));
        }
        // A second copy of what is here already is let go outside the lock.
        drop(self.change(|index| index.insert(block.id, block.attempt, copy)));
        Ok(())
    }

    fn copy_on_heap(
        &self,
        block: &BlockRef,
        schema: &SchemaRef,
        rows: impl Iterator<Item = Result<RecordBatch, TaskFailure>>,
    ) -> Result<Stored, TaskFailure> {
        let batches: Vec<RecordBatch> = rows.collect::<Result<_, _>>()?;
        let bytes = Bytes::new(batches.iter().map(compact::size_of).sum());
        Ok(heap(self, schema.clone(), batches, &BlockMeta { bytes, ..block.meta }))
    }

    fn copy_in_file(
        &self,
        block: &BlockRef,
        medium: Medium,
        schema: &SchemaRef,
        mut rows: impl Iterator<Item = Result<RecordBatch, TaskFailure>>,
    ) -> Result<Stored, TaskFailure> {
        let mut writer = BlockWriter::create(self, (block.id, block.attempt), medium, schema)?;
        rows.try_for_each(|batch| writer.push(&batch?))?;
        Ok(writer.finish())
    }
}
