//! The driver's address: the submitting program, and the service that knows who is alive (Ray's driver worker and its
//! global control service).
//!
//! | module | idea |
//! |---|---|
//! | `jobs` | jobs and their runs: begin, end, submit again |
//! | `members` | who is alive, and who is told |
//! | `groups` | placement groups, reserved in two phases, one at a time |
//!
//! The program owns all objects unless ownership is spread; then it owns those of the answer, of actors and of tasks with
//! wishes about nodes, and the nodes in turn own the rest, as if tasks had submitted tasks.

mod groups;
mod jobs;
mod members;

use crate::link::{Links, TICK};
use crate::message::{Frame, Note, RunId};
use crate::owner::{Cx, Owner, Verdict};
use crate::resources::Pool;
use crate::settings::Settings;
use crate::view::View;
use bench_model::{Action, Addr, Epoch, Event, JobError, JobId, Nanos, NodeId, SpanKind, StyleEnv, TimerId};
use groups::Groups;
use jobs::Job;
use std::collections::BTreeMap;

/// Gives jobs up when no node has joined in time.
const NO_NODES: TimerId = TimerId(1);
const NO_NODES_AFTER: Nanos = Nanos::from_millis(10_000);
/// Gives jobs up whose tasks no node can run.
const STALLED: TimerId = TimerId(2);
const STALLED_AFTER: Nanos = Nanos::from_millis(5_000);

type Out = Vec<Action<Frame>>;

/// A fragment that no node can run at present.
struct Stall {
    since: Nanos,
    run: RunId,
    fragment: u32,
    reason: String,
}

/// The machine at [`Addr::Driver`].
pub struct Driver {
    settings: Settings,
    env: StyleEnv,
    pool: Pool,
    view: View,
    links: Links,
    owner: Owner,
    jobs: BTreeMap<JobId, Job>,
    /// The job of each run that is not over.
    runs: BTreeMap<RunId, JobId>,
    last_run: RunId,
    epochs: u64,
    groups: Groups,
    stalls: Vec<Stall>,
    verdicts: Vec<Verdict>,
    /// Loads have changed since they were told.
    loads_changed: bool,
}

/// What an owner may act on: the driver's parts, besides the owner itself.
macro_rules! cx {
    ($driver:ident, $out:expr) => {
        Cx {
            me: Addr::Driver,
            settings: &$driver.settings,
            pool: &$driver.pool,
            view: &mut $driver.view,
            links: &mut $driver.links,
            verdicts: &mut $driver.verdicts,
            out: $out,
        }
    };
}
use cx;

impl Driver {
    pub(crate) fn new(env: &StyleEnv) -> Self {
        let settings = Settings::of(env);
        Self {
            env: env.clone(),
            pool: Pool::of(env, env.slots.max(1)),
            view: View::new(settings.window),
            links: Links::new(Epoch(0)),
            owner: Owner::default(),
            jobs: BTreeMap::new(),
            runs: BTreeMap::new(),
            last_run: RunId(0),
            epochs: 0,
            groups: Groups::default(),
            stalls: Vec::new(),
            verdicts: Vec::new(),
            loads_changed: false,
            settings,
        }
    }

    pub(crate) fn on(&mut self, now: Nanos, event: Event<Frame>, out: &mut Out) {
        match event {
            Event::Submit { job, graph } => self.submit(job, &graph, out),
            Event::Cancel(job) => self.finish(job, Err(JobError::Cancelled), out),
            Event::Message { from: Addr::Node(node), msg } => self.message(now, node, &msg, out),
            Event::NodeUp { node, slots } => self.node_up(node, slots, out),
            Event::NodeDown(node) => self.node_down(node, out),
            Event::Timer(TICK) => {
                self.tell_loads();
                self.links.tick(now, out);
            }
            Event::Timer(NO_NODES) => self.give_up_without_nodes(out),
            Event::Timer(STALLED) => self.give_up_stalled(now, out),
            // The rest is for nodes, or nothing to this style.
            _ => {}
        }
        self.create_groups(now, out);
        self.owner.schedule(&mut cx!(self, out));
        while !self.verdicts.is_empty() {
            for verdict in std::mem::take(&mut self.verdicts) {
                self.verdict(now, verdict, out);
            }
            self.create_groups(now, out);
            self.owner.schedule(&mut cx!(self, out));
        }
        self.links.flush(now, out);
    }

    fn message(&mut self, now: Nanos, node: NodeId, frame: &Frame, out: &mut Out) {
        let from = Addr::Node(node);
        let mut batch = self.links.receive(now, from, frame);
        if batch.is_some() {
            self.loads_changed |= self.view.set_load(node, frame.load);
        }
        while let Some(notes) = batch {
            for note in notes.iter() {
                self.note(node, note, out);
            }
            batch = self.links.next_early(from);
        }
    }

    fn note(&mut self, node: NodeId, note: &Note, out: &mut Out) {
        match note {
            Note::Ended(run) => self.ended_on(node, *run, out),
            Note::Failed(run, error) => self.verdicts.push(Verdict::Failed(*run, error.clone())),
            Note::Orphaned(run, fragment) => self.verdicts.push(Verdict::Orphaned(*run, *fragment)),
            Note::Prepared(group) => self.prepared(node, *group),
            _ => self.owner.note(&mut cx!(self, out), Addr::Node(node), note),
        }
    }

    /// Why a free slot has nothing to do.
    pub(crate) fn idle_reason(&self) -> SpanKind {
        if self.owner.is_paused() { SpanKind::IdlePaused } else { SpanKind::IdleNoTask }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.links.check()?;
        self.view.check()?;
        if !self.verdicts.is_empty() {
            return Err("verdicts are left".to_owned());
        }
        for (run, job) in &self.runs {
            if self.jobs.get(job).and_then(|j| j.run) != Some(*run) || !self.owner.knows(*run) {
                return Err(format!("run {} is not that of {job}", run.0));
            }
        }
        self.groups.check(|run| self.runs.contains_key(&run), |node| self.view.is_up(node))?;
        self.owner.check(&self.view)
    }
}
