//! What follows from what workers report about keys.

use super::Cx;
use super::job::Job;
use super::key::{Holders, Loss, State};
use super::workers::WorkerIx;
use crate::message::Failed;
use bench_model::{Attempt, BlockMeta, BlockRef, JobError, Nanos, Note, TaskFailure, TaskId};

/// How often the blocks of one task may be found lost. A disk or a host that damages what it is given ends here.
const LOSSES_MAX: u32 = 5;

impl Job {
    /// A key's blocks are in a worker's memory.
    pub(crate) fn done(
        &mut self,
        cx: &mut Cx<'_>,
        at: WorkerIx,
        (task, attempt): (TaskId, Attempt),
        blocks: &[BlockMeta],
        took: Nanos,
    ) {
        let Some(key) = self.plan.key_of(task) else { return };
        let state = self.key(key);
        let current = state.runs_as(at, attempt) || (cx.settings.planted && state.state == State::Processing);
        if !current {
            self.release_on(cx, at, key, attempt);
            self.note(cx, Note::Ignored(task, attempt));
            return;
        }
        if blocks.len() != self.blocks(key).len() {
            let failure = TaskFailure::Transient(format!("{task} reported {} blocks", blocks.len()));
            self.release_on(cx, at, key, attempt);
            self.failed(cx, at, &Failed { task, attempt, step: task, failure, lost: None });
            return;
        }
        if self.key(key).measured && !same_rows(self.blocks(key), blocks) && self.was_used(key) {
            self.end(Err(JobError::ChecksumChanged(task)));
            return;
        }
        let made = if cx.settings.planted { self.key(key).attempt() } else { attempt };
        let state = &mut self.keys[key as usize];
        let start = state.metas as usize;
        self.metas[start..start + blocks.len()].copy_from_slice(blocks);
        state.measured = true;
        state.made = made;
        state.bytes = blocks.iter().map(|b| b.bytes.get()).sum();
        state.holders = Holders::One(at);
        self.measured(key, took.get());
        self.transition(cx, key, State::Memory);
        self.settle(cx);
    }

    /// Whether anybody may have read a key's blocks.
    fn was_used(&self, key: u32) -> bool {
        self.plan.dependents.of(key).iter().any(|reader| {
            let barrier = self.plan.specs[*reader as usize].is_barrier();
            self.key(*reader).tries > 0
                || (barrier && self.plan.dependents.of(*reader).iter().any(|r| self.key(*r).tries > 0))
        })
    }

    /// A key could not be computed: tried again, or the end of the job.
    pub(crate) fn failed(&mut self, cx: &mut Cx<'_>, at: WorkerIx, failed: &Failed) {
        let Failed { task, attempt, step, failure, lost } = failed.clone();
        let Some(key) = self.plan.key_of(task).filter(|k| self.key(*k).runs_as(at, attempt)) else { return };
        self.note(cx, Note::Retried(step, failure.to_string()));
        match failure {
            TaskFailure::MissingBlock(block) | TaskFailure::CorruptBlock(block) => match lost {
                Some(lost) => self.block_lost(cx, &lost),
                // A block between two tasks of one key: the key starts over.
                None => self.count_loss(block.task),
            },
            TaskFailure::Fatal(_) => {
                let attempts = self.failures.get(&step).copied().unwrap_or(0) + 1;
                self.give_up(cx, key, JobError::Task { task: step, attempts, failure });
            }
            TaskFailure::Transient(_) | TaskFailure::OutOfMemory(_) | TaskFailure::Cancelled => {
                let failures = self.failures.entry(step).or_default();
                *failures += 1;
                let attempts = *failures;
                if attempts > cx.settings.retries {
                    self.give_up(cx, key, JobError::Task { task: step, attempts, failure });
                }
            }
        }
        if self.key(key).state == State::Processing {
            self.transition(cx, key, State::Waiting);
        }
        self.settle(cx);
    }

    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>, key: u32, error: JobError) {
        self.transition(cx, key, State::Erred);
        self.end(Err(error));
    }

    /// A reader found a block missing or corrupt where it should be. The caller settles.
    fn block_lost(&mut self, cx: &mut Cx<'_>, lost: &BlockRef) {
        let Some(key) = self.plan.key_of(lost.id.task) else { return };
        // If the key was made again since, nothing new is lost.
        if self.key(key).made != lost.attempt {
            return;
        }
        if let Some(shuffle) = self.plan.shuffle_of(self.plan.specs[key as usize].fragment) {
            if self.shuffles[shuffle].open {
                self.count_loss(lost.id.task);
                self.restart_shuffles(cx, &[shuffle]);
            }
            return;
        }
        if self.drop_replica(cx, key, &Loss { node: lost.node, attempt: lost.attempt }) {
            self.count_loss(lost.id.task);
            if self.key(key).holders.is_empty() {
                self.transition(cx, key, State::Released);
            }
        }
    }

    /// Takes a copy from the books, and tells its worker in case it still has it; false if it was not in the books.
    pub(super) fn drop_replica(&mut self, cx: &mut Cx<'_>, key: u32, loss: &Loss) -> bool {
        let Some(at) = cx.workers.at(loss.node) else { return false };
        let state = &mut self.keys[key as usize];
        if state.state != State::Memory || !state.holders.remove(at) {
            return false;
        }
        let bytes = state.bytes;
        if let Some(worker) = cx.workers.get_mut(at) {
            worker.bytes = worker.bytes.saturating_sub(bytes);
        }
        self.release_on(cx, at, key, loss.attempt);
        true
    }

    pub(super) fn count_loss(&mut self, task: TaskId) {
        let losses = self.losses.entry(task).or_default();
        *losses += 1;
        let times = *losses;
        if times > LOSSES_MAX {
            self.end(Err(JobError::Unstable { fragment: task.fragment, times }));
        }
    }
}

/// Whether two runs of a task wrote the same rows. Their sizes in bytes may differ.
fn same_rows(a: &[BlockMeta], b: &[BlockMeta]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.rows, a.checksum) == (b.rows, b.checksum))
}
