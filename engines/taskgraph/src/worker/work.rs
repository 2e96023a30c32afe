//! The keys a worker was given: waiting for inputs, ready, executing.

use super::data::Stage;
use super::{Out, Worker};
use crate::message::{Failed, Order, Up};
use crate::stream::Shared;
use bench_model::{
    Action, Assignment, Attempt, BlockId, BlockMeta, BlockRef, JobId, Nanos, TaskFailure, TaskId, TaskReport,
};
use std::cmp::Reverse;

/// What becomes of a key here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Inputs are missing.
    Waiting,
    /// It could run.
    Ready,
    /// One of its tasks runs.
    Executing,
}

pub(crate) struct Work {
    pub(crate) order: Shared<Order>,
    pub(crate) phase: Phase,
    /// Reads of blocks that are not here.
    pub(crate) missing: u32,
    /// Which of its tasks runs: 0 is the first.
    step: usize,
    started: Nanos,
}

/// A place among the keys that could run: job, priority, key.
pub(crate) type Rank = (JobId, u32, TaskId, Attempt);

impl Work {
    fn rank(&self, task: TaskId) -> Rank {
        (task.job, self.order.priority, task, self.order.attempt())
    }
}

impl Worker {
    /// The scheduler wants a key.
    pub(super) fn compute(&mut self, order: &Shared<Order>, out: &mut Out) {
        let task = order.task();
        if self.works.contains_key(&task) {
            self.stop_work(task, out);
        }
        self.jobs.insert(task.job);
        let mut missing = 0;
        for (number, input) in order.first.inputs.iter().enumerate() {
            let kept = number < 64 && order.kept & (1 << number) != 0;
            for block in input {
                let key = (block.id, block.attempt);
                let (part, fresh) = self.data.expect(block, self.node);
                part.users += 1;
                let here = part.stage == Stage::Memory;
                if !here {
                    missing += 1;
                    part.waiting.push(task);
                }
                // A copy that the scheduler does not know of yet, or not any more.
                let copy = kept && block.node != self.node && !std::mem::replace(&mut part.kept, true);
                if copy && here {
                    self.tell(Up::Added { task: block.id.task, attempt: block.attempt });
                }
                if fresh {
                    self.gather.want(key, order.priority);
                }
            }
        }
        let phase = if missing == 0 { Phase::Ready } else { Phase::Waiting };
        let work = Work { order: order.clone(), phase, missing, step: 0, started: Nanos::ZERO };
        if missing == 0 {
            self.ready.push(Reverse(work.rank(task)));
        }
        self.works.insert(task, work);
    }

    /// One of the blocks that a key waits for is here.
    pub(super) fn input_arrived(&mut self, task: TaskId) {
        let Some(work) = self.works.get_mut(&task) else { return };
        work.missing = work.missing.saturating_sub(1);
        if work.missing == 0 && work.phase == Phase::Waiting {
            work.phase = Phase::Ready;
            self.ready.push(Reverse(work.rank(task)));
        }
    }

    /// Fills free slots with the most urgent keys.
    pub(super) fn start_ready(&mut self, now: Nanos, out: &mut Out) {
        let slots = self.memory.slots(self.slots);
        while self.running.len() + self.zombies.len() < slots && !self.memory.is_paused() {
            let Some(Reverse((_, _, task, attempt))) = self.ready.pop() else { return };
            let Some(work) = self.works.get_mut(&task) else { continue };
            if work.phase != Phase::Ready || work.order.attempt() != attempt {
                continue;
            }
            work.phase = Phase::Executing;
            work.started = now;
            let mut assignment = work.order.first.clone();
            for block in assignment.inputs.iter_mut().flatten() {
                block.node = self.node;
                self.data.touch(&(block.id, block.attempt));
            }
            self.running.push((assignment.task, attempt, task));
            out.push(Action::Run(assignment));
        }
    }

    /// An attempt ended.
    pub(super) fn ran(
        &mut self,
        now: Nanos,
        (step, attempt): (TaskId, Attempt),
        result: Result<TaskReport, TaskFailure>,
        out: &mut Out,
    ) {
        if let Some(place) = self.zombies.iter().position(|z| *z == (step, attempt)) {
            self.zombies.swap_remove(place);
            if let Ok(report) = result {
                release(step, attempt, report.blocks.len(), out);
            }
            return;
        }
        let Some(place) = self.running.iter().position(|(s, a, _)| (*s, *a) == (step, attempt)) else { return };
        let task = self.running[place].2;
        let Some(work) = self.works.get_mut(&task) else { return };
        let order = work.order.clone();
        if let Some(before) = work.step.checked_sub(1).and_then(|s| step_of(&order, s)) {
            release(before.task, attempt, before.outputs as usize, out);
        }
        let outputs = step_of(&order, work.step).map_or(0, |a| a.outputs as usize);
        let failure = match result {
            Ok(report) if report.blocks.len() == outputs => {
                if let Some(next) = order.rest.get(work.step) {
                    work.step += 1;
                    self.running[place].0 = next.task;
                    out.push(Action::Run(self.fused(next, step, &report.blocks)));
                } else {
                    let took = now.saturating_sub(work.started);
                    self.running.swap_remove(place);
                    self.done(&order, report.blocks, took, out);
                }
                return;
            }
            Ok(report) => {
                release(step, attempt, report.blocks.len(), out);
                TaskFailure::Transient(format!("{step} wrote {} blocks instead of {outputs}", report.blocks.len()))
            }
            Err(failure) => failure,
        };
        self.running.swap_remove(place);
        self.failed(&order, step, failure, out);
    }

