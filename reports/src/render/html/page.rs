//! The frame of a page: head, styles, navigation, and the policy that lets nothing but its own script run.

use super::Section;
use super::markup::paragraph;
use crate::compare::Sources;
use crate::comparison::Comparison;
use crate::plain::html as escape;
use std::collections::BTreeSet;
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// SHA-256 of the two in Base64, by which the policy knows them; a test compares.
const STYLE_HASH: &str = "Bm/V3Y44qO7+H6bWcRdZPgVKxqY6W+qb8gbQ6CtwAzY=";
const SCRIPT_HASH: &str = "NDopHA4ubs6ai8joZJJFpJr/rdhuG2P9BV1ns3H2wuw=";

pub(super) fn page(comparison: &Comparison, sources: &Sources<'_>, sections: &[Section]) -> String {
    let title = escape(&title(comparison));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src \
         'sha256-{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the report</a>\n<header><p class=\"brand\">bench report</p><h1>{title}</h1>{}\
         <button type=\"button\" id=\"theme\" hidden>Dark</button></header>\n<div class=\"frame\">\n\
         <nav aria-label=\"Sections\"><ul>",
        summary(comparison, sources)
    );
    for section in sections {
        let _ = write!(out, "<li><a href=\"#{}\">{}</a></li>", escape(&section.id), escape(&section.title));
    }
    out.push_str("</ul></nav>\n<main id=\"main\">\n");
    if comparison.is_empty() {
        out.push_str(&paragraph("caveat", "Nothing was recorded."));
    }
    for section in sections {
        let id = escape(&section.id);
        let _ = write!(
            out,
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{}</h2>\n{}\n</section>\n",
            escape(&section.title),
            section.body_html
        );
    }
    out.push_str("</main>\n</div>\n<footer>");
    let notes: Vec<String> = comparison.notes.iter().map(|n| escape(n)).collect();
    out.push_str(&super::markup::list(&notes));
    if comparison.tables.iter().any(|t| t.derived_from_tpch) {
        out.push_str(&paragraph("", "Derived from TPC-H, not comparable with published TPC results."));
    }
    let _ = write!(out, "</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// What the page is about: suites and protocols.
fn title(comparison: &Comparison) -> String {
    let mut all: BTreeSet<String> =
        comparison.tables.iter().map(|t| format!("{}, {}", t.suite_text(), t.protocol)).collect();
    if !comparison.overhead.is_empty() {
        all.insert("overhead".to_owned());
    }
    if all.is_empty() { "Nothing recorded".to_owned() } else { all.into_iter().collect::<Vec<_>>().join(" · ") }
}

/// How much was measured, in one line.
fn summary(comparison: &Comparison, sources: &Sources<'_>) -> String {
    let tables = &comparison.tables;
    let compared = tables.iter().flat_map(|t| &t.contestants).filter(|c| c.is_compared()).map(|c| c.label.as_str());
    let probed = comparison.overhead.iter().flat_map(|o| &o.engines).map(|e| e.label.as_str());
    let engines: BTreeSet<&str> = compared.chain(probed).collect();
    let workloads: BTreeSet<&str> =
        tables.iter().flat_map(|t| &t.families).flat_map(|f| &f.workloads).map(|w| w.workload.as_str()).collect();
    let trials: usize = sources.tables.iter().map(Vec::len).sum();
    let of_tables = tables.iter().map(|t| (t.machine_summary.as_str(), t.started_at.as_str()));
    let of_overhead = comparison.overhead.iter().map(|o| (o.machine.as_str(), o.started_at.as_str()));
    let (machines, began): (BTreeSet<&str>, BTreeSet<&str>) = of_tables.chain(of_overhead).unzip();
    let counted = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let mut counts = vec![counted(engines.len(), "engine")];
    if !tables.is_empty() {
        counts.extend([counted(workloads.len(), "workload"), counted(trials, "trial")]);
    }
    let started = began.first().copied().unwrap_or_default();
    let started = started.split_once('.').map_or(started, |(whole, _)| whole).replace('T', " ");
    let when = if started.is_empty() { started } else { format!(" · {started} UTC") };
    let machines: Vec<String> = machines.into_iter().map(escape).collect();
    format!(
        "<p class=\"lead\">{}{}</p><p class=\"note\">{}</p>",
        escape(&counts.join(" · ")),
        escape(&when),
        machines.join("<br>")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_policy_knows_the_style_and_the_script() {
        let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert_eq!([STYLE_HASH, SCRIPT_HASH], [hash(STYLE), hash(SCRIPT)], "put these into page.rs");
    }

    #[test]
    fn the_style_replaces_every_color_of_the_figures() {
        for (color, name) in crate::plot::TONES {
            let hex = format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
            for attribute in ["fill", "stroke"] {
                let rule = format!("svg [{attribute}=\"{hex}\"]{{{attribute}:var(--{name})}}");
                assert!(STYLE.contains(&rule), "page.css lacks {rule}");
            }
        }
    }
}
