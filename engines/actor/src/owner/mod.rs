//! Ownership: whoever submits a fragment's tasks owns their objects, knows where they are, who still reads them and how
//! to make them again.
//!
//! | module | idea | Ray's counterpart |
//! |---|---|---|
//! | `run` | tasks, blocks and what waits for what, in vectors | `TaskManager`, `LocalDependencyResolver` |
//! | `submit` | which ready task asks which node for a lease | `NormalTaskSubmitter`, `LocalityAwareLeasePolicy` |
//! | `outcome` | what follows from an attempt's end | `TaskManager` |
//! | `references` | who still reads a block, across owners; blocks are released when nobody does | `ReferenceCounter` |
//! | `lineage` | lost blocks: another copy, or run again, recursively | `ObjectRecoveryManager` |
//! | `actors` | calls stay where their state is; restarts and checkpoints | `ActorTaskSubmitter`, `GcsActorManager` |
//! | `shuffle` | map outputs move to their reducer's node in rounds | Exoshuffle's push-based shuffle |
//! | `reserve` | tasks that run inside reserved bundles | `GcsPlacementGroupManager` (its client) |
//! | `invariants` | what must hold after each step | |
//!
//! A block read by a task of another owner is a *future* there: that owner hears of it when it exists
//! ([`Note::Ready`]), says when it was read ([`Note::Read`]), not found ([`Note::Missing`]) or needed again
//! ([`Note::Want`]). Both owners keep the same tables, so that one code serves both; only the owner of a fragment runs
//! its tasks and releases its blocks.

mod actors;
mod invariants;
mod lineage;
mod outcome;
mod references;
mod reserve;
mod run;
mod shuffle;
mod submit;

use crate::keyed::Map;
use crate::layout::Layout;
use crate::link::Links;
use crate::message::{Frame, GroupId, Note, Program, RunId, Shared};
use crate::resources::Pool;
use crate::settings::Settings;
use crate::view::View;
use bench_model::{Action, Addr, BlockRef, JobError, NodeId};
use run::Run;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an owner tells the machine it lives in.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The answer's blocks.
    Answer(RunId, Vec<BlockRef>),
    /// The run cannot succeed.
    Failed(RunId, JobError),
    /// A fragment whose owner is gone is needed.
    Orphaned(RunId, u32),
    /// A fragment's tasks are ready and want bundles.
    GroupWanted(RunId, u32),
    /// A fragment has nothing to run in its bundles now.
    GroupIdle(RunId, GroupId),
    /// No node can run a fragment's tasks at present.
    Stalled(RunId, u32),
}

/// What every decision of an owner may look at and act on, besides the run it is about.
pub(crate) struct Cx<'a> {
    pub(crate) me: Addr,
    pub(crate) settings: &'a Settings,
    /// What a node has, its slots aside.
    pub(crate) pool: &'a Pool,
    pub(crate) view: &'a mut View,
    pub(crate) links: &'a mut Links,
    pub(crate) verdicts: &'a mut Vec<Verdict>,
    pub(crate) out: &'a mut Vec<Action<Frame>>,
}

/// The runs that a machine owns a part of.
#[derive(Default)]
pub(crate) struct Owner {
    runs: BTreeMap<RunId, Run>,
}

impl Owner {
    /// Begins to own a part of a run: tasks without inputs are ready at once.
    pub(crate) fn begin(&mut self, cx: &Cx<'_>, id: RunId, program: &Shared<Program>, layout: Arc<Layout>) {
        let mut run = Run::new(id, cx.me, program.clone(), layout);
        run.start();
        self.runs.insert(id, run);
    }

