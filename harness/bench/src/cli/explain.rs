//! `bench explain`.

use super::engines::EnginesDir;
use super::place::{DataDir, Output, Resources};
use clap::Args;
use std::path::PathBuf;

/// Shows how an engine would run a workload: stages, partitions, exchanges.
///
/// Missing tables are made first, because plans depend on their statistics.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct ExplainArgs {
    /// Explains this workload. `bench list workloads` shows all.
    #[arg(value_name = "WORKLOAD")]
    pub(crate) workload: String,
    /// Asks this engine.
    #[arg(long, value_name = "NAME", default_value = "stagedag")]
    pub(crate) engine: String,
    /// Plans over the tables of this suite.
    #[arg(long, value_name = "NAME", default_value = "smoke")]
    pub(crate) suite: String,
    /// Looks for the workload in this folder too.
    #[arg(long, value_name = "DIR")]
    pub(crate) workload_dir: Option<PathBuf>,
    /// Also runs it, and shows what adaptive replanning changed and why [default: plans only].
    #[arg(long)]
    pub(crate) analyze: bool,
    #[command(flatten)]
    pub(crate) resources: Resources,
    #[command(flatten)]
    pub(crate) folder: EnginesDir,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) output: Output,
}
