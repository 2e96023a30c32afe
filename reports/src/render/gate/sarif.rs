//! A gate as SARIF 2.1.0 (OASIS, 2020): one result per case that deserves a look, and one per case that NEW lacks. The
//! physical location of a result is the journal that holds its trials, for viewers that show nothing without a file.

use super::{MISSING, MISSING_SAID};
use crate::gate::{Finding, Gate, Missing, Status, Verdict};
use crate::plain::plain;
use bench_record::Case;
use serde_json::{Map, Value, json};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Every rule with what it finds.
const RULES: [(Status, &str); 6] = [
    (Status::WrongAnswer, "A case that gave the right answer gives a wrong one."),
    (Status::NewlyFailing, "A case that completed fails, times out or is unsupported."),
    (Status::Slower, "A case is shown to be slower, and a slow-down beyond its budget is not ruled out."),
    (Status::Inconclusive, "A slow-down beyond the budget was neither shown nor ruled out."),
    (Status::StillFailing, "A case did not complete before and does not now."),
    (Status::Faster, "A case is shown to be faster."),
];
const HARNESS: &str = "harness-suspect";

pub(super) fn document(gate: &Gate) -> Value {
    let rule = |id: &str, text: &str| json!({ "id": id, "shortDescription": { "text": text } });
    let mut rules: Vec<Value> = RULES.iter().map(|(status, text)| rule(status.id(), text)).collect();
    rules.push(rule(HARNESS, "Findings are one-sided in a way that a machine makes and a change seldom does."));
    rules.push(rule(MISSING, "A case that BASE has is not in NEW."));
    let mut results: Vec<Value> = gate.findings.iter().filter_map(|f| result(gate, f)).collect();
    results.extend(gate.missing.iter().filter(|m| m.counts()).map(|m| missing(gate, m)));
    if gate.verdict == Verdict::HarnessSuspect {
        let text = plain(&gate.reasons.first().cloned().unwrap_or_default());
        results.insert(
            0,
            json!({
                "ruleId": HARNESS, "ruleIndex": RULES.len(), "level": "error", "message": { "text": text },
                "locations": [{ "physicalLocation": journal(gate) }],
            }),
        );
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "bench", "version": plain(&gate.new.build), "rules": rules } },
            "invocations": [{
                "executionSuccessful": gate.verdict != Verdict::HarnessSuspect,
                "exitCode": gate.exit_code,
                "exitCodeDescription": gate.verdict.words(),
            }],
            "results": results,
            "properties": {
                "base": gate.base.runs.iter().map(|r| plain(r)).collect::<Vec<_>>(),
                "new": gate.new.runs.iter().map(|r| plain(r)).collect::<Vec<_>>(),
                "machine": gate.new.machine,
            },
        }],
    })
}

fn result(gate: &Gate, f: &Finding) -> Option<Value> {
    let index = RULES.iter().position(|(status, _)| *status == f.status)?;
    let level = match f.status {
        s if s.is_regression() => "error",
        Status::Inconclusive if f.suspect => "warning",
        _ if f.fails_on_both() => "warning",
        _ => "note",
    };
    let mut result = Map::new();
    let label = plain(&f.label());
    result.insert("ruleId".to_owned(), json!(f.status.id()));
    result.insert("ruleIndex".to_owned(), json!(index));
    result.insert("level".to_owned(), json!(level));
    result.insert("message".to_owned(), json!({ "text": format!("{label}: {}", plain(&f.said)) }));
    result.insert("locations".to_owned(), json!([place(gate, &f.case)]));
    result.insert("partialFingerprints".to_owned(), json!({ "benchCase/v1": f.key.as_str() }));
    if let Some(why) = &f.allowed {
        let suppression = json!([{ "kind": "external", "status": "accepted", "justification": plain(why) }]);
        result.insert("suppressions".to_owned(), suppression);
    }
    let numbers = json!({
        "ratio": f.ratio, "bounds": f.bounds, "budget": f.budget, "pAdjusted": f.p_adjusted, "floor": f.floor,
        "baseTrials": f.base.trials, "newTrials": f.new.trials, "turns": f.turns,
    });
    result.insert("properties".to_owned(), numbers);
    Some(Value::Object(result))
}

/// A case of BASE that NEW lacks. Without a result, a build that ends half-way would look clean.
fn missing(gate: &Gate, m: &Missing) -> Value {
    json!({
        "ruleId": MISSING, "ruleIndex": RULES.len() + 1, "level": "warning",
        "message": { "text": format!("{}: {MISSING_SAID}", plain(&m.label)) },
        "locations": [place(gate, &m.case)],
        "partialFingerprints": { "benchCase/v1": m.key.as_str() },
    })
}

fn place(gate: &Gate, case: &Case) -> Value {
    let name = format!("{}/{}/{}", case.family.name(), case.workload, case.engine);
    json!({
        "physicalLocation": journal(gate),
        "logicalLocations": [{ "name": plain(&case.workload), "fullyQualifiedName": plain(&name), "kind": "function" }],
    })
}

fn journal(gate: &Gate) -> Value {
    // The folder's own name: more of its path would depend on what it is compared with, and be no path from anywhere.
    let run = gate.new.runs.first().and_then(|run| run.rsplit('/').next()).unwrap_or_default();
    let uri: String = run.bytes().map(escaped).collect();
    json!({ "artifactLocation": { "uri": format!("{uri}/observations.ndjson") }, "region": { "startLine": 1 } })
}

/// A byte of a path as a part of a URI.
fn escaped(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}
