//! What may not be compared: other machines, protocols, data, programs or faults, and a run with itself.

use super::Cases;
use super::sides::EngineChange;
use crate::compare::planned;
use bench_record::{Case, EngineContext, Run, RunContext};
use std::collections::BTreeSet;

/// Why there is no gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A side without a run.
    #[error("no run given as {0}; name a folder that `bench run` wrote")]
    NoRuns(&'static str),
    /// A run and itself, or a copy of it.
    #[error("{first} and {again} are the same run, started {started_at}; a run cannot be compared with itself")]
    SameRun {
        /// Its folder.
        first: String,
        /// Its folder, once more.
        again: String,
        /// When it began.
        started_at: String,
    },
    /// A run without its end.
    #[error(
        "{0} is not finished: its trials are those that came first, not those that were planned; continue it with bench run \
         --resume {0}"
    )]
    Unfinished(String),
    /// Two versions or set-ups of an engine on one side.
    #[error(
        "{first} and {other} are of one side and differ: {difference}; each side of a comparison is one set of programs"
    )]
    TwoEngines {
        /// A folder.
        first: String,
        /// A folder of another version.
        other: String,
        /// What differs.
        difference: String,
    },
    /// Two builds on one side.
    #[error("{first} and {other} are runs of two builds ({builds}); each side of a comparison is one build")]
    TwoBuilds {
        /// A folder.
        first: String,
        /// A folder of another build.
        other: String,
        /// The builds.
        builds: String,
    },
    /// Two machines.
    #[error(
        "{base} ran on machine {base_machine} and {new} on machine {new_machine}: times of two machines are not compared; run \
         both on one, or compare what engines take relative to one of them with --relative-to"
    )]
    Machines {
        /// A folder.
        base: String,
        /// Its machine.
        base_machine: String,
        /// A folder of another machine.
        new: String,
        /// Its machine.
        new_machine: String,
    },
    /// Other data, programs or machines of nodes.
    #[error("{base} and {new} are not comparable: {difference}; make both runs from the same tables and workloads")]
    Different {
        /// A folder.
        base: String,
        /// Another.
        new: String,
        /// What differs.
        difference: String,
    },
    /// Other faults.
    #[error(
        "{base} ran with faults {base_faults} and {new} with {new_faults}; times under different faults are not compared"
    )]
    Faults {
        /// A folder.
        base: String,
        /// Its faults.
        base_faults: String,
        /// Another.
        new: String,
        /// Its faults.
        new_faults: String,
    },
    /// No case is in both.
    #[error("{base} and {new} have no case in common: {why}")]
    NothingCommon {
        /// A folder.
        base: String,
        /// Another.
        new: String,
        /// What keeps them apart.
        why: String,
    },
    /// Nobody of that name took part.
    #[error("--relative-to `{engine}` has no completed trial in {run}; it can be one of {known}")]
    NoReference {
        /// What was asked for.
        engine: String,
        /// Where it is absent.
        run: String,
        /// Who took part there.
        known: String,
    },
}

/// Refuses runs whose times do not belong together.
pub(super) fn incomparable(base: &[Run], new: &[Run], reference: Option<&str>) -> Result<(), GateError> {
    let (Some(first), Some(_)) = (base.first(), new.first()) else {
        return Err(GateError::NoRuns(if base.is_empty() { "BASE" } else { "NEW" }));
    };
    let all: Vec<&Run> = base.iter().chain(new).collect();
    for (at, again) in all.iter().enumerate() {
        if let Some(first) = all.iter().take(at).find(|first| is_same(first, again)) {
            let started_at = again.context.started_at.to_string();
            return Err(GateError::SameRun { first: folder(first), again: folder(again), started_at });
        }
    }
    if let Some(run) = all.iter().find(|run| run.context.finished_at.is_none()) {
        return Err(GateError::Unfinished(folder(run)));
    }
    for side in [base, new] {
        one_build(side)?;
        one_set_of_engines(side)?;
    }
    for run in all.iter().skip(1) {
        let machines = (first.context.machine.key(), run.context.machine.key());
        if machines.0 != machines.1 && reference.is_none() {
            let (base_machine, new_machine) = machines;
            return Err(GateError::Machines { base: folder(first), base_machine, new: folder(run), new_machine });
        }
        if let Some(difference) = first.context.difference(&run.context) {
            let difference = difference.to_string();
            return Err(GateError::Different { base: folder(first), new: folder(run), difference });
        }
        let faults = (planned(first), planned(run));
        if faults.0 != faults.1 {
            let told = |faults: Option<String>| faults.unwrap_or_else(|| "none".to_owned());
            let (base_faults, new_faults) = (told(faults.0), told(faults.1));
            return Err(GateError::Faults { base: folder(first), base_faults, new: folder(run), new_faults });
        }
    }
    reference.map_or(Ok(()), |engine| all.iter().try_for_each(|run| took_part(run, engine)))
}

fn took_part(run: &Run, engine: &str) -> Result<(), GateError> {
    if run.observations.iter().any(|o| o.case.engine == engine && o.wall_ns.is_some()) {
        return Ok(());
    }
    let known: BTreeSet<&str> = run.observations.iter().map(|o| o.case.engine.as_str()).collect();
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    Err(GateError::NoReference { engine: engine.to_owned(), run: folder(run), known })
}

