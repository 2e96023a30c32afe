//! Who is best over a family, how far the others are behind, and whether that makes a winner.

use super::field::Field;
use super::totals::{common, total_ratio};
use super::workloads::{ByWorkload, Floors};
use crate::comparison::{Total, TotalRatio, Verdict};
use std::cmp::Reverse;

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
    mut totals: Vec<Total>,
) -> Standing {
    let index = |label: &str| field.compared().find(|(_, c)| c.label == label).map(|(i, _)| i);
    let best = totals.iter().filter(|t| t.completed > 0 && index(&t.contestant).is_some()).min_by(|a, b| {
        let time = |t: &Total| t.wall_ns_penalized.unwrap_or(f64::INFINITY);
        Reverse(a.completed).cmp(&Reverse(b.completed)).then(time(a).total_cmp(&time(b)))
    });
    let Some(best) = best.map(|t| t.contestant.clone()) else {
        return Standing { totals, best: None, winner: None };
    };
    let reference = index(&best);
    for total in totals.iter_mut().filter(|t| t.contestant != best) {
        let whole = field.whole().find(|i| field.label(*i) == total.contestant);
        let pairs = whole.zip(reference).map(|(who, best)| common(cases, who, best)).unwrap_or_default();
        total.against_best = total_ratio(&pairs, floors.over(cases));
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
