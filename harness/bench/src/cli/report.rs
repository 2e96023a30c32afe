//! `bench report`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Prints the comparison of finished or interrupted runs from their folders.
///
/// Nothing is run. Every case appears: those without a time say why. Several folders share a table if suite, machine, data and
/// protocol agree; where they do not, each has its own and a note says what differs.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportArgs {
    /// Reads these folders, each made by `bench run`.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Writes the report like this: a table for terminals, Markdown for documents, JSON for programs, SVG for slides.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Compares totals with this engine, or with this column where an engine has several [default: datafusion where it took
    /// part, else the first engine].
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Option<String>,
    /// Writes the report to this file, and over it if it exists [default: standard output].
    #[arg(long, value_name = "FILE")]
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
}
