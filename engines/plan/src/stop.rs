//! A cancelled task stops at its next batch, wherever in the plan that is.
//!
//! A task that aggregates gives no row before it has read all of them, so looking at the flag when the plan gives rows is
//! too late. It is looked at where rows come into the plan and where they multiply.

use crate::leaf::no_expressions;
use bench_model::TaskFailure;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    SendableRecordBatchStream, SortOrderPushdownResult, StatisticsArgs,
};
use futures::StreamExt;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The error with which a task that was told to stop ends.
#[must_use]
pub fn stopped() -> DataFusionError {
    DataFusionError::External(Box::new(TaskFailure::Cancelled))
}

/// Whether an operator may give many batches for one that it reads, or reads none.
pub(crate) fn brings_rows(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.children().is_empty()
        || plan.is::<HashJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<CrossJoinExec>()
        || plan.is::<SortMergeJoinExec>()
}

/// Passes another operator's batches on until the task is told to stop.
#[derive(Debug)]
pub(crate) struct StoppableExec {
    input: Arc<dyn ExecutionPlan>,
    stop: Arc<AtomicBool>,
}

impl StoppableExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, stop: &Arc<AtomicBool>) -> Self {
        Self { input, stop: Arc::clone(stop) }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self::new(input, &self.stop))
    }
}

impl DisplayAs for StoppableExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoppableExec")
    }
}

impl ExecutionPlan for StoppableExec {
    fn name(&self) -> &'static str {
        "StoppableExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) if children.is_empty() => Ok(self.over(input)),
            _ => internal_err!("a stoppable operator has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let stop = Arc::clone(&self.stop);
        let rows = self.input.execute(partition, context)?;
        let rows = rows.map(move |batch| if stop.load(Ordering::Relaxed) { Err(stopped()) } else { batch });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(inputs.first().map_or_else(|| Arc::new(Statistics::new_unknown(&self.schema())), Arc::clone))
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    // What the task's own rules push down passes through to the input, or a scan would lose its filters and its order.

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }

    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        Ok(match self.input.try_pushdown_sort(order)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: self.over(inner) },
            SortOrderPushdownResult::Inexact { inner } => SortOrderPushdownResult::Inexact { inner: self.over(inner) },
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_scan::TaskBlocksExec;
    use bench_model::Batches;
    use datafusion::arrow::array::{Int64Array, RecordBatch};
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::common::JoinType;
    use datafusion::physical_plan::collect;
    use std::sync::atomic::AtomicUsize;

    fn batch() -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new((0..100).collect::<Int64Array>()) as _)]).unwrap()
    }

    /// Blocks of `batches` batches, which stop the task with the last one; and how many of them were taken.
    fn blocks(batches: usize, stop: &Arc<AtomicBool>) -> (Arc<dyn ExecutionPlan>, Arc<AtomicUsize>) {
        let taken = Arc::<AtomicUsize>::default();
        let (count, flag) = (Arc::clone(&taken), Arc::clone(stop));
        let endless: Batches = Box::new(std::iter::repeat_with(move || {
            if count.fetch_add(1, Ordering::Relaxed) + 1 == batches {
                flag.store(true, Ordering::Relaxed);
            }
            Ok(batch())
        }));
        (Arc::new(StoppableExec::new(Arc::new(TaskBlocksExec::new(batch().schema(), None, endless)), stop)), taken)
    }

    fn run(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(collect(plan, Arc::default()))
    }

    #[test]
    fn the_batch_with_which_a_task_is_stopped_is_the_last_that_is_read() {
        let stop = Arc::<AtomicBool>::default();
        let (plan, taken) = blocks(3, &stop);
        let error = run(plan).unwrap_err();
        let DataFusionError::External(cause) = &error else { panic!("{error}") };
        assert_eq!(cause.downcast_ref::<TaskFailure>(), Some(&TaskFailure::Cancelled));
        assert_eq!(taken.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_join_whose_inputs_have_ended_stops_all_the_same() {
        let stop = Arc::<AtomicBool>::default();
        let side = || MemorySourceConfig::try_new_exec(&[vec![batch()]], batch().schema(), None).unwrap();
        let join = NestedLoopJoinExec::try_new(side(), side(), None, &JoinType::Inner, None).unwrap();
        let join: Arc<dyn ExecutionPlan> = Arc::new(join);
        assert!(brings_rows(&join));
        let stoppable = |stop: &Arc<AtomicBool>| Arc::new(StoppableExec::new(Arc::clone(&join), stop));
        assert_eq!(run(stoppable(&stop)).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 10_000);
        stop.store(true, Ordering::Relaxed);
        assert!(run(stoppable(&stop)).is_err());
    }
}
