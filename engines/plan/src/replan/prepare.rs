//! What can be decided before the first task: from exact table statistics, and by which fragments should wait for
//! which.

use super::broadcast::{self, Size};
use super::estimate::{expected_bytes, expected_rows, hash_table_bytes, rows_at_most};
use super::reduce;
use super::settings::{AdaptiveSettings, JoinChoice};
use super::sides::{Sides, depends};
use super::sort_merge;
use super::{attempt, notes_of};
use crate::error::PlanError;
use crate::fragment::JobPlan;
use bench_model::FragmentId;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::joins::HashJoinExec;
use std::collections::BTreeSet;

/// Changes a job that was just cut, and says what changed.
///
/// - A join whose build side cannot be larger than the limit becomes a broadcast join where that is legal. Without
///   adaptive replanning, which would measure the rest, DataFusion's estimate decides.
/// - A probe side waits for a build side that may turn out small enough.
/// - Hash joins become sort-merge joins if asked for, or if their build side is estimated not to fit a task's memory
///   and nobody will measure it.
pub fn prepare(job: &mut JobPlan, settings: &AdaptiveSettings) -> Vec<String> {
    let mut notes = vec![];
    if settings.broadcast {
        while let Some(note) = attempt(job, |job| broadcast_next(job, settings)) {
            notes.push(note);
        }
    }
    notes.extend(attempt(job, |job| Ok(notes_of(sort_merge_joins(job, settings)?))).unwrap_or_default());
    if settings.adaptive && settings.wait_for_sizes {
        add_waits(job, settings);
    }
    notes
}

/// Turns the first join that allows it into a broadcast join.
fn broadcast_next(job: &mut JobPlan, settings: &AdaptiveSettings) -> Result<Option<String>, PlanError> {
    let mut small: Vec<(Size, Sides)> = broadcast::candidates(job, &BTreeSet::new(), settings.slots)
        .into_iter()
        .filter_map(|c| Some((build_size(job, &c, settings)?, c)))
        .filter(|(size, c)| broadcast::pays(job, c, size, settings))
        .collect();
    small.sort_by_key(|(size, c)| (c.fragment, size.bytes()));
    let Some((size, candidate)) = small.into_iter().next() else { return Ok(None) };
    broadcast::apply(job, &candidate, &size, settings).map(Some)
}

fn build_size(job: &JobPlan, candidate: &Sides, settings: &AdaptiveSettings) -> Option<Size> {
    let build = job.fragments.get(&candidate.build)?;
    let schema = build.plan.schema();
    let at_most = rows_at_most(job, build).map(|rows| Size::at_most(rows, &schema));
    let about = (!settings.adaptive).then(|| expected_rows(&build.plan)).flatten();
    let about = about.map(|rows| Size::about(rows, &schema));
    at_most.into_iter().chain(about).min_by_key(Size::bytes)
}

/// A build side estimated beyond this many times the limit is not worth waiting for.
const WAIT_FACTOR: u64 = 4;

/// Lets probe sides wait for build sides that may turn out small.
fn add_waits(job: &mut JobPlan, settings: &AdaptiveSettings) {
    let limit = settings.broadcast_bytes.get().saturating_mul(WAIT_FACTOR);
    let none = BTreeSet::new();
    let expected = |id: FragmentId| job.fragments.get(&id).and_then(expected_bytes);
    let mut sides = vec![];
    if settings.broadcast {
        sides.extend(broadcast::candidates(job, &none, settings.slots));
    }
    if settings.semijoin_reduction {
        sides.extend(reduce::reductions(job, &none).into_iter().filter(|s| may_pay(job, s)));
    }
    let sides = sides.into_iter().map(|s| (s.fragment, s.build, s.probe));
    // Where either side could be the build side, the larger one waits.
    let mut waits: Vec<_> = sides.map(|w| (w.0, expected(w.1).unwrap_or(0), w)).collect();
    waits.retain(|(_, bytes, _)| *bytes <= limit);
    waits.sort();
    for (_, _, (_, build, probe)) in waits {
        if depends(job, build, probe) {
            continue;
        }
        if let Some(probe) = job.fragments.get_mut(&probe)
            && !probe.waits_for.contains(&build)
        {
            probe.waits_for.push(build);
        }
    }
}

/// Whether a filter would pay if the build side had some fewer rows than estimated.
fn may_pay(job: &JobPlan, reduction: &Sides) -> bool {
    let rows = job.fragments.get(&reduction.build).and_then(|f| expected_rows(&f.plan));
    reduce::pays(job, reduction, rows.unwrap_or(0) / WAIT_FACTOR)
}

fn sort_merge_joins(job: &mut JobPlan, settings: &AdaptiveSettings) -> Result<Vec<String>, PlanError> {
    let mut notes = vec![];
    let ids: Vec<FragmentId> = job.fragments.keys().copied().collect();
    for id in ids {
        let Some(fragment) = job.fragments.get_mut(&id) else { continue };
        let (why, (plan, count)) = match settings.join {
            JoinChoice::SortMerge => {
                ("as `join=sort-merge` asks for".to_owned(), sort_merge::convert(&fragment.plan, &|_| true)?)
            }
            JoinChoice::Auto if !settings.adaptive => {
                let share = settings.join_share();
                let too_large = |join: &HashJoinExec| estimated_task_bytes(join).is_some_and(|b| b > share.get());
                let why = format!("because its build side is estimated larger than the {share} that a task has for it");
                (why, sort_merge::convert(&fragment.plan, &too_large)?)
            }
            JoinChoice::Auto | JoinChoice::Hash => continue,
        };
        if count > 0 {
            fragment.plan = plan;
            notes.push(format!("{id}: hash join became a sort-merge join, {why}"));
        }
    }
    Ok(notes)
}

/// What one task's build side of a join is estimated to take in memory.
fn estimated_task_bytes(join: &HashJoinExec) -> Option<u64> {
    let rows = expected_rows(join.left())?;
    let tasks = join.left().output_partitioning().partition_count().max(1) as u64;
    Some(hash_table_bytes(rows.div_ceil(tasks), 0, &join.left().schema()))
}
