//! Places in a physical plan, and what operators on the way to them ask of how rows are dealt to tasks.

use crate::block_scan::BlockScanExec;
use crate::fragment::FragmentPlan;
use crate::scalars::ScalarsExec;
use bench_model::Read;
use datafusion::common::{JoinType, Result, internal_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode, SortMergeJoinExec,
};
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use std::sync::Arc;

pub(super) type Node = Arc<dyn ExecutionPlan>;

/// Which child to follow at each step from the root.
pub(super) type Path = Vec<usize>;

/// The node at `path`.
pub(super) fn at<'a>(plan: &'a Node, path: &[usize]) -> Option<&'a Node> {
    path.iter().try_fold(plan, |node, &child| node.children().get(child).copied())
}

/// The plan with the node at `path` replaced.
pub(super) fn replace(plan: &Node, path: &[usize], node: Node) -> Result<Node> {
    let Some((&child, rest)) = path.split_first() else { return Ok(node) };
    let mut children: Vec<Node> = plan.children().into_iter().map(Arc::clone).collect();
    let slot =
        children.get_mut(child).ok_or_else(|| internal_datafusion_err!("no child {child} in {}", plan.name()))?;
    *slot = replace(slot, rest, node)?;
    replace_children_if_necessary(Arc::clone(plan), children)
}

/// The places of all nodes that satisfy `wanted`, parents before children.
pub(super) fn find(plan: &Node, wanted: &impl Fn(&Node) -> bool) -> Vec<Path> {
    let mut found = if wanted(plan) { vec![vec![]] } else { vec![] };
    for (i, child) in plan.children().into_iter().enumerate() {
        found.extend(find(child, wanted).into_iter().map(|path| std::iter::once(i).chain(path).collect()));
    }
    found
}

/// The plan's leaves, left to right.
pub(super) fn leaves(plan: &Node) -> Vec<&Node> {
    let children = plan.children();
    if children.is_empty() { vec![plan] } else { children.into_iter().flat_map(leaves).collect() }
}

/// Whether a node turns each row of each task into at most one row of the same task, whatever the other rows are.
fn is_row_wise(node: &Node) -> bool {
    let sorts_within_tasks = |sort: &SortExec| sort.preserve_partitioning();
    node.fetch().is_none()
        && (node.is::<FilterExec>()
            || node.is::<ProjectionExec>()
            || node.is::<CooperativeExec>()
            || node.downcast_ref::<SortExec>().is_some_and(sorts_within_tasks))
}

/// The block scan that `plan` maps row by row, and the way to it.
pub(super) fn scan_below(plan: &Node) -> Option<(Path, &BlockScanExec)> {
    if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
        return Some((vec![], scan));
    }
    let child = is_row_wise(plan).then(|| plan.children().first().copied()).flatten()?;
    let (path, scan) = scan_below(child)?;
    Some((std::iter::once(0).chain(path).collect(), scan))
}

/// Whether a join gives out rows because of probe-side rows only, so that every task may hold the whole build side.
pub(super) fn emits_by_probe(kind: JoinType) -> bool {
    matches!(kind, JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark)
}

/// Whether every operator above `path` is right for any way of dealing the rows of that place to tasks.
pub(super) fn free_above(plan: &Node, path: &[usize]) -> bool {
    let Some((&child, rest)) = path.split_first() else { return true };
    is_indifferent(plan, child) && plan.children().get(child).is_some_and(|node| free_above(node, rest))
}

/// Whether `node` gives the same rows in total however the rows of its child number `child` are dealt to tasks.
fn is_indifferent(node: &Node, child: usize) -> bool {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let shared = *join.partition_mode() == PartitionMode::CollectLeft && !join.null_aware;
        return child == 1 && shared && emits_by_probe(*join.join_type());
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        return child == 1 && emits_by_probe(*join.join_type());
    }
    if node.is::<CrossJoinExec>() {
        return child == 1;
    }
    let partial = |a: &AggregateExec| matches!(a.mode(), AggregateMode::Partial | AggregateMode::PartialReduce);
    let within_tasks = |s: &SortExec| s.preserve_partitioning();
    child == 0
        && (is_row_wise(node)
            || node.is::<ScalarsExec>()
            || node.is::<LocalLimitExec>()
            || node.downcast_ref::<SortExec>().is_some_and(within_tasks)
            || node.downcast_ref::<AggregateExec>().is_some_and(partial))
}

/// A join of two shuffled inputs with nothing but row-wise operators between.
#[derive(Clone, Debug)]
pub(super) struct JoinSite {
    /// Where the join is.
    pub(super) path: Path,
    pub(super) kind: JoinType,
    /// The fragment's inputs that feed the left and the right side.
    pub(super) inputs: [usize; 2],
    /// The way from each side's top to its scan.
    pub(super) scans: [Path; 2],
}

/// The fragment's joins of two shuffled inputs, each of which nothing else reads.
pub(super) fn join_sites(fragment: &FragmentPlan) -> Vec<JoinSite> {
    let joins = find(&fragment.plan, &|node| shuffled_join_kind(node).is_some());
    joins.into_iter().filter_map(|path| join_site(fragment, path)).collect()
}

fn join_site(fragment: &FragmentPlan, path: Path) -> Option<JoinSite> {
    let join = at(&fragment.plan, &path)?;
    let kind = shuffled_join_kind(join)?;
    let children = join.children();
    let (left_scan, left) = aligned_below(fragment, children.first()?)?;
    let (right_scan, right) = aligned_below(fragment, children.get(1)?)?;
    Some(JoinSite { path, kind, inputs: [left, right], scans: [left_scan, right_scan] })
}

fn aligned_below(fragment: &FragmentPlan, side: &Node) -> Option<(Path, usize)> {
    let (path, scan) = scan_below(side)?;
    let input = scan.input();
    let aligned = fragment.inputs.get(input).is_some_and(|i| i.read == Read::Aligned);
    let scans = fragment.scans();
    let readers = scans.iter().filter(|s| s.downcast_ref::<BlockScanExec>().is_some_and(|s| s.input() == input));
    (aligned && !scan.merges_runs() && readers.count() == 1).then_some((path, input))
}

/// The kind of a join that expects equal keys of both sides in the same task; none for anything else.
fn shuffled_join_kind(node: &Node) -> Option<JoinType> {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let shuffled = *join.partition_mode() == PartitionMode::Partitioned && !join.null_aware;
        return shuffled.then_some(*join.join_type());
    }
    node.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type)
}
