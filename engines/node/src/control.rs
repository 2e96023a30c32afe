//! The machines and everything they command, behind the session's one lock.
//!
//! Invariant: a machine runs only inside this structure's methods, hence only under the lock; a kernel, a file
//! operation or the planner never does.
//!
//! Dropping blocks takes effect in the order of the machine's actions: they leave the store's index at once, so that a
//! block fetched again after its release is not lost to a late removal. Their memory and files are given back by a
//! chore. A slot does the chores that are due before it takes another task, so a node that is told to spill does so
//! before its memory grows again, although every slot may be busy at that moment.
//!
//! What a sleeping slot waits for is the machine's to say, and asking it at every event would cost more than a zero-work
//! task does. It is asked when a slot lies down, when the job's phase changes, and otherwise when an event comes
//! [`BLUR`] or more after it was last asked; its answer, which is still that of the event before, then counts from that
//! event on. So every instant is accounted for, a long wait under its right kind, and a wait that changes its kind may
//! be off by at most [`BLUR`] per change.
//!
//! In a cluster of several processes the driver's host has no node and a node's host no driver. What a machine says to one
//! that is not here goes to the network, in order, and a node is told by the driver what its idle slots wait for.
//!
//! Long because: everything behind the session's one lock is here, so that what may happen under it can be read in
//! one place.

use crate::completion::{Completion, Ended};
use crate::job::{Job, NOTES_MAX, Tally};
use crate::log::{self, Copies, Log};
use crate::peers::Peers;
use crate::phase::Phase;
use crate::remote::{Frame, Network};
use crate::residents::Residents;
use crate::sleepers::Sleepers;
use crate::slot::Slot;
use crate::store::BlockStore;
use crate::timers::Timers;
use bench_model::{
    Action, Addr, Assignment, Attempt, BlockId, BlockRef, Bytes, Event, FragmentId, Graph, JobError, JobId, Machine,
    Nanos, NodeId, Note, Planned, SpanKind, StageStats, Storage, Style, StyleEnv, TaskFailure, TaskId, TaskReport,
    TaskTrace,
};
use std::collections::VecDeque;
use std::sync::Arc;

mod observed;

/// More actions than this at one event are a wave of tasks rather than the next one.
const QUIET: usize = 16;

/// For how long a sleeping slot's account may name a reason that has changed.
const BLUR: Nanos = Nanos::new(50_000);

/// Messages held back while an answer is read. More of them are lost, as on a network; there are a few per node.
const HELD_MAX: usize = 100_000;

/// Work for a slot that is not a task: it must happen outside the lock.
pub(crate) enum Chore {
    /// Ask the planner, then tell the driver.
    Replan { job: JobId, stats: StageStats, fixed: Vec<FragmentId> },
    /// Move a block to disk, then tell the node.
    Spill { block: BlockId, attempt: Attempt },
    /// Measure the process's memory, then tell the node.
    MeasureMemory,
    /// Give back the memory and files of dropped blocks.
    Sweep,
}

