//! The block store of one node: who made which block, and where its rows are.
//!
//! As in Spark's sort shuffle, an attempt leaves at most one file that holds its outputs one after the other, and the
//! index that says where each begins is kept apart from it, here in memory. An attempt that outgrows its buffer appends
//! another such run to the same file instead of merging its runs at the end: an output is then a few extents rather
//! than one, and no byte is written twice.
//!
//! Files are written through the page cache and never synced, as Spark's are: they only have to outlive the process's
//! tasks, not the machine. A lost one costs a re-run of the task that made it.
//!
//! Invariant: an attempt's blocks are found here only after the attempt wrote all of them.

mod compact;
mod extent;
mod file;
mod output;
mod reader;

pub(crate) use output::{AttemptOutput, Keep};
pub(crate) use reader::BlockReader;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use bench_model::{Attempt, BlockRef, FragmentId, JobId, TaskFailure, TaskId};
use extent::Extent;
use file::ShuffleFile;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where one output's rows are.
enum Stored {
    /// There are none.
    Empty,
    /// In memory, as they were written: parts of the answer, and outputs too small to be worth a file.
    Inline(Vec<RecordBatch>),
    /// In the attempt's file.
    Extents { schema: SchemaRef, extents: Vec<Extent>, file: Arc<ShuffleFile> },
}

/// The outputs of one finished attempt, in order.
type Outputs = Arc<Vec<Stored>>;

/// The blocks of this node, and the folder they are written to.
pub(crate) struct BlockStore {
    folder: PathBuf,
    compression: Option<CompressionType>,
    create: fn(&Path) -> io::Result<File>,
    index: Mutex<Index>,
    /// Held while files are removed, so that the end of a job also waits for removals that others have begun.
    removal: Mutex<()>,
}

#[derive(Default)]
struct Index {
    blocks: BTreeMap<(TaskId, Attempt), Outputs>,
    /// Jobs before this one are over: what their stragglers still finish is dropped.
    open_from: JobId,
}

impl BlockStore {
    /// A store over an empty folder.
    pub(crate) fn new(folder: PathBuf, compression: Option<CompressionType>) -> Self {
        Self {
            folder,
            compression,
            create: |path| File::create_new(path),
            index: Mutex::default(),
            removal: Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an attempt's outputs visible, all at once. A second commit of the same attempt replaces the first.
    fn commit(&self, task: TaskId, attempt: Attempt, outputs: Vec<Stored>) {
        let mut index = self.lock();
        let replaced = if task.job < index.open_from {
            Some(Arc::new(outputs))
        } else {
            index.blocks.insert((task, attempt), Arc::new(outputs))
        };
        drop(index);
        drop(replaced); // Removes files, which must not happen under the index's lock.
    }

    fn find(&self, block: &BlockRef) -> Result<Outputs, TaskFailure> {
        let key = (block.id.task, block.attempt);
        self.lock().blocks.get(&key).cloned().ok_or(TaskFailure::MissingBlock(block.id))
    }

    /// Opens a block for reading.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if it is not here, [`TaskFailure::CorruptBlock`] if its file has another size.
    pub(crate) fn open(&self, block: &BlockRef) -> Result<BlockReader, TaskFailure> {
        BlockReader::open(self.find(block)?, block)
    }

    /// Opens those of some blocks that have rows.
    ///
    /// # Errors
    /// Those of [`BlockStore::open`].
    pub(crate) fn open_all(&self, blocks: &[BlockRef]) -> Result<Vec<BlockReader>, TaskFailure> {
        blocks.iter().filter(|b| b.meta.rows.get() > 0).map(|b| self.open(b)).collect()
    }

    /// Drops a fragment's blocks, or all of a job's, and removes their files.
    pub(crate) fn free(&self, job: JobId, fragment: Option<FragmentId>) {
        let first = TaskId { job, fragment: fragment.unwrap_or_default(), partition: 0 };
        let last = TaskId { fragment: fragment.unwrap_or(FragmentId(u32::MAX)), partition: u32::MAX, ..first };
        let turn = self.removal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut index = self.lock();
        let mut freed = index.blocks.split_off(&(first, Attempt(0)));
        let mut after = freed.split_off(&(last, Attempt(u32::MAX)));
        index.blocks.append(&mut after);
        drop(index);
        drop(freed); // Removes files, which must not happen under the index's lock.
        drop(turn);
    }

    /// Ends a job: frees its blocks, and drops whatever a late attempt of it still commits. Afterwards no file of an
    /// attempt that has committed is left.
    pub(crate) fn end(&self, job: JobId) {
        {
            let mut index = self.lock();
            index.open_from = index.open_from.max(JobId(job.0.saturating_add(1)));
        }
        self.free(job, None);
    }

    /// How many bytes of blocks are on disk.
    #[cfg(test)]
    fn bytes_on_disk(&self) -> u64 {
        std::fs::read_dir(&self.folder).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum()
    }
}

/// Every row of some opened blocks, in order.
///
/// # Errors
/// Those of [`BlockReader::next_batch`].
pub(crate) fn collect(readers: Vec<BlockReader>) -> Result<Vec<RecordBatch>, TaskFailure> {
    let mut batches = Vec::new();
    for mut reader in readers {
        while let Some(batch) = reader.next_batch()? {
            batches.push(batch);
        }
    }
    Ok(batches)
}

/// A failure to write, with what to do about it.
fn write_failure(path: &Path, error: &io::Error) -> TaskFailure {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free disk space or choose another scratch folder"
        }
        _ => "",
    };
    TaskFailure::Transient(format!("cannot write shuffle file {}: {error}{advice}", path.display()))
}

#[cfg(test)]
mod tests;
