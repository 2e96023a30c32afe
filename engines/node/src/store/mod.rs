//! The block store of one node: which blocks are here, and where their rows are.
//!
//! | storage | where | as in |
//! |---|---|---|
//! | `Disk` | at most one file per attempt, its outputs one after the other; the index is kept apart, in memory | Spark's sort shuffle |
//! | `Heap` | the batches themselves, by reference | Dask's worker data |
//! | `Shared` | a sealed file per block in shared memory, which any process of the host can map | Ray's object store |
//!
//! Outputs too small to be worth a file stay on the heap in every case, and without a folder in shared memory (one
//! process) so do shared blocks. Any block can be moved to disk, copied here from another node, or dropped by itself.
//!
//! An attempt that outgrows its buffer appends another run to the same file instead of merging its runs at the end: an
//! output is then a few extents rather than one, and no byte is written twice. Files are written through the page cache
//! and never synced, as Spark's are: they only have to outlive the process's tasks, not the machine. A lost one costs a
//! re-run of the task that made it.
//!
//! Blocks are taken out of the index at once and let go of later, by [`BlockStore::sweep`], outside every lock: removing
//! files and unmapping memory takes time. A reader that has opened a block reads on in either case.
//!
//! Invariant: an attempt's blocks are found here only after the attempt wrote all of them.

mod compact;
mod copy;
mod damage;
mod extent;
mod file;
mod index;
mod ledger;
mod output;
mod reader;
mod sealed;
mod spill;
mod travel;
mod writer;

pub use output::{AttemptOutput, Keep};
pub use reader::{BlockReader, Found, read_all};
pub use sealed::Located;
pub(crate) use travel::Arriving;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use bench_model::{Attempt, BlockId, BlockRef, Bytes, Checksum, FragmentId, JobId, TaskFailure, TaskId};
use damage::Damages;
use extent::Extent;
use file::BlockFile;
use index::{Blocks, Index};
use ledger::{Charge, Ledger, Medium};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where one block's rows are. A block without rows is not stored at all.
enum Stored {
    /// In memory, as they were written. The checksum is that of the rows; a part of an answer has none.
    Heap { schema: SchemaRef, batches: Vec<RecordBatch>, checksum: Checksum, _charge: Charge },
    /// In a file, perhaps together with other outputs of the attempt.
    Encoded { schema: SchemaRef, extents: Vec<Extent>, file: Arc<BlockFile> },
}

impl Stored {
    fn medium(&self) -> Medium {
        match self {
            Self::Heap { .. } => Medium::Heap,
            Self::Encoded { file, .. } => file.medium(),
        }
    }
}

/// Where a store keeps things.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// An empty folder on local disk, for this store alone.
    pub folder: PathBuf,
    /// An empty folder in shared memory, for this store alone. Without one, shared blocks stay on the heap.
    pub shared: Option<PathBuf>,
    /// How files on disk are compressed.
    pub compression: Option<CompressionType>,
}

/// What was taken out of the index and waits to be let go of.
#[derive(Default)]
struct Litter {
    blocks: Vec<Arc<Stored>>,
    fragments: Vec<Blocks>,
}

/// The blocks of this node.
pub struct BlockStore {
    folder: PathBuf,
    shared: Option<PathBuf>,
    compression: Option<CompressionType>,
    create: fn(&Path) -> io::Result<File>,
    index: Mutex<Index>,
    /// How many blocks the index holds, readable without its lock: freeing what was never stored costs a load.
    stored: AtomicUsize,
    litter: Mutex<Litter>,
    /// Whether nobody has claimed the litter yet.
    unclaimed: AtomicBool,
    /// Held while litter is let go of, so that the end of a job also waits for what others have begun.
    sweeping: Mutex<()>,
    ledger: Arc<Ledger>,
    /// Numbers files: what is made or moved again meets no older file of its name.
    files: AtomicU64,
    /// What is to go wrong here on purpose.
    damages: Damages,
}

