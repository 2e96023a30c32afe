//! Every number unrounded, with its source. The version of the format is `schema`; within a version fields are only added.

use crate::cost::break_even::{At, Axis};
use crate::cost::input::Key;
use crate::cost::model::{Deployment, LineCost};
use crate::cost::offer::Offer;
use crate::cost::predict::Basis;
use crate::cost::pricing::{FamilyPricing, Jobs, Pricing, Repriced};
use crate::cost::sizing::Sizing;
use crate::cost::tornado::Swing;
use crate::cost::unit::{Amount, Count, Gigabytes, Hours, Range};
use crate::cost::usage::{Usage, WorkUsage};
use crate::cost::{Purchase, Unknown};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the format.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    pricings: Vec<JsonPricing<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repriced: Vec<JsonRepriced<'a>>,
}

#[derive(Serialize)]
struct JsonPricing<'a> {
    book: &'a str,
    provider: &'a str,
    region: &'a str,
    currency: String,
    data_gb_per_month: Gigabytes,
    jobs_per_day: Option<Count>,
    families: Vec<JsonFamily<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct JsonFamily<'a> {
    table: &'a str,
    machine: &'a str,
    family: &'a str,
    usages: Vec<JsonUsage<'a>>,
    offers: Vec<JsonOffer<'a>>,
    break_even: Vec<JsonCrossing>,
    tornado: Option<JsonTornado<'a>>,
    sizing: &'a Sizing,
}

#[derive(Serialize)]
struct JsonUsage<'a> {
    contestant: &'a str,
    engine: &'a str,
    nodes: u32,
    machines: u32,
    completed: usize,
    cases: usize,
    common: usize,
    data_gb: Option<Gigabytes>,
    busy_h_per_tb: Option<Range<Hours>>,
    trials_failed: usize,
    trials: usize,
    basis: &'a Basis,
    basis_text: String,
    workloads: &'a [WorkUsage],
}

#[derive(Serialize)]
struct JsonOffer<'a> {
    contestant: &'a str,
    engine: &'a str,
    priced_as: Option<&'a str>,
    deployment: Deployment,
    purchase: Option<Purchase>,
    product: Option<&'a str>,
    instance: Option<&'a str>,
    instances: u32,
    basis: &'a Basis,
    scaled: Option<f64>,
    /// How far such times were off at most between sizes that were measured.
    scaled_error: Option<f64>,
    rests_on: String,
    per_month: Option<Range<Amount>>,
    per_tb: Option<Range<Amount>>,
    running_per_month: Option<Range<Amount>>,
    running_per_tb: Option<Range<Amount>>,
    /// Whether lines are missing from the sums.
    is_at_least: bool,
    lines: Vec<JsonLine<'a>>,
    unknown: &'a [Unknown],
    inputs: BTreeMap<&'static str, JsonInput<'a>>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    line: &'static str,
    formula: &'static str,
    per_month: Option<&'a Range<Amount>>,
    unknown: Option<&'a Unknown>,
    inputs: Vec<&'static str>,
}

#[derive(Serialize)]
struct JsonInput<'a> {
    unit: &'static str,
    low: f64,
    base: f64,
    high: f64,
    key: &'a str,
    as_of: Option<&'a str>,
    source: &'a str,
}

#[derive(Serialize)]
struct JsonCrossing {
    axis: Axis,
    cheaper_below: usize,
    cheaper_above: usize,
    data_gb_per_month: Option<Gigabytes>,
    jobs_per_day: Option<Count>,
    /// `between`, `open` or `unknown`.
    within: &'static str,
    /// The lowest and the highest place at the ends of both times.
    between: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct JsonTornado<'a> {
    offer: usize,
    swings: &'a [Swing],
}

#[derive(Serialize)]
struct JsonRepriced<'a> {
    table: &'a str,
    family: &'a str,
    contestant: &'a str,
    deployment: &'a str,
    time: &'a str,
    first_per_month: Amount,
    first_on: &'a str,
    second_per_month: Amount,
    second_on: &'a str,
}

