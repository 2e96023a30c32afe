//! Engines under faults: which fired, what it took to recover, and what that cost.

use super::field::Field;
use super::floors::Floors;
use super::measured::{Measured, Timed, sample};
use super::totals::total_ratio;
use super::workloads::{ByWorkload, ratio};
use crate::comparison::{FaultCase, FaultEffect, FaultReport};
use crate::stats::{Sample, median, sorted};
use bench_record::{Family, FaultOutcome, Observation, Outcome};
use std::collections::BTreeSet;

/// What became of the faults of a trial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// All of them fired.
    Fired,
    /// Some did not, or a whole answer came without a word about them: the trial shows nothing about recovery.
    Void,
    /// It did not complete and does not say.
    Unrecorded,
}

fn fate(o: &Observation) -> Fate {
    match (o.faults.is_empty(), o.outcome) {
        (true, Outcome::Completed) => Fate::Void,
        (true, _) => Fate::Unrecorded,
        (false, _) if o.faults.iter().all(|f| f.fired_ns.is_some()) => Fate::Fired,
        (false, _) => Fate::Void,
    }
}

/// The trials of one workload under faults.
struct Hurt<'m, 'a> {
    measured: &'m Measured<'a>,
    workload: &'a str,
    outcome: Outcome,
    /// Those that count, with what became of their faults.
    trials: Vec<(Fate, &'a Observation)>,
    /// Times of the fired ones; none unless all of them completed, and all that may be, for the survivors' median would
    /// reward failing.
    sample: Option<Sample>,
}

impl<'m, 'a> Hurt<'m, 'a> {
    fn new(workload: &'a str, m: &'m Measured<'a>) -> Option<Self> {
        // What the engine refuses beforehand, such as to be hurt at all, is no trial of a fault.
        let asked = m.trials.iter().filter(|o| o.outcome != Outcome::Unsupported);
        let trials: Vec<(Fate, &Observation)> = asked.map(|o| (fate(o), *o)).collect();
        if trials.is_empty() {
            return None;
        }
        let mut hurt = Self { measured: m, workload, outcome: m.outcome, trials, sample: None };
        let all_completed = hurt.completed() == hurt.count(Fate::Fired) && hurt.count(Fate::Unrecorded) == 0;
        if m.outcome != Outcome::WrongAnswer && all_completed {
            hurt.sample = sample(&hurt.fired().collect::<Vec<_>>(), m.draw);
        }
        Some(hurt)
    }

    /// The times of the fired ones.
    fn timed(&self) -> Option<Timed<'_, 'a>> {
        self.sample.as_ref().map(|sample| Timed { sample, by_run: &self.measured.by_run })
    }

    fn fired(&self) -> impl Iterator<Item = &'a Observation> {
        self.trials.iter().filter(|(fate, _)| *fate == Fate::Fired).map(|(_, o)| *o)
    }

    fn count(&self, of: Fate) -> usize {
        self.trials.iter().filter(|(fate, _)| *fate == of).count()
    }

    fn completed(&self) -> usize {
        self.fired().filter(|o| o.outcome == Outcome::Completed).count()
    }
}

