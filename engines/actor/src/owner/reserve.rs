//! Tasks that run inside reserved bundles (placement groups).
//!
//! Bundles are asked for when a task of the fragment is ready, and given back as soon as none is: a reservation that
//! waits for inputs could hold the very resources that their producers need.

use super::run::{Run, State};
use super::{Cx, Verdict};
use crate::message::{GroupId, Part};
use bench_model::NodeId;
use std::collections::{BTreeMap, VecDeque};

#[derive(Default)]
struct Group {
    asked: bool,
    /// Its reservation, once it has one: a node for each bundle.
    open: Option<(GroupId, Vec<NodeId>)>,
    /// Ready tasks that are not submitted.
    waiting: VecDeque<u32>,
    submitted: u32,
}

/// The groups of a run, by fragment.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<u32, Group>);

impl Groups {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn holds(&self, fragment: u32, task: u32) -> bool {
        self.0.get(&fragment).is_some_and(|g| g.waiting.contains(&task))
    }
}

impl Run {
    /// A task of a group is ready: it waits for a bundle.
    pub(super) fn await_bundle(&mut self, cx: &mut Cx<'_>, part: Part, task: u32) {
        let group = self.groups.0.entry(part.fragment).or_default();
        group.waiting.push_back(task);
        if !std::mem::replace(&mut group.asked, true) {
            cx.verdicts.push(Verdict::GroupWanted(self.id, part.fragment));
        }
    }

    /// Bundles are reserved.
    pub(super) fn group_opened(&mut self, fragment: u32, id: GroupId, bundles: &[NodeId]) {
        let group = self.groups.0.entry(fragment).or_default();
        group.asked = true;
        group.open = Some((id, bundles.to_vec()));
    }

    /// The reservation is gone: tasks that have not run ask for another.
    pub(super) fn group_closed(&mut self, fragment: u32) {
        let Some(group) = self.groups.0.get_mut(&fragment) else { return };
        (group.asked, group.open) = (false, None);
        for task in std::mem::take(&mut group.waiting) {
            if self.task(task).state == State::Ready {
                self.make_ready(fragment, task);
            }
        }
    }

    /// A lease of a group's task is answered or was never asked for.
    pub(super) fn group_task_ended(&mut self, part: Part) {
        if let Some(group) = self.groups.0.get_mut(&part.fragment) {
            group.submitted = group.submitted.saturating_sub(1);
        }
    }

    /// Submits waiting tasks to their bundles, two for each so that none falls idle, past the window of their node:
    /// what fills that window may be waiting for the very resources that the bundles hold.
    pub(super) fn fill_bundles(&mut self, cx: &mut Cx<'_>) {
        let fragments: Vec<u32> = self.groups.0.keys().copied().collect();
        for fragment in fragments {
            while let Some((task, node)) = self.next_in_bundle(fragment) {
                let part = self.layout.part(task);
                self.launch(cx, task, part, node, (true, true));
            }
        }
    }

    fn next_in_bundle(&mut self, fragment: u32) -> Option<(u32, NodeId)> {
        let first = self.layout.tasks(fragment).start;
        let group = self.groups.0.get_mut(&fragment)?;
        let (_, bundles) = group.open.as_ref()?;
        while group.submitted < 2 * bundles.len() as u32 {
            let task = group.waiting.pop_front()?;
            if self.tasks[task as usize].state == State::Ready {
                group.submitted += 1;
                let node = bundles.get((task - first) as usize % bundles.len())?;
                return Some((task, *node));
            }
        }
        None
    }

    /// Gives back reservations in which nothing runs or is ready to.
    pub(super) fn close_idle_groups(&mut self, cx: &mut Cx<'_>) {
        for group in self.groups.0.values_mut() {
            let ready = |task: &u32| self.tasks[*task as usize].state == State::Ready;
            if group.submitted > 0 || group.waiting.iter().any(ready) {
                continue;
            }
            if let Some((id, _)) = group.open.take() {
                group.asked = false;
                group.waiting.clear();
                cx.verdicts.push(Verdict::GroupIdle(self.id, id));
            }
        }
    }
}
