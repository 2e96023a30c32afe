//! One engine on several node counts over data that grow with them, across the tables of the scales.
//!
//! Only where the data are as many times the suite's own as there are nodes is a point taken: anything else is another
//! question. What a workload takes need not grow with its data; the report says so.

use super::Cases;
use super::field::{Field, alike};
use super::floors::{Floors, Ground, together};
use super::group::Group;
use super::measured::{Timed, by_workload, measure};
use super::scaling::{Times, Unit, fitted};
use super::totals::total_ratio;
use crate::comparison::{Contestant, Law, WeakPoint, WeakScaling, WeakSeries};
use crate::stats::{Interval, Point};
use bench_record::Family;
use std::collections::{BTreeMap, BTreeSet};

/// A table's contestants and cases, at its scale.
struct Grown<'a> {
    table: usize,
    scale: u32,
    field: Field<'a>,
    cases: Cases<'a>,
}

/// An engine at one scale.
#[derive(Clone, Copy)]
struct Member<'g, 'a> {
    grown: &'g Grown<'a>,
    who: usize,
    contestant: &'g Contestant,
}

pub(super) fn reports(groups: &[Group<'_>]) -> Vec<WeakScaling> {
    let mut reports = Vec::new();
    for (at, first) in groups.iter().enumerate() {
        if groups.iter().take(at).any(|earlier| earlier.grows_into(first)) {
            continue;
        }
        // One table per scale: of another, the data or programs are not the first one's.
        let mut scales: BTreeMap<u32, (usize, &Group<'_>)> = BTreeMap::from([(first.scale, (at, first))]);
        for (at, other) in groups.iter().enumerate().filter(|(_, other)| first.grows_into(other)) {
            scales.entry(other.scale).or_insert((at, other));
        }
        if scales.len() < 2 {
            continue;
        }
        let grown: Vec<Grown<'_>> = scales.into_values().map(|(table, group)| grow(table, group)).collect();
        let families: BTreeSet<Family> = grown.iter().flat_map(|g| g.cases.keys()).map(|at| at.family).collect();
        reports.extend(families.into_iter().filter_map(|family| {
            let series = series(&grown, family);
            let (suite, machine) = (first.suite.clone(), first.machine.clone());
            (!series.is_empty()).then_some(WeakScaling { suite, protocol: first.protocol, machine, family, series })
        }));
    }
    reports
}

fn grow<'a>(table: usize, group: &Group<'a>) -> Grown<'a> {
    let field = Field::new(group);
    let cases = measure(&field).into_iter().filter(|(at, _)| !field.is_hurt(at.contestant)).collect();
    Grown { table, scale: group.scale, field, cases }
}

