//! A gate as JUnit XML: one test per case. A regression is a failure, an inconclusive case is skipped with its reason, one
//! that fails on both sides is an error, and so are one that NEW lacks and a suspect harness, as a test of its own. Valid by the schema
//! of Apache Ant's JUnit task and by that of Jenkins.

use super::{MISSING, MISSING_SAID};
use crate::gate::{Finding, Gate, Missing, Status, Verdict};
use crate::plain::plain;
use bench_record::Case;
use std::fmt::Write;

pub(super) fn document(gate: &Gate) -> String {
    let harness = gate.verdict == Verdict::HarnessSuspect;
    let failures = gate.findings.iter().filter(|f| f.counts()).count();
    let missing: Vec<&Missing> = gate.missing.iter().filter(|m| m.counts()).collect();
    let failing = gate.findings.iter().filter(|f| f.fails_on_both()).count();
    let errors = failing + missing.len() + usize::from(harness);
    let skipped = gate.findings.iter().filter(|f| is_skipped(f)).count();
    let tests = gate.findings.len() + missing.len() + usize::from(harness);
    // The schema wants a time without fractions and without a zone.
    let timestamp: String = gate.new.started_at.chars().take(19).collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let time: f64 = gate.findings.iter().map(seconds).sum();
    let _ = writeln!(
        out,
        "  <testsuite name=\"bench compare\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
         time=\"{time:.6}\" timestamp=\"{}\" hostname=\"{}\" id=\"0\" package=\"bench\">",
        text(&timestamp),
        text(&gate.new.machine),
    );
    out.push_str("    <properties>\n");
    let properties = [
        ("verdict", gate.verdict.words().to_owned()),
        ("base", gate.base.build.clone()),
        ("new", gate.new.build.clone()),
        ("machine", gate.new.machine_summary.clone()),
    ];
    for (name, value) in properties {
        let _ = writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", text(&value));
    }
    out.push_str("    </properties>\n");
    if harness {
        let said = text(&gate.reasons.first().cloned().unwrap_or_default());
        out.push_str("    <testcase classname=\"bench\" name=\"harness\" time=\"0\">\n");
        let _ =
            writeln!(out, "      <error type=\"harness-suspect\" message=\"{said}\">{said}</error>\n    </testcase>");
    }
    gate.findings.iter().for_each(|f| case(&mut out, f));
    missing.iter().for_each(|m| absent(&mut out, m));
    let one_sided: Vec<String> = gate.missing.iter().map(|m| format!("{} (not in {})", m.label, m.from)).collect();
    let said = gate.reasons.iter().cloned().chain(one_sided).map(|line| text(&line)).collect::<Vec<_>>().join("\n");
    let _ = writeln!(out, "    <system-out>{said}</system-out>\n    <system-err></system-err>");
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn is_skipped(f: &Finding) -> bool {
    f.status == Status::Inconclusive || f.allowed.is_some() || f.status == Status::StillFailing && !f.fails_on_both()
}

fn seconds(f: &Finding) -> f64 {
    f.new.wall_ns_median.map_or(0.0, |ns| ns / 1e9)
}

fn class(case: &Case) -> String {
    text(&format!("{}.{}", case.family.name(), case.engine))
}

/// A case that NEW lacks. No time was measured, and the schema asks for one.
fn absent(out: &mut String, m: &Missing) {
    let (class, name) = (class(&m.case), text(&m.label));
    let _ = writeln!(
        out,
        "    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\">\n      \
         <error type=\"{MISSING}\" message=\"{MISSING_SAID}\">{MISSING_SAID}</error>\n    </testcase>"
    );
}

fn case(out: &mut String, f: &Finding) {
    let class = class(&f.case);
    let name = text(&f.label());
    let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{:.6}\"", seconds(f));
    let said = text(&f.said);
    if f.counts() {
        let _ = writeln!(
            out,
            ">\n      <failure type=\"{}\" message=\"{said}\">{}</failure>\n    </testcase>",
            f.status.id(),
            text(&detail(f))
        );
    } else if f.fails_on_both() {
        let _ = writeln!(
            out,
            ">\n      <error type=\"{}\" message=\"{said}\">{said}</error>\n    </testcase>",
            f.status.id()
        );
    } else if is_skipped(f) {
        let why = f.allowed.as_ref().map_or(said, |why| text(&format!("{}; allowed for now: {why}", f.said)));
        let _ = writeln!(out, ">\n      <skipped message=\"{why}\"/>\n    </testcase>");
    } else {
        out.push_str("/>\n");
    }
}

fn detail(f: &Finding) -> String {
    let mut text = f.said.clone();
    if let (Some(r), Some(b), Some(p)) = (f.ratio, f.bounds, f.p_adjusted) {
        let (low, high) = (b.low, b.high);
        let _ = write!(text, "; ratio {r:.4}, bounds {low:.4} to {high:.4}, p {p:.2e} after Holm, key {}", f.key);
    }
    text
}

/// Text that ends no attribute and no element, without characters that XML does not have.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}
