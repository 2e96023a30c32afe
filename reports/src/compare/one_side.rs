//! The cases of one side of a comparison of builds: the same trials that a report counts, by case.

use super::field::Field;
use super::group;
use bench_record::{Arm, Case, Outcome, Run};
use std::collections::BTreeMap;

/// The trials of one case that count.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseTrials {
    /// The worst outcome of any arm.
    pub(crate) outcome: Outcome,
    /// Its reason.
    pub(crate) reason: Option<String>,
    /// Nanoseconds of the main arm, in the order recorded; none unless all completed.
    pub(crate) times: Vec<f64>,
    /// The same of the A/A twin.
    pub(crate) twin: Vec<f64>,
    /// Whether a disturbed time is among them.
    pub(crate) contaminated: bool,
}

/// Every case of runs of one build on one machine. `reference` is the engine by whose time of the same workload and trial
/// each time is divided; its own cases are then left out, and trials without a partner too.
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
                Some(partners) => own.zip(partners.of(trial.run, &o.case, o.trial)).map(|(own, partner)| own / partner),
                None => own,
            };
            let Some(time) = time else { continue };
            case.contaminated |= o.contaminated;
            match o.arm {
                Arm::Main => case.times.push(time),
                Arm::Twin => case.twin.push(time),
            }
        }
    }
    cases.values_mut().filter(|c| c.outcome != Outcome::Completed).for_each(|c| c.times.clear());
    cases
}

impl CaseTrials {
    const fn empty() -> Self {
        Self { outcome: Outcome::Completed, reason: None, times: Vec::new(), twin: Vec::new(), contaminated: false }
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

type Place<'a> = (&'a std::path::Path, bench_record::Family, &'a str, u32);

/// The reference engine's times.
struct Partners<'a>(BTreeMap<Place<'a>, f64>);

/// Relative times are kept as if the reference took a second.
const SECOND: f64 = 1e9;

impl<'a> Partners<'a> {
    fn new(field: &Field<'a>, engine: &str) -> Self {
        let of_engine = field.trials.iter().filter(|t| t.observation.case.engine == engine && !t.excluded);
        let main = of_engine.filter(|t| t.observation.arm == Arm::Main);
        let time = |t: &super::field::Trial<'a>| {
            let (run, o) = (t.run, t.observation);
            let ns = o.wall_ns.filter(|_| o.outcome == Outcome::Completed)?;
            Some(((&*run.path, o.case.family, o.case.workload.as_str(), o.trial), (ns as f64).max(1.0) / SECOND))
        };
        Self(main.filter_map(time).collect())
    }

    fn of(&self, run: &Run, case: &Case, trial: u32) -> Option<f64> {
        self.0.get(&(&*run.path, case.family, &*case.workload, trial)).copied()
    }
}
