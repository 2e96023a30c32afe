//! A job's fragments as text for people: what each stage reads, runs and writes, and what replanning changed.

mod operator;

use crate::block_scan::BlockScanExec;
use crate::fragment::{Cut, FragmentPlan, JobPlan};
use crate::replan::{expected_rows, row_bytes};
use bench_model::{Bytes, FragmentId, Input, Read, Slice, StageStats};
use datafusion::physical_plan::ExecutionPlan;
use operator::describe;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longer lines are cut, with an ellipsis.
const WIDTH: usize = 100;

/// The job's stages in order, with estimated sizes, and what replanning changed. The same plan gives the same text.
#[must_use]
pub fn explain(job: &JobPlan, notes: &[String]) -> String {
    explain_with(job, &BTreeMap::new(), notes)
}

/// Like [`explain`], with the actual sizes of the fragments that have finished.
#[must_use]
pub fn explain_with(job: &JobPlan, stats: &BTreeMap<FragmentId, StageStats>, notes: &[String]) -> String {
    let mut text = Lines::default();
    match job.order() {
        Ok(order) => {
            for fragment in order.iter().filter_map(|id| job.fragments.get(id)) {
                explain_stage(&mut text, fragment, job, stats.get(&fragment.id));
            }
        }
        Err(error) => text.line(0, &format!("no order to run in: {error}")),
    }
    text.line(0, "replanning:");
    if notes.is_empty() {
        text.line(2, "nothing changed");
    }
    for note in notes {
        text.wrapped(2, note);
    }
    text.0
}

fn explain_stage(text: &mut Lines, fragment: &FragmentPlan, job: &JobPlan, stats: Option<&StageStats>) {
    let result = if fragment.id == job.result { ", the answer" } else { "" };
    text.line(0, &format!("stage {}: {}{result}", fragment.id, counted(fragment.tasks, "task")));
    for (number, input) in fragment.inputs.iter().enumerate() {
        text.line(2, &format!("reads {}", read_text(number, input, fragment, job)));
    }
    if !fragment.waits_for.is_empty() {
        let names: Vec<String> = fragment.waits_for.iter().map(FragmentId::to_string).collect();
        text.line(2, &format!("waits for the size of {}", names.join(", ")));
    }
    tree(text, &fragment.plan, 4);
    text.line(2, &format!("writes {}{}", cut_text(&fragment.cut), size_text(fragment, stats)));
}

fn counted(n: u32, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn read_text(number: usize, input: &Input, fragment: &FragmentPlan, job: &JobPlan) -> String {
    let from = input.from;
    let producer = job.fragments.get(&from);
    let is_read = |s: &Arc<dyn ExecutionPlan>| s.downcast_ref::<BlockScanExec>().is_some_and(|s| s.input() == number);
    if !fragment.scans().iter().any(is_read) {
        return format!("{from}: nothing any more");
    }
    match &input.read {
        Read::Aligned => format!("{from}: {}, one for each task", partitions(producer, fragment.tasks)),
        Read::All if fragment.reads_runs(number) => {
            format!("{from}: the sorted runs of {}, merged", counted(producer.map_or(0, |p| p.tasks), "task"))
        }
        Read::All => format!("{from}: whole, by every task"),
        Read::Forward => format!("{from}: its task of the same number"),
        Read::Window { radius } => format!("{from}: tasks up to {radius} away"),
        Read::Merge { fan_in } => format!("{from}: {} each", counted(*fan_in, "task")),
        Read::Slices(slices) => {
            let producers = producer.map_or(u32::MAX, |p| p.tasks);
            format!("{from}: {} as {}", partitions(producer, fragment.tasks), slices_text(slices, producers))
        }
    }
}

fn partitions(producer: Option<&FragmentPlan>, otherwise: u32) -> String {
    counted(producer.map_or(otherwise, |p| p.cut.outputs()), "partition")
}

/// What each task reads: `0-3 | 4 [tasks 0-1] | 4 [tasks 2-5] | 5-7`.
fn slices_text(slices: &[Vec<Slice>], producers: u32) -> String {
    let one = |s: &Slice| {
        let outputs = range_text(&s.outputs);
        if s.tasks.start == 0 && s.tasks.end >= producers {
            outputs
        } else {
            format!("{outputs} [tasks {}]", range_text(&s.tasks))
        }
    };
    let task = |slices: &Vec<Slice>| match slices.as_slice() {
        [] => "none".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join(", "),
    };
    slices.iter().map(task).collect::<Vec<_>>().join(" | ")
}

fn range_text(range: &std::ops::Range<u32>) -> String {
    match range.end.saturating_sub(1) {
        last if last > range.start => format!("{}-{last}", range.start),
        _ => range.start.to_string(),
    }
}

fn cut_text(cut: &Cut) -> String {
    match cut {
        Cut::Hash { keys, outputs } => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("{} by hash of {}", counted(*outputs, "partition"), keys.join(", "))
        }
        Cut::Gather => "one block, for one task".to_owned(),
        Cut::Broadcast => "one block, for every task".to_owned(),
        Cut::Collect => "the answer's rows".to_owned(),
    }
}

fn size_text(fragment: &FragmentPlan, stats: Option<&StageStats>) -> String {
    if let Some(stats) = stats {
        let blocks = stats.blocks.iter().flatten();
        let (rows, bytes) = blocks.fold((0, 0), |(r, b), m| (r + m.rows.get(), b + m.bytes.get()));
        return format!(" ({} rows, {})", grouped(rows), Bytes::new(bytes));
    }
    match expected_rows(&fragment.plan) {
        Some(rows) => {
            let bytes = rows.saturating_mul(row_bytes(&fragment.plan.schema()));
            format!(" (estimated {} rows, {})", grouped(rows), Bytes::new(bytes))
        }
        None => String::new(),
    }
}

/// Digits in threes: `1_500_000`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// One line an operator, children indented below their parent.
fn tree(text: &mut Lines, plan: &Arc<dyn ExecutionPlan>, indent: usize) {
    text.line(indent, &describe(plan));
    for child in plan.children() {
        tree(text, child, indent + 2);
    }
}

/// Text by lines, none of them too long.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, indent: usize, line: &str) {
        let room = WIDTH.saturating_sub(indent).max(WIDTH / 2);
        self.0.extend(std::iter::repeat_n(' ', indent));
        if line.chars().count() <= room {
            self.0.push_str(line);
        } else {
            self.0.extend(line.chars().take(room - 1));
            self.0.push('…');
        }
        self.0.push('\n');
    }

    /// Broken between words, with a hanging indent.
    fn wrapped(&mut self, indent: usize, paragraph: &str) {
        let mut line = String::new();
        let mut depth = indent;
        for word in paragraph.split(' ') {
            if !line.is_empty() && depth + line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(depth, &line);
                line.clear();
                depth = indent + 2;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(depth, &line);
    }
}
