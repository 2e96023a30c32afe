//! `bench run`: from the command line to a journal of trials and a comparison.
//!
//! | part | idea |
//! |---|---|
//! | `parts` | what the run consists of, from the command line to plans over opened tables |
//! | `machines` | other machines that it needs, made ready and tidied up |
//! | `needs` | what it would take: the refusal of what is too large, and the dry run |
//! | `context` | what goes into `run.json` |
//! | `command_line` | the command as the record keeps it |
//! | `console` | the run as it is shown while it goes on |
//! | `verdict` | how the command ends |

mod command_line;
mod console;
mod context;
mod machines;
mod needs;
mod parts;
mod verdict;

use super::{compare, replay, report, trust};
use crate::cli::run::RunArgs;
use crate::cli::{Cli, Command, exit};
use crate::interrupt;
use crate::progress::{complain, tell};
use anyhow::{Context, Result, bail};
use bench_lab::machine::Doctor;
use bench_lab::runner;
use bench_record::{Journal, Observation, Protocol, Run, RunContext, Timestamp};
use clap::Parser;
use console::Console;
use parts::{Ready, prepare};
use std::path::{Path, PathBuf};
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
        Some(folder) => resume(&folder, args.json, &args.products.folder.root),
        None => start(&args),
    }
}

fn start(args: &RunArgs) -> Result<u8> {
    let command_line = command_line::of_this_run(&args.data.path, &args.products.folder.root)?;
    compare::check(args)?;
    let prepared = prepare(args)?;
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from("results").join(format!("{}-{}", prepared.name(), Timestamp::now().compact()))
    });
    Journal::check(&out)?;
    let doctor = Doctor::examine(&args.data.path);
    needs::refuse_if_too_large(args, &prepared, &doctor)?;
    if args.dry_run {
        return needs::dry_run(args, &prepared, &doctor, &out);
    }
    let stop = interrupt::flag();
    let Some(ready) = prepared.ready(args, &stop)? else { return Ok(exit::INTERRUPTED) };
    let Some(engines) = context::engines(&ready.plans, &ready.provider, &stop)? else {
        complain("interrupted while engines started; nothing was recorded");
        return Ok(exit::INTERRUPTED);
    };
    let context = context::describe(&ready, command_line, engines, doctor)?;
    if let Some(base) = &args.against {
        compare::check_planned(base, &context)?;
    }
    let journal = Journal::create(&out, &context)?;
    let carried = carry_out(&ready, Recorded { journal, context, observations: Vec::new() }, args);
    ready.leave();
    judged(carried?, args, &out)
}

/// How a command ends that was asked to compare its run with an earlier one: as the comparison does, unless the run was
/// interrupted. Trials that ended badly on both sides are no regression, and still an error.
fn judged(carried: u8, args: &RunArgs, out: &Path) -> Result<u8> {
    let Some(base) = args.against.as_ref().filter(|_| carried != exit::INTERRUPTED) else { return Ok(carried) };
    let code = compare::against(base, out, args)?;
    Ok(if code == exit::REGRESSION { code } else { if carried == exit::FINE { code } else { carried } })
}

/// Continues a run with the very command line it was started with, and only if everything it measures is the same. Products are
/// taken from where it says only if `own` is the same folder.
fn resume(folder: &Path, json: bool, own: &Path) -> Result<u8> {
    command_line::refuse_folder_options()?;
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
    trust::refuse_products_of_others(&args.engines, &args.products.folder.root, own)?;
    let doctor = Doctor::examine(&args.data.path);
    if doctor.machine.key() != context.machine.key() {
        bail!(
            "{} was started on another machine ({}); times of two machines do not belong in one run",
            folder.display(),
            context.machine.summary()
        );
    }
    let stop = interrupt::flag();
    compare::check(&args)?;
    let Some(ready) = prepare(&args)?.ready(&args, &stop)? else { return Ok(exit::INTERRUPTED) };
    context::refuse_other_work(&context.datasets, &context.workloads, &ready.identity)?;
    context::refuse_other_machines(&context.cluster.machines, &ready.machines.nodes)?;
    let Some(engines) = context::engines(&ready.plans, &ready.provider, &stop)? else { return Ok(exit::INTERRUPTED) };
    context::refuse_other_engines(&context.engines, &engines)?;
    context.resumed_at.push(Timestamp::now());
    resumed.journal.write_context(&context)?;
    let recorded = Recorded { journal: resumed.journal, context, observations: resumed.observations };
    let mut args = RunArgs { json: json || args.json, ..*args };
    leave_unwritten(&mut args, folder);
    let carried = carry_out(&ready, recorded, &args);
    ready.leave();
    judged(carried?, &args, folder)
}

/// A record does not say which files are written over: it may be somebody else's.
fn leave_unwritten(args: &mut RunArgs, folder: &Path) {
    let base = args.against.iter().map(|base| base.display().to_string()).collect::<String>();
    for written in args.telling.write.drain(..) {
        let (new, file) = (folder.display(), written.file.display());
        tell(&format!(
            "note: a resumed run writes no verdict to {file}; `bench compare {base} {new} --write FORMAT={file}` does"
        ));
    }
}

/// Where a run is recorded, and what is already there.
struct Recorded {
    journal: Journal,
    context: RunContext,
    observations: Vec<Observation>,
}

/// What is printed when all is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Table,
    Json,
    /// Nothing yet: one JSON object holds the comparison and the verdict on it.
    WithVerdict,
}

impl Shown {
    const fn of(args: &RunArgs) -> Self {
        match (args.json, &args.against) {
            (false, _) => Self::Table,
            (true, None) => Self::Json,
            (true, Some(_)) => Self::WithVerdict,
        }
    }
}

/// Part by part; an interruption ends all of them.
fn carry_out(ready: &Ready, mut run: Recorded, args: &RunArgs) -> Result<u8> {
    let shown = Shown::of(args);
    let stop = interrupt::flag();
    let mut console = Console::new();
    let folder = run.journal.folder().to_owned();
    let again = trust::resume_line(&folder, &args.engines, &args.products.folder.root);
    let engines = ready.machines.watch(&ready.provider);
    for plan in &ready.plans {
        let mut show = |event: runner::RunEvent<'_>| console.show(&event);
        if ready.plans.len() > 1 {
            tell(&format!("data x {}:", plan.scale));
        }
        let summary = runner::run(plan, &engines, &run.observations, &mut run.journal, &stop, &mut show);
        let summary =
            summary.with_context(|| format!("the run stopped; what is recorded is whole: {again} continues it"));
        let summary = summary.inspect_err(|_| console.finish())?;
        if summary.interrupted {
            console.finish();
            complain(&format!("interrupted; continue with: {again}"));
            return Ok(exit::INTERRUPTED);
        }
    }
    console.finish();
    run.context.finished_at = Some(Timestamp::now());
    run.journal.write_context(&run.context)?;
    let observations = Run::load(&folder)?.observations;
    replay::replay_all(&folder, &observations).context("the run is whole, but its traces cannot be played again")?;
    let complaint = Verdict::of(&observations).complaint();
    if shown != Shown::WithVerdict {
        report::print_run(&folder, shown == Shown::Json)?;
    }
    tell(&format!("\nresults: {}   report again: bench report {0}", folder.display()));
    match complaint {
        None => Ok(exit::FINE),
        Some(complaint) => {
            complain(&format!("error: {complaint}"));
            Ok(exit::ERROR)
        }
    }
}
