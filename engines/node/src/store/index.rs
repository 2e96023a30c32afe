//! Which blocks are here. Pure bookkeeping: nothing is opened, written or removed under the index's lock, so whoever
//! takes a block out gets it handed over and lets go of it elsewhere.

use super::Stored;
use bench_model::{Attempt, BlockId, FragmentId, JobId, TaskId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The blocks of one fragment, by partition, attempt and output: an attempt's outputs lie side by side.
pub(super) type Blocks = BTreeMap<(u32, Attempt, u32), Arc<Stored>>;

/// The blocks of a node.
#[derive(Default)]
pub(super) struct Index {
    fragments: BTreeMap<(JobId, FragmentId), Blocks>,
    /// How many blocks there are.
    len: usize,
    /// Jobs before this one are over: what their stragglers still bring is refused.
    open_from: JobId,
}

fn fragment_of(task: TaskId) -> (JobId, FragmentId) {
    (task.job, task.fragment)
}

fn key_of(block: BlockId, attempt: Attempt) -> (u32, Attempt, u32) {
    (block.task.partition, attempt, block.output)
}

impl Index {
    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The block, if it is here.
    pub(super) fn get(&self, block: BlockId, attempt: Attempt) -> Option<&Arc<Stored>> {
        self.fragments.get(&fragment_of(block.task))?.get(&key_of(block, attempt))
    }

    /// Every block of a job, in a fixed order.
    pub(super) fn of_job(&self, job: JobId) -> Vec<(BlockId, Attempt, Arc<Stored>)> {
        let all = (job, FragmentId(0))..=(job, FragmentId(u32::MAX));
        let blocks = self.fragments.range(all).flat_map(|((job, fragment), blocks)| {
            blocks.iter().map(move |((partition, attempt, output), stored)| {
                let task = TaskId { job: *job, fragment: *fragment, partition: *partition };
                (BlockId { task, output: *output }, *attempt, Arc::clone(stored))
            })
        });
        blocks.collect()
    }

    /// Puts in everything an attempt has made, in place of what it had made before. Returns what has no place here.
    pub(super) fn commit(&mut self, task: TaskId, attempt: Attempt, outputs: Vec<(u32, Stored)>) -> Vec<Arc<Stored>> {
        let mut out = Vec::new();
        if task.job < self.open_from {
            return outputs.into_iter().map(|(_, stored)| Arc::new(stored)).collect();
        }
        let blocks = self.fragments.entry(fragment_of(task)).or_default();
        let all = (task.partition, attempt, 0)..=(task.partition, attempt, u32::MAX);
        let before: Vec<_> = blocks.range(all).map(|(key, _)| *key).collect();
        out.extend(before.iter().filter_map(|key| blocks.remove(key)));
        self.len += outputs.len();
        blocks.extend(outputs.into_iter().map(|(n, stored)| ((task.partition, attempt, n), Arc::new(stored))));
        self.len -= out.len();
        out
    }

    /// Puts in one block, unless it is here already. Returns what has no place here.
    pub(super) fn insert(&mut self, block: BlockId, attempt: Attempt, stored: Stored) -> Option<Stored> {
        if block.task.job < self.open_from || self.get(block, attempt).is_some() {
            return Some(stored);
        }
        let blocks = self.fragments.entry(fragment_of(block.task)).or_default();
        blocks.insert(key_of(block, attempt), Arc::new(stored));
        self.len += 1;
        None
    }

    /// Puts a block in the place of `before`. Returns the one that has no place here: the new one if `before` is not
    /// here any more.
    pub(super) fn replace(
        &mut self,
        (block, attempt): (BlockId, Attempt),
        before: &Arc<Stored>,
        after: Stored,
    ) -> Result<Arc<Stored>, Stored> {
        let blocks = self.fragments.get_mut(&fragment_of(block.task));
        match blocks.and_then(|b| b.get_mut(&key_of(block, attempt))).filter(|here| Arc::ptr_eq(here, before)) {
            Some(place) => Ok(std::mem::replace(place, Arc::new(after))),
            None => Err(after),
        }
    }

    /// Takes one block out.
    pub(super) fn remove(&mut self, block: BlockId, attempt: Attempt) -> Option<Arc<Stored>> {
        let fragment = fragment_of(block.task);
        let blocks = self.fragments.get_mut(&fragment)?;
        let removed = blocks.remove(&key_of(block, attempt))?;
        self.len -= 1;
        if blocks.is_empty() {
            self.fragments.remove(&fragment);
        }
        Some(removed)
    }

    /// Takes a fragment's blocks out, or all of a job's.
    pub(super) fn take(&mut self, job: JobId, fragment: Option<FragmentId>) -> Vec<Blocks> {
        let taken: Vec<Blocks> = match fragment {
            Some(fragment) => self.fragments.remove(&(job, fragment)).into_iter().collect(),
            None => {
                let all = (job, FragmentId(0))..=(job, FragmentId(u32::MAX));
                let keys: Vec<_> = self.fragments.range(all).map(|(key, _)| *key).collect();
                keys.iter().filter_map(|key| self.fragments.remove(key)).collect()
            }
        };
        self.len -= taken.iter().map(BTreeMap::len).sum::<usize>();
        taken
    }

    /// Refuses what this job and those before it still bring.
    pub(super) fn close(&mut self, job: JobId) {
        self.open_from = self.open_from.max(JobId(job.0.saturating_add(1)));
    }
}
