//! Rows with the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification), so that estimates lie beside bills in the same
//! tools. One row per known line of every offer; what the specification has no column for is in columns that begin with `x_`.
//!
//! The rows are estimates: `BillingAccountId` and `InvoiceIssuerName` say so, and nobody has been billed. Offers are alternatives, of
//! which one would be chosen: each is a sub-account of its own, and no sum over several of them means anything. Columns that only a
//! provider can fill are left out, as the specification allows: price list numbers with their unit prices, commitments, and
//! resources, for nothing has been provisioned.

use crate::cost::input::{At, Key, Point};
use crate::cost::model::{Line, LineCost};
use crate::cost::offer::Offer;
use crate::cost::pricing::{FamilyPricing, Pricing};
use crate::cost::{Amount, Purchase};
use crate::plain::plain;
use crate::rows::csv::harmless;
use crate::stats::fnv1a;

/// Columns that the specification knows, in alphabetical order, then our own.
const COLUMNS: [&str; 42] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_Basis",
    "x_Contestant",
    "x_CostHigh",
    "x_CostLow",
    "x_Deployment",
    "x_Engine",
    "x_InstanceType",
    "x_Line",
    "x_LinesUnknown",
];

/// Every row is a line of one month: the specification wants a quantity and a unit of each usage.
const ONE: &str = "1";
const MONTH: &str = "Months";
/// Who bills nobody.
const ESTIMATE: &str = "estimate";

pub(super) fn csv(pricings: &[Pricing], month: (u16, u8)) -> String {
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    for pricing in pricings {
        for family in &pricing.families {
            for offer in family.offers.iter().filter(|o| o.bill.total.is_some()) {
                for line in &offer.bill.lines {
                    if let Some(cells) = row(pricing, family, offer, line, month) {
                        let cells: Vec<String> = cells.iter().map(|c| cell(c)).collect();
                        text.push_str(&cells.join(","));
                        text.push_str("\r\n");
                    }
                }
            }
        }
    }
    text
}

fn row(
    pricing: &Pricing,
    family: &FamilyPricing,
    offer: &Offer,
    line: &LineCost,
    month: (u16, u8),
) -> Option<[String; COLUMNS.len()]> {
    let range = line.amount.as_ref().ok()?;
    let (start, end) = period(month);
    let cost = decimal(range.base.get());
    let list = decimal(list_cost(offer, line.line, range.base).get());
    let unknown = offer.bill.lines.iter().filter(|l| l.amount.is_err()).map(|l| l.line.title());
    let (category, subcategory, service_name) = service(line.line, offer);
    // People are in no region.
    let region = if is_people(line.line) { String::new() } else { pricing.region.clone() };
    let null = String::new;
    let what = format!("{} of {} on {}, {}", line.line.title(), offer.contestant, offer.machines(), offer.way());
    let (sub_account, alternative) = alternative(pricing, family, offer);
    let tags = serde_json::json!({
        "contestant": offer.contestant, "family": family.family.name(), "price_book": pricing.book, "table": family.table,
    });
    Some([
        cost.clone(),
        ESTIMATE.to_owned(),
        "bench cost (nothing was billed)".to_owned(),
        "Estimate".to_owned(),
        pricing.currency.to_string(),
        end.clone(),
        start.clone(),
        "Usage".to_owned(),
        null(),
        what,
        "Usage-Based".to_owned(),
        end,
        start,
        ONE.to_owned(),
        MONTH.to_owned(),
        if offer.purchase == Some(Purchase::Committed) { list.clone() } else { cost.clone() },
        cost,
        ESTIMATE.to_owned(),
        list,
        pricing_category(offer.purchase).to_owned(),
        ONE.to_owned(),
        MONTH.to_owned(),
        provider(line.line, pricing).to_owned(),
        publisher(offer, pricing).to_owned(),
        region.clone(),
        region,
        category.to_owned(),
        service_name,
        subcategory.to_owned(),
        sub_account,
        alternative,
        "Alternative".to_owned(),
        tags.to_string(),
        offer.rests_on(),
        offer.contestant.clone(),
        decimal(range.high.get()),
        decimal(range.low.get()),
        offer.deployment.name().to_owned(),
        offer.engine.clone(),
        offer.instance.clone().unwrap_or_default(),
        line.line.title().to_owned(),
        unknown.collect::<Vec<_>>().join("; "),
    ])
}

/// What a line comes to on demand: a list price knows neither spare capacity nor commitments.
fn list_cost(offer: &Offer, line: Line, cost: Amount) -> Amount {
    match (line, offer.on_demand) {
        // On demand nothing is taken away, and nobody pays for hours in which nothing runs.
        (Line::Unused | Line::Interruption, _) => Amount::default(),
        (_, Some(rate)) => {
            let inputs = offer.inputs.with(Key::WorkerHour, rate).with(Key::DriverHour, rate);
            line.amount(&Point::new(&inputs, At::Base)).unwrap_or(cost)
        }
        (_, None) => cost,
    }
}

