//! Cases played again without one kind of blocking, summed up per contestant.

use super::field::Field;
use super::group::Group;
use crate::comparison::{BlockingCase, BlockingReport};
use bench_record::{Blocking, CaseBlocking, CaseKey, Family};
use std::collections::BTreeMap;

pub(super) fn reports(field: &Field<'_>, group: &Group<'_>, family: Family) -> Vec<BlockingReport> {
    let mut of: BTreeMap<usize, Vec<&CaseBlocking>> = BTreeMap::new();
    if group.runs.iter().all(|run| run.blocking.is_empty()) {
        return Vec::new();
    }
    // The first trial of each case in each run.
    let mut whose: BTreeMap<(usize, &CaseKey), usize> = BTreeMap::new();
    for trial in &field.trials {
        let run = group.runs.iter().position(|run| std::ptr::eq(trial.run, *run)).unwrap_or_default();
        whose.entry((run, &trial.observation.key)).or_insert(trial.contestant);
    }
    for (at, run) in group.runs.iter().enumerate() {
        for case in run.blocking.iter().filter(|b| b.case.family == family) {
            if let Some(contestant) = whose.get(&(at, &case.key)) {
                of.entry(*contestant).or_default().push(case);
            }
        }
    }
    let whole = of.into_iter().filter(|(who, _)| !field.is_hurt(*who));
    whole.map(|(who, cases)| report(field.label(who), &cases)).collect()
}

fn report(contestant: &str, cases: &[&CaseBlocking]) -> BlockingReport {
    let faithful: Vec<&CaseBlocking> = cases.iter().copied().filter(|c| c.is_faithful()).collect();
    let replayed = |c: &CaseBlocking| c.replayed_ns.map_or(0, |ns| ns.get());
    let sum = |of: &dyn Fn(&CaseBlocking) -> u64| faithful.iter().fold(0u64, |sum, c| sum.saturating_add(of(c)));
    let replayed_ns = sum(&replayed);
    let saved = |kind: &Blocking| {
        let spent = faithful.iter().any(|c| c.without_ns.contains_key(kind));
        let without = |c: &CaseBlocking| c.without_ns.get(kind).map_or_else(|| replayed(c), |ns| ns.get());
        let left = sum(&without);
        (spent && replayed_ns > 0).then(|| (*kind, 1.0 - left as f64 / replayed_ns as f64))
    };
    BlockingReport {
        contestant: contestant.to_owned(),
        measured_ns: sum(&|c| c.measured_ns.get()),
        replayed_ns,
        saved_share: Blocking::ALL.iter().filter_map(saved).collect(),
        error_max: faithful.iter().filter_map(|c| c.error()).map(f64::abs).reduce(f64::max),
        cases: cases.iter().map(|c| entry(c)).collect(),
    }
}

fn entry(case: &CaseBlocking) -> BlockingCase {
    BlockingCase {
        workload: case.case.workload.clone(),
        measured_ns: case.measured_ns.get(),
        replayed_ns: case.replayed_ns.map(|ns| ns.get()),
        error: case.error(),
        reason: case.reason.clone(),
        without_ns: case.without_ns.iter().map(|(kind, ns)| (*kind, ns.get())).collect(),
    }
}
