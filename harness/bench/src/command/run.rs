//! `bench run`: from the command line to a journal of trials and a comparison.

mod command_line;
mod console;
mod context;
mod verdict;

use super::identity::Identity;
use super::selection::{Filter, Selection, select};
use super::{data, replay, report, say, say_json, setup};
use crate::cli::run::RunArgs;
use crate::cli::{Cli, Command, exit};
use crate::progress::tell;
use crate::{engines, interrupt};
use anyhow::{Context, Result, bail};
use bench_lab::hosted::HostedProvider;
use bench_lab::live::EngineSpec;
use bench_lab::machine::{Doctor, may_drop_page_cache};
use bench_lab::runner::{self, OracleEngine, Plan, Twins};
use bench_model::{Bytes, Dataset};
use bench_record::{Journal, Observation, Protocol, Run, Timestamp};
use bench_suite::{DataStore, Effort, Machine};
use clap::Parser;
use console::Console;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use verdict::Verdict;

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

pub(super) fn run(args: RunArgs) -> Result<u8> {
    match args.resume.clone() {
        Some(folder) => resume(&folder, args.json),
        None => start(&args),
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
    let specs = setup::engine_specs(&args.engines, &args.resources, args.spans, &args.clusters.specs()?, args.ablate)?;
    if args.protocol == Some(Protocol::ColdCache) {
        may_drop_page_cache()?;
    }
    Ok(Prepared { selection, specs, store: DataStore::new(&args.data.path) })
}

fn start(args: &RunArgs) -> Result<u8> {
    let command_line = command_line::of_this_run(&args.data.path)?;
    let mut prepared = prepare(args)?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from("results").join(format!("{}-{}", prepared.selection.name, Timestamp::now().compact()))
    });
    Journal::check(&out)?;
    let doctor = Doctor::examine(&args.data.path);
    refuse_if_too_large(args, &prepared, &doctor)?;
    if args.dry_run {
        return dry_run(args, &prepared, &doctor, &out);
    }
    let stop = interrupt::flag();
    let Some((datasets, identity)) = open(&mut prepared, &stop)? else {
        eprintln!("interrupted while making tables; run the same command again to continue");
        return Ok(exit::INTERRUPTED);
    };
    let plan = plan(args, &prepared, datasets);
    let scratch = setup::scratch_beside(&prepared.store)?;
    let provider = HostedProvider::this_program(scratch.path().to_owned()).context("cannot find this program")?;
    let Some(engines) = context::engines(&plan, &provider, &stop)? else {
        eprintln!("interrupted while engines started; nothing was recorded");
        return Ok(exit::INTERRUPTED);
    };
    let context = context::describe(&plan, &prepared.selection, command_line, engines, identity, doctor)?;
    let journal = Journal::create(&out, &context)?;
    carry_out(Carried { plan, provider, journal, context, recorded: Vec::new() }, args.json)
}

/// Continues a run with the very command line it was started with, and only if everything it measures is the same.
fn resume(folder: &Path, json: bool) -> Result<u8> {
    command_line::refuse_data_option()?;
    let resumed = Journal::resume(folder)?;
    if let Some(torn) = resumed.torn {
        tell(&format!("cut off an unfinished line of {} bytes; its trial runs again", torn.bytes));
    }
    let mut context = resumed.context;
    context::refuse_other_build(&context, folder)?;
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
    let stop = interrupt::flag();
    let Some((datasets, identity)) = open(&mut prepared, &stop)? else { return Ok(exit::INTERRUPTED) };
    context::refuse_other_work(&context.datasets, &context.workloads, &identity)?;
    let plan = plan(&args, &prepared, datasets);
    let scratch = setup::scratch_beside(&prepared.store)?;
    let provider = HostedProvider::this_program(scratch.path().to_owned()).context("cannot find this program")?;
    context.resumed_at.push(Timestamp::now());
    resumed.journal.write_context(&context)?;
    let carried = Carried { plan, provider, journal: resumed.journal, context, recorded: resumed.observations };
    carry_out(carried, json || args.json)
}

