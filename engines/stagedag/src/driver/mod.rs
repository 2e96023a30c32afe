//! The driver: one machine that decides for the whole cluster, stage by stage.
//!
//! | module | idea | Spark's counterpart |
//! |---|---|---|
//! | `job` | stages, their order and their barriers | `DAGScheduler` |
//! | `relation` | who reads whom, rebuilt when the graph changes | `DAGScheduler` |
//! | `stage` | one stage's tasks and what they left | `TaskSetManager`, `MapOutputTracker` |
//! | `launch` | which task runs next, and where | `TaskSchedulerImpl`, `TaskSetManager` |
//! | `outcome` | what follows from an attempt's end | `TaskSetManager`, `OutputCommitCoordinator` |
//! | `recovery` | lost blocks and lost nodes | `DAGScheduler` |
//! | `replan` | adaptive planning between stages | `AdaptiveSparkPlanExec` |
//! | `speculation` | second copies of slow tasks, overdue answers | `TaskSetManager`, heartbeats |
//! | `nodes` | slots, epochs, outstanding commands | `TaskSchedulerImpl`, `HeartbeatReceiver` |
//! | `invariants` | what must hold after each step | |

mod invariants;
mod job;
mod launch;
mod nodes;
mod outcome;
mod recovery;
mod relation;
mod replan;
mod settings;
mod speculation;
mod stage;
#[cfg(test)]
mod tests;

use crate::message::{Msg, Outcome, Ticket};
use bench_model::{Action, Addr, Event, Graph, JobError, JobId, Nanos, NodeId, Note, SpanKind, TimerId, Tuning};
use job::Job;
use nodes::{Flight, Nodes};
use settings::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Looks after overdue answers and slow tasks while anything is outstanding.
const TICK: TimerId = TimerId(0);
/// Gives jobs up when no node has joined in time.
const NO_NODES: TimerId = TimerId(1);
/// How long jobs wait for a first node to join.
const NO_NODES_AFTER: Nanos = Nanos::from_millis(10_000);

type Out = Vec<Action<Msg>>;

/// The machine at [`Addr::Driver`].
pub struct Driver {
    settings: Settings,
    nodes: Nodes,
    jobs: BTreeMap<JobId, Job>,
    /// Counts commits and launches, to tell which came first.
    clock: u64,
    ticking: bool,
    /// Tasks found to take far longer than their peers, at the last tick.
    stragglers: u32,
}

/// What every decision may look at and act on, besides the job it is about.
struct Cx<'a> {
    now: Nanos,
    settings: &'a Settings,
    nodes: &'a mut Nodes,
    clock: &'a mut u64,
    out: &'a mut Out,
}

impl Cx<'_> {
    /// The next tick of the logical clock.
    fn next_clock(&mut self) -> u64 {
        *self.clock += 1;
        *self.clock
    }

    fn note(&mut self, job: JobId, note: Note) {
        self.out.push(Action::Note { job, note });
    }

    /// Stops an attempt whose result does not count any more. Its slot is free once its node has answered.
    fn cancel(&mut self, place: Place) {
        if let Some(flight) = self.nodes.flight_mut(place).filter(|f| !f.doomed) {
            flight.doomed = true;
            flight.asked = self.now;
            let msg = Msg::Cancel { ticket: place.ticket, task: flight.task, attempt: flight.attempt };
            self.out.push(Action::Send { to: Addr::Node(place.node), msg });
        }
    }
}

