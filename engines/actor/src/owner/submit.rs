//! Which ready task asks which node for a lease.
//!
//! The request carries the task itself, and the grant is the node's decision to start it: what are two round trips
//! between processes in the original is one here. A task goes where most bytes of its arguments are; if that node has no
//! room, where the hybrid policy says. At most `inflight_tasks_per_slot` requests per slot are unanswered, so queues at
//! nodes are bounded and later tasks can still follow their arguments.

use super::run::{NOWHERE, Run, State};
use super::{Cx, Verdict};
use crate::layout::Kind;
use crate::message::{Lease, Note, Part, Shared};
use crate::resources::{CPU, Demand};
use bench_model::{Addr, Attempt, BlockMeta, BlockRef, NodeId, Placement, TaskOptions};
use std::sync::Arc;

/// Where a ready task goes.
enum Destination {
    /// To that node.
    Node(NodeId),
    /// To that node alone, which has no room now.
    Park(NodeId),
    /// It was put aside until it has a bundle, or a node for its actor.
    Aside,
    /// No node that could run it has room now.
    Full,
    /// No node can ever run it.
    Never,
}

impl Run {
    /// Asks for leases while there is room.
    pub(super) fn schedule(&mut self, cx: &mut Cx<'_>) {
        if self.over {
            return;
        }
        if !self.parked.is_empty() {
            self.unpark(cx);
        }
        self.paused = false;
        while cx.view.has_room() && !self.over {
            let Some(task) = self.next_ready(cx) else { break };
            if !self.place(cx, task) {
                self.inner.push_front(task);
                break;
            }
        }
        if !self.groups.is_empty() && !self.over {
            self.fill_bundles(cx);
            self.close_idle_groups(cx);
        }
    }

    /// Tasks that read something come first: they make unread blocks fewer. The others are held back while unread blocks
    /// are many, unless that would leave nothing to do.
    fn next_ready(&mut self, cx: &Cx<'_>) -> Option<u32> {
        if let Some(task) = self.inner.pop(&self.tasks) {
            return Some(task);
        }
        if cx.settings.backpressure.is_some_and(|limit| self.unread > limit) && self.active > 0 {
            self.paused = true;
            return None;
        }
        self.sources.pop(&self.tasks)
    }

    /// Sends a ready task on its way; false if it must wait for room.
    fn place(&mut self, cx: &mut Cx<'_>, task: u32) -> bool {
        let part = self.layout.part(task);
        match self.destination(cx, part, task) {
            Destination::Node(node) => {
                // An actor's calls stay where it lives.
                let stays = self.layout.fragment(part.fragment).options.actor.is_some();
                self.launch(cx, task, part, node, (stays, false));
            }
            Destination::Park(node) => self.parked.entry(node).or_default().push_back(task),
            Destination::Aside => {}
            Destination::Full => return false,
            Destination::Never => {
                let stalled = self.stalled.entry(part.fragment).or_default();
                stalled.push(task);
                if stalled.len() == 1 {
                    cx.verdicts.push(Verdict::Stalled(self.id, part.fragment));
                }
            }
        }
        true
    }

    fn unpark(&mut self, cx: &mut Cx<'_>) {
        let nodes: Vec<NodeId> = self.parked.keys().copied().collect();
        for node in nodes {
            while cx.view.room_at(node) {
                let Some(task) = self.parked.get_mut(&node).and_then(std::collections::VecDeque::pop_front) else {
                    break;
                };
                if self.task(task).state == State::Ready && !self.place(cx, task) {
                    self.inner.push_front(task);
                }
            }
        }
        self.parked.retain(|_, tasks| !tasks.is_empty());
    }

    /// Tasks of a fragment that no node could run try again.
    pub(super) fn unstall(&mut self, fragment: u32) {
        for task in self.stalled.remove(&fragment).unwrap_or_default() {
            if self.task(task).state == State::Ready {
                self.make_ready(fragment, task);
            }
        }
    }

