//! Writing the outputs of one attempt.

use super::extent::Extent;
use super::file::{BlockFile, Unfinished};
use super::ledger::{Charge, Medium};
use super::writer::{BlockWriter, Encoder, decoding_schema, encoding};
use super::{BlockStore, Stored, compact, write_failure};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use bench_model::{Attempt, BlockId, BlockMeta, Bytes, Exchange, Rows, Storage, TaskFailure, TaskId, checksum_of};
use std::sync::Arc;

/// Where an attempt's outputs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Into a shuffle file, or inline if all of them together are tiny.
    OnDisk,
    /// In memory, by reference.
    OnHeap,
    /// Each into a sealed file in shared memory, unless it is tiny.
    Sealed,
    /// In memory, as it comes and without a checksum: a part of the answer, which the oracle digests as a whole.
    Answer,
}

impl Keep {
    /// What an assignment asks for.
    #[must_use]
    pub fn of(exchange: Exchange, storage: Storage) -> Self {
        match (exchange, storage) {
            (Exchange::Collect, _) => Self::Answer,
            (_, Storage::Disk) => Self::OnDisk,
            (_, Storage::Heap) => Self::OnHeap,
            (_, Storage::Shared) => Self::Sealed,
        }
    }
}

/// Rows buffered before a run is written, unless the task's memory share asks for less.
const BUFFER_MAX: u64 = 16 << 20;
/// A smaller buffer would write runs of a few rows per output.
const BUFFER_MIN: u64 = 256 << 10;
/// Outputs that take no more than this need no file: an attempt's together on disk, each by itself in shared memory.
pub(super) const INLINE_MAX: u64 = 16 << 10;

/// One output while it is written.
#[derive(Default)]
struct Writing<'s> {
    schema: Option<SchemaRef>,
    pending: Vec<RecordBatch>,
    encoder: Option<Encoder>,
    extents: Vec<Extent>,
    /// Its own file, if it is to be sealed and could not wait for its end.
    sealing: Option<BlockWriter<'s>>,
    meta: BlockMeta,
}

/// The outputs of one attempt while it runs. Dropped without [`AttemptOutput::commit`], it leaves nothing.
pub struct AttemptOutput<'s> {
    store: &'s BlockStore,
    task: TaskId,
    attempt: Attempt,
    keep: Keep,
    outputs: u32,
    buffer: u64,
    buffered: u64,
    /// One per output, made by the first row: most zero-work tasks never write one.
    writing: Vec<Writing<'s>>,
    file: Option<Unfinished>,
}

impl<'s> AttemptOutput<'s> {
    /// No rows yet. `share` is the task's memory; a quarter of it may be buffered here on the way to disk.
    #[must_use]
    pub fn new(
        store: &'s BlockStore,
        (task, attempt): (TaskId, Attempt),
        outputs: u32,
        keep: Keep,
        share: Bytes,
    ) -> Self {
        let buffer = (share.get() / 4).clamp(BUFFER_MIN, BUFFER_MAX);
        let keep = if keep == Keep::Sealed && store.shared.is_none() { Keep::OnHeap } else { keep };
        Self { store, task, attempt, keep, outputs, buffer, buffered: 0, writing: Vec::new(), file: None }
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writing.is_empty()
    }

