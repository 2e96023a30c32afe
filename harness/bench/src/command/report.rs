//! `bench report`: finished runs side by side.

use super::say;
use crate::cli::exit;
use crate::cli::report::{Format, ReportArgs};
use anyhow::{Context, Result};
use bench_record::Run;
use bench_reports::{Ink, Options, compare, plot, render};
use std::io::IsTerminal;
use std::path::Path;

pub(super) fn report(args: &ReportArgs) -> Result<u8> {
    let runs = args.folders.iter().map(|folder| Run::load(folder)).collect::<Result<Vec<_>, _>>()?;
    let comparison = compare(&runs, &Options { baseline: args.baseline.clone() })?;
    let ink = if args.out.is_some() { Ink::Plain } else { ink() };
    let text = match args.format {
        Format::Table => render(&comparison, bench_reports::Format::Table, ink),
        Format::Md => render(&comparison, bench_reports::Format::Markdown, ink),
        Format::Json => render(&comparison, bench_reports::Format::Json, ink),
        Format::Svg => plot::svg(&comparison)?,
    };
    match &args.out {
        Some(file) => std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?,
        None => say(&text)?,
    }
    Ok(if comparison.has_wrong_answers() || comparison.has_span_violations() { exit::ERROR } else { exit::FINE })
}

/// Prints a run that just ended; whether it had a wrong answer.
pub(super) fn print_run(folder: &Path, json: bool) -> Result<bool> {
    let comparison = compare(&[Run::load(folder)?], &Options::default())?;
    let format = if json { bench_reports::Format::Json } else { bench_reports::Format::Table };
    say(&render(&comparison, format, ink()))?;
    Ok(comparison.has_wrong_answers())
}

/// Color for a terminal whose user has not asked for none.
pub(super) fn ink() -> Ink {
    let colored = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if colored { Ink::Color } else { Ink::Plain }
}
