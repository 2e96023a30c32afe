//! Which task runs next, and where.

use super::Cx;
use super::job::Job;
use super::nodes::{Flight, Nodes};
use super::stage::{StageIx, Status};
use crate::message::Msg;
use bench_model::{Action, Addr, Assignment, Attempt, BlockRef, Exchange, NodeId, Note, Storage, TaskId};
use std::collections::BTreeMap;

impl Job {
    /// Launches the next task of the lowest stage that has one, starting a stage if none has.
    ///
    /// Returns whether there was one. The caller has seen that a slot is free.
    pub(crate) fn launch_next(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(ix) = self.next_stage(cx) else { return false };
        let stage = self.stage_mut(ix);
        let key = (stage.fragment, ix);
        let Some(partition) = stage.next_queued() else {
            self.runnable.remove(&key);
            return true;
        };
        if !stage.has_queued() {
            self.runnable.remove(&key);
        }
        self.launch(cx, ix, partition, &[])
    }

    fn next_stage(&mut self, cx: &mut Cx<'_>) -> Option<StageIx> {
        if !self.planning {
            if self.flights == 0 && self.runnable.is_empty() && self.startable.is_empty() {
                // Waiting for sizes is a hint. Where it would last forever, it ends.
                self.startable.extend(self.patient.pop_first());
            }
            if let Some(first) = self.startable.first().copied()
                && self.runnable.first().is_none_or(|r| first < *r)
            {
                self.start(cx, first.1);
            }
        }
        self.runnable.first().map(|(_, ix)| *ix)
    }

    /// Launches second copies of slow tasks on slots that nothing else wants, on another node where there is one.
    pub(crate) fn launch_copies(&mut self, cx: &mut Cx<'_>) {
        while cx.nodes.any_free()
            && let Some((ix, partition)) = self.slow.first().copied()
        {
            let stage = self.stage(ix);
            let task = stage.task(partition);
            let still_slow = stage.blocked == 0 && task.status == Status::Running && task.is_running_once();
            let here: Vec<NodeId> = task.copies.iter().flatten().map(|c| c.node).collect();
            let except = if cx.nodes.len() > 1 { here } else { Vec::new() };
            if still_slow {
                if !self.launch(cx, ix, partition, &except) {
                    return;
                }
                let task = self.task_id(ix, partition);
                cx.note(self.id, Note::Speculated(task));
            }
            self.slow.pop_first();
        }
    }

    pub(crate) fn task_id(&self, ix: StageIx, partition: u32) -> TaskId {
        TaskId { job: self.id, fragment: self.stage(ix).fragment, partition }
    }

    /// Launches one attempt on a node that is none of `except`; false if no such node has a free slot.
    fn launch(&mut self, cx: &mut Cx<'_>, ix: StageIx, partition: u32, except: &[NodeId]) -> bool {
        let Some(fragment) = self.fragment(ix) else { return false };
        let inputs = self.inputs(ix, partition);
        let Some(node) = choose(cx.nodes, &inputs, except) else { return false };
        let task = self.task_id(ix, partition);
        let attempt = Attempt(self.stage(ix).task(partition).attempts);
        let assignment = Assignment {
            task,
            attempt,
            call: fragment.call.clone(),
            inputs,
            outputs: fragment.outputs,
            exchange: fragment.exchange,
            // Part of the answer: it goes to the driver anyway.
            storage: if fragment.exchange == Exchange::Collect { Storage::Heap } else { Storage::Disk },
        };
        let flight = Flight {
            job: self.id,
            stage: ix,
            task,
            attempt,
            launched: cx.now,
            clock: cx.next_clock(),
            asked: cx.now,
            doomed: false,
            straggler: false,
        };
        let Some((place, order)) = cx.nodes.take(node, flight) else { return false };
        self.flights += 1;
        let stage = self.stage_mut(ix);
        stage.note_node(node);
        let state = stage.task_mut(partition);
        state.attempts += 1;
        state.add_copy(place);
        let msg = Msg::Launch { ticket: place.ticket, order, assignment };
        cx.out.push(Action::Send { to: Addr::Node(node), msg });
        true
    }

    /// The blocks a task reads, per input.
    fn inputs(&self, ix: StageIx, partition: u32) -> Vec<Vec<BlockRef>> {
        let Some(reader) = self.fragment(ix) else { return Vec::new() };
        let producers = self.stage(ix).producers.iter().enumerate();
        let blocks = |(input, from): (usize, &StageIx)| match self.fragment(*from) {
            Some(producer) => self.stage(*from).blocks_for(self.id, (reader, input), producer, partition),
            None => Vec::new(),
        };
        producers.map(blocks).collect()
    }
}

/// The node with a free slot that holds most input bytes; if none holds any, the one with most free slots.
fn choose(nodes: &Nodes, inputs: &[Vec<BlockRef>], except: &[NodeId]) -> Option<NodeId> {
    if nodes.len() > 1 && !inputs.is_empty() {
        let mut held: BTreeMap<NodeId, u64> = BTreeMap::new();
        for block in inputs.iter().flatten() {
            *held.entry(block.node).or_default() += block.meta.bytes.get();
        }
        let usable = |(node, bytes): &(NodeId, u64)| *bytes > 0 && nodes.has_free(*node) && !except.contains(node);
        // Of equals the lowest node wins, so that a seed replays exactly.
        let best = held.into_iter().filter(usable).max_by_key(|(node, bytes)| (*bytes, std::cmp::Reverse(*node)));
        if let Some((node, _)) = best {
            return Some(node);
        }
    }
    nodes.most_free(except)
}
