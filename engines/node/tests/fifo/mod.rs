//! The smallest style there is: the driver runs fragments one after the other and hands out their tasks in order.
//!
//! It retries a failed task up to three times and re-runs the producer of a lost block, which is all that the host's own
//! tests need. On request its nodes fetch, spill, release and measure all the time. Each test or benchmark uses its part
//! of it.
#![allow(dead_code, reason = "shared by several test binaries")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

pub mod graphs;
pub mod mover;
pub mod rows;

use bench_model::{
    Action, Addr, Assignment, Attempt, BlockId, BlockMeta, BlockRef, Event, FragmentId, Graph, JobError, JobId,
    Machine, Nanos, NodeId, Note, Planned, SpanKind, StageStats, Storage, Style, StyleEnv, Switch, SwitchDefault,
    TaskFailure, TaskId, TaskReport, TimerId, Violation,
};
use mover::Mover;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

pub const MAX_ATTEMPTS: u32 = 4;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Msg {
    Run(Assignment),
    Ran { task: TaskId, attempt: Attempt, result: Result<TaskReport, TaskFailure> },
    Cancel(TaskId, Attempt),
    Free(JobId),
}

pub struct Fifo {
    /// Where tasks leave their blocks.
    pub storage: Storage,
    /// Whether nodes move blocks around.
    pub moves: bool,
}

impl Default for Fifo {
    fn default() -> Self {
        Self { storage: Storage::Disk, moves: false }
    }
}

impl Style for Fifo {
    type Msg = Msg;
    type Machine = Fifoist;

    fn name(&self) -> &'static str {
        "fifo"
    }

    fn switches(&self) -> &'static [Switch] {
        &[
            Switch { name: "compression", default: SwitchDefault::Word(&["none", "lz4", "zstd"]), help: "" },
            Switch { name: "zero_copy", default: SwitchDefault::Bool(true), help: "" },
        ]
    }

    fn machine(&self, at: Addr, _env: &StyleEnv) -> Fifoist {
        match at {
            Addr::Driver => Fifoist::Driver(Box::new(Driver { storage: self.storage, nodes: vec![], job: None })),
            Addr::Node(_) if self.moves => Fifoist::Mover(Box::new(Mover::new(self.storage))),
            Addr::Node(_) => Fifoist::Node,
        }
    }

    fn storage(&self) -> Storage {
        self.storage
    }
}

pub enum Fifoist {
    Driver(Box<Driver>),
    Node,
    Mover(Box<Mover>),
}

impl Machine for Fifoist {
    type Msg = Msg;

    fn on(&mut self, _now: Nanos, event: Event<Msg>, out: &mut Vec<Action<Msg>>) {
        match self {
            Self::Driver(driver) => driver.on(event, out),
            Self::Mover(mover) => mover.on(event, out),
            Self::Node => match event {
                Event::Message { msg: Msg::Run(assignment), .. } => out.push(Action::Run(assignment)),
                Event::Message { msg: Msg::Cancel(task, attempt), .. } => out.push(Action::Cancel { task, attempt }),
                Event::Message { msg: Msg::Free(job), .. } => out.push(Action::Free { job, fragment: None }),
                Event::TaskRan { task, attempt, result } => {
                    out.push(Action::Send { to: Addr::Driver, msg: Msg::Ran { task, attempt, result } });
                }
                _ => {}
            },
        }
    }

    fn check(&self) -> Result<(), Violation> {
        Ok(())
    }

    fn idle_reason(&self) -> SpanKind {
        match self {
            Self::Driver(driver) if driver.job.is_some() => SpanKind::IdleBarrier,
            _ => SpanKind::IdleNoTask,
        }
    }
}

/// What a finished task left, and where.
type Done = (Attempt, NodeId, Vec<BlockMeta>);

pub struct Driver {
    storage: Storage,
    nodes: Vec<NodeId>,
    job: Option<Job>,
}

struct Job {
    id: JobId,
    storage: Storage,
    /// Tasks are dealt out to them by partition.
    nodes: Vec<NodeId>,
    graph: Arc<Graph>,
    /// Position of the fragment that runs.
    at: usize,
    running: HashMap<TaskId, Attempt>,
    attempts: HashMap<TaskId, u32>,
    /// Finished tasks, by position of their fragment.
    done: Vec<Vec<Option<Done>>>,
    by_id: HashMap<FragmentId, usize>,
    left: u32,
    /// Tasks that wait for a lost block.
    parked: Vec<TaskId>,
}

impl Driver {
    fn on(&mut self, event: Event<Msg>, out: &mut Vec<Action<Msg>>) {
        match event {
            Event::Submit { job, graph } => self.submit(job, graph, out),
            Event::Message { from: Addr::Node(node), msg: Msg::Ran { task, attempt, result } } => {
                self.ran(node, task, attempt, result, out);
            }
            Event::NodeUp { node, .. } => self.nodes.push(node),
            Event::NodeDown(node) => self.nodes.retain(|n| *n != node),
            Event::Cancel(id) if self.job.as_ref().is_some_and(|j| j.id == id) => {
                self.finish(Err(JobError::Cancelled), out);
            }
            Event::Planned(Planned { job, notes, .. }) => {
                for note in notes {
                    out.push(Action::Note { job, note: Note::Replanned(note) });
                }
                self.next_fragment(out);
            }
            Event::Timer(TimerId(id)) => {
                if let Some(job) = &self.job {
                    out.push(Action::Note { job: job.id, note: Note::Replanned(format!("timer {id}")) });
                }
            }
            _ => {}
        }
    }

