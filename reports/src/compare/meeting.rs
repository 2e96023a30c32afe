//! Whether the trials of two cases took turns.
//!
//! Engines of one run take turns, so that whatever the machine does hits them alike. What is measured in another run may
//! differ for that reason alone: two that were in no run together are not compared, here, in claims and in recommendations.

use super::evidence::Reading;
use crate::stats::{effect, median, sorted};
use bench_record::{Observation, Outcome};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The trials of a case that count, by the folder of their run.
pub(crate) type ByRun<'a> = BTreeMap<&'a Path, Vec<&'a Observation>>;

/// How two contestants met.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meeting {
    /// In the same runs.
    Together,
    /// In the same runs, and one of them in others too: its own times in those lie so far at most from its times in the
    /// runs of both.
    Partly(f64),
    /// Some workload has no run that both were in.
    Apart {
        /// A run of the one.
        ours: PathBuf,
        /// A run of the other.
        theirs: PathBuf,
    },
}

impl Meeting {
    /// How the two sides of these pairs met: one pair per workload.
    pub(crate) fn of(pairs: &[(&ByRun<'_>, &ByRun<'_>)], reading: Reading) -> Self {
        // Which side, a run of its own, a run of both; and the workloads that are in these.
        let mut further: BTreeMap<(bool, &Path, &Path), Vec<usize>> = BTreeMap::new();
        for (at, (a, b)) in pairs.iter().enumerate().filter(|(_, (a, b))| !a.keys().eq(b.keys())) {
            let shared: Vec<&Path> = a.keys().copied().filter(|run| b.contains_key(run)).collect();
            if shared.is_empty() {
                let first = |side: &ByRun<'_>| side.keys().next().map_or_else(PathBuf::new, |run| (*run).to_owned());
                return Self::Apart { ours: first(a), theirs: first(b) };
            }
            for (is_first, side) in [(true, a), (false, b)] {
                let own = side.keys().copied().filter(|run| !shared.contains(run));
                let places = own.flat_map(|run| shared.iter().map(move |both| (is_first, run, *both)));
                places.for_each(|place| further.entry(place).or_default().push(at));
            }
        }
        let mut drift: f64 = 0.0;
        for ((is_first, run, both), needed) in &further {
            let total = |run: &Path| -> Option<f64> {
                let of = |at: &usize| {
                    let (a, b) = pairs.get(*at)?;
                    median(&sorted(values(if *is_first { a } else { b }.get(run)?, reading)?))
                };
                needed.iter().map(of).sum()
            };
            let found = total(run).zip(total(both)).map(|(own, shared)| effect(own / shared));
            match found.filter(|found| found.is_finite()) {
                Some(found) => drift = drift.max(found),
                None => return Self::Apart { ours: (*run).to_owned(), theirs: (*both).to_owned() },
            }
        }
        if further.is_empty() { Self::Together } else { Self::Partly(drift) }
    }

    /// The noise that a difference has to exceed: the larger of the floor and what lies between runs.
    pub(crate) fn noise(&self, floor: Option<f64>) -> Option<f64> {
        match self {
            Self::Partly(drift) => floor.map(|floor| floor.max(*drift)),
            Self::Together | Self::Apart { .. } => floor,
        }
    }

    /// Why it decides nothing, if so.
    pub(crate) fn gap(&self, a: &str, b: &str) -> Option<String> {
        let Self::Apart { ours, theirs } = self else { return None };
        Some(format!(
            "{a} and {b} were not measured in one run ({}; {}), so they did not take turns; measure them together",
            ours.display(),
            theirs.display()
        ))
    }
}

/// Of trials that all completed; none if one of them has no such number.
fn values(trials: &[&Observation], reading: Reading) -> Option<Vec<f64>> {
    let completed = trials.iter().all(|o| o.outcome == Outcome::Completed);
    let read = || trials.iter().map(|o| reading(o).map(|v| v as f64)).collect();
    if completed && !trials.is_empty() { read() } else { None }
}
