//! One engine on several node counts.
//!
//! Every node count is judged by the same workloads: those that all of them completed. A node count that was measured with
//! several numbers of slots per node gives one series per number of slots; otherwise the slots are taken as they are, for
//! the cores of one machine are shared out among its nodes. Where they are more slots than cores, the cores count.

use super::field::{Field, Kind, slots_text};
use super::floors::{Floors, Ground};
use super::measured::{Measured, Timed};
use super::totals::total_ratio;
use super::workloads::ByWorkload;
use crate::comparison::{Contestant, Law, Ratio, ScalingPoint, ScalingSeries};
use crate::stats::{Bootstrap, Interval, POINTS_MIN, Point, scalability};
use std::collections::BTreeSet;

pub(super) fn series(field: &Field<'_>, cases: &ByWorkload<'_, '_>, floors: &Floors<'_>) -> Vec<ScalingSeries> {
    let measured: BTreeSet<usize> = cases.values().flatten().map(|(who, _)| *who).collect();
    let kinds = field.kinds(field.compared().map(|(i, _)| i).filter(|i| measured.contains(i)));
    let parts = kinds.into_iter().flat_map(|kind| split(field, kind));
    parts.filter_map(|kind| one(field, cases, floors, &kind)).collect()
}

/// One kind, or one per number of slots if a node count has several.
fn split(field: &Field<'_>, kind: Kind) -> Vec<Kind> {
    let of = |i: &usize| field.contestants.get(*i).map(|c| (c.nodes, c.slots));
    let nodes: BTreeSet<u32> = kind.members.iter().filter_map(of).map(|(nodes, _)| nodes).collect();
    if nodes.len() == kind.members.len() {
        return vec![kind];
    }
    let slots: BTreeSet<u32> = kind.members.iter().filter_map(of).map(|(_, slots)| slots).collect();
    let with = |slots: u32| Kind {
        name: format!("{} {}", kind.name, slots_text(slots)),
        members: kind.members.iter().copied().filter(|i| of(i).is_some_and(|(_, s)| s == slots)).collect(),
    };
    slots.into_iter().map(with).collect()
}

/// A node count with its times of the common workloads.
struct Size<'m, 'a, 'c> {
    contestant: &'c Contestant,
    times: Times<'m, 'a>,
}

/// The times of one node count, those of each common workload.
pub(super) struct Times<'m, 'a>(pub(super) Vec<Timed<'m, 'a>>);

impl<'m, 'a> Times<'m, 'a> {
    /// The sum of their medians, if there are any.
    pub(super) fn total(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().map(|t| t.sample.median).sum())
    }

    /// That sum, resampled.
    pub(super) fn resampled(&self) -> Option<Bootstrap> {
        let all: Option<Vec<&Bootstrap>> = self.0.iter().map(|t| t.sample.bootstrap.as_ref()).collect();
        Bootstrap::sum(all?.into_iter())
    }

    /// The fewest trials of a workload, if there are any.
    pub(super) fn trials_min(&self) -> Option<usize> {
        self.0.iter().map(|t| t.sample.ascending.len()).min()
    }

    /// Each workload's times with its times at another node count.
    pub(super) fn beside(&self, other: &Self) -> Vec<(Timed<'m, 'a>, Timed<'m, 'a>)> {
        self.0.iter().copied().zip(other.0.iter().copied()).collect()
    }
}

fn one(field: &Field<'_>, cases: &ByWorkload<'_, '_>, floors: &Floors<'_>, kind: &Kind) -> Option<ScalingSeries> {
    let mut members: Vec<(usize, &Contestant)> =
        kind.members.iter().filter_map(|i| Some((*i, field.contestants.get(*i)?))).collect();
    members.sort_by_key(|(_, c)| c.nodes);
    let (_, first) = *members.first().filter(|_| members.len() > 1)?;
    let unit = Unit::of(members.iter().map(|(_, c)| *c));
    let common: Vec<Vec<Timed<'_, '_>>> =
        cases.values().filter_map(|of_case| completed_by_all(of_case, &members)).collect();
    let sizes: Vec<Size<'_, '_, '_>> = (members.iter().enumerate())
        .map(|(at, (_, contestant))| {
            let times = Times(common.iter().filter_map(|row| row.get(at).copied()).collect());
            Size { contestant, times }
        })
        .collect();
    let smallest = sizes.first()?;
    Some(ScalingSeries {
        engine: kind.name.clone(),
        cluster: first.cluster.clone(),
        common: common.len(),
        cases: cases.len(),
        slots_shared: unit.slots_shared,
        shared_cores: unit.shared_cores,
        points: sizes.iter().map(|size| point(size, smallest, unit, floors.whole())).collect(),
        law: law(&sizes, unit),
    })
}