/// An offer's own sub-account: its number (FNV-1a of all that tells it apart) and its name.
fn alternative(pricing: &Pricing, family: &FamilyPricing, offer: &Offer) -> (String, String) {
    let name = format!(
        "{} on {}, {}: {}, {}, at {}",
        offer.contestant,
        offer.machines(),
        offer.way(),
        family.family.name(),
        family.table,
        pricing.book
    );
    let apart = format!("{name} {}", family.at);
    (format!("{:016x}", fnv1a(apart.bytes())), name)
}

const fn is_people(line: Line) -> bool {
    matches!(line, Line::Operations | Line::Migration)
}

/// People are not billed by a provider.
fn provider(line: Line, pricing: &Pricing) -> &str {
    if is_people(line) { "own organisation" } else { &pricing.provider }
}

fn publisher<'a>(offer: &'a Offer, pricing: &'a Pricing) -> &'a str {
    offer.product.as_deref().unwrap_or(&pricing.provider)
}

const fn pricing_category(purchase: Option<Purchase>) -> &'static str {
    match purchase {
        None | Some(Purchase::OnDemand) => "Standard",
        Some(Purchase::Spot) => "Dynamic",
        // `Committed` is what an existing commitment covers, by its number: here there is none.
        Some(Purchase::Committed) => "Other",
    }
}

/// Service category and subcategory, of those that the specification allows, and a name that belongs to these alone.
fn service(line: Line, offer: &Offer) -> (&'static str, &'static str, String) {
    let (category, subcategory, name) = match line {
        Line::Workers
        | Line::Driver
        | Line::StartUp
        | Line::Idle
        | Line::MinimumBilling
        | Line::Unused
        | Line::Interruption
        | Line::Retries => ("Compute", "Virtual Machines", "Virtual machines"),
        Line::PlatformUplift => ("Analytics", "Data Processing", "Data platform"),
        Line::Serverless => ("Compute", "Serverless Compute", "Serverless compute"),
        Line::ShuffleDisk => ("Storage", "Block Storage", "Block storage"),
        Line::Storage | Line::Requests => ("Storage", "Object Storage", "Object storage"),
        Line::Egress | Line::CrossZone => ("Networking", "Other (Networking)", "Data transfer"),
        Line::Operations | Line::Migration => ("Other", "Other (Other)", "People"),
    };
    let product = offer.product.as_ref().filter(|_| matches!(line, Line::PlatformUplift | Line::Serverless));
    (category, subcategory, product.cloned().unwrap_or_else(|| name.to_owned()))
}

/// The first instant of a month and of the one after it.
fn period((year, month): (u16, u8)) -> (String, String) {
    let month = month.clamp(1, 12);
    let (next_year, next) = if month == 12 { (year.saturating_add(1), 1) } else { (year, month + 1) };
    (format!("{year:04}-{month:02}-01T00:00:00Z"), format!("{next_year:04}-{next:02}-01T00:00:00Z"))
}

/// Ten decimals, without an exponent and without zeros at the end.
fn decimal(x: f64) -> String {
    let text = format!("{x:.10}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A cell of which no spreadsheet takes any part for a formula. Numbers of ours are never negative, so none is hit.
fn cell(text: &str) -> String {
    let safe = harmless(&plain(text)).into_owned();
    if safe.contains(['"', ',', '\'', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_in_order_and_own_ones_are_marked() {
        let mut ascending = COLUMNS;
        // Without regard to case: `x_CostHigh` follows `x_Contestant`.
        ascending.sort_unstable_by_key(|c| c.to_lowercase());
        assert_eq!(ascending, COLUMNS);
        assert_eq!(COLUMNS.iter().filter(|c| c.starts_with("x_")).count(), 9);
    }

    #[test]
    fn december_ends_in_the_next_year() {
        let ends = |month| period(month).1;
        assert_eq!(ends((2026, 12)), "2027-01-01T00:00:00Z");
        assert_eq!(ends((2026, 1)), "2026-02-01T00:00:00Z");
        assert_eq!(period((2026, 77)).0, "2026-12-01T00:00:00Z");
    }

    #[test]
    fn formulas_become_text() {
        assert_eq!(cell("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
        for text in ["+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1"] {
            assert!(cell(text).starts_with("\"'"), "{text:?}: {}", cell(text));
        }
        assert_eq!(cell("x;=WEBSERVICE(A1)"), "\"x;'=WEBSERVICE(A1)\"", "where semicolons separate cells");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("12.5"), "12.5");
    }

    #[test]
    fn small_amounts_have_no_exponent() {
        assert_eq!(decimal(0.000_012_5), "0.0000125");
        assert_eq!([decimal(0.0), decimal(82.0), decimal(1e12)], ["0", "82", "1000000000000"]);
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_cell(text in ".{0,40}") {
            let shown = cell(&text);
            let quoted = shown.starts_with('"') && shown.ends_with('"') && shown.len() >= 2;
            let inner = if quoted { &shown[1..shown.len() - 1] } else { &shown };
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert!(quoted || !shown.contains([',', '\n', '\r']));
            prop_assert!(!inner.trim_start().starts_with(['=', '+', '-', '@']));
        }
    }
}
