//! The parts below a family's tables: line items, what matters most, break-even and sizing.

use crate::cost::show::words;
use crate::cost::{Deployment, FamilyPricing, Pricing, Swing};
use crate::render::layout::{Block, Kind, Row, Sheet, Tone};
use crate::render::wording::column;

/// Crossings that are shown; JSON has all.
const CROSSINGS_SHOWN: usize = 12;
/// Numbers of a tornado that are shown.
const SWINGS_SHOWN: usize = 10;
/// Types of equal price that are shown.
const TYPES_SHOWN: usize = 8;
/// The longest bar of a tornado.
const BAR: usize = 20;

fn row(cells: Vec<String>) -> Row {
    Row { about: None, cells, tone: Tone::Plain }
}

/// The bill of the cheapest offer of each deployment.
pub(super) fn lines(pricing: &Pricing, family: &FamilyPricing) -> Vec<Block> {
    let mut blocks = Vec::new();
    for deployment in [Deployment::SelfHosted, Deployment::Managed, Deployment::Serverless] {
        let Some(offer) = family.cheapest(Some(deployment)).and_then(|i| family.offers.get(i)) else { continue };
        blocks.push(Block::Heading(2, format!("A month, line by line: {}", words::offer(offer))));
        let columns = vec![
            column("line", Kind::Words),
            column("low", Kind::Number),
            column(format!("{} base", pricing.currency), Kind::Number),
            column("high", Kind::Number),
            column("computed as", Kind::Name),
        ];
        let all = offer.bill.lines.iter().map(|line| {
            let formula = line.line.formula().to_owned();
            row(match &line.amount {
                Ok(r) => {
                    let [low, base, high] = [r.low, r.base, r.high].map(words::amount);
                    vec![line.line.title().to_owned(), low, base, high, formula]
                }
                Err(_) => vec![line.line.title().to_owned(), "-".into(), "unknown".into(), "-".into(), formula],
            })
        });
        let mut rows: Vec<Row> = all.collect();
        if let Some(r) = offer.bill.total {
            let [low, base, high] = [r.low, r.base, r.high].map(words::amount);
            rows.push(row(vec![
                "total".into(),
                low,
                words::at_least(offer, base),
                high,
                "sum of what is known".into(),
            ]));
        }
        blocks.push(Block::Sheet(Sheet { columns, rows }));
    }
    blocks
}

/// What matters most to the cheapest offer.
pub(super) fn tornado(pricing: &Pricing, family: &FamilyPricing) -> Vec<Block> {
    let Some((at, swings)) = &family.tornado else { return Vec::new() };
    let Some(offer) = family.offers.get(*at).filter(|_| !swings.is_empty()) else { return Vec::new() };
    let widest = swings.first().map_or(1.0, Swing::width);
    let columns = vec![
        column("number", Kind::Name),
        column("from–to", Kind::Words),
        column(format!("{}/month", pricing.currency), Kind::Number),
        column("to", Kind::Number),
        column("swing", Kind::Words),
    ];
    let all = swings.iter().take(SWINGS_SHOWN).map(|s| {
        let bar = ((s.width() / widest * BAR as f64).round() as usize).clamp(1, BAR);
        row(vec![
            s.name.to_owned(),
            format!("{}–{} {}", words::number(s.values.0), words::number(s.values.1), s.unit),
            words::at_least_running(offer, words::amount(s.at_low)),
            words::at_least_running(offer, words::amount(s.at_high)),
            "#".repeat(bar),
        ])
    });
    let title = format!("What matters most to running {}", words::offer(offer));
    vec![Block::Heading(2, title), Block::Sheet(Sheet { columns, rows: all.collect() })]
}

/// Where one offer becomes cheaper than another.
pub(super) fn crossings(family: &FamilyPricing) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(2, "Break-even".to_owned())];
    let all: Vec<String> = family.crossings.iter().filter_map(|c| words::crossing(family, c)).collect();
    if all.is_empty() {
        let none = "No two offers on demand change places between 1 GB and 100 PB a month, or between one job a month and one a minute.";
        blocks.push(Block::Text(none.to_owned()));
    }
    let more = all.len().saturating_sub(CROSSINGS_SHOWN);
    blocks.extend(all.into_iter().take(CROSSINGS_SHOWN).map(Block::Item));
    if more > 0 {
        blocks.push(Block::Item(format!("{more} more in the JSON")));
    }
    blocks
}

/// As many dollars beside as many nodes.
pub(super) fn sizing(pricing: &Pricing, family: &FamilyPricing) -> Vec<Block> {
    let sizing = &family.sizing;
    let Some(hourly) = sizing.hourly else { return Vec::new() };
    let title = format!("Equal dollars beside equal nodes: {} {} an hour", words::amount(hourly), pricing.currency);
    let mut blocks = vec![Block::Heading(2, title)];
    let columns = vec![
        column("contestant", Kind::Name),
        column("instances", Kind::Words),
        column(format!("{}/h", pricing.currency), Kind::Number),
        column("time", Kind::Words),
        column("h/TB", Kind::Number),
        column("for equal dollars", Kind::Number),
        column("h/TB there", Kind::Words),
    ];
    let all = sizing.contestants.iter().map(|c| {
        let hours = |r: Option<_>| words::hours(r);
        row(vec![
            c.contestant.clone(),
            format!("{} x {}", c.instances, c.instance),
            words::amount(c.hourly),
            words::basis_of(family, &c.contestant),
            hours(c.hours_per_tb).unwrap_or_else(|| "-".to_owned()),
            c.instances_for_budget.to_string(),
            hours(c.hours_per_tb_for_budget).unwrap_or_else(|| "not measured".to_owned()),
        ])
    });
    blocks.push(Block::Sheet(Sheet { columns, rows: all.collect() }));
    let columns = vec![
        column("type", Kind::Name),
        column("instances", Kind::Number),
        column("vCPUs", Kind::Number),
        column("GiB", Kind::Number),
    ];
    let types = sizing.types.iter().take(TYPES_SHOWN);
    let all = types.map(|t| {
        row(vec![t.instance.clone(), t.instances.to_string(), t.vcpus.to_string(), format!("{:.0}", t.memory_gib)])
    });
    blocks.push(Block::Sheet(Sheet { columns, rows: all.collect() }));
    blocks
}
