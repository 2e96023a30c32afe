//! What a report shows, in which order and in which words. Layout is left to the format.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::{Scale, percent};
use super::wording::{column, cores, crowds, range, ratio_text};
use super::{WIDTH, ablation, blocking, decomposition, faults, footer, overhead_blocks, scaling, weak};
use crate::comparison::{
    Cell, Comparison, CostAnswer, CostEntry, CostReport, FamilyReport, Incident, Ratio, SpanBreakdown, Table, Total,
    WorkloadReport,
};
use crate::stats::INTERVAL_TRIALS;
use bench_record::{Arm, Family, Outcome, SpanKind};
use std::collections::BTreeSet;

/// Contestants side by side in one table of spans, however long their names; more where they are short.
const SPAN_COLUMNS: usize = 5;
/// What the longest kind of span takes.
const SPAN_NAME: usize = 15;

/// The contestants of studies: their sheet shows them, all others leave them out.
pub(super) type Aside<'a> = BTreeSet<&'a str>;

/// Those of a table.
pub(super) fn aside(table: &Table) -> Aside<'_> {
    table.contestants.iter().filter(|c| c.ablates.is_some()).map(|c| c.label.as_str()).collect()
}

/// Those of a family that support none of it: its totals name them, and their rows would say the same of every workload.
pub(super) fn not_applicable(family: &FamilyReport) -> Aside<'_> {
    family.totals.iter().filter(|t| t.is_not_applicable()).map(|t| t.contestant.as_str()).collect()
}

/// Whom the sheet of times leaves out because there is nothing to say of them case by case, in a sentence.
pub(super) fn not_applicable_text(who: &Aside<'_>) -> Option<String> {
    let names: Vec<&str> = who.iter().copied().collect();
    let text = || {
        format!("Left out here, for they support none of it: {}; reasons in \"Did not complete\".", names.join(", "))
    };
    (!names.is_empty()).then(text)
}

/// The whole report.
pub(super) fn document(comparison: &Comparison) -> Vec<Block> {
    let mut blocks = Vec::new();
    if comparison.has_wrong_answers() {
        blocks.push(Block::Heading(1, comparison.wrong_answers_title()));
        blocks.extend(comparison.wrong_answers.iter().map(|i| Block::Item(incident(i))));
    }
    for table in &comparison.tables {
        blocks.extend(table_blocks(table));
    }
    blocks.extend(weak::blocks(&comparison.weak_scaling));
    blocks.extend(comparison.overhead.iter().flat_map(overhead_blocks::document));
    if comparison.is_empty() {
        blocks.push(Block::Text("Nothing was recorded.".to_owned()));
    }
    blocks.extend(comparison.notes.iter().map(|n| Block::Item(n.clone())));
    blocks
}

fn table_blocks(table: &Table) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, table.title())];
    blocks.extend(table.shared_text().map(Block::Text));
    if let Some(emulated) = &table.emulated {
        blocks.push(Block::Text(format!("Emulated nodes: {emulated}. Not a measurement of a cluster.")));
    }
    let crowds = crowds(&table.contestants);
    if !crowds.is_empty() {
        blocks.push(Block::Text(format!("{}. Not a measurement of so many cores.", crowds.join("; "))));
    }
    let baseline = table.baseline.as_deref().unwrap_or("the baseline");
    let aside = aside(table);
    for family in &table.families {
        blocks.extend(family_blocks(family, baseline, &aside, &crowds));
    }
    let others: Vec<&Incident> = table.incidents.iter().filter(|i| i.outcome != Outcome::WrongAnswer).collect();
    if !others.is_empty() {
        blocks.push(Block::Heading(2, "Did not complete".to_owned()));
        blocks.extend(alike(&others).into_iter().map(Block::Item));
    }
    blocks.push(Block::Heading(2, "How this was measured".to_owned()));
    blocks.extend(footer::blocks(table));
    blocks
}

