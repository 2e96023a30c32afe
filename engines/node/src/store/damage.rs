//! Damage on purpose: one changed bit in a block, as a bad disk or a bad memory cell leaves it.
//!
//! Files carry checksums of their bytes, which every reader compares. Rows in memory carry one too, which is compared when
//! they are copied to another node; nobody verifies what lies in its own memory, as nobody does in the systems that the
//! styles stand for. Once a block in memory was damaged here, and until its job ends, the store looks at each one before it
//! gives it away.
//!
//! Invariant: what a reader has verified never changes under it. A damaged block takes the place of a sound one, and
//! whoever opens it next finds the damage.

use super::output::heap;
use super::{BlockStore, Extent, Stored, compact};
use crate::strike::draw;
use arrow::array::{Array, ArrayRef, RecordBatch, make_array};
use arrow::buffer::MutableBuffer;
use bench_model::{Attempt, BlockId, BlockMeta, Bytes, Checksum, JobId, TaskFailure, checksum_of};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Hears which block was damaged, or why none was.
pub(crate) type Tell = Box<dyn FnOnce(Result<BlockId, String>) + Send>;

/// How many values are tried: some bits lie under a NULL or would make the rows invalid.
const TRIES: u32 = 500;

/// Damage that waits for a block of its job.
struct Wish {
    job: JobId,
    seed: u64,
    tell: Tell,
}

/// What is to go wrong in a store.
#[derive(Default)]
pub(super) struct Damages {
    wishes: Mutex<Vec<Wish>>,
    /// Whether there are any, readable without the lock.
    wished: AtomicBool,
    /// Whether rows in memory were damaged here.
    in_memory: AtomicBool,
}

impl BlockStore {
    /// Damages a block of a job, drawn from `seed`; one in a file if there is any. Where none is here yet, the next that is
    /// made is damaged. A job that ends first takes the wish with it, and nobody is told.
    pub(crate) fn damage(&self, job: JobId, seed: u64, tell: Tell) {
        self.damages.wishes.lock().unwrap_or_else(PoisonError::into_inner).push(Wish { job, seed, tell });
        self.damages.wished.store(true, Ordering::Release);
        self.damage_what_came();
    }

    /// Blocks were made: some may be waited for.
    pub(super) fn damage_what_came(&self) {
        if !self.damages.wished.load(Ordering::Acquire) {
            return;
        }
        let mut wishes = self.damages.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        for wish in std::mem::take(&mut *wishes) {
            match self.damage_one(wish.job, wish.seed) {
                Some(done) => (wish.tell)(done),
                None => wishes.push(wish),
            }
        }
        self.damages.wished.store(!wishes.is_empty(), Ordering::Release);
    }

    /// Nothing of this job is damaged any more.
    pub(super) fn forget_damages(&self, job: JobId) {
        if self.damages.wished.load(Ordering::Acquire) {
            self.damages.wishes.lock().unwrap_or_else(PoisonError::into_inner).retain(|wish| wish.job != job);
        }
        self.damages.in_memory.store(false, Ordering::Release);
    }

    /// Refuses rows in memory that are not the ones that were put there, once such were damaged here.
    pub(super) fn distrust(&self, block: BlockId, stored: &Stored) -> Result<(), TaskFailure> {
        let Stored::Heap { batches, checksum, .. } = stored else { return Ok(()) };
        if !self.damages.in_memory.load(Ordering::Acquire) || *checksum == Checksum::default() {
            return Ok(());
        }
        let now = batches.iter().fold(Checksum::default(), |sum, batch| sum.merge(checksum_of(batch)));
        if now == *checksum {
            return Ok(());
        }
        tracing::warn!(%block, "a block in memory does not match its checksum");
        Err(TaskFailure::CorruptBlock(block))
    }

    /// Nothing if no block of the job is here.
    fn damage_one(&self, job: JobId, mut seed: u64) -> Option<Result<BlockId, String>> {
        let mut blocks = self.lock().of_job(job);
        let in_file = |stored: &Stored| matches!(stored, Stored::Encoded { file, .. } if file.is_owned());
        if blocks.iter().any(|(_, _, stored)| in_file(stored)) {
            blocks.retain(|(_, _, stored)| in_file(stored));
        } else {
            // A part of an answer has no checksum: the oracle digests it as a whole.
            let has_checksum =
                |s: &Stored| matches!(s, Stored::Heap { checksum, .. } if *checksum != Checksum::default());
            blocks.retain(|(_, _, stored)| has_checksum(stored));
        }
        let drawn = draw(&mut seed, blocks.len() as u64) as usize;
        let (block, attempt, stored) = blocks.get(drawn)?;
        match stored.as_ref() {
            Stored::Encoded { extents, file, .. } => {
                let flipped = file.flip(byte_in(extents, &mut seed));
                Some(flipped.map(|()| *block).map_err(|e| format!("cannot change {}: {e}", file.path().display())))
            }
            Stored::Heap { .. } => self.damage_in_memory((*block, *attempt), stored, &mut seed),
        }
    }

