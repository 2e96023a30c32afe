//! The leaves of a task's own plan: the blocks it reads, or one partition of another leaf.

use crate::leaf::{leaf_methods, no_expressions};
use bench_model::Batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::stream;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The batches of one input, once.
pub(crate) struct TaskBlocksExec {
    batches: Mutex<Option<Batches>>,
    properties: Arc<PlanProperties>,
}

impl TaskBlocksExec {
    pub(crate) fn new(schema: SchemaRef, order: Option<LexOrdering>, batches: Batches) -> Self {
        let mut equivalences = EquivalenceProperties::new(schema);
        if let Some(order) = order {
            equivalences.add_ordering(order);
        }
        Self { batches: Mutex::new(Some(batches)), properties: single(equivalences) }
    }
}

/// Properties of a leaf with one partition.
fn single(equivalences: EquivalenceProperties) -> Arc<PlanProperties> {
    let one = Partitioning::UnknownPartitioning(1);
    Arc::new(PlanProperties::new(equivalences, one, EmissionType::Incremental, Boundedness::Bounded))
}

impl fmt::Debug for TaskBlocksExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskBlocksExec")
    }
}

impl DisplayAs for TaskBlocksExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskBlocksExec")
    }
}

impl ExecutionPlan for TaskBlocksExec {
    fn name(&self) -> &'static str {
        "TaskBlocksExec"
    }

    leaf_methods!();

    no_expressions!();

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches = batches.ok_or_else(|| internal_datafusion_err!("a task's blocks were read twice"))?;
        let rows = batches.map(|batch| batch.map_err(|e| DataFusionError::External(Box::new(e))));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::iter(rows))))
    }
}

/// One partition of a leaf that has several and no way to be narrowed.
#[derive(Debug)]
pub(crate) struct OnePartitionExec {
    leaf: Arc<dyn ExecutionPlan>,
    partition: usize,
    properties: Arc<PlanProperties>,
}

impl OnePartitionExec {
    pub(crate) fn new(leaf: Arc<dyn ExecutionPlan>, partition: usize) -> Self {
        let properties = single(leaf.properties().equivalence_properties().clone());
        Self { leaf, partition, properties }
    }
}

impl DisplayAs for OnePartitionExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnePartitionExec: {} of ", self.partition)?;
        self.leaf.fmt_as(t, f)
    }
}

impl ExecutionPlan for OnePartitionExec {
    fn name(&self) -> &'static str {
        "OnePartitionExec"
    }

    leaf_methods!();

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.leaf.apply_expressions(f)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.leaf.execute(self.partition, context)
    }
}
