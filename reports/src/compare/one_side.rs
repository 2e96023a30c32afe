//! The cases of one side of a comparison of builds: the same trials that a report counts, by case and run.

use super::field::{Field, Trial};
use super::group;
use bench_record::{Arm, Case, Family, Observation, Outcome, Run, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;

/// The trials of one case that count.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseTrials {
    /// The worst outcome of any arm.
    pub(crate) outcome: Outcome,
    /// Its reason.
    pub(crate) reason: Option<String>,
    /// Those with a time, run by run, in the order in which the runs began; none unless all completed.
    pub(crate) runs: Vec<RunTimes>,
    /// Whether a disturbed time of the main arm is among them.
    pub(crate) contaminated: bool,
}

/// The times of one case in one run, in nanoseconds: processes that began together and shared a machine's hour.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunTimes {
    /// When the run began.
    pub(crate) started_at: Timestamp,
    /// Of the main arm, in the order recorded.
    pub(crate) main: Vec<f64>,
    /// Of the A/A twin, without disturbed ones.
    pub(crate) twin: Vec<f64>,
}

/// Every case of runs of one build. `reference` is the engine by whose time of the same workload and planned trial each time is
/// divided; its own cases are then left out, and trials without a partner too.
pub(crate) fn cases(runs: &[Run], reference: Option<&str>) -> BTreeMap<Case, CaseTrials> {
    let mut cases: BTreeMap<Case, CaseTrials> = BTreeMap::new();
    for group in group::groups(runs) {
        let field = Field::new(&group);
        let partners = reference.map(|engine| Partners::new(&field, engine));
        for trial in &field.trials {
            let o = trial.observation;
            if reference == Some(o.case.engine.as_str()) {
                continue;
            }
            let case = cases.entry(o.case.clone()).or_insert_with(CaseTrials::empty);
            if o.outcome != Outcome::Completed && (o.outcome == Outcome::WrongAnswer || !trial.excluded) {
                case.ended(o.outcome, o.reason.as_deref());
            }
            if trial.excluded || o.outcome != Outcome::Completed {
                continue;
            }
            // A time of zero is a clock's resolution: less than a nanosecond.
            let own = o.wall_ns.map(|ns| (ns as f64).max(1.0));
            let time = match &partners {
                Some(partners) => own.zip(partners.of(trial.run, o)).map(|(own, partner)| own / partner),
                None => own,
            };
            if let Some(time) = time {
                case.took(trial, time);
            }
        }
    }
    for case in cases.values_mut() {
        case.runs.sort_by_key(|run| run.started_at);
        if case.outcome != Outcome::Completed {
            case.runs.clear();
        }
    }
    cases
}

impl CaseTrials {
    const fn empty() -> Self {
        Self { outcome: Outcome::Completed, reason: None, runs: Vec::new(), contaminated: false }
    }

    /// All times of the main arm.
    pub(crate) fn times(&self) -> Vec<f64> {
        self.runs.iter().flat_map(|run| &run.main).copied().collect()
    }

    fn took(&mut self, trial: &Trial<'_>, time: f64) {
        let (o, started_at) = (trial.observation, trial.run.context.started_at);
        let at = self.runs.iter().position(|run| run.started_at == started_at).unwrap_or_else(|| {
            self.runs.push(RunTimes { started_at, main: Vec::new(), twin: Vec::new() });
            self.runs.len() - 1
        });
        let Some(run) = self.runs.get_mut(at) else { return };
        match o.arm {
            Arm::Main => {
                run.main.push(time);
                self.contaminated |= o.contaminated;
            }
            // A disturbed twin says nothing about the noise, and nothing about the case either.
            Arm::Twin if o.contaminated => {}
            Arm::Twin => run.twin.push(time),
        }
    }

    /// The worst outcome stays, with the first reason for it. Outcomes are ordered from bad to worse, but for the
    /// completed, which come first.
    fn ended(&mut self, outcome: Outcome, reason: Option<&str>) {
        if self.outcome == Outcome::Completed || outcome < self.outcome {
            self.outcome = outcome;
            self.reason = reason.map(str::to_owned);
        }
    }
}

/// Where a time of the reference engine stands: run, family, workload, scale, planned trial.
type Place<'a> = (&'a Path, Family, &'a str, u32, u32);
/// How the engine ran: cluster, nodes, slots, variant.
type Configuration<'a> = (&'a str, u32, u32, &'a str);

/// The reference engine's times.
struct Partners<'a>(BTreeMap<Place<'a>, BTreeMap<Configuration<'a>, f64>>);

/// Relative times are kept as if the reference took a second.
const SECOND: f64 = 1e9;

impl<'a> Partners<'a> {
    fn new(field: &Field<'a>, engine: &str) -> Self {
        let mut times: BTreeMap<Place<'a>, BTreeMap<Configuration<'a>, f64>> = BTreeMap::new();
        let of_engine = field.trials.iter().filter(|t| t.observation.case.engine == engine && !t.excluded);
        for trial in of_engine.filter(|t| t.observation.arm == Arm::Main) {
            let o = trial.observation;
            let Some(ns) = o.wall_ns.filter(|_| o.outcome == Outcome::Completed) else { continue };
            let own = times.entry(place(trial.run, o, planned(o))).or_default();
            own.insert(configuration(&o.case), (ns as f64).max(1.0) / SECOND);
        }
        Self(times)
    }

    /// The reference's time of the same planned trial, run in the same way; in its only way if there is just one. A twin meets the
    /// next trial's, so that it does not share the reference's noise with the trial it is the twin of.
    fn of(&self, run: &'a Run, o: &'a Observation) -> Option<f64> {
        let trial = planned(o);
        let next = || self.0.get(&place(run, o, trial + 1)).or_else(|| self.0.get(&place(run, o, 0)));
        let times = match o.arm {
            Arm::Main => self.0.get(&place(run, o, trial)),
            Arm::Twin => next(),
        }?;
        let only = || times.values().next().filter(|_| times.len() == 1);
        times.get(&configuration(&o.case)).or_else(only).copied()
    }
}

fn place<'a>(run: &'a Run, o: &'a Observation, trial: u32) -> Place<'a> {
    (&run.path, o.case.family, &o.case.workload, o.case.scale, trial)
}

fn configuration(case: &Case) -> Configuration<'_> {
    (&case.cluster, case.nodes, case.slots, &case.variant)
}

/// The number of the planned trial: that of its first attempt.
fn planned(o: &Observation) -> u32 {
    o.repeat.unwrap_or(o.trial)
}
