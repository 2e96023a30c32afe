//! A worker's part in P2P shuffles: it tells owners of blocks it made, and gathers what it owns itself.

use super::data::{BlockKey, Scope, Stage};
use super::{Out, Worker};
use crate::message::{Msg, Route, Up};
use bench_model::{Action, Addr, Attempt, BlockId, BlockMeta, BlockRef, FragmentId, JobId, NodeId, TaskId};
use std::collections::BTreeSet;

/// A run of a shuffle in which this worker owns partitions.
pub(crate) struct Run {
    run: u32,
    /// What the barrier waits for; none before the barrier.
    awaited: Option<BTreeSet<BlockKey>>,
}

/// Which shuffle.
type ShuffleId = (JobId, FragmentId);

impl Worker {
    pub(super) fn open_shuffle(&mut self, id: ShuffleId, run: u32) {
        self.runs.insert(id, Run { run, awaited: None });
    }

    /// Drops what this worker owns of a run.
    pub(super) fn close_shuffle(&mut self, id: ShuffleId, run: u32, out: &mut Out) {
        if self.runs.get(&id).is_some_and(|r| r.run == run) {
            self.runs.remove(&id);
            self.data.revise(Scope::Fragment(id.0, id.1), |_, part| part.owned = false, out);
        }
    }

    /// Blocks for this worker are ready somewhere: gathered at once. Those of another run are not wanted.
    pub(super) fn pushed(&mut self, id: ShuffleId, run: u32, blocks: &[BlockRef]) {
        if self.runs.get(&id).is_some_and(|r| r.run == run && r.awaited.is_none()) {
            blocks.iter().for_each(|block| {
                self.own(block);
            });
        }
    }

    /// Takes a block into possession. Whether it is here.
    fn own(&mut self, block: &BlockRef) -> bool {
        let key = (block.id, block.attempt);
        let (part, fresh) = self.data.expect(block, self.node);
        part.owned = true;
        let here = part.stage == Stage::Memory;
        if fresh {
            self.gather.want(key, 0);
        }
        here
    }

    /// Every block of the run exists. What was not pushed, because a hint was lost, is gathered now.
    pub(super) fn barrier(&mut self, id: ShuffleId, run: u32, blocks: &[BlockRef]) {
        if self.runs.get(&id).is_none_or(|r| r.run != run) {
            return;
        }
        let mut awaited = BTreeSet::new();
        for block in blocks {
            if !self.own(block) {
                awaited.insert((block.id, block.attempt));
            }
        }
        let complete = awaited.is_empty();
        if let Some(state) = self.runs.get_mut(&id) {
            state.awaited = Some(awaited);
        }
        if complete {
            self.tell(Up::Gathered { job: id.0, shuffle: id.1, run, lost: None });
        }
    }

    /// A block that may be owned is here.
    pub(super) fn owned_arrived(&mut self, key: &BlockKey) {
        let id = (key.0.task.job, key.0.task.fragment);
        let Some(state) = self.runs.get_mut(&id) else { return };
        let run = state.run;
        if let Some(awaited) = &mut state.awaited
            && awaited.remove(key)
            && awaited.is_empty()
        {
            self.tell(Up::Gathered { job: id.0, shuffle: id.1, run, lost: None });
        }
    }

    /// A block that may be owned cannot be had. Before the barrier that is nobody's business yet.
    pub(super) fn owned_lost(&mut self, block: &BlockRef) {
        let id = (block.id.task.job, block.id.task.fragment);
        let Some(state) = self.runs.get_mut(&id) else { return };
        let run = state.run;
        if let Some(awaited) = &mut state.awaited
            && awaited.remove(&(block.id, block.attempt))
        {
            self.tell(Up::Gathered { job: id.0, shuffle: id.1, run, lost: Some(Box::new(*block)) });
        }
    }

    /// Whether this worker owns an output of the run.
    pub(super) fn owns(&self, task: TaskId, output: u32, route: &Route) -> bool {
        let mine = route.owners.get(output as usize) == Some(&self.node);
        mine && self.runs.get(&(task.job, task.fragment)).is_some_and(|r| r.run == route.run)
    }

    /// Tells the owners of a key's blocks where they are. Neighboring outputs have the same owner, so each hears once.
    pub(super) fn push(&self, (task, attempt): (TaskId, Attempt), blocks: &[BlockMeta], route: &Route, out: &mut Out) {
        let mut hints: Vec<(NodeId, Vec<BlockRef>)> = Vec::new();
        for ((output, meta), owner) in (0..).zip(blocks).zip(route.owners.iter()) {
            if *owner == self.node {
                continue;
            }
            let block = BlockRef { id: BlockId { task, output }, attempt, node: self.node, meta: *meta };
            match hints.last_mut().filter(|(last, _)| last == owner) {
                Some((_, blocks)) => blocks.push(block),
                None => hints.push((*owner, vec![block])),
            }
        }
        for (owner, blocks) in hints {
            let msg = Msg::Push { job: task.job, shuffle: task.fragment, run: route.run, blocks };
            out.push(Action::Send { to: Addr::Node(owner), msg });
        }
    }
}
