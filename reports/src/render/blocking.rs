//! The sheet of what would have been without one kind of blocking.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::percent;
use super::wording::{column, or_dash};
use super::{WIDTH, sheets::Aside};
use crate::comparison::{BlockingCase, BlockingReport, FamilyReport};
use bench_record::{Blocking, REPLAY_ERROR_MAX};

/// What the longest name of a row takes.
const NAME: usize = 18;
/// Contestants side by side, however long their names; more where they are short.
const COLUMNS: usize = 5;

pub(super) fn blocks(family: &FamilyReport, aside: &Aside<'_>) -> Vec<Block> {
    let shown: Vec<&BlockingReport> =
        family.blocking.iter().filter(|b| !aside.contains(b.contestant.as_str())).collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let title = format!("{}: time that would go away with one kind of blocking, %, predicted", family.family.name());
    let mut blocks = vec![Block::Heading(3, title)];
    let longest = shown.iter().map(|b| b.contestant.chars().count()).max().unwrap_or_default();
    let fitting = (WIDTH.saturating_sub(NAME) / (longest + 2)).max(COLUMNS);
    let replayed: Vec<&BlockingReport> = shown.iter().copied().filter(|b| b.replayed_ns > 0).collect();
    blocks.extend(replayed.chunks(fitting).map(|chunk| Block::Sheet(sheet(chunk))));
    blocks.push(Block::Text(format!(
        "Not measured: one trial per case was played again in virtual time by the style's own machines, as it was and \
         without each kind. Cases that this does not reproduce within {} % are left out. Kinds do not add up.",
        percent(REPLAY_ERROR_MAX)
    )));
    for report in shown {
        let left_out: Vec<String> = report.cases.iter().filter_map(left_out).collect();
        if !left_out.is_empty() {
            blocks.push(Block::Item(format!("{}, left out: {}", report.contestant, left_out.join(", "))));
        }
    }
    blocks
}

/// A case from which nothing is predicted, with the reason.
fn left_out(case: &BlockingCase) -> Option<String> {
    let why = match (case.error, &case.reason) {
        (_, Some(reason)) => reason.clone(),
        (Some(error), None) if error.abs() > REPLAY_ERROR_MAX => format!("replay off by {} %", percent(error)),
        _ => return None,
    };
    Some(format!("{} ({why})", case.workload))
}

fn sheet(chunk: &[&BlockingReport]) -> Sheet {
    let kinds = Blocking::ALL.iter().filter(|k| chunk.iter().any(|b| b.saved_share.contains_key(k)));
    let row = |name: &str, tone, value: &dyn Fn(&BlockingReport) -> String| Row {
        about: None,
        tone,
        cells: [name.to_owned()].into_iter().chain(chunk.iter().map(|b| value(b))).collect(),
    };
    let mut rows: Vec<Row> = kinds
        .map(|kind| row(kind.name(), Tone::Plain, &|b| or_dash(b.saved_share.get(kind).copied(), percent)))
        .collect();
    rows.push(row("replay's error", Tone::Faint, &|b| {
        let error = b.replayed_ns as f64 / b.measured_ns.max(1) as f64 - 1.0;
        percent(error)
    }));
    rows.push(row("largest of a case", Tone::Faint, &|b| or_dash(b.error_max, percent)));
    rows.push(row("seconds replayed", Tone::Faint, &|b| format!("{:.3}", b.replayed_ns as f64 / 1e9)));
    rows.push(row("cases", Tone::Faint, &|b| {
        let faithful = b.cases.iter().filter(|c| left_out(c).is_none()).count();
        format!("{faithful} of {}", b.cases.len())
    }));
    let engines = chunk.iter().map(|b| column(&b.contestant, Kind::Number));
    Sheet { columns: [column("without", Kind::Name)].into_iter().chain(engines).collect(), rows }
}
