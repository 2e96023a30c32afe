//! The words and marks that all sheets share.

use super::layout::{Column, Kind};
use super::scale::ratio;
use crate::comparison::{Contestant, Ratio, Verdict};
use crate::stats::Interval;

/// A column of that title.
pub(super) fn column(title: impl Into<String>, kind: Kind) -> Column {
    Column { title: title.into(), kind }
}

/// An interval from end to end.
pub(super) fn range(interval: Interval, show: impl Fn(f64) -> String) -> String {
    format!("{}–{}", show(interval.low), show(interval.high))
}

/// A ratio with its interval, or the word that takes its place.
pub(super) fn ratio_text(r: &Ratio) -> String {
    match (r.verdict, r.interval) {
        (Verdict::Indistinguishable, Some(i)) => format!("indistinguishable {}", range(i, ratio)),
        (Verdict::Contaminated, Some(i)) => format!("{}x {}, contaminated", ratio(r.value), range(i, ratio)),
        (Verdict::Contaminated, None) => format!("{}x, contaminated", ratio(r.value)),
        (Verdict::Unresolved, Some(i)) => format!("{}x {}, too few trials", ratio(r.value), range(i, ratio)),
        (_, Some(i)) => format!("{}x {}", ratio(r.value), range(i, ratio)),
        (_, None) => format!("{}x, n < 2", ratio(r.value)),
    }
}

/// A value, or the mark of one that is not there.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// Who had more slots than cores, as `4 nodes on 2 cores of one machine: actor/4, stagedag/4`; studied variants apart.
pub(crate) fn crowds(all: &[Contestant]) -> Vec<String> {
    let mut crowds: Vec<(String, Vec<&str>)> = Vec::new();
    for c in all.iter().filter(|c| c.is_crowded() && c.ablates.is_none()) {
        let what = if c.nodes == 1 { format!("{} slots", c.slots) } else { format!("{} nodes", c.nodes) };
        let crowd = format!("{what} on {} of one machine", cores(c.cores));
        match crowds.iter_mut().find(|(known, _)| *known == crowd) {
            Some((_, labels)) => labels.push(&c.label),
            None => crowds.push((crowd, vec![&c.label])),
        }
    }
    crowds.into_iter().map(|(crowd, labels)| format!("{crowd}: {}", labels.join(", "))).collect()
}

/// A number of cores, with a quota's part of one.
pub(super) fn cores(cores: f64) -> String {
    match (cores.fract() == 0.0, cores == 1.0) {
        (_, true) => "1 core".to_owned(),
        (true, _) => format!("{cores:.0} cores"),
        (false, _) => format!("{cores:.2} cores"),
    }
}