fn family_blocks(family: &FamilyReport, baseline: &str, aside: &Aside<'_>, crowds: &[String]) -> Vec<Block> {
    let name = family.family.name();
    let count = family.workloads.len();
    let title = match count {
        0 => format!("{name}: under faults only"),
        1 => format!("{name}: 1 workload"),
        _ => format!("{name}: {count} workloads"),
    };
    let mut blocks = vec![Block::Heading(2, title)];
    if count > 0 {
        let nothing_to_say = not_applicable(family);
        blocks.push(times(&family.workloads, &aside.union(&nothing_to_say).copied().collect()));
        blocks.extend(not_applicable_text(&nothing_to_say).map(Block::Text));
        if !aside.is_empty() {
            blocks.push(Block::Text(format!(
                "Left out here: {} contestants with a mechanism switched off; the sheet of mechanisms sums them up, and the \
                 JSON report has their times.",
                aside.len()
            )));
        }
        blocks.push(Block::Heading(3, format!("{name} totals, ratios to {baseline}")));
        blocks.push(totals(&family.totals, baseline, aside));
    }
    blocks.extend(cost(family, crowds));
    blocks.extend(decomposition::blocks(family));
    blocks.extend(scaling::blocks(family));
    blocks.extend(ablation::blocks(family));
    blocks.extend(faults::blocks(family));
    blocks.extend(spans(family, aside));
    blocks.extend(blocking::blocks(family, aside));
    blocks
}

fn incident(i: &Incident) -> String {
    let trials = if i.trials == 1 { String::new() } else { format!(" ({} trials)", i.trials) };
    ended_so(i, &i.workload, &trials)
}

/// What went `how` often on these workloads.
fn ended_so(i: &Incident, workloads: &str, how: &str) -> String {
    let arm = if i.arm == Arm::Twin { ", A/A arm" } else { "" };
    format!("{} {workloads} on {}{arm}: {}{how}: {} [{}]", i.family.name(), i.contestant, i.outcome, i.reason, i.run)
}

/// So many workloads of one incident are named; the JSON report has them all.
const ALIKE_NAMED: usize = 6;

/// Incidents in the order in which each first occurred; those that differ in nothing but the workload and the count of trials are one.
fn alike(incidents: &[&Incident]) -> Vec<String> {
    fn key(i: &Incident) -> (Family, Arm, Outcome, [&str; 3]) {
        (i.family, i.arm, i.outcome, [&i.contestant, &i.reason, &i.run])
    }
    let mut groups: Vec<Vec<&Incident>> = Vec::new();
    for i in incidents {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| key(first) == key(i))) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let words = |group: &Vec<&Incident>| match group.as_slice() {
        [] => String::new(),
        [one] => incident(one),
        [first, ..] => {
            let named = group.iter().take(ALIKE_NAMED).map(|i| i.workload.as_str()).collect::<Vec<_>>().join(", ");
            let more = group.len().saturating_sub(ALIKE_NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let trials = group.iter().map(|i| i.trials).sum::<usize>();
            ended_so(first, &format!("{named}{more}"), &format!(" ({} workloads, {trials} trials)", group.len()))
        }
    };
    groups.iter().map(words).collect()
}

/// The outcome of a case that did not complete. Its reason has more room in the list of such cases.
pub(super) fn ended(c: &Cell) -> String {
    match (c.completed, c.trials) {
        (0, _) => c.outcome.to_string(),
        (completed, trials) => format!("{}, {completed} of {trials} completed", c.outcome),
    }
}

