//! The scheduler: one machine that decides for the whole cluster, key by key.
//!
//! | module | idea | Dask's counterpart |
//! |---|---|---|
//! | `job` | one job's keys and recommendations | `SchedulerState`, `TaskGroup` |
//! | `key` | one key's state | `TaskState` |
//! | `transition` | the transition table, run to fixpoint | `SchedulerState._transitions_table` |
//! | `placement` | where a key runs; expected durations | `worker_objective`, `decide_worker_*`, `TaskPrefix` |
//! | `dispatch` | from a placed key to its order | `_task_to_msg` |
//! | `outcome` | finished, failed, missing | `stimulus_task_finished`, `handle_missing_data` |
//! | `loss` | workers that are gone | `remove_worker` |
//! | `shuffle` | runs, owners, barriers | `ShuffleSchedulerPlugin` |
//! | `stealing` | balancing | `WorkStealing` |
//! | `replicas` | copies on request, surplus copies | `ActiveMemoryManager`, `ReduceReplicas` |
//! | `workers` | streams, load, memory, room | `WorkerState`, `BatchedSend` |
//! | `invariants` | what must hold after each step | `validate_state` |

mod dispatch;
mod invariants;
mod job;
mod key;
mod loss;
mod outcome;
mod placement;
mod replicas;
mod shuffle;
mod stealing;
#[cfg(test)]
mod tests;
mod transition;
mod workers;

use crate::message::{Down, Msg, Pressure, Up};
use crate::settings::Settings;
use crate::stream::{Frame, TICK};
use bench_model::{Action, Addr, Event, Graph, JobError, JobId, Nanos, NodeId, Note, SpanKind, TimerId};
use job::Job;
use key::State;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use workers::{WorkerIx, Workers};

/// Repeats and acknowledges what the streams owe.
const STREAMS: TimerId = TimerId(0);
/// Gives jobs up when no node has joined in time.
const NO_NODES: TimerId = TimerId(1);
/// Balances work.
const BALANCE: TimerId = TimerId(2);
/// Looks for surplus copies.
const REPLICAS: TimerId = TimerId(3);
/// How long jobs wait for a first node to join.
const NO_NODES_AFTER: Nanos = Nanos::from_millis(10_000);
/// How often a worker is given up for its memory. One that is short of memory with every job it gets goes on paused.
const TERMINATIONS_MAX: u32 = 3;

type Out = Vec<Action<Msg>>;

/// The machine at [`Addr::Driver`].
pub struct Scheduler {
    settings: Settings,
    workers: Workers,
    jobs: BTreeMap<JobId, Job>,
    /// Which timers are set.
    ticking: bool,
    balancing: bool,
    reducing: bool,
    /// A transition that the table does not have, in a job that is over.
    broken: Option<String>,
}

/// What every decision may look at and act on, besides the job it is about.
pub(crate) struct Cx<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) workers: &'a mut Workers,
    pub(crate) out: &'a mut Out,
}

impl Cx<'_> {
    pub(crate) fn note(&mut self, job: JobId, note: Note) {
        self.out.push(Action::Note { job, note });
    }
}

