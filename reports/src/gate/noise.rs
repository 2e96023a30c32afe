//! What two measurements of the same thing lie apart by: the floor below which no effect is claimed, and what a reader is told.
//!
//! The A/A twin is a process of its own beside the first one in the same run: it tells of processes, not of runs. What runs lie apart by,
//! only turns tell.

use super::contrast::{Change, Differences, twin};
use super::model::GateNoise;
use super::turns::turns;
use super::{CaseTrials, Cases};
use crate::stats::{MAD_TO_DEVIATION, effect, fnv1a, median, quantile, sorted};
use bench_record::{Case, CaseKey, Family};
use std::collections::{BTreeMap, BTreeSet};

/// The floors of a comparison.
pub(super) struct Floors {
    by_workload: BTreeMap<(Family, String), f64>,
    families: BTreeMap<Family, (usize, Option<f64>)>,
}

impl Floors {
    pub(super) fn new(old: &Cases, fresh: &Cases) -> Self {
        let mut by_workload: BTreeMap<(Family, String), f64> = BTreeMap::new();
        let mut all: BTreeMap<Family, Vec<f64>> = BTreeMap::new();
        for (case, trials) in old.iter().chain(fresh).filter(|(_, trials)| !trials.contaminated) {
            let Some(noise) = apart(trials) else { continue };
            let own = by_workload.entry((case.family, case.workload.clone())).or_default();
            *own = own.max(noise);
            all.entry(case.family).or_default().push(noise);
        }
        let present: BTreeSet<Family> = old.keys().map(|case| case.family).collect();
        let families = present.into_iter().map(|family| {
            let effects = sorted(all.remove(&family).unwrap_or_default());
            (family, (effects.len(), quantile(&effects, 0.95)))
        });
        Self { families: families.collect(), by_workload }
    }

    /// Below which nothing is claimed of a case: its family's floor, and its own workload's if that is higher. None without an A/A arm.
    pub(super) fn of(&self, case: &Case) -> Option<f64> {
        let own = self.by_workload.get(&(case.family, case.workload.clone())).copied();
        self.families.get(&case.family).and_then(|(_, floor)| *floor).map(|floor| floor.max(own.unwrap_or_default()))
    }

    pub(super) fn families(&self) -> impl Iterator<Item = Family> + '_ {
        self.families.keys().copied()
    }

    /// What a reader is told of a family.
    pub(super) fn told(&self, family: Family, differences: &[Differences<'_>], changes: &[Change]) -> GateNoise {
        let (aa_cases, floor) = self.families.get(&family).copied().unwrap_or_default();
        let twins = sorted(differences.iter().flat_map(|d| &d.twins).map(|(difference, _)| difference.abs()));
        // A difference of two holds both their deviations.
        let of_one = |deviation: f64| deviation / std::f64::consts::SQRT_2;
        let between_runs = median(&sorted(changes.iter().filter_map(|c| c.deviation)));
        GateNoise {
            family: family.name().to_owned(),
            aa_cases,
            floor,
            between_processes: median(&twins).map(|m| of_one(MAD_TO_DEVIATION * m)),
            between_runs: between_runs.map(of_one),
            turns: changes.iter().map(|c| c.turns).filter(|turns| *turns > 0).min().unwrap_or_default(),
        }
    }
}

/// How far a case's A/A twin lies from it, all runs of the side together.
fn apart(trials: &CaseTrials) -> Option<f64> {
    let middle = |of: fn(&crate::compare::RunTimes) -> &Vec<f64>| {
        let times = sorted(trials.runs.iter().flat_map(of).copied());
        if times.len() < 2 { None } else { median(&times) }
    };
    let noise = effect(middle(|run| &run.main)? / middle(|run| &run.twin)?);
    noise.is_finite().then_some(noise)
}

/// The cases of a family that both sides completed, with their turns, in the order of the cases.
pub(super) fn differences<'a>(family: Family, old: &'a Cases, fresh: &'a Cases) -> Vec<Differences<'a>> {
    let both = old.iter().filter(|(case, _)| case.family == family);
    let both = both.filter_map(|(case, base)| Some((case, base, fresh.get(case)?)));
    let one = |(case, base, new): (&'a Case, &CaseTrials, &CaseTrials)| {
        let runs = base.runs.iter().chain(&new.runs);
        let twins = runs.filter_map(|run| twin(&run.main, &run.twin)).collect();
        let turns = if base.contaminated || new.contaminated { Vec::new() } else { turns(base, new) };
        Differences { case, turns, twins }
    };
    both.map(one).filter(|d| !d.turns.is_empty()).collect()
}

/// What samples of a case are resampled with: another sequence on each side.
pub(super) fn seed(key: &CaseKey, side: u8) -> u64 {
    fnv1a(key.as_str().bytes().chain([0, side]))
}
