//! What engines cost before they do any work, as a run of the same kind as all others: each figure is a workload, each trial,
//! which has processes of its own, an observation. So claims hold it against each other by the rules they have.

use super::CompareError;
use crate::overhead::{Figure, OverheadEngine, Trial, Unit, by_trial, subjects, trial};
use bench_record::{
    Arm, Case, ClusterContext, EngineContext, Family, Observation, Outcome, OverheadRun, OverheadSample,
    OverheadSubject, Protocol, Run, RunContext, SCHEMA, Tuning,
};
use std::collections::BTreeMap;
use std::path::Path;

/// What its suite is called.
const SUITE: &str = "overhead";
const SECOND: f64 = 1e9;
const GIGABYTE: f64 = 1e9;

/// Refuses a folder that is given twice.
pub(super) fn all_different(all: &[OverheadRun]) -> Result<(), CompareError> {
    let identity = |run: &OverheadRun| {
        let c = &run.context;
        (c.started_at, c.bench.clone(), c.machine.key(), c.command_line.clone())
    };
    for (at, again) in all.iter().enumerate() {
        if let Some(first) = all.iter().take(at).find(|first| identity(first) == identity(again)) {
            let folder = |run: &OverheadRun| run.path.display().to_string();
            let started_at = again.context.started_at.to_string();
            return Err(CompareError::SameRun { first: folder(first), again: folder(again), started_at });
        }
    }
    Ok(())
}

/// A record as a run. Times are nanoseconds (of tasks that were submitted all at once, of one of them; of bytes, of a thousand million), and
/// memory is the peak of an engine that has nothing to do.
pub(crate) fn as_run(run: &OverheadRun) -> Run {
    let mut observations = Vec::new();
    let mut engines: Vec<EngineContext> = Vec::new();
    for subject in subjects(run) {
        let own: Vec<&OverheadSample> = run.samples.iter().filter(|s| s.subject == *subject).collect();
        let known = engines
            .iter()
            .any(|e| (&e.name, &e.variant, e.slots) == (&subject.engine, &subject.variant, subject.slots));
        if !known {
            engines.push(engine(subject, &own));
        }
        for figure in Figure::ALL {
            for (number, samples) in by_trial(figure, &own) {
                observations.extend(observation(figure, subject, number, &samples));
            }
        }
    }
    Run { path: run.path.clone(), context: context(run, engines), observations, torn_bytes: 0, blocking: Vec::new() }
}

/// None of what took no time, or was cut short.
fn observation(
    figure: Figure,
    subject: &OverheadSubject,
    number: u32,
    samples: &[&OverheadSample],
) -> Option<Observation> {
    let started_at = samples.iter().map(|s| s.started_at).min()?;
    let case = case(subject, figure);
    let new = |outcome: Outcome| Observation::new(case.clone(), Arm::Main, number, outcome, started_at);
    match trial(figure, samples)? {
        Trial::Ended(outcome, reason) => Some(Observation { reason: Some(reason), ..new(outcome) }),
        Trial::Value { value, contaminated } => {
            let whole = |value: f64| (value.round() as u64).max(1);
            let (wall_ns, rss_bytes_peak) = match figure.unit() {
                Unit::Ns if value > 0.0 => (Some(whole(value)), None),
                Unit::PerSecond if value > 0.0 => (Some(whole(SECOND / value)), None),
                Unit::BytesPerSecond if value > 0.0 => (Some(whole(GIGABYTE * SECOND / value)), None),
                Unit::Bytes => (None, Some(whole(value))),
                Unit::Ns | Unit::PerSecond | Unit::BytesPerSecond => return None,
            };
            Some(Observation { wall_ns, rss_bytes_peak, contaminated, ..new(Outcome::Completed) })
        }
    }
}

fn case(subject: &OverheadSubject, figure: Figure) -> Case {
    Case {
        suite: SUITE.to_owned(),
        family: Family::Overhead,
        workload: figure.name().to_owned(),
        engine: subject.engine.clone(),
        variant: subject.variant.clone(),
        cluster: subject.cluster.clone(),
        nodes: subject.nodes,
        slots: subject.slots,
        protocol: Protocol::ColdProcess,
        scale: 1,
    }
}

fn engine(subject: &OverheadSubject, own: &[&OverheadSample]) -> EngineContext {
    EngineContext {
        name: subject.engine.clone(),
        variant: subject.variant.clone(),
        version: own.iter().find_map(|s| s.version.clone()).unwrap_or_else(|| "unknown".to_owned()),
        slots: subject.slots,
        memory_bytes: subject.memory_bytes.map(bench_record::Bytes::get),
        tuning: Tuning::default(),
        settings: BTreeMap::new(),
    }
}

fn context(run: &OverheadRun, engines: Vec<EngineContext>) -> RunContext {
    let c = &run.context;
    RunContext {
        schema: SCHEMA,
        bench: c.bench.clone(),
        suite: SUITE.to_owned(),
        families: vec![Family::Overhead],
        engines,
        command_line: c.command_line.clone(),
        protocol: Protocol::ColdProcess,
        trials: c.trials,
        seed: 0,
        timeout_ns: None,
        cluster: ClusterContext::local(),
        machine: c.machine.clone(),
        datasets: Vec::new(),
        workloads: Vec::new(),
        started_at: c.started_at,
        resumed_at: Vec::new(),
        finished_at: c.finished_at,
        warnings: c.warnings.clone(),
    }
}

/// Where the samples of a case are: the file, and how its lines are told from others.
pub(super) fn recorded(folder: &Path, observation: &Observation) -> (String, String) {
    let Case { engine, variant, workload, cluster, nodes, .. } = &observation.case;
    let file = folder.join(bench_record::SAMPLES_FILE).display().to_string();
    (file, key(&format!("{engine} {variant}"), cluster, *nodes, workload))
}

/// What the trials of each figure of an engine are told by.
pub(crate) fn keys(engine: &OverheadEngine) -> impl Iterator<Item = String> {
    let who = format!("{} {}", engine.engine, engine.variant);
    engine.figures.iter().map(move |cell| key(&who, &engine.cluster, engine.nodes, cell.figure.name()))
}

fn key(who: &str, cluster: &str, nodes: u32, figure: &str) -> String {
    format!("{who} {cluster} x {nodes}: {figure}")
}
