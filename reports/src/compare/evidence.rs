//! Recorded cases as evidence for or against a statement about engines: any metric, with where each number was recorded.

use super::CompareError;
use super::field::Field;
use super::group;
use super::measured::{Measured, measure};
use super::totals::{evidence, total_ratio};
use crate::comparison::{Contestant, Ratio};
use crate::stats::{Sample, effect, median, quantile, sorted};
use bench_record::{Arm, Family, OBSERVATIONS_FILE, Observation, Outcome, Protocol, Run};
use std::collections::{BTreeMap, BTreeSet};

/// What is read off a trial; none where it was not recorded.
pub(crate) type Reading = fn(&Observation) -> Option<u64>;

/// Cases whose numbers may be compared with each other: one table of the report.
pub(crate) struct Tested<'a> {
    pub(crate) suite: String,
    pub(crate) protocol: Protocol,
    pub(crate) scale: u32,
    /// The machine in words.
    pub(crate) machine: String,
    /// Folders that the trials come from.
    pub(crate) runs: Vec<String>,
    /// The largest of its datasets.
    pub(crate) data_bytes: u64,
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) cases: Vec<TestedCase<'a>>,
}

/// One contestant on one workload.
pub(crate) struct TestedCase<'a> {
    pub(crate) family: Family,
    pub(crate) workload: &'a str,
    /// Index into the contestants.
    pub(crate) contestant: usize,
    /// The worst outcome of its trials.
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<String>,
    /// Trials of the main arm that count.
    pub(crate) trials: Vec<&'a Observation>,
    /// Clean trials of the A/A twin.
    twins: Vec<&'a Observation>,
    /// Where its trials are, as folder and key: lines of one file each.
    pub(crate) recorded: BTreeSet<(String, String)>,
    seed: u64,
}

/// All that runs recorded, table by table. Trials with planned faults and studied variants are in it: whoever asks says
/// which contestants count.
///
/// # Errors
/// No runs, or a run that is given twice.
pub(crate) fn tested(runs: &[Run]) -> Result<Vec<Tested<'_>>, CompareError> {
    if runs.is_empty() {
        return Err(CompareError::NoRuns);
    }
    group::all_different(runs)?;
    Ok(group::groups(runs).iter().map(table).collect())
}

fn table<'a>(group: &group::Group<'a>) -> Tested<'a> {
    let (cases, contestants) = cases_of(group);
    let datasets = group.runs.iter().flat_map(|r| &r.context.datasets).filter(|d| d.scale == group.scale);
    Tested {
        suite: group.suite.clone(),
        protocol: group.protocol,
        scale: group.scale,
        machine: group.machine_summary(),
        runs: group.runs.iter().map(|r| r.name()).collect(),
        data_bytes: datasets.map(|d| d.bytes).max().unwrap_or_default(),
        contestants,
        cases,
    }
}

fn cases_of<'a>(group: &group::Group<'a>) -> (Vec<TestedCase<'a>>, Vec<Contestant>) {
    type Place<'a> = (Family, &'a str, usize);
    let field = Field::new(group);
    let mut twins: BTreeMap<Place<'_>, Vec<&'a Observation>> = BTreeMap::new();
    let mut recorded: BTreeMap<Place<'_>, BTreeSet<(String, String)>> = BTreeMap::new();
    for trial in &field.trials {
        let o = trial.observation;
        let place = (o.case.family, o.case.workload.as_str(), trial.contestant);
        let file = trial.run.path.join(OBSERVATIONS_FILE).display().to_string();
        recorded.entry(place).or_default().insert((file, o.key.to_string()));
        if o.arm == Arm::Twin && !trial.excluded && !o.contaminated && o.outcome == Outcome::Completed {
            twins.entry(place).or_default().push(o);
        }
    }
    let of_case =
        |(at, Measured { outcome, reason, trials, seed, .. }): (super::measured::CaseAt<'a>, Measured<'a>)| {
            let place = (at.family, at.workload, at.contestant);
            TestedCase {
                family: at.family,
                workload: at.workload,
                contestant: at.contestant,
                outcome,
                reason,
                trials,
                twins: twins.remove(&place).unwrap_or_default(),
                recorded: recorded.remove(&place).unwrap_or_default(),
                seed,
            }
        };
    let cases = measure(&field).into_iter().map(of_case).collect();
    (cases, field.contestants)
}

