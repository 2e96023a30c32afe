//! Placement groups: bundles of resources on chosen nodes, reserved all together or not at all.
//!
//! In the first phase each chosen node reserves its bundles, waiting for running tasks to end if it must; in the second
//! they may be used. If a node dies in between, the others give theirs back and the choice is made anew. Groups are
//! created one at a time: two half-reserved groups can not wait for each other.

use super::{Driver, Out};
use crate::layout::Layout;
use crate::message::{GroupId, Note, RunId};
use crate::resources::{Demand, Pool};
use bench_model::{Addr, Nanos, NodeId, Placement};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A group of which not all nodes have answered.
struct Creating {
    id: GroupId,
    run: RunId,
    fragment: u32,
    /// A node for each bundle.
    bundles: Vec<NodeId>,
    /// Nodes that have not reserved theirs.
    awaited: BTreeSet<NodeId>,
}

struct Open {
    run: RunId,
    fragment: u32,
    nodes: BTreeSet<NodeId>,
}

#[derive(Default)]
pub(super) struct Groups {
    wanted: VecDeque<(RunId, u32)>,
    creating: Option<Creating>,
    open: BTreeMap<GroupId, Open>,
    /// Groups that no choice of present nodes can hold.
    impossible: BTreeSet<(RunId, u32)>,
    last: GroupId,
}

impl Groups {
    pub(super) fn want(&mut self, run: RunId, fragment: u32) {
        self.wanted.push_back((run, fragment));
    }

    /// A run is over; its nodes drop its bundles with it.
    pub(super) fn forget(&mut self, run: RunId) {
        self.wanted.retain(|(r, _)| *r != run);
        self.impossible.retain(|(r, _)| *r != run);
        self.creating.take_if(|c| c.run == run);
        self.open.retain(|_, group| group.run != run);
    }

    /// Tries once more to place a group that could not be placed.
    pub(super) fn retry(&mut self, run: RunId, fragment: u32) {
        if self.impossible.remove(&(run, fragment)) {
            self.want(run, fragment);
        }
    }

    pub(super) fn check(&self, lives: impl Fn(RunId) -> bool, is_up: impl Fn(NodeId) -> bool) -> Result<(), String> {
        let creating = self.creating.iter().map(|c| (c.run, c.bundles.clone()));
        let open = self.open.values().map(|o| (o.run, o.nodes.iter().copied().collect()));
        for (run, nodes) in creating.chain(open) {
            if !lives(run) {
                return Err(format!("a group of run {} outlives it", run.0));
            }
            if let Some(node) = nodes.into_iter().find(|n| !is_up(*n)) {
                return Err(format!("a group counts on {node}, which is gone"));
            }
        }
        if self.creating.is_none() && !self.wanted.is_empty() {
            return Err("groups are wanted and none is being created".to_owned());
        }
        Ok(())
    }
}

impl Driver {
    /// Begins to create the next group, if none is being created.
    pub(super) fn create_groups(&mut self, now: Nanos, out: &mut Out) {
        while self.groups.creating.is_none() {
            let Some((run, fragment)) = self.groups.wanted.pop_front() else { return };
            let Some(layout) = self.layout(run) else { continue };
            match self.choose(&layout, fragment) {
                Ok(bundles) => self.prepare(run, fragment, bundles),
                Err(reason) => {
                    self.groups.impossible.insert((run, fragment));
                    self.stall(now, run, fragment, reason, out);
                }
            }
        }
    }

    fn prepare(&mut self, run: RunId, fragment: u32, bundles: Vec<NodeId>) {
        self.groups.last.0 += 1;
        let id = self.groups.last;
        let awaited: BTreeSet<NodeId> = bundles.iter().copied().collect();
        for node in &awaited {
            let count = bundles.iter().filter(|n| *n == node).count() as u32;
            self.links.send(Addr::Node(*node), Note::Prepare(id, run, fragment, count));
        }
        self.groups.creating = Some(Creating { id, run, fragment, bundles, awaited });
    }

