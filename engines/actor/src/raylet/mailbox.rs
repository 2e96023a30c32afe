//! Mailboxes: an actor's calls that have come before the ones they follow have ended.
//!
//! A call names the one it follows and that call's attempt. It waits for exactly that attempt: if it ends well, the call
//! is told what it left and takes its turn like any request; if it ends badly, or is not known here, the call is given
//! back unrun, and its owner decides anew. So an actor's calls run in order, each once per attempt, whatever fails.
//!
//! Invariant: whatever waits here waits for a request of this node, or for something else that waits here.

use super::{Out, Raylet};
use crate::keyed::Map;
use crate::message::{Lease, Note, Outcome, Part, RunId, Shared};
use bench_model::{Addr, BlockMeta, BlockRef, TaskFailure, TaskId};

/// A call that has come and not ended.
struct Call {
    attempt: u32,
    /// The call that follows it, if that has come too, and from whom.
    next: Option<Box<(Addr, Lease)>>,
}

/// What the last call of an actor left, until the next one comes.
struct Left {
    part: Part,
    attempt: u32,
    metas: Vec<BlockMeta>,
}

/// The mailboxes of a node's actors.
#[derive(Default)]
pub(super) struct Mailboxes {
    calls: Map<(RunId, Part), Call>,
    /// By run, group and actor.
    left: Map<(RunId, u32, u32), Left>,
}

/// What becomes of a call that has come.
enum Turn {
    /// It waits for the call before it, or need not wait.
    Waits,
    Now(Lease),
    /// What it follows is not here.
    Never,
}

impl Mailboxes {
    /// Forgets what has come for a run.
    pub(super) fn drop_run(&mut self, run: RunId) {
        self.calls.retain(|(of, _), _| *of != run);
        self.left.retain(|(of, ..), _| *of != run);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.left.clear();
    }

    /// `task` is the one that the call follows.
    fn turn_of(&mut self, from: Addr, actor: u32, lease: &Lease, task: Option<TaskId>) -> Turn {
        let (Some((before, attempt)), Some(task)) = (lease.after, task) else { return Turn::Now(lease.clone()) };
        if let Some(call) = self.calls.get_mut(&(lease.run, before)).filter(|call| call.attempt == attempt) {
            call.next = Some(Box::new((from, lease.clone())));
            return Turn::Waits;
        }
        let key = (lease.run, actor, lease.part.partition);
        match self.left.get(&key) {
            Some(left) if (left.part, left.attempt) == (before, attempt) => {
                let told = told(lease, task, &left.metas);
                self.left.remove(&key);
                Turn::Now(told)
            }
            _ => Turn::Never,
        }
    }
}

/// The call, told what the one before it, `task`, has left.
fn told(lease: &Lease, task: TaskId, metas: &[BlockMeta]) -> Lease {
    let mut args: Vec<Vec<BlockRef>> = lease.args.to_vec();
    for block in args.iter_mut().flatten().filter(|block| block.id.task == task) {
        block.meta = metas.get(block.id.output as usize).copied().unwrap_or_default();
    }
    Lease { args: Shared::new(args), ..lease.clone() }
}

impl Raylet {
    /// A call of an actor has come. The lease to go on with, if it is its turn.
    pub(super) fn call_came(&mut self, from: Addr, actor: u32, lease: &Lease) -> Option<Lease> {
        let before = lease.after.and_then(|(part, _)| self.task_id(lease.run, part));
        let turn = self.mailboxes.turn_of(from, actor, lease, before);
        if matches!(turn, Turn::Never) {
            self.give_back(from, lease);
            return None;
        }
        let call = Call { attempt: lease.attempt, next: None };
        if let Some(earlier) = self.mailboxes.calls.insert((lease.run, lease.part), call) {
            self.give_back_all(earlier.next);
        }
        match turn {
            Turn::Now(lease) => Some(lease),
            Turn::Waits | Turn::Never => None,
        }
    }

    /// A call has ended and left these blocks, or ended badly. What follows it takes its turn, or is given back.
    pub(super) fn call_ended(
        &mut self,
        (run, part, attempt): (RunId, Part, u32),
        left: Option<Vec<BlockMeta>>,
        out: &mut Out,
    ) {
        if self.mailboxes.calls.get(&(run, part)).is_none_or(|call| call.attempt != attempt) {
            return;
        }
        let next = self.mailboxes.calls.remove(&(run, part)).and_then(|call| call.next);
        match (left, next) {
            (Some(metas), Some(next)) => {
                if let Some(task) = self.task_id(run, part) {
                    self.admit(next.0, &told(&next.1, task, &metas), out);
                }
            }
            (Some(metas), None) => {
                if let Some(actor) = self.options(run, part).and_then(|options| options.actor) {
                    self.mailboxes.left.insert((run, actor, part.partition), Left { part, attempt, metas });
                }
            }
            (None, next) => self.give_back_all(next),
        }
    }

    /// Gives a call back unrun, and all that wait for it.
    fn give_back_all(&mut self, first: Option<Box<(Addr, Lease)>>) {
        let mut waiting = first;
        while let Some(call) = waiting {
            let (from, lease) = *call;
            self.give_back(from, &lease);
            let known = self.mailboxes.calls.get(&(lease.run, lease.part)).is_some_and(|c| c.attempt == lease.attempt);
            let entry = if known { self.mailboxes.calls.remove(&(lease.run, lease.part)) } else { None };
            waiting = entry.and_then(|call| call.next);
        }
    }

    fn give_back(&mut self, from: Addr, lease: &Lease) {
        let outcome = Outcome::Failed(TaskFailure::Cancelled);
        self.links.send(from, Note::Done(lease.run, lease.part, lease.attempt, outcome));
    }

    /// What must hold after each step. `requests` says whether a request is here.
    pub(super) fn check_mailboxes(&self, requests: impl Fn(RunId, Part, u32) -> bool) -> Result<(), String> {
        let waiting = self.mailboxes.calls.iter().filter_map(|((run, _), call)| {
            let (_, lease) = call.next.as_deref()?;
            Some((*run, lease.part, lease.attempt))
        });
        let waiting: Vec<(RunId, Part, u32)> = waiting.collect();
        for ((run, part), call) in &self.mailboxes.calls {
            let here = (*run, *part, call.attempt);
            if !requests(*run, *part, call.attempt) && !waiting.contains(&here) {
                return Err(format!("a call of partition {} waits for nothing", part.partition));
            }
        }
        Ok(())
    }
}
