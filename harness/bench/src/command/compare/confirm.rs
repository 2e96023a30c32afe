//! Measuring suspects again, with more trials and nothing else around them.
//!
//! The first comparison chose the suspects because they looked slow, so its times are biased against them; only new ones
//! decide, of both builds. They are taken in turns (A B B A), each in processes of its own, so that whatever the machine does
//! meanwhile meets both. The suspects of one engine, configuration and number of nodes are a run of their own, so that it has its
//! A/A twin and measures nothing else.

use crate::build_id;
use crate::cli::compare::ConfirmArgs;
use crate::cli::{Cli, Command};
use crate::command::trust;
use crate::interrupt;
use crate::progress::tell;
use anyhow::{Context, Result, bail};
use bench_external::CONFIG;
use bench_record::{Case, Run, Timestamp};
use bench_reports::gate::{Finding, Gate};
use clap::Parser;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::Ordering;

/// Trials a side when nobody says otherwise.
const TRIALS: u32 = 20;
/// Turns, each in new processes, as far as there are trials for them: the run is the unit, so many short ones say more than few long
/// ones.
const TURNS: u32 = 6;

/// What measuring again came to.
pub(super) enum Confirmed {
    /// No case looks slower.
    NothingToDo,
    /// Ctrl-C.
    Interrupted,
    /// New runs of both.
    Measured {
        /// BASE's side.
        base: Vec<Run>,
        /// NEW's side.
        new: Vec<Run>,
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
    let Some(base_binary) = &args.base_binary else {
        bail!("--confirm measures both builds in turns; give BASE's program with --base-binary");
    };
    refuse_other_build(new_binary, first, "NEW", "--new-binary")?;
    refuse_other_build(base_binary, old, "BASE", "--base-binary")?;
    let out = args
        .confirm_out
        .clone()
        .unwrap_or_else(|| PathBuf::from("results").join(format!("confirm-{}", Timestamp::now().compact())));
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; give --confirm-out a new folder", out.display());
    }
    let trials = args.confirm_trials.map_or(TRIALS, |t| t.get());
    let lines = by_place(&suspects)
        .into_iter()
        .map(|(place, of)| Ok((place.label(), Again::of(&first.context.command_line, place, &of, &args.engines.root)?)))
        .collect::<Result<Vec<_>>>()?;
    tell(&format!("measuring {} suspects again into {}", suspects.len(), out.display()));
    let turns = TURNS.min(trials.div_ceil(2)).max(1);
    let (mut old_runs, mut new_runs) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        let share = trials / turns + u32::from(turn < trials % turns);
        let sides = [("base", base_binary.as_path()), ("new", new_binary.as_path())];
        let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
        for (label, line) in &lines {
            for (name, binary) in order.into_iter().filter_map(|i| sides.get(i)) {
                let folder = out.join(format!("{name}-{turn}-{label}"));
                if !line.run(binary, share, turn, &folder)? {
                    return Ok(Confirmed::Interrupted);
                }
                let run = Run::load(&folder)?;
                if *name == "base" { old_runs.push(run) } else { new_runs.push(run) }
            }
        }
    }
    Ok(Confirmed::Measured { base: old_runs, new: new_runs })
}

/// What one run can have alone of all that the recorded one had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    engine: &'a str,
    config: &'a str,
    nodes: u32,
}

impl<'a> Place<'a> {
    fn of(case: &'a Case) -> Self {
        let chosen = case.variant.split(',').find_map(|switch| assigned(switch, CONFIG[0].name));
        // A record may be anybody's, and what it names becomes the name of a folder.
        let config = chosen.filter(|name| bench_model::is_name(name)).unwrap_or(bench_external::DEFAULT);
        Self { engine: &case.engine, config, nodes: case.nodes }
    }

    /// What its folders are called.
    fn label(&self) -> String {
        let is_default = self.config == bench_external::DEFAULT;
        let config = if is_default { String::new() } else { format!("-{}", self.config) };
        let nodes = if self.nodes > 1 { format!("-{}-nodes", self.nodes) } else { String::new() };
        format!("{}{config}{nodes}", self.engine)
    }

    /// What stays of a list of values that the recorded run had one after the other.
    fn those_of(&self, option: &str, values: &str) -> String {
        let nodes = self.nodes.to_string();
        let own = if option == NODES { nodes.as_str() } else { self.config };
        if values.split(',').any(|value| value.trim() == own) { own.to_owned() } else { values.to_owned() }
    }
}

