//! Who takes part in a table, and every trial with the contestant it belongs to.
//!
//! Trials with faults never meet those without: the faults planned for a trial are part of who its contestant is, and a
//! contestant with faults is in the sheet of faults only.

use super::group::Group;
use super::{ablation, contamination};
use crate::comparison::Contestant;
use bench_record::{Arm, Case, CaseKey, Engines, Observation, Outcome, Run};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A trial in a table.
pub(super) struct Trial<'a> {
    pub(super) run: &'a Run,
    /// Where its observation is among the run's, from 0: so many whole lines stand above it in the file.
    pub(super) at: usize,
    pub(super) observation: &'a Observation,
    /// Index into the contestants.
    pub(super) contestant: usize,
    /// Contaminated, and left out of all statistics.
    pub(super) excluded: bool,
}

/// The contestants of a table and their trials, in the order recorded.
pub(super) struct Field<'a> {
    pub(super) contestants: Vec<Contestant>,
    /// Settings that all of them have: labels leave them out.
    pub(super) shared: BTreeSet<&'a str>,
    pub(super) trials: Vec<Trial<'a>>,
}

/// What makes two trials' engines the same: a rebuilt or upgraded engine is another contestant, and so is one that is
/// hurt. Ordered by the first field that differs, so node counts ascend.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity<'a> {
    /// Whom nobody hurts comes first.
    faults: Option<Cow<'a, str>>,
    engine: &'a str,
    variant: &'a str,
    cluster: &'a str,
    nodes: u32,
    slots: u32,
    version: Option<&'a str>,
    build_id: &'a str,
}

impl<'a> Identity<'a> {
    fn of(run: &'a Run, known: &RunPlan<'a>, observation: &'a Observation) -> Self {
        let case = &observation.case;
        let context = known.engines.get(&case.engine, &case.variant, case.slots).map(|(_, engine)| engine);
        Self {
            faults: known.faults.clone().map(Cow::Owned).or_else(|| recorded(observation).map(Cow::Owned)),
            engine: &case.engine,
            variant: &case.variant,
            cluster: &case.cluster,
            nodes: case.nodes,
            slots: case.slots,
            version: context.map(|e| e.version.as_str()),
            build_id: &run.context.bench.build_id,
        }
    }

    fn of_contestant(c: &'a Contestant) -> Self {
        Self {
            faults: c.faults.as_deref().map(Cow::Borrowed),
            engine: &c.engine,
            variant: &c.variant,
            cluster: &c.cluster,
            nodes: c.nodes,
            slots: c.slots,
            version: c.version.as_deref(),
            build_id: &c.build_id,
        }
    }

    /// Where the run's context lists it; contestants appear in the order the user asked for.
    fn position(&self, known: &RunPlan<'_>) -> usize {
        known.engines.get(self.engine, self.variant, self.slots).map_or(usize::MAX, |(at, _)| at)
    }
}

/// What a run was to measure, looked up once per run.
struct RunPlan<'a> {
    faults: Option<String>,
    engines: Engines<'a>,
}

