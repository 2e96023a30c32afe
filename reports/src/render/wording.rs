//! The words and marks that all sheets share.

use super::layout::{Column, Kind};
use super::scale::ratio;
use crate::comparison::{Contestant, Ratio, Verdict};
use crate::stats::{INTERVAL_TRIALS, Interval};

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
    match (r.verdict, r.interval, r.verdict.remark()) {
        (Verdict::Indistinguishable, Some(i), _) => format!("indistinguishable {}", range(i, ratio)),
        (_, Some(i), Some(remark)) => format!("{}x {}, {remark}", ratio(r.value), range(i, ratio)),
        (_, Some(i), None) => format!("{}x {}", ratio(r.value), range(i, ratio)),
        (Verdict::Unresolved, None, _) | (_, None, None) => format!("{}x, n < 2", ratio(r.value)),
        (_, None, Some(remark)) => format!("{}x, {remark}", ratio(r.value)),
    }
}

/// What the interval of a ratio or total may be called, of so many trials at least: of few it is the range of what resampling
/// gives, and narrower than it says.
pub(super) fn interval_name(trials_min: Option<usize>) -> String {
    match trials_min {
        Some(n) if n < INTERVAL_TRIALS => format!("bootstrap range, n = {n}"),
        _ => "95 % interval".to_owned(),
    }
}

/// The same as the title of a column of several.
pub(super) fn interval_column(trials: impl Iterator<Item = usize>) -> &'static str {
    let (few, enough): (Vec<usize>, Vec<usize>) = trials.partition(|n| *n < INTERVAL_TRIALS);
    match (few.is_empty(), enough.is_empty()) {
        (true, _) => "95 % interval",
        (false, true) => "range, n<6",
        (false, false) => "95 %, n<6 range",
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