/// What the machines' commands reach.
pub(crate) struct Ends<S: Style> {
    /// The blocks of this node.
    pub(crate) store: Arc<BlockStore>,
    /// The blocks of the others.
    pub(crate) peers: Arc<dyn Peers>,
    /// Whoever waits for the job.
    pub(crate) completion: Arc<Completion>,
    /// The machines of other processes, if there are any.
    pub(crate) network: Option<Arc<Network<S::Msg>>>,
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
    driver: Option<S::Machine>,
    node: Option<S::Machine>,
    /// Where the node's machine lives.
    here: NodeId,
    now: Nanos,
    /// When the accounts of sleeping slots were last set right.
    settled: Nanos,
    inbox: VecDeque<(Addr, Event<S::Msg>)>,
    actions: Vec<Action<S::Msg>>,
    /// How many actions the latest event led to.
    stir: usize,
    timers: Timers,
    runs: VecDeque<Assignment>,
    chores: VecDeque<Chore>,
    occupations: Vec<Occupation>,
    slots: Vec<Arc<Slot>>,
    /// Slots that no thread has, where threads take them as needed. Absent where each slot has its own thread.
    spare: Option<Vec<Arc<Slot>>>,
    ends: Ends<S>,
    spans: bool,
    copies: Copies,
    /// What idle slots wait for: as the driver, elsewhere, has said, or as it was last said to the nodes.
    told: SpanKind,
    /// What the driver has said since its job ended, until the answer has been read.
    held: Option<Vec<(Addr, S::Msg)>>,
    /// How many notes were sent to the driver about which job.
    noted: (JobId, usize),
    /// The job whose attempts this node reports one by one, and how many of them it has begun.
    traced: Option<(JobId, usize)>,
    /// How many threads run a task or do a chore, and how many may at a time: one has to be left to listen where there is
    /// anything to hear.
    away: usize,
    away_max: usize,
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
    /// Makes and starts the machines that live here. In one process every slot counts as awake until it lies down;
    /// otherwise all of them are spare at first.
    pub(crate) fn start(
        style: &S,
        env: &StyleEnv,
        residents: Residents,
        slots: Vec<Arc<Slot>>,
        ends: Ends<S>,
        spans: bool,
    ) -> Self {
        let here = residents.node();
        let alone = matches!(residents, Residents::Both(_));
        let occupation = if alone { Occupation::Awake } else { Occupation::Asleep };
        let mut control = Self {
            driver: (!matches!(residents, Residents::Node(_))).then(|| style.machine(Addr::Driver, env)),
            node: (residents != Residents::Driver).then(|| style.machine(Addr::Node(here), env)),
            here,
            now: Nanos::ZERO,
            settled: Nanos::ZERO,
            inbox: VecDeque::new(),
            actions: Vec::new(),
            stir: 0,
            timers: Timers::default(),
            runs: VecDeque::new(),
            chores: VecDeque::new(),
            occupations: vec![occupation; slots.len()],
            spare: (!alone).then(|| slots.iter().rev().cloned().collect()),
            slots,
            ends,
            spans,
            copies: Copies::default(),
            told: SpanKind::IdleNoTask,
            held: None,
            noted: (JobId(0), 0),
            traced: None,
            away: 0,
            away_max: usize::MAX,
            sleepers: Sleepers::default(),
            job: None,
            phase: Phase::Vacant,
            stopping: false,
        };
        control.inbox.push_back((Addr::Driver, Event::Start));
        control.inbox.push_back((Addr::Node(here), Event::Start));
        control.carry_out();
        if alone {
            control.feed(Nanos::ZERO, Addr::Driver, Event::NodeUp { node: here, slots: env.slots });
        }
        control
    }

    /// Hands an event to a machine and carries out what it and the machines it talks to command, until all is quiet.
    pub(crate) fn feed(&mut self, now: Nanos, at: Addr, event: Event<S::Msg>) {
        self.advance(now);
        self.inbox.push_back((at, event));
        self.carry_out();
    }

    /// Hands over what a machine of another process says.
    pub(crate) fn hear(&mut self, now: Nanos, at: Addr, from: Addr, messages: Vec<S::Msg>) {
        self.advance(now);
        self.inbox.extend(messages.into_iter().map(|msg| (at, Event::Message { from, msg })));
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        self.stir = 0;
        while let Some((at, event)) = self.inbox.pop_front() {
            let machine = match at {
                Addr::Driver => self.driver.as_mut(),
                Addr::Node(node) if node == self.here => self.node.as_mut(),
                Addr::Node(_) => None,
            };
            let Some(machine) = machine else { continue };
            machine.on(self.now, event, &mut actions);
            self.hold_if_finished(&actions);
            self.stir += actions.len();
            for action in actions.drain(..) {
                self.perform(at, action);
            }
        }
        self.actions = actions;
    }

    /// Hands an event to the node's machine.
    pub(crate) fn feed_node(&mut self, now: Nanos, event: Event<S::Msg>) {
        self.feed(now, Addr::Node(self.here), event);
    }

    fn perform(&mut self, at: Addr, action: Action<S::Msg>) {
        match action {
            Action::Run(assignment) => self.runs.push_back(assignment),
            Action::Send { to, msg } => self.send(at, to, msg),
            Action::Timer { id, after } => self.timers.set(at, id, self.now + after),
            Action::Cancel { task, attempt } => self.cancel(task, attempt),
            Action::Fetch { block, storage } => self.fetch(block, storage),
            Action::Spill { block, attempt } => self.chores.push_back(Chore::Spill { block, attempt }),
            Action::Release { block, attempt } => self.ends.store.release(block, attempt),
            Action::Free { job, fragment } => self.ends.store.free(job, fragment),
            Action::MeasureMemory => self.chores.push_back(Chore::MeasureMemory),
            Action::Replan { job, stats, fixed } => self.replan(job, stats, fixed),
            Action::Finish { job, result } => self.finish(job, result),
            Action::Note { job, note } => self.note(job, note),
        }
    }

