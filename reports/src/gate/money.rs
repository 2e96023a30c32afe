//! What a regression costs in a year.

use super::model::{Finding, Gate, SlowDown, Status};
use crate::comparison::has_own_machines;
use crate::cost::{
    Amount, Count, Currency, Hours, Money, Needs, PriceBook, Purchase, Range, YearlyChange, cost_of_slowdown,
};
use bench_record::{Case, Machine, Run};
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
    /// From the bounds of the ratio, noise between runs included, and the prices of the book; below zero it saves.
    pub low: f64,
    /// From the ratio itself.
    pub base: f64,
    /// The most.
    pub high: f64,
    /// What the amounts are in.
    pub currency: Currency,
    /// The type that is rented: the cheapest with as many cores as the case could keep busy on a machine.
    pub instance: String,
    /// How many of them.
    pub instances: u32,
    /// How often the case runs in a day.
    pub runs_per_day: f64,
}

/// Adds to each slow-down of the gate what it costs in a year; where the book knows no machine or no price for it, it says so. Wrong
/// answers and failures have no time, and hence no price. `new` are the runs that were judged: they say what machine it was.
#[must_use]
pub fn price_slow_downs(mut gate: Gate, new: &[Run], prices: &GatePrices<'_>) -> Gate {
    let machine = new.first().map(|run| Host::of(&run.context.machine)).unwrap_or_default();
    let priced: Vec<Option<Result<Yearly, String>>> = {
        let slow_downs: Vec<SlowDown<'_>> = gate.slow_downs().collect();
        let of = |finding: &Finding| {
            let found = slow_downs.iter().find(|s| s.finding.key == finding.key)?;
            (finding.status == Status::Slower).then(|| yearly(found, &machine, prices))
        };
        gate.findings.iter().map(of).collect()
    };
    for (finding, yearly) in gate.findings.iter_mut().zip(priced) {
        let Some(yearly) = yearly else { continue };
        let said = match &yearly {
            Ok(yearly) => words(yearly),
            Err(why) => format!("what that costs in a year is unknown: {why}"),
        };
        finding.said = format!("{}; {said}", finding.said.trim_end_matches('.'));
        finding.yearly = yearly.ok();
    }
    gate
}

/// The machine that everything ran on, unless its nodes had machines of their own.
#[derive(Default)]
struct Host {
    arch: String,
    cores: f64,
}

impl Host {
    /// What a quota leaves of its cores is all that anything there could use.
    fn of(machine: &Machine) -> Self {
        Self { arch: machine.arch.clone(), cores: machine.quota_cores.unwrap_or_else(|| f64::from(machine.cores)) }
    }
}

fn yearly(slow_down: &SlowDown<'_>, host: &Host, prices: &GatePrices<'_>) -> Result<Yearly, String> {
    let case = &slow_down.finding.case;
    let (vcpus, instances) = held(case, host);
    let name = || prices.book.name();
    let unknown = || "its times are no numbers".to_owned();
    let vcpus = Count::new(vcpus).ok_or_else(unknown)?;
    let needs = Needs { arch: host.arch.clone(), vcpus, memory_gib: None };
    let none = || format!("price book `{}` has no {} instance with {} vCPUs", name(), host.arch, vcpus.get());
    let instance = prices.book.smallest(&needs).ok_or_else(none)?;
    let unpriced = || format!("price book `{}` has no price of {} on demand", name(), instance.name());
    let hourly = instance.hourly(Purchase::OnDemand).ok_or_else(unpriced)?;
    let base = Count::new(slow_down.ratio).ok_or_else(unknown)?;
    // What these very trials say leaves out the noise between runs: it stands in only where there is nothing else.
    let ends = slow_down.bounds.or(slow_down.finding.interval);
    let range = ends.and_then(|i| Range::new(Count::new(i.low)?, base, Count::new(i.high)?));
    let before = Hours::new(slow_down.base_hours * f64::from(instances)).ok_or_else(unknown)?;
    let change = cost_of_slowdown(range.unwrap_or(Range::exactly(base)), before, prices.runs_per_day, hourly);
    let signed = |change: YearlyChange| {
        change.dearer().map(Amount::get).or(change.saved().map(|amount| -amount.get())).unwrap_or(0.0)
    };
    Ok(Yearly {
        low: signed(change.low),
        base: signed(change.base),
        high: signed(change.high),
        currency: prices.book.currency(),
        instance: instance.name().to_owned(),
        instances,
        runs_per_day: prices.runs_per_day.get(),
    })
}

/// Cores of each machine that a case holds while it runs, and how many machines: one for each node that has one to itself, else one for
/// all of them, of which they can keep no more cores busy than it has. `bench cost` counts them in the same way.
fn held(case: &Case, host: &Host) -> (f64, u32) {
    let wanted = f64::from(case.slots) * f64::from(case.nodes.max(1));
    if has_own_machines(&case.cluster) {
        return (f64::from(case.slots), case.nodes.max(1));
    }
    let shared = if host.cores > 0.0 { wanted.min(host.cores) } else { wanted };
    (shared.ceil(), 1)
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