fn one_build(runs: &[Run]) -> Result<(), GateError> {
    let Some(first) = runs.first() else { return Ok(()) };
    match runs.iter().find(|run| run.context.bench.build_id != first.context.bench.build_id) {
        None => Ok(()),
        Some(other) => {
            let builds = format!("{} and {}", first.context.bench.build_id, other.context.bench.build_id);
            Err(GateError::TwoBuilds { first: folder(first), other: folder(other), builds })
        }
    }
}

fn one_set_of_engines(runs: &[Run]) -> Result<(), GateError> {
    let Some(first) = runs.first() else { return Ok(()) };
    let apart = runs.iter().find_map(|run| Some((run, changed(first, run).into_iter().next()?)));
    apart.map_or(Ok(()), |(other, change)| {
        let difference = change.words();
        Err(GateError::TwoEngines { first: folder(first), other: folder(other), difference })
    })
}

/// Engines of both runs that are another version or set up in another way in the second. What only one of them has is no difference.
pub(super) fn changed(base: &Run, new: &Run) -> Vec<EngineChange> {
    let both = base.context.engines.iter().filter_map(|e| Some((e, new.context.engine(&e.name, &e.variant, e.slots)?)));
    let change = |(old, now): (&EngineContext, &EngineContext)| {
        let mut settings: Vec<String> = Vec::new();
        let names: BTreeSet<&String> = old.settings.keys().chain(now.settings.keys()).collect();
        for name in names {
            let value = |e: &EngineContext| e.settings.get(name).cloned().unwrap_or_else(|| "not set".to_owned());
            if value(old) != value(now) {
                settings.push(format!("{name}: {}, {}", value(old), value(now)));
            }
        }
        if old.tuning != now.tuning {
            settings.push("its switches".to_owned());
        }
        if old.memory_bytes != now.memory_bytes {
            settings.push("its memory".to_owned());
        }
        let variant = if old.variant == Case::DEFAULT_VARIANT { String::new() } else { format!("+{}", old.variant) };
        let (base, new) = (old.version.clone(), now.version.clone());
        (base != new || !settings.is_empty()).then(|| EngineChange {
            engine: format!("{}{variant}", old.name),
            base,
            new,
            settings,
        })
    };
    both.filter_map(change).collect()
}

fn is_same(a: &Run, b: &Run) -> bool {
    let identity = |r: &Run| (r.context.started_at, r.context.bench.clone(), r.context.seed, r.context.suite.clone());
    identity(a) == identity(b) && a.context.machine.key() == b.context.machine.key()
}

fn folder(run: &Run) -> String {
    run.path.display().to_string()
}

/// Refuses a run that is only planned where its times could not be compared.
pub(super) fn planned_apart(base: &[Run], context: &RunContext) -> Result<(), GateError> {
    let finished_at = context.finished_at.or(Some(context.started_at));
    let planned = Run {
        path: "the planned run".into(),
        context: RunContext { finished_at, ..context.clone() },
        observations: Vec::new(),
        torn_bytes: 0,
        blocking: Vec::new(),
    };
    incomparable(base, std::slice::from_ref(&planned), None)?;
    let Some(first) = base.first() else { return Ok(()) };
    let (old, now) = (&first.context, context);
    let engines = |c: &RunContext| -> BTreeSet<String> { c.engines.iter().map(|e| e.name.clone()).collect() };
    let (ours, theirs) = (engines(old), engines(now));
    let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    let apart = [
        (old.suite != now.suite, "suite", old.suite.clone(), now.suite.clone()),
        (old.protocol != now.protocol, "protocol", old.protocol.to_string(), now.protocol.to_string()),
        (ours.is_disjoint(&theirs), "engine", list(&ours), list(&theirs)),
    ];
    match apart.into_iter().find(|(differs, ..)| *differs) {
        None => Ok(()),
        Some((_, what, ours, theirs)) => {
            let why = format!("they differ in {what}: {ours} and {theirs}");
            Err(GateError::NothingCommon { base: folder(first), new: folder(&planned), why })
        }
    }
}

/// What a case has in one respect.
type PartOf = fn(&Case) -> String;

/// Refuses sides that share no case, and says what keeps them apart.
pub(super) fn nothing_common(old: &Cases, fresh: &Cases, base: &[Run], new: &[Run]) -> Result<(), GateError> {
    if old.keys().any(|case| fresh.contains_key(case)) {
        return Ok(());
    }
    let parts: [(&str, PartOf); 5] = [
        ("protocol", |c| c.protocol.to_string()),
        ("suite", |c| c.suite.clone()),
        ("workload", |c| c.workload.clone()),
        ("engine", |c| c.engine.clone()),
        ("cluster, nodes, slots or variant", |c| format!("{} {}x{} {}", c.cluster, c.nodes, c.slots, c.variant)),
    ];
    let apart = parts.iter().find_map(|(name, part)| {
        let set = |cases: &Cases| cases.keys().map(part).collect::<BTreeSet<String>>();
        let (ours, theirs) = (set(old), set(fresh));
        let list = |set: &BTreeSet<String>| match set.len() {
            0 => "nothing recorded".to_owned(),
            _ => set.iter().take(4).cloned().collect::<Vec<_>>().join(", "),
        };
        ours.is_disjoint(&theirs).then(|| format!("they differ in {name}: {} and {}", list(&ours), list(&theirs)))
    });
    let why = apart.unwrap_or_else(|| "no workload was run by the same engine in the same way in both".to_owned());
    let name = |runs: &[Run]| runs.first().map(folder).unwrap_or_default();
    Err(GateError::NothingCommon { base: name(base), new: name(new), why })
}