impl TestedCase<'_> {
    /// Whether every trial that counts completed.
    pub(crate) fn completed(&self) -> bool {
        self.outcome == Outcome::Completed && !self.trials.is_empty()
    }

    /// What its trials read; none unless the case completed and every trial has a finite value above zero.
    pub(crate) fn sample(&self, reading: Reading) -> Option<Sample> {
        if !self.completed() {
            return None;
        }
        let values: Vec<f64> = self.trials.iter().filter_map(|o| reading(o)).map(|v| v as f64).collect();
        if values.len() != self.trials.len() || values.iter().any(|v| *v <= 0.0) {
            return None;
        }
        let contaminated = self.trials.iter().any(|o| o.contaminated);
        Some(Sample { contaminated, ..Sample::new(values, self.seed)? })
    }

    /// How far its A/A twin lies from it.
    fn noise(&self, reading: Reading) -> Option<f64> {
        if !self.completed() || self.trials.iter().any(|o| o.contaminated) {
            return None;
        }
        let middle = |all: &[&Observation]| median(&sorted(all.iter().filter_map(|o| reading(o)).map(|v| v as f64)));
        let noise = effect(middle(&self.trials)? / middle(&self.twins)?);
        noise.is_finite().then_some(noise)
    }
}

impl Tested<'_> {
    /// The A/A noise floor of a metric: the larger of what 95 % of all pairs stay within and, if it is about one
    /// workload alone, that workload's own. None without an A/A arm.
    pub(crate) fn floor(&self, reading: Reading, only: Option<(Family, &str)>) -> Option<f64> {
        let all = sorted(self.cases.iter().filter_map(|c| c.noise(reading)));
        let own = self.cases.iter().filter(|c| only == Some((c.family, c.workload))).filter_map(|c| c.noise(reading));
        own.chain(quantile(&all, 0.95)).reduce(f64::max)
    }
}

/// Two contestants over the workloads that both completed.
pub(crate) struct Pairing {
    /// Sum of medians over sum of medians.
    pub(crate) total: Ratio,
    /// Geometric mean of the ratios.
    pub(crate) geometric_mean: Ratio,
    /// Probabilities that chance alone leans as far, by the stratified permutation test: of the total, of the mean.
    pub(crate) p: (f64, f64),
}

/// Compares samples of the same workloads pair by pair. Of one workload alone, its variation is part of the noise. None of
/// none, or where a ratio is no number.
pub(crate) fn pairing(pairs: &[(Sample, Sample)], floor: Option<f64>) -> Option<Pairing> {
    let borrowed: Vec<(&Sample, &Sample)> = pairs.iter().map(|(a, b)| (a, b)).collect();
    let variation = match borrowed.as_slice() {
        [(a, b)] => [a.cv, b.cv].into_iter().flatten().reduce(f64::max),
        _ => None,
    };
    let floor = [floor, variation].into_iter().flatten().reduce(f64::max);
    let ratio = total_ratio(&borrowed, floor)?;
    let (total, mean) = (ratio.total.value, ratio.geometric_mean.value);
    if !(total.is_finite() && mean.is_finite() && total > 0.0 && mean > 0.0) {
        return None;
    }
    let of_total = evidence(&borrowed, total, |times| median(times).unwrap_or_default()).p;
    let of_mean = evidence(&borrowed, mean, |_| 1.0).p;
    Some(Pairing { total: ratio.total, geometric_mean: ratio.geometric_mean, p: (of_total, of_mean) })
}
