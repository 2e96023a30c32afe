//! Measuring suspects again, with more trials and nothing else around them.
//!
//! The first comparison chose the suspects because they looked slow, so its times are biased against them; only new ones
//! decide. They are taken in rounds, each in processes of its own: with `--base-binary` BASE and NEW take turns (A B B A),
//! so that whatever the machine does meanwhile meets both.

use crate::build_id;
use crate::cli::compare::ConfirmArgs;
use crate::cli::{Cli, Command};
use crate::interrupt;
use crate::progress::tell;
use anyhow::{Context, Result, bail};
use bench_record::{Run, Timestamp};
use bench_reports::gate::{Finding, Gate};
use clap::Parser;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::Ordering;

/// Trials a side when nobody says otherwise.
const TRIALS: u32 = 20;
/// Rounds, each in new processes, as far as there are trials for them.
const ROUNDS: u32 = 4;

/// What measuring again came to.
pub(super) enum Confirmed {
    /// No case looks slower.
    NothingToDo,
    /// Ctrl-C.
    Interrupted,
    /// New runs of NEW, and of BASE or the old ones.
    Measured {
        /// BASE's side.
        base: Vec<Run>,
        /// NEW's side.
        new: Vec<Run>,
        /// Whether BASE was measured again too.
        both_sides: bool,
    },
}

/// Measures again what looks slower.
///
/// # Errors
/// A program of another build than the recorded one, or a run that fails.
pub(super) fn confirm(gate: &Gate, base: &[Run], new: &[Run], args: &ConfirmArgs) -> Result<Confirmed> {
    let suspects: Vec<&Finding> = gate.findings.iter().filter(|f| f.suspect && f.ratio.is_some()).collect();
    let (Some(first), Some(old)) = (new.first(), base.first()) else { return Ok(Confirmed::NothingToDo) };
    if suspects.is_empty() {
        return Ok(Confirmed::NothingToDo);
    }
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let new_binary = args.new_binary.as_ref().unwrap_or(&own);
    refuse_other_build(new_binary, first, "NEW", "--new-binary")?;
    if let Some(binary) = &args.base_binary {
        refuse_other_build(binary, old, "BASE", "--base-binary")?;
    }
    let out = args
        .confirm_out
        .clone()
        .unwrap_or_else(|| PathBuf::from("results").join(format!("confirm-{}", Timestamp::now().compact())));
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; give --confirm-out a new folder", out.display());
    }
    let trials = args.confirm_trials.map_or(TRIALS, |t| t.get());
    let line = Again::of(&first.context.command_line, &suspects)?;
    tell(&format!("measuring {} suspects again into {}", suspects.len(), out.display()));
    let rounds = ROUNDS.min(trials.div_ceil(2)).max(1);
    let (mut old_runs, mut new_runs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let share = trials / rounds + u32::from(round < trials % rounds);
        let sides = [("base", args.base_binary.as_deref()), ("new", Some(new_binary.as_path()))];
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for (name, binary) in order.into_iter().filter_map(|i| sides.get(i)) {
            let Some(binary) = binary else { continue };
            let folder = out.join(format!("{name}-{round}"));
            if !line.run(binary, share, round, &folder)? {
                return Ok(Confirmed::Interrupted);
            }
            let run = Run::load(&folder)?;
            if *name == "base" { old_runs.push(run) } else { new_runs.push(run) }
        }
    }
    let both_sides = args.base_binary.is_some();
    let base = if both_sides { old_runs } else { base.to_vec() };
    Ok(Confirmed::Measured { base: kept(base, &suspects), new: kept(new_runs, &suspects), both_sides })
}

/// Trials of suspects, and of nothing else that had to run beside them.
fn kept(mut runs: Vec<Run>, suspects: &[&Finding]) -> Vec<Run> {
    let keys: BTreeSet<_> = suspects.iter().map(|f| &f.key).collect();
    runs.iter_mut().for_each(|run| run.observations.retain(|o| keys.contains(&o.key)));
    runs
}

fn refuse_other_build(binary: &Path, run: &Run, side: &str, option: &str) -> Result<()> {
    let (found, recorded) = (build_id::of_program(binary)?, &run.context.bench.build_id);
    if found != *recorded {
        bail!(
            "{} is build {found}, and {side} ({}) was measured with build {recorded}; give {option} the program that measured it",
            binary.display(),
            run.path.display()
        );
    }
    Ok(())
}

/// The command that measured NEW, reduced to the suspects.
struct Again {
    words: Vec<String>,
}

/// Options that another one takes the place of, with a value.
const REPLACED: [&str; 9] =
    ["--engines", "--families", "--workloads", "--trials", "--seed", "--out", "--against", "--budget", "--allow"];
/// The same without one.
const DROPPED: [&str; 5] = ["--json", "--keep-results", "--quiet", "-q", "--force"];

impl Again {
    /// # Errors
    /// A run that cannot be repeated in part: one that was planned with faults, or of another version's command line.
    fn of(command_line: &[String], suspects: &[&Finding]) -> Result<Self> {
        let parsed = Cli::try_parse_from(command_line);
        let Ok(Cli { command: Command::Run(args), .. }) = parsed else {
            bail!("the command line recorded with NEW is not one of this build, so --confirm cannot repeat it");
        };
        if !args.clusters.faults.is_empty() {
            bail!("--confirm does not repeat runs with faults: a fault has no A/A arm to tell noise by");
        }
        let mut words = Vec::new();
        let mut rest = command_line.iter().skip(1);
        while let Some(word) = rest.next() {
            if REPLACED.contains(&word.as_str()) {
                rest.next();
            } else if !(DROPPED.contains(&word.as_str()) || REPLACED.iter().any(|o| assigns(word, o))) {
                words.push(word.clone());
            }
        }
        let set = |of: fn(&Finding) -> &str| {
            let set: BTreeSet<&str> = suspects.iter().map(|f| of(f)).collect();
            set.into_iter().collect::<Vec<_>>().join(",")
        };
        words.extend(["--engines".to_owned(), set(|f| &f.case.engine)]);
        words.extend(["--workloads".to_owned(), set(|f| &f.case.workload)]);
        words.push("--force".to_owned());
        Ok(Self { words })
    }

    /// Whether it ran to its end. A trial that failed is for the comparison to judge.
    fn run(&self, binary: &Path, trials: u32, round: u32, out: &Path) -> Result<bool> {
        if interrupt::flag().load(Ordering::Relaxed) {
            return Ok(false);
        }
        let mut command = std::process::Command::new(binary);
        command.args(&self.words).args(["--trials", &trials.to_string(), "--seed", &(round + 1).to_string()]);
        command.arg("--out").arg(out).stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.status().with_context(|| format!("cannot start {}", binary.display()))?;
        match status.code() {
            Some(130) | None => Ok(false),
            Some(_) if out.join(bench_record::CONTEXT_FILE).exists() => Ok(true),
            Some(code) => bail!("{} ended with code {code} before it measured anything", binary.display()),
        }
    }
}

fn assigns(word: &str, option: &str) -> bool {
    word.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
}