    fn destination(&mut self, cx: &mut Cx<'_>, part: Part, task: u32) -> Destination {
        let layout = Arc::clone(&self.layout);
        let options = &layout.fragment(part.fragment).options;
        if *options == TaskOptions::default() {
            if let Some(only) = cx.view.in_turn(0).filter(|_| cx.view.len() == 1) {
                return Destination::Node(only);
            }
            return self.any_node(cx, part, CPU);
        }
        if let Some(actor) = options.actor {
            return match self.actor_node(cx, (actor, part.partition), part, task) {
                Some(node) if cx.view.room_at(node) => Destination::Node(node),
                Some(node) => Destination::Park(node),
                None => Destination::Aside,
            };
        }
        if options.placement != Placement::Any && cx.settings.placement {
            self.await_bundle(cx, part, task);
            return Destination::Aside;
        }
        let demand = Demand::of(options);
        if cx.pool.lacks(&demand.without_cpu()).is_some() {
            return Destination::Never;
        }
        self.any_node(cx, part, demand.cpu)
    }

    /// The node where a task reads least over the network, or else the one that the hybrid policy names.
    fn any_node(&mut self, cx: &Cx<'_>, part: Part, cpu: u64) -> Destination {
        let may = |slots: u32| cpu <= u64::from(slots.max(1)) * CPU;
        let preferred = if cx.settings.locality { self.nearest(cx, part) } else { None };
        if let Some(near) = preferred.filter(|n| cx.view.room_at(*n))
            && cx.view.get(near).is_some_and(|p| may(p.member.slots))
        {
            return Destination::Node(near);
        }
        match cx.view.pick(cx.settings.spread_threshold, |p| may(p.member.slots)) {
            Some(node) => Destination::Node(node),
            None if cx.view.iter().any(|p| may(p.member.slots)) => Destination::Full,
            None => Destination::Never,
        }
    }

    /// The node that holds, or is receiving, most bytes of a task's arguments.
    fn nearest(&mut self, cx: &Cx<'_>, part: Part) -> Option<NodeId> {
        if let Some(home) = self.shuffles.home(part).filter(|n| cx.view.is_up(*n)) {
            return Some(home);
        }
        let mut weights = std::mem::take(&mut self.weights);
        weights.clear();
        let mut best: Option<(u64, u32)> = None;
        for number in self.layout.edges_in(part.fragment) {
            let edge = self.layout.edge(number);
            let producer = Part { fragment: edge.producer, partition: 0 };
            let (first, outputs) = (self.layout.blocks(producer).start, self.layout.fragment(edge.producer).outputs);
            self.layout.each_read(edge, part.partition, |p, output| {
                let block = &self.blocks[(first + p * outputs + output) as usize];
                if block.node == NOWHERE {
                    return;
                }
                let at = block.node as usize;
                if weights.len() <= at {
                    weights.resize(at + 1, 0);
                }
                weights[at] += block.meta.bytes.get() + 1;
                if best.is_none_or(|(most, _)| weights[at] > most) {
                    best = Some((weights[at], block.node));
                }
            });
        }
        self.weights = weights;
        best.map(|(_, node)| NodeId(node))
    }

    /// Asks `node` to run a task. If an argument has no place, the task waits until it has.
    pub(super) fn launch(
        &mut self,
        cx: &mut Cx<'_>,
        task: u32,
        part: Part,
        node: NodeId,
        (spilled, reserved): (bool, bool),
    ) {
        let Some(args) = self.args(part, None) else {
            self.group_task_ended(part);
            self.request_inputs(cx, part, false);
            self.revive_all(cx);
            self.requeue(part, task);
            return;
        };
        cx.view.asked(node);
        self.send(cx, (task, part), node, args, (spilled, reserved), None);
        self.call_sent(cx, part);
    }

    /// Sends a call of an actor before `after`, the call it follows, is done. False if something else that it reads has no
    /// place.
    pub(super) fn launch_ahead(&mut self, cx: &mut Cx<'_>, task: u32, part: Part, node: NodeId, after: Part) -> bool {
        let Some(args) = self.args(part, Some((after, node))) else { return false };
        let before = self.layout.tasks(after.fragment).start + after.partition;
        let attempt = self.task(before).next.saturating_sub(1);
        self.task_mut(task).ahead = true;
        self.send(cx, (task, part), node, args, (true, false), Some((after, attempt)));
        true
    }

