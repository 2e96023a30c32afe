//! The words and marks that all sheets share.

use super::layout::{Column, Kind};
use super::scale::ratio;
use crate::comparison::{Ratio, Verdict};
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
        (Verdict::Unresolved, Some(i)) => format!("{}x {}, too few trials", ratio(r.value), range(i, ratio)),
        (_, Some(i)) => format!("{}x {}", ratio(r.value), range(i, ratio)),
        (_, None) => format!("{}x, n < 2", ratio(r.value)),
    }
}

/// A value, or the mark of one that is not there.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}
