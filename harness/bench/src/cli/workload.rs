//! `bench workload`.

use super::place::Output;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Starts and checks workloads of your own.
///
/// A workload folder has the format of the built-in ones: one TOML file, SQL texts, Parquet or CSV tables and, if you
/// have them, the expected answers.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkloadArgs {
    #[command(subcommand)]
    pub(crate) what: WorkloadWhat,
}

/// What to do with a workload folder.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum WorkloadWhat {
    /// Writes a commented example to a new or empty folder, from your tables.
    Init {
        /// Writes to this folder, which must be new or empty.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Makes a table of each of these Parquet or CSV files; they are referred to, not copied.
        #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
        from: Vec<PathBuf>,
    },
    /// Checks a workload folder without running it: the TOML, the SQL, the tables, the expected answers.
    Check {
        /// Checks this folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        output: Output,
    },
}
