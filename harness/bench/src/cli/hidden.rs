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

/// What to do with answers.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AnswersWhat {
    /// Digests result files with the code that checks trials, and prints one JSON object per file.
    Digest {
        /// Digests these Parquet files; each is one complete answer.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}
