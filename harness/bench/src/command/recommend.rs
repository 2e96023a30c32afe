//! `bench recommend`: engines ranked for a mix of work.

use super::claims::{claim_files, put, sorted_out};
use super::cost;
use crate::cli::exit;
use crate::cli::recommend::{HourlyPrice, RecommendArgs};
use crate::engines;
use anyhow::{Context, Result, bail};
use bench_record::Run;
use bench_reports::claims::page;
use bench_reports::cost::Jobs;
use bench_reports::recommend::{self, BookPrices, Hourly, Pricing, Question};
use bench_reports::{Comparison, Contestant, Options, compare};
use bench_suite::DatasetSpec;

/// Prices from the command line.
struct Given<'a>(&'a [HourlyPrice]);

impl Pricing for Given<'_> {
    fn hourly(&self, contestant: &Contestant) -> Option<Hourly> {
        let price = self.0.iter().find(|p| p.engine == contestant.engine)?;
        Some(Hourly { low: price.usd, base: price.usd, high: price.usd, from: "as given".to_owned() })
    }
}

pub(super) fn recommend(args: &RecommendArgs) -> Result<u8> {
    check(&args.usd_per_hour)?;
    let (folders, files) = sorted_out(&args.folders, &args.files)?;
    let files = claim_files(&files)?;
    let runs = folders.iter().map(|folder| Run::load(folder)).collect::<Result<Vec<_>, _>>()?;
    let took_part = |engine: &str| runs.iter().flat_map(|r| &r.observations).any(|o| o.case.engine == engine);
    if let Some(price) = args.usd_per_hour.iter().find(|p| !took_part(&p.engine)) {
        bail!("--usd-per-hour {}={}: {0} took part in none of the runs", price.engine, price.usd);
    }
    let required = recommend::features(&files, &args.require).context("--require")?;
    let comparison = compare(&runs, &Options::default())?;
    let given = (!args.usd_per_hour.is_empty()).then_some(Given(&args.usd_per_hour));
    let book = args.prices.as_deref().map(|name| prices(&comparison, &runs, name)).transpose()?;
    let pricing = given.as_ref().map(|p| p as &dyn Pricing).or(book.as_ref().map(|p| p as &dyn Pricing));
    let question = Question {
        mix: &args.mix,
        data_bytes: args.data.map(|d| d.0.get()),
        nodes: args.nodes,
        required: &required,
        pricing,
        styles: &engines::STYLES,
        text_bytes: Some(&text_bytes),
    };
    let answer = recommend::recommend(&question, &files, &runs)?;
    let write = |format, ink| recommend::render(&answer, format, ink);
    put(args.format, args.out.as_deref(), write, || page("Recommendation", &recommend::html(&answer)))?;
    Ok(if comparison.has_wrong_answers() { exit::ERROR } else { exit::FINE })
}

/// Refuses an engine with two prices: nobody would know which one counted.
fn check(prices: &[HourlyPrice]) -> Result<()> {
    for (at, price) in prices.iter().enumerate() {
        if prices.iter().take(at).any(|other| other.engine == price.engine) {
            bail!("--usd-per-hour gives {} two prices; give it one", price.engine);
        }
    }
    Ok(())
}

/// How much text a table set stands for; none for tables of the user's own.
fn text_bytes(dataset: &str) -> Option<u64> {
    dataset.parse::<DatasetSpec>().ok().map(|spec| spec.raw_bytes())
}

fn prices(comparison: &Comparison, runs: &[Run], name: &str) -> Result<BookPrices> {
    let pricing = cost::priced(runs, comparison, &cost::book(name)?, Jobs::AsMeasured)?;
    let currency = pricing.currency;
    BookPrices::new(pricing).with_context(|| format!("price book {name} is in {currency}; give one in USD"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_one_price() {
        let prices = |all: &[&str]| check(&all.iter().map(|p| p.parse().unwrap()).collect::<Vec<_>>());
        assert!(prices(&["ray=1", "dask=1"]).is_ok());
        let message = prices(&["ray=1", "dask=1", "ray=2"]).unwrap_err().to_string();
        assert_eq!(message, "--usd-per-hour gives ray two prices; give it one");
    }

    #[test]
    fn table_sets_of_suites_are_as_large_as_their_text() {
        assert_eq!(
            ["tpch-sf1", "groupby-n10000000", "mine"].map(text_bytes),
            [Some(1_000_000_000), Some(1_000_000_000), None]
        );
    }
}