    /// A node for each bundle.
    fn choose(&self, layout: &Layout, fragment: u32) -> Result<Vec<NodeId>, String> {
        let fragment = layout.fragment(fragment);
        let demand = Demand::of(&fragment.options);
        let capacity = |slots: u32| Pool::of(&self.env, slots.max(1)).fits(&demand);
        let nodes = self.view.iter().map(|p| (p.member.node, capacity(p.member.slots)));
        let mut nodes: Vec<(NodeId, u32)> = nodes.filter(|(_, fits)| *fits > 0).collect();
        if nodes.is_empty() {
            return Err(self.pool.lacks(&demand).unwrap_or_else(|| "no node has what a task asks for".to_owned()));
        }
        // The nodes that hold most come first; equal ones in order.
        nodes.sort_by_key(|(node, fits)| (Reverse(*fits), *node));
        let tasks = fragment.tasks;
        match fragment.options.placement {
            Placement::StrictSpread if nodes.len() < tasks as usize => {
                let have = nodes.len();
                Err(format!("{tasks} tasks must lie on different nodes, and {have} have what they ask for; add nodes"))
            }
            Placement::StrictPack => Ok(pack(&nodes[..1], tasks)),
            Placement::Pack | Placement::Any => Ok(pack(&nodes, tasks)),
            Placement::Spread | Placement::StrictSpread => Ok(spread(&nodes, tasks)),
        }
    }

    pub(super) fn prepared(&mut self, node: NodeId, id: GroupId) {
        let Some(creating) = self.groups.creating.as_mut().filter(|c| c.id == id) else { return };
        creating.awaited.remove(&node);
        if !creating.awaited.is_empty() {
            return;
        }
        let Some(done) = self.groups.creating.take() else { return };
        let nodes: BTreeSet<NodeId> = done.bundles.iter().copied().collect();
        for node in &nodes {
            self.links.send(Addr::Node(*node), Note::Commit(id));
        }
        self.owner.group_opened(done.run, done.fragment, id, &done.bundles);
        self.groups.open.insert(id, Open { run: done.run, fragment: done.fragment, nodes });
    }

    /// A group's tasks are done, or blocked.
    pub(super) fn give_back(&mut self, id: GroupId) {
        if let Some(open) = self.groups.open.remove(&id) {
            self.return_on(id, open.nodes);
        }
    }

    fn return_on(&mut self, id: GroupId, nodes: BTreeSet<NodeId>) {
        for node in nodes {
            self.links.send(Addr::Node(node), Note::Return(id));
        }
    }

    /// A node is gone: groups with bundles on it are dissolved.
    pub(super) fn group_node_lost(&mut self, node: NodeId) {
        if let Some(lost) = self.groups.creating.take_if(|c| c.bundles.contains(&node)) {
            self.return_on(lost.id, lost.bundles.into_iter().collect());
            self.groups.wanted.push_front((lost.run, lost.fragment));
        }
        let hit = self.groups.open.iter().filter(|(_, open)| open.nodes.contains(&node)).map(|(id, _)| *id);
        for id in hit.collect::<Vec<_>>() {
            let Some(open) = self.groups.open.remove(&id) else { continue };
            self.return_on(id, open.nodes);
            self.owner.group_closed(open.run, open.fragment);
        }
    }
}

/// As few nodes as possible.
fn pack(nodes: &[(NodeId, u32)], tasks: u32) -> Vec<NodeId> {
    let bundles = nodes.iter().flat_map(|(node, fits)| std::iter::repeat_n(*node, *fits as usize));
    bundles.take(tasks as usize).collect()
}

/// As many nodes as possible.
fn spread(nodes: &[(NodeId, u32)], tasks: u32) -> Vec<NodeId> {
    let most = nodes.iter().map(|(_, fits)| *fits).max().unwrap_or(0);
    let rounds = (0..most).flat_map(|round| nodes.iter().filter(move |(_, fits)| *fits > round));
    rounds.map(|(node, _)| *node).take(tasks as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &[(NodeId, u32)] = &[(NodeId(2), 3), (NodeId(0), 1), (NodeId(1), 1)];

    #[test]
    fn pack_fills_a_node_before_it_takes_the_next() {
        assert_eq!(pack(NODES, 4), [2, 2, 2, 0].map(NodeId));
        assert_eq!(pack(NODES, 9).len(), 5, "no more bundles than the nodes hold");
    }

    #[test]
    fn spread_takes_each_node_before_it_takes_one_again() {
        assert_eq!(spread(NODES, 4), [2, 0, 1, 2].map(NodeId));
    }
}