/// One row per workload and contestant.
fn times(workloads: &[WorkloadReport], aside: &Aside<'_>) -> Block {
    let shown = |c: &&Cell| !aside.contains(c.contestant.as_str());
    let cells = || workloads.iter().flat_map(|w| &w.cells).filter(shown);
    let ends = |c: &Cell| [c.wall_ns_median, c.wall_ns_interval.map(|i| i.low), c.wall_ns_interval.map(|i| i.high)];
    let wall = Scale::time(cells().flat_map(ends).flatten());
    let cpu = Scale::time(cells().filter_map(|c| c.cpu_ns_median));
    let memory = Scale::size(cells().filter_map(|c| c.rss_bytes_peak).map(|b| b as f64));
    // A column of zeros says nothing.
    let spilled = Scale::size(cells().filter_map(|c| c.spilled_bytes_median));
    let some_spilled = cells().any(|c| c.spilled_bytes_median.is_some_and(|bytes| bytes > 0.0));
    let rows = workloads.iter().flat_map(|w| w.cells.iter().filter(shown).map(move |c| (w, c))).map(|(w, c)| {
        let completed = c.outcome == Outcome::Completed;
        let against = match &c.against_best {
            Some(r) => ratio_text(r),
            None if !completed || w.cells.iter().filter(shown).filter(|c| c.wall_ns_median.is_some()).count() < 2 => {
                String::new()
            }
            None if w.winner.is_some() => "best".to_owned(),
            None if w.winner_alone.is_some() => "no winner of so many workloads".to_owned(),
            None => "no winner".to_owned(),
        };
        let against = if completed { against } else { ended(c) };
        let mark = if c.contaminated > 0 { "*" } else { "" };
        let number = |scale: &Scale, v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| scale.show(v));
        Row {
            about: None,
            tone: match (c.outcome, w.winner.as_ref() == Some(&c.contestant)) {
                (Outcome::Completed, true) => Tone::Good,
                (Outcome::Completed, false) => Tone::Plain,
                (Outcome::Unsupported, _) => Tone::Faint,
                _ => Tone::Bad,
            },
            cells: [
                w.workload.clone(),
                c.contestant.clone(),
                number(&wall, c.wall_ns_median),
                c.wall_ns_interval.map_or_else(|| "-".to_owned(), |i| range(i, |v| wall.show(v))),
                format!("{}{mark}", c.trials),
                against,
                number(&cpu, c.cpu_ns_median),
                number(&memory, c.rss_bytes_peak.map(|b| b as f64)),
            ]
            .into_iter()
            .chain(some_spilled.then(|| number(&spilled, c.spilled_bytes_median)))
            .collect(),
        }
    });
    let columns = [
        column("workload", Kind::Name),
        column("engine", Kind::Name),
        column(wall.unit, Kind::Number),
        column(interval_title(workloads), Kind::Number),
        column("n", Kind::Number),
        column("against the best", Kind::Words),
        column(format!("cpu {}", cpu.unit), Kind::Number),
        column(memory.unit, Kind::Number),
    ];
    let spilled_column = some_spilled.then(|| column(format!("spilled {}", spilled.unit), Kind::Number));
    Block::Sheet(Sheet { rows: rows.collect(), columns: columns.into_iter().chain(spilled_column).collect() })
}

/// What the intervals of times are: few trials have only a range.
pub(super) fn interval_title(workloads: &[WorkloadReport]) -> &'static str {
    let cells = || workloads.iter().flat_map(|w| &w.cells).filter(|c| c.wall_ns_interval.is_some());
    let enough = |c: &Cell| c.trials >= INTERVAL_TRIALS;
    match (cells().any(enough), cells().all(enough)) {
        (true, true) => "95 % interval",
        (true, false) => "95 %, n<6 range",
        (false, _) => "range",
    }
}

fn totals(totals: &[Total], baseline: &str, aside: &Aside<'_>) -> Block {
    let shown = || totals.iter().filter(|t| !aside.contains(t.contestant.as_str()));
    let scale = Scale::time(shown().filter_map(|t| t.wall_ns_penalized));
    let rows = shown().map(|t| {
        let against = |of: fn(&crate::comparison::TotalRatio) -> &Ratio| match &t.against_baseline {
            Some(r) => ratio_text(of(r)),
            None if t.contestant == baseline => "baseline".to_owned(),
            None => "-".to_owned(),
        };
        Row {
            about: None,
            tone: if t.is_not_applicable() { Tone::Faint } else { Tone::Plain },
            cells: vec![
                t.contestant.clone(),
                t.completed_text(),
                t.wall_ns_penalized.map_or_else(|| "-".to_owned(), |v| scale.show(v)),
                t.penalties_text(),
                against(|r| &r.total),
                against(|r| &r.geometric_mean),
                t.against_baseline.as_ref().map_or_else(|| "-".to_owned(), |r| r.common.to_string()),
            ],
        }
    });
    Block::Sheet(Sheet {
        rows: rows.collect(),
        columns: vec![
            column("engine", Kind::Name),
            column("completed", Kind::Words),
            column(scale.unit, Kind::Number),
            column("pen.", Kind::Number),
            column("total ratio", Kind::Words),
            column("geometric mean", Kind::Words),
            column("over", Kind::Number),
        ],
    })
}

/// COST of those that do work of the family.
pub(super) fn cost_entries(family: &FamilyReport) -> Vec<&CostEntry> {
    let nothing_to_say = not_applicable(family);
    let all = family.cost.iter().flat_map(|cost| &cost.entries);
    all.filter(|e| !nothing_to_say.contains(e.contestant.as_str())).collect()
}

