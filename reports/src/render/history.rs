//! A [`History`] for people and for programs.

mod picture;

pub use picture::svg;

use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::scale::Scale;
use super::wording::column;
use super::{Ink, scale};
use crate::history::{Change, History, Point, Series};

/// How a history is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryFormat {
    /// Text for a terminal, at most [`super::WIDTH`] columns wide.
    #[default]
    Table,
    /// Markdown with tables.
    Markdown,
    /// [`History`] as JSON.
    Json,
}

/// Writes a history. Ends with a newline. `ink` matters to the text format only.
#[must_use]
pub fn write(history: &History, format: HistoryFormat, ink: Ink) -> String {
    match format {
        HistoryFormat::Table => layout::text(&document(history), ink),
        HistoryFormat::Markdown => layout::markdown(&document(history)),
        HistoryFormat::Json => {
            // Strings and finite numbers: serialization has nothing to fail on.
            let mut text = serde_json::to_string_pretty(history).unwrap_or_default();
            text.push('\n');
            text
        }
    }
}

fn document(history: &History) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut machines: Vec<&str> = history.series.iter().map(|s| s.machine.as_str()).collect();
    machines.dedup();
    for machine in machines {
        let of_machine: Vec<&Series> = history.series.iter().filter(|s| s.machine == machine).collect();
        blocks.push(Block::Heading(1, format!("Machine {machine}: {} series", of_machine.len())));
        if history.searched {
            changes(&mut blocks, &of_machine);
        } else {
            blocks.push(Block::Sheet(overview(&of_machine)));
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::Text("No series match.".to_owned()));
    }
    blocks
}

/// Who has which time, first and last.
fn overview(series: &[&Series]) -> Sheet {
    let times = || series.iter().flat_map(|s| &s.points).map(|p| p.wall_ns_median);
    let scale = Scale::time(times());
    let row = |s: &&Series| {
        let (first, last) = (s.points.first()?, s.points.last()?);
        let of = |p: &Point| scale.show(p.wall_ns_median);
        let all = crate::stats::sorted(s.points.iter().map(|p| p.wall_ns_median));
        let cells = vec![
            s.case.workload.clone(),
            engine(s),
            s.points.len().to_string(),
            of(first),
            of(last),
            scale.show(*all.first()?),
            scale.show(*all.last()?),
            when(last),
        ];
        Some(Row { about: None, cells, tone: Tone::Plain })
    };
    Sheet {
        columns: vec![
            column("workload", Kind::Name),
            column("engine", Kind::Name),
            column("runs", Kind::Number),
            column(format!("first {}", scale.unit), Kind::Number),
            column("last", Kind::Number),
            column("least", Kind::Number),
            column("most", Kind::Number),
            column("last run", Kind::Words),
        ],
        rows: series.iter().filter_map(row).collect(),
    }
}

fn changes(blocks: &mut Vec<Block>, series: &[&Series]) {
    let found: Vec<(&Series, &Change)> = series.iter().flat_map(|s| s.changes.iter().map(move |c| (*s, c))).collect();
    let runs = series.iter().map(|s| s.points.len()).max().unwrap_or_default();
    if found.is_empty() {
        blocks.push(Block::Text(format!("No change in series of up to {runs} runs.")));
        return;
    }
    let scale = Scale::time(found.iter().flat_map(|(_, c)| [c.wall_ns_before, c.wall_ns_after]));
    let row = |(s, c): &(&Series, &Change)| {
        let cells = vec![
            s.case.workload.clone(),
            engine(s),
            s.points.get(c.at).map(when).unwrap_or_default(),
            scale.show(c.wall_ns_before),
            scale.show(c.wall_ns_after),
            format!("{}{}%", if c.share > 0.0 { "+" } else { "" }, scale::percent(c.share)),
            format!("{:.1e}", c.p),
        ];
        Row { about: None, cells, tone: if c.share > 0.0 { Tone::Bad } else { Tone::Good } }
    };
    blocks.push(Block::Sheet(Sheet {
        columns: vec![
            column("workload", Kind::Name),
            column("engine", Kind::Name),
            column("first run after it", Kind::Words),
            column(format!("before {}", scale.unit), Kind::Number),
            column("after", Kind::Number),
            column("change", Kind::Number),
            column("p", Kind::Number),
        ],
        rows: found.iter().map(row).collect(),
    }));
}

fn engine(s: &Series) -> String {
    let mut text = s.case.engine.clone();
    if s.case.variant != bench_record::Case::DEFAULT_VARIANT {
        text.push_str(&format!("+{}", s.case.variant));
    }
    if s.case.nodes > 1 {
        text.push_str(&format!("/{}", s.case.nodes));
    }
    text
}

/// A run by what was noted beside it, else by its build.
fn when(point: &Point) -> String {
    let day: String = point.started_at.chars().take(16).collect();
    format!("{} {}", day.replace('T', " "), point.label.as_ref().unwrap_or(&point.build_id))
}
