//! Actors: their calls run in order where their state is.
//!
//! An actor's state is the block that each call hands to the next, so it stays on the actor's node by itself. When that
//! node is gone, the actor starts elsewhere: lineage runs its calls again, from the last checkpoint if there is one. A
//! checkpoint is a copy of the state on a second node that is kept until the next checkpoint is complete.
//!
//! Calls are sent ahead while the state is small: up to [`AHEAD`] of them wait at the actor's node for the ones before, so
//! an owner need not hear of one call before it sends the next. A call sent ahead reads nothing but the state and what
//! exists already. If the call it follows ends badly, its node gives it back unrun. States of calls whose end the owner
//! has not heard of pile up at the node, which is why large ones are not sent ahead.

use super::run::{NOWHERE, Run, State};
use super::{Cx, Verdict};
use crate::keyed::Map;
use crate::layout::Kind;
use crate::message::{Note, Part, Shared};
use crate::resources::{CPU, Demand};
use bench_model::{Addr, Attempt, BlockRef, JobError, NodeId, Note as Seen};

/// Calls of one actor that may be sent ahead of those before them.
const AHEAD: u32 = 128;
/// The largest state that calls are sent ahead with: what the original passes inline.
const SMALL: u64 = 100 << 10;

/// Actor `1` of group `0`.
type Name = (u32, u32);

#[derive(Default)]
struct Life {
    node: Option<NodeId>,
    /// The node it was lost with, last.
    lost: Option<NodeId>,
    restarts: u32,
    calls: u32,
    /// Whether its state was small after its last call.
    small: bool,
    /// The fragment of the call that was sent last.
    last: Option<u32>,
    /// Calls sent ahead and not answered.
    ahead: u32,
    /// The call whose state is kept.
    checkpoint: Option<u32>,
    /// The call whose state is being copied, and where to.
    copying: Option<(u32, NodeId)>,
}

/// All actors of a run.
#[derive(Default)]
pub(super) struct Actors(Map<Name, Life>);

impl Run {
    fn name(&self, part: Part) -> Option<Name> {
        self.layout.fragment(part.fragment).options.actor.map(|group| (group, part.partition))
    }

    /// Where an actor lives. One that does not yet, or not any more, starts on a node with what it asks for.
    pub(super) fn actor_node(&mut self, cx: &mut Cx<'_>, name: Name, part: Part, task: u32) -> Option<NodeId> {
        let life = self.actors.0.entry(name).or_default();
        if life.node.is_some() {
            return life.node;
        }
        let lost = life.lost;
        if let Some(node) = lost.filter(|_| life.restarts > cx.settings.max_restarts) {
            let fragment = self.layout.fragment(part.fragment).id;
            self.fail(cx, JobError::OwnerDied { node, fragment });
            return None;
        }
        let demand = Demand::of(&self.layout.fragment(part.fragment).options);
        let lacks = cx.pool.lacks(&demand.without_cpu()).is_some();
        let may = |n: &NodeId| !lacks && cx.view.get(*n).is_some_and(|p| demand.cpu <= u64::from(p.member.slots) * CPU);
        let near = self.nearest_copy(part).filter(|n| lost.is_some() && cx.view.is_up(*n));
        let turn = name.0 as usize + name.1 as usize;
        let mut nodes = near.into_iter().chain((turn..turn + cx.view.len()).filter_map(|t| cx.view.in_turn(t)));
        let Some(node) = nodes.find(may) else {
            self.stalled.entry(part.fragment).or_default().push(task);
            cx.verdicts.push(Verdict::Stalled(self.id, part.fragment));
            return None;
        };
        if lost.is_some() {
            self.tell(cx, Seen::Did(format!("actor {}.{} restarts on {node}", name.0, name.1)));
        }
        if let Some(life) = self.actors.0.get_mut(&name) {
            life.node = Some(node);
        }
        Some(node)
    }

