//! A cluster that plays a recorded job again.

use super::{Occurrence, Sim};
use crate::faults::Faults;
use crate::options::SimOptions;
use crate::oracle::SimJob;
use crate::replay::{Costs, SUBMITTED};
use crate::rng::Rng;
use bench_model::{JobId, JobTrace, Nanos, NodeId, Style, StyleEnv, TaskId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the recorded job took, and what nodes owe of it.
pub(super) struct Replaying {
    pub(super) costs: Costs,
    /// Time that slots spend on moving blocks to disk before they take another task.
    debts: BTreeMap<NodeId, u64>,
}

impl Replaying {
    /// How long a task that starts now on a node holds its slot.
    pub(super) fn slot_ns(&mut self, node: NodeId, task: TaskId) -> u64 {
        self.costs.slot_ns(task) + self.debts.remove(&node).unwrap_or_default()
    }

    /// A node begins to move a block to disk. Returns how long that takes.
    pub(super) fn spill_ns(&mut self, node: NodeId) -> u64 {
        *self.debts.entry(node).or_default() += self.costs.spill_ns;
        self.costs.spill_ns
    }
}

impl<'s, S: Style> Sim<'s, S> {
    /// The trace's nodes with its job, submitted at [`SUBMITTED`].
    pub(crate) fn replaying(style: &'s S, options: &SimOptions, env: StyleEnv, trace: &JobTrace, costs: Costs) -> Self {
        let mut rng = Rng::new(0);
        let faults = Faults::draw(&mut rng, 0);
        let mut sim = Self::empty(style, 0, options, env, rng, faults);
        for _ in 0..trace.nodes.max(1) {
            sim.add_node(trace.slots.max(1), Nanos::ZERO);
        }
        sim.queue_max = usize::MAX;
        let id = JobId(0);
        sim.queue.push(SUBMITTED, Occurrence::Submit(id));
        sim.jobs.insert(id, SimJob::new(Arc::new(trace.graph.clone()), Default::default()));
        sim.unfinished = 1;
        sim.replay = Some(Replaying { costs, debts: BTreeMap::new() });
        sim
    }
}