/// The faults that a run plans for every trial. The command line is the only record of them that a trial which did not
/// complete cannot lose; without it, such a trial would pass for one of an engine that nobody hurt.
pub(crate) fn planned(run: &Run) -> Option<String> {
    const OPTION: &str = "--faults";
    let words = || run.context.command_line.iter();
    let apart = words().zip(words().skip(1)).filter(|(word, _)| *word == OPTION).map(|(_, value)| value.as_str());
    let joined = words().filter_map(|word| word.strip_prefix(OPTION)?.strip_prefix('='));
    let all: Vec<&str> = apart.chain(joined).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// The faults that a trial says were planned for it.
fn recorded(o: &Observation) -> Option<String> {
    let all: Vec<&str> = o.faults.iter().map(|f| f.fault.as_str()).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// Contestants that differ only in their size.
pub(super) struct Kind {
    /// What they are called without it.
    pub(super) name: String,
    /// Who they are, in their order.
    pub(super) members: Vec<usize>,
}

impl<'a> Field<'a> {
    pub(super) fn new(group: &Group<'a>) -> Self {
        let plan = |run: &&'a Run| RunPlan { faults: planned(run), engines: Engines::of(&run.context) };
        let plans: Vec<RunPlan<'a>> = group.runs.iter().map(plan).collect();
        let mut order: BTreeMap<Identity<'a>, (bool, usize, usize)> = BTreeMap::new();
        for (at, (run, plan)) in group.runs.iter().zip(&plans).enumerate() {
            for observation in run.observations.iter().filter(|o| group.holds(&o.case)) {
                let identity = Identity::of(run, plan, observation);
                let position = identity.position(plan);
                let hurt = identity.faults.is_some();
                order.entry(identity).or_insert((hurt, at, position));
            }
        }
        let mut ranked: Vec<_> = order.into_iter().map(|(identity, rank)| (rank, identity)).collect();
        ranked.sort();
        let index: BTreeMap<&Identity<'a>, usize> = ranked.iter().enumerate().map(|(i, (_, id))| (id, i)).collect();
        let mut trials = Vec::new();
        for (run, plan) in group.runs.iter().zip(&plans) {
            let stand_for = stand_for(run);
            for (at, o) in run.observations.iter().enumerate().filter(|(_, o)| group.holds(&o.case)) {
                let Some(contestant) = index.get(&Identity::of(run, plan, o)).copied() else { continue };
                let stands = stand_for.get(&planned_trial(o)) == Some(&o.trial);
                // Only a time can be spoilt by others: a failure stands, whatever else a record says.
                let excluded = o.contaminated && o.outcome == Outcome::Completed && !stands;
                trials.push(Trial { run, at, observation: o, contestant, excluded });
            }
        }
        contamination::leave_out(&mut trials);
        let identities: Vec<&Identity<'_>> = ranked.iter().map(|(_, id)| id).collect();
        let shared = shared(&identities);
        let mut contestants = contestants(&identities, &shared, group.cores());
        ablation::set_aside(&mut contestants);
        Self { contestants, shared, trials }
    }

    pub(super) fn label(&self, contestant: usize) -> &str {
        self.contestants.get(contestant).map_or("", |c| c.label.as_str())
    }

    /// Whether faults were planned for its trials.
    pub(super) fn is_hurt(&self, contestant: usize) -> bool {
        self.contestants.get(contestant).is_some_and(|c| c.faults.is_some())
    }

    /// Those that nobody hurts.
    pub(super) fn whole(&self) -> impl Iterator<Item = usize> {
        (0..self.contestants.len()).filter(|i| !self.is_hurt(*i))
    }

    /// Those that are compared with each other.
    pub(super) fn compared(&self) -> impl Iterator<Item = (usize, &Contestant)> {
        self.contestants.iter().enumerate().filter(|(_, c)| c.is_compared())
    }

    /// The same engine in the same place, without faults.
    pub(super) fn counterpart(&self, hurt: usize) -> Option<usize> {
        let wanted = Identity { faults: None, ..Identity::of_contestant(self.contestants.get(hurt)?) };
        self.contestants.iter().position(|c| Identity::of_contestant(c) == wanted)
    }

    /// Those of `who` that differ only in nodes and slots, together, in the order of their first.
    pub(super) fn kinds(&self, who: impl Iterator<Item = usize>) -> Vec<Kind> {
        let (own, all): (Vec<usize>, Vec<&Contestant>) =
            who.filter_map(|i| Some((i, self.contestants.get(i)?))).unzip();
        let members = |at: Vec<usize>| at.into_iter().filter_map(|i| own.get(i)).copied().collect();
        alike(&all, &self.shared).into_iter().map(|(name, at)| Kind { name, members: members(at) }).collect()
    }
}

/// Those that differ only in nodes and slots, together, in the order of their first: what they are called without that, and
/// where they are in `all`.
///
/// Names leave out the settings in `shared`.
pub(super) fn alike(all: &[&Contestant], shared: &BTreeSet<&str>) -> Vec<(String, Vec<usize>)> {
    let mut kinds: Vec<(Identity<'_>, Vec<usize>)> = Vec::new();
    for (i, contestant) in all.iter().enumerate() {
        let identity = Identity { nodes: 0, slots: 0, ..Identity::of_contestant(contestant) };
        match kinds.iter_mut().find(|(known, _)| *known == identity) {
            Some((_, members)) => members.push(i),
            None => kinds.push((identity, vec![i])),
        }
    }
    let names = labels(&kinds.iter().map(|(identity, _)| identity).collect::<Vec<_>>(), shared);
    names.into_iter().zip(kinds).map(|(name, (_, members))| (name, members)).collect()
}

/// The trial that was planned, whether this is its first attempt or a repetition.
type PlannedTrial<'a> = (&'a CaseKey, Arm, u32);

fn planned_trial(o: &Observation) -> PlannedTrial<'_> {
    (&o.key, o.arm, o.repeat.unwrap_or(o.trial))
}

/// Which attempt stands for each planned trial of a run: the last one that nothing disturbed, else the last one. However often a
/// trial was repeated, it counts once.
fn stand_for(run: &Run) -> BTreeMap<PlannedTrial<'_>, u32> {
    let mut chosen: BTreeMap<PlannedTrial<'_>, (bool, u32)> = BTreeMap::new();
    for o in &run.observations {
        let attempt = (!o.contaminated, o.trial);
        chosen.entry(planned_trial(o)).and_modify(|best| *best = attempt.max(*best)).or_insert(attempt);
    }
    chosen.into_iter().map(|(planned, (_, trial))| (planned, trial)).collect()
}

