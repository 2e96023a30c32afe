//! The machine of a node: gathers what keys read, executes them by priority, keeps what they make.
//!
//! | module | idea | Dask's counterpart |
//! |---|---|---|
//! | `work` | keys: waiting, ready, executing | `WorkerState` |
//! | `data` | blocks: fetch, flight, memory | `WorkerState.data`, `has_what` |
//! | `hash` | a hash without a seed | |
//! | `gather` | bounded transfers, the most urgent first | `_ensure_communicating`, `gather_dep` |
//! | `memory` | target, spill, pause, terminate | `WorkerMemoryManager`, `NannyMemoryManager` |
//! | `shuffle` | pushing to owners, gathering what is owned | `ShuffleWorkerPlugin` |
//!
//! Invariants: at most `slots` attempts run; an order runs at most once; nothing of an older epoch is obeyed; every block
//! here has a reason to be here.

mod data;
mod gather;
mod hash;
mod memory;
mod shuffle;
#[cfg(test)]
mod tests;
mod work;

use crate::message::{Down, Msg, Up};
use crate::settings::Limits;
use crate::stream::{Frame, Stream, TICK};
use bench_model::{
    Action, Addr, Attempt, Epoch, Event, FragmentId, JobId, Nanos, NodeId, SpanKind, TaskId, TimerId, Violation,
};
use data::{Data, Scope};
use gather::Gather;
use hash::FixedMap;
use memory::{MEASURE, Memory};
use shuffle::Run;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use work::{Phase, Rank, Work};

/// Repeats and acknowledges what the stream owes.
const STREAM: TimerId = TimerId(0);

type Out = Vec<Action<Msg>>;

/// The machine of a node.
pub struct Worker {
    node: NodeId,
    slots: usize,
    limits: Limits,
    stream: Stream<Up, Down>,
    ticking: bool,
    /// Keys by the task that names them.
    works: FixedMap<TaskId, Work>,
    /// Keys that could run. May hold some that have moved on.
    ready: BinaryHeap<Reverse<Rank>>,
    /// Attempts that run, and the keys they are part of.
    running: Vec<(TaskId, Attempt, TaskId)>,
    /// Attempts that were given up and told to stop, but still run.
    zombies: Vec<(TaskId, Attempt)>,
    data: Data,
    gather: Gather,
    memory: Memory,
    runs: BTreeMap<(JobId, FragmentId), Run>,
    /// Jobs that may have left something here.
    jobs: BTreeSet<JobId>,
}

impl Worker {
    /// The machine of `node`, which runs `slots` attempts at a time.
    pub(crate) fn new(node: NodeId, slots: u32, limits: Limits) -> Self {
        Self {
            node,
            slots: slots.max(1) as usize,
            stream: Stream::new(Epoch(0)),
            ticking: false,
            works: FixedMap::default(),
            ready: BinaryHeap::new(),
            running: Vec::new(),
            zombies: Vec::new(),
            data: Data::new(limits.memory.is_some()),
            gather: Gather::default(),
            memory: Memory::new(limits.memory),
            runs: BTreeMap::new(),
            jobs: BTreeSet::new(),
            limits,
        }
    }

    pub(crate) fn on(&mut self, now: Nanos, event: Event<Msg>, out: &mut Out) {
        let mut restless = false;
        match event {
            Event::Message { msg: Msg::Down(frame), .. } => {
                restless = true;
                self.frame(frame, out);
            }
            Event::Message { msg: Msg::Push { job, shuffle, run, blocks }, .. } => {
                self.pushed((job, shuffle), run, &blocks);
            }
            Event::TaskRan { task, attempt, result } => self.ran(now, (task, attempt), result, out),
            Event::Fetched { block, result } => self.fetched(block, result, out),
            Event::Spilled { block, attempt, result } => self.spilled((block, attempt), &result, out),
            Event::Memory { used } => self.measured(used.get(), out),
            Event::Timer(STREAM) => {
                self.ticking = false;
                let mut frames = Vec::new();
                self.stream.tick(now, &mut frames);
                out.extend(frames.into_iter().map(to_scheduler));
                restless = !self.stream.is_quiet();
            }
            Event::Timer(MEASURE) => out.push(Action::MeasureMemory),
            // The rest is for the scheduler.
            _ => return,
        }
        self.start_fetches(out);
        self.start_ready(now, out);
        self.watch_memory(out);
        if let Some(frame) = self.stream.flush(now) {
            restless = true;
            out.push(to_scheduler(frame));
        }
        if restless && !self.ticking {
            self.ticking = true;
            out.push(Action::Timer { id: STREAM, after: TICK });
        }
    }

    fn tell(&mut self, item: Up) {
        self.stream.push(item);
    }

    /// Obeys what the scheduler says in this epoch or in a new one.
    fn frame(&mut self, frame: Frame<Down>, out: &mut Out) {
        if frame.epoch > self.stream.epoch() {
            self.start_over(frame.epoch, out);
        }
        if frame.epoch < self.stream.epoch() {
            return;
        }
        let mut next = self.stream.receive(frame);
        while let Some(items) = next {
            for item in items.iter() {
                self.obey(item, out);
            }
            next = self.stream.early();
        }
    }

