//! From a placed key to the order that its worker gets.

use super::Cx;
use super::job::Job;
use super::workers::WorkerIx;
use crate::message::{Down, Order};
use crate::stream::Shared;
use bench_model::{Assignment, Attempt, BlockRef, Storage, TaskId};

/// How many inputs of a key can be marked to be kept.
const MARKS: u32 = u64::BITS;

impl Job {
    /// Sends the order for a key that was just placed.
    pub(crate) fn send_order(&mut self, cx: &mut Cx<'_>, key: u32, at: WorkerIx) {
        let route = self.route(cx, key);
        let spec = self.plan.specs[key as usize];
        let attempt = self.key(key).attempt();
        let (inputs, kept) = self.inputs(cx, key, at);
        let head = self.plan.head(spec.fragment);
        let first = self.assignment(head, spec.partition, attempt, inputs);
        let mut rest = Vec::new();
        let mut step = spec.fragment;
        while step != head {
            rest.push(self.assignment(step, spec.partition, attempt, vec![Vec::new()]));
            step = self.plan.before(step).unwrap_or(head);
        }
        rest.reverse();
        let order = Order { priority: self.plan.priorities[key as usize], first, rest, kept, route };
        cx.workers.send(at, Down::Compute(Shared::new(order)));
    }

    fn assignment(&self, at: u32, partition: u32, attempt: Attempt, inputs: Vec<Vec<BlockRef>>) -> Assignment {
        let fragment = self.plan.fragment(at);
        Assignment {
            task: TaskId { job: self.id, fragment: fragment.id, partition },
            attempt,
            call: fragment.call.clone(),
            inputs,
            outputs: fragment.outputs,
            exchange: fragment.exchange,
            storage: Storage::Heap,
        }
    }

    /// The blocks that a key's first task reads, each with a node to gather it from; and which inputs' copies count as
    /// replicas: those that are all their task has made.
    fn inputs(&self, cx: &Cx<'_>, key: u32, at: WorkerIx) -> (Vec<Vec<BlockRef>>, u64) {
        let spec = self.plan.specs[key as usize];
        let head = self.plan.head(spec.fragment);
        let reader = self.plan.fragment(head);
        let here = cx.workers.node(at);
        let mut kept = 0;
        let mut inputs = Vec::with_capacity(reader.inputs.len());
        for (number, (input, from)) in reader.inputs.iter().zip(self.plan.sources(head)).enumerate() {
            let producer = self.plan.fragment(*from);
            let shuffled = self.plan.shuffle_of(*from).is_some();
            if producer.outputs == 1 && !shuffled && (number as u32) < MARKS {
                kept |= 1 << number;
            }
            let reads = reader.reads(self.id, input, producer, spec.partition);
            let mut blocks = Vec::with_capacity(reads.size_hint().0);
            for block in reads {
                let Some(source) = self.plan.key_at(*from, block.task.partition) else { continue };
                let holders = &self.key(source).holders;
                let node = if shuffled || holders.contains(at) {
                    here
                } else {
                    // A key that is processing has all its inputs in memory, so there is a holder.
                    holders.pick(key).map_or(here, |at| cx.workers.node(at))
                };
                blocks.push(self.block_ref(source, block.output, node));
            }
            inputs.push(blocks);
        }
        (inputs, kept)
    }
}
