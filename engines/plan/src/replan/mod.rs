//! What changes in a job's plan once sizes are known: before the first task from table statistics, and whenever a
//! fragment has finished from what it left.
//!
//! | module | idea |
//! |---|---|
//! | `settings` | which mechanisms are on, and from which sizes they act |
//! | `prepare` | decisions before the first task |
//! | `sides` | joins of two shuffled inputs, each side as a possible build side |
//! | `broadcast` | a small build side is read whole by every task, and the probe side is not shuffled |
//! | `reduce` | a small build side's keys filter the probe side before it is shuffled |
//! | `empty` | joins that finished, empty inputs decide are left out |
//! | `retask` | new tasks for a fragment whose shuffled inputs have finished |
//! | `coalesce` | small partitions merge |
//! | `skew` | large partitions split |
//! | `sort_merge` | joins that do not fit memory sort instead of hashing |
//! | `layout` | merged and split partitions as tasks, each row combination exactly once |
//! | `estimate` | how large a fragment's rows will be |
//! | `inputs` | a fragment's inputs and the scans that number them |
//! | `tree` | places in a plan, and what the operators above them rely on |
//!
//! Invariant: a change never alters the job's rows, never touches a fragment that has started, and leaves a graph that
//! validates; a change that would not is dropped whole.

mod broadcast;
mod coalesce;
mod empty;
mod estimate;
mod inputs;
mod layout;
mod prepare;
mod reduce;
mod retask;
mod settings;
mod sides;
mod skew;
mod sort_merge;
mod tree;

pub(crate) use estimate::{expected_rows, row_bytes};
pub use prepare::prepare;
pub use settings::{AdaptiveSettings, JoinChoice};

use crate::error::PlanError;
use crate::fragment::JobPlan;
use bench_model::{FragmentId, StageStats};
use std::collections::{BTreeMap, BTreeSet};

/// Looks at what fragment `just` left and changes fragments that are not `fixed`. Returns what changed, a sentence
/// each: none exactly if nothing did. A changed plan has its `revision` raised by one.
///
/// `stats` holds every finished fragment, `just` included; `fixed` every fragment that has started.
pub fn replan(
    job: &mut JobPlan,
    stats: &BTreeMap<FragmentId, StageStats>,
    just: FragmentId,
    fixed: &BTreeSet<FragmentId>,
    settings: &AdaptiveSettings,
) -> Vec<String> {
    if !settings.adaptive {
        return vec![];
    }
    let before = job.clone();
    let mut notes = vec![];
    if settings.prune_empty {
        while let Some(note) = attempt(job, |job| empty::replan_next(job, stats, just, fixed)) {
            notes.push(note);
        }
    }
    if settings.broadcast {
        while let Some(note) = attempt(job, |job| broadcast::replan_next(job, stats, just, fixed, settings)) {
            notes.push(note);
        }
    }
    if settings.semijoin_reduction {
        while let Some(note) = attempt(job, |job| reduce::replan_next(job, stats, just, fixed, settings)) {
            notes.push(note);
        }
    }
    for id in readers(job, just, fixed) {
        notes.extend(attempt(job, |job| Ok(notes_of(retask::retask(job, id, stats, settings)?))).unwrap_or_default());
    }
    if !notes.is_empty() {
        job.revised(&before);
    }
    notes
}

/// The fragments that read `just` and have not started.
fn readers(job: &JobPlan, just: FragmentId, fixed: &BTreeSet<FragmentId>) -> Vec<FragmentId> {
    let reads = |f: &&crate::FragmentPlan| f.inputs.iter().any(|i| i.from == just) && !fixed.contains(&f.id);
    job.fragments.values().filter(reads).map(|f| f.id).collect()
}

/// Carries a change out on a copy, and takes the copy only if its graph is whole.
fn attempt<T>(job: &mut JobPlan, change: impl FnOnce(&mut JobPlan) -> Result<Option<T>, PlanError>) -> Option<T> {
    let mut changed = job.clone();
    let done = change(&mut changed).and_then(|done| {
        changed.graph()?;
        Ok(done)
    });
    match done {
        Ok(done) => {
            if done.is_some() {
                *job = changed;
            }
            done
        }
        Err(error) => {
            tracing::error!(job = %job.job, %error, "a change of the plan was dropped");
            None
        }
    }
}

fn notes_of(notes: Vec<String>) -> Option<Vec<String>> {
    (!notes.is_empty()).then_some(notes)
}
