//! What a run would take, said before any of it is done: whether this machine is large enough, and the dry run.

use super::super::{say, say_json};
use super::PROTOCOL;
use super::machines::hosts;
use super::parts::{Part, Prepared, plan, refreshes, trials, twins};
use crate::cli::exit;
use crate::cli::run::RunArgs;
use crate::engines;
use crate::products::Products;
use crate::progress::tell;
use anyhow::{Result, bail};
use bench_lab::machine::Doctor;
use bench_lab::runner::{Plan, Twins};
use bench_model::Bytes;
use bench_record::{Case, Protocol};
use bench_suite::{DatasetSpec, Demand, Effort, Machine, Requirements};
use std::path::Path;

/// Says everything that is missing before any work is done.
///
/// # Errors
/// A suite that is too large for this machine.
pub(super) fn refuse_if_too_large(args: &RunArgs, prepared: &Prepared, doctor: &Doctor) -> Result<()> {
    let machine = machine(doctor);
    let Some(needed) = needs(args, prepared, machine.cores) else { return Ok(()) };
    let missing = bench_suite::missing(&needed, &machine);
    if missing.is_empty() {
        return Ok(());
    }
    let forceable = missing.iter().all(|m| m.can_be_forced());
    if forceable && args.force {
        missing.iter().for_each(|m| tell(&format!("warning: {m}")));
        return Ok(());
    }
    let way_out = if forceable { "; --force runs it nevertheless" } else { "" };
    let list: Vec<String> = missing.iter().map(|m| format!("  - {m}")).collect();
    bail!(
        "suite {} is too large for this machine:\n{}\nnothing was made or run; `bench list suites` shows smaller ones{way_out}",
        prepared.name(),
        list.join("\n")
    );
}

fn machine(doctor: &Doctor) -> Machine {
    Machine {
        disk_free: Bytes::new(doctor.data_disk.as_ref().map_or(u64::MAX, |d| d.free_bytes)),
        memory: Bytes::new(doctor.machine.memory_limit_bytes.unwrap_or(doctor.machine.memory_bytes)),
        cores: doctor.cores_usable.floor().max(1.0) as u32,
    }
}

/// All parts together: the tables of every scale have to lie on the disk, one after the other is run. None for the user's
/// own workloads alone.
fn needs(args: &RunArgs, prepared: &Prepared, cores: u32) -> Option<Requirements> {
    let demands = |part: &Part| -> Option<Vec<Demand>> {
        let left = |spec: &DatasetSpec| prepared.store.bytes_to_make(spec);
        Some(bench_suite::demands(&part.selection.narrowed_suite()?, &part.selection.definitions, left))
    };
    let parts: Vec<(&Part, Vec<Demand>)> =
        prepared.parts.iter().map(|part| Some((part, demands(part)?))).collect::<Option<_>>()?;
    let all: Vec<Demand> = parts.iter().flat_map(|(_, demands)| demands.iter().copied()).collect();
    let idle = Effort { parallel_passes: 0, single_passes: 0 };
    let hours = |(part, demands): &(&Part, Vec<Demand>)| {
        bench_suite::requirements_of(demands, effort(args, part, &prepared.products), cores).hours
    };
    let hours = parts.iter().map(hours).sum();
    Some(Requirements { hours, ..bench_suite::requirements_of(&all, idle, cores) })
}

fn effort(args: &RunArgs, part: &Part, products: &Products) -> Effort {
    let single = part.specs.iter().filter(|s| s.name == engines::ORACLE).count() as u32;
    let warm = match args.protocol.unwrap_or(PROTOCOL) {
        Protocol::Warm(k) if k > 0 && refreshes(part, products) => k.saturating_add(trials(args)),
        Protocol::Warm(k) => k,
        Protocol::ColdProcess | Protocol::ColdCache => 0,
    };
    let passes = trials(args).saturating_add(warm);
    let parallel =
        (part.specs.len() as u32 + u32::from(twins(args, part, products) != Twins::None)).saturating_sub(single);
    Effort { parallel_passes: passes.saturating_mul(parallel), single_passes: passes.saturating_mul(single) }
}

/// Prints what would be run.
///
/// # Errors
/// Standard output.
pub(super) fn dry_run(args: &RunArgs, prepared: &Prepared, doctor: &Doctor, out: &Path) -> Result<u8> {
    let plans: Vec<Plan> = prepared.parts.iter().map(|part| plan(args, part, Vec::new(), &prepared.products)).collect();
    let cases: Vec<Case> = plans.iter().flat_map(Plan::cases).collect();
    let trials: u64 = plans.iter().map(Plan::trials_total).sum();
    let needed = needs(args, prepared, machine(doctor).cores);
    if args.resources.slots.is_none() && plans.iter().any(|p| hosts(&p.largest_cluster()).is_some()) {
        tell(
            "slots of nodes on other machines are this machine's here; a run takes as many as the smallest of them has cores",
        );
    }
    if args.json {
        say_json(&serde_json::json!({
            "cases": cases,
            "trials": trials,
            "out": out,
            "disk_bytes": needed.map(|n| n.disk.get()),
            "hours_estimated": needed.map(|n| n.hours),
        }))?;
        return Ok(exit::FINE);
    }
    cases.iter().try_for_each(|case| say(&line(case)))?;
    if plans.len() > 1 {
        say("")?;
    }
    for part in prepared.parts.iter().filter(|_| plans.len() > 1) {
        let tables: Vec<String> = part.selection.specs().iter().map(DatasetSpec::name).collect();
        let tables = if tables.is_empty() { "no tables".to_owned() } else { tables.join(", ") };
        say(&format!("data x {}: {tables}", part.selection.scale))?;
    }
    if let Some(first) = plans.first() {
        let twice = twice(first);
        say(&format!(
            "\n{} cases, {trials} trials under {} (each workload: engines in turn A B B A{}), to {}",
            cases.len(),
            first.protocol,
            if twice.is_empty() { String::new() } else { format!(", {twice} twice") },
            out.display()
        ))?;
    }
    if let Some(needed) = needed {
        say(&format!("about {:.1} h and {} of disk; nothing was made or run", needed.hours, needed.disk))?;
    }
    Ok(exit::FINE)
}

/// Who is measured twice.
fn twice(plan: &Plan) -> String {
    let Twins::ByFamily(of) = &plan.twins else { return String::new() };
    let mut names: Vec<&str> = of.values().filter_map(|i| plan.engines.get(*i)).map(|e| e.name.as_str()).collect();
    names.dedup();
    names.join(" and ")
}

fn line(case: &Case) -> String {
    let variant = if case.variant == "default" { String::new() } else { format!(" [{}]", case.variant) };
    let nodes = if case.cluster == "local" { String::new() } else { format!(", {} nodes", case.nodes) };
    let scale = if case.scale == 1 { String::new() } else { format!(", data x {}", case.scale) };
    format!(
        "{:<10} {:<15} {}{variant}{nodes}, {} slots{scale}",
        case.family.name(),
        case.workload,
        case.engine,
        case.slots
    )
}
