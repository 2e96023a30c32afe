//! Where a key runs: `worker_objective`, root tasks, expected durations.

use super::Cx;
use super::job::Job;
use super::workers::{WorkerIx, Workers};
use crate::settings::Settings;

/// A fragment of more keys than this many times the slots of the cluster, which read almost nothing, is root-ish.
const ROOT_WIDTH: u64 = 2;
/// How many keys a root-ish fragment reads fewer than.
const ROOT_INPUTS: u32 = 5;

/// What becomes of a key that could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It goes to this worker.
    On(WorkerIx),
    /// It waits until a worker has room.
    Full,
    /// No worker takes work.
    Nobody,
}

impl Job {
    pub(crate) fn decide(&mut self, cx: &mut Cx<'_>, key: u32) -> Decision {
        if let Some(owner) = self.owner_of(key) {
            return Decision::On(owner);
        }
        if !cx.workers.any_open() {
            return Decision::Nobody;
        }
        if let Some(saturation) = cx.settings.saturation
            && self.is_rootish(cx.workers, key)
        {
            let least = cx.workers.open().next();
            let open = least.filter(|at| cx.workers.get(*at).is_some_and(|w| w.has_room(saturation)));
            return open.map_or(Decision::Full, Decision::On);
        }
        self.place(cx, key).map_or(Decision::Nobody, Decision::On)
    }

    /// Whether a key is one of many that read almost nothing: pushed to the workers, they would all run, and fill the
    /// memory, before anything that follows them.
    pub(crate) fn is_rootish(&self, workers: &Workers, key: u32) -> bool {
        let at = self.plan.specs[key as usize].fragment;
        let tasks = u64::from(self.plan.fragment(at).tasks);
        tasks > ROOT_WIDTH * workers.slots() && self.plan.keys_read[at as usize] < ROOT_INPUTS
    }

    /// The worker that can start the key soonest: of those that hold some of its inputs, or else the least loaded.
    fn place(&self, cx: &mut Cx<'_>, key: u32) -> Option<WorkerIx> {
        let least = cx.workers.open().next()?;
        if cx.workers.count() == 1 || !cx.settings.locality || self.plan.deps.of(key).is_empty() {
            return Some(least);
        }
        let mut touched: Vec<WorkerIx> = Vec::new();
        let mut total = 0;
        for input in self.plan.deps.of(key) {
            let bytes = self.share(*input).max(1);
            total += bytes;
            for at in self.key(*input).holders.as_slice() {
                if cx.workers.is_open(*at)
                    && let Some(held) = cx.workers.scratch.get_mut(*at as usize)
                {
                    if *held == 0 {
                        touched.push(*at);
                    }
                    *held += bytes;
                }
            }
        }
        let mut best = None;
        for at in touched {
            let held = cx.workers.scratch.get_mut(at as usize).map_or(0, std::mem::take);
            let Some(worker) = cx.workers.get(at) else { continue };
            let start = objective(worker.occupancy, worker.slots, total - held, cx.settings);
            let rank = (start, worker.bytes, at);
            best = Some(best.map_or(rank, |b: (u64, u64, WorkerIx)| b.min(rank)));
        }
        Some(best.map_or(least, |(_, _, at)| at))
    }

    /// What one reader copies of a key: one of its blocks, if it has several for several readers.
    fn share(&self, key: u32) -> u64 {
        let spec = self.plan.specs[key as usize];
        if spec.is_barrier() {
            return 0;
        }
        self.key(key).bytes / u64::from(self.plan.fragment(spec.fragment).outputs)
    }

    /// What a worker is charged for a key: its expected duration and the transfer of its missing inputs.
    pub(crate) fn cost(&self, cx: &Cx<'_>, key: u32, at: WorkerIx) -> u64 {
        self.duration(cx.settings, key) + self.transfer(cx, key, at)
    }

    /// How long the missing inputs of a key travel to a worker.
    pub(crate) fn transfer(&self, cx: &Cx<'_>, key: u32, at: WorkerIx) -> u64 {
        if cx.workers.count() == 1 {
            return 0;
        }
        let missing = self.plan.deps.of(key).iter().filter(|input| !self.key(**input).holders.contains(at));
        cx.settings.transfer(missing.map(|input| self.share(*input)).sum())
    }

    /// What all inputs of a key take.
    pub(crate) fn input_bytes(&self, key: u32) -> u64 {
        self.plan.deps.of(key).iter().map(|input| self.share(*input)).sum()
    }

    /// How long a key is expected to run.
    pub(crate) fn duration(&self, settings: &Settings, key: u32) -> u64 {
        match self.durations[self.plan.specs[key as usize].fragment as usize] {
            0 => settings.unknown_duration.get(),
            measured => measured,
        }
    }

    /// A key of a fragment ran that long: half of the new average, as in Dask.
    pub(crate) fn measured(&mut self, key: u32, took: u64) {
        let average = &mut self.durations[self.plan.specs[key as usize].fragment as usize];
        let took = took.max(1);
        *average = if *average == 0 { took } else { average.midpoint(took) };
    }
}

/// When a worker could start: what it has to do already, and what must travel to it.
fn objective(occupancy: u64, slots: u32, missing: u64, settings: &Settings) -> u64 {
    occupancy / u64::from(slots.max(1)) + settings.transfer(missing)
}