/// `usable` is how many cores the machine lets them use.
fn contestants(identities: &[&Identity<'_>], shared: &BTreeSet<&str>, usable: f64) -> Vec<Contestant> {
    let labels = labels(identities, shared);
    let made = identities.iter().zip(labels).map(|(id, label)| Contestant {
        label,
        engine: id.engine.to_owned(),
        variant: id.variant.to_owned(),
        cluster: id.cluster.to_owned(),
        nodes: id.nodes,
        slots: id.slots,
        cores: 0.0,
        version: id.version.map(str::to_owned),
        build_id: id.build_id.to_owned(),
        faults: id.faults.as_deref().map(str::to_owned),
        ablates: None,
    });
    made.map(|c| c.with_cores(usable)).collect()
}

/// The settings of a variant; none of the default.
fn settings(variant: &str) -> impl Iterator<Item = &str> {
    variant.split(',').filter(|setting| *setting != Case::DEFAULT_VARIANT)
}

/// Settings that every one of several has: they tell nobody apart.
fn shared<'a>(identities: &[&Identity<'a>]) -> BTreeSet<&'a str> {
    let all = identities.iter().map(|id| settings(id.variant).collect::<BTreeSet<_>>());
    let shared = all.reduce(|shared, of| shared.intersection(&of).copied().collect());
    shared.filter(|_| identities.len() > 1).unwrap_or_default()
}

/// Slots per node in words.
pub(super) fn slots_text(slots: u32) -> String {
    if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") }
}

/// A label in the making: the node count stands between the two parts, as in `actor/4+stealing=off kill@50%`.
struct Label {
    engine: String,
    rest: String,
}

impl Label {
    fn text(&self) -> String {
        format!("{}{}", self.engine, self.rest)
    }
}

