//! `bench history`.

use super::compare::Percent;
use super::pattern::Pattern;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps the times of many runs in a row, and finds the runs at which they changed.
///
/// A store is a folder with one append-only file per machine. What is added is never changed; a run is in it once.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct HistoryArgs {
    #[command(subcommand)]
    pub(crate) what: HistoryWhat,
}

/// What to do with a store.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum HistoryWhat {
    /// Adds finished runs to a store, each to the file of its machine. A run that is there already is refused.
    Add {
        /// Adds to the store in this folder, made if it is not there.
        #[arg(value_name = "STORE")]
        store: PathBuf,
        /// Adds these runs, each made by `bench run`, oldest first.
        #[arg(value_name = "DIR", required = true)]
        folders: Vec<PathBuf>,
        /// Notes this beside them, such as the commit that was built [default: nothing].
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
    },
    /// Prints the runs of a store with their times.
    Show {
        #[command(flatten)]
        series: SeriesArgs,
    },
    /// Finds the runs at which times changed, by E-divisive change points with a deterministic test: the same store gives the
    /// same answer. Ends with exit code 0 whatever it finds: a change of the past is no news.
    Changepoints {
        #[command(flatten)]
        series: SeriesArgs,
        /// Reports changes whose probability by chance alone is below this.
        #[arg(long, value_name = "P", default_value_t = 0.001)]
        p: f64,
        /// Reports changes above this share only, such as 2% [default: any].
        #[arg(long, value_name = "PERCENT")]
        least: Option<Percent>,
        /// Looks at so many runs at a time; more than twice as many make no difference to a change between them.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(4..=500))]
        window: u32,
    },
}

/// Which series, and how they are written.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct SeriesArgs {
    /// Reads the store in this folder.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
    /// Shows the machine of this key only [default: all].
    #[arg(long, value_name = "KEY")]
    pub(crate) machine: Option<String>,
    /// Shows workloads whose name matches only [default: all].
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) workloads: Vec<Pattern>,
    /// Shows these engines only [default: all].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,
    /// Writes it like this.
    #[arg(long, value_enum, default_value_t = HistoryFormat::Table)]
    pub(crate) format: HistoryFormat,
    /// Writes to this file, and over it if it exists [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// Aligned text, at most 100 columns.
    Table,
    /// Markdown.
    Md,
    /// JSON.
    Json,
    /// A picture: each series with its changes marked.
    Svg,
}