pub(super) fn json(pricings: &[Pricing], repriced: &[Repriced]) -> String {
    let rows = repriced.iter().map(|r| JsonRepriced {
        table: &r.table,
        family: r.family.name(),
        contestant: &r.contestant,
        deployment: &r.way,
        time: &r.time,
        first_per_month: r.first.0,
        first_on: &r.first.1,
        second_per_month: r.second.0,
        second_on: &r.second.1,
    });
    let document =
        Document { schema: SCHEMA, pricings: pricings.iter().map(pricing).collect(), repriced: rows.collect() };
    // Strings, numbers and maps with string keys: serialization has nothing to fail on.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn pricing(p: &Pricing) -> JsonPricing<'_> {
    JsonPricing {
        book: &p.book,
        provider: &p.provider,
        region: &p.region,
        currency: p.currency.to_string(),
        data_gb_per_month: p.scenario.volume,
        jobs_per_day: match p.scenario.jobs {
            Jobs::PerDay(jobs) => Some(jobs),
            Jobs::AsMeasured => None,
        },
        families: p.families.iter().map(|f| family(p, f)).collect(),
        notes: &p.notes,
    }
}

fn family<'a>(pricing: &Pricing, f: &'a FamilyPricing) -> JsonFamily<'a> {
    let crossing = |c: &crate::cost::Crossing| {
        let (data, jobs) = match c.at {
            At::Data(data) => (Some(data), None),
            At::Jobs(jobs) => (None, Some(jobs)),
        };
        JsonCrossing {
            axis: c.axis,
            cheaper_below: c.below,
            cheaper_above: c.above,
            data_gb_per_month: data,
            jobs_per_day: jobs,
            within: c.within.name(),
            between: c.within.places().map(|ends| ends.map(At::number)),
        }
    };
    JsonFamily {
        table: &f.table,
        machine: &f.machine,
        family: f.family.name(),
        usages: f.usages.iter().map(usage).collect(),
        offers: f.offers.iter().map(|o| offer(pricing, o)).collect(),
        break_even: f.crossings.iter().map(crossing).collect(),
        tornado: f.tornado.as_ref().map(|(offer, swings)| JsonTornado { offer: *offer, swings }),
        sizing: &f.sizing,
    }
}

fn usage(u: &Usage) -> JsonUsage<'_> {
    JsonUsage {
        contestant: &u.contestant.label,
        engine: &u.contestant.engine,
        nodes: u.basis.nodes(),
        machines: u.place.machines,
        completed: u.completed,
        cases: u.cases,
        common: u.common,
        data_gb: u.data.as_ref().map(|(d, _)| *d),
        busy_h_per_tb: u.busy_per_tb,
        trials_failed: u.failed.0,
        trials: u.failed.1,
        basis: &u.basis,
        basis_text: u.basis.to_string(),
        workloads: &u.work,
    }
}

fn offer<'a>(pricing: &Pricing, o: &'a Offer) -> JsonOffer<'a> {
    let input = |(key, range, from): (Key, &Range<f64>, &'a crate::cost::Provenance)| {
        let value = JsonInput {
            unit: key.unit(),
            low: range.low,
            base: range.base,
            high: range.high,
            key: &from.key,
            as_of: from.as_of.as_deref(),
            source: &from.source,
        };
        (key.name(), value)
    };
    JsonOffer {
        contestant: &o.contestant,
        engine: &o.engine,
        priced_as: o.priced_as.as_deref(),
        deployment: o.deployment,
        purchase: o.purchase,
        product: o.product.as_deref(),
        instance: o.instance.as_deref(),
        instances: o.instances,
        basis: &o.basis,
        scaled: o.scaled.map(|s| s.by),
        scaled_error: o.scaled.and_then(|s| s.error),
        rests_on: o.rests_on(),
        per_month: o.bill.total,
        per_tb: o.per_tb(pricing.scenario.volume),
        running_per_month: o.bill.running,
        running_per_tb: o.running_per_tb(pricing.scenario.volume),
        is_at_least: !o.bill.unknown.is_empty(),
        lines: o.bill.lines.iter().map(line).collect(),
        unknown: &o.bill.unknown,
        inputs: o.inputs.known().map(input).collect(),
    }
}

fn line(l: &LineCost) -> JsonLine<'_> {
    JsonLine {
        line: l.line.title(),
        formula: l.line.formula(),
        per_month: l.amount.as_ref().ok(),
        unknown: l.amount.as_ref().err(),
        inputs: l.inputs.iter().map(|k| k.name()).collect(),
    }
}
