//! What follows from an attempt's end: its blocks are committed, or it is tried again, or the job fails.

use super::job::Job;
use super::nodes::Flight;
use super::stage::{StageIx, Status};
use super::{Cx, Place};
use crate::message::Outcome;
use bench_model::{BlockMeta, JobError, Note, TaskFailure, TaskReport};

impl Job {
    /// An attempt whose result counts has ended.
    pub(crate) fn attempt_ended(&mut self, cx: &mut Cx<'_>, place: Place, flight: &Flight, outcome: Outcome) {
        self.stage_mut(flight.stage).task_mut(flight.task.partition).remove_copy(place);
        match outcome {
            Outcome::Ran(Ok(report)) => self.commit(cx, place, flight, report),
            Outcome::Ran(Err(failure)) => self.failed(cx, flight, failure),
            Outcome::NotStarted => self.try_again(cx, flight, "its launch was lost".to_owned()),
        }
    }

    /// The first finished attempt wins: its blocks are the task's blocks, every other copy is stopped.
    fn commit(&mut self, cx: &mut Cx<'_>, place: Place, flight: &Flight, report: TaskReport) {
        let (ix, partition) = (flight.stage, flight.task.partition);
        let outputs = self.fragment(ix).map_or(0, |f| f.outputs as usize);
        if report.blocks.len() != outputs {
            let message = format!("reported {} blocks instead of {outputs}", report.blocks.len());
            self.failed(cx, flight, TaskFailure::Transient(message));
            return;
        }
        let task = self.stage_mut(ix).task_mut(partition);
        for other in task.copies.iter_mut().filter_map(Option::take) {
            cx.cancel(other);
        }
        let differs = !task.blocks.is_empty() && !same_rows(&task.blocks, &report.blocks);
        if differs && !self.accept_changed(cx, ix, partition) {
            self.end(cx, Err(JobError::ChecksumChanged(flight.task)));
            return;
        }
        let clock = cx.next_clock();
        let stage = self.stage_mut(ix);
        if stage.tasks.len() > 1 {
            stage.durations.push(cx.now.saturating_sub(flight.launched));
        }
        let task = stage.task_mut(partition);
        task.status = Status::Done;
        task.attempt = flight.attempt;
        task.node = place.node;
        task.committed = clock;
        task.blocks = report.blocks;
        stage.open -= 1;
        if stage.open == 0 {
            self.completed(cx, ix);
        }
    }

    fn failed(&mut self, cx: &mut Cx<'_>, flight: &Flight, failure: TaskFailure) {
        let (ix, partition) = (flight.stage, flight.task.partition);
        match failure {
            TaskFailure::MissingBlock(block) | TaskFailure::CorruptBlock(block) => {
                let why = failure.to_string();
                self.try_again(cx, flight, why);
                self.block_lost(cx, flight, block);
            }
            TaskFailure::Fatal(_) => {
                let attempts = self.stage(ix).task(partition).failures + 1;
                self.end(cx, Err(JobError::Task { task: flight.task, attempts, failure }));
            }
            TaskFailure::Transient(_) | TaskFailure::OutOfMemory(_) | TaskFailure::Cancelled => {
                let task = self.stage_mut(ix).task_mut(partition);
                task.failures += 1;
                let attempts = task.failures;
                if attempts >= cx.settings.max_attempts {
                    self.end(cx, Err(JobError::Task { task: flight.task, attempts, failure }));
                } else {
                    self.try_again(cx, flight, failure.to_string());
                }
            }
        }
    }

    /// Queues a task of which no copy runs any more.
    pub(crate) fn try_again(&mut self, cx: &mut Cx<'_>, flight: &Flight, why: String) {
        let (ix, partition) = (flight.stage, flight.task.partition);
        let stage = self.stage_mut(ix);
        let task = stage.task(partition);
        if task.status == Status::Running && task.copies.iter().all(Option::is_none) {
            stage.requeue(partition);
            self.list(ix);
            cx.note(self.id, Note::Retried(flight.task, why));
        }
    }

    /// Whether other rows than before may be accepted for a task that ran again: only if nobody used the earlier ones.
    /// Readers that may have begun to are started over.
    fn accept_changed(&mut self, cx: &mut Cx<'_>, ix: StageIx, partition: u32) -> bool {
        let mut running = Vec::new();
        for consumer in &self.stage(ix).consumers {
            let stage = self.stage(*consumer);
            for (reader, task) in stage.tasks.iter().enumerate() {
                let reader = reader as u32;
                if task.status != Status::Queued && self.reads_task(*consumer, reader, (ix, partition)) {
                    if task.status != Status::Running {
                        return false;
                    }
                    running.push((*consumer, reader));
                }
            }
        }
        for (consumer, reader) in running {
            let stage = self.stage_mut(consumer);
            for copy in stage.task_mut(reader).copies.iter_mut().filter_map(Option::take) {
                cx.cancel(copy);
            }
            stage.requeue(reader);
            self.list(consumer);
        }
        true
    }

    /// Whether task `reader` of stage `consumer` reads any block of a task.
    fn reads_task(&self, consumer: StageIx, reader: u32, (producer, partition): (StageIx, u32)) -> bool {
        let (Some(fragment), Some(source)) = (self.fragment(consumer), self.fragment(producer)) else { return false };
        let inputs = fragment.inputs.iter().filter(|i| i.from == source.id);
        inputs
            .into_iter()
            .any(|input| fragment.reads(self.id, input, source, reader).any(|block| block.task.partition == partition))
    }
}

/// Whether two runs of a task wrote the same rows. Their sizes in bytes may differ.
fn same_rows(a: &[BlockMeta], b: &[BlockMeta]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.rows, a.checksum) == (b.rows, b.checksum))
}
