//! Jobs of another size than was measured: their time is taken as so many runs, or as a part of one. How far off that was between sizes
//! that were measured is its error, near these sizes; elsewhere nobody knows it.

use super::predict::{Basis, is_alike};
use super::unit::{Gigabytes, Hours, Range, Unit};
use super::usage::Usage;
use crate::comparison::Comparison;
use bench_record::Protocol;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// So near to a size that was measured nothing is scaled.
const SAME: RangeInclusive<f64> = 0.95..=1.05;
/// Errors between sizes that were measured are believed up to so many times the largest of them, down to that part of the smallest, and
/// for factors up to so many times the largest between two of them.
const REACH: f64 = 2.0;
/// What is cut off before a share is rounded up: sums of floating-point numbers.
const NOTHING: f64 = 1e-9;

/// What a contestant's times at several sizes say of scaling them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// The smallest data of which a time was taken for another one, or held against it.
    smallest: Gigabytes,
    /// The largest.
    largest: Gigabytes,
    /// How many times the data of one the most distant pair's other one has.
    factor: f64,
    /// How far apart a time that was taken from another size and the one that was measured were at most: 0.2 of 10 and 12 seconds,
    /// whichever is which.
    error: f64,
}

/// How a time was scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaled {
    /// How many times the data measured a job processes.
    pub by: f64,
    /// How far such times were off at most where they could be held against measured ones: 0.2 of 10 and 12 seconds, whichever is which;
    /// none where no two sizes near this one were measured.
    pub error: Option<f64>,
}

impl Scaled {
    /// From data that were measured to data of a job; none where they are the same.
    pub(super) fn between(measured: Gigabytes, job: f64, sizes: Option<&Sizes>) -> Option<Self> {
        let by = job / Some(measured.get()).filter(|gb| *gb > 0.0)?;
        let is_near = |s: &&Sizes| {
            (s.smallest.get() / REACH..=s.largest.get() * REACH).contains(&job) && by.max(1.0 / by) <= s.factor * REACH
        };
        let error = sizes.filter(is_near).map(|s| s.error);
        (by.is_finite() && !SAME.contains(&by)).then_some(Self { by, error })
    }

    /// A range of times, as wide as the error makes it.
    pub(super) fn widened<T: Unit>(&self, range: Range<T>) -> Range<T> {
        let by = 1.0 + self.error.unwrap_or(0.0);
        Range { low: T::of(range.low.raw() / by), base: range.base, high: T::of(range.high.raw() * by) }
    }
}

/// In a few words, for the line of a cost.
impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Some(error) => write!(f, "x{} ±{:.0} %", short_number(self.by), (error * 100.0 - NOTHING).ceil()),
            None => write!(f, "x{} ±?", short_number(self.by)),
        }
    }
}

/// A number with two or three digits that count.
pub(crate) fn short_number(x: f64) -> String {
    if x < 0.1 {
        format!("{x:.0e}")
    } else if x < 10.0 {
        format!("{x:.1}")
    } else if x < 1e5 {
        format!("{x:.0}")
    } else {
        format!("{x:.0e}")
    }
}

/// Gives each usage what other tables of the same machine and protocol measured of its contestant at other sizes.
pub(super) fn compare_sizes(all: &mut [Usage], comparison: &Comparison) {
    let ground = |usage: &Usage| -> Option<(String, Protocol)> {
        comparison.tables.get(usage.at).map(|table| (table.machine.clone(), table.protocol))
    };
    let found: Vec<Option<Sizes>> = all
        .iter()
        .map(|usage| {
            let alike = all.iter().filter(|other| is_of_other_size(usage, other) && ground(usage) == ground(other));
            sizes(&alike.chain([usage]).collect::<Vec<_>>())
        })
        .collect();
    all.iter_mut().zip(found).for_each(|(usage, sizes)| usage.sizes = sizes);
}

/// Whether they are the same but for their data.
fn is_of_other_size(a: &Usage, b: &Usage) -> bool {
    let place = |u: &Usage| (u.family, u.contestant.nodes, u.contestant.slots);
    a.at != b.at && place(a) == place(b) && is_alike(a, b)
}

/// Every pair of sizes, each time taken for the other one's data. None where there is no pair with a workload in common.
fn sizes(alike: &[&Usage]) -> Option<Sizes> {
    let measured = |u: &&&Usage| matches!(u.basis, Basis::Measured { .. });
    let known: Vec<(f64, &Usage)> =
        alike.iter().filter(measured).filter_map(|u| Some((u.data.as_ref()?.0.get(), *u))).collect();
    let mut found: Option<Sizes> = None;
    for (small, from) in &known {
        for (large, to) in known.iter().filter(|(large, _)| *large > *small * SAME.end()) {
            let factor = large / small;
            // What the larger one takes, over what it would if all of it were proportional to the data: at both ends.
            let Some(ratios) = ratios(from, to).map(|ends| ends.map(|times| times / factor)) else { continue };
            let error = ratios.map(|ratio| ratio.max(1.0 / ratio) - 1.0).into_iter().fold(0.0, f64::max);
            let (smallest, largest) = (Gigabytes::of(*small), Gigabytes::of(*large));
            let pair = Sizes { smallest, largest, factor, error };
            found = Some(found.map_or(pair, |all| all.with(pair)));
        }
    }
    found
}

impl Sizes {
    fn with(self, other: Self) -> Self {
        Self {
            smallest: Gigabytes::of(self.smallest.get().min(other.smallest.get())),
            largest: Gigabytes::of(self.largest.get().max(other.largest.get())),
            factor: self.factor.max(other.factor),
            error: self.error.max(other.error),
        }
    }
}

/// How many times as long the larger one takes for the workloads that the smaller one is priced by: the least and the most within the
/// intervals of the times. None unless it completed all of them.
fn ratios(from: &Usage, to: &Usage) -> Option<[f64; 2]> {
    let after: BTreeMap<&str, Range<Hours>> =
        to.work.iter().filter_map(|w| Some((w.workload.as_str(), w.wall_h?))).collect();
    let priced = from.work.iter().filter(|w| w.is_common && w.wall_h.is_some());
    let both = priced.map(|w| Some((w.wall_h?, *after.get(w.workload.as_str())?)));
    let both: Vec<(Range<Hours>, Range<Hours>)> = both.collect::<Option<_>>()?;
    let sum = |of: fn(&(Range<Hours>, Range<Hours>)) -> Hours| both.iter().map(|pair| of(pair).get()).sum::<f64>();
    let least = sum(|(_, after)| after.low) / sum(|(before, _)| before.high);
    let most = sum(|(_, after)| after.high) / sum(|(before, _)| before.low);
    Some([least, most]).filter(|ends| ends.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0))
}
