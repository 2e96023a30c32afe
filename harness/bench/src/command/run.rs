//! `bench run`: from the command line to a journal of trials and a comparison.

mod console;
mod context;

use super::selection::{Filter, Selection, select};
use super::{data, report, say, say_json, setup};
use crate::cli::run::RunArgs;
use crate::cli::{Cli, Command, exit};
use crate::{engines, interrupt};
use anyhow::{Context, Result, anyhow, bail};
use bench_lab::hosted::HostedProvider;
use bench_lab::live::EngineSpec;
use bench_lab::machine::Doctor;
use bench_lab::runner::{self, OracleEngine, Plan, Twins};
use bench_model::{Bytes, Dataset};
use bench_record::{DatasetContext, Journal, Observation, Protocol, Timestamp};
use bench_suite::{DataStore, Effort, Machine};
use clap::Parser;
use console::Console;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Trials per case and arm when nobody says otherwise: enough for a first interval.
const TRIALS: u32 = 5;
/// Engines are warm when nobody says otherwise: one untimed run first.
const PROTOCOL: Protocol = Protocol::Warm(1);
/// After this long a trial is given up when nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);
/// How long a cancelled trial may take to stop by itself before its process is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How often a contaminated trial is repeated at most.
const REPEATS: u32 = 2;

pub(super) fn run(args: RunArgs, quiet: bool) -> Result<u8> {
    match args.resume.clone() {
        Some(folder) => resume(&folder, args.json, quiet),
        None => start(&args, quiet),
    }
}

/// A run as far as it is known before any table is made or any engine started.
struct Prepared {
    selection: Selection,
    specs: Vec<EngineSpec>,
    store: DataStore,
}

fn prepare(args: &RunArgs) -> Result<Prepared> {
    let filter = Filter { families: &args.families, names: &args.workloads };
    let selection = select(args.suite.as_deref(), args.workload_dir.as_deref(), filter)?;
    let specs = setup::engine_specs(&args.engines, &args.resources, args.spans)?;
    Ok(Prepared { selection, specs, store: DataStore::new(&args.data.path) })
}

fn start(args: &RunArgs, quiet: bool) -> Result<u8> {
    let mut prepared = prepare(args)?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from("results").join(format!("{}-{}", prepared.selection.name, Timestamp::now().compact()))
    });
    let doctor = Doctor::examine(&args.data.path);
    refuse_if_too_large(args, &prepared, &doctor)?;
    if args.dry_run {
        return dry_run(args, &prepared, &doctor, &out);
    }
    if !make_tables(&prepared)? {
        eprintln!("interrupted while making tables; run the same command again to continue");
        return Ok(exit::INTERRUPTED);
    }
    let (datasets, dataset_contexts) = prepared.selection.open(&prepared.store)?;
    let plan = plan(args, &prepared, datasets);
    let scratch = scratch_beside(&prepared.store)?;
    let provider = HostedProvider::this_program(scratch.path().to_owned()).context("cannot find this program")?;
    let context = context::describe(args, &plan, &prepared.selection, dataset_contexts, doctor, &provider)?;
    let journal = Journal::create(&out, &context)?;
    carry_out(Carried { plan, provider, journal, context, recorded: Vec::new() }, args.json, quiet)
}

