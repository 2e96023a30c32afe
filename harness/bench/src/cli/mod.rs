//! The command line as data: what can be asked for, parsed and validated before anything is done.
//!
//! | module | idea |
//! |---|---|
//! | `exit` | exit codes, as constants |
//! | `value` | typed values: each refuses what cannot work and says what would |
//! | `pattern` | globs over names |
//! | `place` | options that several commands share: where data lies, how output looks |
//! | `cluster` | where nodes run and what goes wrong there |
//! | `compare`, `history`, `gate_proof` | what changed between builds, and when |
//! | `claims`, `recommend` | what runs say of claims, and of a stated mix of work |
//! | `run`, `report`, `cost`, `replay`, `list`, `data`, `engines`, `workload`, `explain`, `sim`, `node` | one command each |
//! | `overhead` | what engines cost before they do any work |
//! | `hidden` | commands for child processes and scripts |
//! | `shell` | completions and man pages, made from these definitions |

pub(crate) mod claims;
pub(crate) mod cluster;
pub(crate) mod compare;
pub(crate) mod cost;
pub(crate) mod data;
pub(crate) mod engines;
pub(crate) mod exit;
pub(crate) mod explain;
pub(crate) mod gate_proof;
pub(crate) mod hidden;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod node;
pub(crate) mod overhead;
pub(crate) mod pattern;
pub(crate) mod place;
pub(crate) mod recommend;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod shell;
pub(crate) mod sim;
pub(crate) mod value;
pub(crate) mod workload;

#[cfg(test)]
mod claims_test;
#[cfg(test)]
mod help_test;
#[cfg(test)]
mod parse_test;

use clap::{Args, Parser, Subcommand};

/// Measures data engines on this machine: the same programs, every answer checked, every trial recorded.
///
/// `bench run --suite 1gb` makes the data it needs, runs every engine in turn and prints who is faster, by how much and
/// how sure that is. Results go to standard output, talk goes to standard error.
#[derive(Debug, Parser)]
#[command(name = "bench", version, propagate_version = true, max_term_width = 100, after_long_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is said on standard error.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Talk {
    /// Says more on standard error: once for decisions, twice for every step [default: warnings only]. For finding out
    /// why a run behaves as it does.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet", display_order = 900)]
    pub(crate) verbose: u8,
    /// Shows no progress and only errors on standard error [default: progress on a terminal]. For scripts.
    #[arg(short, long, global = true, display_order = 901)]
    pub(crate) quiet: bool,
}

/// What to do. The documentation of each command is that of its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::RunArgs>),
    Report(report::ReportArgs),
    Claims(claims::ClaimsArgs),
    Recommend(recommend::RecommendArgs),
    Cost(cost::CostArgs),
    Compare(Box<compare::CompareArgs>),
    History(history::HistoryArgs),
    Replay(replay::ReplayArgs),
    List(list::ListArgs),
    Doctor(list::DoctorArgs),
    Data(data::DataArgs),
    Engines(engines::EnginesArgs),
    Workload(workload::WorkloadArgs),
    Explain(explain::ExplainArgs),
    Overhead(Box<overhead::OverheadArgs>),
    Sim(sim::SimArgs),
    Node(node::NodeArgs),
    #[command(hide = true)]
    GateProof(gate_proof::GateProofArgs),
    #[command(hide = true)]
    EngineHost(hidden::EngineHostArgs),
    #[command(hide = true)]
    EngineKeeper(hidden::EngineKeeperArgs),
    #[command(hide = true)]
    Answers(hidden::AnswersArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}
