//! Which recorded cases a test is about, and at what remove from the claim.

use super::file::{At, ClaimsFile, Subject, Test};
use super::glob;
use super::metric::Metric;
use super::report::{Configuration, Remove};
use crate::compare::evidence::{Tested, TestedCase};
use crate::comparison::Contestant;
use bench_record::{Case, parse_bytes};
use std::collections::BTreeMap;

/// The variant of a product that is configured as its makers advise.
pub(super) const TUNED: &str = "config=tuned";

/// The limit of an engine's memory, as a part of a variant.
const MEMORY: &str = "memory=";

/// Parts of a variant that say where an engine ran and what was recorded, and not how it was set.
const PLACE: [&str; 6] = [MEMORY, "spans=", "tls=", "node-cpu=", "node-memory=", "node-link="];

/// The part of a variant that tells one running cluster of a product from another. It is neither how the engine was set nor a limit that
/// others could share.
const WHICH_CLUSTER: &str = "attached=";

/// Cases of one table and one place that a test can be read off.
pub(super) struct Selection<'t, 'a> {
    pub(super) remove: Remove,
    pub(super) configuration: Configuration,
    pub(super) table: &'t Tested<'a>,
    /// Suite, protocol, cluster and machine in words.
    pub(super) place: String,
    /// Who stands for each subject of the relation, in its order: none who was not run, several of several builds.
    pub(super) members: Vec<(String, Vec<usize>)>,
}

impl<'t, 'a> Selection<'t, 'a> {
    /// The cases of a contestant that the test is about.
    pub(super) fn cases(&self, test: &Test, contestant: usize) -> impl Iterator<Item = &'t TestedCase<'a>> {
        let fits = move |c: &&TestedCase<'_>| {
            c.contestant == contestant
                && c.family.name() == test.family
                && test.workloads.iter().any(|w| glob::matches(w, c.workload))
        };
        self.table.cases.iter().filter(fits)
    }
}

/// Where contestants can meet on equal terms.
type Place<'c> = (&'c str, u32, u32, String);

/// Whose runs are looked at: products as they come, products as they are tuned, or styles that stand for them.
const WHOM: [(bool, Configuration); 3] =
    [(false, Configuration::Default), (false, Configuration::Tuned), (true, Configuration::Default)];

/// All selections for a test, nearest to the claim first. Two contestants meet only in one table and on the same cluster,
/// nodes, slots and limits.
pub(super) fn select<'t, 'a>(file: &ClaimsFile, test: &Test, tables: &'t [Tested<'a>]) -> Vec<Selection<'t, 'a>> {
    let subjects = test.relation.subjects();
    let needed = subjects.len().min(2);
    let mut found = Vec::new();
    for table in tables {
        let mut places: BTreeMap<Place<'_>, Vec<usize>> = BTreeMap::new();
        for (i, c) in table.contestants.iter().enumerate().filter(|(_, c)| c.faults.is_none()) {
            places.entry((&c.cluster, c.nodes, c.slots, split(&c.variant).1)).or_default().push(i);
        }
        for ((cluster, nodes, slots, limits), at) in &places {
            for (architecture, configuration) in WHOM {
                let is_there = |i: &usize, engine: &str, variant: &str| {
                    table.contestants.get(*i).is_some_and(|c| is(c, engine, variant))
                        && table.cases.iter().any(|c| c.contestant == *i && c.family.name() == test.family)
                };
                let member = |subject: &&str| {
                    let wanted = file.subject.get(*subject).and_then(|s| engine(s, architecture, configuration));
                    let fits = |i: &&usize| wanted.is_some_and(|(engine, variant)| is_there(i, engine, variant));
                    ((*subject).to_owned(), at.iter().filter(fits).copied().collect::<Vec<_>>())
                };
                let members: Vec<_> = subjects.iter().map(member).collect();
                let found_of = |(_, who): &&(String, Vec<usize>)| !who.is_empty();
                // Subjects that name their variant are the same in every configuration: they alone are no second one.
                let differs =
                    |(name, _): &(String, Vec<usize>)| file.subject.get(name).is_some_and(|s| s.variant.is_none());
                let again = configuration == Configuration::Tuned && !members.iter().filter(found_of).any(differs);
                if again || members.iter().filter(found_of).count() < needed {
                    continue;
                }
                let remove = match (architecture, meant(&test.at, table, (cluster, *nodes, limits))) {
                    (true, _) => Remove::Architecture,
                    (false, true) => Remove::Direct,
                    (false, false) => Remove::OtherScale,
                };
                let contestants = members.iter().flat_map(|(_, who)| who).filter_map(|i| table.contestants.get(*i));
                let cores = contestants.map(|c| c.cores).fold(0.0, f64::max);
                let place = place(table, (cluster, *nodes, *slots), limits, cores);
                found.push(Selection { remove, configuration, table, place, members });
            }
        }
    }
    found.sort_by_key(|s| (s.remove, s.configuration));
    found
}

