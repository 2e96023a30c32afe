//! What goes into `run.json`: read from the live engines and the live machine, never from tags.

use super::super::{identity::Identity, setup};
use super::parts::Ready;
use crate::build_id::build;
use crate::products::Provider;
use crate::progress::tell;
use anyhow::{Context, Result, bail};
use bench_lab::cluster::ClusterLauncher;
use bench_lab::live::{EngineProvider, EngineSpec, Failure};
use bench_lab::machine::Doctor;
use bench_lab::runner::Plan;
use bench_model::{ClusterSpec, Family};
use bench_record::{
    ClusterContext, DatasetContext, EngineContext, NodeMachine, RunContext, SCHEMA, Timestamp, WorkloadContext,
};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Describes a run that is about to begin.
///
/// # Errors
/// This program's own file cannot be read, or there is nothing to run.
pub(super) fn describe(
    ready: &Ready,
    command_line: Vec<String>,
    engines: Vec<EngineContext>,
    doctor: Doctor,
) -> Result<RunContext> {
    let plans = &ready.plans;
    let first = plans.first().context("nothing to run; give --suite NAME or --workload-dir DIR")?;
    let has = |family: &Family| plans.iter().flat_map(|p| &p.workloads).any(|w| w.family == *family);
    let largest = plans.iter().map(Plan::largest_cluster).max_by_key(ClusterSpec::nodes).unwrap_or_default();
    Ok(RunContext {
        schema: SCHEMA,
        bench: build()?,
        suite: first.suite.clone(),
        families: Family::ALL.into_iter().filter(has).collect(),
        engines,
        command_line,
        protocol: first.protocol,
        trials: first.trials,
        seed: first.seed,
        timeout_ns: first.timeout.map(|t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX)),
        cluster: cluster_context(&largest, &ready.machines.nodes),
        machine: doctor.machine,
        datasets: ready.identity.datasets.clone(),
        workloads: ready.identity.workloads.clone(),
        started_at: Timestamp::now(),
        resumed_at: Vec::new(),
        finished_at: None,
        warnings: doctor.limits.iter().map(ToString::to_string).collect(),
    })
}