fn by_place<'a>(suspects: &[&'a Finding]) -> BTreeMap<Place<'a>, Vec<&'a Finding>> {
    let mut found: BTreeMap<Place<'a>, Vec<&'a Finding>> = BTreeMap::new();
    for suspect in suspects {
        found.entry(Place::of(&suspect.case)).or_default().push(suspect);
    }
    found
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
const REPLACED: [&str; 13] = [
    "--engines",
    "--families",
    "--workloads",
    "--trials",
    "--seed",
    "--out",
    "--against",
    "--budget",
    "--allow",
    "--allow-missing",
    "--prices",
    "--runs-per-day",
    "--write",
];
/// Options about one engine, `ENGINE=..` or `ENGINE.key=..`, that concern no other.
const OF_AN_ENGINE: [&str; 2] = ["--set", "--attach"];
/// How many nodes there are.
const NODES: &str = "--nodes";
/// Options with several values, of which that of the suspects is measured. An engine that has none of them, as a style has no
/// configuration, keeps all.
const ONE_OF: [&str; 2] = [NODES, "--configs"];
/// The same without a value.
const DROPPED: [&str; 5] = ["--json", "--keep-results", "--quiet", "-q", "--force"];

impl Again {
    /// The command line with the suspects of one place alone.
    ///
    /// # Errors
    /// A run that cannot be repeated in part: one that was planned with faults, of another version's command line, or with products
    /// from elsewhere than `products`.
    fn of(command_line: &[String], place: Place<'_>, suspects: &[&Finding], products: &Path) -> Result<Self> {
        let parsed = Cli::try_parse_from(command_line);
        let Ok(Cli { command: Command::Run(args), .. }) = parsed else {
            bail!("the command line recorded with NEW is not one of this build, so --confirm cannot repeat it");
        };
        if !args.clusters.faults.is_empty() {
            bail!("--confirm does not repeat runs with faults: a fault has no A/A arm to tell noise by");
        }
        let engine = place.engine;
        trust::refuse_products_of_others(&[engine.to_owned()], &args.products.folder.root, products)?;
        let mut words = Vec::new();
        let mut rest = command_line.iter().skip(1);
        while let Some(word) = rest.next() {
            if REPLACED.contains(&word.as_str()) {
                rest.next();
            } else if ONE_OF.contains(&word.as_str()) {
                let values = rest.next();
                words.extend(values.into_iter().flat_map(|values| [word.clone(), place.those_of(word, values)]));
            } else if let Some((option, values)) = ONE_OF.iter().find_map(|o| Some((o, assigned(word, o)?))) {
                words.push(format!("{option}={}", place.those_of(option, values)));
            } else if OF_AN_ENGINE.contains(&word.as_str()) {
                let value = rest.next().filter(|value| concerns(value, engine));
                words.extend(value.into_iter().flat_map(|value| [word.clone(), value.clone()]));
            } else if let Some(value) = OF_AN_ENGINE.iter().find_map(|o| assigned(word, o)) {
                words.extend(concerns(value, engine).then(|| word.clone()));
            } else if !(DROPPED.contains(&word.as_str()) || REPLACED.iter().any(|o| assigned(word, o).is_some())) {
                words.push(word.clone());
            }
        }
        let workloads: BTreeSet<&str> = suspects.iter().map(|f| f.case.workload.as_str()).collect();
        words.extend(["--engines".to_owned(), engine.to_owned()]);
        words.extend(["--workloads".to_owned(), workloads.into_iter().collect::<Vec<_>>().join(",")]);
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
            Some(_) if is_finished(out) => Ok(true),
            Some(code) => bail!("{} ended with code {code} before its run was finished", binary.display()),
        }
    }
}

/// Whether a run came to its end, whatever its exit code: a trial that failed is for the comparison to judge.
fn is_finished(folder: &Path) -> bool {
    Run::load(folder).is_ok_and(|run| run.context.finished_at.is_some())
}

/// What `--option=VALUE` gives.
fn assigned<'a>(word: &'a str, option: &str) -> Option<&'a str> {
    word.strip_prefix(option)?.strip_prefix('=')
}

/// Whether a value such as `ray.key=1` or `ray=address` is about an engine.
fn concerns(value: &str, engine: &str) -> bool {
    value.strip_prefix(engine).is_some_and(|rest| rest.starts_with(['.', '=']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_record::{Family, Protocol};

    fn case(variant: &str, nodes: u32) -> Case {
        Case {
            suite: "smoke".into(),
            family: Family::Sql,
            workload: "tpch-q01".into(),
            engine: "duckdb".into(),
            variant: variant.into(),
            cluster: "local".into(),
            nodes,
            slots: 2,
            protocol: Protocol::Warm(1),
            scale: 1,
        }
    }

    #[test]
    fn of_configurations_and_numbers_of_nodes_those_of_the_suspects_stay() {
        let kept = |variant: &str, nodes, option: &str, values: &str| {
            Place::of(&case(variant, nodes)).those_of(option, values)
        };
        assert_eq!(kept("config=tuned", 1, "--configs", "default,tuned"), "tuned");
        assert_eq!(kept("config=tuned,memory=4GiB", 1, "--configs", "default,tuned"), "tuned");
        assert_eq!(kept(Case::DEFAULT_VARIANT, 1, "--configs", "default,tuned"), "default");
        assert_eq!(kept(Case::DEFAULT_VARIANT, 1, "--configs", "tuned"), "tuned", "a style has no configuration");
        assert_eq!(kept(Case::DEFAULT_VARIANT, 2, "--nodes", "1,2,4"), "2");
        assert_eq!(kept(Case::DEFAULT_VARIANT, 1, "--nodes", "2,4"), "2,4", "who runs on no nodes has none of them");
    }

    #[test]
    fn no_two_places_have_the_same_folder() {
        let cases = [case("config=tuned", 1), case("config=tuned", 2), case("default", 1), case("default", 2)];
        let labels: BTreeSet<String> = cases.iter().map(|c| Place::of(c).label()).collect();
        assert_eq!(labels.len(), 4);
        assert!(labels.contains("duckdb") && labels.contains("duckdb-tuned-2-nodes"), "{labels:?}");
    }
}
