//! `bench sim`: a style's machines in virtual time, hurt by seeded faults.

use super::{say, say_json};
use crate::cli::exit;
use crate::cli::sim::SimArgs;
use crate::progress::bar;
use anyhow::{Result, bail};
use bench_actor::Actor;
use bench_model::Style;
use bench_sim::{FuzzReport, SimOptions, fuzz, trace_seed};
use bench_stagedag::StageDag;
use bench_taskgraph::TaskGraph;
use std::time::Instant;

pub(super) fn sim(args: &SimArgs) -> Result<u8> {
    match args.style.as_str() {
        "actor" => simulate(&Actor, args),
        "taskgraph" => simulate(&TaskGraph::default(), args),
        "stagedag" => simulate(&StageDag, args),
        other => bail!("unknown style `{other}`; known: actor, taskgraph, stagedag"),
    }
}

fn simulate<S: Style>(style: &S, args: &SimArgs) -> Result<u8> {
    let standard = SimOptions::default();
    let nodes = args.nodes.unwrap_or(standard.nodes);
    let options = SimOptions { threads: super::data::all_cores().get(), nodes, ..standard };
    if args.trace {
        return trace(style, args.seed, &options);
    }
    let progress = bar("{bar:24} {pos}/{len} seeds, {per_sec}, {eta} left");
    progress.set_length(args.seeds);
    let started = Instant::now();
    let report =
        fuzz(style, args.seed..args.seed.saturating_add(args.seeds), &options, |done| progress.set_position(done));
    progress.finish_and_clear();
    let events_per_s = report.events as f64 / started.elapsed().as_secs_f64();
    if args.output.json {
        say_json(&json(&report, events_per_s))?
    } else {
        say(&text(style, &report, events_per_s))?
    }
    Ok(if report.failures.is_empty() { exit::FINE } else { exit::ERROR })
}

/// One seed, event by event.
fn trace<S: Style>(style: &S, seed: u64, options: &SimOptions) -> Result<u8> {
    let (trace, result) = trace_seed(style, seed, options);
    say(&trace)?;
    match result {
        Ok(summary) => {
            say(&format!("seed {seed}: {} jobs answered after {}", summary.answered, summary.makespan))?;
            Ok(exit::FINE)
        }
        Err(failure) => {
            say(&failure.to_string())?;
            Ok(exit::ERROR)
        }
    }
}

fn text<S: Style>(style: &S, report: &FuzzReport, events_per_s: f64) -> String {
    let mut lines = vec![format!(
        "{}: {} seeds, {} events ({events_per_s:.0} per second), {} attempts; {} jobs answered, {} ended with a justified error",
        style.name(),
        report.seeds,
        report.events,
        report.attempts,
        report.answered,
        report.failed
    )];
    lines.push(format!("replanned {} times, speculated {} times; faults fired:", report.replanned, report.speculated));
    lines.extend(report.fired.iter().map(|(kind, times)| format!("  {:<20} {times}", kind.name())));
    for failure in &report.failures {
        lines.push(format!("FAILED {failure}"));
        lines.push(format!("  replay: bench sim --style {} --seed {} --trace", style.name(), failure.seed));
    }
    lines.join("\n")
}

fn json(report: &FuzzReport, events_per_s: f64) -> serde_json::Value {
    let fired: serde_json::Map<_, _> =
        report.fired.iter().map(|(kind, times)| (kind.name().to_owned(), (*times).into())).collect();
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|f| serde_json::json!({ "seed": f.seed, "event": f.event, "trouble": f.trouble.to_string() }))
        .collect();
    serde_json::json!({
        "seeds": report.seeds, "events": report.events, "events_per_s": events_per_s, "attempts": report.attempts,
        "answered": report.answered, "failed": report.failed, "replanned": report.replanned,
        "speculated": report.speculated, "fired": fired, "failures": failures,
    })
}
