//! What must hold after each step. Costs time in proportion to the run, so only the simulator asks, after every event.

use super::run::{NOWHERE, Run, State};
use crate::layout::Kind;
use crate::message::Part;
use crate::view::View;
use bench_model::NodeId;

impl Run {
    pub(super) fn check(&self, view: &View) -> Result<(), String> {
        if self.over {
            return Ok(());
        }
        if !self.revivals.is_empty() {
            return Err("tasks wait to be run again".to_owned());
        }
        for fragment in 0..self.layout.fragments() {
            let undone = self.layout.tasks(fragment).filter(|t| !self.is_done(*t)).count();
            if undone != self.left[fragment as usize] as usize {
                return Err(format!(
                    "fragment {fragment} has {undone} tasks to do, {} counted",
                    self.left[fragment as usize]
                ));
            }
            for (partition, task) in self.layout.tasks(fragment).enumerate() {
                let part = Part { fragment, partition: partition as u32 };
                let about = |e: String| format!("{}: {e}", self.layout.id(part));
                if self.is_mine(fragment) {
                    self.check_own(part, task, view).map_err(about)?;
                }
                self.check_blocks(part, task, view).map_err(about)?;
            }
        }
        self.check_edges()?;
        self.check_totals()
    }

    fn check_own(&self, part: Part, task: u32, view: &View) -> Result<(), String> {
        let state = self.task(task);
        match state.state {
            State::Waiting => {
                let waits = self.count_waits(part);
                if state.waits == 0 || state.waits != waits {
                    return Err(format!("counts {} things it waits for, there are {waits}", state.waits));
                }
            }
            State::Ready => {
                let parked = self.parked.values().flatten().chain(self.stalled.values().flatten()).any(|t| *t == task);
                let queued = self.inner.contains(task) || self.sources.contains(task);
                if !parked && !queued && !self.groups.holds(part.fragment, task) {
                    return Err("is ready and in no queue".to_owned());
                }
            }
            State::Submitted | State::Dropping => {
                if !view.is_up(NodeId(state.node)) {
                    return Err(format!("waits for node {}, which is gone", state.node));
                }
            }
            State::Done => {}
        }
        let live = self.layout.blocks(part).filter(|b| self.blocks[*b as usize].node != NOWHERE).count();
        if live != state.live as usize {
            return Err(format!("has {live} blocks, {} counted", state.live));
        }
        Ok(())
    }

    fn check_blocks(&self, part: Part, task: u32, view: &View) -> Result<(), String> {
        for number in self.layout.blocks(part) {
            let block = &self.blocks[number as usize];
            if self.is_mine(part.fragment) && block.node != NOWHERE && !view.is_up(NodeId(block.node)) {
                return Err(format!("counts on a block on node {}, which is gone", block.node));
            }
            if self.is_done(task) && block.readers > 0 && block.node == NOWHERE {
                return Err("is done, and a block of it that is still read has no place".to_owned());
            }
            if block.node != NOWHERE && block.readers == 0 && self.is_done(task) && !self.task(task).held {
                return Err("keeps a block that nobody reads".to_owned());
            }
        }
        Ok(())
    }

    fn check_edges(&self) -> Result<(), String> {
        for number in 0..self.layout.edge_count() as u32 {
            let edge = self.layout.edge(number);
            if edge.kind == Kind::Whole && self.is_mine(edge.consumer) {
                let missing = self.left[edge.producer as usize];
                if missing != self.missing[number as usize] {
                    let counted = self.missing[number as usize];
                    return Err(format!("edge {number} misses {missing} tasks, {counted} counted"));
                }
            }
        }
        Ok(())
    }

    fn check_totals(&self) -> Result<(), String> {
        let own = (0..self.layout.fragments()).filter(|f| self.is_mine(*f));
        let parts =
            own.flat_map(|f| (0..self.layout.fragment(f).tasks).map(move |p| Part { fragment: f, partition: p }));
        let blocks = parts.flat_map(|part| self.layout.blocks(part)).map(|b| &self.blocks[b as usize]);
        let unread: u64 = blocks.filter(|b| b.node != NOWHERE).map(|b| b.meta.bytes.get()).sum();
        if unread != self.unread {
            return Err(format!("{unread} bytes are unread, {} counted", self.unread));
        }
        let reads = |t: &u32| !self.layout.fragment(self.layout.part(*t).fragment).inputs.is_empty();
        let submitted = (0..self.tasks.len() as u32).filter(|t| self.task(*t).state == State::Submitted);
        let active = submitted.filter(reads).count();
        if active != self.active as usize {
            return Err(format!("{active} tasks that read are submitted, {} counted", self.active));
        }
        Ok(())
    }
}
