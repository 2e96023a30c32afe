//! Who is best over a family, how far the others are behind, and whether that makes a winner.

use super::field::Field;
use super::floors::Floors;
use super::measured::Measured;
use super::totals::{common, total_ratio};
use super::workloads::ByWorkload;
use crate::comparison::{Total, TotalRatio, Verdict};
use std::collections::BTreeSet;

/// Cases by workload, in which somebody's total over some of them is looked up.
fn total(cases: &ByWorkload<'_, '_>, who: usize, over: &BTreeSet<&str>) -> f64 {
    let of = |w: &&str| cases.get(*w)?.iter().find(|(c, _)| *c == who)?.1.sample.as_ref().map(|s| s.median);
    over.iter().filter_map(of).sum()
}

/// The workloads that all of them completed.
fn shared<'a>(cases: &ByWorkload<'_, 'a>, all: &[usize]) -> BTreeSet<&'a str> {
    let done =
        |of_case: &[(usize, &Measured<'_>)], who: &usize| of_case.iter().any(|(c, m)| c == who && m.sample.is_some());
    cases.iter().filter(|(_, of_case)| all.iter().all(|who| done(of_case, who))).map(|(name, _)| *name).collect()
}

/// Of those that completed the most, the one with the least total; if none of them was asked for everything, the least over
/// what all of them completed.
fn best(
    totals: &[Total],
    cases: &ByWorkload<'_, '_>,
    index: impl Fn(&str) -> Option<usize>,
) -> Option<(usize, String)> {
    let compared = totals.iter().filter(|t| t.completed > 0).filter_map(|t| Some((index(&t.contestant)?, t)));
    let most = compared.clone().map(|(_, t)| t.completed).max()?;
    let foremost: Vec<(usize, &Total)> = compared.filter(|(_, t)| t.completed == most).collect();
    let whole = |(_, t): &&(usize, &Total)| t.wall_ns_penalized.is_some();
    let asked_all: Vec<(usize, &Total)> = foremost.iter().filter(whole).copied().collect();
    let found = if asked_all.is_empty() {
        let over = shared(cases, &foremost.iter().map(|(who, _)| *who).collect::<Vec<_>>());
        let time = |who: usize| total(cases, who, &over);
        foremost.into_iter().min_by(|(a, _), (b, _)| time(*a).total_cmp(&time(*b)))
    } else {
        let time = |t: &Total| t.wall_ns_penalized.unwrap_or(f64::INFINITY);
        asked_all.into_iter().min_by(|(_, a), (_, b)| time(a).total_cmp(&time(b)))
    };
    found.map(|(who, t)| (who, t.contestant.clone()))
}

/// The totals with their distances to the best.
pub(super) struct Standing {
    pub(super) totals: Vec<Total>,
    pub(super) best: Option<String>,
    pub(super) winner: Option<String>,
}

pub(super) fn standing(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    baseline: Option<usize>,
    mut totals: Vec<Total>,
) -> Standing {
    let index = |label: &str| field.compared().find(|(_, c)| c.label == label).map(|(i, _)| i);
    let Some((reference, best)) = best(&totals, cases, index) else {
        return Standing { totals, best: None, winner: None };
    };
    for total in totals.iter_mut().filter(|t| t.contestant != best) {
        // Where the best is the baseline, one ratio is both.
        total.against_best = if baseline == Some(reference) {
            total.against_baseline.clone()
        } else {
            let whole = field.whole().find(|i| field.label(*i) == total.contestant);
            let pairs = whole.map(|who| common(cases, who, reference)).unwrap_or_default();
            total_ratio(&pairs, floors.over(cases))
        };
    }
    let rivals = || totals.iter().filter(|t| t.contestant != best && t.completed > 0 && index(&t.contestant).is_some());
    let asked_all = totals.iter().any(|t| t.contestant == best && t.not_run == 0);
    let won =
        asked_all && rivals().next().is_some() && rivals().all(|t| t.against_best.as_ref().is_some_and(is_behind));
    Standing { winner: won.then(|| best.clone()), best: Some(best), totals }
}

/// Slower by its total, and no verdict on the geometric mean says the opposite.
fn is_behind(ratio: &TotalRatio) -> bool {
    ratio.total.verdict == Verdict::Slower && ratio.geometric_mean.verdict != Verdict::Faster
}
