//! `bench report`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Prints the comparison of finished or interrupted runs from their folders.
///
/// Nothing is run. Every case appears: those without a time say why. Several folders share a table if suite, machine, data and
/// protocol agree; where they do not, each has its own and a note says what differs.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportArgs {
    /// Reads these folders, each made by `bench run` or by `bench overhead`.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Writes the report like this: a table for terminals, HTML for people to read and decide from, Markdown for documents,
    /// JSON for programs, SVG for slides, and CSV, Parquet or Arrow for notebooks.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Makes a row of CSV, Parquet or Arrow of this; other formats have no rows [default: observations].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) rows: Option<Rows>,
    /// Compares totals with this engine, or with this column where an engine has several [default: datafusion where it took
    /// part, else the first engine].
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Option<String>,
    /// Adds a section with what a month of such work costs at the prices of this book: aws, azure, gcp, or a TOML file of yours. For
    /// HTML; `bench cost` has the other formats, and the options of the calculation.
    #[arg(long, value_name = "BOOK")]
    pub(crate) prices: Option<String>,
    /// Adds a section with what these runs say to the claims that come with the program. For HTML; `bench claims` has the other
    /// formats, and takes claims of yours.
    #[arg(long)]
    pub(crate) claims: bool,
    /// Writes the report to this file, and over it if it exists [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text, at most 100 columns, legible without color.
    Table,
    /// Markdown.
    Md,
    /// JSON, with every number unrounded.
    Json,
    /// A picture: times side by side on a logarithmic scale.
    Svg,
    /// One page with verdicts, figures and every observation, which needs no network.
    Html,
    /// Comma-separated rows; text that a spreadsheet would take for a formula begins with an apostrophe.
    Csv,
    /// Rows as a Parquet file.
    Parquet,
    /// Rows as an Arrow IPC file.
    Arrow,
}

/// What a row of CSV, Parquet or Arrow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rows {
    /// One trial, with its case and everything that was measured.
    Observations,
    /// One engine on one workload, with median, intervals, ratios and verdicts.
    Cells,
}