/// The engine and variant whose runs speak for a subject.
fn engine(subject: &Subject, architecture: bool, configuration: Configuration) -> Option<(&str, &str)> {
    let configured = match configuration {
        Configuration::Default => Case::DEFAULT_VARIANT,
        Configuration::Tuned => TUNED,
    };
    match (architecture, &subject.style) {
        (false, _) => Some((&subject.engine, subject.variant.as_deref().unwrap_or(configured))),
        // Somebody who is measured directly needs nobody to stand for them.
        (true, Some(style)) if *style != subject.engine => Some((style, &subject.style_variant)),
        (true, _) => None,
    }
}

fn is(contestant: &Contestant, engine: &str, variant: &str) -> bool {
    contestant.engine == engine && split(&contestant.variant).0 == variant
}

/// A variant's switches, or `default`, and its limits.
pub(crate) fn split(variant: &str) -> (String, String) {
    let (limits, switches): (Vec<&str>, Vec<&str>) = variant
        .split(',')
        .filter(|part| !part.starts_with(WHICH_CLUSTER))
        .partition(|part| PLACE.iter().any(|p| part.starts_with(p)));
    let switches = if switches.is_empty() { Case::DEFAULT_VARIANT.to_owned() } else { switches.join(",") };
    (switches, limits.join(","))
}

/// Whether a test is about runs there: on which cluster, how many nodes, and within which limits.
pub(super) fn meant(at: &At, table: &Tested<'_>, (cluster, nodes, limits): (&str, u32, &str)) -> bool {
    let one_of = |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
    let is_limit = |found: &str| at.memory.iter().any(|meant| is_same_size(meant, found));
    one_of(&at.suites, &table.suite)
        && (at.suites.is_empty() || table.scale == 1)
        && one_of(&at.clusters, cluster)
        && (at.memory.is_empty() || limits.split(',').any(|l| l.strip_prefix(MEMORY).is_some_and(is_limit)))
        && at.nodes.is_none_or(|n| n == nodes)
        && at.protocol.is_none_or(|p| p == table.protocol)
}

/// Whether two texts are the same size: records say `2GiB` of what `--memory 2048MiB` gave.
fn is_same_size(one: &str, other: &str) -> bool {
    parse_bytes(one).is_some_and(|size| parse_bytes(other) == Some(size))
}

fn place(table: &Tested<'_>, (cluster, nodes, slots): (&str, u32, u32), limits: &str, cores: f64) -> String {
    let scale = if table.scale == 1 { String::new() } else { format!(" x {}", table.scale) };
    let limits = if limits.is_empty() { String::new() } else { format!(", {limits}") };
    let plural = |n: u32, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    format!(
        "{}{scale}, {}, {cluster}, {} x {} on {cores} cores{limits}; {}",
        table.suite,
        table.protocol,
        plural(nodes, "node"),
        plural(slots, "slot"),
        table.machine
    )
}

/// Conditions in words.
pub(super) fn conditions(test: &Test) -> String {
    let at = &test.at;
    let mut parts = Vec::new();
    if !at.suites.is_empty() {
        parts.push(format!("suite {}", at.suites.join(" or ")));
    }
    if !at.clusters.is_empty() {
        parts.push(format!("cluster {}", at.clusters.join(" or ")));
    }
    parts.extend(at.nodes.map(|n| format!("{n} nodes")));
    if !at.memory.is_empty() {
        parts.push(format!("memory {}", at.memory.join(" or ")));
    }
    parts.extend(at.protocol.map(|p| format!("protocol {p}")));
    parts.extend(at.deployment.map(|d| d.name().to_owned()));
    let what = match test.workloads.as_slice() {
        _ if test.metric == Metric::StoreSpill => "values that a store is too small for".to_owned(),
        _ if test.metric.figure().is_some() => format!("{} with nothing to do", test.metric),
        [all] if all == "*" => format!("{} {} workloads", test.cases, test.family),
        some => format!("{} {} workloads ({})", test.cases, test.family, some.join(", ")),
    };
    if parts.is_empty() { what } else { format!("{what}, {}", parts.join(", ")) }
}

/// Why no run could decide a claim on this metric.
pub(super) fn unrecorded(metric: Metric) -> String {
    format!("{metric} is not recorded by this version, so no run can decide it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_no_part_of_how_an_engine_is_set() {
        assert_eq!(split("default"), ("default".into(), String::new()));
        assert_eq!(split("adaptive=off,memory=4GiB,spans=on"), ("adaptive=off".into(), "memory=4GiB,spans=on".into()));
        assert_eq!(split("memory=4GiB"), ("default".into(), "memory=4GiB".into()));
        assert_eq!(split("attached=1a2b3c4d"), ("default".into(), String::new()), "two products have two addresses");
        assert_eq!(split("config=tuned,attached=1a2b3c4d"), ("config=tuned".into(), String::new()));
        assert!(is_same_size("2048MiB", "2GiB") && is_same_size("2GB", "1953125KiB"));
        assert!(!is_same_size("2GiB", "2GB") && !is_same_size("much", "much"));
    }
}
