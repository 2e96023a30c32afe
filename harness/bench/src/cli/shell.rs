//! `bench completions` and `bench man`: both are made from the definitions in this folder.

use super::Cli;
use clap::{Args, CommandFactory};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Prints a completion script for a shell.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompletionsArgs {
    /// Writes for this shell. Bash reads it with `source <(bench completions bash)`.
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Prints the manual page, or writes one page per command.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManArgs {
    /// Writes bench.1, bench-run.1 and so on to this folder [default: prints bench.1]. For packages.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Writes the completion script of a shell.
///
/// # Errors
/// When `to` cannot be written.
pub(crate) fn write_completions(shell: clap_complete::Shell, to: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bench", &mut script);
    to.write_all(&script)
}

/// Writes the manual page of `bench` itself.
///
/// # Errors
/// When `to` cannot be written.
pub(crate) fn write_man_page(to: &mut dyn Write) -> io::Result<()> {
    clap_mangen::Man::new(Cli::command()).render(to)
}

/// Writes one manual page per visible command into a folder, which is made if need be.
///
/// # Errors
/// When the folder or a page cannot be written.
pub(crate) fn write_man_pages(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
