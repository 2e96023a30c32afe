//! What recorded work costs, as sheets.

mod parts;

use super::Ink;
use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::wording::column;
use crate::cost::show::words;
use crate::cost::show::words::tables::{self, Cell, Table};
use crate::cost::{FamilyPricing, Offer, Pricing, Repriced};

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
    blocks.extend(titled([tables::per_tb(pricing, family)], Kind::Words));
    blocks.push(Block::Heading(2, "Every offer".to_owned()));
    blocks.push(Block::Sheet(offers_sheet(pricing, family)));
    blocks.extend(words::unknown(&family.offers).into_iter().map(Block::Item));
    blocks.extend(titled(tables::runs(pricing, family), Kind::Number));
    blocks.extend(parts::lines(pricing, family));
    blocks.extend(parts::tornado(pricing, family));
    blocks.extend(parts::crossings(family));
    blocks.extend(parts::sizing(pricing, family));
    blocks
}

/// Parts of one table below its title; what stands behind the name of a row is of that kind.
fn titled(parts: impl IntoIterator<Item = Table>, kind: Kind) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in parts {
        if blocks.is_empty() {
            blocks.push(Block::Heading(2, part.title));
        }
        let kinds = [Kind::Name].into_iter().chain(std::iter::repeat(kind));
        let columns = part.head.into_iter().zip(kinds).map(|(title, kind)| column(title, kind)).collect();
        let row = |cells: Vec<Cell>| {
            let cells = cells.iter().map(|cell| cell.text().to_owned());
            Row { about: None, cells: cells.collect(), tone: Tone::Plain }
        };
        blocks.push(Block::Sheet(Sheet { columns, rows: part.rows.into_iter().map(row).collect() }));
    }
    blocks
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
