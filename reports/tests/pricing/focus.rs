//! The FOCUS rows against the rules of FOCUS 1.2: `focus-1.2.json` has its columns, allowed values and service categories, as facts of
//! `specification/columns` at the tag `v1.2` of the published specification.

use crate::{book, priced, run, scenario, shown};
use bench_reports::cost::{Amount, CostFormat, Count, Line, PriceBook, built_in};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Conditional columns whose condition is the provider's to meet, and no estimate's: price lists and unit prices, commitments, reserved
/// capacity, provisioned resources, a pricing currency unlike the billing currency.
const LEFT_OUT: [&str; 24] = [
    "AvailabilityZone",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ContractedUnitPrice",
    "InvoiceId",
    "ListUnitPrice",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
];

type Row = BTreeMap<String, String>;

/// Records of CSV as RFC 4180 has it.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'), "a line ends with both");
                record.push(std::mem::take(&mut field));
                all.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    assert!(!quoted && record.is_empty() && field.is_empty(), "the last line ends too");
    all
}

fn rules() -> Value {
    serde_json::from_str(include_str!("focus-1.2.json")).unwrap()
}

/// A book with a price for a commitment, which those that come with the program do not know.
fn committed() -> PriceBook {
    let price = "committed = { price = 0.06, as_of = \"2026\", source = \"karpenter\" }";
    let type_of = "name = \"m6i.large\"\n";
    PriceBook::parse(&built_in("aws").unwrap().replace(type_of, &format!("{type_of}{price}\n"))).unwrap()
}

/// Rows of every book, people included.
fn rows() -> Vec<Row> {
    let mut asked = scenario();
    asked.operations_fte = Count::new(0.5);
    asked.migration = Amount::new(50_000.0).map(|amount| (amount, 12));
    let mut all = Vec::new();
    for book in [book("aws"), book("azure"), book("gcp"), committed()] {
        let text = shown(&[priced(&[run()], &book, &asked).unwrap()], CostFormat::Focus);
        let mut records = records(&text).into_iter();
        let head = records.next().unwrap();
        for record in records {
            assert_eq!(record.len(), head.len());
            all.push(head.iter().cloned().zip(record).collect());
        }
    }
    assert!(all.len() > 100, "{}", all.len());
    all
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    digits.split_once('.').map_or_else(|| whole(digits), |(a, b)| whole(a) && whole(b))
}

/// `YYYY-MM-DDTHH:mm:ssZ`.
fn is_instant(text: &str) -> bool {
    let shape = text.bytes().map(|b| if b.is_ascii_digit() { '0' } else { char::from(b) }).collect::<String>();
    shape == "0000-00-00T00:00:00Z" && text.parse::<bench_record::Timestamp>().is_ok()
}

/// An object whose values are no objects and no lists.
fn is_key_value(text: &str) -> bool {
    let object = serde_json::from_str::<serde_json::Map<String, Value>>(text);
    object.is_ok_and(|all| all.values().all(|v| !v.is_object() && !v.is_array()))
}

#[test]
fn every_column_is_there_that_has_to_be_and_every_other_one_is_marked_as_our_own() {
    let rules = rules();
    let known = rules["columns"].as_object().unwrap();
    let row = rows().remove(0);
    for (name, rule) in known {
        let is_left_out = LEFT_OUT.contains(&name.as_str());
        assert!(row.contains_key(name) != is_left_out, "{name}");
        assert!(!is_left_out || rule["level"] != "mandatory", "{name} is mandatory");
    }
    for name in row.keys().filter(|name| !known.contains_key(*name)) {
        let own = name.strip_prefix("x_").unwrap_or_else(|| panic!("{name} is no column of FOCUS 1.2"));
        assert!(
            own.starts_with(|c: char| c.is_ascii_uppercase()) && own.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{name}"
        );
    }
}

#[test]
fn every_line_that_a_bill_of_one_node_can_have_is_among_the_rows_that_are_checked() {
    let seen: BTreeSet<String> = rows().into_iter().map(|mut row| row.remove("x_Line").unwrap()).collect();
    // One node has no neighbor in another zone.
    let expected = Line::ALL.iter().filter(|line| **line != Line::CrossZone);
    assert_eq!(seen, expected.map(|line| line.title().to_owned()).collect());
}

