//! One workload, contestants side by side: cells, ratios, and whether anybody won.

use super::field::Field;
use super::floors::{Floors, Ground};
use super::measured::{Measured, Timed};
use super::meeting::Meeting;
use crate::comparison::{Cell, Contestant, Ratio, WorkloadReport};
use crate::stats::{Evidence, P_MAX, Sample, false_discovery, mann_whitney, median, sorted};
use bench_record::{Family, Observation, Outcome};
use std::collections::BTreeMap;

/// The cases of one family by workload, each with its contestant.
pub(super) type ByWorkload<'m, 'a> = BTreeMap<&'a str, Vec<(usize, &'m Measured<'a>)>>;

/// One time over another's.
pub(super) fn ratio(one: Timed<'_, '_>, other: Timed<'_, '_>, ground: Ground) -> Ratio {
    let (a, b) = (one.sample, other.sample);
    let value = a.median / b.median;
    let interval = a.bootstrap.as_ref().zip(b.bootstrap.as_ref()).map(|(a, b)| a.ratio(b).interval());
    let test = mann_whitney(&a.ascending, &b.ascending);
    let evidence = Evidence::of_ranks(test, a.ascending.len(), b.ascending.len());
    let ground = ground.of(&Meeting::of(&[(one.by_run, other.by_run)], |o| o.wall_ns));
    let verdict = ground.verdict(value, interval, evidence, a.contaminated || b.contaminated, [a.cv, b.cv]);
    Ratio { value, interval, verdict, mann_whitney: test, stratified_p: None }
}

pub(super) fn reports(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
    baseline: Option<usize>,
) -> Vec<WorkloadReport> {
    let one = |(workload, cases): (&&str, &Vec<(usize, &Measured<'_>)>)| {
        let ground = floors.of(family, workload);
        let timed_of = |who: usize| cases.iter().find(|(c, _)| *c == who).and_then(|(_, m)| m.timed());
        let timed = || compared(field, cases).filter_map(|(c, m)| m.timed().map(|t| (*c, t)));
        let best = timed().min_by(|a, b| a.1.sample.median.total_cmp(&b.1.sample.median));
        let base = baseline.and_then(|b| timed_of(b).map(|t| (b, t)));
        let against = |who: usize, reference: Option<(usize, Timed<'_, '_>)>| {
            let (_, reference) = reference.filter(|(r, _)| *r != who)?;
            timed_of(who).map(|t| ratio(t, reference, ground))
        };
        // Where the best is the baseline, one ratio is both.
        let is_one = best.map(|(who, _)| who) == base.map(|(who, _)| who);
        let one_cell = |(who, m): &(usize, &Measured<'_>)| {
            let against_best = against(*who, best);
            let against_baseline = if is_one { against_best } else { against(*who, base) };
            Cell { against_best, against_baseline, ..cell(field.label(*who), m) }
        };
        let cells: Vec<Cell> = cases.iter().map(one_cell).collect();
        let rivals = cells.iter().zip(cases).filter(|(_, (who, _))| is_compared(field, *who)).map(|(cell, _)| cell);
        let behind: Vec<Ratio> = rivals.filter_map(|c| c.against_best).collect();
        let beaten = behind.iter().filter(|r| r.verdict.is_shown()).count();
        let won = best.filter(|_| beaten > 0 && beaten + 1 == timed().count());
        let report = WorkloadReport {
            workload: (*workload).to_owned(),
            noise_floor: floors.own(family, workload),
            winner: None,
            winner_alone: won.map(|(who, _)| field.label(who).to_owned()),
            cells,
        };
        // Who beats all others has passed each test, the weakest of them too. A contest that nobody won counts as one, and nothing more.
        let weakest = behind.iter().map(|r| r.mann_whitney.map_or(1.0, |test| test.p_two_sided)).reduce(f64::max);
        let p = weakest.map(|p| if won.is_some() { p } else { 1.0 });
        (report, p)
    };
    winners(cases.iter().map(one).collect())
}

/// The winners of workloads with all workloads of the family taken together: among many, somebody beats every other one somewhere by
/// chance alone. Winners are counted and read together, so it is their share by chance that is kept small.
fn winners(tested: Vec<(WorkloadReport, Option<f64>)>) -> Vec<WorkloadReport> {
    let mut adjusted = false_discovery(&tested.iter().filter_map(|(_, p)| *p).collect::<Vec<_>>()).into_iter();
    let marked = |(report, p): (WorkloadReport, Option<f64>)| {
        let is_shown = p.and_then(|_| adjusted.next()).is_some_and(|p| p <= P_MAX);
        WorkloadReport { winner: report.winner_alone.clone().filter(|_| is_shown), ..report }
    };
    tested.into_iter().map(marked).collect()
}

fn is_compared(field: &Field<'_>, who: usize) -> bool {
    field.contestants.get(who).is_some_and(Contestant::is_compared)
}

/// The cases of those who can win.
fn compared<'c, 'm, 'a>(
    field: &Field<'_>,
    cases: &'c [(usize, &'m Measured<'a>)],
) -> impl Iterator<Item = &'c (usize, &'m Measured<'a>)> {
    cases.iter().filter(|(who, _)| is_compared(field, *who))
}

/// What was held at most in any of these trials, if all of them tell.
fn bound(trials: &[&Observation]) -> Option<u64> {
    trials.iter().try_fold(None, |most, o| Some(most.max(Some(o.rss_bytes_bound?))))?
}

/// A cell without its ratios.
fn cell(label: &str, m: &Measured<'_>) -> Cell {
    let completed = m.outcome == Outcome::Completed;
    let middle = |of: fn(&Observation) -> Option<u64>| {
        let values = m.trials.iter().filter_map(|o| of(o)).map(|v| v as f64);
        if completed { median(&sorted(values)) } else { None }
    };
    Cell {
        contestant: label.to_owned(),
        outcome: m.outcome,
        reason: m.reason.clone(),
        trials: m.trials.len(),
        completed: m.trials.iter().filter(|o| o.outcome == Outcome::Completed).count(),
        contaminated: m.trials.iter().filter(|o| o.contaminated).count(),
        excluded: m.excluded,
        wall_ns_median: m.sample.as_ref().map(|s| s.median),
        wall_ns_interval: m.sample.as_ref().and_then(Sample::interval),
        wall_cv: m.sample.as_ref().and_then(|s| s.cv),
        cpu_ns_median: middle(|o| o.cpu_ns),
        rss_bytes_peak: if completed { m.trials.iter().filter_map(|o| o.rss_bytes_peak).max() } else { None },
        rss_bytes_bound: if completed { bound(&m.trials) } else { None },
        read_bytes_median: middle(|o| o.read_bytes),
        write_bytes_median: middle(|o| o.write_bytes),
        spilled_bytes_median: middle(|o| o.spilled_bytes),
        against_best: None,
        against_baseline: None,
    }
}
