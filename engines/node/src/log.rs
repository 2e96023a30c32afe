//! What each task of the running job did, for a later replay.

use bench_model::{
    Attempt, BlockId, BlockRef, Copied, FragmentId, Graph, JobTrace, Nanos, Replanning, SpanReport, StyleEnv,
    TRACE_SCHEMA, TaskTrace,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A job of more attempts leaves no trace: it would take megabytes and say nothing that its spans do not.
pub(crate) const TASKS_MAX: usize = 20_000;
/// Nor does one of more blocks.
const BLOCKS_MAX: usize = 500_000;

/// The attempts of a job, as they end.
pub(crate) struct Log {
    graph: Arc<Graph>,
    submitted: Nanos,
    finished: Option<Nanos>,
    replanning: Vec<Replanning>,
    spills: u64,
    tasks: Vec<TaskTrace>,
    copied: Copied,
    blocks: usize,
    overflowed: bool,
}

impl Log {
    /// The machines got the job now.
    pub(crate) fn new(graph: Arc<Graph>, submitted: Nanos) -> Self {
        Self {
            graph,
            submitted,
            finished: None,
            replanning: Vec::new(),
            spills: 0,
            tasks: Vec::new(),
            copied: Copied::default(),
            blocks: 0,
            overflowed: false,
        }
    }

    /// Whether it still takes in attempts.
    pub(crate) fn is_open(&self) -> bool {
        !self.overflowed
    }

    /// An attempt has run well, here or on another node.
    pub(crate) fn ran(&mut self, trace: TaskTrace) {
        self.copied.bytes += trace.copied.bytes;
        self.copied.took_ns += trace.copied.took_ns;
        self.blocks += trace.blocks.len();
        self.overflowed |= self.tasks.len() >= TASKS_MAX || self.blocks > BLOCKS_MAX;
        if self.overflowed {
            self.tasks = Vec::new();
        } else {
            self.tasks.push(trace);
        }
    }

    /// The planner has looked at the sizes of a finished fragment.
    pub(crate) fn replanned(&mut self, after: FragmentId, took_ns: Nanos, graph: Option<&Arc<Graph>>) {
        self.replanning.push(Replanning { after, took_ns });
        if let Some(graph) = graph {
            self.graph = Arc::clone(graph);
        }
    }

    /// A block was moved from memory to disk.
    pub(crate) fn spilled(&mut self) {
        self.spills += 1;
    }

    /// The machines have finished the job.
    pub(crate) fn finished(&mut self, now: Nanos) {
        self.finished = Some(now);
    }

    /// The trace of a job that began at `began`; none if it was too large or did not end well.
    pub(crate) fn close(
        self,
        began: Nanos,
        spans: &SpanReport,
        style: &str,
        nodes: u32,
        env: &StyleEnv,
    ) -> Option<JobTrace> {
        let finished = self.finished.filter(|_| !self.overflowed)?;
        let mut graph = Graph::clone(&self.graph);
        for fragment in &mut graph.fragments {
            fragment.call.args = Default::default();
        }
        Some(JobTrace {
            schema: TRACE_SCHEMA,
            style: style.to_owned(),
            settings: env.tuning.iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect(),
            nodes,
            slots: env.slots,
            memory_bytes: env.memory,
            spans: spans.clone(),
            planned_ns: self.submitted - began,
            finished_ns: finished - began,
            replanning: self.replanning,
            spills: self.spills,
            copied: self.copied,
            graph,
            tasks: self.tasks,
        })
    }
}

/// What a node copies from others, if its slots account for their time.
#[derive(Default)]
pub(crate) struct Copies {
    /// Since when which block has been on its way.
    under_way: BTreeMap<(BlockId, Attempt), Nanos>,
    done: Copied,
}

impl Copies {
    /// A block was asked for.
    pub(crate) fn begin(&mut self, block: &BlockRef, now: Nanos) {
        self.under_way.entry((block.id, block.attempt)).or_insert(now);
    }

    /// It is here, or is not to be had.
    pub(crate) fn end(&mut self, block: &BlockRef, now: Nanos, arrived: bool) {
        let began = self.under_way.remove(&(block.id, block.attempt));
        if let Some(began) = began.filter(|_| arrived) {
            self.done.bytes += block.meta.bytes;
            self.done.took_ns += now.saturating_sub(began);
        }
    }

    /// What has arrived since this was asked last.
    pub(crate) fn take(&mut self) -> Copied {
        std::mem::take(&mut self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{BlockMeta, Bytes, Checksum, JobId, NodeId, Rows, TaskId, Tuning};

    fn ended(log: Log) -> Option<JobTrace> {
        let tuning = Tuning::default();
        let env = StyleEnv { slots: 2, memory_share: Bytes::ZERO, memory: None, resources: BTreeMap::new(), tuning };
        log.close(Nanos::new(10), &SpanReport::default(), "any", 1, &env)
    }

    fn log(attempts: u32) -> Log {
        let graph = Graph { fragments: vec![], result: FragmentId(0) };
        let mut log = Log::new(Arc::new(graph), Nanos::new(15));
        for partition in 0..attempts {
            let task = TaskId { job: JobId(0), fragment: FragmentId(0), partition };
            let (by_kind_ns, copied, blocks) = (BTreeMap::new(), Copied::default(), vec![(1, 8)]);
            log.ran(TaskTrace { task, attempt: Attempt(0), node: NodeId(0), by_kind_ns, copied, blocks });
        }
        log
    }

    #[test]
    fn a_job_that_ended_leaves_its_tasks_and_when_it_was_where() {
        let mut log = log(3);
        log.finished(Nanos::new(40));
        let trace = ended(log).unwrap();
        assert_eq!((trace.tasks.len(), trace.planned_ns, trace.finished_ns), (3, Nanos::new(5), Nanos::new(30)));
    }

    #[test]
    fn a_job_without_an_end_or_of_too_many_tasks_leaves_nothing() {
        assert!(ended(log(3)).is_none());
        let mut large = log(TASKS_MAX as u32 + 1);
        large.finished(Nanos::new(40));
        assert!(ended(large).is_none());
    }

    #[test]
    fn a_copy_counts_from_the_first_time_it_was_asked_for_and_only_if_it_arrives() {
        let block = |partition| {
            let task = TaskId { job: JobId(0), fragment: FragmentId(0), partition };
            let meta = BlockMeta { rows: Rows::new(1), bytes: Bytes::new(100), checksum: Checksum::default() };
            BlockRef { id: BlockId { task, output: 0 }, attempt: Attempt(0), node: NodeId(1), meta }
        };
        let mut copies = Copies::default();
        copies.begin(&block(0), Nanos::new(5));
        copies.begin(&block(0), Nanos::new(9));
        copies.begin(&block(1), Nanos::new(9));
        copies.end(&block(0), Nanos::new(15), true);
        copies.end(&block(1), Nanos::new(15), false);
        copies.end(&block(2), Nanos::new(15), true);
        assert_eq!(copies.take(), Copied { bytes: Bytes::new(100), took_ns: Nanos::new(10) });
        assert_eq!(copies.take(), Copied::default());
    }
}
