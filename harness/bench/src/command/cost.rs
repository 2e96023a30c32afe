//! `bench cost`: finished runs at the prices of a book.

use super::folders::write_out;
use super::report::ink;
use super::say;
use crate::cli::cost::{CostArgs, Format, JobsPerDay};
use crate::cli::exit;
use crate::progress::complain;
use anyhow::{Context, Result, bail};
use bench_record::{Run, Timestamp};
use bench_reports::cost::{
    Amount, Asked, BOOK_BYTES_MAX, CostFormat, Count, Gigabytes, Jobs, PriceBook, Pricing, Scenario, built_in,
    fragment, known_books, price, reprice, show,
};
use bench_reports::{Comparison, Ink, Options, compare};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Over how many months a migration is spread.
const MIGRATION_MONTHS: u32 = 12;

pub(super) fn cost(args: &CostArgs) -> Result<u8> {
    if let Some(name) = &args.print_prices {
        let text = built_in(name).with_context(|| format!("no price book `{name}`; built in are {}", known_books()))?;
        say(text)?;
        return Ok(exit::FINE);
    }
    let books = args.prices.iter().map(|name| book(name)).collect::<Result<Vec<_>>>()?;
    if books.len() > 2 {
        bail!("{} price books given; `--prices` compares two at most", books.len());
    }
    let runs = args.folders.iter().map(|folder| Run::load(folder)).collect::<Result<Vec<_>, _>>()?;
    let comparison = compare(&runs, &Options::default())?;
    let scenario = scenario(args)?;
    let priced = books.iter().map(|book| price(&comparison, &runs, book, &scenario));
    let pricings = priced.collect::<Result<Vec<Pricing>, _>>()?;
    let repriced = match pricings.as_slice() {
        [first, second] => reprice(first, second)?,
        _ => Vec::new(),
    };
    let ink = if args.out.is_none() { ink() } else { Ink::Plain };
    let text = show(&pricings, &repriced, format(args.format), ink, month(&runs))?;
    match &args.out {
        Some(file) => write_out(file, text)?,
        None => say(&text)?,
    }
    Ok(if comparison.has_wrong_answers() { exit::ERROR } else { exit::FINE })
}

/// What the section of a report takes for granted; `bench cost` takes another amount.
pub(super) const SECTION_TB_PER_MONTH: u32 = 100;

/// Runs at the prices of a book, for a page of somebody else's.
pub(super) fn section(runs: &[Run], comparison: &Comparison, book: &PriceBook) -> Result<String> {
    let a_day = Jobs::PerDay(Count::new(1.0).context("not a count")?);
    Ok(fragment(&[priced(runs, comparison, book, a_day)?], &[], Some(comparison))?)
}

/// Runs at the prices of a book, for a month of [`SECTION_TB_PER_MONTH`].
pub(super) fn priced(runs: &[Run], comparison: &Comparison, book: &PriceBook, jobs: Jobs) -> Result<Pricing> {
    let scenario = Scenario {
        volume: Gigabytes::new(f64::from(SECTION_TB_PER_MONTH) * 1000.0).context("not an amount of data")?,
        jobs,
        instance: None,
        price_as: BTreeMap::new(),
        operations_fte: None,
        migration: None,
        asked: Asked { nodes: None, data: BTreeMap::new() },
    };
    Ok(price(comparison, runs, book, &scenario)?)
}

/// A book that is built in, or else a file. Says so where the first stands in for the second.
pub(super) fn book(name: &str) -> Result<PriceBook> {
    if let Some(known) = stand_in(name) {
        complain(&format!("note: there is no file {name}; prices are those of the built-in book {known}"));
    }
    read_book(name)
}

/// The built-in book that `prices/aws.toml`, or the same below `reports`, means where no such file is: among the sources its text lies there.
fn stand_in(name: &str) -> Option<&str> {
    let path = Path::new(name);
    let folder = path.parent()?;
    let is_of_sources =
        path.extension()? == "toml" && ["prices", "reports/prices"].iter().any(|f| folder == Path::new(f));
    let known = path.file_stem()?.to_str().filter(|known| built_in(known).is_some())?;
    (is_of_sources && path.try_exists().is_ok_and(|is_there| !is_there)).then_some(known)
}

/// As [`book`], without a word.
pub(super) fn read_book(name: &str) -> Result<PriceBook> {
    if let Some(text) = built_in(stand_in(name).unwrap_or(name)) {
        return PriceBook::parse(text).with_context(|| format!("price book {name}"));
    }
    let path = Path::new(name);
    let file = std::fs::File::open(path)
        .with_context(|| format!("cannot open price book {name}; give {} or a TOML file", known_books()))?;
    let mut bytes = Vec::new();
    file.take(BOOK_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    let text = String::from_utf8_lossy(&bytes);
    PriceBook::parse(&text).with_context(|| format!("price book {name}"))
}

fn scenario(args: &CostArgs) -> Result<Scenario> {
    let count = |number: f64| Count::new(number).context("not a count");
    let migration = args.migration.and_then(|m| Amount::new(m.get())).map(|amount| (amount, MIGRATION_MONTHS));
    Ok(Scenario {
        volume: Gigabytes::new(args.tb_per_month.get() * 1000.0).context("--tb-per-month is no amount of data")?,
        jobs: match args.jobs_per_day {
            JobsPerDay::Number(jobs) => Jobs::PerDay(count(jobs.get())?),
            JobsPerDay::Measured => Jobs::AsMeasured,
        },
        instance: args.instance.clone(),
        price_as: args.price_as.iter().map(|a| (a.engine.clone(), a.other.clone())).collect(),
        operations_fte: args.operations_fte.map(|n| count(n.get())).transpose()?,
        migration,
        asked: Asked { nodes: args.nodes, data: args.data.iter().map(|d| (d.family, d.bytes)).collect() },
    })
}

/// The month of the latest run: rows are dated by what they are of, so that the same folders give the same bytes.
fn month(runs: &[Run]) -> (u16, u8) {
    let latest = runs.iter().map(|r| r.context.started_at).max().unwrap_or(Timestamp::from_unix_ms(0)).to_string();
    let number = |from: usize, to: usize| latest.get(from..to).and_then(|t| t.parse::<u16>().ok());
    let month = number(5, 7).and_then(|m| u8::try_from(m).ok());
    (number(0, 4).unwrap_or(1970), month.unwrap_or(1))
}

const fn format(format: Format) -> CostFormat {
    match format {
        Format::Table => CostFormat::Table,
        Format::Md => CostFormat::Markdown,
        Format::Json => CostFormat::Json,
        Format::Focus => CostFormat::Focus,
        Format::Svg => CostFormat::Svg,
        Format::Html => CostFormat::Html,
    }
}
