//! SARIF and JUnit against the rules of their schemas. `sarif-2.1.0.json` has, as facts of the OASIS schema of SARIF 2.1.0, the properties,
//! required ones and allowed values of the objects that are written; what the schema of Apache Ant's JUnit XML asks for is in [`ELEMENTS`].

use crate::{OPTIONS, cut_short, fixture, judge, judged, judged_once, mixed, same, side};
use bench_record::{Observation, Outcome, Run};
use bench_reports::Ink;
use bench_reports::gate::{Gate, GateFormat, GateOptions, gate, write};
use serde_json::Value;
use std::collections::BTreeSet;

/// A regression, an improvement and cases that are fine; a failure that is new, with text that has to be escaped; nothing to say; cases
/// that NEW lacks; regressions that are allowed; what fails on both sides; one run a side, of which nothing is known, and which look slower
/// as a whole, so that the harness is suspect.
fn gates() -> Vec<Gate> {
    let mut new = side(1, "new", same);
    for o in new.iter_mut().flat_map(|run| &mut run.observations).filter(|o| o.case.workload == "tpch-q02") {
        let reason = "<b>&\"'\u{1}\nsecond line";
        *o = Observation { arm: o.arm, ..fixture::ended(&o.case, o.trial, Outcome::Failed, reason) };
    }
    let broken: Vec<_> = side(0, "old", same)
        .into_iter()
        .zip(&new)
        .map(|(old, new)| Run { observations: new.observations.clone(), ..old })
        .collect();
    let allowed = GateOptions { allowed: &|_, _| Some("pays for <exact> decimals".to_owned()), ..OPTIONS };
    let gates = vec![
        judged(mixed),
        judge(&side(0, "old", same), &new).unwrap(),
        judged(same),
        cut_short(&OPTIONS),
        gate(&side(0, "old", same), &side(1, "new", mixed), &allowed).unwrap(),
        judge(&broken, &new).unwrap(),
        judged_once(same),
        judged_once(|_, _| 1.4),
    ];
    let verdicts: BTreeSet<String> = gates.iter().map(|g| format!("{:?}", g.verdict)).collect();
    assert_eq!(verdicts.len(), 4, "every verdict is written: {verdicts:?}");
    gates
}

#[test]
fn sarif_has_what_its_schema_requires_and_nothing_that_it_does_not_know() {
    let rules: Value = serde_json::from_str(include_str!("sarif-2.1.0.json")).unwrap();
    for gate in gates() {
        let sarif: Value = serde_json::from_str(&write(&gate, GateFormat::Sarif, Ink::Plain)).unwrap();
        object(&rules, "sarifLog", &sarif, "$");
    }
}

fn object(rules: &Value, name: &str, value: &Value, at: &str) {
    let (rule, fields) = (&rules[name], value.as_object().unwrap_or_else(|| panic!("{at} is no {name}: {value}")));
    for required in rule["required"].as_array().unwrap() {
        assert!(fields.contains_key(required.as_str().unwrap()), "{at} lacks {required} of {name}");
    }
    if let Some(any) = rule["any_of"].as_array() {
        let has = |all: &Value| all.as_array().unwrap().iter().all(|f| fields.contains_key(f.as_str().unwrap()));
        assert!(any.iter().any(has), "{at} has none of {any:?}");
    }
    for (field, value) in fields {
        let kind = &rule["properties"][field];
        assert!(!kind.is_null() || rule["open"] == true, "{at}.{field} is no property of {name}");
        if !kind.is_null() {
            typed(rules, kind, value, &format!("{at}.{field}"));
        }
    }
}

fn typed(rules: &Value, kind: &Value, value: &Value, at: &str) {
    let is_right = match kind {
        Value::Array(of) => {
            let items = value.as_array().unwrap_or_else(|| panic!("{at} is no list"));
            items.iter().enumerate().for_each(|(i, item)| typed(rules, &of[0], item, &format!("{at}[{i}]")));
            true
        }
        Value::Object(of) if of.contains_key("one_of") => of["one_of"].as_array().unwrap().contains(value),
        Value::Object(of) => {
            let entries = value.as_object().unwrap_or_else(|| panic!("{at} is no object"));
            entries.iter().for_each(|(key, entry)| typed(rules, &of["map"], entry, &format!("{at}.{key}")));
            true
        }
        Value::String(kind) => match kind.as_str() {
            "any" => true,
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            name => {
                object(rules, name, value, at);
                true
            }
        },
        other => panic!("{at}: no kind {other}"),
    };
    assert!(is_right, "{at} is not {kind}: {value}");
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Token,
    Whole,
    Decimal,
    Instant,
}

/// How often a child stands in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Often {
    Once,
    Any,
    AtMostOne,
}

struct Element {
    name: &'static str,
    required: &'static [(&'static str, Kind)],
    optional: &'static [(&'static str, Kind)],
    /// In this order. Of those that are there once at most, one alone may be there.
    children: &'static [(&'static str, Often)],
}

