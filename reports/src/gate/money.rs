//! What a regression costs in a year.

use super::model::{Finding, Gate, SlowDown, Status};
use crate::comparison::HOSTS;
use crate::cost::{
    Amount, Count, Currency, Hours, Instance, Money, Needs, PriceBook, Purchase, Range, YearlyChange, cost_of_slowdown,
};
use bench_record::{Case, Run};
use serde::Serialize;

/// What slow-downs are priced with.
#[derive(Clone, Copy, Debug)]
pub struct GatePrices<'a> {
    /// Where prices come from.
    pub book: &'a PriceBook,
    /// How often each case runs in a day.
    pub runs_per_day: Count,
}

/// What a regression costs more in a year, machines rented on demand and nothing else counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Yearly {
    /// From the interval of the ratio and the prices of the book; below zero it saves.
    pub low: f64,
    /// From the ratio itself.
    pub base: f64,
    /// The most.
    pub high: f64,
    /// What the amounts are in.
    pub currency: Currency,
    /// The type that is rented: the cheapest with as many cores as the case has slots on a machine.
    pub instance: String,
    /// How many of them.
    pub instances: u32,
    /// How often the case runs in a day.
    pub runs_per_day: f64,
}

/// Adds to each slow-down of the gate what it costs in a year. Where the book knows no machine or no price for it, nothing is added.
/// Wrong answers and failures have no time, and hence no price. `new` are the runs that were judged: they say what machine it was.
#[must_use]
pub fn price_slow_downs(mut gate: Gate, new: &[Run], prices: &GatePrices<'_>) -> Gate {
    let arch = new.first().map(|run| run.context.machine.arch.clone()).unwrap_or_default();
    let priced: Vec<Option<Yearly>> = {
        let slow_downs: Vec<SlowDown<'_>> = gate.slow_downs().collect();
        let of = |finding: &Finding| {
            let found = slow_downs.iter().find(|s| s.finding.key == finding.key)?;
            (finding.status == Status::Slower).then(|| yearly(found, &arch, prices)).flatten()
        };
        gate.findings.iter().map(of).collect()
    };
    for (finding, yearly) in gate.findings.iter_mut().zip(priced) {
        if let Some(yearly) = yearly {
            finding.said = format!("{}; {}", finding.said.trim_end_matches('.'), words(&yearly));
            finding.yearly = Some(yearly);
        }
    }
    gate
}

fn yearly(slow_down: &SlowDown<'_>, arch: &str, prices: &GatePrices<'_>) -> Option<Yearly> {
    let (instance, instances) = rented(&slow_down.finding.case, arch, prices.book)?;
    let hourly = instance.hourly(Purchase::OnDemand)?;
    let count = |ratio: f64| Count::new(ratio);
    let base = count(slow_down.ratio)?;
    let interval = slow_down.finding.interval.and_then(|i| Range::new(count(i.low)?, base, count(i.high)?));
    let before = Hours::new(slow_down.base_hours * f64::from(instances))?;
    let change = cost_of_slowdown(interval.unwrap_or(Range::exactly(base)), before, prices.runs_per_day, hourly);
    let signed = |change: YearlyChange| {
        change.dearer().map(Amount::get).or(change.saved().map(|amount| -amount.get())).unwrap_or(0.0)
    };
    Some(Yearly {
        low: signed(change.low),
        base: signed(change.base),
        high: signed(change.high),
        currency: prices.book.currency(),
        instance: instance.name().to_owned(),
        instances,
        runs_per_day: prices.runs_per_day.get(),
    })
}

/// What a case holds while it runs: a machine for each node that has one to itself, else one machine for all of them.
fn rented<'b>(case: &Case, arch: &str, book: &'b PriceBook) -> Option<(&'b Instance, u32)> {
    let apart = case.cluster == HOSTS;
    let (machines, nodes_each) = if apart { (case.nodes.max(1), 1) } else { (1, case.nodes.max(1)) };
    let vcpus = Count::new(f64::from(case.slots) * f64::from(nodes_each))?;
    let needs = Needs { arch: arch.to_owned(), vcpus, memory_gib: None };
    Some((book.smallest(&needs)?, machines))
}

fn words(yearly: &Yearly) -> String {
    let money = |amount: f64| match Amount::new(amount.abs()) {
        Some(size) => {
            let sign = if amount < 0.0 { "-" } else { "" };
            format!("{sign}{}", Money { amount: size, currency: yearly.currency })
        }
        None => "unknown".to_owned(),
    };
    format!(
        "{} to {} more a year (on {} x {}, {} runs a day)",
        money(yearly.low),
        money(yearly.high),
        yearly.instances,
        yearly.instance,
        yearly.runs_per_day
    )
}
