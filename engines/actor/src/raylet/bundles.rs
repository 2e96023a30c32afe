//! Resources set aside for placement groups.
//!
//! A prepared group takes resources as they become free, before any lease gets them, and says when it has all of its own.

use super::Raylet;
use crate::message::{GroupId, Note, RunId};
use crate::resources::Demand;
use bench_model::Addr;
use std::collections::BTreeMap;

/// Whose tasks may use a group's bundles: those of a fragment of a run.
pub(super) type User = (RunId, u32);

struct Bundle {
    user: User,
    demand: Demand,
    wanted: u32,
    held: u32,
    in_use: u32,
    committed: bool,
}

/// The groups with bundles on this node.
#[derive(Default)]
pub(super) struct Bundles(BTreeMap<GroupId, Bundle>);

impl Bundles {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether bundles are set aside here for a fragment's tasks, or are going to be.
    pub(super) fn are_for(&self, user: User) -> bool {
        self.0.values().any(|b| b.user == user)
    }

    /// The group of a free bundle for a fragment's task.
    pub(super) fn free(&self, user: User) -> Option<GroupId> {
        let free = |b: &Bundle| b.user == user && b.committed && b.in_use < b.held;
        self.0.iter().find(|(_, b)| free(b)).map(|(id, _)| *id)
    }

    /// Takes a free bundle of a group.
    pub(super) fn take(&mut self, id: GroupId) {
        if let Some(bundle) = self.0.get_mut(&id) {
            bundle.in_use += 1;
        }
    }

    /// Gives a bundle back to its group; false if the group is gone.
    pub(super) fn give(&mut self, id: GroupId) -> bool {
        self.0.get_mut(&id).map(|b| b.in_use -= 1).is_some()
    }

    /// Slots held and not in use.
    pub(super) fn idle(&self) -> u32 {
        self.0.values().map(|b| b.held - b.in_use).sum()
    }
}

impl Raylet {
    pub(super) fn prepare(&mut self, id: GroupId, run: RunId, fragment: u32, wanted: u32) {
        let options = self.runs.get(&run).and_then(|p| p.graph.fragments.get(fragment as usize)).map(|f| &f.options);
        let Some(demand) = options.map(Demand::of) else { return };
        self.bundles
            .0
            .insert(id, Bundle { user: (run, fragment), demand, wanted, held: 0, in_use: 0, committed: false });
        self.fill_bundles();
    }

    /// Takes what is free for groups that have not all of theirs, oldest first.
    pub(super) fn fill_bundles(&mut self) {
        for (id, bundle) in &mut self.bundles.0 {
            let before = bundle.held;
            while bundle.held < bundle.wanted && self.pool.take(&bundle.demand) {
                bundle.held += 1;
            }
            if bundle.held == bundle.wanted && (before < bundle.held || bundle.wanted == 0) {
                self.links.send(Addr::Driver, Note::Prepared(*id));
            }
        }
    }

    pub(super) fn commit(&mut self, id: GroupId) {
        if let Some(bundle) = self.bundles.0.get_mut(&id) {
            bundle.committed = true;
        }
    }

    /// What is not in use is free at once; tasks that run give theirs to the node when they end.
    pub(super) fn return_bundles(&mut self, id: GroupId) {
        if let Some(bundle) = self.bundles.0.remove(&id) {
            for _ in bundle.in_use..bundle.held {
                self.pool.give(&bundle.demand);
            }
        }
    }

    pub(super) fn drop_bundles(&mut self, run: RunId) {
        let mine = self.bundles.0.iter().filter(|(_, b)| b.user.0 == run).map(|(id, _)| *id);
        for id in mine.collect::<Vec<_>>() {
            self.return_bundles(id);
        }
    }
}