    /// The node that holds the state a call reads.
    fn nearest_copy(&self, part: Part) -> Option<NodeId> {
        let mut near = None;
        for number in self.layout.edges_in(part.fragment) {
            let edge = self.layout.edge(number);
            let producer = Part { fragment: edge.producer, partition: part.partition };
            if self.layout.number(producer).is_some() && self.name(producer) == self.name(part) {
                let places = self.layout.blocks(producer).map(|b| self.blocks[b as usize].node);
                near = places.into_iter().find(|n| *n != NOWHERE).map(NodeId);
            }
        }
        near
    }

    /// A call was sent: the next ones may follow at once.
    pub(super) fn call_sent(&mut self, cx: &mut Cx<'_>, part: Part) {
        let Some(name) = self.name(part) else { return };
        if let Some(life) = self.actors.0.get_mut(&name) {
            life.last = Some(part.fragment);
            self.send_ahead(cx, name);
        }
    }

    /// A call that was sent ahead is answered, or never will be.
    pub(super) fn ahead_ended(&mut self, part: Part) {
        if let Some(life) = self.name(part).and_then(|name| self.actors.0.get_mut(&name)) {
            life.ahead -= 1;
        }
    }

    /// Sends calls ahead of the last one that is on its way.
    fn send_ahead(&mut self, cx: &mut Cx<'_>, name: Name) {
        while cx.settings.pipelining && !self.over {
            let Some(life) = self.actors.0.get(&name).filter(|l| l.small && l.ahead < AHEAD) else { return };
            let (Some(node), Some(last)) = (life.node, life.last) else { return };
            let after = Part { fragment: last, partition: name.1 };
            let Some(next) = self.layout.next_call(last).map(|fragment| Part { fragment, ..after }) else { return };
            let Some(task) = self.layout.number(next).filter(|task| self.may_follow(*task, next, after, node)) else {
                return;
            };
            if !self.launch_ahead(cx, task, next, node, after) {
                return;
            }
            if let Some(life) = self.actors.0.get_mut(&name) {
                life.last = Some(next.fragment);
                life.ahead += 1;
            }
        }
    }

    /// Whether a call waits for nothing but the one it follows, which is on its way to the actor's node.
    fn may_follow(&self, task: u32, next: Part, after: Part, node: NodeId) -> bool {
        let Some(before) = self.layout.number(after).map(|before| self.task(before)) else { return false };
        let state = self.task(task);
        let on_its_way = before.state == State::Submitted && before.node == node.0 && !before.primed;
        if !on_its_way || state.state != State::Waiting || state.primed || !self.is_mine(next.fragment) {
            return false;
        }
        let mut awaited = 0;
        for number in self.layout.edges_in(next.fragment) {
            let edge = self.layout.edge(number);
            if edge.producer == after.fragment {
                if !matches!(edge.kind, Kind::Same | Kind::Order) {
                    return false;
                }
                awaited += 1;
            }
        }
        state.waits == awaited
    }

    /// Whether the call before an actor's call has run once.
    pub(super) fn was_called_before(&self, part: Part) -> bool {
        let mut edges = self.layout.edges_in(part.fragment).map(|number| self.layout.edge(number));
        let before = edges.find(|edge| edge.kind == Kind::Order).map(|edge| edge.producer);
        let before = before.and_then(|fragment| self.layout.number(Part { fragment, ..part }));
        before.is_none_or(|task| self.task(task).primed)
    }

    /// A task is done. If it was an actor's call, the next ones may be sent, and its state copied to a second node.
    pub(super) fn call_ended(&mut self, cx: &mut Cx<'_>, part: Part, task: u32) {
        let Some(name) = self.name(part) else { return };
        let state = self.layout.blocks(part).map(|b| self.blocks[b as usize].meta.bytes.get());
        let small = state.sum::<u64>() <= SMALL;
        let Some(life) = self.actors.0.get_mut(&name) else { return };
        life.calls += 1;
        life.small = small;
        self.send_ahead(cx, name);
        self.checkpoint(cx, name, part, task);
    }