    /// The next task of a fused key: it reads what the one before has just written.
    fn fused(&self, next: &Assignment, before: TaskId, blocks: &[BlockMeta]) -> Assignment {
        let attempt = next.attempt;
        let block = |(output, meta): (u32, &BlockMeta)| BlockRef {
            id: BlockId { task: before, output },
            attempt,
            node: self.node,
            meta: *meta,
        };
        Assignment { inputs: vec![(0..).zip(blocks).map(block).collect()], ..next.clone() }
    }

    fn done(&mut self, order: &Order, blocks: Vec<BlockMeta>, took: Nanos, out: &mut Out) {
        let (task, attempt) = (order.task(), order.attempt());
        for (output, meta) in (0..).zip(&blocks) {
            let owned = order.route.as_ref().is_some_and(|route| self.owns(task, output, route));
            self.data.made((BlockId { task, output }, attempt), self.node, *meta, owned);
        }
        if let Some(route) = &order.route {
            self.push((task, attempt), &blocks, route, out);
        }
        self.tell(Up::Done { task, attempt, blocks, took });
        self.end_work(task, out);
        self.spill_to_target(out);
    }

    fn failed(&mut self, order: &Order, step: TaskId, failure: TaskFailure, out: &mut Out) {
        let (task, attempt) = (order.task(), order.attempt());
        let mut lost = None;
        if let TaskFailure::MissingBlock(id) | TaskFailure::CorruptBlock(id) = &failure
            && let Some(block) = order.first.inputs.iter().flatten().find(|b| b.id == *id)
        {
            lost = Some(BlockRef { node: self.node, ..*block });
        }
        self.tell(Up::Failed(Box::new(Failed { task, attempt, step, failure: failure.clone(), lost })));
        self.end_work(task, out);
        if let Some(block) = lost {
            self.spoilt(&block, &failure, out);
        }
    }

    /// A key is not this worker's business any more; it does not run.
    pub(super) fn end_work(&mut self, task: TaskId, out: &mut Out) {
        let Some(work) = self.works.remove(&task) else { return };
        for block in work.order.first.inputs.iter().flatten() {
            self.data.let_go(&(block.id, block.attempt), task, out);
        }
    }

    /// A key is not wanted any more, whatever it is doing.
    pub(super) fn stop_work(&mut self, task: TaskId, out: &mut Out) {
        if let Some(place) = self.running.iter().position(|(_, _, key)| *key == task) {
            let (step, attempt, _) = self.running.swap_remove(place);
            self.zombies.push((step, attempt));
            out.push(Action::Cancel { task: step, attempt });
            let before = self.works.get(&task).and_then(|w| step_of(&w.order, w.step.checked_sub(1)?));
            if let Some(before) = before {
                release(before.task, attempt, before.outputs as usize, out);
            }
        }
        self.end_work(task, out);
    }

    pub(super) fn cancel(&mut self, task: TaskId, attempt: Attempt, out: &mut Out) {
        if self.works.get(&task).is_some_and(|w| w.order.attempt() == attempt) {
            self.stop_work(task, out);
        }
    }

    /// Gives a key back if it has not started.
    pub(super) fn steal(&mut self, task: TaskId, attempt: Attempt, out: &mut Out) {
        let idle = |w: &Work| w.order.attempt() == attempt && w.phase != Phase::Executing;
        let given = self.works.get(&task).is_some_and(idle);
        if given {
            self.end_work(task, out);
        }
        self.tell(Up::Stolen { task, attempt, given });
    }
}

fn step_of(order: &Order, step: usize) -> Option<&Assignment> {
    step.checked_sub(1).map_or(Some(&order.first), |rest| order.rest.get(rest))
}

fn release(task: TaskId, attempt: Attempt, blocks: usize, out: &mut Out) {
    out.extend((0..blocks as u32).map(|output| Action::Release { block: BlockId { task, output }, attempt }));
}
