//! Work stealing: now and then, keys that have not started move from saturated to idle workers.
//!
//! A key is worth moving if it runs long compared with moving its inputs: that ratio, on 15 logarithmic levels, decides
//! the order. A steal is a transaction: the victim is asked, and only if it says that it has given the key back does the
//! thief get it. So no key is ever with two workers.

use super::Cx;
use super::job::Job;
use super::key::State;
use super::workers::{LEVELS, NOBODY, Stealable, WorkerIx, WorkerState, Workers};
use crate::message::Down;
use crate::settings::{LATENCY, Settings};
use bench_model::{Attempt, JobId, Note, TaskId};
use std::collections::BTreeMap;

/// How many of the most loaded workers are looked at.
const VICTIMS: usize = 10;

/// The level of a key by the bytes that it reads: 0 is for keys that read nothing at all. None if it would take too long
/// to move for what it runs: beyond the last level.
pub(crate) fn level(bytes: Option<u64>, duration: u64, settings: &Settings) -> Option<usize> {
    let Some(bytes) = bytes else { return Some(0) };
    let ratio = (settings.transfer(bytes) + LATENCY.get()) as f64 / duration.max(1) as f64;
    let level = (ratio.log2() + 6.0).round().max(1.0) as usize;
    (level < LEVELS).then_some(level)
}

impl Job {
    /// Lists a key that was just sent to a worker among those that others might steal.
    pub(crate) fn offer_to_thieves(&self, cx: &mut Cx<'_>, key: u32) {
        if cx.settings.stealing.is_none() || cx.workers.count() < 2 || self.owner_of(key).is_some() {
            return;
        }
        let bytes = (!self.plan.deps.of(key).is_empty()).then(|| self.input_bytes(key));
        let Some(level) = level(bytes, self.duration(cx.settings, key), cx.settings) else { return };
        let state = self.key(key);
        let stealable = Stealable { job: self.id, key, tries: state.tries };
        if let Some(list) = cx.workers.get_mut(state.worker).and_then(|w| w.stealable.get_mut(level)) {
            list.push(stealable);
        }
    }

    /// Lists all keys that are with workers: a second worker has joined.
    pub(crate) fn offer_all_to_thieves(&self, cx: &mut Cx<'_>) {
        for (key, state) in (0..).zip(&self.keys) {
            if state.state == State::Processing && state.worker != NOBODY {
                self.offer_to_thieves(cx, key);
            }
        }
    }

    /// Whether a listed key is still where and what it was.
    fn is_there(&self, listed: &Stealable, at: WorkerIx) -> bool {
        let state = self.keys.get(listed.key as usize);
        state.is_some_and(|s| s.state == State::Processing && s.worker == at && s.tries == listed.tries)
    }

    /// Whether the thief would be done with a key before its victim comes to it.
    fn is_worth_it(&self, cx: &Cx<'_>, key: u32, victim: WorkerIx, thief: WorkerIx) -> bool {
        let (Some(from), Some(to)) = (cx.workers.get(victim), cx.workers.get(thief)) else { return false };
        let duration = self.duration(cx.settings, key);
        let moved = self.transfer(cx, key, thief) + LATENCY.get();
        let there = self.transfer(cx, key, victim) + duration;
        let per_slot = |w: &WorkerState| w.occupancy / u64::from(w.slots.max(1));
        per_slot(to) + moved + duration <= per_slot(from).saturating_sub(there / 2)
    }

    fn ask_for(&mut self, cx: &mut Cx<'_>, key: u32, victim: WorkerIx, thief: WorkerIx) {
        let attempt = self.key(key).attempt();
        self.key_mut(key).thief = thief;
        cx.workers.send(victim, Down::Steal { task: self.task(key), attempt });
    }

    /// The victim's answer.
    pub(crate) fn stolen(
        &mut self,
        cx: &mut Cx<'_>,
        victim: WorkerIx,
        (task, attempt): (TaskId, Attempt),
        given: bool,
    ) {
        let Some(key) = self.plan.key_of(task).filter(|k| self.key(*k).runs_as(victim, attempt)) else { return };
        let state = self.key_mut(key);
        let thief = std::mem::replace(&mut state.thief, NOBODY);
        if !given {
            return;
        }
        let cost = std::mem::take(&mut state.cost);
        state.worker = NOBODY;
        cx.workers.discharge(victim, cost);
        if cx.workers.is_open(thief) {
            let (from, to) = (cx.workers.node(victim), cx.workers.node(thief));
            self.note(cx, Note::Stolen(task, from, to));
            self.process(cx, key, thief);
        } else {
            self.transition(cx, key, State::Waiting);
        }
        self.settle(cx);
    }
}

