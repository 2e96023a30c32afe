//! `bench report`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Prints the comparison of finished or interrupted runs from their folders.
///
/// Nothing is run. Every case appears: those without a time say why. Several folders are read as one run if machine, data
/// and protocol agree, and refused otherwise.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportArgs {
    /// Reads these folders, each made by `bench run`.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Writes the report like this: a table for terminals, Markdown for documents, JSON for programs.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
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
}