    /// The scheduler has given up on everything this worker did or has: it stops and drops it.
    fn start_over(&mut self, epoch: Epoch, out: &mut Out) {
        self.stream = Stream::new(epoch);
        self.drop_everything(out);
    }

    fn drop_everything(&mut self, out: &mut Out) {
        for (task, attempt, _) in std::mem::take(&mut self.running) {
            self.zombies.push((task, attempt));
            out.push(Action::Cancel { task, attempt });
        }
        self.works.clear();
        self.ready.clear();
        self.gather.clear();
        self.runs.clear();
        self.data.clear();
        for job in std::mem::take(&mut self.jobs) {
            out.push(Action::Free { job, fragment: None });
        }
    }

    fn obey(&mut self, item: &Down, out: &mut Out) {
        match item {
            Down::Welcome => self.welcome(),
            Down::Compute(order) => self.compute(order, out),
            Down::Cancel { task, attempt } => self.cancel(*task, *attempt, out),
            Down::Steal { task, attempt } => self.steal(*task, *attempt, out),
            Down::Release { task, attempt } => {
                let release = |key: &data::BlockKey, part: &mut data::Part| part.kept &= key.1 != *attempt;
                self.data.revise(Scope::Task(*task), release, out);
            }
            Down::Acquire { blocks } => {
                for block in blocks {
                    self.jobs.insert(block.id.task.job);
                    let (part, fresh) = self.data.expect(block, self.node);
                    part.kept = true;
                    if fresh {
                        self.gather.want((block.id, block.attempt), u32::MAX);
                    }
                }
            }
            Down::OpenShuffle { job, shuffle, run } => {
                self.jobs.insert(*job);
                self.open_shuffle((*job, *shuffle), *run);
            }
            Down::Barrier { job, shuffle, run, blocks } => self.barrier((*job, *shuffle), *run, blocks),
            Down::CloseShuffle { job, shuffle, run } => self.close_shuffle((*job, *shuffle), *run, out),
            Down::Close => {
                self.drop_everything(out);
                self.tell(Up::Closed);
            }
            Down::FreeJob { job } => self.free_job(*job, out),
        }
    }

    /// A job is over: what runs of it is stopped, what it left is dropped.
    fn free_job(&mut self, job: JobId, out: &mut Out) {
        let of_job = |task: &TaskId| task.job == job;
        let mut tasks: Vec<TaskId> = self.works.keys().copied().filter(of_job).collect();
        tasks.sort_unstable();
        for task in tasks {
            self.stop_work(task, out);
        }
        self.runs.retain(|(j, _), _| *j != job);
        self.data.forget_job(job);
        self.jobs.remove(&job);
        out.push(Action::Free { job, fragment: None });
    }

    /// Why a free slot of this worker has nothing to do now.
    pub(crate) fn idle_reason(&self) -> SpanKind {
        if self.memory.is_paused() { SpanKind::IdlePaused } else { SpanKind::IdleNoTask }
    }

    /// What must hold after each step.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        self.data.check().map_err(|e| Violation(format!("{}: {e}", self.node)))?;
        let wrong = |what: &str| Err(Violation(format!("{}: {what}", self.node)));
        if self.running.len() + self.zombies.len() > self.slots {
            return wrong("more attempts run than there are slots");
        }
        if self.gather.len() > self.limits.transfers {
            return wrong("more blocks are gathered at a time than may be");
        }
        if self.memory.is_exceeded_by(self.data.managed - self.data.moving) {
            return wrong("blocks take more than their share of memory, and too few are on their way to disk");
        }
        let executing = self.works.values().filter(|w| w.phase == Phase::Executing).count();
        if executing != self.running.len() {
            return wrong("keys said to execute and attempts that run disagree");
        }
        if self.works.values().any(|w| (w.phase == Phase::Waiting) != (w.missing > 0)) {
            return wrong("a key waits for nothing, or runs without an input");
        }
        let users: u32 = self.data.iter().map(|(_, part)| part.users).sum();
        let reads: usize = self.works.values().flat_map(|w| &w.order.first.inputs).map(Vec::len).sum();
        if users as usize != reads {
            return wrong("reads of blocks are miscounted");
        }
        let flying = |(key, part): (data::BlockKey, &data::Part)| {
            part.stage != data::Stage::Flight || self.gather.is_flying(&key)
        };
        if !self.data.iter().all(flying) {
            return wrong("a block is said to be on its way and is not");
        }
        if !self.stream.is_quiet() && !self.ticking {
            return wrong("something is owed to the scheduler and no tick is due");
        }
        Ok(())
    }
}

fn to_scheduler(frame: Frame<Up>) -> Action<Msg> {
    Action::Send { to: Addr::Driver, msg: Msg::Up(frame) }
}