/// The times of one workload, those of each member; none unless all of them completed it.
fn completed_by_all<'m, 'a>(
    of_case: &[(usize, &'m Measured<'a>)],
    members: &[(usize, &Contestant)],
) -> Option<Vec<Timed<'m, 'a>>> {
    let timed = |who: usize| of_case.iter().find(|(c, _)| *c == who).and_then(|(_, m)| m.timed());
    members.iter().map(|(who, _)| timed(*who)).collect()
}

/// What the clusters of a series are measured in: nodes, or slots if nodes differ in theirs, or cores if some have more
/// slots than there are cores for.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    pub(super) slots_shared: bool,
    pub(super) shared_cores: Option<f64>,
}

impl Unit {
    pub(super) fn of<'c>(members: impl Iterator<Item = &'c Contestant>) -> Self {
        let all: Vec<&Contestant> = members.collect();
        let slots: BTreeSet<u32> = all.iter().map(|c| c.slots).collect();
        let crowded = all.iter().filter(|c| c.is_crowded());
        Self { slots_shared: slots.len() > 1, shared_cores: crowded.map(|c| c.cores).reduce(f64::max) }
    }

    /// How many times the other's size one is.
    pub(super) fn growth(self, larger: &Contestant, smaller: &Contestant) -> f64 {
        match self.shared_cores {
            Some(_) => larger.cores / smaller.cores,
            None => f64::from(self.count(larger)) / f64::from(self.count(smaller)),
        }
    }

    /// The size that the law is over; none where slots share cores: what such nodes add is not what the law is about.
    pub(super) fn of_law(self, contestant: &Contestant) -> Option<u32> {
        (!contestant.is_crowded()).then(|| self.count(contestant))
    }

    fn count(self, contestant: &Contestant) -> u32 {
        if self.slots_shared { contestant.slots_in_all() } else { contestant.nodes }
    }
}

fn point(size: &Size<'_, '_, '_>, smallest: &Size<'_, '_, '_>, unit: Unit, ground: Ground) -> ScalingPoint {
    let c = size.contestant;
    let is_smallest = c.label == smallest.contestant.label;
    let time = total_ratio(&size.times.beside(&smallest.times), ground).filter(|_| !is_smallest).map(|t| t.total);
    let speedup = time.map(|t| Ratio {
        value: 1.0 / t.value,
        interval: t.interval.map(|i| Interval { low: 1.0 / i.high, high: 1.0 / i.low }),
        ..t
    });
    let growth = unit.growth(c, smallest.contestant);
    ScalingPoint {
        contestant: c.label.clone(),
        nodes: c.nodes,
        slots: c.slots,
        trials_min: size.times.trials_min(),
        wall_ns_total: size.times.total(),
        wall_ns_interval: size.times.resampled().map(|b| b.interval()),
        speedup,
        efficiency: speedup.map(|s| s.value / growth),
        efficiency_interval: speedup
            .and_then(|s| s.interval)
            .map(|i| Interval { low: i.low / growth, high: i.high / growth }),
    }
}

fn law(sizes: &[Size<'_, '_, '_>], unit: Unit) -> Law {
    let point = |size: &Size<'_, '_, '_>| {
        let resampled = size.times.resampled()?.map(|ns| ns / 1e9);
        Some(Point { nodes: unit.of_law(size.contestant)?, seconds: size.times.total()? / 1e9, resampled })
    };
    fitted(sizes.iter().filter_map(point))
}

/// The law that these points follow, if they are enough for one.
pub(super) fn fitted(points: impl Iterator<Item = Point>) -> Law {
    let points: Vec<Point> = points.collect();
    let measured = points.iter().map(|p| p.nodes).collect::<BTreeSet<_>>().len();
    scalability(&points).map_or(Law::InsufficientPoints { measured, needed: POINTS_MIN }, Law::Fitted)
}
