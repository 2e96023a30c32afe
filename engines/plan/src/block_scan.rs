//! The leaf that stands where an exchange was: it reads what another fragment wrote.

use crate::leaf::{leaf_methods, no_expressions};
use bench_model::FragmentId;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream, StatisticsArgs,
};
use std::fmt;
use std::sync::Arc;

/// Reads the blocks of another fragment.
///
/// It declares what the exchange it replaces promised, so that operators above keep their properties: hash partitioning
/// on keys, or one partition. It cannot run by itself; a task puts its own blocks in its place (see `task`).
#[derive(Clone, Debug)]
pub struct BlockScanExec {
    input: usize,
    from: FragmentId,
    runs: Option<LexOrdering>,
    statistics: Arc<Statistics>,
    properties: Arc<PlanProperties>,
}

impl BlockScanExec {
    /// A scan of entry `input` of its fragment's inputs, which is written by `from` and promises `partitioning`.
    #[must_use]
    pub fn new(input: usize, from: FragmentId, schema: SchemaRef, partitioning: Partitioning) -> Self {
        let statistics = Arc::new(Statistics::new_unknown(&schema));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { input, from, runs: None, statistics, properties }
    }

    /// A scan in one partition that merges the sorted runs which the producer's tasks left.
    #[must_use]
    pub fn merging(input: usize, from: FragmentId, schema: SchemaRef, order: LexOrdering) -> Self {
        let mut equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        equivalences.add_ordering(order.clone());
        let plain = Self::new(input, from, schema, Partitioning::UnknownPartitioning(1));
        let properties = PlanProperties::clone(&plain.properties).with_eq_properties(equivalences);
        Self { runs: Some(order), properties: Arc::new(properties), ..plain }
    }

    /// The same scan with what is known or estimated about its rows, over all partitions.
    #[must_use]
    pub fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = Arc::new(statistics);
        self
    }

    /// The same scan at another place of its fragment's inputs (when fragments are merged).
    #[must_use]
    pub fn with_input(mut self, input: usize) -> Self {
        self.input = input;
        self
    }

    /// The same scan of another fragment's blocks (when fragments are renumbered or replaced).
    #[must_use]
    pub fn with_from(mut self, from: FragmentId) -> Self {
        self.from = from;
        self
    }

    /// The same scan promising another partitioning (when an exchange is replaced).
    #[must_use]
    pub fn with_partitioning(mut self, partitioning: Partitioning) -> Self {
        self.properties = Arc::new(PlanProperties::clone(&self.properties).with_partitioning(partitioning));
        self
    }

    /// Which of its fragment's inputs it reads.
    #[must_use]
    pub fn input(&self) -> usize {
        self.input
    }

    /// Who writes what it reads.
    #[must_use]
    pub fn from(&self) -> FragmentId {
        self.from
    }

    /// Whether it keeps its producer's tasks apart and merges them by their order.
    #[must_use]
    pub fn merges_runs(&self) -> bool {
        self.runs.is_some()
    }

    /// The order of the runs that it merges.
    #[must_use]
    pub fn run_order(&self) -> Option<&LexOrdering> {
        self.runs.as_ref()
    }
}

/// The block scans of a plan, left to right.
#[must_use]
pub fn block_scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<Arc<dyn ExecutionPlan>> {
    if plan.downcast_ref::<BlockScanExec>().is_some() {
        return vec![Arc::clone(plan)];
    }
    plan.children().into_iter().flat_map(block_scans).collect()
}

impl DisplayAs for BlockScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockScanExec: {}", self.from)?;
        match (&self.runs, &self.properties.partitioning) {
            (Some(order), _) => write!(f, " merging [{order}]"),
            (None, Partitioning::Hash(..)) => write!(f, " {}", self.properties.partitioning),
            (None, _) => Ok(()),
        }
    }
}

impl ExecutionPlan for BlockScanExec {
    fn name(&self) -> &'static str {
        "BlockScanExec"
    }

    leaf_methods!();

    no_expressions!();

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("the scan of {} runs only inside a task, which brings its blocks", self.from)
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match args.partition() {
            None => Ok(Arc::clone(&self.statistics)),
            Some(_) => Ok(Arc::new(Statistics::new_unknown(&self.schema()))),
        }
    }
}