    fn send(
        &mut self,
        cx: &mut Cx<'_>,
        (task, part): (u32, Part),
        node: NodeId,
        args: Vec<Vec<BlockRef>>,
        (spilled, reserved): (bool, bool),
        after: Option<(Part, u32)>,
    ) {
        let reads = !self.layout.fragment(part.fragment).inputs.is_empty();
        let state = self.task_mut(task);
        let attempt = state.next;
        state.next += 1;
        state.node = node.0;
        state.state = State::Submitted;
        self.active += u32::from(reads);
        let lease = Lease { run: self.id, part, attempt, args: Shared::new(args), spilled, reserved, after };
        cx.links.send(Addr::Node(node), Note::Launch(lease));
    }

    /// The blocks that a task reads, input by input; nothing if one has no place. Those of a call that is on its way to a
    /// node count as being there: the node fills in what they are.
    fn args(&mut self, part: Part, coming: Option<(Part, NodeId)>) -> Option<Vec<Vec<BlockRef>>> {
        let layout = Arc::clone(&self.layout);
        let mut inputs = Vec::with_capacity(layout.fragment(part.fragment).inputs.len());
        let mut complete = true;
        for number in layout.edges_in(part.fragment) {
            let edge = layout.edge(number);
            if edge.kind == Kind::Order {
                continue;
            }
            let producer = Part { fragment: edge.producer, partition: 0 };
            let (first, outputs) = (layout.blocks(producer).start, layout.fragment(edge.producer).outputs);
            let first_task = layout.tasks(edge.producer).start;
            let expected = layout.waits_for(edge, part.partition).len();
            let mut blocks = Vec::with_capacity(expected);
            layout.each_read(edge, part.partition, |p, output| {
                let block = &self.blocks[(first + p * outputs + output) as usize];
                let task = &mut self.tasks[(first_task + p) as usize];
                let from = Part { partition: p, ..producer };
                let (node, meta) = match coming.filter(|(coming, _)| *coming == from) {
                    Some((_, node)) => (node, BlockMeta::default()),
                    None => (NodeId(block.node), block.meta),
                };
                complete &= node.0 != NOWHERE;
                task.used = true;
                let attempt = Attempt(task.next.saturating_sub(1));
                blocks.push(BlockRef { id: layout.block_id(from, output), attempt, node, meta });
            });
            inputs.push(blocks);
        }
        complete.then_some(inputs)
    }

    /// A node named a better one for a request.
    pub(super) fn spilled_back(&mut self, cx: &mut Cx<'_>, from: NodeId, (part, attempt): (Part, u32), to: NodeId) {
        let Some(task) = self.submitted(from, part, attempt) else { return };
        self.lease_ended(cx, task, part);
        self.requeue(part, task);
        if cx.view.is_up(to) && self.task(task).state == State::Ready && !self.over {
            self.launch(cx, task, part, to, (true, false));
        }
    }

    /// The task that a node's answer is about, if the answer is awaited.
    pub(super) fn submitted(&self, from: NodeId, part: Part, attempt: u32) -> Option<u32> {
        let task = self.layout.number(part)?;
        let state = self.task(task);
        let awaited = state.state == State::Submitted && state.node == from.0 && state.next == attempt + 1;
        awaited.then_some(task)
    }

    /// A lease request was answered, or never will be.
    pub(super) fn lease_ended(&mut self, cx: &mut Cx<'_>, task: u32, part: Part) {
        if std::mem::take(&mut self.task_mut(task).ahead) {
            self.ahead_ended(part);
        } else {
            cx.view.answered(NodeId(self.task(task).node));
        }
        if !self.layout.fragment(part.fragment).inputs.is_empty() {
            self.active -= 1;
        }
        self.group_task_ended(part);
    }

    /// The run is forgotten: nodes owe it no answers.
    pub(super) fn give_up_leases(&self, cx: &mut Cx<'_>) {
        for task in self.tasks.iter().filter(|t| t.state == State::Submitted && !t.ahead) {
            cx.view.answered(NodeId(task.node));
        }
    }
}
