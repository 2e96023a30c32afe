//! A simulated node: its machine, its slots, its blocks.

use crate::keyed::Map;
use bench_model::{Attempt, BlockId, BlockMeta, BlockRef, FragmentId, JobId, TaskFailure, TaskId};

/// A block as it is stored.
pub(crate) struct Held {
    pub(crate) meta: BlockMeta,
    pub(crate) corrupt: bool,
    /// It was moved from memory to disk.
    pub(crate) spilled: bool,
    /// Written by, or left from, an incarnation that the driver had given up: nobody promised to free it.
    pub(crate) abandoned: bool,
}

/// An attempt under way.
pub(crate) struct Run {
    pub(crate) result: Result<Vec<BlockMeta>, TaskFailure>,
    /// Which of the scheduled ends is the valid one.
    pub(crate) generation: u32,
    pub(crate) abandoned: bool,
}

type Fragments = Map<(JobId, FragmentId), Map<(u32, u32, Attempt), Held>>;

/// One node. `T` is what waits while it is paused.
pub(crate) struct SimNode<M, T> {
    pub(crate) machine: M,
    pub(crate) slots: u32,
    pub(crate) incarnation: u32,
    /// The incarnation that the others are connected to: the last one that joined.
    pub(crate) linked: u32,
    pub(crate) alive: bool,
    pub(crate) paused: bool,
    /// Whether the driver believes it is up.
    pub(crate) known: bool,
    /// Whether the driver has given up an incarnation of it, or would have, had it not restarted so fast.
    pub(crate) was_given_up: bool,
    /// Whether a failure of it is being played out.
    pub(crate) troubled: bool,
    pub(crate) runs: Map<(TaskId, Attempt), Run>,
    store: Fragments,
    pub(crate) backlog: Vec<T>,
}

/// How a read of a block went.
pub(crate) enum Fetch {
    Found,
    Missing,
    Corrupt,
}

impl<M, T> SimNode<M, T> {
    pub(crate) fn new(machine: M, slots: u32) -> Self {
        Self {
            machine,
            slots,
            incarnation: 0,
            linked: 0,
            alive: true,
            paused: false,
            known: false,
            was_given_up: false,
            troubled: false,
            runs: Map::default(),
            store: Map::default(),
            backlog: Vec::new(),
        }
    }

    /// Reads a block, as a task on any node would.
    pub(crate) fn fetch(&self, block: &BlockRef) -> Fetch {
        if !self.alive || self.paused {
            return Fetch::Missing;
        }
        let task = block.id.task;
        let fragment = self.store.get(&(task.job, task.fragment));
        match fragment.and_then(|f| f.get(&(task.partition, block.id.output, block.attempt))) {
            None => Fetch::Missing,
            Some(held) if held.corrupt || held.meta != block.meta => Fetch::Corrupt,
            Some(_) => Fetch::Found,
        }
    }

    pub(crate) fn write(&mut self, task: TaskId, attempt: Attempt, output: u32, held: Held) {
        let fragment = self.store.entry((task.job, task.fragment)).or_default();
        fragment.insert((task.partition, output, attempt), held);
    }

    /// Takes a block away, or damages it.
    pub(crate) fn hurt(&mut self, task: TaskId, attempt: Attempt, output: u32, remove: bool) {
        let Some(fragment) = self.store.get_mut(&(task.job, task.fragment)) else { return };
        if remove {
            fragment.remove(&(task.partition, output, attempt));
        } else if let Some(held) = fragment.get_mut(&(task.partition, output, attempt)) {
            held.corrupt = true;
        }
    }

    /// Moves a block to disk, unless the disk is full; false if the block is not there.
    pub(crate) fn spill(&mut self, block: BlockId, attempt: Attempt, full: bool) -> bool {
        let fragment = self.store.get_mut(&(block.task.job, block.task.fragment));
        let held = fragment.and_then(|f| f.get_mut(&(block.task.partition, block.output, attempt)));
        held.map(|held| held.spilled |= !full).is_some()
    }

    /// Bytes of the blocks that are not on disk.
    pub(crate) fn in_memory(&self) -> u64 {
        let held = self.store.values().flat_map(Map::values);
        held.filter(|h| !h.spilled).map(|h| h.meta.bytes.get()).sum()
    }

    /// Drops a fragment's blocks, or a job's; returns whose they were.
    pub(crate) fn free(&mut self, job: JobId, fragment: Option<FragmentId>) -> Vec<(TaskId, Attempt)> {
        let keys: Vec<(JobId, FragmentId)> = match fragment {
            Some(fragment) => vec![(job, fragment)],
            None => self.store.keys().filter(|(of, _)| *of == job).copied().collect(),
        };
        let mut freed = Vec::new();
        for key in keys {
            let blocks = self.store.remove(&key).unwrap_or_default();
            freed.extend(blocks.keys().map(|(partition, _, attempt)| {
                (TaskId { job: key.0, fragment: key.1, partition: *partition }, *attempt)
            }));
        }
        freed
    }

    /// Whose blocks it holds.
    pub(crate) fn held(&self) -> impl Iterator<Item = (TaskId, Attempt)> {
        self.store.iter().flat_map(|((job, fragment), blocks)| {
            blocks.keys().map(|(partition, _, attempt)| {
                (TaskId { job: *job, fragment: *fragment, partition: *partition }, *attempt)
            })
        })
    }

    /// The first block that somebody should have freed.
    pub(crate) fn leaked(&self) -> Option<String> {
        let blocks = self.store.iter().flat_map(|(of, blocks)| blocks.iter().map(move |(key, held)| (*of, *key, held)));
        let kept = blocks.filter(|(_, _, held)| !held.abandoned).map(|(of, key, _)| (of, key)).min()?;
        let ((job, fragment), (partition, output, attempt)) = kept;
        Some(format!("{job}/{fragment}/p{partition}/o{output} {attempt}"))
    }

    /// The driver has given this incarnation up.
    pub(crate) fn abandon(&mut self) {
        for held in self.store.values_mut().flat_map(Map::values_mut) {
            held.abandoned = true;
        }
        for run in self.runs.values_mut() {
            run.abandoned = true;
        }
    }

    /// Everything on it is gone.
    pub(crate) fn die(&mut self) {
        self.alive = false;
        self.paused = false;
        self.runs.clear();
        self.store.clear();
        self.backlog.clear();
    }
}
