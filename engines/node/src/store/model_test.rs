//! Any sequence of commits, copies, spills, releases, frees and reads leaves what a plain map says it leaves.

use super::tests::{UNLIMITED, blocks, numbers, task};
use super::*;
use bench_model::Storage;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Partitions of one fragment, fragments, outputs of one task: few, so that operations meet.
const FEW: u32 = 3;

#[derive(Clone, Debug)]
enum Op {
    Commit { fragment: u32, partition: u32, keep: Keep, rows: Vec<i64> },
    Copy { at: usize, storage: Storage },
    Adopt { at: usize },
    Open { at: usize },
    Spill { at: usize },
    Release { at: usize },
    Free { fragment: Option<u32> },
    Sweep,
}

fn an_op() -> impl Strategy<Value = Op> {
    let keep = prop::sample::select(vec![Keep::OnDisk, Keep::OnHeap, Keep::Sealed, Keep::Answer]);
    let storage = prop::sample::select(vec![Storage::Disk, Storage::Heap, Storage::Shared]);
    let rows = prop::collection::vec(prop::sample::select(vec![0i64, 5, 3000]), FEW as usize);
    prop_oneof![
        4 => (0..FEW, 0..FEW, keep, rows).prop_map(|(fragment, partition, keep, rows)| Op::Commit { fragment, partition, keep, rows }),
        3 => (0usize..27, storage).prop_map(|(at, storage)| Op::Copy { at, storage }),
        2 => (0usize..27).prop_map(|at| Op::Adopt { at }),
        3 => (0usize..27).prop_map(|at| Op::Open { at }),
        4 => (0usize..27).prop_map(|at| Op::Spill { at }),
        3 => (0usize..27).prop_map(|at| Op::Release { at }),
        1 => prop::option::of(0..FEW).prop_map(|fragment| Op::Free { fragment }),
        1 => Just(Op::Sweep),
    ]
}

struct Bench {
    store: BlockStore,
    /// A second node, which commits the same as the first and drops nothing: copies come from there.
    other: BlockStore,
    /// What every block that was ever made holds, and whether the first node has it.
    known: BTreeMap<BlockId, (BlockRef, i64, bool)>,
    /// Readers that were opened and must read on whatever happens.
    open: Vec<(BlockReader, i64)>,
    folders: [tempfile::TempDir; 4],
}

impl Bench {
    fn new() -> Self {
        let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let store = |disk: usize| {
            let [folder, sealed] = [disk, disk + 1].map(|f| folders[f].path().to_owned());
            BlockStore::new(StoreOptions { folder, shared: Some(sealed), compression: None })
        };
        Self { store: store(0), other: store(2), known: BTreeMap::new(), open: Vec::new(), folders }
    }

    fn at(&self, at: usize) -> Option<(BlockRef, i64, bool)> {
        self.known.values().nth(at).copied()
    }

    fn has(&mut self, block: &BlockRef, here: bool) {
        self.known.entry(block.id).and_modify(|(_, _, known)| *known = here);
    }

    fn commit(&mut self, task: TaskId, keep: Keep, rows: &[i64]) {
        // A task makes the same rows whenever it runs; which ones, its first run says.
        let block = |output: u32| BlockId { task, output };
        let rows: Vec<i64> =
            (0..).zip(rows).map(|(o, n)| self.known.get(&block(o)).map_or(*n, |(_, n, _)| *n)).collect();
        let write = |store: &BlockStore, keep: Keep| {
            let mut output = AttemptOutput::new(store, (task, Attempt(0)), FEW, keep, UNLIMITED);
            (0..).zip(&rows).for_each(|(o, n)| output.write(o, &numbers(0..*n)).unwrap());
            blocks(task, &output.commit().unwrap())
        };
        let made = write(&self.store, keep);
        if !self.known.contains_key(&block(0)) {
            write(&self.other, if keep == Keep::Answer { Keep::Answer } else { Keep::Sealed });
        }
        for (block, rows) in made.into_iter().zip(rows) {
            self.known.insert(block.id, (block, rows, rows > 0));
        }
    }

    fn apply(&mut self, op: &Op) {
        let missing = |block: &BlockRef| Err(TaskFailure::MissingBlock(block.id));
        match op {
            Op::Commit { fragment, partition, keep, rows } => self.commit(task(*fragment, *partition), *keep, rows),
            Op::Copy { at, storage } => {
                let Some((block, rows, _)) = self.at(*at).filter(|(_, rows, _)| *rows > 0) else { return };
                let copied = read_all(self.other.find_all(&[block]).unwrap()).unwrap().into_iter().map(Ok);
                self.store.keep_copy(&block, *storage, &numbers(0..rows).schema(), copied).unwrap();
                self.has(&block, true);
            }
            Op::Adopt { at } => {
                let Some((block, ..)) = self.at(*at) else { return };
                let Some(located) = self.other.locate(block.id, Attempt(0)) else { return };
                self.store.adopt(&block, located).unwrap();
                self.has(&block, true);
            }
            Op::Open { at } => {
                let Some((block, rows, true)) = self.at(*at) else { return };
                self.open.push((self.store.find(&block).unwrap().open().unwrap(), rows));
            }
            Op::Spill { at } => {
                let Some((block, _, here)) = self.at(*at) else { return };
                let expected = if here { Ok(()) } else { missing(&block) };
                assert_eq!(self.store.spill(block.id, Attempt(0)), expected);
            }
            Op::Release { at } => {
                let Some((block, ..)) = self.at(*at) else { return };
                self.store.release(block.id, Attempt(0));
                self.has(&block, false);
            }
            Op::Free { fragment } => {
                self.store.free(JobId(1), fragment.map(FragmentId));
                for (id, (_, _, here)) in &mut self.known {
                    *here &= fragment.is_some_and(|f| id.task.fragment != FragmentId(f));
                }
            }
            Op::Sweep => self.store.sweep(),
        }
    }

    fn check(&self) {
        for (block, rows, here) in self.known.values() {
            let read = self.store.find(block).and_then(|found| read_all(vec![found]));
            let read = read.map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>());
            let expected = if *here { Ok(*rows as usize) } else { Err(TaskFailure::MissingBlock(block.id)) };
            assert_eq!(read, expected, "{}", block.id);
        }
    }

    fn finish(mut self) {
        for (mut reader, rows) in self.open.drain(..) {
            let mut read = 0;
            while let Some(batch) = reader.next_batch().unwrap() {
                read += batch.num_rows();
            }
            assert_eq!(read, rows as usize, "an open block reads on");
        }
        self.store.end(JobId(1));
        let store = &self.store;
        assert_eq!((store.heap_bytes(), store.shared_bytes(), store.disk_bytes()), Default::default());
        for folder in &self.folders[..2] {
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "files are left");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_store_is_a_map_from_blocks_to_rows(ops in prop::collection::vec(an_op(), 1..40)) {
        let mut bench = Bench::new();
        for op in &ops {
            bench.apply(op);
            bench.check();
        }
        bench.finish();
    }
}
