//! One stage: its tasks, what they left behind, and what must be done again.

use super::Place;
use bench_model::{Attempt, BlockMeta, BlockRef, Fragment, FragmentId, JobId, Nanos, NodeId, TaskId};
use std::collections::BTreeSet;

/// A stage's place in its job. Stable across replanning, unlike its position in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StageIx(pub(crate) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// To be run, or run again.
    Queued,
    /// At least one attempt is under way.
    Running,
    /// Its blocks are there.
    Done,
    /// It ran, and its blocks were dropped because nobody needs them.
    Dropped,
}

/// One task.
pub(crate) struct Task {
    pub(crate) status: Status,
    /// How many attempts were launched: the next attempt's number.
    pub(crate) attempts: u32,
    /// How many of them failed by their own fault.
    pub(crate) failures: u32,
    /// Where it runs now: the first copy and the speculative one.
    pub(crate) copies: [Option<Place>; 2],
    /// The attempt that counts.
    pub(crate) attempt: Attempt,
    /// Where its blocks are.
    pub(crate) node: NodeId,
    /// When it was committed, on the driver's logical clock.
    pub(crate) committed: u64,
    /// Its blocks, kept after they are dropped: a repeated run must give the same rows.
    pub(crate) blocks: Vec<BlockMeta>,
}

impl Task {
    const fn new() -> Self {
        Self {
            status: Status::Queued,
            attempts: 0,
            failures: 0,
            copies: [None; 2],
            attempt: Attempt(0),
            node: NodeId(0),
            committed: 0,
            blocks: Vec::new(),
        }
    }

    pub(crate) fn is_running_once(&self) -> bool {
        self.copies.iter().flatten().count() == 1
    }

    pub(crate) fn add_copy(&mut self, place: Place) {
        if let Some(free) = self.copies.iter_mut().find(|c| c.is_none()) {
            *free = Some(place);
        }
        self.status = Status::Running;
    }

    pub(crate) fn remove_copy(&mut self, place: Place) {
        for copy in &mut self.copies {
            if *copy == Some(place) {
                *copy = None;
            }
        }
    }
}

/// A wave of tasks and what is known about it.
pub(crate) struct Stage {
    pub(crate) fragment: FragmentId,
    /// Where it stands in the graph; nothing once replanning has removed it.
    pub(crate) position: Option<u32>,
    /// For each input, in order, who makes it.
    pub(crate) producers: Vec<StageIx>,
    /// Who reads it, once per input.
    pub(crate) consumers: Vec<StageIx>,
    /// Who waits for it without reading it.
    pub(crate) waiters: Vec<StageIx>,
    /// How many inputs are not complete.
    pub(crate) blocked: u32,
    /// How many stages it waits for without reading them.
    pub(crate) awaiting: u32,
    /// How many reading inputs belong to stages that are not complete.
    pub(crate) readers: u32,
    pub(crate) started: bool,
    /// It was complete at least once.
    pub(crate) finished: bool,
    /// Its blocks were dropped.
    pub(crate) freed: bool,
    /// How many tasks are queued or running.
    pub(crate) open: u32,
    /// How often readers found its blocks lost.
    pub(crate) losses: u32,
    pub(crate) tasks: Vec<Task>,
    /// Tasks below were started at least once.
    next: u32,
    /// Tasks to be run again.
    again: BTreeSet<u32>,
    /// Nodes that may hold its blocks.
    pub(crate) nodes: Vec<NodeId>,
    /// How long its tasks took, for as long as it may matter.
    pub(crate) durations: Vec<Nanos>,
    /// The median of the first so many durations.
    pub(crate) median: Option<(usize, Nanos)>,
}

impl Stage {
    pub(crate) const fn new(fragment: FragmentId) -> Self {
        Self {
            fragment,
            position: None,
            producers: Vec::new(),
            consumers: Vec::new(),
            waiters: Vec::new(),
            blocked: 0,
            awaiting: 0,
            readers: 0,
            started: false,
            finished: false,
            freed: false,
            open: 0,
            losses: 0,
            tasks: Vec::new(),
            next: 0,
            again: BTreeSet::new(),
            nodes: Vec::new(),
            durations: Vec::new(),
            median: None,
        }
    }

    pub(crate) fn start(&mut self, tasks: u32) {
        self.started = true;
        self.open = tasks;
        self.tasks = (0..tasks).map(|_| Task::new()).collect();
    }

    /// All its tasks ran, and none is to be repeated.
    pub(crate) fn is_complete(&self) -> bool {
        self.started && self.open == 0
    }

    pub(crate) fn has_queued(&self) -> bool {
        (self.next as usize) < self.tasks.len() || !self.again.is_empty()
    }

    /// The next task to run: repeated ones first.
    pub(crate) fn next_queued(&mut self) -> Option<u32> {
        if let Some(again) = self.again.pop_first() {
            return Some(again);
        }
        ((self.next as usize) < self.tasks.len()).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Puts a task back.
    pub(crate) fn requeue(&mut self, partition: u32) {
        self.tasks[partition as usize].status = Status::Queued;
        self.again.insert(partition);
    }

    /// How many tasks the queue holds.
    pub(crate) fn queued(&self) -> usize {
        self.again.len() + self.tasks.len() - self.next as usize
    }

    pub(crate) fn task(&self, partition: u32) -> &Task {
        &self.tasks[partition as usize]
    }

    pub(crate) fn task_mut(&mut self, partition: u32) -> &mut Task {
        &mut self.tasks[partition as usize]
    }

    pub(crate) fn note_node(&mut self, node: NodeId) {
        if self.nodes.last() != Some(&node)
            && let Err(at) = self.nodes.binary_search(&node)
        {
            self.nodes.insert(at, node);
        }
    }

    /// The blocks that one task of `reader` reads from this stage, which is `producer`, through input number `input`.
    pub(crate) fn blocks_for(
        &self,
        job: JobId,
        (reader, input): (&Fragment, usize),
        producer: &Fragment,
        partition: u32,
    ) -> Vec<BlockRef> {
        let blocks = reader.reads(job, &reader.inputs[input], producer, partition);
        let held = |id: bench_model::BlockId| {
            let task = self.tasks.get(id.task.partition as usize)?;
            let meta = *task.blocks.get(id.output as usize)?;
            Some(BlockRef { id, attempt: task.attempt, node: task.node, meta })
        };
        blocks.filter_map(held).collect()
    }

    /// The answer: every block in task order.
    pub(crate) fn all_blocks(&self, job: JobId) -> Vec<BlockRef> {
        let refs_of = |(partition, task): (usize, &Task)| {
            let id = TaskId { job, fragment: self.fragment, partition: partition as u32 };
            let (attempt, node) = (task.attempt, task.node);
            let block = move |(output, meta): (usize, BlockMeta)| BlockRef {
                id: bench_model::BlockId { task: id, output: output as u32 },
                attempt,
                node,
                meta,
            };
            task.blocks.clone().into_iter().enumerate().map(block).collect::<Vec<_>>()
        };
        self.tasks.iter().enumerate().flat_map(refs_of).collect()
    }
}
