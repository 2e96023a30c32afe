//! The transition table: one function per transition, run to fixpoint.
//!
//! A transition changes one key, tells workers, and recommends transitions of other keys. A recommendation is void if its
//! key has moved on since. What is not in the table is a bug, which [`bench_model::Machine::check`] reports.
//!
//! ```text
//! released -> waiting -> processing -> memory -> released
//!                  | `-> queued ----^  |   `---> waiting (by way of released, when its blocks are lost)
//!                  `---> no-worker -^  `-> erred
//! waiting, queued, no-worker, processing -> released (nobody needs it) or waiting (an input is lost); all -> forgotten
//! ```

use super::Cx;
use super::job::{Job, Recommendation};
use super::key::{Holders, State};
use super::placement::Decision;
use super::workers::{NOBODY, WorkerIx};
use crate::message::Down;
use std::cmp::Reverse;

impl Job {
    pub(crate) fn recommend(&mut self, key: u32, to: State) {
        let from = self.key(key).state;
        self.recommendations.push(Recommendation { key, from, to });
    }

    /// Carries out recommendations until there are none.
    pub(crate) fn settle(&mut self, cx: &mut Cx<'_>) {
        // Once the answer is there, all else is dropped at once.
        while self.over.is_none()
            && self.missing > 0
            && let Some(Recommendation { key, from, to }) = self.recommendations.pop()
        {
            let state = self.key(key);
            // Releases are recommended when nobody needs a key, and that may have changed.
            let kept = to == State::Released && state.is_needed() && !self.is_lost(key);
            if state.state == from && !kept {
                self.transition(cx, key, to);
            }
        }
        if self.missing == 0 {
            self.end(Ok(()));
        }
    }

    /// In memory by name, but nobody holds it.
    fn is_lost(&self, key: u32) -> bool {
        let state = self.key(key);
        state.state == State::Memory && state.holders.is_empty() && !self.plan.specs[key as usize].is_barrier()
    }

    /// The table.
    pub(crate) fn transition(&mut self, cx: &mut Cx<'_>, key: u32, to: State) {
        use State::{Erred, Forgotten, Memory, NoWorker, Processing, Queued, Released, Waiting};
        let from = self.key(key).state;
        match (from, to) {
            (Released, Waiting) => self.released_waiting(key),
            (Waiting, Processing) => self.waiting_processing(cx, key),
            (Waiting, Queued) => self.waiting_queued(key),
            (Waiting, NoWorker) => self.waiting_no_worker(key),
            (Waiting, Released) => self.waiting_released(key),
            (Queued, Processing) => self.queued_processing(cx, key),
            (Queued, Released | Waiting) => self.queued_released(key),
            (NoWorker, Processing) => self.no_worker_processing(cx, key),
            (NoWorker, Released | Waiting) => self.no_worker_released(key),
            (Processing, Memory) => self.processing_memory(cx, key),
            (Processing, Erred) => self.processing_erred(cx, key),
            (Processing, Released | Waiting) => self.processing_released(cx, key),
            (Memory, Released | Waiting) => self.memory_released(cx, key),
            (Processing, Forgotten) => self.processing_forgotten(cx, key),
            (Memory, Forgotten) => self.memory_forgotten(cx, key),
            (Released | Waiting | NoWorker | Queued | Erred, Forgotten) => self.set(key, Forgotten),
            _ => {
                let task = self.task(key);
                self.broken.get_or_insert_with(|| format!("{task} cannot go from {from:?} to {to:?}"));
            }
        }
    }

    pub(super) fn set(&mut self, key: u32, to: State) {
        let from = std::mem::replace(&mut self.key_mut(key).state, to);
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
    }

    fn released_waiting(&mut self, key: u32) {
        self.set(key, State::Waiting);
        let mut waiting_on = 0;
        // Backwards, because what is recommended last is done first.
        for link in self.plan.deps.range(key).rev() {
            let input = self.plan.deps.at(link);
            let state = self.key_mut(input);
            state.waiters += 1;
            waiting_on += u32::from(state.state != State::Memory);
            if state.state == State::Released {
                self.recommend(input, State::Waiting);
            }
        }
        self.key_mut(key).waiting_on = waiting_on;
        if waiting_on == 0 {
            self.recommend(key, State::Processing);
        }
    }

    fn waiting_processing(&mut self, cx: &mut Cx<'_>, key: u32) {
        if self.key(key).waiting_on > 0 {
            // An input was lost after this was recommended.
            return;
        }
        if self.plan.specs[key as usize].is_barrier() {
            self.start_barrier(cx, key);
            return;
        }
        match self.decide(cx, key) {
            Decision::On(at) => self.process(cx, key, at),
            Decision::Full => self.transition(cx, key, State::Queued),
            Decision::Nobody => self.transition(cx, key, State::NoWorker),
        }
    }

    fn waiting_queued(&mut self, key: u32) {
        self.set(key, State::Queued);
        self.queue.push(Reverse((self.plan.priorities[key as usize], key)));
    }

    fn waiting_no_worker(&mut self, key: u32) {
        self.set(key, State::NoWorker);
        self.unplaced.push(key);
    }

    fn waiting_released(&mut self, key: u32) {
        self.let_go(key);
    }

    fn queued_processing(&mut self, cx: &mut Cx<'_>, key: u32) {
        match self.decide(cx, key) {
            Decision::On(at) => self.process(cx, key, at),
            Decision::Full | Decision::Nobody => self.queue.push(Reverse((self.plan.priorities[key as usize], key))),
        }
    }

    fn queued_released(&mut self, key: u32) {
        self.let_go(key);
    }

