//! Commands for child processes and scripts. Hidden from the help; their formats may change with the version.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Serves one engine over standard input and output, one JSON message per line.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineHostArgs {
    /// Serves this engine.
    #[arg(value_name = "NAME")]
    pub(crate) engine: String,
}

/// Runs a command line, and ends everything that it started when it ends or when whoever started this is gone.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineKeeperArgs {
    /// Runs this.
    #[arg(value_name = "COMMAND", required = true, last = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

/// Works on stored answers.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswersArgs {
    #[command(subcommand)]
    pub(crate) what: AnswersWhat,
}

/// What to do with answers. Between the two steps, `scripts/answers.py` asks independent code.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AnswersWhat {
    /// Writes the questions of a suite as SQL files, `OUT/DATASET/WORKLOAD.sql` each.
    Questions {
        /// Asks the questions of this suite.
        #[arg(long, value_name = "NAME")]
        suite: String,
        /// Writes below this folder.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Digests `RESULTS/DATASET/WORKLOAD.parquet` with the code that checks trials, and stores one file per dataset.
    Store {
        /// Stores the answers of this suite.
        #[arg(long, value_name = "NAME")]
        suite: String,
        /// Reads the results below this folder.
        #[arg(long, value_name = "DIR")]
        results: PathBuf,
        /// Says who made the results, with version.
        #[arg(long, value_name = "TEXT")]
        origin: String,
        /// Writes to this folder; what lies in the default one is built into the next build.
        #[arg(long, value_name = "DIR", default_value = "workloads/suite/answers")]
        out: PathBuf,
        #[command(flatten)]
        data: super::place::DataDir,
    },
}