    /// Forgets a run.
    pub(crate) fn end(&mut self, cx: &mut Cx<'_>, id: RunId) {
        if let Some(run) = self.runs.remove(&id) {
            run.give_up_leases(cx);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
    }

    /// The node that owns a fragment; nothing if it is the driver.
    pub(crate) fn owner_of(&self, id: RunId, fragment: u32) -> Option<NodeId> {
        self.runs.get(&id)?.program.owners.get(fragment as usize).copied().flatten()
    }

    /// Whether it has a part in a run.
    pub(crate) fn knows(&self, id: RunId) -> bool {
        self.runs.contains_key(&id)
    }

    /// Handles what a node or another owner says about a run.
    pub(crate) fn note(&mut self, cx: &mut Cx<'_>, from: Addr, note: &Note) {
        let (Some(id), Addr::Node(node)) = (run_of(note), from) else {
            self.note_of_owner(cx, from, note);
            return;
        };
        let Some(run) = self.runs.get_mut(&id) else { return };
        match note {
            Note::Done(_, part, attempt, outcome) => run.done(cx, node, *part, *attempt, outcome),
            Note::Spillback(_, part, attempt, to) => run.spilled_back(cx, node, (*part, *attempt), *to),
            Note::Dropped(_, part, attempt) => run.dropped(cx, node, *part, *attempt),
            Note::Kept(_, part, attempt, ok) => run.kept(cx, node, (*part, *attempt), *ok),
            _ => {}
        }
    }

    fn note_of_owner(&mut self, cx: &mut Cx<'_>, from: Addr, note: &Note) {
        let id = match note {
            Note::Ready(id, ..) | Note::Read(id, ..) | Note::Want(id, _) | Note::Missing(id, ..) => *id,
            _ => return,
        };
        let Some(run) = self.runs.get_mut(&id) else { return };
        match note {
            Note::Ready(_, part, attempt, blocks) => run.became_ready(cx, *part, *attempt, blocks),
            Note::Read(_, part, at) => run.read_elsewhere(cx, *part, *at),
            Note::Want(_, part) => run.wanted_elsewhere(cx, from, *part),
            Note::Missing(_, block, at) => run.missing_elsewhere(cx, from, block, *at),
            _ => {}
        }
    }

    /// A node is gone, with everything on it.
    pub(crate) fn node_down(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        for run in self.runs.values_mut() {
            run.node_down(cx, node);
        }
    }

    /// Bundles for a fragment's tasks are reserved: one node for each.
    pub(crate) fn group_opened(&mut self, id: RunId, fragment: u32, group: GroupId, bundles: &[NodeId]) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.group_opened(fragment, group, bundles);
        }
    }

    /// The bundles of a fragment's tasks are gone; those that have not run ask again.
    pub(crate) fn group_closed(&mut self, id: RunId, fragment: u32) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.group_closed(fragment);
        }
    }

    /// Tasks that no node could run may be runnable now.
    pub(crate) fn unstall(&mut self, id: RunId, fragment: u32) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.unstall(fragment);
        }
    }

    /// Asks for leases, oldest run first, while there is room.
    pub(crate) fn schedule(&mut self, cx: &mut Cx<'_>) {
        for run in self.runs.values_mut() {
            run.schedule(cx);
        }
    }

    /// Whether tasks are held back although nodes have room.
    pub(crate) fn is_paused(&self) -> bool {
        self.runs.first_key_value().is_some_and(|(_, run)| run.paused)
    }

    /// What must hold after each step.
    pub(crate) fn check(&self, view: &View) -> Result<(), String> {
        let mut mine: Map<NodeId, u32> = Map::default();
        for (id, run) in &self.runs {
            run.check(view).map_err(|e| format!("run {}: {e}", id.0))?;
            run.leases(&mut mine);
        }
        for peer in view.iter() {
            let leases = mine.get(&peer.member.node).copied().unwrap_or(0);
            if leases != peer.mine {
                return Err(format!("{} leases at {}, {} counted", leases, peer.member.node, peer.mine));
            }
        }
        Ok(())
    }
}

/// The run that a node's answer is about.
fn run_of(note: &Note) -> Option<RunId> {
    match note {
        Note::Done(id, ..) | Note::Spillback(id, ..) | Note::Dropped(id, ..) | Note::Kept(id, ..) => Some(*id),
        _ => None,
    }
}
