//! A [`History`] for people and for programs.

mod picture;

pub use picture::svg;

use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::scale::Scale;
use super::wording::{column, or_dash};
use super::{Ink, scale};
use crate::history::{Change, History, Point, Series};
use bench_record::Outcome;
use std::collections::BTreeMap;

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
        blocks.push(if history.searched { changes(&of_machine) } else { Block::Sheet(overview(&of_machine)) });
        completion(&mut blocks, &of_machine);
    }
    if blocks.is_empty() {
        blocks.push(Block::Text("No series match.".to_owned()));
    }
    blocks
}

/// How many runs have a time, and every series of which some have none: a list of times alone is one of survivors.
fn completion(blocks: &mut Vec<Block>, series: &[&Series]) {
    let sum = |of: fn(&Series) -> usize| series.iter().map(|s| of(s)).sum::<usize>();
    let disturbed = match sum(|s| s.disturbed) {
        0 => String::new(),
        n => format!(", {n} of them disturbed, so no points of a series"),
    };
    let (completed, runs) = (sum(|s| s.completed), sum(|s| s.runs));
    blocks.push(Block::Text(format!("Completed: {completed} of {runs} runs of a case{disturbed}.")));
    let ended = series.iter().copied().filter(|s| !s.failed.is_empty());
    let (unsupported, failed): (Vec<&Series>, Vec<&Series>) = ended.partition(|s| is_unsupported(s));
    blocks.extend(failed.iter().map(|s| {
        let words = format!("{} on {}: {}", s.case.workload, engine(s), standing(s));
        Block::Item(words)
    }));
    match unsupported.len() {
        0 => {}
        1 => blocks.push(Block::Text("1 series is unsupported in all of its runs.".to_owned())),
        n => blocks.push(Block::Text(format!("{n} series are unsupported in all of their runs."))),
    }
}

fn is_unsupported(s: &Series) -> bool {
    s.completed == 0 && s.failed.iter().all(|run| run.outcome == Outcome::Unsupported)
}

/// How many runs completed the case, how the others ended, and whether the last ones are among these.
fn standing(s: &Series) -> String {
    let disturbed = match s.disturbed {
        0 => String::new(),
        n => format!(" ({n} of them disturbed)"),
    };
    let others = if s.failed.is_empty() { String::new() } else { format!(", {}", outcomes(s)) };
    let first = s.failed.len().checked_sub(s.failing).and_then(|at| s.failed.get(at));
    let last = first.filter(|_| s.completed > 0).map_or_else(String::new, |run| {
        let began = when(&run.started_at, run.label.as_deref(), &run.build_id);
        match s.failing {
            1 => format!("; the last run, {began}, did not complete"),
            n => format!("; the last {n} runs, since {began}, did not complete"),
        }
    });
    format!("{} of {} runs completed{disturbed}{others}{last}", s.completed, s.runs)
}

/// How the runs ended that did not complete the case, as `8 failed, 2 timed out`.
fn outcomes(s: &Series) -> String {
    let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
    for run in &s.failed {
        *counts.entry(run.outcome).or_default() += 1;
    }
    let told = counts.iter().map(|(outcome, n)| format!("{n} {}", outcome.name().replace('_', " ")));
    told.collect::<Vec<_>>().join(", ")
}

/// Who has which time, first and last.
fn overview(series: &[&Series]) -> Sheet {
    let times = || series.iter().flat_map(|s| &s.points).map(|p| p.wall_ns_median);
    let scale = Scale::time(times());
    let row = |s: &&Series| {
        let of = |p: Option<&Point>| or_dash(p, |p| scale.show(p.wall_ns_median));
        let all = crate::stats::sorted(s.points.iter().map(|p| p.wall_ns_median));
        let last = match s.points.last() {
            Some(point) => run_of(point),
            None if s.failed.is_empty() => "none".to_owned(),
            None => format!("none ({})", outcomes(s)),
        };
        let cells = vec![
            s.case.workload.clone(),
            engine(s),
            format!("{} of {}", s.completed, s.runs),
            s.disturbed.to_string(),
            of(s.points.first()),
            of(s.points.last()),
            or_dash(all.first(), |t| scale.show(*t)),
            or_dash(all.last(), |t| scale.show(*t)),
            last,
        ];
        let tone = match s.failing {
            0 => Tone::Plain,
            _ if is_unsupported(s) => Tone::Faint,
            _ => Tone::Bad,
        };
        Row { about: None, cells, tone }
    };
    Sheet {
        columns: vec![
            column("workload", Kind::Name),
            column("engine", Kind::Name),
            column("completed", Kind::Number),
            column("disturbed", Kind::Number),
            column(format!("first {}", scale.unit), Kind::Number),
            column("last", Kind::Number),
            column("least", Kind::Number),
            column("most", Kind::Number),
            column("last timed run", Kind::Words),
        ],
        rows: series.iter().map(row).collect(),
    }
}

fn changes(series: &[&Series]) -> Block {
    let found: Vec<(&Series, &Change)> = series.iter().flat_map(|s| s.changes.iter().map(move |c| (*s, c))).collect();
    let runs = series.iter().map(|s| s.points.len()).max().unwrap_or_default();
    if found.is_empty() {
        return Block::Text(format!("No change in series of up to {runs} runs that have a time."));
    }
    let scale = Scale::time(found.iter().flat_map(|(_, c)| [c.wall_ns_before, c.wall_ns_after]));
    let row = |(s, c): &(&Series, &Change)| {
        let cells = vec![
            s.case.workload.clone(),
            engine(s),
            s.points.get(c.at).map(run_of).unwrap_or_default(),
            scale.show(c.wall_ns_before),
            scale.show(c.wall_ns_after),
            format!("{}{}%", if c.share > 0.0 { "+" } else { "" }, scale::percent(c.share)),
            format!("{:.1e}", c.p),
        ];
        Row { about: None, cells, tone: if c.share > 0.0 { Tone::Bad } else { Tone::Good } }
    };
    Block::Sheet(Sheet {
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
    })
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

fn run_of(point: &Point) -> String {
    when(&point.started_at, point.label.as_deref(), &point.build_id)
}

/// A run by what was noted beside it, else by its build.
fn when(started_at: &str, label: Option<&str>, build_id: &str) -> String {
    let day: String = started_at.chars().take(16).collect();
    format!("{} {}", day.replace('T', " "), label.unwrap_or(build_id))
}
