//! For each family, the recorded runs nearest to what was stated.

use super::Question;
use crate::claims::split;
use crate::compare::evidence::Tested;
use crate::comparison::Contestant;
use std::collections::{BTreeMap, BTreeSet};

/// Contestants that met on equal terms over one family: one table, cluster, nodes, slots and limits.
pub(super) struct Arena<'t, 'a> {
    pub(super) family: String,
    /// Its share of the mix.
    pub(super) share: f64,
    pub(super) table: &'t Tested<'a>,
    /// Indexes of those who met.
    pub(super) members: Vec<usize>,
    /// All workloads that any of them was asked.
    pub(super) workloads: BTreeSet<&'a str>,
    pub(super) nodes: u32,
    pub(super) cluster: String,
    pub(super) slots: u32,
}

impl Arena<'_, '_> {
    /// What a contestant is called across arenas: its engine, and its switches if they are not the default.
    pub(super) fn name(&self, member: usize) -> String {
        self.contestant(member).map(name).unwrap_or_default()
    }

    pub(super) fn contestant(&self, member: usize) -> Option<&Contestant> {
        self.table.contestants.get(member)
    }
}

/// The engine, and its switches if they are not the default.
fn name(c: &Contestant) -> String {
    let (switches, _) = split(&c.variant);
    if switches == bench_record::Case::DEFAULT_VARIANT { c.engine.clone() } else { format!("{}+{switches}", c.engine) }
}

/// The nearest arena for each family of the mix that any has. Near is how far nodes and bytes are from what was stated,
/// in factors; of equally near ones the one where most met, then the one that was given first.
pub(super) fn choose<'t, 'a>(question: &Question<'_>, tables: &'t [Tested<'a>]) -> Vec<Arena<'t, 'a>> {
    let nearest = |(family, share): (&str, f64)| {
        let mut all: Vec<Arena<'t, 'a>> = tables.iter().flat_map(|t| arenas(t, family, share)).collect();
        // Sorting is stable, so order given decides between equals.
        let rank = |a: &Arena<'_, '_>| (a.members.len() < 2, distance(question, a), a.members.len());
        all.sort_by(|a, b| {
            let ((alone, far, met), (other_alone, other_far, other_met)) = (rank(a), rank(b));
            alone.cmp(&other_alone).then(far.total_cmp(&other_far)).then(other_met.cmp(&met))
        });
        all.into_iter().next()
    };
    question.mix.shares().filter_map(nearest).collect()
}

fn arenas<'t, 'a>(table: &'t Tested<'a>, family: &str, share: f64) -> Vec<Arena<'t, 'a>> {
    let mut places: BTreeMap<(String, u32, u32, String), Vec<usize>> = BTreeMap::new();
    for (i, c) in table.contestants.iter().enumerate().filter(|(_, c)| c.is_compared()) {
        if table.cases.iter().any(|case| case.contestant == i && case.family.name() == family) {
            places.entry((c.cluster.clone(), c.nodes, c.slots, split(&c.variant).1)).or_default().push(i);
        }
    }
    let made = places.into_iter().map(|((cluster, nodes, slots, _), members)| {
        let asked = table.cases.iter().filter(|c| c.family.name() == family && members.contains(&c.contestant));
        Arena {
            family: family.to_owned(),
            share,
            table,
            workloads: asked.map(|c| c.workload).collect(),
            members,
            nodes,
            cluster,
            slots,
        }
    });
    made.collect()
}

/// How far an arena is from what was stated, as the sum of the logarithms of both factors.
pub(super) fn distance(question: &Question<'_>, arena: &Arena<'_, '_>) -> f64 {
    let factor = |a: f64, b: f64| (a.max(1.0) / b.max(1.0)).ln().abs();
    let nodes = question.nodes.map_or(0.0, |n| factor(n.into(), arena.nodes.into()));
    let data = question.data_bytes.map_or(0.0, |b| factor(b as f64, arena.table.data_bytes as f64));
    nodes + data
}
