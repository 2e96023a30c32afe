//! The times of one case, run after run, and the runs that have none.

use super::divisive::{ChangePoint, Sensitivity, change_points};
use super::entry::{Entry, EntryCase};
use bench_record::{Case, CaseKey, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the JSON form.
pub const HISTORY_SCHEMA: u32 = 1;

/// The series of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// [`HISTORY_SCHEMA`].
    pub schema: u32,
    /// One per machine, case and program, in this order.
    pub series: Vec<Series>,
    /// Whether changes were looked for.
    pub searched: bool,
}

/// The times of one case on one machine, and what became of the runs without a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The machine's key.
    pub machine: String,
    /// The case's key.
    pub key: CaseKey,
    /// Which case.
    pub case: Case,
    /// What identifies its program, where that is known.
    pub workload_checksum: Option<String>,
    /// By the time at which runs began; runs that did not complete the case have none, and neither have those of which only disturbed
    /// times are known: one busy night is no change.
    pub points: Vec<Point>,
    /// How many runs had the case, whatever became of it.
    pub runs: usize,
    /// How many of them completed it, disturbed ones included; all others are in `failed`.
    pub completed: usize,
    /// Runs that did not complete it, by the time at which they began.
    pub failed: Vec<FailedRun>,
    /// How many of the last runs, without a completed one between them, did not complete it.
    pub failing: usize,
    /// How many runs were left out because something else used the machine.
    pub disturbed: usize,
    /// At which of them it changed.
    pub changes: Vec<Change>,
}

/// One run's time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When the run began, RFC 3339.
    pub started_at: String,
    /// Its build.
    pub build_id: String,
    /// What was noted beside it.
    pub label: Option<String>,
    /// How many trials.
    pub trials: usize,
    /// Their median.
    pub wall_ns_median: f64,
}

/// A run that did not complete a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedRun {
    /// When the run began, RFC 3339.
    pub started_at: String,
    /// Its build.
    pub build_id: String,
    /// What was noted beside it.
    pub label: Option<String>,
    /// The worst outcome of its trials.
    pub outcome: Outcome,
}

/// A change of a series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The first point after it.
    pub at: usize,
    /// The mean since the change before.
    pub wall_ns_before: f64,
    /// The mean up to the next change.
    pub wall_ns_after: f64,
    /// The second over the first, less 1.
    pub share: f64,
    /// The probability of such a change by chance alone.
    pub p: f64,
}

impl Change {
    fn new(found: ChangePoint) -> Self {
        let ChangePoint { at, p, before, after } = found;
        Self { at, wall_ns_before: before, wall_ns_after: after, share: after / before - 1.0, p }
    }
}

/// Turns a store's entries into series, with changes if a sensitivity is given. `wanted` picks machines and cases.
#[must_use]
pub fn history(entries: &[Entry], wanted: &dyn Fn(&str, &Case) -> bool, search: Option<&Sensitivity>) -> History {
    type Id<'a> = (&'a str, &'a Case, Option<&'a str>);
    let mut ordered: Vec<&Entry> = entries.iter().collect();
    ordered.sort_by_key(|entry| entry.started_at);
    let mut series: BTreeMap<Id<'_>, Gathered> = BTreeMap::new();
    for entry in ordered {
        for case in entry.cases.iter().filter(|c| wanted(&entry.machine, &c.case)) {
            let id = (entry.machine.as_str(), &case.case, case.workload_checksum.as_deref());
            series.entry(id).or_default().take(entry, case);
        }
    }
    let made = series.into_iter().map(|((machine, case, checksum), gathered)| {
        let Gathered { points, runs, failed, failing, disturbed } = gathered;
        let times: Vec<f64> = points.iter().map(|p| p.wall_ns_median).collect();
        let changes = search.map(|s| change_points(&times, s)).unwrap_or_default();
        Series {
            machine: machine.to_owned(),
            key: case.key(),
            case: case.clone(),
            workload_checksum: checksum.map(str::to_owned),
            points,
            runs,
            completed: runs - failed.len(),
            failed,
            failing,
            disturbed,
            changes: changes.into_iter().map(Change::new).collect(),
        }
    });
    History { schema: HISTORY_SCHEMA, series: made.collect(), searched: search.is_some() }
}

/// What a series has so far.
#[derive(Default)]
struct Gathered {
    points: Vec<Point>,
    runs: usize,
    failed: Vec<FailedRun>,
    failing: usize,
    disturbed: usize,
}

impl Gathered {
    /// Takes the next run in.
    fn take(&mut self, entry: &Entry, case: &EntryCase) {
        let started_at = entry.started_at.to_string();
        let (build_id, label) = (entry.bench.build_id.clone(), entry.label.clone());
        self.runs += 1;
        if case.outcome != Outcome::Completed {
            self.failing += 1;
            self.failed.push(FailedRun { started_at, build_id, label, outcome: case.outcome });
            return;
        }
        self.failing = 0;
        match case.wall_ns_median {
            Some(_) if case.contaminated => self.disturbed += 1,
            Some(wall_ns_median) => {
                self.points.push(Point { started_at, build_id, label, trials: case.trials, wall_ns_median });
            }
            None => {}
        }
    }
}
