//! `bench list` and `bench doctor`.

use super::engines::EnginesDir;
use super::place::{DataDir, Output};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Lists the engines, workloads or suites there are.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListArgs {
    #[command(subcommand)]
    pub(crate) what: ListWhat,
}

/// What to list.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum ListWhat {
    /// Lists the engines with their families and switches, and each switch's default; products with what is missing.
    Engines {
        #[command(flatten)]
        folder: EnginesDir,
        #[command(flatten)]
        output: Output,
    },
    /// Lists the workloads by family, with what each does and the tables it reads.
    Workloads {
        /// Lists the workloads of this folder too.
        #[arg(long, value_name = "DIR")]
        workload_dir: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Lists the suites with how many workloads each has, how large a family's tables are, and what it is for.
    Suites {
        #[command(flatten)]
        output: Output,
    },
}

/// Shows what this machine has and what would limit or distort a run on it.
///
/// Every line that could distort a measurement says what to do about it.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) output: Output,
}
