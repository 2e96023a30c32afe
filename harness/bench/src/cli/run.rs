//! `bench run`.

use super::cluster::{Clusters, Seeds};
use super::compare::{Judging, Telling};
use super::engines::Products;
use super::pattern::Pattern;
use super::place::{DataDir, Resources};
use super::value::{Timeout, Trials, family_parser};
use bench_model::Family;
use bench_record::Protocol;
use clap::Args;
use std::path::PathBuf;

/// Runs a suite on the chosen engines, checks every answer and prints the comparison.
///
/// Missing tables are made first. Engines take turns (A B B A), one of them runs twice to show the noise floor, and each
/// finished trial is on disk before the next one starts. A wrong answer has no time. A trial that failed, timed out or gave a
/// wrong answer ends the command with exit code 2; one that the engine says it does not support does not.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct RunArgs {
    /// Runs this suite: smoke takes seconds, 1gb is the usual one. `bench list suites` shows all.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["resume", "workload_dir"])]
    pub(crate) suite: Option<String>,
    /// Runs these engines only, by name, separated by commas, products included; all stands for everything that
    /// `bench list engines` shows [default: every engine of this build].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,
    /// Runs these families only [default: all of the suite].
    #[arg(long, value_name = "F,G", value_delimiter = ',', value_parser = family_parser())]
    pub(crate) families: Vec<Family>,
    /// Runs only workloads whose name matches, such as 'tpch-q1?' or '*join*'; may be repeated [default: all]. For a
    /// closer look at a few.
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) workloads: Vec<Pattern>,
    /// Adds the workloads of this folder, or runs them alone when no suite is given. `bench workload init` makes one.
    #[arg(long, value_name = "DIR")]
    pub(crate) workload_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) resources: Resources,
    #[command(flatten)]
    pub(crate) clusters: Clusters,
    #[command(flatten)]
    pub(crate) products: Products,
    /// Measures each engine style also with each of its mechanisms switched off, one at a time, and reports what each is
    /// worth on each workload.
    #[arg(long)]
    pub(crate) ablate: bool,
    /// Measures each case this many times, 1 to 1000 [default: 5]. From 10 on, intervals are narrow enough to
    /// publish.
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<Trials>,
    /// Fixes what is warm when a trial starts: cold-process (a new engine process), cold-cache (also an empty page
    /// cache; needs root, no hosts file) or warm-K (after K untimed runs) [default: warm-1]. Reports never mix protocols.
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) protocol: Option<Protocol>,
    /// Stops a trial after this long, such as 90s or 5m, and records timed_out [default: 10m].
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Timeout>,
    /// Draws the order of engines and cases from this seed, and what --faults leave open; the record keeps it. A row such
    /// as 1..20 makes one trial for each.
    #[arg(long, value_name = "N|A..B", default_value = "1")]
    pub(crate) seed: Seeds,
    /// Writes the run to this new or empty folder [default: results/SUITE-TIME].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Continues the run in this folder with the settings it was started with: unfinished trials only. The build, the
    /// machines, the tables and the workloads must be the same as then.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "suite", "engines", "families", "workloads", "workload_dir", "slots", "memory", "set", "trials", "protocol",
        "timeout", "seed", "out", "spans", "keep_results", "cluster", "nodes", "scaling", "node_limits", "faults", "ablate",
        "dry_run", "against", "budget", "allow", "allow_missing", "prices", "runs_per_day", "write", "configs", "attach",
        "attach_nodes", "attach_slots",
    ])]
    pub(crate) resume: Option<PathBuf>,
    /// Prints the cases, how many trials they get and the estimated time and space, then stops: nothing is made or run.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Records where each slot's time goes, of products as far as they tell [default: off]. For the question why an engine
    /// is slow.
    #[arg(long)]
    pub(crate) spans: bool,
    /// Keeps the result of each case as OUT/results/KEY.parquet [default: only its digest]. For checking answers
    /// elsewhere.
    #[arg(long)]
    pub(crate) keep_results: bool,
    /// Runs although memory seems too small or the time too long; never although the disk is. For those who know better.
    #[arg(long)]
    pub(crate) force: bool,
    /// Prints the comparison as JSON [default: a table]. With --against, one object: the comparison and the gate's verdict.
    #[arg(long)]
    pub(crate) json: bool,
    /// Compares with the run in this folder when all is measured, and ends as `bench compare` does. For a check of a change
    /// in one command; measure with the same options as that run. One run a side finds large regressions and rules none out.
    #[arg(long, value_name = "BASE", conflicts_with = "dry_run")]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) telling: Telling,
    #[command(flatten)]
    pub(crate) data: DataDir,
}
