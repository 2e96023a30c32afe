//! Copies of blocks: made on request, dropped when there are more than readers left (Dask's active memory manager).

use super::Cx;
use super::job::Job;
use super::key::{Loss, State};
use super::workers::WorkerIx;
use crate::message::Down;
use bench_model::{Attempt, Exchange, TaskId};

impl Job {
    /// A worker has a copy of a key's blocks.
    pub(crate) fn added(&mut self, cx: &mut Cx<'_>, at: WorkerIx, (task, attempt): (TaskId, Attempt)) {
        let Some(key) = self.plan.key_of(task) else { return };
        let state = &mut self.keys[key as usize];
        if state.state != State::Memory || state.made != attempt {
            self.release_on(cx, at, key, attempt);
            return;
        }
        if !state.holders.contains(at) {
            state.holders.add(at);
            let bytes = state.bytes;
            if state.holders.as_slice().len() == 2 {
                self.replicated.push(key);
            }
            if let Some(worker) = cx.workers.get_mut(at) {
                worker.bytes += bytes;
            }
        }
    }

    /// Asks workers for copies of a broadcast block that was just made.
    pub(super) fn replicate(&mut self, cx: &mut Cx<'_>, key: u32) {
        let copies = cx.settings.replicate;
        if copies < 2 || !self.is_broadcast(key) {
            return;
        }
        let Some(source) = self.key(key).holders.pick(0) else { return };
        let block = self.block_ref(key, 0, cx.workers.node(source));
        let others: Vec<WorkerIx> = cx.workers.open().filter(|at| *at != source).take(copies - 1).collect();
        for at in others {
            cx.workers.send(at, Down::Acquire { blocks: vec![block] });
        }
    }

    fn is_broadcast(&self, key: u32) -> bool {
        let spec = self.plan.specs[key as usize];
        let fragment = self.plan.fragment(spec.fragment);
        !spec.is_barrier()
            && fragment.exchange == Exchange::Broadcast
            && fragment.outputs == 1
            && self.plan.dependents.of(key).len() > 1
    }

    /// Drops copies beyond the number of readers left, from the fullest workers that do not need them now.
    pub(crate) fn reduce_replicas(&mut self, cx: &mut Cx<'_>) {
        for key in std::mem::take(&mut self.replicated) {
            let state = self.key(key);
            if state.state != State::Memory || state.holders.as_slice().len() < 2 {
                continue;
            }
            let asked = if self.is_broadcast(key) && state.is_needed() { cx.settings.replicate } else { 1 };
            let keep = asked.max(state.waiters as usize).max(1);
            let mut holders = state.holders.as_slice().to_vec();
            let attempt = state.made;
            holders.sort_by_key(|at| std::cmp::Reverse((cx.workers.get(*at).map_or(0, |w| w.bytes), *at)));
            let busy: Vec<WorkerIx> = self.plan.dependents.of(key).iter().map(|r| self.key(*r).worker).collect();
            let surplus = holders.len().saturating_sub(keep);
            for at in holders.into_iter().filter(|at| !busy.contains(at)).take(surplus) {
                let node = cx.workers.node(at);
                self.drop_replica(cx, key, &Loss { node, attempt });
            }
            if self.key(key).holders.as_slice().len() > 1 {
                self.replicated.push(key);
            }
        }
    }
}
