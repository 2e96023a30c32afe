//! What goes into `run.json`: read from the live engines and the live machine, never from tags.

use super::super::{selection::Selection, setup};
use crate::cli::run::RunArgs;
use anyhow::{Context, Result, anyhow};
use bench_lab::hosted::HostedProvider;
use bench_lab::live::EngineProvider;
use bench_lab::machine::Doctor;
use bench_lab::runner::Plan;
use bench_record::{Build, ClusterContext, DatasetContext, EngineContext, RunContext, SCHEMA, Timestamp};
use std::sync::atomic::AtomicBool;
use twox_hash::XxHash3_64;

/// Describes a run that is about to begin. Starts every engine once to hear its version.
pub(super) fn describe(
    args: &RunArgs,
    plan: &Plan,
    selection: &Selection,
    datasets: Vec<DatasetContext>,
    doctor: Doctor,
    provider: &HostedProvider,
) -> Result<RunContext> {
    Ok(RunContext {
        schema: SCHEMA,
        bench: build()?,
        suite: plan.suite.clone(),
        families: selection.families(),
        engines: engines(plan, provider)?,
        command_line: command_line(args),
        protocol: plan.protocol,
        trials: plan.trials,
        seed: plan.seed,
        timeout_ns: plan.timeout.map(|t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX)),
        cluster: ClusterContext { name: plan.cluster.clone(), nodes: plan.nodes, emulated: None },
        machine: doctor.machine,
        datasets,
        started_at: Timestamp::now(),
        resumed_at: Vec::new(),
        finished_at: None,
        warnings: doctor.limits.iter().map(ToString::to_string).collect(),
    })
}

/// Marks that the run goes on, and warns if another build does it.
pub(super) fn note_resumption(context: &mut RunContext) -> Result<()> {
    let now = build()?;
    if now != context.bench {
        let warning =
            format!("continued by another build ({} {}): do not compare its trials", now.version, now.build_id);
        eprintln!("warning: {warning}");
        context.warnings.push(warning);
    }
    context.resumed_at.push(Timestamp::now());
    Ok(())
}

fn engines(plan: &Plan, provider: &HostedProvider) -> Result<Vec<EngineContext>> {
    let never = AtomicBool::new(false);
    let mut engines = Vec::with_capacity(plan.engines.len());
    for spec in &plan.engines {
        let live = provider.start(spec, &never).map_err(|e| anyhow!("engine {} does not start: {e}", spec.name))?;
        engines.push(setup::context_of(spec, live.version().to_owned()));
        live.stop();
    }
    Ok(engines)
}

/// This build: its version, and a hash of the running executable.
fn build() -> Result<Build> {
    let program = std::env::current_exe().and_then(std::fs::read).context("cannot read this program's own file")?;
    let build_id = format!("{:016x}", XxHash3_64::oneshot(&program));
    Ok(Build { version: env!("CARGO_PKG_VERSION").to_owned(), build_id })
}

/// The command line with what came from the environment spelled out, so that it can be given again as it is.
fn command_line(args: &RunArgs) -> Vec<String> {
    let mut line: Vec<String> = std::env::args().collect();
    if let Some(program) = line.first_mut() {
        "bench".clone_into(program);
    }
    if !line.iter().any(|word| word == "--data" || word.starts_with("--data=")) {
        line.extend(["--data".to_owned(), args.data.path.display().to_string()]);
    }
    line
}
