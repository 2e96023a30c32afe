//! Gathering dependencies: a bounded number of blocks, and of bytes, at a time, the most urgent first.

use super::data::{BlockKey, Stage};
use super::work::{Phase, Work};
use super::{Out, Worker};
use crate::message::{Failed, Up};
use bench_model::{Action, BlockRef, JobId, Storage, TaskFailure, TaskId};
use std::collections::{BTreeMap, VecDeque};

#[derive(Default)]
pub(crate) struct Gather {
    /// Blocks to gather by job and priority, in the order they were asked for; no queue is empty. May hold blocks that are
    /// not wanted any more.
    queues: BTreeMap<(JobId, u32), VecDeque<BlockKey>>,
    /// Blocks on their way, wanted or not, and their bytes.
    flights: BTreeMap<BlockKey, u64>,
    bytes: u64,
}

impl Gather {
    /// A block is wanted with the priority of who wants it.
    pub(crate) fn want(&mut self, key: BlockKey, priority: u32) {
        self.queues.entry((key.0.task.job, priority)).or_default().push_back(key);
    }

    /// The most urgent block and what it is wanted with.
    fn next(&mut self) -> Option<(u32, BlockKey)> {
        let mut first = self.queues.first_entry()?;
        let key = first.get_mut().pop_front()?;
        let (_, priority) = *first.key();
        if first.get().is_empty() {
            first.remove();
        }
        Some((priority, key))
    }

    /// It could not be gathered yet and is still the next of its priority.
    fn put_back(&mut self, key: BlockKey, priority: u32) {
        self.queues.entry((key.0.task.job, priority)).or_default().push_front(key);
    }

    pub(crate) fn is_flying(&self, key: &BlockKey) -> bool {
        self.flights.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Nothing is wanted any more; what is on its way still arrives.
    pub(crate) fn clear(&mut self) {
        self.queues.clear();
    }

    fn landed(&mut self, key: &BlockKey) {
        if let Some(bytes) = self.flights.remove(key) {
            self.bytes -= bytes;
        }
    }
}

impl Worker {
    /// Starts as many transfers as may run.
    pub(super) fn start_fetches(&mut self, out: &mut Out) {
        while !self.memory.is_paused() && self.gather.flights.len() < self.limits.transfers {
            let Some((priority, key)) = self.gather.next() else { return };
            let Some(part) = self.data.get_mut(&key).filter(|p| p.stage == Stage::Fetch) else { continue };
            let bytes = part.meta.bytes.get();
            if self.gather.is_flying(&key) {
                part.stage = Stage::Flight;
                continue;
            }
            let fits = self.gather.bytes + bytes <= self.limits.transfer_bytes;
            if !fits && !self.gather.flights.is_empty() {
                self.gather.put_back(key, priority);
                return;
            }
            part.stage = Stage::Flight;
            self.gather.flights.insert(key, bytes);
            self.gather.bytes += bytes;
            let block = BlockRef { id: key.0, attempt: key.1, node: part.source, meta: part.meta };
            out.push(Action::Fetch { block, storage: Storage::Heap });
        }
    }

    /// A transfer ended.
    pub(super) fn fetched(&mut self, block: BlockRef, result: Result<(), TaskFailure>, out: &mut Out) {
        let key = (block.id, block.attempt);
        self.gather.landed(&key);
        let Some(part) = self.data.get_mut(&key) else {
            // Nobody wants it any more.
            if result.is_ok() {
                out.push(Action::Release { block: key.0, attempt: key.1 });
            }
            return;
        };
        if part.stage == Stage::Memory {
            return;
        }
        match result {
            Ok(()) => self.arrived(&key, out),
            Err(failure) => self.cannot_be_had(&block, &failure, out),
        }
    }

    fn arrived(&mut self, key: &BlockKey, out: &mut Out) {
        self.data.arrived(key);
        let Some(part) = self.data.get_mut(key) else { return };
        let waiting = std::mem::take(&mut part.waiting);
        if part.kept {
            self.tell(Up::Added { task: key.0.task, attempt: key.1 });
        }
        for reader in waiting {
            self.input_arrived(reader);
        }
        self.owned_arrived(key);
        self.data.drop_if_idle(key, out);
        self.spill_to_target(out);
    }

    /// Whoever waits for the block is given back to the scheduler, which knows other copies or has it made again.
    fn cannot_be_had(&mut self, block: &BlockRef, failure: &TaskFailure, out: &mut Out) {
        let mut waiting = self.data.lost(&(block.id, block.attempt), out);
        waiting.sort_unstable();
        waiting.dedup();
        self.give_back(waiting, block, failure, out);
        self.owned_lost(block);
    }

    fn give_back(&mut self, readers: Vec<TaskId>, block: &BlockRef, failure: &TaskFailure, out: &mut Out) {
        for reader in readers {
            if let Some(work) = self.works.get(&reader) {
                let attempt = work.order.attempt();
                let failure = failure.clone();
                let failed = Failed { task: reader, attempt, step: reader, failure, lost: Some(*block) };
                self.tell(Up::Failed(Box::new(failed)));
                self.end_work(reader, out);
            }
        }
    }

    /// What is here under that name is not what it should be. It goes, lest it be read or counted on again; keys that
    /// have not begun to read it are given back to the scheduler, the others will find out themselves.
    pub(super) fn spoilt(&mut self, block: &BlockRef, failure: &TaskFailure, out: &mut Out) {
        self.data.lost(&(block.id, block.attempt), out);
        let reads = |work: &Work| {
            work.order.first.inputs.iter().flatten().any(|b| (b.id, b.attempt) == (block.id, block.attempt))
        };
        let idle = self.works.iter().filter(|(_, work)| work.phase != Phase::Executing && reads(work));
        let mut readers: Vec<TaskId> = idle.map(|(task, _)| *task).collect();
        readers.sort_unstable();
        self.give_back(readers, block, failure, out);
    }
}