fn series(grown: &[Grown<'_>], family: Family) -> Vec<WeakSeries> {
    let members: Vec<Member<'_, '_>> = grown.iter().flat_map(|grown| members(grown, family)).collect();
    let kinds = alike(&members.iter().map(|m| m.contestant).collect::<Vec<_>>(), &BTreeSet::new());
    let floors: Vec<Floors<'_>> = grown.iter().map(|g| Floors::new(&g.cases)).collect();
    let ground = together(floors.iter());
    let of_kind = |(name, at): (String, Vec<usize>)| {
        let members: Vec<Member<'_, '_>> = at.iter().filter_map(|i| members.get(*i)).copied().collect();
        split(&name, members)
    };
    let parts = kinds.into_iter().flat_map(of_kind);
    parts.filter_map(|(name, members)| one(name, &members, family, ground)).collect()
}

/// Those whose data are as many times the suite's own as they have nodes.
fn members<'g, 'a>(grown: &'g Grown<'a>, family: Family) -> Vec<Member<'g, 'a>> {
    let ran = |who: usize| grown.cases.keys().any(|at| at.family == family && at.contestant == who);
    let matching = grown.field.compared().filter(|(who, c)| c.nodes == grown.scale && ran(*who));
    matching.map(|(who, contestant)| Member { grown, who, contestant }).collect()
}

/// One kind, or one per number of slots if a node count has several.
fn split<'g, 'a>(name: &str, members: Vec<Member<'g, 'a>>) -> Vec<(String, Vec<Member<'g, 'a>>)> {
    let nodes: BTreeSet<u32> = members.iter().map(|m| m.contestant.nodes).collect();
    if nodes.len() == members.len() {
        return vec![(name.to_owned(), members)];
    }
    let slots: BTreeSet<u32> = members.iter().map(|m| m.contestant.slots).collect();
    let with = |slots: u32| {
        let those = members.iter().filter(|m| m.contestant.slots == slots).copied().collect();
        (format!("{name} {}", super::field::slots_text(slots)), those)
    };
    slots.into_iter().map(with).collect()
}

/// A node count with its times of the common workloads.
struct Size<'g, 'a> {
    member: Member<'g, 'a>,
    times: Times<'g, 'a>,
}

fn one(engine: String, members: &[Member<'_, '_>], family: Family, ground: Ground) -> Option<WeakSeries> {
    let first = members.first().filter(|_| members.len() > 1)?.contestant;
    let unit = Unit::of(members.iter().map(|m| m.contestant));
    let times: Vec<BTreeMap<&str, Timed<'_, '_>>> = members.iter().map(|m| samples(m, family)).collect();
    let run: BTreeSet<&str> = members
        .iter()
        .flat_map(|m| m.grown.cases.keys())
        .filter(|at| at.family == family)
        .map(|at| at.workload)
        .collect();
    let common: Vec<&str> =
        run.iter().copied().filter(|workload| times.iter().all(|t| t.contains_key(workload))).collect();
    let sizes: Vec<Size<'_, '_>> = (members.iter().zip(&times))
        .map(|(member, times)| {
            let times = Times(common.iter().filter_map(|workload| times.get(workload).copied()).collect());
            Size { member: *member, times }
        })
        .collect();
    let smallest = sizes.first()?;
    Some(WeakSeries {
        engine,
        cluster: first.cluster.clone(),
        common: common.len(),
        cases: run.len(),
        slots_shared: unit.slots_shared,
        shared_cores: unit.shared_cores,
        points: sizes.iter().map(|size| point(size, smallest, unit, ground)).collect(),
        law: law(&sizes, unit),
    })
}

/// The times of one engine at one scale, by workload.
fn samples<'g, 'a>(member: &Member<'g, 'a>, family: Family) -> BTreeMap<&'g str, Timed<'g, 'a>> {
    let by_workload = by_workload(&member.grown.cases, family);
    let own = by_workload.into_iter().filter_map(|(workload, of_case)| {
        let (_, measured) = of_case.into_iter().find(|(who, _)| *who == member.who)?;
        Some((workload, measured.timed()?))
    });
    own.collect()
}

fn point(size: &Size<'_, '_>, smallest: &Size<'_, '_>, unit: Unit, ground: Ground) -> WeakPoint {
    let (c, base) = (size.member.contestant, smallest.member.contestant);
    let (scale, least) = (size.member.grown.scale, smallest.member.grown.scale);
    let time = total_ratio(&size.times.beside(&smallest.times), ground).filter(|_| scale != least).map(|t| t.total);
    let data = f64::from(scale) / f64::from(least);
    let cluster = unit.growth(c, base);
    let efficiency = |time: f64| data / time / cluster;
    WeakPoint {
        table: size.member.grown.table,
        contestant: c.label.clone(),
        nodes: c.nodes,
        slots: c.slots,
        scale,
        trials_min: size.times.trials_min(),
        wall_ns_total: size.times.total(),
        wall_ns_interval: size.times.resampled().map(|b| b.interval()),
        time,
        efficiency: time.map(|t| efficiency(t.value)),
        efficiency_interval: time
            .and_then(|t| t.interval)
            .map(|i| Interval { low: efficiency(i.high), high: efficiency(i.low) }),
    }
}

/// The law of the work done per second: so much data in so much time.
fn law(sizes: &[Size<'_, '_>], unit: Unit) -> Law {
    let point = |size: &Size<'_, '_>| {
        let data = f64::from(size.member.grown.scale);
        let resampled = size.times.resampled()?.map(|ns| ns / 1e9 / data);
        let nodes = unit.of_law(size.member.contestant)?;
        Some(Point { nodes, seconds: size.times.total()? / 1e9 / data, resampled })
    };
    fitted(sizes.iter().filter_map(point))
}
