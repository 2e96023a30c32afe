//! Moving a block from memory to disk.

use super::compact::compact;
use super::extent::matches;
use super::ledger::Medium;
use super::reader::unreadable;
use super::writer::{BlockWriter, encoding};
use super::{BlockStore, Stored};
use bench_model::{Attempt, BlockId, TaskFailure};
use std::sync::Arc;

impl BlockStore {
    /// Moves a block to disk. Readers that have it open read on where they are; a block that is on disk already stays.
    /// If it fails, the block is where it was, and no part of a file is left.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if it is not here, [`TaskFailure::CorruptBlock`] if it does not match its
    /// checksums, [`TaskFailure::Transient`] if the disk takes no more.
    pub fn spill(&self, block: BlockId, attempt: Attempt) -> Result<(), TaskFailure> {
        loop {
            let here = self.lock().get(block, attempt).cloned();
            let before = here.ok_or(TaskFailure::MissingBlock(block))?;
            if before.medium() == Medium::Disk {
                return Ok(());
            }
            self.distrust(block, &before)?;
            let after = self.written_to_disk(&before, (block, attempt))?;
            // Whatever has no place any more takes its memory or its file with it, here and not under the lock.
            let moved = self.change(|index| index.replace((block, attempt), &before, after));
            if moved.is_ok() {
                return Ok(());
            }
            // Another slot has moved, dropped or remade the block meanwhile: see which.
        }
    }

    fn written_to_disk(&self, block: &Arc<Stored>, which: (BlockId, Attempt)) -> Result<Stored, TaskFailure> {
        match block.as_ref() {
            Stored::Heap { schema, batches, .. } => {
                let mut writer = BlockWriter::create(self, which, Medium::Disk, schema)?;
                // A part of an answer is as it came: with strings of the whole input, perhaps.
                batches.iter().try_for_each(|b| writer.push(&compact(b.clone()).map_err(encoding)?))?;
                Ok(writer.finish())
            }
            // The bytes are what a file on disk would hold, so they are copied as they are.
            Stored::Encoded { schema, extents, file } => {
                let bytes = file.bytes().map_err(|e| unreadable(which.0, &e))?;
                let mut writer = BlockWriter::create(self, which, Medium::Disk, schema)?;
                for extent in extents {
                    let slice = extent.of(&bytes).filter(|s| matches(extent, s));
                    writer.append(&[slice.ok_or(TaskFailure::CorruptBlock(which.0))?])?;
                }
                Ok(writer.finish())
            }
        }
    }
}
