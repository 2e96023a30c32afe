//! What recorded work costs, as sheets.

mod parts;

use super::Ink;
use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::wording::column;
use crate::cost::show::words;
use crate::cost::{Deployment, FamilyPricing, Offer, Pricing, Purchase, Repriced, Usage};
use bench_record::Outcome;
use std::collections::BTreeSet;

/// Contestants side by side in one table.
const CONTESTANT_COLUMNS: usize = 5;

/// Text of at most [`super::WIDTH`] columns.
pub(crate) fn price_text(pricings: &[Pricing], repriced: &[Repriced], ink: Ink) -> String {
    layout::text(&document(pricings, repriced), ink)
}

/// Markdown.
pub(crate) fn price_markdown(pricings: &[Pricing], repriced: &[Repriced]) -> String {
    layout::markdown(&document(pricings, repriced))
}

fn document(pricings: &[Pricing], repriced: &[Repriced]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for pricing in pricings {
        for family in &pricing.families {
            blocks.extend(family_blocks(pricing, family));
        }
        blocks.extend(foot(pricing));
    }
    if let ([first, second], false) = (pricings, repriced.is_empty()) {
        blocks.push(Block::Heading(1, format!("The same runs at the prices of {} and {}", first.book, second.book)));
        blocks.push(Block::Text(words::KNOWN_IN_BOTH.to_owned()));
        blocks.push(Block::Sheet(repriced_sheet(first, second, repriced)));
    }
    blocks
}

fn family_blocks(pricing: &Pricing, family: &FamilyPricing) -> Vec<Block> {
    let title = format!("Cost of {}: {}", family.family.name(), family.table);
    let mut blocks = vec![Block::Heading(1, title)];
    blocks.push(Block::Text(words::scenario(pricing)));
    blocks.push(Block::Text(words::workloads(family)));
    blocks.extend(words::data_lines(pricing, family).map(Block::Text));
    blocks.push(Block::Heading(2, format!("{} per TB processed, running", pricing.currency)));
    blocks.push(Block::Sheet(per_tb_sheet(pricing, family)));
    blocks.push(Block::Heading(2, "Every offer".to_owned()));
    blocks.push(Block::Sheet(offers_sheet(pricing, family)));
    blocks.extend(words::unknown(&family.offers).into_iter().map(Block::Item));
    blocks.extend(runs_blocks(pricing, family));
    blocks.extend(parts::lines(pricing, family));
    blocks.extend(parts::tornado(pricing, family));
    blocks.extend(parts::crossings(family));
    blocks.extend(parts::sizing(pricing, family));
    blocks
}

/// The table of the comparison document, computed: contestants by deployment.
fn per_tb_sheet(pricing: &Pricing, family: &FamilyPricing) -> Sheet {
    let deployments = [Deployment::SelfHosted, Deployment::Managed, Deployment::Serverless];
    let mut columns = vec![column("contestant", Kind::Name)];
    columns.extend(deployments.map(|d| column(d.name(), Kind::Words)));
    columns.push(column("completed", Kind::Words));
    columns.push(column("time", Kind::Words));
    let row = |usage: &Usage| {
        let mut cells = vec![usage.contestant.label.clone()];
        cells.extend(deployments.map(|d| cell(pricing, family, usage, d)));
        cells.push(format!("{} of {}", usage.completed, usage.cases));
        cells.push(words::time(family, usage));
        Row { about: None, cells, tone: Tone::Plain }
    };
    Sheet { columns, rows: family.usages.iter().map(row).collect() }
}

/// The cheapest offer of a deployment, on demand where instances are bought.
fn cell(pricing: &Pricing, family: &FamilyPricing, usage: &Usage, deployment: Deployment) -> String {
    let own: Vec<&Offer> = words::offers_of(family, usage)
        .filter(|o| o.deployment == deployment && o.purchase.is_none_or(|p| p == Purchase::OnDemand))
        .collect();
    if usage.busy_per_tb.is_none() {
        return "-".to_owned();
    }
    if own.is_empty() {
        return "none offered".to_owned();
    }
    let cheapest = words::cheapest(own.iter().copied());
    let per_tb = cheapest.and_then(|o| Some((o, o.running_per_tb(pricing.scenario.volume)?)));
    per_tb.map_or_else(|| "unknown".to_owned(), |(offer, amount)| words::at_least_running(offer, words::three(&amount)))
}