    /// Appends rows to an output.
    ///
    /// # Errors
    /// An output that does not exist, rows of another schema than before, or a disk that takes no more.
    pub fn write(&mut self, output: u32, batch: &RecordBatch) -> Result<(), TaskFailure> {
        if self.writing.is_empty() && output < self.outputs {
            self.writing.resize_with(self.outputs as usize, Writing::default);
        }
        let Some(writing) = self.writing.get_mut(output as usize) else {
            return Err(TaskFailure::Fatal(format!("a kernel wrote output {output} of {}", self.outputs)));
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = conform(&mut writing.schema, batch)?;
        if self.keep == Keep::Answer {
            // Handed to the caller as it is: copying or hashing it here would be timed, and the oracle digests the answer.
            writing.meta.rows += Rows::new(batch.num_rows() as u64);
            writing.meta.bytes += Bytes::new(compact::size_of(&batch));
            writing.pending.push(batch);
            return Ok(());
        }
        let batch = compact::compact(batch).map_err(encoding)?;
        self.buffered += compact::size_of(&batch);
        writing.pending.push(batch);
        if self.keep == Keep::OnDisk && self.buffered >= self.buffer {
            self.write_run()?;
        }
        Ok(())
    }

    /// What rows take that wait for their place in a file. Rows whose place is in memory do not count.
    #[must_use]
    pub fn waiting(&self) -> Bytes {
        match self.keep {
            Keep::OnDisk | Keep::Sealed => Bytes::new(self.buffered),
            Keep::OnHeap | Keep::Answer => Bytes::ZERO,
        }
    }

    /// Writes the rows that wait for their place in a file.
    ///
    /// # Errors
    /// Those of [`AttemptOutput::write`].
    pub fn flush(&mut self) -> Result<(), TaskFailure> {
        match self.keep {
            _ if self.buffered == 0 => Ok(()),
            Keep::OnDisk => self.write_run(),
            Keep::Sealed => self.write_sealed(),
            Keep::OnHeap | Keep::Answer => Ok(()),
        }
    }

    /// Finishes the outputs and makes them visible to readers.
    ///
    /// # Errors
    /// Those of [`AttemptOutput::write`].
    pub fn commit(mut self) -> Result<Vec<BlockMeta>, TaskFailure> {
        if self.writing.is_empty() {
            return Ok(vec![BlockMeta::default(); self.outputs as usize]);
        }
        if self.keep == Keep::OnDisk && (self.file.is_some() || self.buffered > INLINE_MAX) {
            self.write_run()?;
        }
        let file = self.file.take().map(|f| Arc::new(f.seal(&self.store.ledger)));
        let mut metas = Vec::with_capacity(self.writing.len());
        let mut stored = Vec::with_capacity(self.writing.len());
        for (output, writing) in (0..).zip(std::mem::take(&mut self.writing)) {
            let Some(schema) = writing.schema.clone() else {
                metas.push(BlockMeta::default());
                continue;
            };
            let which = (BlockId { task: self.task, output }, self.attempt);
            let (meta, rows) = match (self.keep, &file) {
                (Keep::Answer, _) => (writing.meta, heap(self.store, schema, writing.pending, writing.meta.bytes)),
                (_, Some(file)) => writing.in_file(schema, file),
                (Keep::Sealed, None) => writing.sealed(self.store, which, schema)?,
                (Keep::OnDisk | Keep::OnHeap, None) => writing.on_heap(self.store, schema)?,
            };
            metas.push(meta);
            stored.push((output, rows));
        }
        if !stored.is_empty() {
            self.store.commit(self.task, self.attempt, stored);
        }
        Ok(metas)
    }

    /// Writes everything pending, output by output, to the attempt's file.
    fn write_run(&mut self) -> Result<(), TaskFailure> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let path = self.store.path_of_attempt(self.task, self.attempt);
                Unfinished::create(path.clone(), Medium::Disk, self.store.create)
                    .map_err(|e| write_failure(&path, &e))?
            }
        };
        for writing in &mut self.writing {
            if let Some(pieces) = writing.encode(self.store)? {
                let extent = file.append(&pieces).map_err(|e| write_failure(file.path(), &e))?;
                writing.meta.bytes += Bytes::new(extent.len);
                writing.extents.push(extent);
            }
        }
        self.buffered = 0;
        self.file = Some(file);
        Ok(())
    }

    /// Writes everything pending, each output to its own file.
    fn write_sealed(&mut self) -> Result<(), TaskFailure> {
        for (output, writing) in (0..).zip(&mut self.writing) {
            if let Some(schema) = writing.schema.clone().filter(|_| !writing.pending.is_empty()) {
                writing.seal(self.store, (BlockId { task: self.task, output }, self.attempt), &schema)?;
            }
        }
        self.buffered = 0;
        Ok(())
    }
}