/// Continues a run with the very command line it was started with.
fn resume(folder: &Path, json: bool, quiet: bool) -> Result<u8> {
    let resumed = Journal::resume(folder)?;
    if let Some(torn) = resumed.torn {
        eprintln!("cut off an unfinished line of {} bytes; its trial runs again", torn.bytes);
    }
    let mut context = resumed.context;
    let parsed = Cli::try_parse_from(&context.command_line);
    let Ok(Cli { command: Command::Run(args), .. }) = parsed else {
        bail!("{}: its command line is not one of this build, so it cannot be continued", folder.display());
    };
    let doctor = Doctor::examine(&args.data.path);
    if doctor.machine.key() != context.machine.key() {
        bail!(
            "{} was started on another machine ({}); times of two machines do not belong in one run",
            folder.display(),
            context.machine.summary()
        );
    }
    let mut prepared = prepare(&args)?;
    if !make_tables(&prepared)? {
        return Ok(exit::INTERRUPTED);
    }
    let (datasets, dataset_contexts) = prepared.selection.open(&prepared.store)?;
    refuse_other_data(&context.datasets, &dataset_contexts)?;
    let plan = plan(&args, &prepared, datasets);
    let scratch = scratch_beside(&prepared.store)?;
    let provider = HostedProvider::this_program(scratch.path().to_owned()).context("cannot find this program")?;
    context::note_resumption(&mut context)?;
    resumed.journal.write_context(&context)?;
    let carried = Carried { plan, provider, journal: resumed.journal, context, recorded: resumed.observations };
    carry_out(carried, json || args.json, quiet)
}

fn refuse_other_data(before: &[DatasetContext], now: &[DatasetContext]) -> Result<()> {
    match before.iter().find(|d| !now.contains(d)) {
        None => Ok(()),
        Some(changed) => Err(anyhow!(
            "dataset {} is not the one this run was started with; restore it, or start a new run",
            changed.name
        )),
    }
}

/// A run that only has to be carried out.
struct Carried {
    plan: Plan,
    provider: HostedProvider,
    journal: Journal,
    context: bench_record::RunContext,
    recorded: Vec<Observation>,
}

fn carry_out(mut run: Carried, json: bool, quiet: bool) -> Result<u8> {
    let stop = interrupt::flag();
    let mut console = Console::new(quiet);
    let summary = runner::run(&run.plan, &run.provider, &run.recorded, &mut run.journal, &stop, &mut |event| {
        console.show(&event);
    });
    console.finish();
    let folder = run.journal.folder().to_owned();
    let summary = summary.with_context(|| {
        format!("the run stopped; what is recorded is whole: bench run --resume {} continues it", folder.display())
    })?;
    if summary.interrupted {
        eprintln!("interrupted; continue with: bench run --resume {}", folder.display());
        return Ok(exit::INTERRUPTED);
    }
    run.context.finished_at = Some(Timestamp::now());
    run.journal.write_context(&run.context)?;
    let wrong = report::print_run(&folder, json)?;
    eprintln!("\nresults: {}   report again: bench report {0}", folder.display());
    Ok(if wrong || summary.wrong_answers > 0 { exit::ERROR } else { exit::FINE })
}

fn plan(args: &RunArgs, prepared: &Prepared, datasets: Vec<Arc<Dataset>>) -> Plan {
    let timeout = Some(args.timeout.map_or(TIMEOUT, |t| t.get()));
    let oracle = setup::engine_spec(engines::ORACLE, &Default::default(), false).ok();
    Plan {
        suite: prepared.selection.name.clone(),
        cluster: "local".to_owned(),
        nodes: 1,
        workloads: prepared.selection.definitions.iter().map(|d| d.workload.clone()).collect(),
        datasets,
        engines: prepared.specs.clone(),
        twins: Twins::First,
        protocol: args.protocol.unwrap_or(PROTOCOL),
        trials: args.trials.map_or(TRIALS, |t| t.get()),
        seed: args.seed,
        timeout,
        grace: GRACE,
        repeats: REPEATS,
        oracle: oracle.map(|engine| OracleEngine { engine, timeout: timeout.map(|t| t * 4) }),
        keep_results: args.keep_results,
    }
}

/// Scratch folders lie beside the tables: the disk that has the room.
fn scratch_beside(store: &DataStore) -> Result<tempfile::TempDir> {
    let made = std::fs::create_dir_all(store.root())
        .and_then(|()| tempfile::Builder::new().prefix(".scratch-").tempdir_in(store.root()));
    made.with_context(|| format!("cannot make a scratch folder in {}; point --data elsewhere", store.root().display()))
}