fn offers_sheet(pricing: &Pricing, family: &FamilyPricing) -> Sheet {
    let currency = pricing.currency;
    let columns = vec![
        column("contestant", Kind::Name),
        column("deployment", Kind::Words),
        column("instances", Kind::Words),
        column(format!("{currency}/TB"), Kind::Number),
        column("low–high", Kind::Number),
        column("total/month", Kind::Number),
        column("time", Kind::Words),
    ];
    let row = |offer: &Offer| {
        let per_tb = offer.running_per_tb(pricing.scenario.volume);
        let shown = |of: Option<String>| of.map_or_else(|| "unknown".to_owned(), |text| words::at_least(offer, text));
        let cells = vec![
            offer.contestant.clone(),
            words::way(offer),
            offer.machines(),
            per_tb.map_or_else(|| "unknown".to_owned(), |r| words::at_least_running(offer, words::amount(r.base))),
            per_tb.map_or_else(|| "-".to_owned(), |r| words::ends(&r)),
            shown(offer.bill.total.map(|r| words::amount(r.base))),
            offer.time(),
        ];
        let tone = if offer.bill.total.is_none() { Tone::Faint } else { Tone::Plain };
        Row { about: None, cells, tone }
    };
    Sheet { columns, rows: family.offers.iter().map(row).collect() }
}

/// What one run of each workload costs on rented instances while it works; how it ended where it did not complete.
fn runs_blocks(pricing: &Pricing, family: &FamilyPricing) -> Vec<Block> {
    let measured: Vec<&Usage> = family.usages.iter().filter(|u| words::rate(family, u).is_some()).collect();
    if measured.is_empty() {
        return Vec::new();
    }
    let title =
        format!("{} per run of a workload: measured time x instances on demand, nothing else", pricing.currency);
    let mut blocks = vec![Block::Heading(2, title)];
    let workloads: BTreeSet<&str> = measured.iter().flat_map(|u| &u.work).map(|w| w.workload.as_str()).collect();
    for part in measured.chunks(CONTESTANT_COLUMNS) {
        let mut columns = vec![column("workload", Kind::Name)];
        columns.extend(part.iter().map(|u| column(&u.contestant.label, Kind::Number)));
        let row = |workload: &&str| {
            let mut cells = vec![(*workload).to_owned()];
            cells.extend(part.iter().map(|u| run_cell(family, u, workload)));
            Row { about: None, cells, tone: Tone::Plain }
        };
        blocks.push(Block::Sheet(Sheet { columns, rows: workloads.iter().map(row).collect() }));
    }
    blocks
}

fn run_cell(family: &FamilyPricing, usage: &Usage, workload: &str) -> String {
    let Some(work) = usage.work.iter().find(|w| w.workload == workload) else { return "-".to_owned() };
    match (words::run_cost(family, usage, work), work.outcome) {
        (Some(cost), _) => words::amount(cost.base),
        (None, Outcome::Completed) => "-".to_owned(),
        (None, outcome) => outcome.name().to_owned(),
    }
}

/// What holds for all tables of a book.
fn foot(pricing: &Pricing) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(2, "What these figures rest on".to_owned())];
    blocks.extend(words::rests_on(pricing).into_iter().chain(pricing.notes.iter().cloned()).map(Block::Item));
    blocks
}

fn repriced_sheet(first: &Pricing, second: &Pricing, rows: &[Repriced]) -> Sheet {
    let columns = vec![
        column("family", Kind::Name),
        column("contestant", Kind::Words),
        column("deployment", Kind::Words),
        column(format!("{}/month, {}", first.currency, first.book), Kind::Number),
        column("on", Kind::Words),
        column(second.book.clone(), Kind::Number),
        column("on", Kind::Words),
        column("change", Kind::Number),
        column("time", Kind::Words),
    ];
    let row = |r: &Repriced| {
        let (a, b) = (r.first.0, r.second.0);
        let change =
            if a.get() > 0.0 { format!("{:+.0} %", (b.get() / a.get() - 1.0) * 100.0) } else { "-".to_owned() };
        let cells = vec![
            r.family.name().to_owned(),
            r.contestant.clone(),
            r.way.clone(),
            words::amount(a),
            r.first.1.clone(),
            words::amount(b),
            r.second.1.clone(),
            change,
            r.time.clone(),
        ];
        Row { about: None, cells, tone: Tone::Plain }
    };
    Sheet { columns, rows: rows.iter().map(row).collect() }
}
