//! Recorded cases as evidence for or against a statement about engines: any metric, with where each number was recorded.

use super::CompareError;
use super::field::Field;
use super::floors::Ground;
use super::group;
use super::measured::{Measured, measure};
use super::meeting::{ByRun, Meeting};
use super::totals::{evidence, ratio_of_samples};
use crate::comparison::{Contestant, Ratio};
use crate::run_names::RunNames;
use crate::stats::{Sample, effect, median, quantile, sorted};
use bench_record::{Arm, Family, OBSERVATIONS_FILE, Observation, Outcome, Protocol, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is read off a trial; none where it was not recorded.
pub(crate) type Reading = fn(&Observation) -> Option<u64>;

/// Cases whose numbers may be compared with each other: one table of the report.
pub(crate) struct Tested<'a> {
    pub(crate) suite: String,
    pub(crate) protocol: Protocol,
    pub(crate) scale: u32,
    /// The machine in words.
    pub(crate) machine: String,
    /// What tells it from others.
    pub(crate) machine_key: String,
    /// What the runs are called that the trials come from.
    pub(crate) runs: Vec<String>,
    /// When the first of its runs began.
    pub(crate) started_at: String,
    /// Its datasets by name, with their bytes as they are stored.
    pub(crate) datasets: BTreeMap<String, u64>,
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
    /// What says how far equal things lie apart.
    twins: Twins<'a>,
    /// The trials of the main arm that count, by the folder of their run.
    by_run: ByRun<'a>,
    /// Whether its peak memory is that of several processes: the least that it was.
    pub(crate) is_several_processes: bool,
    /// Where its trials are, as folder and key: lines of one file each.
    pub(crate) recorded: BTreeSet<(String, String)>,
    seed: u64,
}

/// What is measured twice.
enum Twins<'a> {
    /// The clean trials of an A/A arm.
    Arm(Vec<&'a Observation>),
    /// Every second trial, beside those between: where every trial has processes of its own and engines take turns, these are
    /// two measurements of the same thing.
    Halves,
}

/// So many trials in each half say something.
const HALF_MIN: usize = 3;

/// What records of overhead say, table by table; `runs` are [`super::probed::as_run`] of them.
///
/// # Errors
/// As for [`tested`].
pub(crate) fn probed<'a>(runs: &'a [Run], names: &RunNames) -> Result<Vec<Tested<'a>>, CompareError> {
    let mut tables = if runs.is_empty() { Vec::new() } else { tested(runs, names)? };
    for case in tables.iter_mut().flat_map(|t| &mut t.cases) {
        case.twins = Twins::Halves;
        let folder = |(run, all): (&&'_ Path, &Vec<&Observation>)| Some(super::probed::recorded(run, all.first()?));
        case.recorded = case.by_run.iter().filter_map(folder).collect();
    }
    Ok(tables)
}

/// All that runs recorded, table by table. Trials with planned faults and studied variants are in it: whoever asks says
/// which contestants count.
///
/// # Errors
/// No runs, or a run that is given twice.
pub(crate) fn tested<'a>(runs: &'a [Run], names: &RunNames) -> Result<Vec<Tested<'a>>, CompareError> {
    if runs.is_empty() {
        return Err(CompareError::NoRuns);
    }
    group::all_different(runs)?;
    Ok(group::groups(runs).iter().map(|group| table(group, names)).collect())
}

fn table<'a>(group: &group::Group<'a>, names: &RunNames) -> Tested<'a> {
    let (cases, contestants) = cases_of(group);
    let datasets = group.runs.iter().flat_map(|r| &r.context.datasets).filter(|d| d.scale == group.scale);
    Tested {
        suite: group.suite.clone(),
        protocol: group.protocol,
        scale: group.scale,
        machine: group.machine_summary(),
        machine_key: group.machine.clone(),
        runs: group.runs.iter().map(|r| names.name(&r.path)).collect(),
        started_at: group.started_at(),
        datasets: datasets.map(|d| (d.name.clone(), d.bytes)).collect(),
        contestants,
        cases,
    }
}

fn cases_of<'a>(group: &group::Group<'a>) -> (Vec<TestedCase<'a>>, Vec<Contestant>) {
    type Place<'a> = (Family, &'a str, usize);
    let field = Field::new(group);
    let mut twins: BTreeMap<Place<'_>, Vec<&'a Observation>> = BTreeMap::new();
    let mut recorded: BTreeMap<Place<'_>, BTreeSet<(String, String)>> = BTreeMap::new();
    let mut several: BTreeSet<Place<'_>> = BTreeSet::new();
    for trial in &field.trials {
        let o = trial.observation;
        let place = (o.case.family, o.case.workload.as_str(), trial.contestant);
        let file = trial.run.path.join(OBSERVATIONS_FILE).display().to_string();
        recorded.entry(place).or_default().insert((file, o.key.to_string()));
        if o.arm == Arm::Twin && !trial.excluded && !o.contaminated && o.outcome == Outcome::Completed {
            twins.entry(place).or_default().push(o);
        }
        if is_several_processes(trial.run, o) {
            several.insert(place);
        }
    }
    let of_case =
        |(at, Measured { outcome, reason, trials, by_run, draw, .. }): (super::measured::CaseAt<'a>, Measured<'a>)| {
            let place = (at.family, at.workload, at.contestant);
            TestedCase {
                family: at.family,
                workload: at.workload,
                contestant: at.contestant,
                outcome,
                reason,
                trials,
                twins: Twins::Arm(twins.remove(&place).unwrap_or_default()),
                by_run,
                is_several_processes: several.contains(&place),
                recorded: recorded.remove(&place).unwrap_or_default(),
                seed: draw.seed,
            }
        };
    let cases = measure(&field).into_iter().map(of_case).collect();
    (cases, field.contestants)
}

