//! Dropping rows of a probe side that no row of a small, finished build side can match, before they are shuffled.
//!
//! Where a join must stay shuffled, because something else in its fragment relies on how its rows are dealt to tasks,
//! the build side's keys can still be read by the probe side's tasks. The probe fragment gets a semi join on top; the
//! join itself stays as it is and finds fewer rows.

use super::broadcast::Size;
use super::estimate::{distinct_values, expected_bytes, expected_rows};
use super::settings::AdaptiveSettings;
use super::sides::{Sides, sides};
use super::tree::{Node, at, replace, scan_below};
use crate::block_scan::BlockScanExec;
use crate::error::PlanError;
use crate::fragment::{Cut, FragmentPlan, JobPlan};
use bench_model::{Bytes, FragmentId, Input, Read, StageStats};
use datafusion::common::{JoinType, NullEquality, internal_datafusion_err};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::joins::{
    HashJoinExec, HashJoinExecBuilder, JoinOnRef, PartitionMode, SortMergeJoinExec,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Of the probe side's rows, at most this share may match for a filter to be worth its cost.
const SHARE_MAX: f64 = 0.25;

/// Every probe side that may be filtered, by join; both ways round where both are possible.
pub(super) fn reductions(job: &JobPlan, fixed: &BTreeSet<FragmentId>) -> Vec<Sides> {
    sides(job, fixed).into_iter().filter(|s| drops_unmatched(s.kind) && is_free(job, s)).collect()
}

/// Whether a join with its build side on the left gives out nothing for a probe row without a match.
fn drops_unmatched(kind: JoinType) -> bool {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, RightSemi};
    matches!(kind, Inner | LeftSemi | RightSemi | Left | LeftAnti | LeftMark)
}

/// Whether the join's probe keys are expressions over the very columns that the probe fragment writes, and the probe
/// fragment does not read the build side already.
fn is_free(job: &JobPlan, sides: &Sides) -> bool {
    let (Some(fragment), Some(probe)) = (job.fragments.get(&sides.fragment), job.fragments.get(&sides.probe)) else {
        return false;
    };
    let probe_side =
        at(&fragment.plan, &sides.join).and_then(|join| join.children().get(usize::from(!sides.swapped)).copied());
    let plain = probe_side.and_then(|side| Some(scan_below(side)?.1.schema() == side.schema())).unwrap_or(false);
    plain && matches!(probe.cut, Cut::Hash { .. }) && probe.inputs.iter().all(|i| i.from != sides.build)
}

/// Whether a build side of `rows` rows matches so few rows of the probe side that filtering pays for itself.
pub(super) fn pays(job: &JobPlan, reduction: &Sides, rows: u64) -> bool {
    let share = || {
        let probe = job.fragments.get(&reduction.probe)?;
        let probe_rows = expected_rows(&probe.plan)?;
        // Every task of the probe side hashes the keys again.
        let hashed = rows.saturating_mul(u64::from(probe.tasks));
        let keys = keys(at(&job.fragments.get(&reduction.fragment)?.plan, &reduction.join)?)?;
        let probe_keys = keys.on.iter().map(|(l, r)| if reduction.swapped { l } else { r });
        let distinct = probe_keys.filter_map(|key| distinct_values(&probe.plan, key)).max()?;
        (hashed <= probe_rows / 2).then(|| rows as f64 / distinct.min(probe_rows).max(1) as f64)
    };
    share().is_some_and(|share| share <= SHARE_MAX)
}

struct Keys<'a> {
    on: JoinOnRef<'a>,
    nulls: NullEquality,
}

fn keys(join: &Node) -> Option<Keys<'_>> {
    if let Some(join) = join.downcast_ref::<HashJoinExec>() {
        return Some(Keys { on: join.on(), nulls: join.null_equality() });
    }
    let join = join.downcast_ref::<SortMergeJoinExec>()?;
    Some(Keys { on: join.on(), nulls: join.null_equality() })
}

/// Filters the first probe side for which the finished fragment `just` is a selective build side.
///
/// # Errors
/// DataFusion refuses the new plan; `job` is unchanged then.
pub(super) fn replan_next(
    job: &mut JobPlan,
    stats: &BTreeMap<FragmentId, StageStats>,
    just: FragmentId,
    fixed: &BTreeSet<FragmentId>,
    settings: &AdaptiveSettings,
) -> Result<Option<String>, PlanError> {
    let Some(size) = stats.get(&just).map(Size::measured) else { return Ok(None) };
    let rows = size.rows();
    let fits = job.fragments.get(&just).is_some_and(|build| size.fits_a_task(&build.plan.schema(), settings));
    if size.bytes() > settings.broadcast_bytes || !fits {
        return Ok(None);
    }
    let found = reductions(job, fixed).into_iter().find(|r| r.build == just && pays(job, r, rows));
    let Some(reduction) = found else { return Ok(None) };
    let missing = PlanError::MissingFragment;
    let fragment = job.fragments.get(&reduction.fragment).ok_or(missing(reduction.fragment))?;
    let probe = job.fragments.get(&reduction.probe).ok_or(missing(reduction.probe))?;
    let size = expected_bytes(probe).map_or(String::new(), |b| format!(" (about {})", Bytes::new(b)));
    let filtered = filtered(fragment, probe, &reduction)?;
    job.fragments.insert(filtered.id, filtered);
    Ok(Some(format!(
        "{}: rows{size} are filtered by the {rows} keys of {just} before they are shuffled to {}",
        reduction.probe, reduction.fragment,
    )))
}

/// The probe fragment with a semi join against the build side's keys on top.
fn filtered(fragment: &FragmentPlan, probe: &FragmentPlan, reduction: &Sides) -> Result<FragmentPlan, PlanError> {
    let gone = || internal_datafusion_err!("the join of {} is gone", fragment.id);
    let join = at(&fragment.plan, &reduction.join).ok_or_else(gone)?;
    let side = join.children().get(usize::from(reduction.swapped)).copied().ok_or_else(gone)?;
    let scan = at(side, &reduction.build_scan).and_then(|n| n.downcast_ref::<BlockScanExec>()).ok_or_else(gone)?;
    let keys = keys(join).ok_or_else(gone)?;

    let whole = scan.clone().with_input(probe.inputs.len()).with_partitioning(Partitioning::UnknownPartitioning(1));
    let build = replace(side, &reduction.build_scan, Arc::new(whole))?;
    let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = vec![];
    let mut on: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)> = vec![];
    for (left, right) in keys.on {
        let (of_build, of_probe) = if reduction.swapped { (right, left) } else { (left, right) };
        let name = format!("key{}", columns.len());
        on.push((Arc::new(Column::new(&name, columns.len())), Arc::clone(of_probe)));
        columns.push((Arc::clone(of_build), name));
    }
    let build = Arc::new(ProjectionExec::try_new(columns, build)?);
    let plan = HashJoinExecBuilder::new(build, Arc::clone(&probe.plan), on, JoinType::RightSemi)
        .with_partition_mode(PartitionMode::CollectLeft)
        .with_null_equality(keys.nulls)
        .build_exec()?;
    let from = scan.from();
    let inputs = probe.inputs.iter().cloned().chain([Input { from, read: Read::All }]).collect();
    let waits_for = probe.waits_for.iter().copied().filter(|w| *w != from).collect();
    Ok(FragmentPlan { plan, inputs, waits_for, ..probe.clone() })
}
