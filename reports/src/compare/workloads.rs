//! One workload, contestants side by side: cells, ratios, and whether anybody won.

use super::field::Field;
use super::measured::{CaseAt, Measured};
use crate::comparison::{Cell, Contestant, NoiseFloor, Ratio, Verdict, WorkloadReport};
use crate::stats::{Evidence, Sample, judge, mann_whitney, median, quantile, sorted};
use bench_record::{Family, Observation, Outcome};
use std::collections::BTreeMap;

/// The cases of one family by workload, each with its contestant.
pub(super) type ByWorkload<'m, 'a> = BTreeMap<&'a str, Vec<(usize, &'m Measured<'a>)>>;

/// What differences mean nothing, per workload and for the whole table.
pub(super) struct Floors<'a> {
    by_workload: BTreeMap<(Family, &'a str), f64>,
    pub(super) table: NoiseFloor,
}

impl<'a> Floors<'a> {
    pub(super) fn new(measured: &BTreeMap<CaseAt<'a>, Measured<'a>>) -> Self {
        let mut by_workload: BTreeMap<(Family, &'a str), f64> = BTreeMap::new();
        let noise = measured.iter().filter_map(|(at, m)| m.noise.map(|n| (at, n)));
        let mut all = Vec::new();
        for (at, noise) in noise {
            let floor = by_workload.entry((at.family, at.workload)).or_default();
            *floor = floor.max(noise);
            all.push(noise);
        }
        let all = sorted(all);
        let table = NoiseFloor { cases: all.len(), median: median(&all), p95: quantile(&all, 0.95) };
        Self { by_workload, table }
    }

    /// A workload's own floor.
    fn own(&self, family: Family, workload: &str) -> Option<f64> {
        self.by_workload.get(&(family, workload)).copied()
    }

    /// The floor of a total over these workloads: the table's, or that of the only one.
    pub(super) fn over(&self, cases: &ByWorkload<'_, '_>) -> Option<f64> {
        let mut names = cases.keys();
        let only = names.next().filter(|_| names.next().is_none());
        let own = self.by_workload.iter().filter(|((_, name), _)| only == Some(name)).map(|(_, floor)| *floor);
        own.chain(self.table.p95).reduce(f64::max)
    }

    /// The larger of a workload's own floor and the table's: one lucky draw of a single A/A arm does not make a machine
    /// that steady.
    pub(super) fn of(&self, family: Family, workload: &str) -> Option<f64> {
        [self.own(family, workload), self.table.p95].into_iter().flatten().reduce(f64::max)
    }
}

/// One time over another's.
pub(super) fn ratio(a: &Sample, b: &Sample, floor: Option<f64>) -> Ratio {
    let value = a.median / b.median;
    let interval = a.bootstrap.as_ref().zip(b.bootstrap.as_ref()).map(|(a, b)| a.ratio(b).interval());
    let test = mann_whitney(&a.ascending, &b.ascending);
    let evidence = Evidence::of_ranks(test, a.ascending.len(), b.ascending.len());
    let verdict = if a.contaminated || b.contaminated {
        Verdict::Contaminated
    } else {
        judge(value, interval, evidence, [floor, a.cv, b.cv])
    };
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
        let floor = floors.of(family, workload);
        let sample_of = |who: usize| cases.iter().find(|(c, _)| *c == who).and_then(|(_, m)| m.sample.as_ref());
        let timed = || compared(field, cases).filter_map(|(c, m)| m.sample.as_ref().map(|s| (*c, s)));
        let best = timed().min_by(|a, b| a.1.median.total_cmp(&b.1.median));
        let base = baseline.and_then(|b| sample_of(b).map(|s| (b, s)));
        let against = |who: usize, reference: Option<(usize, &Sample)>| {
            let (_, reference) = reference.filter(|(r, _)| *r != who)?;
            sample_of(who).map(|s| ratio(s, reference, floor))
        };
        let cells: Vec<Cell> = cases
            .iter()
            .map(|(who, m)| Cell {
                against_best: against(*who, best),
                against_baseline: against(*who, base),
                ..cell(field.label(*who), m)
            })
            .collect();
        let rivals = cells.iter().zip(cases).filter(|(_, (who, _))| is_compared(field, *who)).map(|(cell, _)| cell);
        let beaten = rivals.filter_map(|c| c.against_best).filter(|r| r.verdict.is_shown()).count();
        let won = best.filter(|_| beaten > 0 && beaten + 1 == timed().count());
        WorkloadReport {
            workload: (*workload).to_owned(),
            noise_floor: floors.own(family, workload),
            winner: won.map(|(who, _)| field.label(who).to_owned()),
            cells,
        }
    };
    cases.iter().map(one).collect()
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
        read_bytes_median: middle(|o| o.read_bytes),
        write_bytes_median: middle(|o| o.write_bytes),
        spilled_bytes_median: middle(|o| o.spilled_bytes),
        against_best: None,
        against_baseline: None,
    }
}
