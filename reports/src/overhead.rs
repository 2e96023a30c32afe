//! What engines cost before they do any work: recorded samples to medians with intervals.
//!
//! A trial is one number per figure: of many samples in one process their median. Intervals are over trials, which have
//! processes of their own; samples of one process are no independent repetitions. Contaminated trials are left out where two
//! clean ones remain.

mod figure;
mod show;

pub use figure::{Figure, Unit};
pub use show::{OverheadFormat, render_overhead};

use crate::stats::{Interval, median, median_interval, sorted};
use bench_record::{Outcome, OverheadRun, OverheadSample, OverheadSubject};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the JSON form.
pub const OVERHEAD_REPORT_SCHEMA: u32 = 1;
/// So many clean trials make the contaminated ones dispensable.
const CLEAN_MIN: usize = 2;

/// What one run of `bench overhead` shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverheadReport {
    /// [`OVERHEAD_REPORT_SCHEMA`].
    pub schema: u32,
    /// The machine in words.
    pub machine: String,
    /// The build of this program, as `version (build id)`.
    pub build: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Trials asked for.
    pub trials: u32,
    /// How long an engine was left alone before its memory was read.
    pub settle_ns: u64,
    /// Who was measured, in the order recorded.
    pub engines: Vec<OverheadEngine>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverheadEngine {
    /// What it is called here: unlike any other.
    pub label: String,
    /// The engine.
    pub engine: String,
    /// `default`, or what differs from it.
    pub variant: String,
    /// Where it ran.
    pub cluster: String,
    /// Nodes.
    pub nodes: u32,
    /// Slots of each.
    pub slots: u32,
    /// Memory that it may hold; `null` for no limit.
    pub memory_bytes: Option<u64>,
    /// Its version, as the live engine told it.
    pub version: Option<String>,
    /// What was measured, in the order of [`Figure::ALL`]; nothing of what was not asked.
    pub figures: Vec<OverheadCell>,
}

/// One figure of one engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverheadCell {
    /// Which.
    pub figure: Figure,
    /// The worst outcome of its trials.
    pub outcome: Outcome,
    /// Why it did not complete.
    pub reason: Option<String>,
    /// Trials that count.
    pub trials: usize,
    /// Those of them that something else disturbed.
    pub contaminated: usize,
    /// Disturbed trials that do not count.
    pub excluded: usize,
    /// The median over trials, in the figure's unit.
    pub median: Option<f64>,
    /// Its interval: 95 % of six trials or more, of fewer their range.
    pub interval: Option<Interval>,
    /// What all of this follows from, in the order of trials.
    pub measured: Vec<OverheadTrial>,
}

/// One trial of a figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverheadTrial {
    /// Counts from 0.
    pub trial: u32,
    /// In the figure's unit; absent unless it completed.
    pub value: Option<f64>,
    /// Why it did not complete.
    pub reason: Option<String>,
    /// Whether something else disturbed it.
    pub contaminated: bool,
    /// Whether the median is of it and others.
    pub counts: bool,
}

/// Reduces what was recorded.
#[must_use]
pub fn overhead(run: &OverheadRun) -> OverheadReport {
    let context = &run.context;
    let subjects = subjects(run);
    let engine = |subject: &&OverheadSubject| engine(run, subject, &subjects);
    let mut notes = context.warnings.clone();
    if context.finished_at.is_none() {
        notes.push("not finished: some trials are missing".to_owned());
    }
    if run.torn_bytes > 0 {
        notes.push(format!("an unfinished last line of {} bytes was ignored", run.torn_bytes));
    }
    OverheadReport {
        schema: OVERHEAD_REPORT_SCHEMA,
        machine: context.machine.summary(),
        build: format!("{} ({})", context.bench.version, context.bench.build_id),
        started_at: context.started_at.to_string(),
        trials: context.trials,
        settle_ns: context.settle_ns.get(),
        engines: subjects.iter().map(engine).collect(),
        notes,
    }
}

/// Who was measured, in the order recorded.
pub(crate) fn subjects(run: &OverheadRun) -> Vec<&OverheadSubject> {
    let mut subjects: Vec<&OverheadSubject> = Vec::new();
    for sample in &run.samples {
        if !subjects.contains(&&sample.subject) {
            subjects.push(&sample.subject);
        }
    }
    subjects
}

fn engine(run: &OverheadRun, subject: &OverheadSubject, all: &[&OverheadSubject]) -> OverheadEngine {
    let own: Vec<&OverheadSample> = run.samples.iter().filter(|s| s.subject == *subject).collect();
    OverheadEngine {
        label: label(subject, all),
        engine: subject.engine.clone(),
        variant: subject.variant.clone(),
        cluster: subject.cluster.clone(),
        nodes: subject.nodes,
        slots: subject.slots,
        memory_bytes: subject.memory_bytes.map(bench_record::Bytes::get),
        version: own.iter().find_map(|s| s.version.clone()),
        figures: Figure::ALL.into_iter().filter_map(|figure| cell(figure, &own)).collect(),
    }
}