impl Driver {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            settings: Settings::of(tuning),
            nodes: Nodes::default(),
            jobs: BTreeMap::new(),
            clock: 0,
            ticking: false,
            stragglers: 0,
        }
    }

    pub(crate) fn on(&mut self, now: Nanos, event: Event<Msg>, out: &mut Out) {
        match event {
            Event::Submit { job, graph } => self.submit(job, &graph, out),
            Event::Cancel(job) => self.with_job(now, job, out, |job, cx| job.end(cx, Err(JobError::Cancelled))),
            Event::Message { from: Addr::Node(node), msg } => self.message(now, node, msg, out),
            Event::NodeUp { node, slots } => self.node_up(now, node, slots, out),
            Event::NodeDown(node) => self.node_down(now, node, out),
            Event::Planned(planned) => {
                self.with_job(now, planned.job, out, |job, cx| job.planned(cx, planned.graph, planned.notes));
            }
            Event::Timer(TICK) => self.tick(now, out),
            Event::Timer(NO_NODES) => self.give_up_without_nodes(now, out),
            // The rest is for nodes.
            _ => return,
        }
        self.schedule(now, out);
    }

    fn submit(&mut self, id: JobId, graph: &Arc<Graph>, out: &mut Out) {
        match Job::new(id, graph, self.settings.adaptive) {
            Ok(job) => {
                self.jobs.insert(id, job);
                self.wait_for_nodes(out);
            }
            Err(error) => out.push(Action::Finish { job: id, result: Err(error) }),
        }
    }

    /// Does something with a job that has not ended, and forgets the job once nothing of it is outstanding.
    fn with_job(&mut self, now: Nanos, id: JobId, out: &mut Out, act: impl FnOnce(&mut Job, &mut Cx<'_>)) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let mut cx = Cx { now, settings: &self.settings, nodes: &mut self.nodes, clock: &mut self.clock, out };
        if !job.ended() {
            act(job, &mut cx);
        }
        if job.ended() && job.flights == 0 {
            self.nodes.free_job(id, out);
            self.jobs.remove(&id);
        }
    }

    fn message(&mut self, now: Nanos, node: NodeId, msg: Msg, out: &mut Out) {
        match msg {
            Msg::Finished { ticket, task, attempt, outcome } => match self.nodes.settle(node, ticket) {
                Some(flight) => self.settled(now, Place { node, ticket }, &flight, outcome, out),
                // An answer repeated, or of a dead incarnation: whatever it says, somebody else's result counts.
                None => out.push(Action::Note { job: task.job, note: Note::Ignored(task, attempt) }),
            },
            Msg::JobFreed { epoch, job } => self.nodes.job_freed(node, epoch, job),
            // Commands travel the other way.
            _ => {}
        }
    }

    fn settled(&mut self, now: Nanos, place: Place, flight: &Flight, outcome: Outcome, out: &mut Out) {
        if flight.straggler {
            self.stragglers = self.stragglers.saturating_sub(1);
        }
        if let Some(job) = self.jobs.get_mut(&flight.job) {
            job.flights -= 1;
        }
        if flight.doomed {
            if matches!(outcome, Outcome::Ran(Ok(_))) {
                let note = Note::Ignored(flight.task, flight.attempt);
                out.push(Action::Note { job: flight.job, note });
            }
            self.with_job(now, flight.job, out, |_, _| {});
        } else {
            self.with_job(now, flight.job, out, |job, cx| job.attempt_ended(cx, place, flight, outcome));
        }
    }

    fn node_up(&mut self, now: Nanos, node: NodeId, slots: u32, out: &mut Out) {
        // A node that joins again without having been missed is a new incarnation all the same.
        self.node_down(now, node, out);
        self.nodes.up(node, slots);
    }

    fn node_down(&mut self, now: Nanos, node: NodeId, out: &mut Out) {
        let Some(flights) = self.nodes.down(node) else { return };
        for (_, flight) in &flights {
            if let Some(job) = self.jobs.get_mut(&flight.job) {
                job.flights -= 1;
            }
        }
        self.stragglers = self.stragglers.saturating_sub(flights.iter().filter(|(_, f)| f.straggler).count() as u32);
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in ids {
            self.with_job(now, id, out, |job, cx| job.node_lost(cx, node, &flights));
        }
        self.wait_for_nodes(out);
    }

    fn wait_for_nodes(&self, out: &mut Out) {
        if self.nodes.is_empty() && !self.jobs.is_empty() {
            out.push(Action::Timer { id: NO_NODES, after: NO_NODES_AFTER });
        }
    }

    fn give_up_without_nodes(&mut self, now: Nanos, out: &mut Out) {
        if self.nodes.is_empty() {
            let ids: Vec<JobId> = self.jobs.keys().copied().collect();
            for id in ids {
                self.with_job(now, id, out, |job, cx| job.end(cx, Err(JobError::NoNodes)));
            }
        }
    }

    /// Fills free slots: tasks of the oldest job first, second copies of slow tasks last.
    fn schedule(&mut self, now: Nanos, out: &mut Out) {
        let mut cx = Cx { now, settings: &self.settings, nodes: &mut self.nodes, clock: &mut self.clock, out };
        if cx.nodes.any_free() {
            for job in self.jobs.values_mut().filter(|j| !j.ended()) {
                while cx.nodes.any_free() && job.launch_next(&mut cx) {}
            }
            for job in self.jobs.values_mut().filter(|j| !j.ended()) {
                job.launch_copies(&mut cx);
            }
        }
        if !self.ticking && self.nodes.any_outstanding() {
            self.ticking = true;
            out.push(Action::Timer { id: TICK, after: self.settings.tick });
        }
    }

    fn tick(&mut self, now: Nanos, out: &mut Out) {
        self.ticking = false;
        let mut cx = Cx { now, settings: &self.settings, nodes: &mut self.nodes, clock: &mut self.clock, out };
        speculation::ask_again(&mut cx);
        self.stragglers += speculation::find_stragglers(&mut cx, &mut self.jobs);
    }

    /// Why a free slot has nothing to do now.
    pub(crate) fn idle_reason(&self) -> SpanKind {
        if self.stragglers > 0 {
            SpanKind::IdleStraggler
        } else if self.jobs.values().any(Job::has_more_stages) {
            SpanKind::IdleBarrier
        } else {
            SpanKind::IdleNoTask
        }
    }
}

/// Where an attempt is: which slot of which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    node: NodeId,
    ticket: Ticket,
}