    fn damage_in_memory(
        &self,
        which: (BlockId, Attempt),
        stored: &Arc<Stored>,
        seed: &mut u64,
    ) -> Option<Result<BlockId, String>> {
        let Stored::Heap { schema, batches, checksum, .. } = stored.as_ref() else { return None };
        let Some(changed) = flipped(batches, seed) else {
            return Some(Err(format!("no value of block {} can change", which.0)));
        };
        // Before it can be found.
        self.damages.in_memory.store(true, Ordering::Release);
        let bytes = Bytes::new(changed.iter().map(compact::size_of).sum());
        let meta = BlockMeta { bytes, checksum: *checksum, ..BlockMeta::default() };
        let after = heap(self, Arc::clone(schema), changed, &meta);
        // Dropped or moved meanwhile: another one will do.
        let replaced = self.change(|index| index.replace(which, stored, after));
        replaced.is_ok().then_some(Ok(which.0))
    }
}

/// A byte of a block, as an offset in its file.
fn byte_in(extents: &[Extent], seed: &mut u64) -> u64 {
    let mut at = draw(seed, extents.iter().map(|e| e.len).sum());
    for extent in extents {
        if at < extent.len {
            return extent.offset + at;
        }
        at -= extent.len;
    }
    0
}

/// The same rows but for one bit of one value; nothing if no value can change.
fn flipped(batches: &[RecordBatch], seed: &mut u64) -> Option<Vec<RecordBatch>> {
    for _ in 0..TRIES {
        let number = draw(seed, batches.len() as u64) as usize;
        let batch = batches.get(number)?;
        let mut columns = batch.columns().to_vec();
        let drawn = draw(seed, columns.len() as u64) as usize;
        let column = columns.get_mut(drawn)?;
        let Some(changed) = with_a_flipped_bit(column, seed) else { continue };
        *column = changed;
        let Ok(changed) = RecordBatch::try_new(batch.schema(), columns) else { continue };
        if checksum_of(&changed) != checksum_of(batch) {
            let mut batches = batches.to_vec();
            *batches.get_mut(number)? = changed;
            return Some(batches);
        }
    }
    None
}