/// The engine, then whatever tells it from others of its name here.
fn label(subject: &OverheadSubject, all: &[&OverheadSubject]) -> String {
    let mut label = subject.engine.clone();
    let like = |differs: fn(&OverheadSubject, &OverheadSubject) -> bool| {
        all.iter().any(|other| other.engine == subject.engine && differs(other, subject))
    };
    if subject.nodes > 1 || like(|a, b| a.nodes == b.nodes && a.cluster != b.cluster) {
        label.push_str(&format!("/{}", subject.nodes));
    }
    if subject.variant != bench_record::Case::DEFAULT_VARIANT && like(|a, b| a.variant != b.variant) {
        label.push_str(&format!("+{}", subject.variant));
    }
    if like(|a, b| a.slots != b.slots && (a.cluster == b.cluster)) {
        label.push_str(&format!(" {} slots", subject.slots));
    }
    label
}

/// What one trial says of a figure.
pub(crate) enum Trial {
    Value { value: f64, contaminated: bool },
    Ended(Outcome, String),
}

/// The measurements of each trial that a figure follows from.
pub(crate) fn by_trial<'s>(figure: Figure, own: &[&'s OverheadSample]) -> BTreeMap<u32, Vec<&'s OverheadSample>> {
    let mut by_trial: BTreeMap<u32, Vec<&OverheadSample>> = BTreeMap::new();
    for sample in own.iter().filter(|s| figure.is_of(s.measure)) {
        by_trial.entry(sample.trial).or_default().push(sample);
    }
    by_trial
}

/// None of what was not asked of this engine.
fn cell(figure: Figure, own: &[&OverheadSample]) -> Option<OverheadCell> {
    let by_trial = by_trial(figure, own);
    let numbered: Vec<(u32, Trial)> =
        by_trial.iter().filter_map(|(number, samples)| Some((*number, trial(figure, samples)?))).collect();
    if numbered.is_empty() {
        return None;
    }
    let trials = || numbered.iter().map(|(_, trial)| trial);
    let ended = trials().filter_map(|t| match t {
        Trial::Ended(outcome, reason) => Some((*outcome, reason.clone())),
        Trial::Value { .. } => None,
    });
    // As in reports of runs: the order of outcomes puts the worst first.
    let worst = ended.min_by_key(|(outcome, _)| *outcome);
    let clean = trials().filter(|t| matches!(t, Trial::Value { contaminated: false, .. })).count();
    let counts = |contaminated: bool| !contaminated || clean < CLEAN_MIN;
    let values = trials().filter_map(|t| match t {
        Trial::Value { value, contaminated } if counts(*contaminated) => Some(*value),
        _ => None,
    });
    let disturbed = trials().filter(|t| matches!(t, Trial::Value { contaminated: true, .. })).count();
    let values = if worst.is_none() { sorted(values) } else { Vec::new() };
    let measured = |(number, trial): &(u32, Trial)| match trial {
        Trial::Value { value, contaminated } => OverheadTrial {
            trial: *number,
            value: Some(*value),
            reason: None,
            contaminated: *contaminated,
            counts: worst.is_none() && counts(*contaminated),
        },
        Trial::Ended(outcome, reason) => OverheadTrial {
            trial: *number,
            value: None,
            reason: Some(format!("{outcome}: {reason}")),
            contaminated: false,
            counts: false,
        },
    };
    let measured = numbered.iter().map(measured).collect();
    let (outcome, reason) = worst.map_or((Outcome::Completed, None), |(outcome, reason)| (outcome, Some(reason)));
    Some(OverheadCell {
        figure,
        outcome,
        reason,
        trials: if outcome == Outcome::Completed { values.len() } else { numbered.len() },
        contaminated: if counts(true) { disturbed } else { 0 },
        excluded: if counts(true) { 0 } else { disturbed },
        median: median(&values),
        interval: median_interval(&values),
        measured,
    })
}

/// What the samples of one trial come to; none of a trial that was cut short.
pub(crate) fn trial(figure: Figure, samples: &[&OverheadSample]) -> Option<Trial> {
    if let Some(bad) = samples.iter().find(|s| s.outcome != Outcome::Completed) {
        return Some(Trial::Ended(bad.outcome, bad.reason.clone().unwrap_or_default()));
    }
    let value = figure.value(samples)?;
    Some(Trial::Value { value, contaminated: samples.iter().any(|s| s.is_contaminated()) })
}

#[cfg(test)]
mod tests;
