//! What must hold after each step (Dask's `validate_state`). Costs time in proportion to what is live.

use super::Scheduler;
use super::job::Job;
use super::key::State;
use super::workers::{NOBODY, Workers};
use bench_model::Violation;

impl Scheduler {
    pub(crate) fn check(&self) -> Result<(), Violation> {
        if let Some(broken) = &self.broken {
            return Err(Violation(broken.clone()));
        }
        self.workers.check().map_err(Violation)?;
        for (id, job) in &self.jobs {
            job.check(&self.workers).map_err(|e| Violation(format!("{id}: {e}")))?;
        }
        for (at, worker) in self.workers.iter() {
            let with_it = |k: &&super::key::Key| k.state == State::Processing && k.worker == at;
            let count = self.jobs.values().flat_map(|j| &j.keys).filter(with_it).count();
            if count != worker.processing as usize {
                return Err(Violation(format!("{} has {count} keys, {} are counted", worker.node, worker.processing)));
            }
            if !worker.stream.is_quiet() && !self.ticking {
                return Err(Violation(format!("{} is owed something and no tick is due", worker.node)));
            }
        }
        Ok(())
    }
}

impl Job {
    fn check(&self, workers: &Workers) -> Result<(), String> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if !self.recommendations.is_empty() {
            return Err("recommendations are left over".to_owned());
        }
        let mut counts = [0; super::key::STATES];
        let mut missing = 0;
        for (key, state) in (0..).zip(&self.keys) {
            counts[state.state as usize] += 1;
            missing += u32::from(state.wanted && state.state != State::Memory);
            self.check_key(key, workers).map_err(|e| format!("{}: {e}", self.task(key)))?;
        }
        if counts != self.counts || missing != self.missing {
            return Err(format!(
                "counted {:?} and {} missing, are {counts:?} and {missing}",
                self.counts, self.missing
            ));
        }
        let alive =
            counts[State::Processing as usize] + counts[State::Queued as usize] + counts[State::NoWorker as usize];
        if alive == 0 && missing > 0 {
            return Err("nothing is under way, and the answer is not there".to_owned());
        }
        if counts[State::Queued as usize] > 0 && self.queue.is_empty() {
            return Err("queued keys are in no queue".to_owned());
        }
        if workers.any_open() && counts[State::NoWorker as usize] > 0 {
            return Err("a key waits for a worker although one takes work".to_owned());
        }
        Ok(())
    }

    fn check_key(&self, key: u32, workers: &Workers) -> Result<(), String> {
        let state = self.key(key);
        let barrier = self.plan.specs[key as usize].is_barrier();
        let wants = |s: State| matches!(s, State::Waiting | State::Queued | State::NoWorker | State::Processing);
        let waiters = self.plan.dependents.of(key).iter().filter(|r| wants(self.key(**r).state)).count();
        if waiters != state.waiters as usize {
            return Err(format!("{waiters} keys wait for it, {} are counted", state.waiters));
        }
        let absent = self.plan.deps.of(key).iter().filter(|d| self.key(**d).state != State::Memory).count();
        match state.state {
            State::Waiting if absent != state.waiting_on as usize || absent == 0 => {
                return Err(format!("it waits for {absent} inputs, {} are counted", state.waiting_on));
            }
            State::Queued | State::NoWorker | State::Processing if absent > 0 => {
                return Err(format!("{absent} inputs are not in memory, and it is {:?}", state.state));
            }
            State::Memory if !barrier && !state.holders.as_slice().iter().any(|at| workers.get(*at).is_some()) => {
                return Err("it is in memory and nobody holds it".to_owned());
            }
            State::Memory => {}
            _ if !state.holders.is_empty() => return Err(format!("it is {:?} and somebody holds it", state.state)),
            _ => {}
        }
        if (state.state == State::Processing && !barrier) != (state.worker != NOBODY) {
            return Err(format!("it is {:?} with worker {}", state.state, state.worker));
        }
        if state.worker != NOBODY && workers.get(state.worker).is_none() {
            return Err("it is with a worker that is gone".to_owned());
        }
        self.check_barrier(key)
    }

    /// A barrier that stands or is being awaited belongs to an open run whose owners all live.
    fn check_barrier(&self, key: u32) -> Result<(), String> {
        let spec = self.plan.specs[key as usize];
        let Some(shuffle) = self.plan.shuffle_of(spec.fragment).filter(|_| spec.is_barrier()) else { return Ok(()) };
        let stands = matches!(self.key(key).state, State::Processing | State::Memory);
        if stands && !self.shuffles[shuffle].open {
            return Err("its shuffle is not open".to_owned());
        }
        let group = self.plan.shuffles[shuffle].group as usize;
        if self.shuffles[shuffle].open == self.groups[group].owners.is_empty() && self.shuffles[shuffle].open {
            return Err("its shuffle is open and nobody owns its partitions".to_owned());
        }
        Ok(())
    }
}