/// The engine, its node count if it has more than one here, a variant that is not the default and the faults; then
/// whatever else it takes to tell contestants apart.
fn labels(identities: &[&Identity<'_>], shared: &BTreeSet<&str>) -> Vec<String> {
    let parts: [fn(&Identity<'_>) -> String; 5] = [
        |id| format!(" {}", slots_text(id.slots)),
        |id| format!(" {}", id.cluster),
        |id| format!(" {}", id.version.unwrap_or("unknown version")),
        |id| format!(" build {}", id.build_id),
        |id| format!(" {}", id.variant),
    ];
    let mut labels: Vec<Label> = identities.iter().map(|id| plain_label(id, identities, shared)).collect();
    for part in parts {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, label) in labels.iter().enumerate() {
            groups.entry(label.text()).or_default().push(i);
        }
        for same in groups.into_values().filter(|g| g.len() > 1) {
            let added: Vec<String> = same.iter().filter_map(|i| identities.get(*i)).map(|id| part(id)).collect();
            // A part that all of them share tells nobody apart.
            if added.iter().all(|a| Some(a) == added.first()) {
                continue;
            }
            for (i, text) in same.iter().zip(&added) {
                labels.get_mut(*i).into_iter().for_each(|label| label.rest.push_str(text));
            }
        }
    }
    labels.iter().map(Label::text).collect()
}

fn plain_label(id: &Identity<'_>, all: &[&Identity<'_>], shared: &BTreeSet<&str>) -> Label {
    let several = all.iter().any(|other| other.engine == id.engine && other.nodes != id.nodes);
    let engine = if several { format!("{}/{}", id.engine, id.nodes) } else { id.engine.to_owned() };
    let own: Vec<&str> = settings(id.variant).filter(|setting| !shared.contains(setting)).collect();
    let mut rest = if own.is_empty() { String::new() } else { format!("+{}", own.join(",")) };
    if let Some(faults) = &id.faults {
        rest = format!("{rest} {faults}");
    }
    Label { engine, rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Identity<'_> = Identity {
        faults: None,
        engine: "stagedag",
        variant: "default",
        cluster: "local",
        nodes: 1,
        slots: 2,
        version: Some("1"),
        build_id: "a",
    };

    /// The labels of a field of these, and what they leave out.
    fn labels(identities: &[&Identity<'_>]) -> Vec<String> {
        super::labels(identities, &shared(identities))
    }

    #[test]
    fn what_all_have_in_common_is_in_no_label() {
        let with = |engine, variant| Identity { engine, variant, ..PLAIN };
        let (spans, tuned) = (with("stagedag", "spans=on"), with("stagedag", "config=tuned,spans=on"));
        let (other, bare) = (with("actor", "spans=on"), with("datafusion", "default"));
        assert_eq!(labels(&[&spans, &other, &tuned]), ["stagedag", "actor", "stagedag+config=tuned"]);
        assert_eq!(labels(&[&spans, &other, &bare]), ["stagedag+spans=on", "actor+spans=on", "datafusion"]);
        assert_eq!(labels(&[&spans]), ["stagedag+spans=on"], "there is nobody to share it with");
    }

    #[test]
    fn labels_are_as_short_as_telling_apart_allows() {
        let other = Identity { engine: "datafusion", ..PLAIN };
        let off = Identity { variant: "speculation=off", ..PLAIN };
        assert_eq!(labels(&[&PLAIN, &other, &off]), ["stagedag", "datafusion", "stagedag+speculation=off"]);
        let wide = Identity { slots: 8, ..PLAIN };
        assert_eq!(labels(&[&PLAIN, &wide]), ["stagedag 2 slots", "stagedag 8 slots"]);
        let rebuilt = Identity { build_id: "b", ..PLAIN };
        assert_eq!(labels(&[&PLAIN, &rebuilt, &other]), ["stagedag build a", "stagedag build b", "datafusion"]);
    }

    #[test]
    fn an_engine_on_several_node_counts_always_says_which() {
        let on = |nodes, slots| Identity { cluster: "processes", nodes, slots, ..PLAIN };
        let other = Identity { engine: "datafusion", ..PLAIN };
        let off = Identity { variant: "speculation=off", ..on(4, 1) };
        let hurt = Identity { faults: Some("kill@50%".into()), ..on(4, 1) };
        let (two, four, local) = (on(2, 1), on(4, 1), on(1, 2));
        let all = [&local, &two, &four, &PLAIN, &off, &hurt, &other];
        let wanted = [
            "stagedag/1 processes",
            "stagedag/2",
            "stagedag/4",
            "stagedag/1 local",
            "stagedag/4+speculation=off",
            "stagedag/4 kill@50%",
            "datafusion",
        ];
        assert_eq!(labels(&all), wanted);
        assert_eq!(labels(&[&four, &other]), ["stagedag", "datafusion"]);
    }
}
