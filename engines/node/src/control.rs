//! The machines and everything they command, behind the session's one lock.
//!
//! Invariant: a machine runs only inside this structure's methods, hence only under the lock; a kernel, a file
//! operation or the planner never does.

use crate::completion::{Completion, Ended};
use crate::job::{Job, Tally};
use crate::sleepers::Sleepers;
use crate::slot::Slot;
use crate::store::BlockStore;
use crate::timers::Timers;
use bench_model::{
    Action, Addr, Assignment, Attempt, BlockRef, Event, FragmentId, Graph, JobError, JobId, Machine, Nanos, NodeId,
    Planned, SpanKind, StageStats, Style, StyleEnv, TaskFailure, TaskId, TaskReport,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// The one node of an in-process session.
pub(crate) const NODE: Addr = Addr::Node(NodeId(0));

/// Work for a slot that is not a task: it must happen outside the lock.
pub(crate) enum Chore {
    /// Ask the planner, then tell the driver.
    Replan { job: JobId, stats: StageStats, fixed: Vec<FragmentId> },
    /// Drop blocks and their files.
    Free { job: JobId, fragment: Option<FragmentId> },
}

/// How far the current job is: decides what idle slots wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    Vacant,
    /// It is being planned.
    Lowering,
    /// The machines have it.
    Running,
    /// Its answer is being put together.
    Answering,
}

/// Where a slot is, as the lock's holder sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occupation {
    Asleep,
    Awake,
    Running(TaskId, Attempt),
}

/// Machines, messages, timers, and the run queue.
pub(crate) struct Control<S: Style> {
    driver: S::Machine,
    node: S::Machine,
    now: Nanos,
    inbox: VecDeque<(Addr, Event<S::Msg>)>,
    actions: Vec<Action<S::Msg>>,
    timers: Timers,
    runs: VecDeque<Assignment>,
    chores: VecDeque<Chore>,
    occupations: Vec<Occupation>,
    slots: Vec<Arc<Slot>>,
    store: Arc<BlockStore>,
    completion: Arc<Completion>,
    spans: bool,
    /// Which slots sleep.
    pub(crate) sleepers: Sleepers,
    /// The job that runs.
    pub(crate) job: Option<Job>,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Whether the slots should end.
    pub(crate) stopping: bool,
}

impl<S: Style> Control<S> {
    /// Makes and starts a driver and one node. Every slot counts as awake until it lies down.
    pub(crate) fn start(
        style: &S,
        env: &StyleEnv,
        slots: Vec<Arc<Slot>>,
        (store, completion): (Arc<BlockStore>, Arc<Completion>),
        spans: bool,
    ) -> Self {
        let mut control = Self {
            driver: style.machine(Addr::Driver, env),
            node: style.machine(NODE, env),
            now: Nanos::ZERO,
            inbox: VecDeque::new(),
            actions: Vec::new(),
            timers: Timers::default(),
            runs: VecDeque::new(),
            chores: VecDeque::new(),
            occupations: vec![Occupation::Awake; slots.len()],
            slots,
            store,
            completion,
            spans,
            sleepers: Sleepers::default(),
            job: None,
            phase: Phase::Vacant,
            stopping: false,
        };
        control.inbox.push_back((Addr::Driver, Event::Start));
        control.inbox.push_back((NODE, Event::Start));
        control.feed(Nanos::ZERO, Addr::Driver, Event::NodeUp { node: NodeId(0), slots: env.slots });
        control
    }

    /// Hands an event to a machine and carries out what it and the machines it talks to command, until all is quiet.
    pub(crate) fn feed(&mut self, now: Nanos, at: Addr, event: Event<S::Msg>) {
        // Slots read the clock before they get the lock, so readings may arrive out of order.
        self.now = self.now.max(now);
        self.inbox.push_back((at, event));
        let mut actions = std::mem::take(&mut self.actions);
        while let Some((at, event)) = self.inbox.pop_front() {
            match at {
                Addr::Driver => self.driver.on(self.now, event, &mut actions),
                NODE => self.node.on(self.now, event, &mut actions),
                // A message to a node that was never there is lost, as it would be on a network.
                Addr::Node(_) => continue,
            }
            for action in actions.drain(..) {
                self.perform(at, action);
            }
        }
        self.actions = actions;
        self.account_for_sleepers();
    }

    fn perform(&mut self, at: Addr, action: Action<S::Msg>) {
        match action {
            Action::Run(assignment) => self.runs.push_back(assignment),
            Action::Send { to, msg } => self.inbox.push_back((to, Event::Message { from: at, msg })),
            Action::Timer { id, after } => self.timers.set(at, id, self.now + after),
            Action::Cancel { task, attempt } => self.cancel(task, attempt),
            Action::Free { job, fragment } => self.chores.push_back(Chore::Free { job, fragment }),
            Action::Replan { job, stats, fixed } => self.replan(job, stats, fixed),
            Action::Finish { job, result } => self.finish(job, result),
            Action::Note { job, note } => {
                if let Some(job) = self.job.as_mut().filter(|j| j.id == job) {
                    job.note(note);
                }
            }
        }
    }

    /// Ends the job. Its answer is opened here and now, before any `Free` that comes with the end is carried out; the
    /// blocks of an answer are in memory, so this touches no file. The answer of an unplanned graph is a mere count.
    fn finish(&mut self, job: JobId, result: Result<Vec<BlockRef>, JobError>) {
        let Some(current) = self.job.as_ref().filter(|j| j.id == job) else { return };
        let answer = result.map(|blocks| if current.planned { self.store.open_all(&blocks) } else { Ok(Vec::new()) });
        self.phase = Phase::Answering;
        self.completion.finish(
            job,
            match answer {
                Ok(Ok(readers)) => Ended::Answer(readers),
                Ok(Err(failure)) => Ended::Lost(failure),
                Err(error) => Ended::Refused(error),
            },
        );
    }

