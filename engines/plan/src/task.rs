//! A fragment's plan becomes one task's own plan: every node in one partition, every node a fresh instance.
//!
//! Fresh, because DataFusion's operators keep state in the plan (build sides, dynamic filters, shared file queues), and a
//! second attempt at a task must not meet the first one's state.

use crate::block_scan::BlockScanExec;
use crate::stop::{StoppableExec, brings_rows};
use crate::store::StoredPlan;
use crate::task_scan::{OnePartitionExec, TaskBlocksExec};
use bench_model::{Batches, TaskFailure};
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder};
use datafusion::error::DataFusionError;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_optimizer::pushdown_sort::PushdownSort;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{ReplaceChildrenOptions, reset_plan_states};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The plan that task `partition` of a fragment runs: `execute(0)` gives all its rows.
///
/// `read` opens one of the kernel's inputs; it is called once for each input that the task reads. Once `stop` is true the
/// plan gives no further batch but [`stopped`](crate::stopped).
///
/// # Errors
/// An input that cannot be opened (a [`TaskFailure`] inside [`DataFusionError::External`]), or a plan that does not fit.
pub fn specialize(
    stored: &StoredPlan,
    partition: u32,
    stop: &Arc<AtomicBool>,
    read: &mut dyn FnMut(usize) -> Result<Batches, TaskFailure>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut task = Task { stored, stop, read };
    let plan = task.restrict(&stored.fragment.plan, partition as usize)?;
    if scans_files(&plan)? {
        // Sorts say which row groups their scans had best read first; filters that joins and top-k sorts fill while
        // running reach the task's own scans, and nothing else.
        let plan = PushdownSort::new().optimize(plan, stored.config.options())?;
        return FilterPushdown::new_post_optimization().optimize(plan, stored.config.options());
    }
    Ok(plan)
}

struct Task<'a> {
    stored: &'a StoredPlan,
    stop: &'a Arc<AtomicBool>,
    read: &'a mut dyn FnMut(usize) -> Result<Batches, TaskFailure>,
}

impl Task<'_> {
    fn restrict(&mut self, plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
            return self.blocks(scan);
        }
        if plan.is::<RecursiveQueryExec>() {
            return reset_plan_states(Arc::clone(plan));
        }
        let children = plan.children();
        if children.is_empty() {
            return Ok(self.stoppable(leaf(plan, partition)?));
        }
        let mut restricted = Vec::with_capacity(children.len());
        for (child, partition) in children.into_iter().zip(child_partitions(plan, partition)) {
            if let Some(partition) = partition {
                restricted.push(self.restrict(child, partition)?);
            }
        }
        if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
            return concatenated(restricted);
        }
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        let restricted = Arc::clone(plan).replace_children(restricted, recompute)?.reset_state()?;
        Ok(if brings_rows(&restricted) { self.stoppable(restricted) } else { restricted })
    }

    fn stoppable(&self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(StoppableExec::new(plan, self.stop))
    }

    fn blocks(&mut self, scan: &BlockScanExec) -> Result<Arc<dyn ExecutionPlan>> {
        let range = self.stored.inputs.get(scan.input()).cloned().unwrap_or_default();
        let mut runs: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(range.len());
        for input in range {
            let batches = (self.read)(input).map_err(|e| DataFusionError::External(Box::new(e)))?;
            let blocks = TaskBlocksExec::new(scan.schema(), scan.run_order().cloned(), batches);
            runs.push(self.stoppable(Arc::new(blocks)));
        }
        match scan.run_order() {
            Some(order) if runs.len() > 1 => {
                let runs = UnionExec::try_new(runs)?;
                Ok(Arc::new(SortPreservingMergeExec::new(order.clone(), runs)))
            }
            _ => concatenated(runs),
        }
    }
}

/// The same rows one plan after the other, in one partition.
fn concatenated(mut plans: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match plans.pop() {
        Some(only) if plans.is_empty() => Ok(only),
        Some(last) => {
            plans.push(last);
            Ok(Arc::new(CoalescePartitionsExec::new(UnionExec::try_new(plans)?)))
        }
        None => Err(DataFusionError::Internal("a task reads nothing where its plan needs rows".to_owned())),
    }
}

/// A leaf that gives one of its partitions.
fn leaf(plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>()
        && let Some(files) = source.data_source().downcast_ref::<FileScanConfig>()
        && let Some(group) = files.file_groups.get(partition)
    {
        let config = FileScanConfigBuilder::from(files.clone())
            .with_file_groups(vec![group.clone()])
            .with_output_partitioning(None)
            .build();
        return Ok(DataSourceExec::from_data_source(config));
    }
    let fresh = Arc::clone(plan).reset_state()?;
    if fresh.output_partitioning().partition_count() == 1 {
        return Ok(fresh);
    }
    Ok(Arc::new(OnePartitionExec::new(fresh, partition)))
}

/// Which partition of each child takes part when `plan` computes `partition`.
fn child_partitions(plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Vec<Option<usize>> {
    let children = plan.children();
    if plan.is::<UnionExec>() {
        let mut before = 0;
        let place = |child: &Arc<dyn ExecutionPlan>| {
            let first = before;
            before += child.output_partitioning().partition_count();
            (first..before).contains(&partition).then(|| partition - first)
        };
        return children.into_iter().map(place).collect();
    }
    let shares_build = plan.is::<CrossJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.downcast_ref::<HashJoinExec>().is_some_and(|j| *j.partition_mode() == PartitionMode::CollectLeft);
    let place = |(i, child): (usize, &Arc<dyn ExecutionPlan>)| {
        let single = child.output_partitioning().partition_count() == 1 || (shares_build && i == 0);
        Some(if single { 0 } else { partition })
    };
    children.into_iter().enumerate().map(place).collect()
}

/// Visits the leaves that take part when `plan` computes `partition`, with the partition of each.
pub(crate) fn leaf_partitions(
    plan: &Arc<dyn ExecutionPlan>,
    partition: usize,
    visit: &mut dyn FnMut(&Arc<dyn ExecutionPlan>, usize),
) {
    let children = plan.children();
    if children.is_empty() {
        visit(plan, partition);
        return;
    }
    for (child, partition) in children.into_iter().zip(child_partitions(plan, partition)) {
        if let Some(partition) = partition {
            leaf_partitions(child, partition, visit);
        }
    }
}

/// Whether a task of this plan may run a branch of it only.
pub(crate) fn has_union(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<UnionExec>() || plan.children().into_iter().any(has_union)
}

fn scans_files(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found = node.is::<DataSourceExec>();
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
