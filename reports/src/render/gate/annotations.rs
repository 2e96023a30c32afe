//! A gate as workflow commands of GitHub Actions, `::error title=..::..`, which are shown beside a change.

use crate::gate::{Finding, Gate, Status, Verdict};
use crate::plain::plain;

/// GitHub shows no more than ten of a kind per step.
const SHOWN: usize = 10;

pub(super) fn lines(gate: &Gate) -> String {
    let mut out = String::new();
    let kind = match gate.verdict {
        Verdict::Fine => "notice",
        Verdict::Inconclusive => "warning",
        Verdict::Regression | Verdict::HarnessSuspect => "error",
    };
    command(&mut out, kind, &format!("bench: {}", gate.verdict.words()), &gate.reasons.join("; "));
    let errors: Vec<&Finding> = gate.findings.iter().filter(|f| f.counts()).collect();
    let is_warning =
        |f: &&Finding| f.allowed.is_some() || f.fails_on_both() || f.suspect && f.status == Status::Inconclusive;
    let warnings: Vec<&Finding> = gate.findings.iter().filter(is_warning).collect();
    for (kind, found) in [("error", errors), ("warning", warnings)] {
        // One of them is the summary.
        for f in found.iter().take(SHOWN - 1) {
            let allowed = f.allowed.as_ref().map_or_else(String::new, |why| format!(" (allowed for now: {why})"));
            command(&mut out, kind, &f.label(), &format!("{}{allowed}", f.said));
        }
    }
    out
}

fn command(out: &mut String, kind: &str, title: &str, message: &str) {
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    out.push_str(&format!("::{kind} title={title}::{}\n", data(message)));
}

/// What would end a command or begin another one, escaped as the runner unescapes it.
fn data(text: &str) -> String {
    plain(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