    fn send(&mut self, from: Addr, to: Addr, msg: S::Msg) {
        let is_here = match to {
            Addr::Driver => self.driver.is_some(),
            Addr::Node(node) => node == self.here,
        };
        match (&self.ends.network, &mut self.held) {
            _ if is_here => self.inbox.push_back((to, Event::Message { from, msg })),
            (Some(_), Some(held)) if held.len() < HELD_MAX => held.push((to, msg)),
            (Some(network), None) => network.post(to, msg),
            // A message to a node that was never there is lost, as it would be on a network.
            _ => {}
        }
    }

    /// What the driver says together with the end of a job that has an answer is held back from here on, also what it
    /// says before it: none of it may reach a node before the answer has been read.
    fn hold_if_finished(&mut self, actions: &[Action<S::Msg>]) {
        if self.node.is_some() || self.held.is_some() {
            return;
        }
        let Some(current) = self.job.as_ref().filter(|j| j.planned) else { return };
        let has_answer = |a: &Action<_>| matches!(a, Action::Finish { job, result: Ok(_) } if *job == current.id);
        if actions.iter().any(has_answer) {
            self.held = Some(Vec::new());
        }
    }

    /// Tells whoever observes the job, here or where the driver is.
    fn note(&mut self, job: JobId, note: Note) {
        match (&self.ends.network, &self.driver) {
            (Some(network), None) => {
                if self.noted.0 != job {
                    self.noted = (job, 0);
                }
                self.noted.1 += 1;
                // What a fault came to is told however much else there was to tell.
                if self.noted.1 <= NOTES_MAX || matches!(note, Note::Damaged(_)) {
                    network.post_note(Addr::Driver, job, note);
                }
            }
            _ => self.hear_note(job, note),
        }
    }

    /// A machine, here or on another node, has done something worth telling.
    pub(crate) fn hear_note(&mut self, job: JobId, note: Note) {
        let now = self.now;
        let Some(job) = self.job.as_mut().filter(|j| j.id == job) else { return };
        if let (Note::Damaged(block), Some(watch)) = (&note, &mut job.watch) {
            watch.found_damaged(now, *block);
        }
        if let (Some(log), Note::Spilled(_)) = (&mut job.log, &note) {
            log.spilled();
        }
        job.note(note);
    }

    /// The answer has been read: what was held back may be said.
    pub(crate) fn release_held(&mut self) {
        let held = self.held.take().unwrap_or_default();
        if let Some(network) = &self.ends.network {
            held.into_iter().for_each(|(to, msg)| network.post(to, msg));
        }
    }

    /// A node of another process is gone.
    pub(crate) fn lost_node(&mut self, now: Nanos, node: NodeId) {
        if let Some(job) = &mut self.job {
            // What the node did is lost with it, and its next incarnation is not asked.
            job.log = None;
            job.note(Note::Did(format!("{node} went down")));
            if let Some(watch) = &mut job.watch {
                watch.lost(now, node);
            }
        }
        self.feed(now, Addr::Driver, Event::NodeDown(node));
    }

    /// Copies a block of another node; one that is here already is not copied again.
    fn fetch(&mut self, block: BlockRef, storage: Storage) {
        let result = if self.ends.store.holds(&block) {
            Some(Ok(()))
        } else if block.node == self.here {
            Some(Err(TaskFailure::MissingBlock(block.id)))
        } else {
            if self.spans {
                self.copies.begin(&block, self.now);
            }
            self.ends.peers.fetch(&block, storage)
        };
        if let Some(result) = result {
            self.copies.end(&block, self.now, result.is_ok());
            self.inbox.push_back((Addr::Node(self.here), Event::Fetched { block, result }));
        }
    }

    /// A block of another node has arrived, or is not to be had.
    pub(crate) fn fetched(&mut self, now: Nanos, block: BlockRef, result: Result<(), TaskFailure>) {
        self.copies.end(&block, now, result.is_ok());
        self.feed_node(now, Event::Fetched { block, result });
    }

