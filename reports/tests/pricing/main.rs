//! What recorded runs cost: figures, formats, predictions, and bad input.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../fixture/scenario.rs"]
mod usual;

mod focus;
mod formats;
mod hostile;
mod nodes;
mod ranking;

use bench_record::Run;
use bench_reports::cost::{CostFormat, PriceBook, PriceError, Pricing, Scenario, built_in, price, show};
use bench_reports::{Ink, Options, WIDTH, compare};

fn book(name: &str) -> PriceBook {
    PriceBook::parse(built_in(name).unwrap()).unwrap()
}

/// The usual one, with `stagedag` at the prices of Spark.
fn scenario() -> Scenario {
    Scenario { price_as: [("stagedag".to_owned(), "spark".to_owned())].into(), ..usual::scenario() }
}

fn priced(runs: &[Run], book: &PriceBook, scenario: &Scenario) -> Result<Pricing, PriceError> {
    price(&compare(runs, &Options::default()).unwrap(), runs, book, scenario)
}

/// The fixture with tables for both families.
fn run() -> Run {
    let mut run = fixture::run();
    let groupby = bench_record::DatasetContext {
        name: "groupby-10m".into(),
        derived_from: None,
        bytes: 500_000_000,
        ..run.context.datasets[0].clone()
    };
    run.context.datasets.push(groupby);
    run
}

fn shown(pricings: &[Pricing], format: CostFormat) -> String {
    let text = show(pricings, &[], format, Ink::Plain, (2026, 11)).unwrap();
    assert!(format != CostFormat::Table || text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    text
}