impl Scheduler {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            workers: Workers::default(),
            jobs: BTreeMap::new(),
            ticking: false,
            balancing: false,
            reducing: false,
            broken: None,
        }
    }

    pub(crate) fn on(&mut self, now: Nanos, event: Event<Msg>, out: &mut Out) {
        let mut restless = false;
        match event {
            Event::Message { from: Addr::Node(node), msg: Msg::Up(frame) } => {
                restless = true;
                self.frame(node, frame, out);
            }
            Event::Submit { job, graph } => self.submit(job, &graph, out),
            Event::Cancel(job) => self.with_job(job, out, |job, _| job.end(Err(JobError::Cancelled))),
            Event::NodeUp { node, slots } => self.node_up(node, slots, out),
            Event::NodeDown(node) => {
                if let Some(at) = self.workers.at(node) {
                    self.lose(at, false, out);
                    self.wait_for_nodes(out);
                }
            }
            Event::Timer(STREAMS) => {
                self.ticking = false;
                restless = self.workers.tick(now, out);
            }
            Event::Timer(BALANCE) => self.balance(out),
            Event::Timer(REPLICAS) => self.reduce_replicas(out),
            Event::Timer(NO_NODES) => self.give_up_without_nodes(out),
            // The rest is for nodes, or for styles that replan.
            _ => return,
        }
        self.fill_workers(out);
        restless |= self.workers.flush(now, out);
        self.set_timers(restless, out);
    }

    fn submit(&mut self, id: JobId, graph: &Arc<Graph>, out: &mut Out) {
        match Job::new(id, graph, &self.settings) {
            Ok(job) => {
                self.jobs.insert(id, job);
                self.with_job(id, out, Job::start);
                self.wait_for_nodes(out);
            }
            Err(error) => out.push(Action::Finish { job: id, result: Err(error) }),
        }
    }

    /// Does something with a job, and ends it if that was its end.
    fn with_job(&mut self, id: JobId, out: &mut Out, act: impl FnOnce(&mut Job, &mut Cx<'_>)) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        act(job, &mut Cx { settings: &self.settings, workers: &mut self.workers, out });
        if job.over.is_some() {
            self.finish(id, out);
        }
    }

    /// Ends a job: the answer first, so that whoever takes it finds its blocks; then all workers drop what it left.
    fn finish(&mut self, id: JobId, out: &mut Out) {
        let Some(mut job) = self.jobs.remove(&id) else { return };
        let mut cx = Cx { settings: &self.settings, workers: &mut self.workers, out };
        let result = job.over.take().unwrap_or(Ok(())).map(|()| job.answer(&cx));
        cx.out.push(Action::Finish { job: id, result });
        job.forget(&mut cx);
        self.broken = self.broken.take().or(job.broken);
        let all: Vec<WorkerIx> = self.workers.iter().map(|(at, _)| at).collect();
        for at in all {
            self.workers.send(at, Down::FreeJob { job: id });
            if self.jobs.is_empty()
                && let Some(worker) = self.workers.get_mut(at)
            {
                worker.terminations = 0;
            }
        }
    }

    fn frame(&mut self, node: NodeId, frame: Frame<Up>, out: &mut Out) {
        let epoch = frame.epoch;
        let Some(at) = self.workers.at(node) else { return };
        // What an earlier incarnation says does not count.
        let current = |w: &Workers| w.get(at).is_some_and(|w| w.stream.epoch() == epoch);
        if !current(&self.workers) {
            return;
        }
        let mut next = self.workers.get_mut(at).and_then(|w| w.stream.receive(frame));
        while let Some(items) = next {
            for item in items.iter() {
                if !current(&self.workers) {
                    return;
                }
                self.hear(at, item, out);
            }
            next = self.workers.get_mut(at).filter(|w| w.stream.epoch() == epoch).and_then(|w| w.stream.early());
        }
    }

    fn hear(&mut self, at: WorkerIx, item: &Up, out: &mut Out) {
        match item {
            Up::Done { task, attempt, blocks, took } => {
                self.with_job(task.job, out, |job, cx| job.done(cx, at, (*task, *attempt), blocks, *took));
            }
            Up::Failed(failed) => self.with_job(failed.task.job, out, |job, cx| job.failed(cx, at, failed)),
            Up::Stolen { task, attempt, given } => {
                self.with_job(task.job, out, |job, cx| job.stolen(cx, at, (*task, *attempt), *given));
            }
            Up::Added { task, attempt } => {
                self.with_job(task.job, out, |job, cx| job.added(cx, at, (*task, *attempt)));
            }
            Up::Gathered { job, shuffle, run, lost } => {
                self.with_job(*job, out, |job, cx| job.gathered(cx, at, (*shuffle, *run), lost.as_deref()));
            }
            Up::Closed => self.closed(at, out),
            Up::Memory(pressure) => {
                self.workers.set_pressure(at, *pressure);
                self.relieve(out);
            }
        }
    }

    fn node_up(&mut self, node: NodeId, slots: u32, out: &mut Out) {
        // A node that joins again without having been missed is a new incarnation all the same.
        if let Some(at) = self.workers.at(node) {
            self.lose(at, false, out);
        }
        self.workers.join(node, slots);
        if self.workers.count() == 2 {
            let mut cx = Cx { settings: &self.settings, workers: &mut self.workers, out };
            self.jobs.values().for_each(|job| job.offer_all_to_thieves(&mut cx));
        }
        self.relieve(out);
    }

    fn lose(&mut self, at: WorkerIx, safe: bool, out: &mut Out) {
        let node = self.workers.node(at);
        self.workers.leave(at);
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in ids {
            self.with_job(id, out, |job, cx| job.worker_lost(cx, at, node, safe));
        }
    }

    /// Gives up workers that run out of memory, if somebody else can do their work: each is told to drop everything.
    fn relieve(&mut self, out: &mut Out) {
        while self.workers.any_paused()
            && self.workers.any_open()
            && let Some(node) = self.workers.close_critical(TERMINATIONS_MAX)
        {
            if let Some(job) = self.jobs.keys().next() {
                let note = Note::Did(format!("{node} is out of memory and starts over empty"));
                out.push(Action::Note { job: *job, note });
            }
        }
    }

    /// A worker has dropped everything: its keys run elsewhere, and it joins again, empty.
    fn closed(&mut self, at: WorkerIx, out: &mut Out) {
        let Some((node, slots, times)) = self.workers.get(at).map(|w| (w.node, w.slots, w.terminations)) else {
            return;
        };
        self.lose(at, true, out);
        let at = self.workers.join(node, slots);
        // It says so when its memory has fallen.
        self.workers.set_pressure(at, Pressure::Paused);
        if let Some(worker) = self.workers.get_mut(at) {
            worker.terminations = times + 1;
        }
    }

    fn wait_for_nodes(&self, out: &mut Out) {
        if self.workers.is_empty() && !self.jobs.is_empty() {
            out.push(Action::Timer { id: NO_NODES, after: NO_NODES_AFTER });
        }
    }

    fn give_up_without_nodes(&mut self, out: &mut Out) {
        if self.workers.is_empty() {
            let ids: Vec<JobId> = self.jobs.keys().copied().collect();
            for id in ids {
                self.with_job(id, out, |job, _| job.end(Err(JobError::NoNodes)));
            }
        }
    }

    /// Sends queued keys to workers with room, the oldest job's first, and places keys that found no worker.
    fn fill_workers(&mut self, out: &mut Out) {
        let mut over = Vec::new();
        for (id, job) in &mut self.jobs {
            if job.queue.is_empty() && job.unplaced.is_empty() {
                continue;
            }
            job.fill_workers(&mut Cx { settings: &self.settings, workers: &mut self.workers, out });
            if job.over.is_some() {
                over.push(*id);
            }
        }
        for id in over {
            self.finish(id, out);
        }
    }

    fn balance(&mut self, out: &mut Out) {
        self.balancing = false;
        let mut cx = Cx { settings: &self.settings, workers: &mut self.workers, out };
        stealing::balance(&mut cx, &mut self.jobs);
    }

    fn reduce_replicas(&mut self, out: &mut Out) {
        self.reducing = false;
        let mut cx = Cx { settings: &self.settings, workers: &mut self.workers, out };
        self.jobs.values_mut().for_each(|job| job.reduce_replicas(&mut cx));
    }

    /// Sets the timers that are needed and not set.
    fn set_timers(&mut self, restless: bool, out: &mut Out) {
        let mut set = |is_set: &mut bool, id: TimerId, after: Option<Nanos>| {
            if let Some(after) = after.filter(|_| !*is_set) {
                *is_set = true;
                out.push(Action::Timer { id, after });
            }
        };
        set(&mut self.ticking, STREAMS, restless.then_some(TICK));
        let several = self.workers.count() > 1 && !self.jobs.is_empty();
        set(&mut self.balancing, BALANCE, self.settings.stealing.filter(|_| several));
        let copies = several && self.jobs.values().any(|job| !job.replicated.is_empty());
        set(&mut self.reducing, REPLICAS, self.settings.reduce_replicas.filter(|_| copies));
    }

    /// Why a free slot has nothing to do now.
    pub(crate) fn idle_reason(&self) -> SpanKind {
        if self.workers.any_paused() {
            SpanKind::IdlePaused
        } else if self.jobs.values().any(|job| job.count(State::Waiting) > 0) {
            SpanKind::IdleBarrier
        } else {
            SpanKind::IdleNoTask
        }
    }
}

impl Job {
    fn fill_workers(&mut self, cx: &mut Cx<'_>) {
        if cx.workers.any_open() && !self.unplaced.is_empty() {
            for key in std::mem::take(&mut self.unplaced) {
                if self.key(key).state == State::NoWorker {
                    self.recommend(key, State::Processing);
                }
            }
            self.settle(cx);
        }
        let saturation = cx.settings.saturation.unwrap_or(f64::INFINITY);
        while self.over.is_none() && self.count(State::Queued) > 0 {
            let least = cx.workers.open().next().and_then(|at| cx.workers.get(at));
            if !least.is_some_and(|w| w.has_room(saturation)) {
                break;
            }
            let Some(Reverse((_, key))) = self.queue.pop() else { break };
            if self.key(key).state == State::Queued {
                self.transition(cx, key, State::Processing);
                self.settle(cx);
            }
        }
        if self.count(State::Queued) == 0 {
            self.queue.clear();
        }
    }
}