pub(super) fn reports(
    field: &Field<'_>,
    hurt: &ByWorkload<'_, '_>,
    whole: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> Vec<FaultReport> {
    let contestants = field.contestants.iter().enumerate();
    let reports = contestants.filter_map(|(who, contestant)| {
        let plan = contestant.faults.clone()?;
        let mut cases: Vec<Hurt<'_, '_>> = Vec::new();
        for (workload, of_case) in hurt {
            let of_this = of_case.iter().find(|(c, _)| *c == who);
            cases.extend(of_this.and_then(|(_, m)| Hurt::new(workload, m)));
        }
        (!cases.is_empty()).then(|| report(field, (who, plan), &cases, whole, floors, family))
    });
    reports.collect()
}

fn report(
    field: &Field<'_>,
    (who, plan): (usize, String),
    cases: &[Hurt<'_, '_>],
    whole: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> FaultReport {
    let counterpart = field.counterpart(who).filter(|c| whole.values().flatten().any(|(w, _)| w == c));
    let reference = |workload: &str| {
        let of_case = whole.get(workload)?.iter().find(|(c, _)| Some(*c) == counterpart);
        of_case.and_then(|(_, m)| m.timed())
    };
    let pairs: Vec<_> = cases.iter().filter_map(|c| c.timed().zip(reference(c.workload))).collect();
    let sum = |of: &dyn Fn(&Hurt<'_, '_>) -> usize| cases.iter().map(of).sum();
    FaultReport {
        contestant: field.label(who).to_owned(),
        plan,
        trials: sum(&|c| c.trials.len()),
        fired: sum(&|c| c.count(Fate::Fired)),
        void: sum(&|c| c.count(Fate::Void)),
        void_reasons: void_reasons(cases),
        unrecorded: sum(&|c| c.count(Fate::Unrecorded)),
        completed: sum(&|c| c.completed()),
        effects: effects(cases),
        whole: counterpart.map(|c| field.label(c).to_owned()),
        against_whole: total_ratio(&pairs, floors.whole()),
        cases: cases
            .iter()
            .map(|c| FaultCase {
                workload: c.workload.to_owned(),
                outcome: c.outcome,
                trials: c.trials.len(),
                fired: c.count(Fate::Fired),
                void: c.count(Fate::Void),
                completed: c.completed(),
                wall_ns_median: c.sample.as_ref().map(|s| s.median),
                against_whole: c
                    .timed()
                    .zip(reference(c.workload))
                    .map(|(hurt, whole)| ratio(hurt, whole, floors.of(family, c.workload))),
            })
            .collect(),
    }
}

/// Why faults did not fire, each reason once, in alphabetical order.
fn void_reasons(cases: &[Hurt<'_, '_>]) -> Vec<String> {
    let void = cases.iter().flat_map(|c| &c.trials).filter(|(fate, _)| *fate == Fate::Void);
    let reasons = void.flat_map(|(_, o)| {
        let unsaid = o.faults.is_empty().then(|| "the answer came without a word about the faults".to_owned());
        let late = o.faults.iter().filter(|f| f.fired_ns.is_none());
        unsaid.into_iter().chain(late.map(|f| f.void.clone().unwrap_or_else(|| format!("{} did not fire", f.fault))))
    });
    reasons.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The share of a trial's task time that went into repetitions; none where no task ran.
fn wasted_share(fault: &FaultOutcome) -> Option<f64> {
    let all = fault.tasks_ns?.get();
    (all > 0).then_some(fault.repeated_ns?.get() as f64 / all as f64)
}

/// One per planned fault, in the order planned.
fn effects(cases: &[Hurt<'_, '_>]) -> Vec<FaultEffect> {
    let fired = || cases.iter().flat_map(Hurt::fired);
    let planned = fired().map(|o| o.faults.len()).max().unwrap_or_default();
    let effect = |at: usize| {
        let outcomes = || fired().filter_map(move |o| o.faults.get(at));
        let detection =
            sorted(outcomes().filter_map(|f| Some(f.detected_ns?.get().saturating_sub(f.fired_ns?.get()) as f64)));
        let recovery =
            sorted(outcomes().filter_map(|f| Some(f.recovered_ns?.get().saturating_sub(f.fired_ns?.get()) as f64)));
        FaultEffect {
            fault: outcomes().next().map(|f| f.fault.clone()).unwrap_or_default(),
            detected: detection.len(),
            detection_ns_median: median(&detection),
            recovered: recovery.len(),
            recovery_ns_median: median(&recovery),
            tasks_repeated_median: median(&sorted(outcomes().map(|f| f.tasks_repeated as f64))),
            repeated_ns_median: median(&sorted(outcomes().filter_map(|f| Some(f.repeated_ns?.get() as f64)))),
            wasted_share_median: median(&sorted(outcomes().filter_map(wasted_share))),
        }
    };
    (0..planned).map(effect).collect()
}
