//! Leaving out work that finished, empty inputs make pointless.

use super::inputs::without_unread;
use super::tree::Node;
use crate::block_scan::BlockScanExec;
use crate::error::PlanError;
use crate::fragment::{FragmentPlan, JobPlan};
use bench_model::{FragmentId, Input, Read, Rows, StageStats};
use datafusion::common::JoinType;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Leaves out the joins of one fragment that `just`, having left no row, decides.
///
/// # Errors
/// DataFusion refuses the new plan; `job` is unchanged then.
pub(super) fn replan_next(
    job: &mut JobPlan,
    stats: &BTreeMap<FragmentId, StageStats>,
    just: FragmentId,
    fixed: &BTreeSet<FragmentId>,
) -> Result<Option<String>, PlanError> {
    let is_empty =
        |id: FragmentId| stats.get(&id).is_some_and(|s| s.blocks.iter().flatten().all(|b| b.rows == Rows::ZERO));
    if !is_empty(just) {
        return Ok(None);
    }
    for id in super::readers(job, just, fixed) {
        let Some(fragment) = job.fragments.get(&id) else { continue };
        let Some(plan) = prune(&fragment.plan, &is_empty)? else { continue };
        let pruned = without_unread(&FragmentPlan { plan, ..fragment.clone() })?;
        let dropped = install(job, pruned, fixed)?;
        return Ok(Some(match dropped.as_slice() {
            [] => format!("{id}: {just} left no rows, so a join that needs them is left out"),
            _ => {
                let names: Vec<String> = dropped.iter().map(FragmentId::to_string).collect();
                format!(
                    "{id}: {just} left no rows, so a join that needs them is left out and {} will not run",
                    names.join(", ")
                )
            }
        }));
    }
    Ok(None)
}

/// Puts a fragment with fewer inputs in its place and removes fragments that nobody needs any more and that have not
/// started. Those that have started stay in the job as inputs that no scan reads. Returns what was removed.
fn install(
    job: &mut JobPlan,
    pruned: FragmentPlan,
    fixed: &BTreeSet<FragmentId>,
) -> Result<Vec<FragmentId>, PlanError> {
    let before = job.order()?;
    let id = pruned.id;
    job.fragments.insert(id, pruned);
    let mut after: BTreeSet<FragmentId> = job.order()?.into_iter().collect();
    // Consumers first: keeping one keeps everything it reads.
    for started in before.iter().rev().filter(|f| fixed.contains(f)) {
        if !after.contains(started)
            && let Some(fragment) = job.fragments.get_mut(&id)
        {
            fragment.inputs.push(Input { from: *started, read: Read::All });
            after = job.order()?.into_iter().collect();
        }
    }
    job.fragments.retain(|f, _| after.contains(f));
    Ok(before.into_iter().filter(|f| !after.contains(f)).collect())
}

/// The plan with an empty leaf in place of every join that cannot give a row because `is_empty` inputs have none; none
/// if there is no such join.
///
/// # Errors
/// DataFusion refuses the new plan.
fn prune(plan: &Node, is_empty: &impl Fn(FragmentId) -> bool) -> Result<Option<Node>, PlanError> {
    if is_join(plan) && gives_nothing(plan, is_empty) {
        let partitions = plan.output_partitioning().partition_count();
        return Ok(Some(Arc::new(EmptyExec::new(plan.schema()).with_partitions(partitions))));
    }
    let mut changed = false;
    let mut children = vec![];
    for child in plan.children() {
        let pruned = prune(child, is_empty)?;
        changed |= pruned.is_some();
        children.push(pruned.unwrap_or_else(|| Arc::clone(child)));
    }
    if !changed {
        return Ok(None);
    }
    Ok(Some(replace_children_if_necessary(Arc::clone(plan), children)?))
}

fn is_join(plan: &Node) -> bool {
    join_kind(plan).is_some()
}

fn join_kind(plan: &Node) -> Option<JoinType> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        // With NULL rules of its own a join is left alone.
        return (!join.null_aware).then(|| *join.join_type());
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        return Some(*join.join_type());
    }
    if plan.is::<CrossJoinExec>() {
        return Some(JoinType::Inner);
    }
    plan.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type)
}

/// Whether a plan gives no row in any task, given which fragments left none.
fn gives_nothing(plan: &Node, is_empty: &impl Fn(FragmentId) -> bool) -> bool {
    if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
        return is_empty(scan.from());
    }
    if plan.is::<EmptyExec>() {
        return true;
    }
    let children = plan.children();
    let nothing = |child: usize| children.get(child).is_some_and(|c| gives_nothing(c, is_empty));
    if let Some(kind) = join_kind(plan) {
        use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
        return match kind {
            Inner | LeftSemi | RightSemi => nothing(0) || nothing(1),
            Left | LeftAnti | LeftMark => nothing(0),
            Right | RightAnti | RightMark => nothing(1),
            JoinType::Full => nothing(0) && nothing(1),
        };
    }
    if plan.is::<UnionExec>() {
        return (0..children.len()).all(nothing);
    }
    passes_emptiness(plan) && nothing(0)
}

/// Operators that make no row out of none. An aggregate without groups makes one.
fn passes_emptiness(plan: &Node) -> bool {
    let grouped = |a: &AggregateExec| !a.group_expr().is_empty() && a.group_expr().is_single();
    plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<SortExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<GlobalLimitExec>()
        || plan.is::<crate::scalars::ScalarsExec>()
        || plan.downcast_ref::<AggregateExec>().is_some_and(grouped)
}
