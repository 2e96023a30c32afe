//! What follows from an attempt's end.

use super::run::{NOWHERE, Run, State};
use super::{Cx, Verdict};
use crate::message::{Note, Outcome, Part};
use bench_model::{Action, Addr, Attempt, BlockMeta, BlockRef, JobError, NodeId, Note as Seen, TaskFailure};

impl Run {
    /// A node says how an attempt ended.
    pub(super) fn done(&mut self, cx: &mut Cx<'_>, from: NodeId, part: Part, attempt: u32, outcome: &Outcome) {
        let Some(task) = self.submitted(from, part, attempt) else {
            if self.layout.number(part).is_some() {
                self.tell(cx, Seen::Ignored(self.layout.id(part), Attempt(attempt)));
            }
            return;
        };
        let unfounded = self.task(task).ahead && !self.was_called_before(part);
        self.lease_ended(cx, task, part);
        // Until something better is known; a run that is over stays here.
        (self.task_mut(task).state, self.task_mut(task).waits) = (State::Waiting, 1);
        if self.over {
            return;
        }
        match outcome {
            Outcome::Ran(metas) if unfounded => {
                for output in 0..metas.len() as u32 {
                    cx.links.send(Addr::Node(from), Note::Release(self.id, part, attempt, output));
                }
                self.failed(cx, task, part, &TaskFailure::Cancelled);
            }
            Outcome::Ran(metas) if metas.len() == self.layout.blocks(part).len() => self.ran(cx, task, part, metas),
            Outcome::Ran(metas) => {
                let message = format!("reported {} blocks instead of {}", metas.len(), self.layout.blocks(part).len());
                self.failed(cx, task, part, &TaskFailure::Transient(message));
            }
            Outcome::Failed(failure) => self.failed(cx, task, part, failure),
            Outcome::Lost { block, at } => {
                self.argument_lost(cx, part, block, *at);
                self.revive_all(cx);
                self.requeue(part, task);
                let why = TaskFailure::MissingBlock(block.id).to_string();
                self.tell(cx, Seen::Retried(self.layout.id(part), why));
            }
        }
    }

    /// Its blocks are there: readers may run, what it read may be dropped, the job may be over.
    fn ran(&mut self, cx: &mut Cx<'_>, task: u32, part: Part, metas: &[BlockMeta]) {
        let blocks = self.layout.blocks(part);
        let first = !self.task(task).primed;
        if self.task(task).used && !self.same_rows(part, metas) {
            self.fail(cx, JobError::ChecksumChanged(self.layout.id(part)));
            return;
        }
        if first {
            self.count_readers(part);
        }
        let node = self.task(task).node;
        for (block, meta) in blocks.clone().zip(metas) {
            let block = &mut self.blocks[block as usize];
            block.meta = *meta;
            block.node = node;
            self.unread += meta.bytes.get();
        }
        let state = self.task_mut(task);
        state.state = State::Done;
        state.live = blocks.len() as u32;
        self.left[part.fragment as usize] -= 1;
        for (block, output) in blocks.zip(0..) {
            if self.blocks[block as usize].readers == 0 {
                self.release(cx, part, output, None);
            }
        }
        self.has_read(cx, part, NodeId(node));
        self.available(part, first);
        if self.is_spread() {
            self.publish(cx, part, None);
        }
        self.call_ended(cx, part, task);
        self.map_ended(cx, part);
        if part.fragment == self.layout.result && self.left[part.fragment as usize] == 0 {
            self.answer(cx);
        }
    }

    /// Whether these are the rows it gave before, if it did. Sizes in bytes may differ.
    pub(super) fn same_rows(&self, part: Part, metas: &[BlockMeta]) -> bool {
        let blocks = self.layout.blocks(part);
        let task = self.layout.tasks(part.fragment).start + part.partition;
        let same = |(block, meta): (u32, &BlockMeta)| {
            let old = &self.blocks[block as usize].meta;
            (old.rows, old.checksum) == (meta.rows, meta.checksum)
        };
        !self.task(task).primed || blocks.zip(metas).all(same)
    }

    fn failed(&mut self, cx: &mut Cx<'_>, task: u32, part: Part, failure: &TaskFailure) {
        let id = self.layout.id(part);
        let failures = &mut self.tasks[task as usize].failures;
        if *failure != TaskFailure::Cancelled {
            *failures += 1;
        }
        let attempts = *failures;
        if matches!(failure, TaskFailure::Fatal(_)) || attempts > cx.settings.max_retries {
            self.fail(cx, JobError::Task { task: id, attempts, failure: failure.clone() });
        } else {
            self.requeue(part, task);
            self.tell(cx, Seen::Retried(id, failure.to_string()));
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>) {
        let fragment = self.layout.result;
        let mut answer = Vec::new();
        for (partition, task) in self.layout.tasks(fragment).enumerate() {
            let part = Part { fragment, partition: partition as u32 };
            let attempt = Attempt(self.task(task).next.saturating_sub(1));
            for (block, output) in self.layout.blocks(part).zip(0..) {
                let block = &self.blocks[block as usize];
                debug_assert_ne!(block.node, NOWHERE);
                let id = self.layout.block_id(part, output);
                answer.push(BlockRef { id, attempt, node: NodeId(block.node), meta: block.meta });
            }
        }
        self.over = true;
        cx.verdicts.push(Verdict::Answer(self.id, answer));
    }

    /// The run cannot succeed.
    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, error: JobError) {
        if !std::mem::replace(&mut self.over, true) {
            cx.verdicts.push(Verdict::Failed(self.id, error));
        }
    }

    pub(super) fn tell(&self, cx: &mut Cx<'_>, note: Seen) {
        cx.out.push(Action::Note { job: self.layout.job, note });
    }
}
