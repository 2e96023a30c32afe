//! A node: it grants leases, runs tasks, stores objects, and owns some if ownership is spread.
//!
//! | module | idea | Ray's counterpart |
//! |---|---|---|
//! | `leases` | requests wait for their arguments, then for resources, then run | `ClusterLeaseManager`, `LocalLeaseManager` |
//! | `mailbox` | an actor's calls that have come early | `ActorSchedulingQueue` |
//! | `bundles` | resources set aside for placement groups | `PlacementGroupResourceManager` |
//! | `store` | objects, pins, eviction, spilling, pull admission | Plasma, `LocalObjectManager`, `PullManager` |
//! | `incarnation` | what a new epoch stops, forgets and fences | node death and fencing |
//!
//! Invariants: at most `slots` attempts run, whatever epoch they are of; nothing of an older epoch is obeyed or reported;
//! what such attempts still write is dropped at once.

mod bundles;
mod incarnation;
mod leases;
mod mailbox;
mod store;

use crate::layout::Layout;
use crate::link::{Links, TICK};
use crate::message::{Frame, Note, Part, Program, RunId, Shared};
use crate::owner::{Cx, Owner, Verdict};
use crate::resources::Pool;
use crate::settings::Settings;
use crate::view::View;
use bench_model::{Action, Addr, Attempt, BlockId, Epoch, Event, Nanos, NodeId, SpanKind, StyleEnv, TaskId};
use bundles::Bundles;
use leases::Leases;
use mailbox::Mailboxes;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Store;

type Out = Vec<Action<Frame>>;

/// The machine of a node.
pub struct Raylet {
    node: NodeId,
    settings: Settings,
    /// All that the node has.
    capacity: Pool,
    /// What of it is free.
    pool: Pool,
    view: View,
    links: Links,
    owner: Owner,
    runs: BTreeMap<RunId, Shared<Program>>,
    /// Runs up to this one have begun here, or never will.
    seen: RunId,
    /// What owners said about runs that have not begun here.
    early: Vec<(Addr, Note)>,
    leases: Leases,
    mailboxes: Mailboxes,
    bundles: Bundles,
    store: Store,
    verdicts: Vec<Verdict>,
}

/// What an owner may act on: the node's parts, besides the owner itself.
macro_rules! cx {
    ($raylet:ident, $out:expr) => {
        Cx {
            me: Addr::Node($raylet.node),
            settings: &$raylet.settings,
            pool: &$raylet.capacity,
            view: &mut $raylet.view,
            links: &mut $raylet.links,
            verdicts: &mut $raylet.verdicts,
            out: $out,
        }
    };
}
impl Raylet {
    /// The machine of `node`.
    pub(crate) fn new(node: NodeId, env: &StyleEnv) -> Self {
        let settings = Settings::of(env);
        let capacity = Pool::of(env, env.slots.max(1));
        Self {
            node,
            pool: capacity.clone(),
            capacity,
            view: View::new(settings.window),
            links: Links::new(Epoch(0)),
            owner: Owner::default(),
            runs: BTreeMap::new(),
            seen: RunId(0),
            early: Vec::new(),
            leases: Leases::default(),
            mailboxes: Mailboxes::default(),
            bundles: Bundles::default(),
            store: Store::new(node, &settings),
            verdicts: Vec::new(),
            settings,
        }
    }

    pub(crate) fn on(&mut self, now: Nanos, event: Event<Frame>, out: &mut Out) {
        match event {
            Event::Message { from, msg } => self.message(now, from, &msg, out),
            Event::TaskRan { task, attempt, result } => self.ran(task, attempt, result, out),
            Event::Fetched { block, result } => self.store.fetched(&block, result.is_ok(), out),
            Event::Spilled { block, attempt, result } => self.store.spilled((block, attempt), result.is_ok(), out),
            Event::Timer(TICK) => self.links.tick(now, out),
            // The rest is for drivers, or nothing to this style.
            _ => return,
        }
        self.progress(out);
        self.owner.schedule(&mut cx!(self, out));
        for verdict in std::mem::take(&mut self.verdicts) {
            let note = match verdict {
                Verdict::Failed(run, error) => Note::Failed(run, error),
                Verdict::Orphaned(run, fragment) => Note::Orphaned(run, fragment),
                // The driver alone owns answers and tasks with wishes about nodes.
                _ => continue,
            };
            self.links.send(Addr::Driver, note);
        }
        self.links.load = self.leases.len();
        self.links.flush(now, out);
    }

    fn message(&mut self, now: Nanos, from: Addr, frame: &Frame, out: &mut Out) {
        if from == Addr::Driver && frame.to > self.links.epoch {
            self.begin_epoch(frame.to, out);
        }
        let mut batch = self.links.receive(now, from, frame);
        while let Some(notes) = batch {
            for note in notes.iter() {
                self.note(from, note, out);
            }
            batch = self.links.next_early(from);
        }
    }

