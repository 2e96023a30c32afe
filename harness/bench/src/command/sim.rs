//! `bench sim`: a style's machines in virtual time, hurt by seeded faults.

use super::{say, say_json};
use crate::cli::exit;
use crate::cli::sim::{SeedRow, SimArgs};
use crate::interrupt;
use crate::progress::{bar, complain, tell};
use anyhow::{Context, Result, bail};
use bench_actor::Actor;
use bench_model::Style;
use bench_sim::{FuzzReport, Sim, SimOptions, fuzz_until, trace_seed, zero_work_graphs};
use bench_stagedag::StageDag;
use bench_taskgraph::TaskGraph;
use std::ops::Range;
use std::sync::Arc;
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
    if args.throughput {
        return throughput(style, args.output.json);
    }
    let seeds = seeds(args)?;
    let threads = super::data::all_cores().get();
    let options = SimOptions { threads, sizes: args.nodes.clone(), ..SimOptions::default() };
    if args.trace {
        return trace(style, seeds.start, &options);
    }
    let total = seeds.end - seeds.start;
    let progress = bar("{bar:24} {pos}/{len} seeds, {per_sec}, {eta} left");
    progress.set_length(total);
    let started = Instant::now();
    let stop = interrupt::flag();
    let report = fuzz_until(style, seeds.clone(), &options, &stop, |done| {
        progress.set_position(done);
        // A bar is for terminals; a log should show life too.
        if progress.is_hidden() && done.is_multiple_of(LOGGED_SEEDS) {
            let rate = done as f64 / started.elapsed().as_secs_f64();
            tell(&format!("{}: {done} of {total} seeds, {rate:.0} per second", style.name()));
        }
    });
    progress.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    if args.output.json {
        say_json(&json(&report, seconds))?
    } else {
        say(&text(style, &report, &options, seconds))?
    }
    if report.seeds < total && report.failures.is_empty() {
        let (next, last) = (seeds.start + report.seeds, seeds.end - 1);
        let instead = if args.seed.is_some() { " and without --seed" } else { "" };
        complain(&format!("interrupted; the same command with --seeds {next}..{last}{instead} runs the rest"));
        return Ok(exit::INTERRUPTED);
    }
    Ok(if report.failures.is_empty() { exit::FINE } else { exit::ERROR })
}

/// After so many seeds a log is told how far it is.
const LOGGED_SEEDS: u64 = 50_000;

fn seeds(args: &SimArgs) -> Result<Range<u64>> {
    match (args.seed, args.seeds) {
        (Some(_), Some(SeedRow::Range { .. })) => {
            bail!("--seed and a row of --seeds both say where to start; give one of them")
        }
        (None, Some(SeedRow::Range { first, last })) => Ok(first..last + 1),
        (first, count) => {
            let first = first.unwrap_or_default();
            let count = count.map_or(1, |row| match row {
                SeedRow::Count(n) => n.get(),
                SeedRow::Range { .. } => 1,
            });
            first.checked_add(count).map(|end| first..end).context("--seed is too large for so many --seeds")
        }
    }
}

/// The fastest of so many runs counts: whatever else the machine does makes a run slower and never faster.
const THROUGHPUT_RUNS: usize = 5;

/// How fast one core simulates.
fn throughput<S: Style>(style: &S, json: bool) -> Result<u8> {
    let mut rows = Vec::new();
    for (name, graph) in zero_work_graphs() {
        let (mut events, mut events_per_s) = (0, 0.0f64);
        for _ in 0..THROUGHPUT_RUNS {
            let mut sim = Sim::with_graphs(style, 7, &SimOptions::undisturbed(), vec![Arc::clone(&graph)])?;
            let started = Instant::now();
            events = sim.run()?.events;
            events_per_s = events_per_s.max(events as f64 / started.elapsed().as_secs_f64());
        }
        rows.push((name, events, events_per_s));
    }
    if json {
        let row = |(name, events, per_s): &(&str, u64, f64)| serde_json::json!({ "style": style.name(), "graph": name, "events": events, "events_per_s": per_s });
        say_json(&rows.iter().map(row).collect::<Vec<_>>())?;
    } else {
        for (name, events, events_per_s) in rows {
            say(&format!("{:<10} {name:<10} {events:>8} events, {events_per_s:>10.0} per second", style.name()))?;
        }
    }
    Ok(exit::FINE)
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

fn text<S: Style>(style: &S, report: &FuzzReport, options: &SimOptions, seconds: f64) -> String {
    let mut lines = vec![format!(
        "{}: {} seeds in {seconds:.1} s ({:.0} per second), {} events ({:.0} per second), {} attempts; {} jobs answered, {} \
         ended with a justified error",
        style.name(),
        report.seeds,
        report.seeds as f64 / seconds,
        report.events,
        report.events as f64 / seconds,
        report.attempts,
        report.answered,
        report.failed
    )];
    lines.push(format!("replanned {} times, speculated {} times; faults fired:", report.replanned, report.speculated));
    lines.extend(report.fired.iter().map(|(kind, times)| format!("  {:<20} {times}", kind.name())));
    for failure in &report.failures {
        lines.push(format!("FAILED {failure}"));
        let nodes = options.size_of(failure.seed).map_or_else(String::new, |n| format!(" --nodes {n}"));
        lines.push(format!("  replay: bench sim --style {} --seed {}{nodes} --trace", style.name(), failure.seed));
    }
    lines.join("\n")
}

fn json(report: &FuzzReport, seconds: f64) -> serde_json::Value {
    let fired: serde_json::Map<_, _> =
        report.fired.iter().map(|(kind, times)| (kind.name().to_owned(), (*times).into())).collect();
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|f| serde_json::json!({ "seed": f.seed, "event": f.event, "trouble": f.trouble.to_string() }))
        .collect();
    serde_json::json!({
        "seeds": report.seeds, "seconds": seconds, "events": report.events,
        "events_per_s": report.events as f64 / seconds, "attempts": report.attempts,
        "answered": report.answered, "failed": report.failed, "replanned": report.replanned,
        "speculated": report.speculated, "fired": fired, "failures": failures,
    })
}
