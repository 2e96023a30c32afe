//! Blocks between nodes, between memory and disk, and the memory they take.

use super::{Occurrence, Sim};
use crate::faults::FaultKind;
use crate::node::{Fetch, Held};
use crate::options::SimTrouble;
use bench_model::{Addr, Attempt, BlockId, BlockRef, Bytes, Event, Nanos, NodeId, Style, TaskFailure};

/// A simulated network carries so many bytes per microsecond: about 1 GB/s.
const BYTES_PER_MICROSECOND: u64 = 1_000;

impl<S: Style> Sim<'_, S> {
    fn incarnation(&self, id: NodeId) -> u32 {
        self.nodes[id.0 as usize].incarnation
    }

    /// Whether something that was begun on an incarnation of a node still has somebody to hear of its end.
    fn lives_on(&self, (id, incarnation): (NodeId, u32)) -> bool {
        self.nodes[id.0 as usize].alive && self.incarnation(id) == incarnation
    }

    pub(super) fn fetch_block(&mut self, node: NodeId, block: BlockRef) {
        let mut took = match &self.replay {
            Some(replay) => replay.costs.fetch_ns(block.meta.bytes),
            None => self.rng.between(20_000, 400_000) + block.meta.bytes.get() * 1_000 / BYTES_PER_MICROSECOND,
        };
        if self.faults.strikes(&mut self.rng, FaultKind::MessageDelayed) {
            took += self.rng.between(1_000_000, 4_000_000_000);
        }
        let incarnation = self.incarnation(node);
        self.queue.push(self.now + Nanos::new(took), Occurrence::Fetched { node, incarnation, block });
    }

    pub(super) fn fetched(&mut self, to: (NodeId, u32), block: BlockRef) -> Result<(), SimTrouble> {
        if !self.lives_on(to) {
            return Ok(());
        }
        let result = match self.nodes.get(block.node.0 as usize).map_or(Fetch::Missing, |n| n.fetch(&block)) {
            Fetch::Missing => Err(TaskFailure::MissingBlock(block.id)),
            Fetch::Corrupt => Err(TaskFailure::CorruptBlock(block.id)),
            Fetch::Found => Ok(()),
        };
        match &result {
            Ok(()) => {
                let over = self.jobs.get(&block.id.task.job).is_some_and(|j| j.over);
                let node = &mut self.nodes[to.0.0 as usize];
                let abandoned = !node.known || (over && node.was_given_up);
                node.write(
                    block.id.task,
                    block.attempt,
                    block.id.output,
                    Held { meta: block.meta, corrupt: false, spilled: false, abandoned },
                );
            }
            Err(_) => self.oracle.fetch_failed(&block),
        }
        self.feed(Addr::Node(to.0), Event::Fetched { block, result })
    }

    pub(super) fn spill(&mut self, node: NodeId, block: BlockId, attempt: Attempt) {
        let took = match &mut self.replay {
            Some(replay) => replay.spill_ns(node),
            None => self.rng.between(100_000, 5_000_000),
        };
        let incarnation = self.incarnation(node);
        self.queue.push(self.now + Nanos::new(took), Occurrence::Spilled { node, incarnation, block, attempt });
    }

    pub(super) fn spilled(&mut self, at: (NodeId, u32), block: BlockId, attempt: Attempt) -> Result<(), SimTrouble> {
        if !self.lives_on(at) {
            return Ok(());
        }
        let full = self.faults.strikes(&mut self.rng, FaultKind::DiskFull);
        let result = match self.nodes[at.0.0 as usize].spill(block, attempt, full) {
            false => Err(TaskFailure::MissingBlock(block)),
            true if full => Err(TaskFailure::Transient("the disk is full: injected".to_owned())),
            true => Ok(()),
        };
        self.feed(Addr::Node(at.0), Event::Spilled { block, attempt, result })
    }

    pub(super) fn release(&mut self, node: NodeId, block: BlockId, attempt: Attempt) {
        self.nodes[node.0 as usize].hurt(block.task, attempt, block.output, true);
        if self.options.check {
            self.oracle.may_be_replaced(block.task, attempt);
        }
    }

    pub(super) fn measure_memory(&mut self, node: NodeId) {
        let soon = self.now + Nanos::new(self.rng.between(1_000, 50_000));
        let incarnation = self.incarnation(node);
        self.queue.push(soon, Occurrence::Memory { node, incarnation });
    }

    /// What the node's blocks take, and what else its process holds.
    pub(super) fn memory_measured(&mut self, at: (NodeId, u32)) -> Result<(), SimTrouble> {
        if !self.lives_on(at) {
            return Ok(());
        }
        let blocks = self.nodes[at.0.0 as usize].in_memory();
        let limit = self.env.memory.unwrap_or(Bytes::new(1 << 30)).get();
        let rest = if self.replay.is_some() { 0 } else { self.rng.below(limit / 50) };
        let mut used = blocks + rest;
        if self.faults.strikes(&mut self.rng, FaultKind::MemoryPressure) {
            used = used.max(limit / 100 * self.rng.between(65, 100));
        }
        self.feed(Addr::Node(at.0), Event::Memory { used: Bytes::new(used) })
    }
}
