//! `bench claims`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Holds claims about engines against recorded runs: each is supported, contradicted, inconclusive or not tested here.
///
/// Nothing is run. The claims of the comparison that this program was asked to replace come with it; --file adds others. A
/// claim about a product is decided by runs of that product under the claim's own conditions. Runs at another scale, and
/// runs of an engine style with the product's architecture, are shown beside it and decide nothing.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimsArgs {
    /// Reads these folders, each made by `bench run` or by `bench overhead`.
    #[arg(value_name = "DIR", required_unless_present = "example")]
    pub(crate) folders: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) files: ClaimFiles,
    /// Holds claims on costs against these prices: aws, azure, gcp, or a TOML file of yours [default: none, and no such claim
    /// is tested].
    #[arg(long, value_name = "BOOK")]
    pub(crate) prices: Option<String>,
    /// Writes the report like this: a table for terminals, Markdown for documents, JSON for programs, HTML for browsers.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Writes the report to this file, and over it if it exists [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Prints a commented example of a claims file and does nothing else. For a file of your own to start from.
    #[arg(long, conflicts_with_all = ["folders", "file", "no_built_in", "prices", "format", "out"])]
    pub(crate) example: bool,
}

/// Which claims.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClaimFiles {
    /// Adds the claims of this file; may be repeated. Words that end in .toml and are no folders are further files, so that a
    /// pattern such as claims/*.toml can be given. docs/claims.md describes the format.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Leaves out the claims that come with the program [default: they are in].
    #[arg(long, requires = "file")]
    pub(crate) no_built_in: bool,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text, at most 100 columns, legible without color.
    Table,
    /// Markdown.
    Md,
    /// JSON, with every number unrounded.
    Json,
    /// One page that needs nothing from elsewhere.
    Html,
}
