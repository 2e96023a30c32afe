//! What engines cost before any work, and every trial that this follows from.

use super::markup::{Grid, Td, number, paragraph, words};
use super::{Section, blocks};
use crate::compare::probed::keys;
use crate::overhead::{OverheadCell, OverheadEngine, OverheadReport};
use crate::plain::html as escape;
use crate::render::overhead_blocks as sheets;
use bench_record::SAMPLES_FILE;
use std::fmt::Write;

/// The section of the report of that number.
pub(super) fn section(at: usize, report: &OverheadReport) -> Section {
    let engine = |label: &str| report.engines.iter().position(|e| e.label == label);
    let places = |label: &str| engine(label).map(|engine| id(at, engine));
    let mut body_html = blocks::body(&sheets::blocks(report), &places);
    body_html.push_str(&trials(at, report));
    Section { id: format!("overhead-{at}"), title: format!("Overhead, from {}", report.started_at), body_html }
}

/// Where the trials of each figure are, by what claims tell them by.
pub(super) fn places(at: usize, report: &OverheadReport) -> impl Iterator<Item = (String, String)> {
    let engines = report.engines.iter().enumerate();
    engines.flat_map(move |(engine, of)| keys(of).map(move |key| (key, id(at, engine))))
}

fn id(report: usize, engine: usize) -> String {
    format!("overhead-{report}-e{engine}")
}

fn trials(at: usize, report: &OverheadReport) -> String {
    let mut out = paragraph(
        "note",
        &format!(
            "Every trial of every engine: what its lines in <code>{SAMPLES_FILE}</code> come to, in the folder of this record, which \
             have each single sample."
        ),
    );
    for (number, engine) in report.engines.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<details class=\"obs\"><summary>{}: {} values</summary><div id=\"{}\">{}</div></details>",
            escape(&engine.label),
            engine.figures.iter().map(|cell| cell.measured.len()).sum::<usize>(),
            id(at, number),
            grid(report, engine).html()
        );
    }
    out
}

/// One row per figure and trial.
fn grid(report: &OverheadReport, engine: &OverheadEngine) -> Grid {
    let rows = engine.figures.iter().flat_map(|cell| rows(report, cell));
    Grid {
        caption: format!("Trials of {}", engine.label),
        heads: vec![words("figure"), number("trial"), number("value"), words("unit"), words("remarks")],
        rows: rows.collect(),
        filtered: false,
    }
}

fn rows<'a>(report: &OverheadReport, cell: &'a OverheadCell) -> impl Iterator<Item = Vec<Td>> + use<'a> {
    let (scale, unit) = (sheets::scale(report, cell.figure), sheets::unit(report, cell.figure));
    cell.measured.iter().map(move |t| {
        let disturbed = match (t.contaminated, t.counts) {
            (true, true) => "disturbed, in use",
            (true, false) => "disturbed, left out",
            (false, _) => "",
        };
        vec![
            Td::text(cell.figure.name()),
            Td::text(&t.trial.to_string()).sorted_by(Some(f64::from(t.trial))),
            Td::text(&t.value.map_or_else(|| "-".to_owned(), |v| scale.show(v))).sorted_by(t.value),
            Td::text(&unit),
            Td::text(t.reason.as_deref().unwrap_or(disturbed)),
        ]
    })
}
