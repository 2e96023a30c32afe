//! A piece of plan while it is being cut, with the inputs its block scans name.

use crate::block_scan::BlockScanExec;
use bench_model::{FragmentId, Input, Read};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::{LexOrdering, Partitioning};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::Arc;

/// A plan without exchanges and the inputs that its block scans count into.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) inputs: Vec<Input>,
}

impl Piece {
    /// A plan that reads no other fragment.
    pub(crate) fn leaf(plan: Arc<dyn ExecutionPlan>) -> Self {
        Self { plan, inputs: vec![] }
    }

    /// A read of `from`'s blocks under a promised partitioning.
    pub(crate) fn scan(from: FragmentId, read: Read, schema: SchemaRef, partitioning: Partitioning) -> Self {
        let scan = BlockScanExec::new(0, from, schema, partitioning);
        Self { plan: Arc::new(scan), inputs: vec![Input { from, read }] }
    }

    /// A read of all of `from`'s blocks in one partition.
    pub(crate) fn single(from: FragmentId, schema: SchemaRef) -> Self {
        Self::scan(from, Read::All, schema, Partitioning::UnknownPartitioning(1))
    }

    /// A read of all of `from`'s blocks in one partition, merging its tasks' sorted rows.
    pub(crate) fn merging(from: FragmentId, schema: SchemaRef, order: LexOrdering) -> Self {
        let scan = BlockScanExec::merging(0, from, schema, order);
        Self { plan: Arc::new(scan), inputs: vec![Input { from, read: Read::All }] }
    }

    /// The same reads under another plan made of this one.
    pub(crate) fn map(
        self,
        over: impl FnOnce(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>>,
    ) -> Result<Self> {
        Ok(Self { plan: over(self.plan)?, inputs: self.inputs })
    }

    /// `parent` over these children; the children's inputs are renumbered in order.
    pub(crate) fn combine(parent: Arc<dyn ExecutionPlan>, children: Vec<Self>) -> Result<Self> {
        let mut inputs = vec![];
        let mut plans = Vec::with_capacity(children.len());
        for child in children {
            plans.push(shift_inputs(child.plan, inputs.len())?);
            inputs.extend(child.inputs);
        }
        Ok(Self { plan: replace_children_if_necessary(parent, plans)?, inputs })
    }

    /// How many tasks the piece makes.
    pub(crate) fn partitions(&self) -> usize {
        self.plan.output_partitioning().partition_count()
    }

    /// Whether the piece is nothing but a read of all blocks of another fragment.
    pub(crate) fn is_bare_scan(&self) -> bool {
        self.plan.downcast_ref::<BlockScanExec>().is_some() && self.partitions() == 1
    }
}

/// The plan with every block scan's input number moved up by `by`.
fn shift_inputs(plan: Arc<dyn ExecutionPlan>, by: usize) -> Result<Arc<dyn ExecutionPlan>> {
    if by == 0 {
        return Ok(plan);
    }
    let moved = plan.transform_up(|node| match node.downcast_ref::<BlockScanExec>() {
        Some(scan) => Ok(Transformed::yes(Arc::new(scan.clone().with_input(scan.input() + by)) as _)),
        None => Ok(Transformed::no(node)),
    })?;
    Ok(moved.data)
}
