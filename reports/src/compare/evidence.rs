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
use std::path::{Path, PathBuf};

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
    /// Folders that the trials come from.
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
    /// Clean trials of the A/A twin.
    twins: Vec<&'a Observation>,
    /// The trials of the main arm that count, by the folder of their run.
    by_run: BTreeMap<&'a Path, Vec<&'a Observation>>,
    /// Whether its memory is a sum over processes, which counts what they share once for each of them.
    pub(crate) is_several_processes: bool,
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
        machine_key: group.machine.clone(),
        runs: group.runs.iter().map(|r| r.name()).collect(),
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
    let mut by_run: BTreeMap<Place<'_>, BTreeMap<&'a Path, Vec<&'a Observation>>> = BTreeMap::new();
    let mut several: BTreeSet<Place<'_>> = BTreeSet::new();
    for trial in &field.trials {
        let o = trial.observation;
        let place = (o.case.family, o.case.workload.as_str(), trial.contestant);
        let file = trial.run.path.join(OBSERVATIONS_FILE).display().to_string();
        recorded.entry(place).or_default().insert((file, o.key.to_string()));
        if o.arm == Arm::Twin && !trial.excluded && !o.contaminated && o.outcome == Outcome::Completed {
            twins.entry(place).or_default().push(o);
        }
        if o.arm == Arm::Main && !trial.excluded {
            by_run.entry(place).or_default().entry(trial.run.path.as_path()).or_default().push(o);
        }
        if is_several_processes(trial.run, o) {
            several.insert(place);
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
                by_run: by_run.remove(&place).unwrap_or_default(),
                is_several_processes: several.contains(&place),
                recorded: recorded.remove(&place).unwrap_or_default(),
                seed,
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
    /// What its table is called in a comparison.
    pub(crate) fn title(&self) -> String {
        let suite = if self.scale == 1 { self.suite.clone() } else { format!("{} x {}", self.suite, self.scale) };
        format!("{suite}, {}, machine {}", self.protocol, self.machine_key)
    }

    /// The A/A noise floor of a metric in a family: the larger of what 95 % of its pairs stay within and, if it is about one
    /// workload alone, that workload's own. None without an A/A arm in that family: other work varies in other ways.
    pub(crate) fn floor(&self, reading: Reading, family: &str, only: Option<&str>) -> Option<f64> {
        let of_family = || self.cases.iter().filter(|c| c.family.name() == family);
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
        let mut apart: BTreeMap<(&Path, &Path), Vec<&str>> = BTreeMap::new();
        for workload in workloads {
            let runs = |who| case(who, workload).map(|c| c.by_run.keys().copied().collect::<Vec<&Path>>());
            let (ours, theirs) = (runs(a).unwrap_or_default(), runs(b).unwrap_or_default());
            let pairs = ours.iter().flat_map(|i| theirs.iter().map(move |j| (*i, *j)));
            for (i, j) in pairs.filter(|(i, j)| i != j && ours != theirs) {
                apart.entry((i.min(j), i.max(j))).or_default().push(workload);
            }
        }
        let mut drift: f64 = 0.0;
        for ((i, j), needed) in &apart {
            let total = |who: usize, run: &Path| -> Option<f64> {
                let of = |w: &&str| median(&sorted(values(case(who, w)?.by_run.get(run)?, reading)?));
                needed.iter().map(of).sum()
            };
            let both = (0..self.contestants.len()).filter_map(|who| Some(effect(total(who, i)? / total(who, j)?)));
            match both.filter(|drift| drift.is_finite()).reduce(f64::max) {
                Some(found) => drift = drift.max(found),
                None => return Meeting::Apart { ours: (*i).to_owned(), theirs: (*j).to_owned() },
            }
        }
        if apart.is_empty() { Meeting::Together } else { Meeting::Bridged(drift) }
    }
}

/// How two contestants met. Engines of one run take turns, so that whatever the machine does hits them alike; what is
/// measured in another run may differ for that reason alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meeting {
    /// In the same runs.
    Together,
    /// In several runs, with somebody in each of them who says how far those lie apart: so far at most.
    Bridged(f64),
    /// In several runs that nobody else is in both of.
    Apart {
        /// One of them.
        ours: PathBuf,
        /// Another.
        theirs: PathBuf,
    },
}

impl Meeting {
    /// The noise that a difference has to exceed: the larger of the floor and what lies between runs.
    pub(crate) fn noise(&self, floor: Option<f64>) -> Option<f64> {
        match self {
            Self::Bridged(drift) => floor.map(|floor| floor.max(*drift)),
            Self::Together | Self::Apart { .. } => floor,
        }
    }

    /// Why it decides nothing, if so.
    pub(crate) fn gap(&self, a: &str, b: &str) -> Option<String> {
        let Self::Apart { ours, theirs } = self else { return None };
        Some(format!(
            "{a} and {b} were not measured in one run ({}; {}), and nobody was in both; measure them together",
            ours.display(),
            theirs.display()
        ))
    }
}

/// Of trials that all completed; none if one of them has no such number.
fn values(trials: &[&Observation], reading: Reading) -> Option<Vec<f64>> {
    let completed = trials.iter().all(|o| o.outcome == Outcome::Completed);
    let read = || trials.iter().map(|o| reading(o).map(|v| v as f64)).collect();
    if completed && !trials.is_empty() { read() } else { None }
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
pub(crate) fn pairing(pairs: &[(Sample, Sample)], floor: Option<f64>) -> Option<Pairing> {
    let borrowed: Vec<(&Sample, &Sample)> = pairs.iter().map(|(a, b)| (a, b)).collect();
    let ratio = total_ratio(&borrowed, floor)?;
    let (total, mean) = (ratio.total.value, ratio.geometric_mean.value);
    if !(total.is_finite() && mean.is_finite() && total > 0.0 && mean > 0.0) {
        return None;
    }
    let of_total = evidence(&borrowed, total, |times| median(times).unwrap_or_default()).p;
    let of_mean = evidence(&borrowed, mean, |_| 1.0).p;
    Some(Pairing { total: ratio.total, geometric_mean: ratio.geometric_mean, p: (of_total, of_mean) })
}
