//! Who still reads a block, across owners. A block that nobody will read is released on every node that holds it.
//!
//! Each consumer task counts once for each block it reads, from the beginning: its owner says when it has read
//! ([`Note::Read`]), and when it must run again and so will read again ([`Note::Want`]). Where a task ran, copies of its
//! remote arguments are; its owner therefore knows of copies without being told.

use super::Cx;
use super::run::{NOWHERE, Run, State};
use crate::layout::{Edge, Kind};
use crate::message::{Note, Part};
use bench_model::{Addr, BlockMeta, BlockRef, JobError, NodeId};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Run {
    /// Counts who will read a task's blocks: all readers if it is an own task, else those of own tasks.
    pub(super) fn count_readers(&mut self, part: Part) {
        let layout = Arc::clone(&self.layout);
        let mine = self.is_mine(part.fragment);
        for (block, output) in layout.blocks(part).zip(0..) {
            let edges = layout.edges_out(part.fragment).map(|number| layout.edge(number));
            let counted = edges.filter(|edge| mine || self.is_mine(edge.consumer));
            let readers: u32 = counted.map(|edge| layout.readers(edge, part.partition, output)).sum();
            self.blocks[block as usize].readers = readers + u32::from(mine && part.fragment == layout.result);
        }
        let task = layout.tasks(part.fragment).start + part.partition;
        self.task_mut(task).primed = true;
    }

    /// An own task has read its arguments on a node: says so to their owners.
    pub(super) fn has_read(&mut self, cx: &mut Cx<'_>, part: Part, at: NodeId) {
        let layout = Arc::clone(&self.layout);
        let mut told: Vec<Addr> = Vec::new();
        for number in layout.edges_in(part.fragment) {
            let edge = layout.edge(number);
            if edge.kind == Kind::Order {
                continue;
            }
            self.edge_read(cx, edge, part.partition, at);
            let owner = self.owner(edge.producer);
            if owner != self.me && self.is_spread() && !told.contains(&owner) {
                told.push(owner);
                cx.links.send(owner, Note::Read(self.id, part, at));
            }
        }
    }

    /// Another owner's task has read its arguments.
    pub(super) fn read_elsewhere(&mut self, cx: &mut Cx<'_>, part: Part, at: NodeId) {
        if self.layout.number(part).is_none() {
            return;
        }
        let layout = Arc::clone(&self.layout);
        for number in layout.edges_in(part.fragment) {
            let edge = layout.edge(number);
            if edge.kind != Kind::Order && self.is_mine(edge.producer) {
                self.edge_read(cx, edge, part.partition, at);
            }
        }
    }

    fn edge_read(&mut self, cx: &mut Cx<'_>, edge: Edge, consumer: u32, at: NodeId) {
        let layout = Arc::clone(&self.layout);
        let mine = self.is_mine(edge.producer);
        let copied = mine && cx.view.len() > 1;
        let first = layout.blocks(Part { fragment: edge.producer, partition: 0 }).start;
        let outputs = layout.fragment(edge.producer).outputs;
        let mut unread: Vec<(u32, u32)> = Vec::new();
        layout.each_read(edge, consumer, |p, output| {
            let number = first + p * outputs + output;
            let block = &mut self.blocks[number as usize];
            block.readers = block.readers.saturating_sub(1);
            if block.readers == 0 {
                unread.push((p, output));
            } else if copied && block.node != at.0 && block.node != NOWHERE {
                let copies = self.copies.entry(number).or_default();
                if !copies.contains(&at) {
                    copies.push(at);
                }
            }
        });
        for (partition, output) in unread {
            if mine {
                self.release(cx, Part { fragment: edge.producer, partition }, output, Some(at));
            } else {
                self.blocks[(first + partition * outputs + output) as usize].node = NOWHERE;
            }
        }
    }

    /// Drops a block everywhere, unless it is a checkpoint. `reader` may hold a copy that is not listed.
    pub(super) fn release(&mut self, cx: &mut Cx<'_>, part: Part, output: u32, reader: Option<NodeId>) {
        let task = self.layout.tasks(part.fragment).start + part.partition;
        let number = self.layout.blocks(part).start + output;
        if self.task(task).held || self.blocks[number as usize].node == NOWHERE {
            return;
        }
        let node = std::mem::replace(&mut self.blocks[number as usize].node, NOWHERE);
        self.unread -= self.blocks[number as usize].meta.bytes.get();
        self.task_mut(task).live -= 1;
        let note = Note::Release(self.id, part, self.task(task).next.saturating_sub(1), output);
        cx.links.send(Addr::Node(NodeId(node)), note.clone());
        if cx.view.len() == 1 && self.copies.is_empty() {
            return;
        }
        let mut others = self.copies.remove(&number).unwrap_or_default();
        others.extend(reader);
        others.extend(self.homes_of(part, output));
        others.sort_unstable();
        others.dedup();
        for other in others.into_iter().filter(|n| n.0 != node) {
            cx.links.send(Addr::Node(other), note.clone());
        }
    }

    /// Tells the owners of a task's readers, or one of them, where its blocks are.
    pub(super) fn publish(&self, cx: &mut Cx<'_>, part: Part, to: Option<Addr>) {
        let task = self.task(self.layout.tasks(part.fragment).start + part.partition);
        let consumers = self.layout.edges_out(part.fragment).map(|number| self.layout.edge(number));
        let readers = consumers.filter(|edge| edge.kind != Kind::Order).map(|edge| self.owner(edge.consumer));
        let owners: BTreeSet<Addr> = match to {
            Some(to) => BTreeSet::from([to]),
            None => readers.filter(|owner| *owner != self.me).collect(),
        };
        for owner in owners {
            let place = |node: u32| (node != NOWHERE).then_some(NodeId(node));
            let blocks = self.layout.blocks(part).map(|b| &self.blocks[b as usize]);
            let blocks = blocks.map(|b| (place(b.node), b.meta)).collect();
            cx.links.send(owner, Note::Ready(self.id, part, task.next.saturating_sub(1), blocks));
        }
    }

    /// Another owner's task is done: own tasks may read its blocks.
    pub(super) fn became_ready(
        &mut self,
        cx: &mut Cx<'_>,
        part: Part,
        attempt: u32,
        blocks: &[(Option<NodeId>, BlockMeta)],
    ) {
        let Some(task) = self.layout.number(part) else { return };
        let numbers = self.layout.blocks(part);
        if self.over || self.is_mine(part.fragment) || numbers.len() != blocks.len() {
            return;
        }
        let metas: Vec<BlockMeta> = blocks.iter().map(|b| b.1).collect();
        if self.task(task).used && !self.same_rows(part, &metas) {
            self.fail(cx, JobError::ChecksumChanged(self.layout.id(part)));
            return;
        }
        let first = !self.task(task).primed;
        if first {
            self.count_readers(part);
        }
        let mut complete = true;
        for (number, (node, meta)) in numbers.zip(blocks) {
            let block = &mut self.blocks[number as usize];
            block.meta = *meta;
            let wanted = block.readers > 0;
            // The node may have joined or gone without this owner having heard of it: then a reader will find out.
            block.node = node.filter(|_| wanted).map_or(NOWHERE, |n| n.0);
            complete &= !wanted || block.node != NOWHERE;
        }
        let was_done = self.is_done(task);
        self.task_mut(task).next = attempt.saturating_add(1);
        if complete && !was_done {
            self.task_mut(task).state = State::Done;
            self.left[part.fragment as usize] -= 1;
            self.available(part, first);
            self.map_ended(cx, part);
        } else if !complete && was_done {
            self.not_done(part, task);
        }
    }

    /// A task that counted as done does not any more.
    pub(super) fn not_done(&mut self, part: Part, task: u32) {
        (self.task_mut(task).state, self.task_mut(task).waits) = (State::Waiting, 1);
        self.left[part.fragment as usize] += 1;
        self.unavailable(part);
    }

    /// Another owner's task will read its arguments again: what was released of them is made again.
    pub(super) fn wanted_elsewhere(&mut self, cx: &mut Cx<'_>, from: Addr, part: Part) {
        if self.layout.number(part).is_none() || self.over {
            return;
        }
        let layout = Arc::clone(&self.layout);
        let mut producers: BTreeSet<Part> = BTreeSet::new();
        for number in layout.edges_in(part.fragment) {
            let edge = layout.edge(number);
            if edge.kind != Kind::Order && self.is_mine(edge.producer) {
                producers.extend(self.read_again(edge, part.partition, true).0);
            }
        }
        for producer in &producers {
            self.rerun_if_released(cx, *producer);
        }
        self.revive_all(cx);
        for producer in producers {
            if self.is_done(self.layout.tasks(producer.fragment).start + producer.partition) {
                self.publish(cx, producer, Some(from));
            }
        }
    }

    /// Counts a reader of all that a consumer task reads through an edge, if it is a new one. The producer tasks it reads
    /// from, and whether each read block has a place.
    pub(super) fn read_again(&mut self, edge: Edge, consumer: u32, new: bool) -> (BTreeSet<Part>, bool) {
        let layout = Arc::clone(&self.layout);
        let (first, outputs) = (
            layout.blocks(Part { fragment: edge.producer, partition: 0 }).start,
            layout.fragment(edge.producer).outputs,
        );
        let mut complete = true;
        let mut parts = BTreeSet::new();
        layout.each_read(edge, consumer, |partition, output| {
            let block = &mut self.blocks[(first + partition * outputs + output) as usize];
            block.readers += u32::from(new);
            complete &= block.node != NOWHERE;
            parts.insert(Part { fragment: edge.producer, partition });
        });
        (parts, complete)
    }

    /// Another owner's task did not find an argument.
    pub(super) fn missing_elsewhere(&mut self, cx: &mut Cx<'_>, from: Addr, block: &BlockRef, at: NodeId) {
        let fragments = 0..self.layout.fragments();
        let id = block.id.task.fragment;
        let Some(fragment) = fragments.into_iter().find(|f| self.layout.fragment(*f).id == id) else { return };
        let part = Part { fragment, partition: block.id.task.partition };
        let Some(task) = self.layout.number(part).filter(|_| self.is_mine(fragment) && !self.over) else { return };
        self.lost(cx, part, block, at);
        self.revive_all(cx);
        if self.is_done(task) {
            self.publish(cx, part, Some(from));
        }
    }
}
