//! The sheets of overhead.

use super::Ink;
use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::scale::Scale;
use super::wording::{column, or_dash, range};
use crate::overhead::{Figure, OverheadCell, OverheadReport, Unit};
use bench_record::{Case, Outcome};

/// Figures that are read side by side, with what they are.
const GROUPS: [(&str, &[Figure]); 4] = [
    ("Before any work", &[Figure::Startup, Figure::IdleMemory]),
    ("Tasks that do nothing", &[Figure::Tasks, Figure::RoundTrip]),
    ("Calls of one stateful object that do nothing", &[Figure::Calls, Figure::CallRoundTrip]),
    ("Values", &[Figure::Put, Figure::Get, Figure::Serialize]),
];
const PRESSED: (&str, &[Figure]) =
    ("Too little memory, and a worker lost", &[Figure::SpillWrite, Figure::SpillRead, Figure::Recovery]);

pub(crate) fn text(report: &OverheadReport, ink: Ink) -> String {
    layout::text(&document(report), ink)
}

pub(crate) fn markdown(report: &OverheadReport) -> String {
    layout::markdown(&document(report))
}

/// What its sheets are called together.
pub(super) const TITLE: &str = "What engines cost before they do any work";

pub(super) fn document(report: &OverheadReport) -> Vec<Block> {
    [Block::Heading(1, TITLE.to_owned())].into_iter().chain(blocks(report)).collect()
}

/// The same without its title.
pub(super) fn blocks(report: &OverheadReport) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (title, figures) in GROUPS.into_iter().chain([PRESSED]) {
        // A figure that nobody has only has reasons.
        let is_measured = |f: &Figure| report.of(*f).any(|(_, c)| c.is_some_and(|c| c.outcome == Outcome::Completed));
        let figures: Vec<Figure> = figures.iter().copied().filter(is_measured).collect();
        if !figures.is_empty() {
            blocks.push(Block::Heading(3, title.to_owned()));
            blocks.push(Block::Sheet(sheet(report, &figures)));
        }
    }
    let missing = missing(report);
    if !missing.is_empty() {
        blocks.push(Block::Heading(2, "Not measured".to_owned()));
        blocks.extend(missing.into_iter().map(Block::Item));
    }
    blocks.push(Block::Heading(2, "How this was measured".to_owned()));
    blocks.extend(footer(report).into_iter().map(Block::Item));
    blocks
}

fn sheet(report: &OverheadReport, figures: &[Figure]) -> Sheet {
    let scales: Vec<Scale> = figures.iter().map(|f| scale(report, *f)).collect();
    let mut columns = vec![column("engine", Kind::Name)];
    for (figure, scale) in figures.iter().zip(&scales) {
        columns.push(column(format!("{} {}", figure.name(), unit_on(scale, *figure)), Kind::Number));
        columns.push(column("interval", Kind::Number));
    }
    let rows = report.engines.iter().map(|engine| {
        let cells = figures.iter().zip(&scales).flat_map(|(figure, scale)| {
            let cell = engine.figures.iter().find(|c| c.figure == *figure);
            [median(cell, scale), or_dash(cell.and_then(|c| c.interval), |i| range(i, |v| scale.show(v)))]
        });
        Row { about: None, tone: Tone::Plain, cells: [engine.label.clone()].into_iter().chain(cells).collect() }
    });
    Sheet { rows: rows.collect(), columns }
}

fn unit_on(scale: &Scale, figure: Figure) -> String {
    match figure.unit() {
        Unit::PerSecond => figure.unit().suffix().to_owned(),
        other => format!("{}{}", scale.unit, other.suffix()),
    }
}

/// The unit in which this report shows a figure.
pub(super) fn unit(report: &OverheadReport, figure: Figure) -> String {
    unit_on(&scale(report, figure), figure)
}

/// How this report shows a figure: the same way for all engines.
pub(super) fn scale(report: &OverheadReport, figure: Figure) -> Scale {
    let cells = report.of(figure).filter_map(|(_, cell)| cell);
    let ends = cells.flat_map(|c| [c.median, c.interval.map(|i| i.low), c.interval.map(|i| i.high)]).flatten();
    match figure.unit() {
        Unit::Ns => Scale::time(ends.map(f64::abs)),
        Unit::Bytes | Unit::BytesPerSecond => Scale::size(ends),
        Unit::PerSecond => Scale::count(),
    }
}

/// The median, marked where disturbed trials had to be counted, or what there is instead.
fn median(cell: Option<&OverheadCell>, scale: &Scale) -> String {
    match cell {
        None => "-".to_owned(),
        Some(c) if c.outcome == Outcome::Unsupported => "n/a".to_owned(),
        Some(c) if c.outcome != Outcome::Completed => c.outcome.to_string(),
        Some(c) => {
            let mark = if c.contaminated > 0 { "*" } else { "" };
            or_dash(c.median, |m| format!("{}{mark}", scale.show(m)))
        }
    }
}

/// What did not complete, reasons shared by figures of one engine in one line.
fn missing(report: &OverheadReport) -> Vec<String> {
    let mut lines = Vec::new();
    for engine in &report.engines {
        let mut reasons: Vec<(Outcome, &str, Vec<&str>)> = Vec::new();
        for cell in engine.figures.iter().filter(|c| c.outcome != Outcome::Completed) {
            let reason = cell.reason.as_deref().unwrap_or_default();
            match reasons.iter_mut().find(|(outcome, known, _)| (*outcome, *known) == (cell.outcome, reason)) {
                Some((_, _, figures)) => figures.push(cell.figure.name()),
                None => reasons.push((cell.outcome, reason, vec![cell.figure.name()])),
            }
        }
        let said = |(outcome, reason, figures): (Outcome, &str, Vec<&str>)| {
            format!("{}, {}: {outcome}: {reason}", engine.label, figures.join(", "))
        };
        lines.extend(reasons.into_iter().map(said));
    }
    lines
}

fn footer(report: &OverheadReport) -> Vec<String> {
    let mut items = vec![
        format!("machine: {}", report.machine),
        format!(
            "trials asked for: {}, each in processes of its own, engines in turn; from {}; bench {}",
            report.trials, report.started_at, report.build
        ),
        format!(
            "medians over trials, with 95 % intervals of six trials or more and the range of fewer; a trial's latencies and \
             bandwidths are medians of its samples. * disturbed trials had to be counted. Idle memory is read {:.1} s after \
             the start, of all processes, shared pages counted once",
            report.settle_ns as f64 / 1e9
        ),
        "/N are N node processes of this program; without it an engine of this build is one process, and what it puts and gets \
         does not leave that"
            .to_owned(),
    ];
    items.extend(report.engines.iter().map(|e| {
        let memory = e.memory_bytes.map_or_else(
            || "no limit of memory".to_owned(),
            |bytes| {
                let scale = Scale::size([bytes as f64]);
                format!("{} {} of memory", scale.show(bytes as f64), scale.unit)
            },
        );
        let version = e.version.as_deref().unwrap_or("version unknown");
        format!(
            "{}: {} {version}, {} settings, {} x {} slots, {memory}",
            e.label,
            e.engine,
            settings(&e.variant),
            e.nodes,
            e.slots
        )
    }));
    items.extend(report.notes.iter().map(|note| format!("note: {note}")));
    items
}

/// What differs from how the engine runs by itself, besides its memory, which is said in words.
fn settings(variant: &str) -> String {
    let rest: Vec<&str> = variant.split(',').filter(|setting| !setting.starts_with("memory=")).collect();
    if rest.is_empty() { Case::DEFAULT_VARIANT.to_owned() } else { rest.join(",") }
}
