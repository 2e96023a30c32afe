//! Writing the outputs of one attempt.

use super::extent::Extent;
use super::file::{ShuffleFile, Unfinished};
use super::{BlockStore, Stored, compact};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};
use bench_model::{Attempt, BlockMeta, Bytes, Rows, TaskFailure, TaskId, checksum_of};
use std::path::PathBuf;
use std::sync::Arc;

/// Where an attempt's outputs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Into a shuffle file, or inline if all of them together are tiny.
    OnDisk,
    /// In memory, as it comes and without a checksum: a part of the answer, which the oracle digests as a whole.
    InMemory,
}

/// Rows buffered before a run is written, unless the task's memory share asks for less.
const BUFFER_MAX: u64 = 16 << 20;
/// A smaller buffer would write runs of a few rows per output.
const BUFFER_MIN: u64 = 256 << 10;
/// An attempt whose outputs take no more than this together needs no file.
const INLINE_MAX: u64 = 16 << 10;

/// One output while it is written.
#[derive(Default)]
struct Writing {
    schema: Option<SchemaRef>,
    pending: Vec<RecordBatch>,
    encoder: Option<StreamEncoder>,
    extents: Vec<Extent>,
    meta: BlockMeta,
}

/// The outputs of one attempt while it runs. Dropped without [`AttemptOutput::commit`], it leaves nothing.
pub(crate) struct AttemptOutput<'s> {
    store: &'s BlockStore,
    task: TaskId,
    attempt: Attempt,
    keep: Keep,
    outputs: u32,
    buffer: u64,
    buffered: u64,
    /// One per output, made by the first row: most zero-work tasks never write one.
    writing: Vec<Writing>,
    file: Option<Unfinished>,
}

impl<'s> AttemptOutput<'s> {
    /// No rows yet. `share` is the task's memory; a quarter of it may be buffered here.
    pub(crate) fn new(
        store: &'s BlockStore,
        (task, attempt): (TaskId, Attempt),
        outputs: u32,
        keep: Keep,
        share: Bytes,
    ) -> Self {
        let buffer = (share.get() / 4).clamp(BUFFER_MIN, BUFFER_MAX);
        Self { store, task, attempt, keep, outputs, buffer, buffered: 0, writing: Vec::new(), file: None }
    }

    /// Whether nothing was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.writing.is_empty()
    }

    /// Appends rows to an output.
    ///
    /// # Errors
    /// An output that does not exist, rows of another schema than before, or a disk that takes no more.
    pub(crate) fn write(&mut self, output: u32, batch: &RecordBatch) -> Result<(), TaskFailure> {
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
        if self.keep == Keep::InMemory {
            // Handed to the caller as it is: copying or hashing it here would be timed, and the oracle digests the answer.
            writing.meta.rows += Rows::new(batch.num_rows() as u64);
            writing.meta.bytes += Bytes::new(compact::size_of(&batch));
            writing.pending.push(batch);
            return Ok(());
        }
        let batch = compact::compact(&batch).map_err(encoding)?;
        self.buffered += compact::size_of(&batch);
        writing.pending.push(batch);
        if self.buffered >= self.buffer {
            self.write_run()?;
        }
        Ok(())
    }

    /// Finishes the outputs and makes them visible to readers.
    ///
    /// # Errors
    /// Those of [`AttemptOutput::write`].
    pub(crate) fn commit(mut self) -> Result<Vec<BlockMeta>, TaskFailure> {
        if self.writing.is_empty() {
            return Ok(vec![BlockMeta::default(); self.outputs as usize]);
        }
        let inline = self.file.is_none() && (self.keep == Keep::InMemory || self.buffered <= INLINE_MAX);
        if !inline {
            self.write_run()?;
        }
        let file = self.file.take().map(|f| Arc::new(f.shuffle));
        let mut metas = Vec::with_capacity(self.writing.len());
        let mut stored = Vec::with_capacity(self.writing.len());
        for writing in std::mem::take(&mut self.writing) {
            let (meta, output) = match self.keep {
                Keep::InMemory => (writing.meta, Stored::Inline(writing.pending)),
                Keep::OnDisk => writing.finish(file.as_ref())?,
            };
            metas.push(meta);
            stored.push(output);
        }
        if stored.iter().any(|s| !matches!(s, Stored::Empty)) {
            self.store.commit(self.task, self.attempt, stored);
        }
        Ok(metas)
    }

    /// Writes everything pending, output by output, to the attempt's file.
    fn write_run(&mut self) -> Result<(), TaskFailure> {
        let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)
            .and_then(|o| o.try_with_compression(self.store.compression))
            .map_err(encoding)?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => Unfinished::create(self.path(), self.store.create)?,
        };
        for writing in &mut self.writing {
            if let Some(pieces) = writing.encode(&options)? {
                let extent = file.append(&pieces)?;
                writing.meta.bytes += Bytes::new(extent.len);
                writing.extents.push(extent);
            }
        }
        self.buffered = 0;
        self.file = Some(file);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        let TaskId { job, fragment, partition } = self.task;
        self.store.folder.join(format!("{job}-{fragment}-p{partition}-{}.arrow", self.attempt))
    }
}

impl Writing {
    /// Takes the pending rows, counts them in, and encodes them as IPC messages.
    fn encode(&mut self, options: &IpcWriteOptions) -> Result<Option<Vec<Buffer>>, TaskFailure> {
        let Some(schema) = self.schema.as_ref().filter(|_| !self.pending.is_empty()) else { return Ok(None) };
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(StreamEncoder::try_new_with_options(schema, options.clone()).map_err(encoding)?),
        };
        let mut pieces = Vec::new();
        for batch in compact::join_small(schema, std::mem::take(&mut self.pending)).map_err(encoding)? {
            count(&mut self.meta, &batch);
            pieces.append(&mut encoder.encode(&batch).map_err(encoding)?);
        }
        Ok(Some(pieces))
    }

    /// What a reader needs: extents if there is a file, else the pending rows themselves.
    fn finish(mut self, file: Option<&Arc<ShuffleFile>>) -> Result<(BlockMeta, Stored), TaskFailure> {
        let Some(schema) = self.schema else { return Ok((BlockMeta::default(), Stored::Empty)) };
        match file {
            Some(file) => Ok((self.meta, Stored::Extents { schema, extents: self.extents, file: Arc::clone(file) })),
            None => {
                let batches = compact::join_small(&schema, self.pending).map_err(encoding)?;
                for batch in &batches {
                    count(&mut self.meta, batch);
                    self.meta.bytes += Bytes::new(compact::size_of(batch));
                }
                Ok((self.meta, Stored::Inline(batches)))
            }
        }
    }
}

/// Adds a batch's rows and their checksum to a block.
fn count(meta: &mut BlockMeta, batch: &RecordBatch) {
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

fn encoding(error: ArrowError) -> TaskFailure {
    TaskFailure::Fatal(format!("rows cannot be encoded as Arrow IPC: {error}"))
}
