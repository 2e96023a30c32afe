//! A contestant over a whole family: completed k of n, a total with penalties, and ratios over common cases.

use super::field::Field;
use super::measured::Measured;
use super::workloads::{ByWorkload, Floors};
use crate::comparison::{Ratio, Total, TotalRatio};
use crate::stats::{Bootstrap, Sample, judge};
use bench_record::Outcome;

/// The least that a case which did not complete is taken to have needed, before doubling.
const PENALTY_FLOOR_NS: f64 = 300e9;

pub(super) fn totals(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    baseline: Option<usize>,
) -> Vec<Total> {
    (0..field.contestants.len()).map(|who| total(field, cases, floors, who, baseline)).collect()
}

fn of<'m, 'a>(cases: &[(usize, &'m Measured<'a>)], who: usize) -> Option<&'m Measured<'a>> {
    cases.iter().find(|(c, _)| *c == who).map(|(_, m)| *m)
}

fn total(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    who: usize,
    baseline: Option<usize>,
) -> Total {
    let (mut sum, mut penalties, mut completed, mut not_run) = (0.0, 0, 0, 0);
    for cases in cases.values() {
        match of(cases, who) {
            None => not_run += 1,
            Some(Measured { outcome: Outcome::Completed, sample: Some(sample), .. }) => {
                completed += 1;
                sum += sample.median;
            }
            Some(_) => {
                penalties += 1;
                sum += penalty(cases);
            }
        }
    }
    let pairs = baseline.filter(|b| *b != who).map(|b| common(cases, who, b)).unwrap_or_default();
    Total {
        contestant: field.label(who).to_owned(),
        completed,
        cases: cases.len(),
        not_run,
        wall_ns_penalized: (not_run == 0).then_some(sum),
        penalties,
        against_baseline: total_ratio(&pairs, floors.table.p95),
    }
}

/// Twice the larger of 300 s and the slowest median anybody needed: failing must never pay.
fn penalty(cases: &[(usize, &Measured<'_>)]) -> f64 {
    let medians = cases.iter().filter_map(|(_, m)| m.sample.as_ref()).map(|s| s.median);
    2.0 * medians.fold(PENALTY_FLOOR_NS, f64::max)
}

/// Samples of the workloads that both completed.
fn common<'m>(cases: &ByWorkload<'m, '_>, a: usize, b: usize) -> Vec<(&'m Sample, &'m Sample)> {
    let sample = |cases: &[(usize, &'m Measured<'_>)], who| of(cases, who).and_then(|m| m.sample.as_ref());
    cases.values().filter_map(|c| sample(c, a).zip(sample(c, b))).collect()
}

/// Ratios of totals over common cases; none of none.
pub(super) fn total_ratio(pairs: &[(&Sample, &Sample)], floor: Option<f64>) -> Option<TotalRatio> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let sum = |of: fn(&(&Sample, &Sample)) -> f64| pairs.iter().map(of).sum::<f64>();
    let total = sum(|(a, _)| a.median) / sum(|(_, b)| b.median);
    let logs = sum(|(a, b)| (a.median / b.median).ln()) / n;
    let resampled: Option<Vec<(&Bootstrap, &Bootstrap)>> =
        pairs.iter().map(|(a, b)| a.bootstrap.as_ref().zip(b.bootstrap.as_ref())).collect();
    let totals = resampled.as_ref().and_then(|pairs| {
        let a = Bootstrap::sum(pairs.iter().map(|p| p.0))?;
        Some(a.ratio(&Bootstrap::sum(pairs.iter().map(|p| p.1))?))
    });
    let means = resampled.as_ref().and_then(|pairs| {
        let logs: Vec<Bootstrap> = pairs.iter().map(|(a, b)| a.combine(b, |a, b| (a / b).ln())).collect();
        Some(Bootstrap::sum(logs.iter())?.map(|sum| (sum / n).exp()))
    });
    let ratio = |value: f64, resampled: Option<Bootstrap>| {
        let interval = resampled.map(|r| r.interval());
        Ratio { value, interval, verdict: judge(value, interval, [floor]), mann_whitney: None }
    };
    Some(TotalRatio { common: pairs.len(), total: ratio(total, totals), geometric_mean: ratio(logs.exp(), means) })
}