/// Whether the engine of a trial is more than one process: a product, which has its driver at least and takes
/// configurations, or nodes.
fn is_several_processes(run: &Run, o: &Observation) -> bool {
    const LOCAL: &str = "local";
    const CONFIG: &str = "config";
    let engine = run.context.engine(&o.case.engine, &o.case.variant, o.case.slots);
    o.case.cluster != LOCAL || engine.is_some_and(|e| e.tuning.iter().any(|(name, _)| name == CONFIG))
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

    /// By how much a number may be larger than what was read, at most: nothing, unless it is that of several processes, which were
    /// looked at now and then. None if some trial does not say.
    pub(crate) fn understated(&self, reading: Reading, bound: Reading) -> Option<f64> {
        if !self.is_several_processes {
            return Some(0.0);
        }
        // A bound below what was read bounds nothing.
        let of = |o: &&Observation| {
            let (bound, read) = (bound(o)?, reading(o)?);
            (bound >= read && read > 0).then(|| bound as f64 / read as f64 - 1.0)
        };
        let all: Option<Vec<f64>> = self.trials.iter().map(of).collect();
        all?.into_iter().reduce(f64::max)
    }

    /// How far its A/A twin lies from it.
    fn noise(&self, reading: Reading) -> Option<f64> {
        if !self.completed() || self.trials.iter().any(|o| o.contaminated) {
            return None;
        }
        let middle = |all: &[&Observation]| median(&sorted(all.iter().filter_map(|o| reading(o)).map(|v| v as f64)));
        let ratio = match &self.twins {
            Twins::Arm(twins) => middle(&self.trials)? / middle(twins)?,
            Twins::Halves => {
                let half = |odd: u32| self.trials.iter().copied().filter(|o| o.trial % 2 == odd).collect::<Vec<_>>();
                let (even, odd) = (half(0), half(1));
                if even.len().min(odd.len()) < HALF_MIN {
                    return None;
                }
                middle(&even)? / middle(&odd)?
            }
        };
        let noise = effect(ratio);
        noise.is_finite().then_some(noise)
    }
}

impl Tested<'_> {
    /// What its table is called in a comparison.
    pub(crate) fn title(&self) -> String {
        let suite = if self.scale == 1 { self.suite.clone() } else { format!("{} x {}", self.suite, self.scale) };
        format!("{suite}, {}, machine {}", self.protocol, self.machine_key)
    }

    /// The A/A noise floor of a metric in a family: the larger of what 95 % of its pairs stay within and, if it is about one
    /// workload alone, that workload's own. None without an A/A arm in that family: other work varies in other ways.
    pub(crate) fn floor(&self, reading: Reading, family: &str, only: Option<&str>) -> Option<f64> {
        // Figures of overhead have nothing in common but their family.
        let like = |c: &TestedCase<'_>| !matches!(c.twins, Twins::Halves) || only == Some(c.workload);
        let of_family = || self.cases.iter().filter(|c| c.family.name() == family && like(c));
        let all = sorted(of_family().filter_map(|c| c.noise(reading)));
        let own = of_family().filter(|c| only == Some(c.workload)).filter_map(|c| c.noise(reading));
        own.chain(quantile(&all, 0.95)).reduce(f64::max)
    }

    /// How two contestants met on these workloads of a family.
    pub(crate) fn meeting(
        &self,
        (a, b): (usize, usize),
        family: &str,
        workloads: &[&str],
        reading: Reading,
    ) -> Meeting {
        let case = |who: usize, workload: &str| {
            let is = |c: &&TestedCase<'_>| (c.contestant, c.family.name(), c.workload) == (who, family, workload);
            self.cases.iter().find(is)
        };
        let pairs: Vec<_> = workloads.iter().filter_map(|w| Some((&case(a, w)?.by_run, &case(b, w)?.by_run))).collect();
        Meeting::of(&pairs, reading)
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

/// Compares samples of the same workloads pair by pair. None of none, or where a ratio is no number.
pub(crate) fn pairing(pairs: &[(Sample, Sample)], floor: Option<f64>, meeting: &Meeting) -> Option<Pairing> {
    let borrowed: Vec<(&Sample, &Sample)> = pairs.iter().map(|(a, b)| (a, b)).collect();
    let ground = floor.map_or(Ground::NoArm, Ground::Noise).of(meeting);
    let ratio = ratio_of_samples(&borrowed, ground)?;
    let (total, mean) = (ratio.total.value, ratio.geometric_mean.value);
    if !(total.is_finite() && mean.is_finite() && total > 0.0 && mean > 0.0) {
        return None;
    }
    let of_total = evidence(&borrowed, total, |times| median(times).unwrap_or_default()).p;
    let of_mean = evidence(&borrowed, mean, |_| 1.0).p;
    Some(Pairing { total: ratio.total, geometric_mean: ratio.geometric_mean, p: (of_total, of_mean) })
}