/// A run that only has to be carried out.
struct Carried {
    plan: Plan,
    provider: HostedProvider,
    journal: Journal,
    context: bench_record::RunContext,
    recorded: Vec<Observation>,
}

fn carry_out(mut run: Carried, json: bool) -> Result<u8> {
    let stop = interrupt::flag();
    let mut console = Console::new();
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
    let observations = Run::load(&folder)?.observations;
    replay::replay_all(&folder, &observations).context("the run is whole, but its traces cannot be played again")?;
    let complaint = Verdict::of(&observations).complaint();
    report::print_run(&folder, json)?;
    tell(&format!("\nresults: {}   report again: bench report {0}", folder.display()));
    match complaint {
        None => Ok(exit::FINE),
        Some(complaint) => {
            eprintln!("error: {complaint}");
            Ok(exit::ERROR)
        }
    }
}

/// Trials per case and arm: as asked for, one per seed of a row, or the default.
fn trials(args: &RunArgs) -> u32 {
    args.trials.map(|t| t.get()).or(args.seed.count.map(|n| n.get())).unwrap_or(TRIALS)
}

fn plan(args: &RunArgs, prepared: &Prepared, datasets: Vec<Arc<Dataset>>) -> Plan {
    let timeout = Some(args.timeout.map_or(TIMEOUT, |t| t.get()));
    let oracle = setup::engine_spec(engines::ORACLE, &Default::default(), false).ok();
    Plan {
        suite: prepared.selection.name.clone(),
        faults: args.clusters.faults.clone(),
        workloads: prepared.selection.definitions.iter().map(|d| d.workload.clone()).collect(),
        datasets,
        engines: prepared.specs.clone(),
        twins: Twins::First,
        protocol: args.protocol.unwrap_or(PROTOCOL),
        trials: trials(args),
        seed: args.seed.first,
        timeout,
        grace: GRACE,
        repeats: REPEATS,
        oracle: oracle.map(|engine| OracleEngine { engine, timeout: timeout.map(|t| t * 4) }),
        keep_results: args.keep_results,
    }
}

/// Makes the tables that are missing, opens all of them and looks at what they hold. `None` if the user interrupted it.
fn open(prepared: &mut Prepared, stop: &AtomicBool) -> Result<Option<(Vec<Arc<Dataset>>, Identity)>> {
    for spec in prepared.selection.specs() {
        if prepared.store.bytes_to_make(&spec) > 0 {
            tell(&format!("making {} in {}", spec.name(), prepared.store.root().display()));
        }
        if data::make(&prepared.store, &spec, data::all_cores())?.is_none() {
            return Ok(None);
        }
    }
    let datasets = prepared.selection.open(&prepared.store)?;
    Ok(prepared.selection.identify(&prepared.store, stop)?.map(|identity| (datasets, identity)))
}

/// Says everything that is missing before any work is done.
fn refuse_if_too_large(args: &RunArgs, prepared: &Prepared, doctor: &Doctor) -> Result<()> {
    let Some((needed, machine)) = needs(args, prepared, doctor) else { return Ok(()) };
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
        prepared.selection.name,
        list.join("\n")
    );
}

fn needs(args: &RunArgs, prepared: &Prepared, doctor: &Doctor) -> Option<(bench_suite::Requirements, Machine)> {
    let suite = prepared.selection.narrowed_suite()?;
    let single = prepared.specs.iter().filter(|s| s.name == engines::ORACLE).count() as u32;
    let warm = match args.protocol.unwrap_or(PROTOCOL) {
        Protocol::Warm(k) => k,
        Protocol::ColdProcess | Protocol::ColdCache => 0,
    };
    let passes = trials(args).saturating_add(warm);
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
    let left = |spec: &bench_suite::DatasetSpec| prepared.store.bytes_to_make(spec);
    let demands = bench_suite::demands(&suite, &prepared.selection.definitions, left);
    Some((bench_suite::requirements_of(&demands, effort, cores), machine))
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
