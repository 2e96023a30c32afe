//! `bench report`: finished runs side by side.

use super::say;
use crate::cli::exit;
use crate::cli::report::{Format, ReportArgs};
use anyhow::Result;
use bench_record::Run;
use bench_reports::{Comparison, Ink, Options, compare, render};
use std::io::IsTerminal;
use std::path::Path;

pub(super) fn report(args: &ReportArgs) -> Result<u8> {
    let runs = args.folders.iter().map(|folder| Run::load(folder)).collect::<Result<Vec<_>, _>>()?;
    let comparison = compare(&runs, &Options::default())?;
    let format = match args.format {
        Format::Table => bench_reports::Format::Table,
        Format::Md => bench_reports::Format::Markdown,
        Format::Json => bench_reports::Format::Json,
    };
    print(&comparison, format)?;
    Ok(if comparison.has_wrong_answers() || comparison.has_span_violations() { exit::ERROR } else { exit::FINE })
}

/// Prints a run that just ended; whether it had a wrong answer.
pub(super) fn print_run(folder: &Path, json: bool) -> Result<bool> {
    let comparison = compare(&[Run::load(folder)?], &Options::default())?;
    print(&comparison, if json { bench_reports::Format::Json } else { bench_reports::Format::Table })?;
    Ok(comparison.has_wrong_answers())
}

fn print(comparison: &Comparison, format: bench_reports::Format) -> Result<()> {
    let colored = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    say(&render(comparison, format, if colored { Ink::Color } else { Ink::Plain }))
}