    fn note(&mut self, from: Addr, note: &Note, out: &mut Out) {
        if from != Addr::Driver
            && let Some(run) = run_of(note)
            && !self.runs.contains_key(&run)
        {
            // A run that is over is nothing any more. One that has not begun here will.
            if run > self.seen {
                self.early.push((from, note.clone()));
            }
            return;
        }
        match note {
            Note::Welcome(members, known) => {
                self.seen = *known;
                for member in members {
                    self.joined(*member);
                }
            }
            Note::Joined(member) => self.joined(*member),
            Note::Left(node) => {
                self.view.leave(*node);
                self.links.close(Addr::Node(*node));
                self.owner.node_down(&mut cx!(self, out), *node);
            }
            Note::Loads(loads) => loads.iter().for_each(|(node, load)| {
                self.view.set_load(*node, *load);
            }),
            Note::Begin(run, program) => self.begin(*run, program, out),
            Note::End(run) => self.end(*run, out),
            Note::Prepare(group, run, fragment, bundles) => self.prepare(*group, *run, *fragment, *bundles),
            Note::Commit(group) => self.commit(*group),
            Note::Return(group) => self.return_bundles(*group),
            Note::Launch(lease) => self.lease(from, lease, out),
            Note::Release(run, part, attempt, output) => self.release(*run, *part, *attempt, Some(*output), out),
            Note::Drop(run, part, attempt) => {
                self.release(*run, *part, *attempt, None, out);
                self.links.send(from, Note::Dropped(*run, *part, *attempt));
            }
            Note::Prefetch(run, blocks) if self.runs.contains_key(run) => self.store.prefetch(blocks, out),
            Note::Keep(run, part, attempt, blocks) => self.keep(from, (*run, *part, *attempt), blocks, out),
            _ => self.owner.note(&mut cx!(self, out), from, note),
        }
    }

    fn joined(&mut self, member: crate::message::Member) {
        self.view.join(member);
        self.links.open(Addr::Node(member.node), member.epoch);
    }

    fn begin(&mut self, run: RunId, program: &Shared<Program>, out: &mut Out) {
        self.seen = self.seen.max(run);
        self.runs.insert(run, program.clone());
        if program.owners.contains(&Some(self.node))
            && let Ok(layout) = Layout::new(program.job, &program.graph.to_arc())
        {
            self.owner.begin(&cx!(self, out), run, program, Arc::new(layout));
        }
        let (mine, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.early).into_iter().partition(|(_, note)| run_of(note).is_some_and(|r| r <= run));
        self.early = later;
        for (from, note) in mine {
            self.note(from, &note, out);
        }
    }

    /// A run is over: everything of it is dropped, now or as soon as it ends.
    fn end(&mut self, run: RunId, out: &mut Out) {
        if let Some(program) = self.runs.remove(&run) {
            self.owner.end(&mut cx!(self, out), run);
            self.drop_leases(run, out);
            self.drop_bundles(run);
            self.store.drop_job(program.job);
            out.push(Action::Free { job: program.job, fragment: None });
        }
        self.links.send(Addr::Driver, Note::Ended(run));
    }

    /// The id of a task; nothing if the run or the task is not known.
    fn task_id(&self, run: RunId, part: Part) -> Option<TaskId> {
        let program = self.runs.get(&run)?;
        let fragment = program.graph.fragments.get(part.fragment as usize)?;
        Some(TaskId { job: program.job, fragment: fragment.id, partition: part.partition })
    }

    fn release(&mut self, run: RunId, part: Part, attempt: u32, output: Option<u32>, out: &mut Out) {
        let Some(task) = self.task_id(run, part) else { return };
        let outputs =
            self.runs.get(&run).and_then(|p| p.graph.fragments.get(part.fragment as usize)).map_or(0, |f| f.outputs);
        let range = output.map_or(0..outputs, |o| o..o.saturating_add(1));
        for output in range {
            self.store.release((BlockId { task, output }, Attempt(attempt)), out);
        }
    }

    pub(crate) fn idle_reason(&self) -> SpanKind {
        if self.store.is_holding_back() { SpanKind::IdlePaused } else { SpanKind::IdleNoTask }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.links.check()?;
        self.view.check()?;
        self.store.check()?;
        self.check_leases()?;
        if self.early.iter().any(|(_, note)| run_of(note).is_some_and(|run| run <= self.seen)) {
            return Err("notes about a run are kept that should have been heard".to_owned());
        }
        self.owner.check(&self.view)
    }
}

/// The run that a note of an owner, or of a node to an owner, is about.
fn run_of(note: &Note) -> Option<RunId> {
    match note {
        Note::Launch(lease) => Some(lease.run),
        Note::Release(run, ..) | Note::Drop(run, ..) | Note::Prefetch(run, ..) | Note::Keep(run, ..) => Some(*run),
        Note::Ready(run, ..) | Note::Read(run, ..) | Note::Want(run, _) | Note::Missing(run, ..) => Some(*run),
        Note::Done(run, ..) | Note::Spillback(run, ..) | Note::Dropped(run, ..) | Note::Kept(run, ..) => Some(*run),
        _ => None,
    }
}