/// A cluster as the record describes it. An emulated one says on how few cores: nobody may take it for the real thing.
fn cluster_context(cluster: &ClusterSpec, nodes: &[NodeMachine]) -> ClusterContext {
    let emulated = matches!(cluster, ClusterSpec::Emulated { .. })
        .then(|| format!("{} nodes emulated on {} cores", cluster.nodes(), crate::command::data::all_cores()));
    let (name, small_pages) = (cluster.name().to_owned(), ClusterLauncher::gives_small_pages(cluster));
    ClusterContext { name, nodes: cluster.nodes(), emulated, machines: nodes.to_vec(), small_pages }
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

/// Every trial of a run is on the same machines.
///
/// # Errors
/// A node that runs on something else than it did.
pub(super) fn refuse_other_machines(before: &[NodeMachine], now: &[NodeMachine]) -> Result<()> {
    let name =
        |machine: Option<&NodeMachine>| machine.map_or_else(|| "none".to_owned(), |m| format!("{} ({m})", m.address));
    let is_same = |was: &NodeMachine, is: &NodeMachine| was.address == is.address && was.is_like(is);
    for node in 0..before.len().max(now.len()) {
        let (was, is) = (before.get(node), now.get(node));
        if !was.zip(is).is_some_and(|(was, is)| is_same(was, is)) {
            bail!(
                "the machine of node n{node} was {} when this run was started, and now is {}; trials on two clusters do not \
                 belong in one run: restore it, or start a new run",
                name(was),
                name(is)
            );
        }
    }
    Ok(())
}

/// Every trial of an engine is one version's, started by one command with one list of packages, on one cluster.
///
/// # Errors
/// An engine that is not what it was.
pub(super) fn refuse_other_engines(before: &[EngineContext], now: &[EngineContext]) -> Result<()> {
    let Some(engine) = difference(before, now) else { return Ok(()) };
    let of = |side: &[EngineContext]| {
        let same = side.iter().find(|e| (&e.name, &e.variant) == (&engine.name, &engine.variant));
        same.map_or_else(|| "not there".to_owned(), |e| format!("version {} {:?}", e.version, e.settings))
    };
    bail!(
        "engine {} ({}) is not the one this run was started with: it was {}, and now is {}; trials of two engines do not belong in \
         one run: restore it, or start a new run",
        engine.name,
        engine.variant,
        of(before),
        of(now)
    )
}

/// The first item that only one side has.
fn difference<'a, T: PartialEq>(before: &'a [T], now: &'a [T]) -> Option<&'a T> {
    before.iter().find(|item| !now.contains(item)).or_else(|| now.iter().find(|item| !before.contains(item)))
}

/// Starts every engine once to hear its version; `None` if the user interrupted it.
///
/// # Errors
/// An engine that does not start.
pub(super) fn engines(plans: &[Plan], provider: &Provider, stop: &AtomicBool) -> Result<Option<Vec<EngineContext>>> {
    // One that takes part at several scales is the same engine.
    let mut heard: Vec<&EngineSpec> = Vec::new();
    let mut engines = Vec::new();
    for spec in plans.iter().flat_map(|plan| &plan.engines) {
        if heard.contains(&spec) {
            continue;
        }
        let live = match provider.start(spec, stop) {
            Ok(live) => live,
            Err(Failure::Interrupted) => return Ok(None),
            // Its trials say the same, each as an outcome of its own.
            Err(failure) if provider.is_product(&spec.name) && failure.outcome().is_some() => {
                tell(&format!("{}: {failure}", spec.name));
                engines.push(setup::context_of(spec, "unknown: it did not start".to_owned(), provider.products()));
                heard.push(spec);
                continue;
            }
            Err(failure) => bail!("engine {} does not start: {failure}", spec.name),
        };
        engines.push(setup::context_of(spec, live.version().to_owned(), provider.products()));
        live.stop();
        heard.push(spec);
    }
    Ok((!stop.load(Ordering::Relaxed)).then_some(engines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str, checksum: &str) -> DatasetContext {
        DatasetContext { name: name.into(), derived_from: None, rows: 1, bytes: 1, checksum: checksum.into(), scale: 1 }
    }

    fn work(name: &str, checksum: &str) -> WorkloadContext {
        WorkloadContext { name: name.into(), checksum: checksum.into(), scale: 1 }
    }

    #[test]
    fn a_run_goes_on_only_with_the_same_engines() {
        let engine = |version: &str, command: &str| EngineContext {
            name: "mine".into(),
            variant: "default".into(),
            version: version.into(),
            slots: 2,
            memory_bytes: None,
            tuning: Default::default(),
            settings: [("command".to_owned(), command.to_owned())].into(),
        };
        let before = [engine("1.0", "a")];
        assert!(refuse_other_engines(&before, &before.clone()).is_ok());
        let said = |now: &[EngineContext]| refuse_other_engines(&before, now).unwrap_err().to_string();
        assert!(said(&[engine("1.1", "a")]).contains("it was version 1.0"), "another version");
        assert!(said(&[engine("1.0", "b")]).contains("and now is version 1.0"), "another command");
        assert!(said(&[]).contains("and now is not there"));
    }

    #[test]
    fn a_run_goes_on_only_on_the_same_machines() {
        let machine = |last: u8, cores: u32| NodeMachine {
            address: [10, 0, 0, last].into(),
            cpu_model: Some("Example".into()),
            cores,
            memory_bytes: Some(1 << 35),
        };
        let before = [machine(1, 8), machine(2, 8)];
        assert!(refuse_other_machines(&before, &before.clone()).is_ok());
        let said = |now: &[NodeMachine]| refuse_other_machines(&before, now).unwrap_err().to_string();
        assert!(said(&[machine(1, 8), machine(2, 4)]).starts_with(
            "the machine of node n1 was 10.0.0.2 (Example, 8 cores, 32.0 GiB) when this run was started, and now is \
             10.0.0.2 (Example, 4 cores, 32.0 GiB)"
        ));
        assert!(said(&[machine(9, 8), machine(2, 8)]).contains("n0 was 10.0.0.1 ("), "an address is part of it");
        assert!(said(&before[..1]).contains("now is none"));
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
