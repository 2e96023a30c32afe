//! Lost blocks. Another copy is looked for first; if there is none, the task that made the block runs again, and so do,
//! recursively, the tasks that made what it reads, as far as that was released or lost too.
//!
//! Before a task runs again, the node that ran it drops what is left of its blocks and says so: no two attempts of a
//! task are ever read side by side.

use super::run::{NOWHERE, Run, State};
use super::{Cx, Verdict};
use crate::layout::Kind;
use crate::message::{Note, Part};
use bench_model::{Addr, BlockRef, JobError, NodeId, Note as Seen};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Run {
    fn number(&self, part: Part) -> u32 {
        self.layout.tasks(part.fragment).start + part.partition
    }

    /// A task did not find an argument at a node.
    pub(super) fn argument_lost(&mut self, cx: &mut Cx<'_>, reader: Part, block: &BlockRef, at: NodeId) {
        let layout = Arc::clone(&self.layout);
        let id = block.id.task;
        let mut producers = layout.edges_in(reader.fragment).map(|number| layout.edge(number).producer);
        let Some(fragment) = producers.find(|f| layout.fragment(*f).id == id.fragment) else { return };
        let part = Part { fragment, partition: id.partition };
        let Some(task) = layout.number(part) else { return };
        if self.is_mine(fragment) {
            self.lost(cx, part, block, at);
            return;
        }
        let Some(number) = layout.blocks(part).nth(block.id.output as usize) else { return };
        let current = self.task(task).next == block.attempt.0 + 1 && self.blocks[number as usize].node == at.0;
        if self.is_done(task) && current {
            self.blocks[number as usize].node = NOWHERE;
            self.not_done(part, task);
            cx.links.send(self.owner(fragment), Note::Missing(self.id, *block, at));
        }
    }

    /// An own block was not found at a node. If that is where it is known to be, another place is found for it.
    pub(super) fn lost(&mut self, cx: &mut Cx<'_>, part: Part, block: &BlockRef, at: NodeId) {
        let task = self.number(part);
        let Some(number) = self.layout.blocks(part).nth(block.id.output as usize) else { return };
        if !self.is_done(task) || self.task(task).next != block.attempt.0 + 1 {
            return;
        }
        if self.blocks[number as usize].node != at.0 {
            if let Some(copies) = self.copies.get_mut(&number) {
                copies.retain(|n| *n != at);
            }
            return;
        }
        let drop = Note::Release(self.id, part, block.attempt.0, block.id.output);
        cx.links.send(Addr::Node(at), drop);
        let losses = self.losses.entry(part.fragment).or_default();
        *losses += 1;
        let times = *losses;
        if self.relocate(cx, part, number) {
            self.publish(cx, part, None);
        } else if times > cx.settings.max_reconstructions {
            let fragment = self.layout.fragment(part.fragment).id;
            self.fail(cx, JobError::Unstable { fragment, times });
        } else {
            self.rerun(cx, part);
        }
    }

    /// A block is not where it was: takes another copy for it, or leaves it without a place.
    fn relocate(&mut self, cx: &Cx<'_>, part: Part, number: u32) -> bool {
        let copies = self.copies.remove(&number).unwrap_or_default();
        let mut others = copies.into_iter().filter(|n| cx.settings.copies && cx.view.is_up(*n));
        if let Some(other) = others.next() {
            self.blocks[number as usize].node = other.0;
            let rest: Vec<NodeId> = others.collect();
            if !rest.is_empty() {
                self.copies.insert(number, rest);
            }
            return true;
        }
        self.blocks[number as usize].node = NOWHERE;
        self.unread -= self.blocks[number as usize].meta.bytes.get();
        let task = self.number(part);
        self.task_mut(task).live -= 1;
        false
    }

    /// Makes a done task run again: once its node has dropped its blocks, if that node lives.
    fn rerun(&mut self, cx: &mut Cx<'_>, part: Part) {
        let task = self.number(part);
        if !self.is_done(task) {
            return;
        }
        self.tell(cx, Seen::Retried(self.layout.id(part), "its blocks are lost".to_owned()));
        self.task_mut(task).held = false;
        for output in 0..self.layout.fragment(part.fragment).outputs {
            self.release(cx, part, output, None);
        }
        self.not_done(part, task);
        let node = NodeId(self.task(task).node);
        if cx.view.is_up(node) {
            self.task_mut(task).state = State::Dropping;
            let attempt = self.task(task).next.saturating_sub(1);
            cx.links.send(Addr::Node(node), Note::Drop(self.id, part, attempt));
        } else {
            self.revivals.push(task);
        }
    }

    /// Runs a done task again if a block of it that somebody reads has no place.
    pub(super) fn rerun_if_released(&mut self, cx: &mut Cx<'_>, part: Part) {
        let gone = |b: u32| self.blocks[b as usize].readers > 0 && self.blocks[b as usize].node == NOWHERE;
        if self.is_done(self.number(part)) && self.layout.blocks(part).any(gone) {
            self.rerun(cx, part);
        }
    }

    /// A node has dropped what was left of a task's blocks.
    pub(super) fn dropped(&mut self, cx: &mut Cx<'_>, from: NodeId, part: Part, attempt: u32) {
        let Some(task) = self.layout.number(part) else { return };
        let state = self.task(task);
        if state.state == State::Dropping && state.node == from.0 && state.next == attempt + 1 && !self.over {
            self.revivals.push(task);
            self.revive_all(cx);
        }
    }

    /// Queues the tasks that are to run again. What they read is wanted again, which may add to them.
    pub(super) fn revive_all(&mut self, cx: &mut Cx<'_>) {
        while let Some(task) = self.revivals.pop() {
            let part = self.layout.part(task);
            (self.task_mut(task).state, self.task_mut(task).waits) = (State::Waiting, 1);
            self.request_inputs(cx, part, true);
            self.requeue(part, task);
        }
    }

    /// Makes sure that all that a task reads exists or will. `new` says that its reads are not counted yet.
    pub(super) fn request_inputs(&mut self, cx: &mut Cx<'_>, part: Part, new: bool) {
        let layout = Arc::clone(&self.layout);
        let mut asked: BTreeSet<Addr> = BTreeSet::new();
        for number in layout.edges_in(part.fragment) {
            let edge = layout.edge(number);
            if edge.kind == Kind::Order {
                continue;
            }
            let (producers, complete) = self.read_again(edge, part.partition, new);
            if self.is_mine(edge.producer) {
                if !complete {
                    producers.into_iter().for_each(|producer| self.rerun_if_released(cx, producer));
                }
                continue;
            }
            if !complete {
                producers.into_iter().for_each(|producer| self.await_if_released(producer));
            }
            let owner = self.owner(edge.producer);
            if let Addr::Node(node) = owner
                && self.dead.contains(&node)
            {
                cx.verdicts.push(Verdict::Orphaned(self.id, edge.producer));
            } else if new && asked.insert(owner) {
                cx.links.send(owner, Note::Want(self.id, part));
            }
        }
    }

    /// Another owner's task does not count as done while a block of it that is read here has no place.
    fn await_if_released(&mut self, part: Part) {
        let task = self.number(part);
        let gone = |b: u32| self.blocks[b as usize].readers > 0 && self.blocks[b as usize].node == NOWHERE;
        if self.is_done(task) && self.layout.blocks(part).any(gone) {
            self.not_done(part, task);
        }
    }

    /// A node is gone: its leases are asked for elsewhere, its own blocks are found elsewhere or made again. Where other
    /// owners' blocks are is left to these: they may know of a later incarnation of the node than this owner does, and a
    /// reader that finds nothing there asks them.
    pub(super) fn node_down(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        self.dead.push(node);
        self.copies.retain(|_, nodes| {
            nodes.retain(|n| *n != node);
            !nodes.is_empty()
        });
        let (mut again, mut lost) = (Vec::new(), Vec::new());
        for fragment in 0..self.layout.fragments() {
            if !self.is_mine(fragment) {
                continue;
            }
            for (partition, task) in self.layout.tasks(fragment).enumerate() {
                let part = Part { fragment, partition: partition as u32 };
                let (state, was_there) = (self.task(task).state, self.task(task).node == node.0);
                match state {
                    State::Submitted if was_there => again.push((part, task)),
                    State::Dropping if was_there => self.revivals.push(task),
                    State::Done if self.lost_blocks(cx, part, node) => lost.push(part),
                    _ => {}
                }
            }
        }
        for (part, task) in &again {
            self.lease_ended(cx, *task, *part);
            (self.task_mut(*task).state, self.task_mut(*task).waits) = (State::Waiting, 1);
        }
        if self.over {
            return;
        }
        for part in lost {
            self.rerun(cx, part);
        }
        self.revive_all(cx);
        for (part, task) in again {
            self.requeue(part, task);
            self.tell(cx, Seen::Retried(self.layout.id(part), format!("{node} is gone")));
        }
        for task in self.parked.remove(&node).unwrap_or_default() {
            if self.task(task).state == State::Ready {
                self.inner.push_front(task);
            }
        }
        self.actors_lost(cx, node);
        self.orphans(cx, node);
    }

    /// Finds other places for the blocks of a done task that were on a node; true if one that is read has none.
    fn lost_blocks(&mut self, cx: &mut Cx<'_>, part: Part, node: NodeId) -> bool {
        let (mut needed, mut moved) = (false, false);
        for number in self.layout.blocks(part) {
            if self.blocks[number as usize].node == node.0 {
                let found = self.relocate(cx, part, number);
                moved |= found;
                needed |= !found && self.blocks[number as usize].readers > 0;
            }
        }
        if moved && !needed && self.is_spread() {
            self.publish(cx, part, None);
        }
        needed
    }

    /// Reports a fragment whose owner is gone with the node, if own tasks have yet to read its blocks.
    fn orphans(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        if !self.is_spread() {
            return;
        }
        let layout = Arc::clone(&self.layout);
        for fragment in (0..layout.fragments()).filter(|f| self.owner(*f) == Addr::Node(node)) {
            let mut readers = layout.edges_out(fragment).map(|number| layout.edge(number));
            if !readers.any(|edge| edge.kind != Kind::Order && self.is_mine(edge.consumer)) {
                continue;
            }
            let mut parts = (0..layout.fragment(fragment).tasks).map(|partition| Part { fragment, partition });
            let needed = |part: Part| {
                let read = |b: u32| self.blocks[b as usize].readers > 0;
                !self.task(self.number(part)).primed || layout.blocks(part).any(read)
            };
            if parts.any(needed) {
                cx.verdicts.push(Verdict::Orphaned(self.id, fragment));
                return;
            }
        }
    }
}