/// Asks saturated workers for keys that idle workers would be done with sooner. Returns how many were asked for.
pub(crate) fn balance(cx: &mut Cx<'_>, jobs: &mut BTreeMap<JobId, Job>) -> usize {
    tidy(cx.workers, jobs);
    let free = |workers: &Workers, at: WorkerIx| workers.get(at).map_or(0, |w| w.slots.saturating_sub(w.processing));
    let mut thieves: Vec<(WorkerIx, u32)> = cx.workers.open().map(|at| (at, free(cx.workers, at))).collect();
    thieves.retain(|(_, free)| *free > 0);
    // The least loaded steals first; it is taken from the end.
    thieves.reverse();
    if thieves.is_empty() {
        return 0;
    }
    let mut victims: Vec<(u64, WorkerIx)> = cx
        .workers
        .iter()
        .filter(|(_, w)| w.processing > w.slots)
        .map(|(at, w)| (w.occupancy / u64::from(w.slots.max(1)), at))
        .collect();
    victims.sort_by_key(|(occupancy, at)| (std::cmp::Reverse(*occupancy), *at));
    victims.truncate(VICTIMS);
    let mut asked = 0;
    for level in 0..LEVELS {
        for (_, victim) in &victims {
            let listed =
                cx.workers.get_mut(*victim).map(|w| std::mem::take(&mut w.stealable[level])).unwrap_or_default();
            let mut left = Vec::new();
            for stealable in listed {
                let Some((thief, free)) = thieves.last_mut() else {
                    left.push(stealable);
                    continue;
                };
                let Some(job) = jobs.get_mut(&stealable.job).filter(|j| j.is_there(&stealable, *victim)) else {
                    continue;
                };
                let is_asked_for = job.key(stealable.key).thief != NOBODY;
                if is_asked_for || !job.is_worth_it(cx, stealable.key, *victim, *thief) {
                    left.push(stealable);
                    continue;
                }
                job.ask_for(cx, stealable.key, *victim, *thief);
                // If the victim keeps it, it has started by then and need not be listed any more.
                asked += 1;
                *free -= 1;
                if *free == 0 {
                    thieves.pop();
                }
            }
            if let Some(worker) = cx.workers.get_mut(*victim) {
                worker.stealable[level].append(&mut left);
            }
        }
    }
    asked
}

/// Forgets listed keys that have moved on, where they have become many.
fn tidy(workers: &mut Workers, jobs: &BTreeMap<JobId, Job>) {
    let all: Vec<WorkerIx> = workers.iter().map(|(at, _)| at).collect();
    for at in all {
        let Some(worker) = workers.get_mut(at) else { continue };
        let many = 2 * worker.processing as usize + 64;
        for list in worker.stealable.iter_mut().filter(|l| l.len() > many) {
            list.retain(|s| jobs.get(&s.job).is_some_and(|j| j.is_there(s, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{Style, StyleEnv, Tuning};

    fn level_of(bytes: Option<u64>, micros: u64) -> Option<usize> {
        let tuning = Tuning::defaults(crate::TaskGraph::new().switches());
        let env = StyleEnv {
            slots: 1,
            memory_share: Default::default(),
            memory: None,
            resources: Default::default(),
            tuning,
        };
        level(bytes, micros * 1_000, &Settings::of(&env, false))
    }

    #[test]
    fn the_longer_a_key_runs_and_the_less_it_reads_the_sooner_it_is_stolen() {
        assert_eq!(level_of(None, 1), Some(0), "nothing to move, however short");
        assert_eq!(level_of(Some(0), 100_000), Some(6), "as long as the latency");
        assert_eq!(level_of(Some(0), 6_400_000), Some(1), "the first level is for keys without inputs");
        assert_eq!(level_of(Some(10_000_000), 100_000), Some(7), "twice as long with 10 MB to move");
        assert_eq!(level_of(Some(0), 400), Some(14), "250 times as long to move as to run");
        assert_eq!(level_of(Some(0), 200), None, "500 times");
        assert_eq!(level_of(Some(10_000_000_000), 10_000), None, "far too much to move");
    }
}