const ELEMENTS: [Element; 10] = [
    Element { name: "testsuites", required: &[], optional: &[], children: &[("testsuite", Often::Any)] },
    Element {
        name: "testsuite",
        required: &[
            ("name", Kind::Token),
            ("timestamp", Kind::Instant),
            ("hostname", Kind::Token),
            ("tests", Kind::Whole),
            ("failures", Kind::Whole),
            ("errors", Kind::Whole),
            ("time", Kind::Decimal),
            ("package", Kind::Token),
            ("id", Kind::Whole),
        ],
        optional: &[("skipped", Kind::Whole)],
        children: &[
            ("properties", Often::Once),
            ("testcase", Often::Any),
            ("system-out", Often::Once),
            ("system-err", Often::Once),
        ],
    },
    Element { name: "properties", required: &[], optional: &[], children: &[("property", Often::Any)] },
    Element {
        name: "property",
        required: &[("name", Kind::Token), ("value", Kind::Text)],
        optional: &[],
        children: &[],
    },
    Element {
        name: "testcase",
        required: &[("name", Kind::Token), ("classname", Kind::Token), ("time", Kind::Decimal)],
        optional: &[],
        children: &[("skipped", Often::AtMostOne), ("error", Often::AtMostOne), ("failure", Often::AtMostOne)],
    },
    Element { name: "skipped", required: &[], optional: &[("message", Kind::Text)], children: &[] },
    Element { name: "error", required: &[("type", Kind::Text)], optional: &[("message", Kind::Text)], children: &[] },
    Element { name: "failure", required: &[("type", Kind::Text)], optional: &[("message", Kind::Text)], children: &[] },
    Element { name: "system-out", required: &[], optional: &[], children: &[] },
    Element { name: "system-err", required: &[], optional: &[], children: &[] },
];

#[test]
fn junit_has_the_elements_of_its_schema_in_their_order_with_their_attributes() {
    for gate in gates() {
        let text = write(&gate, GateFormat::Junit, Ink::Plain);
        let body = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
        assert!(
            body.chars().all(|c| c == '\n' || c == '\t' || c >= ' '),
            "a character that XML has no room for: {body:?}"
        );
        let (name, rest) = element(body.trim_end());
        assert_eq!((name.as_str(), rest), ("testsuites", ""));
    }
}

/// Checks the element that a text begins with; its name, and what follows it.
fn element(text: &str) -> (String, &str) {
    let (head, mut rest) =
        text.strip_prefix('<').unwrap_or_else(|| panic!("no element: {text:.80}")).split_once('>').unwrap();
    let (head, is_empty) = head.strip_suffix('/').map_or((head, false), |head| (head, true));
    let name = head.split_whitespace().next().unwrap();
    let known = ELEMENTS.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("there is no element {name}"));
    attributes(known, head.strip_prefix(name).unwrap());
    let mut children = Vec::new();
    if !is_empty {
        rest = loop {
            let (words, after) = rest.split_at(rest.find('<').unwrap());
            assert!(known.children.is_empty() || words.trim().is_empty(), "text in {name}: {words}");
            assert_escaped(words);
            if let Some(after) = after.strip_prefix(&format!("</{name}>")) {
                break after;
            }
            let (child, after) = element(after);
            children.push(child);
            rest = after;
        };
    }
    in_order(known, &children);
    (name.to_owned(), rest)
}

fn in_order(of: &Element, children: &[String]) {
    let mut left = children.iter().peekable();
    let mut alternatives = 0;
    for (name, often) in of.children {
        let mut count = 0;
        while left.next_if(|child| child == name).is_some() {
            count += 1;
        }
        alternatives += if *often == Often::AtMostOne { count } else { 0 };
        assert!(*often != Often::Once || count == 1, "{count} {name} in {}", of.name);
    }
    assert!(alternatives <= 1 && left.next().is_none(), "{children:?} in {}", of.name);
}

fn attributes(of: &Element, mut text: &str) {
    let mut seen = Vec::new();
    while let Some((name, rest)) = text.trim_start().split_once("=\"") {
        let (value, rest) = rest.split_once('"').unwrap();
        let known = of.required.iter().chain(of.optional).find(|(n, _)| *n == name);
        let (_, kind) = known.unwrap_or_else(|| panic!("{} has no attribute {name}", of.name));
        assert_escaped(value);
        assert!(kind.fits(value), "{name} of {} is not {kind:?}: {value:?}", of.name);
        assert!(!seen.contains(&name), "{name} twice in {}", of.name);
        seen.push(name);
        text = rest;
    }
    assert_eq!(text.trim(), "", "in {}", of.name);
    for (name, _) in of.required {
        assert!(seen.contains(name), "{} lacks {name}", of.name);
    }
}

fn assert_escaped(text: &str) {
    assert!(!text.contains(['<', '>']), "{text}");
    for rest in text.split('&').skip(1) {
        let entity = rest.split_once(';').map(|(entity, _)| entity).unwrap_or_default();
        assert!(["lt", "gt", "amp", "quot", "apos"].contains(&entity) || entity.starts_with('#'), "&{rest}");
    }
}

impl Kind {
    fn fits(self, value: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match self {
            Self::Text => true,
            Self::Token => {
                !value.is_empty() && value.trim() == value && !value.contains(['\n', '\t']) && !value.contains("  ")
            }
            Self::Whole => digits(value),
            Self::Decimal => value.split_once('.').map_or_else(|| digits(value), |(a, b)| digits(a) && digits(b)),
            Self::Instant => {
                let shape: String = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                shape == "0000-00-00T00:00:00"
            }
        }
    }
}