    fn no_worker_processing(&mut self, cx: &mut Cx<'_>, key: u32) {
        match self.decide(cx, key) {
            Decision::On(at) => self.process(cx, key, at),
            Decision::Full => self.waiting_queued(key),
            Decision::Nobody => self.unplaced.push(key),
        }
    }

    fn no_worker_released(&mut self, key: u32) {
        self.let_go(key);
    }

    /// Sends a key to a worker.
    pub(super) fn process(&mut self, cx: &mut Cx<'_>, key: u32, at: WorkerIx) {
        self.set(key, State::Processing);
        let cost = self.cost(cx, key, at);
        let state = self.key_mut(key);
        state.tries += 1;
        state.worker = at;
        state.thief = NOBODY;
        state.cost = cost;
        cx.workers.charge(at, cost);
        self.send_order(cx, key, at);
        self.offer_to_thieves(cx, key);
    }

    /// Its worker is gone, or not to do it any more.
    fn take_back(&mut self, cx: &mut Cx<'_>, key: u32) -> WorkerIx {
        let state = self.key_mut(key);
        let at = std::mem::replace(&mut state.worker, NOBODY);
        state.thief = NOBODY;
        let cost = std::mem::take(&mut state.cost);
        if at != NOBODY {
            cx.workers.discharge(at, cost);
        }
        at
    }

    /// The caller has noted whose blocks they are and what they take.
    fn processing_memory(&mut self, cx: &mut Cx<'_>, key: u32) {
        self.take_back(cx, key);
        self.set(key, State::Memory);
        let state = self.key(key);
        for at in state.holders.as_slice() {
            if let Some(worker) = cx.workers.get_mut(*at) {
                worker.bytes += state.bytes;
            }
        }
        self.missing -= u32::from(state.wanted);
        for link in self.plan.dependents.range(key).rev() {
            let reader = self.plan.dependents.at(link);
            let state = self.key_mut(reader);
            if state.state == State::Waiting {
                state.waiting_on -= 1;
                if state.waiting_on == 0 {
                    self.recommend(reader, State::Processing);
                }
            }
        }
        self.lose_interest(key);
        if self.key(key).is_needed() {
            self.replicate(cx, key);
        } else {
            self.recommend(key, State::Released);
        }
    }

    fn processing_erred(&mut self, cx: &mut Cx<'_>, key: u32) {
        self.take_back(cx, key);
        self.set(key, State::Erred);
    }

    fn processing_released(&mut self, cx: &mut Cx<'_>, key: u32) {
        let attempt = self.key(key).attempt();
        let at = self.take_back(cx, key);
        if self.plan.specs[key as usize].is_barrier() {
            self.close_shuffle(cx, key);
        } else {
            cx.workers.send(at, Down::Cancel { task: self.task(key), attempt });
        }
        self.let_go(key);
    }

    /// Nobody needs its blocks any more, or they are lost.
    fn memory_released(&mut self, cx: &mut Cx<'_>, key: u32) {
        self.drop_blocks(cx, key);
        if self.plan.specs[key as usize].is_barrier() {
            self.close_shuffle(cx, key);
        }
        self.set(key, State::Released);
        self.missing += u32::from(self.key(key).wanted);
        for link in self.plan.dependents.range(key) {
            let reader = self.plan.dependents.at(link);
            let state = self.key_mut(reader);
            match state.state {
                State::Waiting => state.waiting_on += 1,
                State::Processing | State::Queued | State::NoWorker => self.recommend(reader, State::Waiting),
                _ => {}
            }
        }
        self.want_again(key);
    }

    /// Tells all who hold a key's blocks to drop them.
    pub(super) fn drop_blocks(&mut self, cx: &mut Cx<'_>, key: u32) {
        let (attempt, bytes) = (self.key(key).made, self.key(key).bytes);
        let holders = std::mem::take(&mut self.key_mut(key).holders);
        for at in holders.as_slice() {
            if let Some(worker) = cx.workers.get_mut(*at) {
                worker.bytes = worker.bytes.saturating_sub(bytes);
            }
            self.release_on(cx, *at, key, attempt);
        }
    }

    fn processing_forgotten(&mut self, cx: &mut Cx<'_>, key: u32) {
        self.take_back(cx, key);
        self.set(key, State::Forgotten);
    }

    /// Its worker is told once for all keys of the job.
    fn memory_forgotten(&mut self, cx: &mut Cx<'_>, key: u32) {
        let bytes = self.key(key).bytes;
        let holders = std::mem::replace(&mut self.key_mut(key).holders, Holders::None);
        for at in holders.as_slice() {
            if let Some(worker) = cx.workers.get_mut(*at) {
                worker.bytes = worker.bytes.saturating_sub(bytes);
            }
        }
        self.set(key, State::Forgotten);
    }

    /// Back to where nothing is done about a key, unless somebody still needs it.
    fn let_go(&mut self, key: u32) {
        self.set(key, State::Released);
        self.key_mut(key).waiting_on = 0;
        self.lose_interest(key);
        self.want_again(key);
    }

    /// A key does not need its inputs any more.
    fn lose_interest(&mut self, key: u32) {
        for link in self.plan.deps.range(key) {
            let input = self.plan.deps.at(link);
            let state = self.key_mut(input);
            state.waiters -= 1;
            if !state.is_needed() && state.state != State::Released {
                self.recommend(input, State::Released);
            }
        }
    }

    fn want_again(&mut self, key: u32) {
        if self.key(key).is_needed() {
            self.recommend(key, State::Waiting);
        }
    }
}
