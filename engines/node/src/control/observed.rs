//! What is seen of the running job while its machines work: progress, faults, traces, spills. None of it changes what they do.

use super::Control;
use crate::phase::Phase;
use crate::strike::{Target, Watch};
use bench_model::{
    Addr, BlockId, Bytes, Event, FragmentId, Graph, JobId, Nanos, NodeId, Note, Planned, Style, TaskFailure, TaskId,
    TaskTrace,
};
use std::sync::Arc;

impl<S: Style> Control<S> {
    /// From now on the job's progress is watched.
    pub(crate) fn watch(&mut self, watch: Watch) {
        if let Some(job) = &mut self.job {
            job.watch = Some(watch);
        }
    }

    /// The planner has answered.
    pub(crate) fn planned(&mut self, now: Nanos, planned: Planned) {
        let job = self.job.as_mut().filter(|j| j.id == planned.job);
        if let (Some(watch), Some(graph)) = (job.and_then(|j| j.watch.as_mut()), &planned.graph) {
            watch.replanned(graph.tasks());
        }
        self.feed(now, Addr::Driver, Event::Planned(planned));
    }

    /// What a fault whose time has come does to whom, until the job is over.
    pub(crate) fn target(&self, number: usize) -> Option<Target> {
        let job = self.job.as_ref().filter(|_| matches!(self.phase, Phase::Lowering | Phase::Running))?;
        job.watch.as_ref()?.target(number)
    }

    /// The job is over: nothing is done to its nodes any more.
    pub(crate) fn hush(&self) {
        if let Some(watch) = self.job.as_ref().and_then(|j| j.watch.as_ref()) {
            watch.over();
        }
    }

    /// A node of the job was asked to damage a block; this came of it.
    pub(crate) fn damaged(&mut self, job: JobId, fault: u32, now: Nanos, result: Result<BlockId, String>) {
        if let Some(watch) = self.job.as_mut().filter(|j| j.id == job).and_then(|j| j.watch.as_mut()) {
            watch.damaged(fault as usize, now, result);
        }
    }

    /// Something failed here: if it was a block's checksum, the driver's side is told.
    pub(crate) fn saw(&mut self, failure: Option<&TaskFailure>) {
        if let Some(TaskFailure::CorruptBlock(block)) = failure {
            self.note(block.task.job, Note::Damaged(*block));
        }
    }

    /// A fault that began at `now` was carried out, or could not be.
    pub(crate) fn struck(&mut self, number: usize, now: Nanos, result: Result<(), String>) {
        if let Some(watch) = self.job.as_mut().and_then(|j| j.watch.as_mut()) {
            watch.struck(number, now, result);
        }
    }

    /// Tasks have run well on another node.
    pub(crate) fn ran_on(&mut self, node: NodeId) {
        if let Some(watch) = self.job.as_mut().and_then(|j| j.watch.as_mut()) {
            watch.ran_on(node);
        }
    }

    /// The planner has looked at a finished fragment of this job, and may have changed the rest.
    pub(crate) fn replanned(&mut self, job: JobId, after: FragmentId, took: Nanos, graph: Option<&Arc<Graph>>) {
        if let Some(log) = self.job.as_mut().filter(|j| j.id == job).and_then(|j| j.log.as_mut()) {
            log.replanned(after, took, graph);
        }
    }

    /// What an attempt has done that ran well, here or on another node.
    pub(crate) fn log(&mut self, trace: TaskTrace) {
        if let Some(log) = self.job.as_mut().filter(|j| j.id == trace.task.job).and_then(|j| j.log.as_mut()) {
            log.ran(trace);
        }
    }

    /// A task has run well, here or on another node, in so much of a slot's time.
    pub(crate) fn count_ran(&mut self, task: TaskId, took: Nanos) {
        let Some(job) = self.job.as_mut().filter(|j| j.id == task.job) else { return };
        if let Some(tally) = &mut job.tally {
            tally.finished(task);
        }
        if let Some(watch) = &mut job.watch {
            watch.ran(self.now, task, took);
        }
    }

    /// An attempt at a task of a job, here or on another node, wrote that much out because memory ran short.
    pub(crate) fn count_spilled(&mut self, job: JobId, bytes: Bytes) {
        if let Some(job) = self.job.as_mut().filter(|j| j.id == job) {
            job.spilled += bytes;
        }
    }
}