impl<'s> Writing<'s> {
    /// Takes the pending rows, counts them in, and encodes them as IPC messages.
    fn encode(&mut self, store: &BlockStore) -> Result<Option<Vec<Buffer>>, TaskFailure> {
        let Some(schema) = self.schema.as_ref().filter(|_| !self.pending.is_empty()) else { return Ok(None) };
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new(schema, store.compression)?),
        };
        let mut pieces = Vec::new();
        for batch in compact::join_small(schema, std::mem::take(&mut self.pending)).map_err(encoding)? {
            count(&mut self.meta, &batch);
            pieces.append(&mut encoder.encode(&batch)?);
        }
        Ok(Some(pieces))
    }

    fn in_file(self, schema: SchemaRef, file: &Arc<BlockFile>) -> (BlockMeta, Stored) {
        let schema = decoding_schema(schema);
        (self.meta, Stored::Encoded { schema, extents: self.extents, file: Arc::clone(file) })
    }

    fn on_heap(mut self, store: &BlockStore, schema: SchemaRef) -> Result<(BlockMeta, Stored), TaskFailure> {
        let batches = compact::join_small(&schema, self.pending).map_err(encoding)?;
        for batch in &batches {
            count(&mut self.meta, batch);
            self.meta.bytes += Bytes::new(compact::size_of(batch));
        }
        Ok((self.meta, heap(store, schema, batches, self.meta.bytes)))
    }

    /// Takes the pending rows, counts them in, and appends them to the block's own file.
    fn seal(
        &mut self,
        store: &'s BlockStore,
        which: (BlockId, Attempt),
        schema: &SchemaRef,
    ) -> Result<(), TaskFailure> {
        let writer = match &mut self.sealing {
            Some(writer) => writer,
            none => none.insert(BlockWriter::create(store, which, Medium::Shared, schema)?),
        };
        // Each batch is let go of as soon as it is sealed.
        for batch in compact::join_small(schema, std::mem::take(&mut self.pending)).map_err(encoding)? {
            count(&mut self.meta, &batch);
            writer.push(&batch)?;
        }
        Ok(())
    }

    fn sealed(
        mut self,
        store: &'s BlockStore,
        which: (BlockId, Attempt),
        schema: SchemaRef,
    ) -> Result<(BlockMeta, Stored), TaskFailure> {
        if self.sealing.is_none() && self.pending.iter().map(compact::size_of).sum::<u64>() <= INLINE_MAX {
            return self.on_heap(store, schema);
        }
        self.seal(store, which, &schema)?;
        match self.sealing {
            Some(writer) => {
                self.meta.bytes = writer.len();
                Ok((self.meta, writer.finish()))
            }
            None => Err(TaskFailure::Fatal("a sealed block has no file".to_owned())),
        }
    }
}

/// A block in memory.
pub(super) fn heap(store: &BlockStore, schema: SchemaRef, batches: Vec<RecordBatch>, bytes: Bytes) -> Stored {
    Stored::Heap { schema, batches, _charge: Charge::new(&store.ledger, Medium::Heap, bytes.get()) }
}

/// Adds a batch's rows and their checksum to a block.
pub(super) fn count(meta: &mut BlockMeta, batch: &RecordBatch) {
    meta.rows += Rows::new(batch.num_rows() as u64);
    meta.checksum = meta.checksum.merge(checksum_of(batch));
}

/// The batch under the schema its output began with; the two may differ in metadata and nullability only.
fn conform(schema: &mut Option<SchemaRef>, batch: &RecordBatch) -> Result<RecordBatch, TaskFailure> {
    let schema = schema.get_or_insert_with(|| batch.schema());
    if Arc::ptr_eq(schema, batch.schema_ref()) || schema == batch.schema_ref() {
        return Ok(batch.clone());
    }
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
        .map_err(|e| TaskFailure::Fatal(format!("a kernel wrote batches of different schemas to one output: {e}")))
}
