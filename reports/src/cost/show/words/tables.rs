//! Tables that text and page share: title, heads and cells, before anything is laid out.

use super::{amount, at_least_running, cheapest, offers_of, rate, run_cost, three, time};
use crate::cost::offer::Offer;
use crate::cost::pricing::{FamilyPricing, Pricing};
use crate::cost::unit::{Amount, Unit};
use crate::cost::usage::Usage;
use crate::cost::{Deployment, Purchase};
use crate::plain::plain;
use crate::render::WIDTH;
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
#[derive(Clone)]
pub(crate) enum Cell {
    Name(String),
    /// As it is shown, and what it is sorted by; a number that is not known is sorted by nothing.
    Number(String, Option<f64>),
}

impl Cell {
    /// What it shows.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Name(text) | Self::Number(text, _) => text,
        }
    }
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

/// So many runs of a workload are priced together: one costs too little for a number that can be read.
const RUNS: f64 = 1e6;
/// Between two columns.
const GAP: usize = 2;

/// What runs of each workload cost on rented instances while they work, and how they ended where they did not complete: a column per
/// contestant behind that of the workloads, and as many of them in one table as there is room for in a line of text. That many fit on
/// paper too.
pub(crate) fn runs(pricing: &Pricing, family: &FamilyPricing) -> Vec<Table> {
    let rented: Vec<&Usage> = family.usages.iter().filter(|u| rate(family, u).is_some()).collect();
    let workloads: BTreeSet<&str> = rented.iter().flat_map(|u| &u.work).map(|w| w.workload.as_str()).collect();
    let column = |usage: &&Usage| Column {
        head: usage.contestant.label.clone(),
        cells: workloads.iter().map(|workload| of_runs(family, usage, workload)).collect(),
    };
    let names = Column {
        head: "workload".to_owned(),
        cells: workloads.iter().map(|workload| Cell::Name((*workload).to_owned())).collect(),
    };
    let title = format!(
        "{} per million runs of a workload: measured time x instances on demand, nothing else",
        pricing.currency
    );
    let parts = side_by_side(rented.iter().map(column).collect(), WIDTH.saturating_sub(names.width()));
    parts.into_iter().map(|part| Column::table(&title, &names, part)).collect()
}

/// A column of a table: its head and its cells.
struct Column {
    head: String,
    cells: Vec<Cell>,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(Cell::text);
        cells.chain([self.head.as_str()]).map(|text| plain(text).chars().count()).max().unwrap_or_default()
    }

    /// The table of these columns behind that of the names of its rows.
    fn table(title: &str, names: &Self, columns: Vec<Self>) -> Table {
        let head = [names.head.clone()].into_iter().chain(columns.iter().map(|c| c.head.clone())).collect();
        let mut rows: Vec<Vec<Cell>> = names.cells.iter().map(|name| vec![name.clone()]).collect();
        for column in columns {
            rows.iter_mut().zip(column.cells).for_each(|(row, cell)| row.push(cell));
        }
        Table { title: title.to_owned(), head, rows }
    }
}

/// Columns in their order, in as few parts as there is room for; a column that is too wide is a part by itself.
fn side_by_side(columns: Vec<Column>, room: usize) -> Vec<Vec<Column>> {
    let mut parts: Vec<Vec<Column>> = Vec::new();
    let mut left = 0;
    for column in columns {
        let width = GAP + column.width();
        match parts.last_mut().filter(|_| width <= left) {
            Some(part) => {
                part.push(column);
                left -= width;
            }
            None => {
                parts.push(vec![column]);
                left = room.saturating_sub(width);
            }
        }
    }
    parts
}

fn of_runs(family: &FamilyPricing, usage: &Usage, workload: &str) -> Cell {
    let Some(work) = usage.work.iter().find(|w| w.workload == workload) else { return word("-") };
    match (run_cost(family, usage, work), work.outcome) {
        (Some(cost), _) => {
            let all = Amount::of(cost.base.get() * RUNS);
            Cell::Number(amount(all), Some(all.get()))
        }
        (None, Outcome::Completed) => word("-"),
        (None, outcome) => word(outcome.name()),
    }
}