/// Nothing if the drawn bit would make the array invalid.
fn with_a_flipped_bit(array: &ArrayRef, seed: &mut u64) -> Option<ArrayRef> {
    let data = array.to_data();
    let mut buffers = data.buffers().to_vec();
    let drawn = draw(seed, buffers.len() as u64) as usize;
    let buffer = buffers.get_mut(drawn)?;
    let mut bytes = MutableBuffer::with_capacity(buffer.len());
    bytes.extend_from_slice(buffer.as_slice());
    let drawn = draw(seed, bytes.len() as u64) as usize;
    *bytes.as_slice_mut().get_mut(drawn)? ^= 1;
    *buffer = bytes.into();
    data.into_builder().buffers(buffers).build().ok().map(make_array)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{UNLIMITED, blocks, numbers, task};
    use super::super::{AttemptOutput, Keep, StoreOptions, read_all};
    use super::*;
    use arrow::array::{Int32Array, StringViewArray};
    use bench_model::BlockRef;
    use std::sync::mpsc;

    struct Bench {
        store: BlockStore,
        _folders: [tempfile::TempDir; 2],
    }

    fn bench() -> Bench {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [folder, shared] = folders.each_ref().map(|f| f.path().to_owned());
        let store = BlockStore::new(StoreOptions { folder, shared: Some(shared), compression: None });
        Bench { store, _folders: folders }
    }

    impl Bench {
        fn write(&self, keep: Keep, partition: u32, rows: i64) -> Vec<BlockRef> {
            let task = task(0, partition);
            let mut output = AttemptOutput::new(&self.store, (task, Attempt(0)), 2, keep, UNLIMITED);
            (0..2).for_each(|number| output.write(number, &numbers(0..rows)).unwrap());
            blocks(task, &output.commit().unwrap())
        }

        fn wish(&self, seed: u64) -> mpsc::Receiver<Result<BlockId, String>> {
            let (tell, told) = mpsc::channel();
            self.store.damage(JobId(1), seed, Box::new(move |damaged| tell.send(damaged).unwrap()));
            told
        }

        fn read(&self, block: &BlockRef) -> Result<usize, TaskFailure> {
            let batches = read_all(vec![self.store.find(block)?])?;
            Ok(batches.iter().map(RecordBatch::num_rows).sum())
        }
    }

    /// Exactly the damaged block is refused, as corrupt.
    #[track_caller]
    fn check(bench: &Bench, blocks: &[BlockRef], rows: usize, damaged: BlockId) {
        for block in blocks {
            let expected = if block.id == damaged { Err(TaskFailure::CorruptBlock(damaged)) } else { Ok(rows) };
            assert_eq!(bench.read(block), expected, "{}", block.id);
        }
    }

    #[test]
    fn one_block_is_damaged_wherever_it_is_kept_and_the_next_reader_finds_it() {
        for keep in [Keep::OnDisk, Keep::Sealed, Keep::OnHeap] {
            for seed in 0..20 {
                let bench = bench();
                let blocks = bench.write(keep, 0, 10_000);
                let damaged = bench.wish(seed).try_recv().unwrap().unwrap();
                check(&bench, &blocks, 10_000, damaged);
            }
        }
    }

    #[test]
    fn whoever_has_opened_a_block_reads_on_undisturbed() {
        for keep in [Keep::OnDisk, Keep::Sealed, Keep::OnHeap] {
            let bench = bench();
            let blocks = bench.write(keep, 0, 10_000);
            let mut open: Vec<_> = blocks.iter().map(|b| bench.store.find(b).unwrap().open().unwrap()).collect();
            let damaged = bench.wish(1).try_recv().unwrap().unwrap();
            for reader in &mut open {
                assert_eq!(reader.next_batch().unwrap(), Some(numbers(0..10_000)), "{keep:?}");
            }
            check(&bench, &blocks, 10_000, damaged);
        }
    }

    #[test]
    fn damage_waits_for_the_first_block_of_its_job() {
        let bench = bench();
        let told = bench.wish(3);
        assert!(told.try_recv().is_err(), "nothing is here yet");
        let blocks = bench.write(Keep::OnHeap, 0, 10);
        let damaged = told.try_recv().unwrap().unwrap();
        check(&bench, &blocks, 10, damaged);
        let later = bench.write(Keep::OnHeap, 1, 10);
        assert!(later.iter().all(|block| bench.read(block) == Ok(10)), "one wish, one block");
    }

    #[test]
    fn a_job_that_is_over_takes_its_damage_with_it() {
        let bench = bench();
        let told = bench.wish(3);
        bench.store.end(JobId(1));
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[test]
    fn parts_of_an_answer_are_never_damaged() {
        let bench = bench();
        let told = bench.wish(3);
        let blocks = bench.write(Keep::Answer, 0, 10);
        assert!(told.try_recv().is_err());
        assert!(blocks.iter().all(|block| bench.read(block) == Ok(10)));
    }

    #[test]
    fn damaged_rows_never_reach_the_disk_under_a_new_checksum() {
        let bench = bench();
        bench.write(Keep::OnHeap, 0, 10);
        let damaged = bench.wish(5).try_recv().unwrap().unwrap();
        assert_eq!(bench.store.spill(damaged, Attempt(0)), Err(TaskFailure::CorruptBlock(damaged)));
    }

    #[test]
    fn a_flipped_bit_gives_other_rows_of_the_same_shape_or_none() {
        let text: ArrayRef = Arc::new(StringViewArray::from(vec![Some("ä"), None, Some("more than twelve bytes")]));
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![None, None, Some(7)]));
        let batch = RecordBatch::try_from_iter([("text", text), ("ints", ints)]).unwrap();
        for mut seed in 0..50 {
            let changed = flipped(std::slice::from_ref(&batch), &mut seed).unwrap().remove(0);
            assert_eq!((changed.num_rows(), changed.schema()), (3, batch.schema()));
            assert_ne!(checksum_of(&changed), checksum_of(&batch));
        }
        let nulls: ArrayRef = Arc::new(Int32Array::from(vec![None, None]));
        let nulls = RecordBatch::try_from_iter([("nulls", nulls)]).unwrap();
        assert_eq!(flipped(&[nulls], &mut 1), None);
    }
}
