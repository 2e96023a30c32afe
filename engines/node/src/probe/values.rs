//! Values in the block store, where the style keeps the blocks between its tasks, and rows as bytes.

use super::unsupported;
use crate::session::{LiveSession, next_job};
use crate::store::{AttemptOutput, Keep, read_all};
use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt8Array};
use arrow::buffer::Buffer;
use arrow::datatypes::UInt8Type;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use bench_model::{
    Attempt, BlockId, BlockRef, EngineError, Exchange, FragmentId, JobId, Nanos, Storage, Style, TaskFailure, TaskId,
};
use std::hint::black_box;
use std::sync::Arc;

const ATTEMPT: Attempt = Attempt(0);

/// Blocks of a probe, which are gone when it is over.
struct Values<'s, S: Style> {
    session: &'s LiveSession<S>,
    job: JobId,
    batch: RecordBatch,
}

impl<S: Style> Drop for Values<'_, S> {
    fn drop(&mut self) {
        self.session.host().store.end(self.job);
    }
}

impl<S: Style> Values<'_, S> {
    fn put(&self, number: u32) -> Result<BlockRef, TaskFailure> {
        let host = self.session.host();
        let task = TaskId { job: self.job, fragment: FragmentId(0), partition: number };
        let keep = Keep::of(Exchange::Forward, self.session.running.storage);
        let mut output = AttemptOutput::new(&host.store, (task, ATTEMPT), 1, keep, host.memory_share);
        output.write(0, &self.batch)?;
        let metas = output.commit()?;
        let meta = metas.first().copied().unwrap_or_default();
        Ok(BlockRef { id: BlockId { task, output: 0 }, attempt: ATTEMPT, node: host.node, meta })
    }

    /// Reads a block and looks at every byte of it, or nothing might be moved at all.
    fn get(&self, block: &BlockRef) -> Result<(), TaskFailure> {
        let batches = read_all(vec![self.session.host().store.find(block)?])?;
        let columns = batches.iter().flat_map(RecordBatch::columns);
        let bytes = columns.filter_map(|c| c.as_primitive_opt::<UInt8Type>()).flat_map(|c| c.values());
        black_box(bytes.map(|byte| u64::from(*byte)).sum::<u64>());
        Ok(())
    }

    fn drop_value(&self, block: &BlockRef) {
        let store = &self.session.host().store;
        store.release(block.id, block.attempt);
        store.sweep();
    }
}

impl<S: Style> LiveSession<S> {
    pub(super) fn puts(&self, bytes: u64, count: u32) -> Result<Vec<Nanos>, EngineError> {
        let values = self.values(bytes)?;
        let one = |number| {
            let (took, block) = self.timed_here(|| values.put(number))?;
            values.drop_value(&block);
            Ok(took)
        };
        (0..count).map(one).collect()
    }

    pub(super) fn gets(&self, bytes: u64, count: u32) -> Result<Vec<Nanos>, EngineError> {
        let values = self.values(bytes)?;
        let one = |number| {
            let block = values.put(number).map_err(failed)?;
            let (took, ()) = self.timed_here(|| values.get(&block))?;
            values.drop_value(&block);
            Ok(took)
        };
        (0..count).map(one).collect()
    }

    /// What the store holds beyond the memory of the session goes to disk, the oldest first.
    pub(super) fn spilled(&self, bytes: u64, count: u32) -> Result<Vec<Nanos>, EngineError> {
        if self.running.storage == Storage::Disk {
            return Err(unsupported("its blocks are files from the start: there is nothing to spill"));
        }
        let limit = self.running.env.memory.ok_or_else(|| unsupported("it was started without a limit of memory"))?;
        let values = self.values(bytes)?;
        let store = &self.host().store;
        let (written, blocks) = self.timed_here(|| {
            let mut blocks = Vec::new();
            for number in 0..count {
                blocks.push(values.put(number)?);
                for block in &blocks {
                    if store.heap_bytes() + store.shared_bytes() <= limit {
                        break;
                    }
                    store.spill(block.id, block.attempt)?;
                }
            }
            Ok(blocks)
        })?;
        if store.disk_bytes().get() == 0 {
            return Err(EngineError::Failed(format!("{count} values of {bytes} bytes fit into {limit}")));
        }
        let (read, ()) = self.timed_here(|| blocks.iter().try_for_each(|block| values.get(block)))?;
        Ok(vec![written, read])
    }

    /// What blocks are on their way between processes: Arrow IPC.
    pub(super) fn serialized(&self, bytes: u64, count: u32) -> Result<Vec<Nanos>, EngineError> {
        let batch = random(bytes)?;
        let one = |_| Ok(self.timed_here(|| there_and_back(&batch).map_err(broken))?.0);
        (0..count).map(one).collect()
    }

    fn values(&self, bytes: u64) -> Result<Values<'_, S>, EngineError> {
        if self.has_nodes() {
            return Err(unsupported("values are what tasks on its nodes leave there: the driver gives them none"));
        }
        Ok(Values { session: self, job: next_job(), batch: random(bytes)? })
    }

    fn timed_here<T>(&self, work: impl FnOnce() -> Result<T, TaskFailure>) -> Result<(Nanos, T), EngineError> {
        let clock = &self.host().clock;
        let begun = clock.now();
        let done = work().map_err(failed)?;
        Ok((clock.now().saturating_sub(begun), done))
    }
}

fn failed(failure: TaskFailure) -> EngineError {
    EngineError::Failed(failure.to_string())
}

fn broken(error: ArrowError) -> TaskFailure {
    TaskFailure::Fatal(error.to_string())
}

fn there_and_back(batch: &RecordBatch) -> Result<(), ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(batch)?;
    let mut bytes = Buffer::from_vec(writer.into_inner()?);
    let mut decoder = StreamDecoder::new();
    let mut rows = 0;
    while let Some(back) = decoder.decode(&mut bytes)? {
        rows += back.num_rows();
    }
    decoder.finish()?;
    if rows == batch.num_rows() {
        return Ok(());
    }
    Err(ArrowError::IpcError(format!("{rows} of {} rows came back", batch.num_rows())))
}

/// Bytes that do not compress (SplitMix64).
fn random(bytes: u64) -> Result<RecordBatch, EngineError> {
    let length = usize::try_from(bytes).map_err(|_| EngineError::OutOfMemory(format!("{bytes} bytes")))?;
    let mut state = bytes;
    let mut values = Vec::with_capacity(length.saturating_add(8));
    while values.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        values.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    values.truncate(length);
    let column: ArrayRef = Arc::new(UInt8Array::from(values));
    RecordBatch::try_from_iter([("value", column)]).map_err(|e| EngineError::Failed(e.to_string()))
}