fn cost(family: &FamilyReport, crowds: &[String]) -> Vec<Block> {
    let Some(CostReport { single_thread, .. }) = &family.cost else {
        return Vec::new();
    };
    let entries = cost_entries(family);
    if entries.is_empty() {
        return Vec::new();
    }
    let rows = entries.iter().map(|e| Row {
        about: None,
        tone: Tone::Plain,
        cells: vec![
            e.engine.clone(),
            e.tried.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
            match e.of - e.covered.min(e.of) {
                0 => format!("{} of {}", e.wins, e.of),
                failed => format!("{} of {}, {failed} not completed", e.wins, e.of),
            },
            e.total.as_ref().map_or_else(|| "-".to_owned(), ratio_text),
            answer(e.answer),
        ],
    });
    let title =
        format!("{} COST: cores needed to beat one thread of {}", family.family.name(), single_thread.join(" or "));
    let sheet = Sheet {
        rows: rows.collect(),
        columns: vec![
            column("engine", Kind::Name),
            column("cores tried", Kind::Number),
            column("faster on", Kind::Words),
            column("total / one thread", Kind::Words),
            column("COST", Kind::Words),
        ],
    };
    let there = (!crowds.is_empty()).then(|| format!("cores tried are those that are there: {}", crowds.join("; ")));
    [Block::Heading(3, title), Block::Sheet(sheet)].into_iter().chain(there.map(Block::Item)).collect()
}

pub(super) fn answer(answer: CostAnswer) -> String {
    let whole = |count: u32| cores(count.into());
    match answer {
        CostAnswer::AtMost { cores } => format!("at most {}", whole(cores)),
        CostAnswer::Between { above, at_most } => format!("more than {above}, at most {}", whole(at_most)),
        CostAnswer::NotShown { up_to } => format!("not shown up to {}", whole(up_to)),
        CostAnswer::Never { up_to } => format!("never: the last of {} were no help", whole(up_to)),
    }
}

fn spans(family: &FamilyReport, aside: &Aside<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let shown: Vec<&SpanBreakdown> = family.spans.iter().filter(|s| !aside.contains(s.contestant.as_str())).collect();
    let longest = shown.iter().map(|s| s.contestant.chars().count()).max().unwrap_or_default();
    let fitting = ((WIDTH - SPAN_NAME) / (longest + 2)).max(SPAN_COLUMNS);
    for (i, chunk) in shown.chunks(fitting).enumerate() {
        if i == 0 {
            blocks.push(Block::Heading(3, format!("{} slot time by kind, %", family.family.name())));
        }
        blocks.push(Block::Sheet(span_sheet(chunk)));
    }
    for s in &family.spans {
        for (workload, share) in &s.violations {
            blocks.push(Block::Item(format!(
                "harness suspect: spans of {} on {workload} account for {} % of its slots' time, not 100 within 1",
                s.contestant,
                percent(*share)
            )));
        }
    }
    blocks
}

fn span_sheet(chunk: &[&SpanBreakdown]) -> Sheet {
    let kinds = SpanKind::ALL.iter().filter(|k| chunk.iter().any(|s| s.share.contains_key(k)));
    let row = |name: &str, tone, value: &dyn Fn(&SpanBreakdown) -> String| Row {
        about: None,
        tone,
        cells: [name.to_owned()].into_iter().chain(chunk.iter().map(|s| value(s))).collect(),
    };
    let share = |kind: SpanKind| {
        move |s: &SpanBreakdown| s.share.get(&kind).map_or_else(|| "-".to_owned(), |share| percent(*share))
    };
    let mut rows: Vec<Row> = kinds.map(|kind| row(kind.name(), Tone::Plain, &share(*kind))).collect();
    rows.push(row("unknown", Tone::Plain, &|s| percent(s.unknown_share)));
    rows.push(row("slot seconds", Tone::Faint, &|s| format!("{:.3}", s.slot_ns as f64 / 1e9)));
    rows.push(row("trials", Tone::Faint, &|s| s.trials.to_string()));
    let engines = chunk.iter().map(|s| column(&s.contestant, Kind::Number));
    Sheet { columns: [column("kind", Kind::Name)].into_iter().chain(engines).collect(), rows }
}