/// Makes what is missing, one set after the other. False if the user interrupted it.
fn make_tables(prepared: &Prepared) -> Result<bool> {
    for spec in prepared.selection.specs() {
        if prepared.store.bytes_to_make(&spec) > 0 {
            eprintln!("making {} in {}", spec.name(), prepared.store.root().display());
        }
        if data::make(&prepared.store, &spec, data::all_cores())?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Says everything that is missing before any work is done.
fn refuse_if_too_large(args: &RunArgs, prepared: &Prepared, doctor: &Doctor) -> Result<()> {
    let Some((needed, machine)) = needs(args, prepared, doctor) else { return Ok(()) };
    let missing = bench_suite::missing(&needed, &machine);
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.iter().map(|m| format!("  - {m}")).collect();
    bail!(
        "suite {} is too large for this machine:\n{}\nnothing was made or run; `bench list suites` shows smaller ones",
        prepared.selection.name,
        list.join("\n")
    );
}

fn needs(args: &RunArgs, prepared: &Prepared, doctor: &Doctor) -> Option<(bench_suite::Requirements, Machine)> {
    let suite = prepared.selection.narrowed_suite()?;
    let to_make: u64 = prepared.selection.specs().iter().map(|s| prepared.store.bytes_to_make(s)).sum();
    let single = prepared.specs.iter().filter(|s| s.name == engines::ORACLE).count() as u32;
    let warm = match args.protocol.unwrap_or(PROTOCOL) {
        Protocol::Warm(k) => k,
        Protocol::ColdProcess | Protocol::ColdCache => 0,
    };
    let passes = args.trials.map_or(TRIALS, |t| t.get()).saturating_add(warm);
    // The first engine runs twice, for the A/A arm.
    let parallel = (prepared.specs.len() as u32 + 1).saturating_sub(single);
    let effort =
        Effort { parallel_passes: passes.saturating_mul(parallel), single_passes: passes.saturating_mul(single) };
    let cores = doctor.cores_usable.floor().max(1.0) as u32;
    let machine = Machine {
        disk_free: Bytes::new(doctor.data_disk.as_ref().map_or(u64::MAX, |d| d.free_bytes)),
        memory: Bytes::new(doctor.machine.memory_limit_bytes.unwrap_or(doctor.machine.memory_bytes)),
        cores,
    };
    Some((bench_suite::requirements(&suite, Bytes::new(to_make), effort, cores), machine))
}

fn dry_run(args: &RunArgs, prepared: &Prepared, doctor: &Doctor, out: &Path) -> Result<u8> {
    let plan = plan(args, prepared, Vec::new());
    let cases = plan.cases();
    let needed = needs(args, prepared, doctor).map(|(needed, _)| needed);
    if args.json {
        say_json(&serde_json::json!({
            "cases": cases,
            "trials": plan.trials_total(),
            "out": out,
            "disk_bytes": needed.map(|n| n.disk.get()),
            "hours_estimated": needed.map(|n| n.hours),
        }))?;
        return Ok(exit::FINE);
    }
    for case in &cases {
        let variant = if case.variant == "default" { String::new() } else { format!(" [{}]", case.variant) };
        say(&format!(
            "{:<10} {:<15} {}{variant}, {} slots",
            case.family.name(),
            case.workload,
            case.engine,
            case.slots
        ))?;
    }
    say(&format!(
        "\n{} cases, {} trials under {} (each workload: engines in turn A B B A, {} twice), to {}",
        cases.len(),
        plan.trials_total(),
        plan.protocol,
        plan.engines.first().map_or("", |e| e.name.as_str()),
        out.display()
    ))?;
    if let Some(needed) = needed {
        say(&format!("about {:.1} h and {} of disk; nothing was made or run", needed.hours, needed.disk))?;
    }
    Ok(exit::FINE)
}
