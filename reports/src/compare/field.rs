//! Who takes part in a table, and every trial with the contestant it belongs to.

use super::group::Group;
use crate::comparison::Contestant;
use bench_record::{Arm, Case, CaseKey, Observation, Run};
use std::collections::{BTreeMap, BTreeSet};

/// A trial in a table.
pub(super) struct Trial<'a> {
    pub(super) run: &'a Run,
    pub(super) observation: &'a Observation,
    /// Index into the contestants.
    pub(super) contestant: usize,
    /// Contaminated and repeated: left out of all statistics.
    pub(super) excluded: bool,
}

/// The contestants of a table and their trials, in the order recorded.
pub(super) struct Field<'a> {
    pub(super) contestants: Vec<Contestant>,
    pub(super) trials: Vec<Trial<'a>>,
}

/// What makes two trials' engines the same: a rebuilt or upgraded engine is another contestant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity<'a> {
    engine: &'a str,
    variant: &'a str,
    cluster: &'a str,
    nodes: u32,
    slots: u32,
    version: Option<&'a str>,
    build_id: &'a str,
}

impl<'a> Identity<'a> {
    fn of(run: &'a Run, case: &'a Case) -> Self {
        let context = run.context.engine(&case.engine, &case.variant, case.slots);
        Self {
            engine: &case.engine,
            variant: &case.variant,
            cluster: &case.cluster,
            nodes: case.nodes,
            slots: case.slots,
            version: context.map(|e| e.version.as_str()),
            build_id: &run.context.bench.build_id,
        }
    }

    /// Where the run's context lists it; contestants appear in the order the user asked for.
    fn position(&self, run: &Run) -> usize {
        let same = |e: &bench_record::EngineContext| {
            e.name == self.engine && e.variant == self.variant && e.slots == self.slots
        };
        run.context.engines.iter().position(same).unwrap_or(usize::MAX)
    }
}

impl<'a> Field<'a> {
    pub(super) fn new(group: &Group<'a>) -> Self {
        let mut order: BTreeMap<Identity<'a>, (usize, usize)> = BTreeMap::new();
        for (at, run) in group.runs.iter().enumerate() {
            for observation in run.observations.iter().filter(|o| group.holds(&o.case)) {
                let identity = Identity::of(run, &observation.case);
                let position = identity.position(run);
                order.entry(identity).or_insert((at, position));
            }
        }
        let mut ranked: Vec<_> = order.into_iter().map(|(identity, rank)| (rank, identity)).collect();
        ranked.sort();
        let index: BTreeMap<&Identity<'a>, usize> = ranked.iter().enumerate().map(|(i, (_, id))| (id, i)).collect();
        let mut trials = Vec::new();
        for run in &group.runs {
            let repeated = repeated(run);
            for o in run.observations.iter().filter(|o| group.holds(&o.case)) {
                let Some(contestant) = index.get(&Identity::of(run, &o.case)).copied() else { continue };
                let excluded = o.contaminated && repeated.contains(&(&o.key, o.arm, o.trial));
                trials.push(Trial { run, observation: o, contestant, excluded });
            }
        }
        let identities: Vec<&Identity<'_>> = ranked.iter().map(|(_, id)| id).collect();
        Self { contestants: contestants(&identities), trials }
    }

    pub(super) fn label(&self, contestant: usize) -> &str {
        self.contestants.get(contestant).map_or("", |c| c.label.as_str())
    }
}

/// The trials of a run that a later trial repeats.
fn repeated(run: &Run) -> BTreeSet<(&CaseKey, Arm, u32)> {
    run.observations.iter().filter_map(|o| o.repeat.map(|trial| (&o.key, o.arm, trial))).collect()
}

fn contestants(identities: &[&Identity<'_>]) -> Vec<Contestant> {
    let labels = labels(identities);
    let made = identities.iter().zip(labels).map(|(id, label)| Contestant {
        label,
        engine: id.engine.to_owned(),
        variant: id.variant.to_owned(),
        cluster: id.cluster.to_owned(),
        nodes: id.nodes,
        slots: id.slots,
        version: id.version.map(str::to_owned),
        build_id: id.build_id.to_owned(),
    });
    made.collect()
}

/// The engine and a variant that is not the default, then whatever else it takes to tell contestants apart.
fn labels(identities: &[&Identity<'_>]) -> Vec<String> {
    let parts: [fn(&Identity<'_>) -> String; 5] = [
        |id| format!(" {}x{}", id.nodes, id.slots),
        |id| format!(" {}", id.cluster),
        |id| format!(" {}", id.version.unwrap_or("unknown version")),
        |id| format!(" build {}", id.build_id),
        |id| format!(" {}", id.variant),
    ];
    let default = |id: &Identity<'_>| id.variant == Case::DEFAULT_VARIANT;
    let mut labels: Vec<String> = identities
        .iter()
        .map(|id| if default(id) { id.engine.to_owned() } else { format!("{}+{}", id.engine, id.variant) })
        .collect();
    for part in parts {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, label) in labels.iter().enumerate() {
            groups.entry(label.clone()).or_default().push(i);
        }
        for same in groups.into_values().filter(|g| g.len() > 1) {
            let added: Vec<String> = same.iter().filter_map(|i| identities.get(*i)).map(|id| part(id)).collect();
            // A part that all of them share tells nobody apart.
            if added.iter().all(|a| Some(a) == added.first()) {
                continue;
            }
            for (i, text) in same.iter().zip(&added) {
                labels.get_mut(*i).into_iter().for_each(|label| label.push_str(text));
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Identity<'_> = Identity {
        engine: "stagedag",
        variant: "default",
        cluster: "local",
        nodes: 1,
        slots: 2,
        version: Some("1"),
        build_id: "a",
    };

    #[test]
    fn labels_are_as_short_as_telling_apart_allows() {
        let other = Identity { engine: "datafusion", ..PLAIN };
        let off = Identity { variant: "speculation=off", ..PLAIN };
        assert_eq!(labels(&[&PLAIN, &other, &off]), ["stagedag", "datafusion", "stagedag+speculation=off"]);
        let wide = Identity { slots: 8, ..PLAIN };
        assert_eq!(labels(&[&PLAIN, &wide]), ["stagedag 1x2", "stagedag 1x8"]);
        let rebuilt = Identity { build_id: "b", ..PLAIN };
        assert_eq!(labels(&[&PLAIN, &rebuilt, &other]), ["stagedag build a", "stagedag build b", "datafusion"]);
    }
}
