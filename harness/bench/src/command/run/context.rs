//! What goes into `run.json`: read from the live engines and the live machine, never from tags.

use super::super::{identity::Identity, selection::Selection, setup};
use anyhow::{Context, Result, bail};
use bench_lab::hosted::HostedProvider;
use bench_lab::live::{EngineProvider, Failure};
use bench_lab::machine::Doctor;
use bench_lab::runner::Plan;
use bench_model::ClusterSpec;
use bench_record::{
    Build, ClusterContext, DatasetContext, EngineContext, RunContext, SCHEMA, Timestamp, WorkloadContext,
};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use twox_hash::XxHash3_64;

/// Describes a run that is about to begin.
pub(super) fn describe(
    plan: &Plan,
    selection: &Selection,
    command_line: Vec<String>,
    engines: Vec<EngineContext>,
    identity: Identity,
    doctor: Doctor,
) -> Result<RunContext> {
    Ok(RunContext {
        schema: SCHEMA,
        bench: build()?,
        suite: plan.suite.clone(),
        families: selection.families(),
        engines,
        command_line,
        protocol: plan.protocol,
        trials: plan.trials,
        seed: plan.seed,
        timeout_ns: plan.timeout.map(|t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX)),
        cluster: cluster_context(&plan.largest_cluster()),
        machine: doctor.machine,
        datasets: identity.datasets,
        workloads: identity.workloads,
        started_at: Timestamp::now(),
        resumed_at: Vec::new(),
        finished_at: None,
        warnings: doctor.limits.iter().map(ToString::to_string).collect(),
    })
}

/// A cluster as the record describes it. An emulated one says on how few cores: nobody may take it for the real thing.
fn cluster_context(cluster: &ClusterSpec) -> ClusterContext {
    let emulated = matches!(cluster, ClusterSpec::Emulated { .. })
        .then(|| format!("{} nodes emulated on {} cores", cluster.nodes(), crate::command::data::all_cores()));
    ClusterContext { name: cluster.name().to_owned(), nodes: cluster.nodes(), emulated }
}

/// A run is one build's: another one is another contestant in every report.
///
/// # Errors
/// This is not the build that the run was started with.
pub(super) fn refuse_other_build(context: &RunContext, folder: &Path) -> Result<()> {
    let (was, now) = (&context.bench, build()?);
    if now == *was {
        return Ok(());
    }
    bail!(
        "{} was started by build {} ({}), and this is build {} ({}); trials of two builds do not belong in one run: \
         continue it with that build, or start a new run",
        folder.display(),
        was.build_id,
        was.version,
        now.build_id,
        now.version
    )
}

/// Every trial of a run reads the same bytes and computes the same.
///
/// # Errors
/// A dataset or a workload that is not what it was, is gone or is new.
pub(super) fn refuse_other_work(
    datasets: &[DatasetContext],
    workloads: &[WorkloadContext],
    now: &Identity,
) -> Result<()> {
    if let Some(d) = difference(datasets, &now.datasets) {
        bail!("dataset {} is not the one this run was started with; restore it, or start a new run", d.name);
    }
    if let Some(w) = difference(workloads, &now.workloads) {
        bail!("workload {} is not the one this run was started with; restore it, or start a new run", w.name);
    }
    Ok(())
}

/// The first item that only one side has.
fn difference<'a, T: PartialEq>(before: &'a [T], now: &'a [T]) -> Option<&'a T> {
    before.iter().find(|item| !now.contains(item)).or_else(|| now.iter().find(|item| !before.contains(item)))
}

/// Starts every engine once to hear its version; `None` if the user interrupted it.
///
/// # Errors
/// An engine that does not start.
pub(super) fn engines(plan: &Plan, provider: &HostedProvider, stop: &AtomicBool) -> Result<Option<Vec<EngineContext>>> {
    let mut engines = Vec::with_capacity(plan.engines.len());
    for spec in &plan.engines {
        let live = match provider.start(spec, stop) {
            Ok(live) => live,
            Err(Failure::Interrupted) => return Ok(None),
            Err(failure) => bail!("engine {} does not start: {failure}", spec.name),
        };
        engines.push(setup::context_of(spec, live.version().to_owned()));
        live.stop();
    }
    Ok((!stop.load(Ordering::Relaxed)).then_some(engines))
}

/// This build: its version, and a hash of the running executable.
fn build() -> Result<Build> {
    let program = std::env::current_exe().and_then(std::fs::read).context("cannot read this program's own file")?;
    let build_id = format!("{:016x}", XxHash3_64::oneshot(&program));
    Ok(Build { version: env!("CARGO_PKG_VERSION").to_owned(), build_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str, checksum: &str) -> DatasetContext {
        DatasetContext { name: name.into(), derived_from: None, rows: 1, bytes: 1, checksum: checksum.into() }
    }

    fn work(name: &str, checksum: &str) -> WorkloadContext {
        WorkloadContext { name: name.into(), checksum: checksum.into() }
    }

    #[test]
    fn a_run_goes_on_only_over_the_same_data_and_programs() {
        let before = Identity { datasets: vec![data("d", "1")], workloads: vec![work("q", "1"), work("r", "1")] };
        let check = |now: &Identity| refuse_other_work(&before.datasets, &before.workloads, now);
        assert!(check(&before).is_ok());
        type Change = fn(&mut Identity);
        let changes: [(Change, &str); 5] = [
            (|i| i.datasets[0].checksum = "2".into(), "dataset d"),
            (|i| i.datasets.push(data("e", "1")), "dataset e"),
            (|i| i.workloads[1].checksum = "2".into(), "workload r"),
            (|i| i.workloads.truncate(1), "workload r"),
            (|i| i.workloads.push(work("s", "1")), "workload s"),
        ];
        for (change, named) in changes {
            let mut now = before.clone();
            change(&mut now);
            let said = check(&now).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{named} is not the one")), "{said}");
        }
    }
}
