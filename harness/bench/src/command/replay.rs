//! `bench replay`: what a run's cases would have taken without one kind of blocking.

use super::{say, say_json};
use crate::cli::exit;
use crate::cli::replay::ReplayArgs;
use crate::engines;
use anyhow::{Context, Result, bail};
use bench_model::{Blocking, JobTrace, SpanKind, TRACE_SCHEMA};
use bench_record::{CaseBlocking, Observation, Outcome, Run};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn replay(args: &ReplayArgs) -> Result<u8> {
    let run = Run::load(&args.folder)?;
    let cases = replay_all(&args.folder, &run.observations)?;
    if cases.is_empty() {
        bail!("{} has no traces; `bench run --spans` leaves them", args.folder.display());
    }
    if args.output.json {
        say_json(&cases)?;
    } else {
        for case in &cases {
            say(&line(case))?;
        }
    }
    Ok(exit::FINE)
}

/// Plays every trace in a run's folder again and keeps there what comes out.
///
/// # Errors
/// A trace that cannot be read, or the disk.
pub(super) fn replay_all(folder: &Path, observations: &[Observation]) -> Result<Vec<CaseBlocking>> {
    let mut cases = Vec::new();
    for path in bench_record::traces(folder)? {
        let key = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let of_case = |o: &&Observation| o.outcome == Outcome::Completed && o.key.to_string() == key;
        let Some(trial) = observations.iter().find(of_case) else { continue };
        cases.push(replay_case(trial, &read(&path)?));
    }
    if !cases.is_empty() {
        bench_record::write_blocking(folder, &cases)?;
    }
    Ok(cases)
}

fn read(path: &Path) -> Result<JobTrace> {
    let trace: JobTrace = serde_json::from_slice(&bench_record::read_trace(path)?)
        .with_context(|| format!("{} is not a trace; delete it", path.display()))?;
    if trace.schema > TRACE_SCHEMA {
        bail!("{}: schema {} is newer than {TRACE_SCHEMA}; use the build that wrote it", path.display(), trace.schema);
    }
    Ok(trace)
}

fn replay_case(trial: &Observation, trace: &JobTrace) -> CaseBlocking {
    let mut case = CaseBlocking {
        key: trial.key.clone(),
        case: trial.case.clone(),
        measured_ns: trace.spans.makespan_ns,
        replayed_ns: None,
        reason: None,
        without_ns: BTreeMap::new(),
    };
    match engines::replay(trace, None) {
        Ok(replayed) => case.replayed_ns = Some(replayed),
        Err(why) => case.reason = Some(why.to_string()),
    }
    if case.is_faithful() {
        let present = Blocking::ALL.iter().filter(|kind| is_present(trace, **kind));
        // What cannot be played without a kind of blocking has no number for it.
        let without = present.filter_map(|kind| Some((*kind, engines::replay(trace, Some(*kind)).ok()?)));
        case.without_ns = without.collect();
    }
    case
}

/// Whether anything was spent on a kind.
fn is_present(trace: &JobTrace, kind: Blocking) -> bool {
    let spent = |span: &SpanKind| trace.spans.by_kind_ns.get(span).is_some_and(|ns| ns.get() > 0);
    match kind {
        Blocking::Planning | Blocking::Straggler | Blocking::Barrier | Blocking::Report => true,
        Blocking::Scheduling => spent(&SpanKind::Schedule),
        Blocking::Spill => trace.spills > 0 || SpanKind::ALL.iter().any(|span| kind.covers(*span) && spent(span)),
        Blocking::FetchRemote => trace.copied.bytes.get() > 0 || spent(&SpanKind::FetchRemote),
        Blocking::FetchLocal | Blocking::ShuffleWrite => {
            SpanKind::ALL.iter().any(|span| kind.covers(*span) && spent(span))
        }
    }
}

/// A case on one line.
fn line(case: &CaseBlocking) -> String {
    let who = format!("{:<15} {:<10} {}", case.case.workload, case.case.engine, case.measured_ns);
    let (Some(replayed), Some(error)) = (case.replayed_ns, case.error()) else {
        return format!("{who}, not played again: {}", case.reason.as_deref().unwrap_or("it took no time"));
    };
    let head = format!("{who}, played again {replayed} ({:+.1} %)", error * 100.0);
    let saved = |(kind, ns): (&Blocking, &bench_model::Nanos)| {
        let share = 1.0 - ns.get() as f64 / replayed.get().max(1) as f64;
        format!("{} {:.1} %", kind.name(), share * 100.0)
    };
    let saved: Vec<String> = case.without_ns.iter().map(saved).collect();
    if saved.is_empty() { format!("{head}: too far off") } else { format!("{head}; without {}", saved.join(", ")) }
}