    /// Ends the job. The blocks of its answer are found here and now, before any `Free` that comes with the end is
    /// carried out; whoever waits for the answer opens them. If they are on other nodes, what the driver says from now on
    /// is held back until they have been read, so that nobody is told to drop them. The answer of an unplanned graph is a
    /// mere count.
    fn finish(&mut self, job: JobId, result: Result<Vec<BlockRef>, JobError>) {
        let Some(current) = self.job.as_ref().filter(|j| j.id == job) else { return };
        let planned = current.planned;
        if let Some(log) = self.job.as_mut().and_then(|j| j.log.as_mut()) {
            log.finished(self.now);
        }
        self.enter(Phase::Answering);
        let ended = match result {
            Err(error) => Ended::Refused(error),
            Ok(_) if !planned => Ended::Answer(Vec::new()),
            Ok(blocks) if self.node.is_none() => Ended::Elsewhere(blocks),
            Ok(blocks) => self.ends.store.find_all(&blocks).map_or_else(Ended::Lost, Ended::Answer),
        };
        self.ends.completion.finish(job, ended);
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
            let result = Err(TaskFailure::Cancelled);
            self.inbox.push_back((Addr::Node(self.here), Event::TaskRan { task, attempt, result }));
        }
    }

    /// A slot takes the next task. Queued tasks are few or the queue is consumed in order, so nothing is searched.
    pub(crate) fn take_run(&mut self, slot: &Slot) -> Option<Assignment> {
        let assignment = self.runs.pop_front()?;
        slot.begin(self.is_traced(assignment.task.job));
        self.occupy(slot, Occupation::Running(assignment.task, assignment.attempt));
        Some(assignment)
    }

    /// Whether the job's log takes in what its next attempt does. A node does not see the log of a driver elsewhere: it counts.
    fn is_traced(&mut self, job: JobId) -> bool {
        if self.driver.is_some() {
            let log = self.job.as_ref().filter(|j| j.id == job).and_then(|j| j.log.as_ref());
            return log.is_some_and(Log::is_open);
        }
        let Some((_, begun)) = self.traced.as_mut().filter(|(traced, _)| *traced == job) else { return false };
        *begun += 1;
        *begun <= log::TASKS_MAX
    }

    /// The driver wants to know what each attempt of this job does.
    pub(crate) fn trace(&mut self, job: JobId) {
        self.traced = Some((job, 0));
    }

    /// A slot's task ended, after so much of the slot's time: zero where nobody asks for it.
    pub(crate) fn ran(
        &mut self,
        now: Nanos,
        slot: &Slot,
        (task, attempt): (TaskId, Attempt),
        result: Result<TaskReport, TaskFailure>,
        took: Nanos,
        trace: Option<TaskTrace>,
    ) {
        self.occupy(slot, Occupation::Awake);
        if let Some(mut trace) = trace {
            trace.copied = self.copies.take();
            match &self.ends.network {
                None => self.log(trace),
                Some(network) => network.post_trace(Addr::Driver, trace),
            }
        }
        let spilled = slot.spilled();
        if spilled > Bytes::ZERO {
            match &self.ends.network {
                None => self.count_spilled(task.job, spilled),
                Some(network) => network.post_spilled(Addr::Driver, task.job, spilled),
            }
        }
        if result.is_ok() {
            match &self.ends.network {
                None => self.count_ran(task, took),
                // Before anything the machines say about it.
                Some(network) => network.post_ran(Addr::Driver, task, took),
            }
        }
        self.saw(result.as_ref().err());
        self.feed_node(now, Event::TaskRan { task, attempt, result });
    }

    /// Whether no task runs or waits to be run.
    pub(crate) fn is_idle(&self) -> bool {
        self.runs.is_empty() && !self.occupations.iter().any(|o| matches!(o, Occupation::Running(..)))
    }

    /// From now on, so many threads at most run tasks and do chores at a time.
    pub(crate) fn leave_one_listening(&mut self, threads: usize) {
        self.away_max = threads.saturating_sub(1).max(1);
    }

    /// A thread takes the next chore, if another one is left to listen; it has to say when it is back.
    pub(crate) fn take_chore_away(&mut self) -> Option<Chore> {
        let chore = if self.away < self.away_max { self.take_chore() } else { None };
        self.away += usize::from(chore.is_some());
        chore
    }

    /// A thread has done what it took.
    pub(crate) fn is_back(&mut self) {
        self.away = self.away.saturating_sub(1);
    }

    /// A thread takes the next task, on the slot it has or on a spare one. Where no slot is spare, tasks wait.
    pub(crate) fn take_run_on(&mut self, slot: &mut Option<Arc<Slot>>) -> Option<(Arc<Slot>, Assignment)> {
        if self.runs.is_empty() || self.away >= self.away_max {
            return None;
        }
        let held = match slot {
            Some(held) => Arc::clone(held),
            None => {
                let spare = self.spare.as_mut()?.pop()?;
                spare.switch_at(SpanKind::Schedule, self.now);
                Arc::clone(slot.insert(spare))
            }
        };
        let assignment = self.take_run(&held)?;
        self.away += 1;
        Some((held, assignment))
    }

    /// A thread that has nothing to run gives its slot back.
    pub(crate) fn rest(&mut self, slot: Arc<Slot>, now: Nanos) {
        self.occupy(&slot, Occupation::Asleep);
        slot.switch_at(self.idle_kind(), now);
        if let Some(spare) = &mut self.spare {
            spare.push(slot);
        }
    }

    /// A thread without a slot goes to sleep. Returns the time at which it must wake by itself, if any.
    pub(crate) fn doze(&mut self) -> Option<Nanos> {
        self.sleepers.lie_down(self.timers.next())
    }

    /// A thread without a slot is awake again, having watched that deadline.
    pub(crate) fn wake_up(&mut self, watched: Option<Nanos>) {
        self.sleepers.disarm(watched);
    }

    /// The driver says what idle slots wait for.
    pub(crate) fn told_idle(&mut self, now: Nanos, kind: SpanKind) {
        self.now = self.now.max(now);
        self.told = kind;
        self.settle();
    }

    /// The next chore.
    pub(crate) fn take_chore(&mut self) -> Option<Chore> {
        self.chores.pop_front().or_else(|| self.ends.store.claim_sweep().then_some(Chore::Sweep))
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

    /// Whether the latest event was no more than a step of a running job.
    pub(crate) fn was_quiet(&self) -> bool {
        self.stir <= QUIET
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
        let chores = self.chores.len() + usize::from(self.ends.store.needs_sweep());
        let runs = self.spare.as_ref().map_or(self.runs.len(), |spare| self.runs.len().min(spare.len()));
        let wanted = (runs + chores).min(2).min(self.away_max.saturating_sub(self.away));
        self.sleepers.signal(wanted, self.timers.next())
    }

    /// A slot goes to sleep at `now`. Returns the time at which it must wake by itself, if any.
    pub(crate) fn lie_down(&mut self, slot: &Slot, now: Nanos) -> Option<Nanos> {
        self.occupy(slot, Occupation::Asleep);
        slot.switch_at(self.idle_kind(), now);
        self.sleepers.lie_down(self.timers.next())
    }

    /// A slot is awake again at `now`, having watched that deadline.
    pub(crate) fn get_up(&mut self, slot: &Slot, now: Nanos, watched: Option<Nanos>) {
        self.advance(now);
        self.sleepers.disarm(watched);
        self.occupy(slot, Occupation::Awake);
        slot.switch_at(SpanKind::Schedule, now);
    }

    /// A job begins: the slots wait for its plan.
    pub(crate) fn begin(&mut self, now: Nanos, job: Job) {
        self.advance(now);
        self.job = Some(job);
        self.enter(Phase::Lowering);
    }

    /// The machines get the job.
    pub(crate) fn submit(&mut self, now: Nanos, job: JobId, graph: Arc<Graph>, tally: Option<Tally>) {
        if let Some(current) = &mut self.job {
            current.tally = tally;
            if self.spans && current.traced && graph.tasks() <= log::TASKS_MAX as u64 {
                current.log = Some(Log::new(Arc::clone(&graph), now));
                if let Some(network) = &self.ends.network {
                    network.broadcast(&Frame::Trace(job));
                }
            }
        }
        self.advance(now);
        self.enter(Phase::Running);
        self.feed(now, Addr::Driver, Event::Submit { job, graph });
    }

    /// The job is over and its answer complete, or there is none.
    pub(crate) fn end(&mut self, now: Nanos) -> Option<Job> {
        self.advance(now);
        self.enter(Phase::Vacant);
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
            _ if self.driver.is_none() => self.told,
            Phase::Vacant => SpanKind::IdleNoTask,
            Phase::Lowering => SpanKind::Submit,
            Phase::Running => self.driver.as_ref().map_or(self.told, Machine::idle_reason),
            Phase::Answering => SpanKind::Report,
        }
    }

    /// The time of the next event has come. Until then, sleeping slots have waited for what the machine says now.
    fn advance(&mut self, now: Nanos) {
        if self.spans && now.saturating_sub(self.settled) >= BLUR {
            self.settle();
            self.settled = now;
        }
        // Slots read the clock before they get the lock, so readings may arrive out of order.
        self.now = self.now.max(now);
    }

    /// The job enters another phase at this moment.
    fn enter(&mut self, phase: Phase) {
        self.settle();
        self.phase = phase;
        self.settle();
    }

    /// From the latest event on, the accounts of sleeping slots are on what they wait for, here or on the nodes.
    fn settle(&mut self) {
        let here = self.node.is_some();
        if !self.spans || (here && self.spare.is_none() && !self.sleepers.any()) {
            return;
        }
        let kind = self.idle_kind();
        if let Some(network) = self.ends.network.as_ref().filter(|_| !here && self.told != kind) {
            network.broadcast(&Frame::Idle(kind));
            self.told = kind;
        }
        for (slot, occupation) in self.slots.iter().zip(&self.occupations) {
            if *occupation == Occupation::Asleep {
                slot.switch_if_other(kind, self.now);
            }
        }
    }
}
