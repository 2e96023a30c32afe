//! A contestant over a whole family: completed k of n, a total with penalties, and ratios over common cases.

use super::field::Field;
use super::floors::{Floors, Ground};
use super::measured::{Measured, Timed};
use super::meeting::Meeting;
use super::workloads::ByWorkload;
use crate::comparison::{Ratio, Total, TotalRatio};
use crate::stats::{Bootstrap, Evidence, Sample, Stratum, least_p, lone_variation, median, sorted, stratified};
use bench_record::Outcome;

/// The least that a case which did not complete is taken to have needed, before doubling.
const PENALTY_FLOOR_NS: f64 = 300e9;

/// `limit_ns` is the longest that a trial of these runs could take.
pub(super) fn totals(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    baseline: Option<usize>,
    limit_ns: Option<u64>,
) -> Vec<Total> {
    let least = PENALTY_FLOOR_NS.max(limit_ns.unwrap_or_default() as f64);
    field.whole().map(|who| total(field, cases, floors, (who, baseline), least)).collect()
}

fn of<'m, 'a>(cases: &[(usize, &'m Measured<'a>)], who: usize) -> Option<&'m Measured<'a>> {
    cases.iter().find(|(c, _)| *c == who).map(|(_, m)| *m)
}

fn total(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    (who, baseline): (usize, Option<usize>),
    least_penalty: f64,
) -> Total {
    let (mut sum, mut penalties, mut completed, mut not_run, mut unsupported) = (0.0, 0, 0, 0, 0);
    for cases in cases.values() {
        match of(cases, who) {
            None => not_run += 1,
            Some(Measured { outcome: Outcome::Completed, sample: Some(sample), .. }) => {
                completed += 1;
                sum += sample.median;
            }
            Some(other) => {
                penalties += 1;
                sum += penalty(cases, least_penalty);
                unsupported += usize::from(other.outcome == Outcome::Unsupported);
            }
        }
    }
    let pairs = baseline.filter(|b| *b != who).map(|b| common(cases, who, b)).unwrap_or_default();
    let mut total = Total {
        contestant: field.label(who).to_owned(),
        completed,
        cases: cases.len(),
        not_run,
        unsupported,
        wall_ns_penalized: (not_run == 0).then_some(sum),
        penalties,
        against_baseline: total_ratio(&pairs, floors.over(cases)),
        against_best: None,
    };
    // A sum of nothing but penalties would rank who does no such work among those who do.
    if total.is_not_applicable() {
        (total.wall_ns_penalized, total.penalties) = (None, 0);
    }
    total
}

/// Whether somebody completed every workload that any of those who are compared completed: one who failed where another
/// did not is no winner over the family, however fast on the rest.
pub(super) fn completed_what_rivals_did(field: &Field<'_>, cases: &ByWorkload<'_, '_>, who: &str) -> bool {
    let is_compared = |i: usize| field.contestants.get(i).is_some_and(crate::comparison::Contestant::is_compared);
    let done = |m: &Measured<'_>| m.outcome == Outcome::Completed && m.sample.is_some();
    cases.values().all(|of_workload| {
        let own = of_workload.iter().any(|(i, m)| field.label(*i) == who && done(m));
        own || !of_workload.iter().any(|(i, m)| is_compared(*i) && done(m))
    })
}

/// Twice the largest of 300 s, the time limit and the slowest median anybody needed: failing must never pay, and giving
/// up at the limit took that long.
fn penalty(cases: &[(usize, &Measured<'_>)], least: f64) -> f64 {
    let medians = cases.iter().filter_map(|(_, m)| m.sample.as_ref()).map(|s| s.median);
    2.0 * medians.fold(least, f64::max)
}

/// Times of the workloads that both completed.
pub(super) fn common<'m, 'a>(cases: &ByWorkload<'m, 'a>, a: usize, b: usize) -> Vec<(Timed<'m, 'a>, Timed<'m, 'a>)> {
    let timed = |cases: &[(usize, &'m Measured<'a>)], who| of(cases, who).and_then(Measured::timed);
    cases.values().filter_map(|c| timed(c, a).zip(timed(c, b))).collect()
}

/// Ratios of totals over common cases; none of none.
pub(super) fn total_ratio(pairs: &[(Timed<'_, '_>, Timed<'_, '_>)], ground: Ground) -> Option<TotalRatio> {
    let runs: Vec<_> = pairs.iter().map(|(a, b)| (a.by_run, b.by_run)).collect();
    let samples: Vec<Pair<'_>> = pairs.iter().map(|(a, b)| (a.sample, b.sample)).collect();
    ratio_of_samples(&samples, ground.of(&Meeting::of(&runs, |o| o.wall_ns)))
}

/// Two samples of one workload.
pub(super) type Pair<'a> = (&'a Sample, &'a Sample);

/// The same of samples of anything. Of one case alone, its variation is part of the noise, as it is in the ratio of that
/// case: a family of one workload has no winner that the workload has not.
pub(super) fn ratio_of_samples(pairs: &[Pair<'_>], ground: Ground) -> Option<TotalRatio> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let medians: Vec<(f64, f64)> = pairs.iter().map(|(a, b)| (a.median, b.median)).collect();
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
    let contaminated = pairs.iter().any(|(a, b)| a.contaminated || b.contaminated);
    let variation = [lone_variation(pairs.iter().map(|p| p.0)), lone_variation(pairs.iter().map(|p| p.1))];
    let ratio = |value: f64, resampled: Option<Bootstrap>, weight: fn(&[f64]) -> f64| {
        let interval = resampled.map(|r| r.interval());
        let evidence = evidence(pairs, value, weight);
        let verdict = ground.verdict(value, interval, evidence, contaminated, variation);
        Ratio { value, interval, verdict, mann_whitney: None, stratified_p: Some(evidence.p) }
    };
    // In a sum a workload counts as much as it takes, in a mean of ratios as much as any other.
    let total = ratio(of_totals(&medians), totals, |times| median(times).unwrap_or_default());
    Some(TotalRatio { common: pairs.len(), total, geometric_mean: ratio(geometric_mean(&medians), means, |_| 1.0) })
}

fn size(sample: &Sample) -> usize {
    sample.ascending.len()
}

fn of_totals(medians: &[(f64, f64)]) -> f64 {
    let sum = |of: fn(&(f64, f64)) -> f64| medians.iter().map(of).sum::<f64>();
    sum(|m| m.0) / sum(|m| m.1)
}

fn geometric_mean(medians: &[(f64, f64)]) -> f64 {
    (medians.iter().map(|(a, b)| (a / b).ln()).sum::<f64>() / medians.len() as f64).exp()
}

/// What a permutation test over all workloads says of a ratio. `weight` says what a workload with these times counts
/// for.
pub(super) fn evidence(pairs: &[Pair<'_>], ratio: f64, weight: fn(&[f64]) -> f64) -> Evidence {
    let strata = pairs.iter().map(|(a, b)| {
        let all = sorted(a.ascending.iter().chain(&b.ascending).copied());
        Stratum { weight: weight(&all), a: &a.ascending, b: &b.ascending }
    });
    let strata: Vec<Stratum<'_>> = strata.collect();
    let test = stratified(&strata);
    // Times that lean the other way than the medians bear nothing out.
    let p = test.filter(|t| (t.lean > 0.0) == (ratio > 1.0)).map_or(1.0, |t| t.p_two_sided);
    // Of all deals of every workload's times, complete separation and its mirror image lean farthest.
    let ways: f64 = pairs.iter().map(|(a, b)| least_p(size(a), size(b)) / 2.0).product();
    Evidence { p, least_p: (2.0 * ways).min(1.0) }
}