#[test]
fn list_prices_know_neither_spare_capacity_nor_commitments_and_rows_name_the_lines_that_are_missing() {
    let of = |row: &Row, name: &str| row[name].parse::<f64>().unwrap();
    let workers = |category: &str| {
        let is = |row: &&Row| row["x_InstanceType"] == "m6i.large" && row["x_Line"] == "workers";
        rows().iter().filter(is).find(|row| row["PricingCategory"] == category).cloned().unwrap()
    };
    let (spot, committed) = (workers("Dynamic"), workers("Other"));
    assert!((of(&spot, "ListCost") / of(&spot, "BilledCost") - 0.096 / 0.035).abs() < 1e-6, "{spot:?}");
    assert!((of(&committed, "ListCost") / of(&committed, "BilledCost") - 0.096 / 0.06).abs() < 1e-6, "{committed:?}");
    assert_eq!((&spot["ContractedCost"], &committed["ContractedCost"]), (&spot["BilledCost"], &committed["ListCost"]));
    let unused = rows().into_iter().find(|row| row["x_Line"] == "unused commitment").unwrap();
    assert_eq!((unused["ListCost"].as_str(), of(&unused, "BilledCost") > 0.0), ("0", true));
    let google = rows().into_iter().find(|row| row["ProviderName"] == "Google Cloud").unwrap();
    assert!(google["x_LinesUnknown"].contains("storage"), "{google:?}");
    assert_eq!(committed["x_LinesUnknown"], "");
}

#[test]
fn every_value_has_the_type_and_the_form_of_its_column() {
    let rules = rules();
    for row in rows() {
        for (name, value) in row.iter().filter(|(name, _)| !name.starts_with("x_")) {
            let rule = &rules["columns"][name];
            if value.is_empty() {
                assert_eq!(rule["nullable"], true, "{name} is null in {row:?}");
                continue;
            }
            assert_eq!(value.trim(), value, "{name}");
            let is_right = match rule["type"].as_str().unwrap() {
                "Decimal" => is_decimal(value),
                "Date/Time" => is_instant(value),
                "JSON" => is_key_value(value),
                other => other == "String",
            };
            assert!(is_right, "{name} is {rule}, not {value:?}");
            if let Some(allowed) = rules["allowed"][name].as_array() {
                assert!(allowed.iter().any(|a| a == value), "{name}: {value:?} is none of {allowed:?}");
            }
        }
    }
}

#[test]
fn columns_agree_with_each_other_as_the_specification_has_it() {
    let rules = rules();
    let mut services: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in rows() {
        let of = |name: &str| row[name].as_str();
        assert_eq!((of("ChargeCategory"), of("ChargeClass")), ("Usage", ""), "nothing is corrected");
        for name in ["PricingCategory", "PricingQuantity", "PricingUnit", "ConsumedQuantity", "ConsumedUnit"] {
            assert_ne!(of(name), "", "{name} of usage");
        }
        for (name, with) in
            [("RegionName", "RegionId"), ("SubAccountName", "SubAccountId"), ("SubAccountType", "SubAccountId")]
        {
            assert_eq!(of(name).is_empty(), of(with).is_empty(), "{name} and {with}");
        }
        assert_ne!(of("PricingCategory"), "Committed", "that takes a CommitmentDiscountId");
        assert_eq!(of("EffectiveCost"), of("BilledCost"), "nothing is paid in advance");
        for cost in ["ListCost", "ContractedCost"] {
            let is_discounted = of("PricingCategory") != "Standard";
            assert!(is_discounted || of(cost) == of("BilledCost"), "{cost} on demand is what is billed: {row:?}");
        }
        let currency = of("BillingCurrency");
        assert!(currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase()), "{currency}");
        for (start, end) in [("BillingPeriodStart", "BillingPeriodEnd"), ("ChargePeriodStart", "ChargePeriodEnd")] {
            assert!(of(start) < of(end), "{start}");
        }
        assert!(of("BillingPeriodStart") <= of("ChargePeriodStart") && of("ChargePeriodEnd") <= of("BillingPeriodEnd"));
        let (category, subcategory) = (of("ServiceCategory"), of("ServiceSubcategory"));
        let subcategories = rules["service"][category].as_array().unwrap();
        assert!(subcategories.iter().any(|s| s == subcategory), "{subcategory} is not of {category}");
        let place = (category.to_owned(), subcategory.to_owned());
        services.entry(of("ServiceName").to_owned()).or_default().insert(place);
    }
    services.retain(|_, places| places.len() > 1);
    assert_eq!(services, BTreeMap::new(), "a service has one category");
}