impl BlockStore {
    /// A store over empty folders.
    #[must_use]
    pub fn new(options: StoreOptions) -> Self {
        let StoreOptions { folder, shared, compression } = options;
        Self {
            folder,
            shared,
            compression,
            create: |path| File::create_new(path),
            index: Mutex::default(),
            stored: AtomicUsize::new(0),
            litter: Mutex::default(),
            unclaimed: AtomicBool::new(false),
            sweeping: Mutex::new(()),
            ledger: Arc::default(),
            files: AtomicU64::new(0),
            damages: Damages::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let mut index = self.lock();
        let result = change(&mut index);
        self.stored.store(index.len(), Ordering::Release);
        result
    }

    fn is_vacant(&self) -> bool {
        self.stored.load(Ordering::Acquire) == 0
    }

    /// Makes an attempt's outputs visible, all at once. A second commit of the same attempt replaces the first.
    fn commit(&self, task: TaskId, attempt: Attempt, outputs: Vec<(u32, Stored)>) {
        // What has no place is dropped after the index's lock is: that may remove files.
        drop(self.change(|index| index.commit(task, attempt, outputs)));
        self.damage_what_came();
    }

    /// Whether a block can be read here. One without rows can be read everywhere.
    #[must_use]
    pub fn holds(&self, block: &BlockRef) -> bool {
        block.meta.rows.get() == 0 || self.lock().get(block.id, block.attempt).is_some()
    }

    /// Finds a block, without opening any file.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if it is not here, [`TaskFailure::CorruptBlock`] if its rows in memory were found to
    /// have changed, which is looked for once blocks of this store have been damaged on purpose.
    pub fn find(&self, block: &BlockRef) -> Result<Found, TaskFailure> {
        let stored = self.lock().get(block.id, block.attempt).cloned().ok_or(TaskFailure::MissingBlock(block.id))?;
        self.distrust(block.id, &stored)?;
        Ok(Found::new(block.id, stored))
    }

    /// Finds those of some blocks that have rows.
    ///
    /// # Errors
    /// Those of [`BlockStore::find`].
    pub fn find_all(&self, blocks: &[BlockRef]) -> Result<Vec<Found>, TaskFailure> {
        blocks.iter().filter(|b| b.meta.rows.get() > 0).map(|b| self.find(b)).collect()
    }

    /// Takes one block out. Its memory or file is given back by the next [`BlockStore::sweep`].
    pub fn release(&self, block: BlockId, attempt: Attempt) {
        if self.is_vacant() {
            return;
        }
        if let Some(released) = self.change(|index| index.remove(block, attempt)) {
            self.litter(|litter| litter.blocks.push(released));
        }
    }

    /// Takes a fragment's blocks out, or all of a job's. Their memory and files are given back by the next
    /// [`BlockStore::sweep`].
    pub fn free(&self, job: JobId, fragment: Option<FragmentId>) {
        if self.is_vacant() {
            return;
        }
        let mut freed = self.change(|index| index.take(job, fragment));
        if !freed.is_empty() {
            self.litter(|litter| litter.fragments.append(&mut freed));
        }
    }

    fn litter(&self, add: impl FnOnce(&mut Litter)) {
        add(&mut self.litter.lock().unwrap_or_else(PoisonError::into_inner));
        self.unclaimed.store(true, Ordering::Release);
    }

    /// Whether there is something to sweep that nobody else was told of.
    pub fn claim_sweep(&self) -> bool {
        self.unclaimed.load(Ordering::Relaxed) && self.unclaimed.swap(false, Ordering::AcqRel)
    }

    /// Whether [`BlockStore::claim_sweep`] would say yes.
    #[must_use]
    pub fn needs_sweep(&self) -> bool {
        self.unclaimed.load(Ordering::Relaxed)
    }

    /// Gives back the memory and the files of everything that was taken out. Call it without a lock.
    pub fn sweep(&self) {
        let turn = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        let litter = std::mem::take(&mut *self.litter.lock().unwrap_or_else(PoisonError::into_inner));
        drop(litter);
        drop(turn);
    }

    /// Ends a job: frees its blocks, and refuses whatever a late attempt of it still commits. Afterwards no file of a
    /// block that nobody reads is left.
    pub fn end(&self, job: JobId) {
        let freed = self.change(|index| {
            index.close(job);
            index.take(job, None)
        });
        self.forget_damages(job);
        drop(freed);
        self.sweep();
    }

    /// Bytes of blocks in the memory of this process alone.
    #[must_use]
    pub fn heap_bytes(&self) -> Bytes {
        self.ledger.on(Medium::Heap)
    }

    /// Bytes of blocks that this store has sealed in shared memory. Copies of other processes' blocks are on theirs.
    #[must_use]
    pub fn shared_bytes(&self) -> Bytes {
        self.ledger.on(Medium::Shared)
    }

    /// Bytes of blocks in files on disk.
    #[must_use]
    pub fn disk_bytes(&self) -> Bytes {
        self.ledger.on(Medium::Disk)
    }

    /// A new file for an attempt's outputs.
    fn path_of_attempt(&self, task: TaskId, attempt: Attempt) -> PathBuf {
        let TaskId { job, fragment, partition } = task;
        self.folder.join(format!("{job}-{fragment}-p{partition}-{attempt}-{}.arrow", self.next_file()))
    }

    /// A new file for one block.
    fn path_of_block(&self, (block, attempt): (BlockId, Attempt), medium: Medium) -> PathBuf {
        let TaskId { job, fragment, partition } = block.task;
        let (output, number) = (block.output, self.next_file());
        let folder = self.shared.as_ref().filter(|_| medium == Medium::Shared).unwrap_or(&self.folder);
        folder.join(format!("{job}-{fragment}-p{partition}-o{output}-{attempt}-{number}.arrow"))
    }

    fn next_file(&self) -> u64 {
        self.files.fetch_add(1, Ordering::Relaxed)
    }
}

/// A failure to write, with what to do about it.
fn write_failure(path: &Path, error: &io::Error) -> TaskFailure {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free disk space or choose another scratch folder"
        }
        _ => "",
    };
    TaskFailure::Transient(format!("cannot write block file {}: {error}{advice}", path.display()))
}

#[cfg(test)]
mod model_test;
#[cfg(test)]
mod move_tests;
#[cfg(test)]
mod tests;
