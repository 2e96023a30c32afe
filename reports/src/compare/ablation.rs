//! Engines with one mechanism switched off, beside the same engine as it is.
//!
//! Two contestants are such a pair if their variants are the same but for one `switch=off`. An engine as it is may have
//! settings of its own (a memory limit, span accounting): what counts is the difference. One switched-off mechanism is an
//! ordinary comparison; with several of one engine it is a study, and its contestants are set aside: they would bury the
//! engines in every table, and an engine could not win against itself without a mechanism that does nothing.

use super::field::Field;
use super::floors::Floors;
use super::measured::{Measured, Timed};
use super::totals::total_ratio;
use super::workloads::{ByWorkload, ratio};
use crate::comparison::{Ablation, AblationEntry, Contestant, WorkloadEffect};
use bench_record::{Case, Family, Outcome};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// From how many switched-off mechanisms on their contestants are set aside.
const STUDY: usize = 2;

/// By contestant as it is: the switches that are off, and in whom.
type Studies = BTreeMap<usize, Vec<(String, usize)>>;

fn settings(c: &Contestant) -> BTreeSet<&str> {
    if c.variant == Case::DEFAULT_VARIANT { BTreeSet::new() } else { c.variant.split(',').collect() }
}

/// The one switch that is off in `off` and not in `base`, all else being equal.
fn switched_off<'a>(base: &'a Contestant, off: &'a Contestant) -> Option<&'a str> {
    let place = |c: &Contestant| (c.nodes, c.slots, c.faults.is_some());
    let names = |c: &'a Contestant| (&c.engine, &c.cluster, &c.version, &c.build_id);
    if place(base) != place(off) || names(base) != names(off) || base.faults.is_some() {
        return None;
    }
    let (with, without) = (settings(base), settings(off));
    if !with.is_subset(&without) {
        return None;
    }
    let mut added = without.difference(&with);
    let switch = added.next()?.strip_suffix("=off")?;
    added.next().is_none().then_some(switch)
}

/// An engine that is itself one of the switched-off ones is nobody's base.
fn studies(contestants: &[Contestant]) -> Studies {
    let is_off = |c: &Contestant| contestants.iter().any(|base| switched_off(base, c).is_some());
    let mut studies = Studies::new();
    for (i, base) in contestants.iter().enumerate().filter(|(_, c)| !is_off(c)) {
        let off = contestants.iter().enumerate();
        let off: Vec<_> = off.filter_map(|(o, c)| Some((switched_off(base, c)?.to_owned(), o))).collect();
        if !off.is_empty() {
            studies.insert(i, off);
        }
    }
    studies
}

/// Marks the contestants of studies.
pub(super) fn set_aside(contestants: &mut [Contestant]) {
    for (switch, who) in studies(contestants).into_values().filter(|off| off.len() >= STUDY).flatten() {
        contestants.get_mut(who).into_iter().for_each(|c| c.ablates = Some(switch.clone()));
    }
}

pub(super) fn reports(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> Vec<Ablation> {
    let report = |(base, off): (usize, Vec<(String, usize)>)| {
        let entry = |(switch, who): (String, usize)| entry(field, cases, floors, family, (switch, base, who));
        let mut entries: Vec<AblationEntry> = off.into_iter().filter_map(entry).collect();
        // What nothing could be completed without is worth most.
        let effect = |e: &AblationEntry| e.total.map_or(f64::INFINITY, |t| t.value);
        entries.sort_by(|a, b| effect(b).total_cmp(&effect(a)));
        entries.sort_by_key(|e| Reverse(e.is_shown()));
        (!entries.is_empty()).then(|| Ablation { contestant: field.label(base).to_owned(), entries })
    };
    studies(&field.contestants).into_iter().filter_map(report).collect()
}

/// One mechanism; none where nothing was run without it.
fn entry(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
    (switch, base, off): (String, usize, usize),
) -> Option<AblationEntry> {
    let (mut pairs, mut effects, mut lost, mut run) = (Vec::new(), Vec::new(), Vec::new(), false);
    for (workload, of_case) in cases {
        let find = |who: usize| of_case.iter().find(|(c, _)| *c == who).map(|(_, m)| *m);
        let Some((with, without)) = find(base).zip(find(off)) else { continue };
        run = true;
        match both(with, without) {
            Some((with, without)) => {
                pairs.push((without, with));
                let ratio = ratio(without, with, floors.of(family, workload));
                effects.push(WorkloadEffect { workload: (*workload).to_owned(), ratio });
            }
            None if with.outcome == Outcome::Completed => lost.push((*workload).to_owned()),
            None => {}
        }
    }
    effects.sort_by(|a, b| a.ratio.value.total_cmp(&b.ratio.value));
    run.then(|| AblationEntry {
        switch,
        contestant: field.label(off).to_owned(),
        total: total_ratio(&pairs, floors.whole()).map(|t| t.total),
        common: pairs.len(),
        lost,
        worst: effects.last().cloned(),
        best: effects.first().cloned(),
    })
}

fn both<'m, 'a>(a: &'m Measured<'a>, b: &'m Measured<'a>) -> Option<(Timed<'m, 'a>, Timed<'m, 'a>)> {
    a.timed().zip(b.timed())
}
