//! Tables that text and page share: title, heads and cells, before anything is laid out.

use super::{amount, at_least_running, cheapest, offers_of, rate, run_cost, three, time};
use crate::cost::offer::Offer;
use crate::cost::pricing::{FamilyPricing, Pricing};
use crate::cost::usage::Usage;
use crate::cost::{Deployment, Purchase};
use bench_record::Outcome;
use std::collections::BTreeSet;

/// In the order of columns and bills.
pub(crate) const DEPLOYMENTS: [Deployment; 3] = [Deployment::SelfHosted, Deployment::Managed, Deployment::Serverless];
/// What stands where the book knows no offer.
pub(crate) const NONE_OFFERED: &str = "none offered";

/// A table.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A cell of it.
pub(crate) enum Cell {
    Name(String),
    /// As it is shown, and what it is sorted by; a number that is not known is sorted by nothing.
    Number(String, Option<f64>),
}

/// A word where others have a number.
fn word(text: &str) -> Cell {
    Cell::Number(text.to_owned(), None)
}

/// The table of the comparison document, computed: contestants by deployment, a row per usage.
pub(crate) fn per_tb(pricing: &Pricing, family: &FamilyPricing) -> Table {
    let head = ["contestant"].into_iter().chain(DEPLOYMENTS.map(Deployment::name)).chain(["completed", "time"]);
    let row = |usage: &Usage| {
        let mut cells = vec![Cell::Name(usage.contestant.label.clone())];
        cells.extend(DEPLOYMENTS.map(|deployment| of_deployment(pricing, family, usage, deployment)));
        cells.push(Cell::Name(format!("{} of {}", usage.completed, usage.cases)));
        cells.push(Cell::Name(time(family, usage)));
        cells
    };
    Table {
        title: format!("{} per TB processed, running", pricing.currency),
        head: head.map(str::to_owned).collect(),
        rows: family.usages.iter().map(row).collect(),
    }
}

/// The cheapest offer of a deployment, on demand where instances are bought.
fn of_deployment(pricing: &Pricing, family: &FamilyPricing, usage: &Usage, deployment: Deployment) -> Cell {
    let own: Vec<&Offer> = offers_of(family, usage)
        .filter(|o| o.deployment == deployment && o.purchase.is_none_or(|p| p == Purchase::OnDemand))
        .collect();
    if usage.busy_per_tb.is_none() {
        return word("-");
    }
    if own.is_empty() {
        return word(NONE_OFFERED);
    }
    match cheapest(own.into_iter()).and_then(|o| Some((o, o.running_per_tb(pricing.scenario.volume)?))) {
        Some((offer, range)) => Cell::Number(at_least_running(offer, three(&range)), Some(range.base.get())),
        None => word("unknown"),
    }
}

/// What one run of each workload costs on rented instances while it works, and how it ended where it did not complete: a column per
/// contestant behind that of the workloads, and at most so many of them in one table.
pub(crate) fn runs(pricing: &Pricing, family: &FamilyPricing, contestants_max: usize) -> Vec<Table> {
    let rented: Vec<&Usage> = family.usages.iter().filter(|u| rate(family, u).is_some()).collect();
    let workloads: BTreeSet<&str> = rented.iter().flat_map(|u| &u.work).map(|w| w.workload.as_str()).collect();
    let title = "per run of a workload: measured time x instances on demand, nothing else";
    let table = |part: &[&Usage]| {
        let head = ["workload"].into_iter().chain(part.iter().map(|u| u.contestant.label.as_str()));
        let row = |workload: &&str| {
            let mut cells = vec![Cell::Name((*workload).to_owned())];
            cells.extend(part.iter().map(|u| of_run(family, u, workload)));
            cells
        };
        Table {
            title: format!("{} {title}", pricing.currency),
            head: head.map(str::to_owned).collect(),
            rows: workloads.iter().map(row).collect(),
        }
    };
    rented.chunks(contestants_max.max(1)).map(table).collect()
}

fn of_run(family: &FamilyPricing, usage: &Usage, workload: &str) -> Cell {
    let Some(work) = usage.work.iter().find(|w| w.workload == workload) else { return word("-") };
    match (run_cost(family, usage, work), work.outcome) {
        (Some(cost), _) => Cell::Number(amount(cost.base), Some(cost.base.get())),
        (None, Outcome::Completed) => word("-"),
        (None, outcome) => word(outcome.name()),
    }
}