    fn checkpoint(&mut self, cx: &mut Cx<'_>, name: Name, part: Part, task: u32) {
        let Some(life) = self.actors.0.get_mut(&name) else { return };
        let Some(every) = cx.settings.checkpoint_every else { return };
        let (node, is_due) = (NodeId(self.tasks[task as usize].node), life.calls.is_multiple_of(every));
        let Some(second) = cx.view.after(node).filter(|_| is_due && life.copying.is_none()) else { return };
        let refs: Vec<BlockRef> = self.refs(part).collect();
        if refs.is_empty() {
            return;
        }
        if let Some(life) = self.actors.0.get_mut(&name) {
            life.copying = Some((task, second));
        }
        let attempt = self.task(task).next.saturating_sub(1);
        self.task_mut(task).held = true;
        cx.links.send(Addr::Node(second), Note::Keep(self.id, part, attempt, Shared::new(vec![refs])));
    }

    fn refs(&self, part: Part) -> impl Iterator<Item = BlockRef> {
        let task = self.task(self.layout.tasks(part.fragment).start + part.partition);
        let attempt = Attempt(task.next.saturating_sub(1));
        let blocks = self.layout.blocks(part).zip(0..);
        let here = blocks.filter(|(b, _)| self.blocks[*b as usize].node != NOWHERE);
        here.map(move |(b, output)| {
            let block = &self.blocks[b as usize];
            BlockRef { id: self.layout.block_id(part, output), attempt, node: NodeId(block.node), meta: block.meta }
        })
    }

    /// A node has copied a state, or could not. The earlier checkpoint is not needed if it has.
    pub(super) fn kept(&mut self, cx: &mut Cx<'_>, from: NodeId, (part, attempt): (Part, u32), ok: bool) {
        let Some(task) = self.layout.number(part) else { return };
        let awaited = self.task(task).held && self.task(task).next == attempt + 1 && self.is_done(task);
        let life = self.name(part).and_then(|name| self.actors.0.get_mut(&name));
        let Some(life) = life.filter(|l| awaited && l.copying == Some((task, from))) else {
            for output in 0..self.layout.fragment(part.fragment).outputs {
                cx.links.send(Addr::Node(from), Note::Release(self.id, part, attempt, output));
            }
            return;
        };
        life.copying = None;
        if !ok {
            self.let_go(cx, task);
            return;
        }
        let earlier = life.checkpoint.replace(task);
        for number in self.layout.blocks(part).filter(|b| self.blocks[*b as usize].node != NOWHERE) {
            if self.blocks[number as usize].node != from.0 {
                self.copies.entry(number).or_default().push(from);
            }
        }
        if let Some(earlier) = earlier.filter(|e| *e != task) {
            self.let_go(cx, earlier);
        }
    }

    /// A checkpoint is not needed any more: blocks of it that nobody reads are released.
    fn let_go(&mut self, cx: &mut Cx<'_>, task: u32) {
        self.task_mut(task).held = false;
        let part = self.layout.part(task);
        for (block, output) in self.layout.blocks(part).zip(0..) {
            if self.is_done(task) && self.blocks[block as usize].readers == 0 {
                self.release(cx, part, output, None);
            }
        }
    }

    /// Actors on a node are gone; so are copies that were on their way there.
    pub(super) fn actors_lost(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        let mut given_up = Vec::new();
        for life in self.actors.0.values_mut() {
            if life.node == Some(node) {
                (life.node, life.lost) = (None, Some(node));
                life.restarts += 1;
            }
            if let Some((task, _)) = life.copying.take_if(|(_, to)| *to == node) {
                given_up.push(task);
            }
        }
        // The map's order is not to be relied on.
        given_up.sort_unstable();
        for task in given_up {
            self.let_go(cx, task);
        }
    }
}
