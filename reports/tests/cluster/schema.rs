//! `docs/schema.md` names everything that the JSON report holds.

use crate::runs;
use crate::runs::grown;
use crate::{blocking, compared, decomposition, fixture};
use bench_record::Run;
use serde_json::Value;
use std::collections::BTreeSet;

/// The part of the document about the report, not about records.
fn document() -> &'static str {
    let all = include_str!("../../../docs/schema.md");
    &all[all.find("# The JSON report").unwrap()..]
}

/// What is in backticks, cut into words.
fn documented() -> BTreeSet<&'static str> {
    let quoted = document().lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_')).collect()
}

/// Maps whose keys are data: kinds of time, and workloads.
const BY_NAME: [&str; 4] = ["share", "violations", "saved_share", "without_ns"];

/// Every key, and every word of fields whose words are fixed.
fn words<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| words(v, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key);
                if ["verdict", "is"].contains(&key.as_str()) {
                    found.extend(value.as_str());
                }
                if !BY_NAME.contains(&key.as_str()) {
                    words(value, found);
                }
            }
        }
        _ => {}
    }
}

/// One engine on six node counts: a law is fitted.
fn six() -> Run {
    let of = |n: u32| runs::trials(&runs::case("q", "actor", n, 1), 6, 1000.0 / f64::from(n));
    let mut run = runs::run("six", &[], [1, 2, 3, 4, 6, 8].map(of).concat());
    run.context.machine.cores = 8;
    run
}

#[test]
fn every_key_of_the_json_report_is_named_in_the_document() {
    let some = [fixture::run()];
    let on_nodes = [runs::nodes(), runs::faults(), runs::ablation(), blocking::blocked()];
    let reports =
        [&some[..], &on_nodes[..], &[grown(&[1, 2, 4])], &[six()], &[decomposition::products()]].map(|runs| {
            let comparison = compared(runs);
            serde_json::to_value(comparison).unwrap()
        });
    let mut found = BTreeSet::new();
    reports.iter().for_each(|report| words(report, &mut found));
    // Each part of a report is there, or its keys were not looked at.
    for part in [
        "mann_whitney",
        "answer",
        "law",
        "peak_nodes",
        "effects",
        "saved_share",
        "switch",
        "time",
        "violations",
        "busy_share",
    ] {
        assert!(found.contains(part), "{part}");
    }
    let documented = documented();
    let missing: Vec<&&str> = found.iter().filter(|word| !documented.contains(**word)).collect();
    assert!(missing.is_empty(), "not named in docs/schema.md: {missing:?}");
}

#[test]
fn every_verdict_and_answer_is_named_in_the_document() {
    use bench_reports::{CostAnswer, Verdict};
    let verdicts =
        [Verdict::Faster, Verdict::Slower, Verdict::Indistinguishable, Verdict::Unresolved, Verdict::Contaminated];
    let answers = [
        CostAnswer::AtMost { cores: 1 },
        CostAnswer::Between { above: 1, at_most: 2 },
        CostAnswer::NotShown { up_to: 1 },
        CostAnswer::Never { up_to: 1 },
    ];
    let verdicts = verdicts.map(|v| serde_json::json!({ "verdict": v }));
    let answers = answers.map(|a| serde_json::to_value(a).unwrap());
    let mut found = BTreeSet::new();
    verdicts.iter().chain(&answers).for_each(|value| words(value, &mut found));
    let documented = documented();
    let missing: Vec<&&str> = found.iter().filter(|word| !documented.contains(**word)).collect();
    assert!(missing.is_empty(), "not named in docs/schema.md: {missing:?}");
}