    fn submit(&mut self, id: JobId, graph: Arc<Graph>, out: &mut Vec<Action<Msg>>) {
        out.push(Action::Timer { id: TimerId(1), after: Nanos::from_millis(1) });
        let done = graph.fragments.iter().map(|f| vec![None; f.tasks as usize]).collect();
        let by_id = graph.fragments.iter().enumerate().map(|(at, f)| (f.id, at)).collect();
        let (running, attempts) = (HashMap::new(), HashMap::new());
        let (storage, nodes) = (self.storage, self.nodes.clone());
        self.job =
            Some(Job { id, storage, nodes, graph, at: 0, running, attempts, done, by_id, left: 0, parked: vec![] });
        self.start_fragment(out);
    }

    fn start_fragment(&mut self, out: &mut Vec<Action<Msg>>) {
        let Some(job) = &mut self.job else { return };
        let fragment = &job.graph.fragments[job.at];
        job.left = fragment.tasks;
        let (id, tasks) = (fragment.id, fragment.tasks);
        for partition in 0..tasks {
            job.start(TaskId { job: job.id, fragment: id, partition }, out);
        }
    }

    fn next_fragment(&mut self, out: &mut Vec<Action<Msg>>) {
        let Some(job) = &mut self.job else { return };
        job.at += 1;
        if job.at < job.graph.fragments.len() {
            self.start_fragment(out);
            return;
        }
        let result = job.by_id[&job.graph.result];
        let tasks = job.graph.fragments[result].tasks;
        let blocks = (0..tasks).flat_map(|p| job.blocks(result, p)).collect();
        self.finish(Ok(blocks), out);
    }

    fn finish(&mut self, result: Result<Vec<BlockRef>, JobError>, out: &mut Vec<Action<Msg>>) {
        let Some(job) = self.job.take() else { return };
        for (task, attempt) in &job.running {
            out.push(Action::Send { to: job.place(*task), msg: Msg::Cancel(*task, *attempt) });
        }
        for node in &job.nodes {
            out.push(Action::Send { to: Addr::Node(*node), msg: Msg::Free(job.id) });
        }
        out.push(Action::Finish { job: job.id, result });
    }

    fn ran(
        &mut self,
        node: NodeId,
        task: TaskId,
        attempt: Attempt,
        result: Result<TaskReport, TaskFailure>,
        out: &mut Vec<Action<Msg>>,
    ) {
        let Some(job) = self.job.as_mut().filter(|j| j.id == task.job) else { return };
        job.running.remove(&task);
        let at = job.by_id[&task.fragment];
        match result {
            Ok(report) => {
                job.done[at][task.partition as usize] = Some((attempt, node, report.blocks));
                if at == job.at {
                    job.left -= 1;
                    if job.left == 0 {
                        out.push(Action::Replan { job: job.id, stats: job.stats(at), fixed: vec![] });
                    }
                }
                for parked in std::mem::take(&mut job.parked) {
                    job.start(parked, out);
                }
            }
            Err(TaskFailure::MissingBlock(block) | TaskFailure::CorruptBlock(block)) => {
                out.push(Action::Note { job: job.id, note: Note::Retried(block.task, "its block was lost".into()) });
                job.parked.push(task);
                job.start(block.task, out);
            }
            Err(TaskFailure::Transient(why)) if job.attempts[&task] < MAX_ATTEMPTS => {
                out.push(Action::Note { job: job.id, note: Note::Retried(task, why) });
                job.start(task, out);
            }
            Err(failure) => {
                let attempts = job.attempts[&task];
                self.finish(Err(JobError::Task { task, attempts, failure }), out);
            }
        }
    }
}

impl Job {
    fn start(&mut self, task: TaskId, out: &mut Vec<Action<Msg>>) {
        let tries = self.attempts.entry(task).or_default();
        let attempt = Attempt(*tries);
        *tries += 1;
        self.running.insert(task, attempt);
        let fragment = &self.graph.fragments[self.by_id[&task.fragment]];
        let inputs = fragment.inputs.iter().map(|input| {
            let at = self.by_id[&input.from];
            let producer = &self.graph.fragments[at];
            fragment.reads(self.id, input, producer, task.partition).map(|b| self.block(at, b)).collect()
        });
        let assignment = Assignment {
            task,
            attempt,
            call: fragment.call.clone(),
            inputs: inputs.collect(),
            outputs: fragment.outputs,
            exchange: fragment.exchange,
            storage: self.storage,
        };
        out.push(Action::Send { to: self.place(task), msg: Msg::Run(assignment) });
    }

    fn place(&self, task: TaskId) -> Addr {
        Addr::Node(self.nodes[task.partition as usize % self.nodes.len()])
    }

    fn block(&self, at: usize, id: BlockId) -> BlockRef {
        let (attempt, node, metas) = self.done[at][id.task.partition as usize].as_ref().unwrap();
        BlockRef { id, attempt: *attempt, node: *node, meta: metas[id.output as usize] }
    }

    fn blocks(&self, at: usize, partition: u32) -> Vec<BlockRef> {
        let fragment = &self.graph.fragments[at];
        let task = TaskId { job: self.id, fragment: fragment.id, partition };
        (0..fragment.outputs).map(|output| self.block(at, BlockId { task, output })).collect()
    }

    fn stats(&self, at: usize) -> StageStats {
        let blocks = self.done[at].iter().map(|d| d.as_ref().map(|(_, _, m)| m.clone()).unwrap_or_default()).collect();
        StageStats { fragment: self.graph.fragments[at].id, blocks }
    }
}
