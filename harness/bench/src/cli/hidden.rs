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

/// Works on stored answers.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswersArgs {
    #[command(subcommand)]
    pub(crate) what: AnswersWhat,
}

/// What to do with answers. Between the two steps, `scripts/answers.py` asks independent code.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AnswersWhat {
    /// Prints a suite's questions about one dataset as JSON: workload names and the SQL that asks them.
    Questions {
        /// Takes the questions of this suite.
        #[arg(value_name = "SUITE")]
        suite: String,
        /// Takes the questions about this dataset, such as tpch-sf1.
        #[arg(value_name = "DATASET")]
        dataset: String,
    },
    /// Digests result files with the code that checks trials, and stores the digests as DATASET.json.
    Digest {
        /// Takes the questions of this suite, with which the answers are stored.
        #[arg(value_name = "SUITE")]
        suite: String,
        /// Reads this folder: one Parquet file per workload, each a complete answer, and origin.json.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Writes to this folder; what lies in the default one is built into the next build.
        #[arg(long, value_name = "DIR", default_value = "workloads/suite/answers")]
        out: PathBuf,
        #[command(flatten)]
        data: super::place::DataDir,
    },
}