    /// Asks the planner if it knows the job; a graph that nobody planned cannot be replanned.
    fn replan(&mut self, job: JobId, stats: StageStats, fixed: Vec<FragmentId>) {
        if self.job.as_ref().is_some_and(|j| j.id == job && j.planned) {
            self.chores.push_back(Chore::Replan { job, stats, fixed });
        } else {
            let unchanged = Planned { job, graph: None, notes: Vec::new() };
            self.inbox.push_back((Addr::Driver, Event::Planned(unchanged)));
        }
    }

    fn cancel(&mut self, task: TaskId, attempt: Attempt) {
        if let Some(slot) = self.occupations.iter().position(|o| *o == Occupation::Running(task, attempt)) {
            if let Some(slot) = self.slots.get(slot) {
                slot.cancel();
            }
        } else if let Some(queued) = self.runs.iter().position(|a| a.task == task && a.attempt == attempt) {
            self.runs.remove(queued);
            self.inbox.push_back((NODE, Event::TaskRan { task, attempt, result: Err(TaskFailure::Cancelled) }));
        }
    }

    /// A slot takes the next task. Queued tasks are few or the queue is consumed in order, so nothing is searched.
    pub(crate) fn take_run(&mut self, slot: &Slot) -> Option<Assignment> {
        let assignment = self.runs.pop_front()?;
        slot.begin();
        self.occupy(slot, Occupation::Running(assignment.task, assignment.attempt));
        Some(assignment)
    }

    /// A slot's task ended.
    pub(crate) fn ran(
        &mut self,
        now: Nanos,
        slot: &Slot,
        (task, attempt): (TaskId, Attempt),
        result: Result<TaskReport, TaskFailure>,
    ) {
        self.occupy(slot, Occupation::Awake);
        if result.is_ok()
            && let Some(tally) = self.job.as_mut().filter(|j| j.id == task.job).and_then(|j| j.tally.as_mut())
        {
            tally.finished(task);
        }
        self.feed(now, NODE, Event::TaskRan { task, attempt, result });
    }

    /// The next chore.
    pub(crate) fn take_chore(&mut self) -> Option<Chore> {
        self.chores.pop_front()
    }

    /// Raises one timer that is due; false if none is.
    pub(crate) fn fire_timer(&mut self, now: Nanos) -> bool {
        let Some((at, id)) = self.timers.take_due(now) else { return false };
        self.feed(now, at, Event::Timer(id));
        true
    }

    /// When the next timer goes off.
    pub(crate) fn next_timer(&self) -> Option<Nanos> {
        self.timers.next()
    }

    /// The time of the latest event.
    pub(crate) fn now(&self) -> Nanos {
        self.now
    }

    /// How many sleepers to wake for what is queued. Two at most: each of them looks again, so a large wave wakes the
    /// slots as a tree does, and the one that asks is not held up by system calls.
    pub(crate) fn sleepers_to_wake(&mut self) -> usize {
        if !self.sleepers.any() {
            return 0;
        }
        let wanted = (self.runs.len() + self.chores.len()).min(2);
        self.sleepers.signal(wanted, self.timers.next())
    }

    /// A slot goes to sleep at `now`. Returns the time at which it must wake by itself, if any.
    pub(crate) fn lie_down(&mut self, slot: &Slot, now: Nanos) -> Option<Nanos> {
        self.occupy(slot, Occupation::Asleep);
        slot.switch_at(self.idle_kind(), now);
        self.sleepers.lie_down(self.timers.next())
    }

    /// A slot is awake again, having watched that deadline.
    pub(crate) fn get_up(&mut self, slot: &Slot, watched: Option<Nanos>) {
        self.sleepers.disarm(watched);
        self.occupy(slot, Occupation::Awake);
    }

    /// A job begins: the slots wait for its plan.
    pub(crate) fn begin(&mut self, now: Nanos, job: Job) {
        self.now = self.now.max(now);
        self.job = Some(job);
        self.phase = Phase::Lowering;
        self.account_for_sleepers();
    }

    /// The machines get the job.
    pub(crate) fn submit(&mut self, now: Nanos, job: JobId, graph: Arc<Graph>, tally: Option<Tally>) {
        if let Some(current) = &mut self.job {
            current.tally = tally;
        }
        self.phase = Phase::Running;
        self.feed(now, Addr::Driver, Event::Submit { job, graph });
    }

    /// The job is over and its answer complete, or there is none.
    pub(crate) fn end(&mut self, now: Nanos) -> Option<Job> {
        self.now = self.now.max(now);
        self.phase = Phase::Vacant;
        self.account_for_sleepers();
        self.job.take()
    }

    fn occupy(&mut self, slot: &Slot, occupation: Occupation) {
        if let Some(place) = self.occupations.get_mut(slot.number()) {
            *place = occupation;
        }
    }

    /// What a slot without work waits for at this moment.
    fn idle_kind(&self) -> SpanKind {
        match self.phase {
            Phase::Vacant => SpanKind::IdleNoTask,
            Phase::Lowering => SpanKind::Submit,
            Phase::Running => self.driver.idle_reason(),
            Phase::Answering => SpanKind::Report,
        }
    }

    /// Switches the accounts of sleeping slots to what they wait for now.
    fn account_for_sleepers(&mut self) {
        if !self.spans || !self.sleepers.any() {
            return;
        }
        let kind = self.idle_kind();
        for (slot, occupation) in self.slots.iter().zip(&self.occupations) {
            if *occupation == Occupation::Asleep {
                slot.switch_if_other(kind, self.now);
            }
        }
    }
}
