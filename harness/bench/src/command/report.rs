//! `bench report`: finished runs side by side.

use super::folders::{Folders, write_out};
use super::{claims, cost, print, say};
use crate::cli::exit;
use crate::cli::report::{Format, ReportArgs, Rows};
use anyhow::{Context, Result, bail};
use arrow::record_batch::RecordBatch;
use bench_record::Run;
use bench_reports::{Comparison, Ink, Options, Section, Sources, compare, compare_all, html_by, plot, render};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::io::IsTerminal;
use std::path::Path;

pub(super) fn report(args: &ReportArgs) -> Result<u8> {
    check(args)?;
    let folders = Folders::load(&args.folders)?;
    if folders.runs.is_empty() && matches!(args.format, Format::Svg | Format::Csv | Format::Parquet | Format::Arrow) {
        bail!("what `bench overhead` recorded has no rows and no picture; use --format table, md, html or json");
    }
    let options = Options { baseline: args.baseline.clone() };
    let (comparison, sources) = compare_all(&folders.runs, &folders.overhead, &options)?;
    let sections = sections(args, &folders, &comparison, &sources)?;
    let written = written(args, &comparison, &sources, &sections)?;
    match &args.out {
        Some(file) => write_out(file, written)?,
        None => print(&written)?,
    }
    Ok(if comparison.has_wrong_answers() || comparison.has_span_violations() { exit::ERROR } else { exit::FINE })
}

/// Refuses what cannot be meant, before anything is read.
fn check(args: &ReportArgs) -> Result<()> {
    let has_rows = matches!(args.format, Format::Csv | Format::Parquet | Format::Arrow);
    if args.rows.is_some() && !has_rows {
        bail!("--rows says what a row of csv, parquet or arrow is; give one of these as --format, or leave it out");
    }
    if (args.prices.is_some() || args.claims) && args.format != Format::Html {
        bail!(
            "--prices and --claims add sections to --format html; `bench cost` and `bench claims` print them by themselves"
        );
    }
    let is_binary = matches!(args.format, Format::Parquet | Format::Arrow);
    if is_binary && args.out.is_none() && std::io::stdout().is_terminal() {
        bail!("this format is not text; name a file with -o, or redirect the output");
    }
    Ok(())
}

/// What other commands add to the page.
fn sections(
    args: &ReportArgs,
    folders: &Folders,
    comparison: &Comparison,
    sources: &Sources<'_>,
) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let runs = &folders.runs;
    if args.prices.is_some() && runs.is_empty() {
        bail!("--prices prices what `bench run` recorded; no folder given holds that");
    }
    let book = args.prices.as_deref().map(cost::book).transpose()?;
    if let Some(book) = &book {
        let title = format!("Cost of {} TB a month ({})", cost::SECTION_TB_PER_MONTH, book.name());
        sections.push(Section { id: "prices".to_owned(), title, body_html: cost::section(runs, comparison, book)? });
    }
    if args.claims {
        let title = "Claims and evidence".to_owned();
        let body_html = claims::section(folders, (comparison, sources), book.as_ref())?;
        sections.push(Section { id: "claims".to_owned(), title, body_html });
    }
    Ok(sections)
}

/// The command that writes this page, word by word.
fn command(args: &ReportArgs) -> Vec<String> {
    let mut words = vec!["bench".to_owned(), "report".to_owned()];
    words.extend(args.folders.iter().map(|folder| folder.display().to_string()));
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    args.baseline.iter().for_each(|name| option("--baseline", name));
    args.prices.iter().for_each(|book| option("--prices", book));
    option("--format", "html");
    let out = args.out.as_ref().map_or_else(|| "report.html".to_owned(), |file| file.display().to_string());
    option("-o", &out);
    words.extend(args.claims.then(|| "--claims".to_owned()));
    words
}

fn written(args: &ReportArgs, comparison: &Comparison, sources: &Sources<'_>, sections: &[Section]) -> Result<Vec<u8>> {
    let ink = if args.out.is_some() { Ink::Plain } else { ink() };
    let text = |format| render(comparison, format, ink).into_bytes();
    let of = match args.rows.unwrap_or(Rows::Observations) {
        Rows::Observations => bench_reports::Rows::Observations,
        Rows::Cells => bench_reports::Rows::Cells,
    };
    let rows = || bench_reports::rows(comparison, sources, of).context("cannot lay out the rows");
    Ok(match args.format {
        Format::Table => text(bench_reports::Format::Table),
        Format::Md => text(bench_reports::Format::Markdown),
        Format::Json => text(bench_reports::Format::Json),
        Format::Svg => plot::svg(comparison)?.into_bytes(),
        Format::Html => html_by(comparison, sources, sections, &command(args))?.into_bytes(),
        Format::Csv => bench_reports::csv(&rows()?).context("cannot encode as CSV")?,
        Format::Arrow => bench_reports::arrow_file(&rows()?).context("cannot encode as Arrow")?,
        Format::Parquet => parquet_file(&rows()?).context("cannot encode as Parquet")?,
    })
}

fn parquet_file(rows: &RecordBatch) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
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
