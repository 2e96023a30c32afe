//! `bench overhead`.

use super::engines::EnginesDir;
use super::place::DataDir;
use super::value::{MemoryLimit, Setting, Slots, Trials};
use clap::Args;
use std::path::PathBuf;

/// Measures what engines cost before they do any work: start-up, idle memory, tasks and calls that do nothing, values into the
/// store and out of it, serialization, spilling, and recovery from a lost worker.
///
/// Each trial starts each engine anew, and engines take turns. The styles of this build are measured in one process and on node
/// processes (as stagedag/2), which is how products run. What an engine has nothing of is n/a, with the reason. Raw samples
/// go to OUT/samples.ndjson; docs/overhead.md says what each number is.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct OverheadArgs {
    /// Measures these engines only, by name, separated by commas, products included; all stands for everything that
    /// `bench list engines` shows [default: every engine of this build].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,
    /// Starts each engine this many times, 1 to 1000. From 6 on there are 95 % intervals; of fewer, ranges.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) trials: Trials,
    /// Runs this many tasks at a time in every engine, 1 to 1024 [default: the cores this process may use].
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<Slots>,
    /// Lets an engine hold this much memory. A quarter more than that is what the store has to spill from.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub(crate) memory: MemoryLimit,
    /// Sets a switch of an engine, such as dask.config=tuned; may be repeated [default: the engine's defaults]. For what a
    /// setting is worth.
    #[arg(long, value_name = "ENGINE.KEY=VALUE")]
    pub(crate) set: Vec<Setting>,
    /// Writes samples to this new or empty folder [default: results/overhead-TIME].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Prints the table of this folder again, which an earlier `bench overhead` wrote, and measures nothing.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["engines", "trials", "slots", "memory", "set", "out"])]
    pub(crate) from: Option<PathBuf>,
    /// Prints JSON with every number unrounded [default: a table]. For scripts.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folder: EnginesDir,
    #[command(flatten)]
    pub(crate) data: DataDir,
}
