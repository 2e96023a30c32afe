//! A plan becomes a list of operators.

use super::error::ShipError;
use super::form::{CutForm, FragmentForm, NodeForm, NodeId};
use super::functions::Functions;
use crate::block_scan::BlockScanExec;
use crate::fragment::{Cut, FragmentPlan};
use crate::scalars::ScalarsExec;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::not_impl_err;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::physical_planning_context::{ScalarSubqueryResults, SubqueryIndex};
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion_proto::physical_plan::to_proto::serialize_physical_expr_with_converter;
use datafusion_proto::physical_plan::{
    AsExecutionPlan, PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalPlanNodeExt,
    PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::physical_expr_node::ExprType;
use datafusion_proto::protobuf::physical_plan_node::PhysicalPlanType;
use datafusion_proto::protobuf::{
    PhysicalExprNode, PhysicalExtensionExprNode, PhysicalExtensionNode, PhysicalPlanNode, ProjectionExecNode,
};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Operators above each other, and expressions inside each other, at most: what a task's stack carries with ease.
pub(super) const DEPTH_MAX: u32 = 256;

/// An expression this deep inside a message goes into a message of its own.
const MESSAGE_DEPTH: u32 = 16;

/// Everything about a fragment but its place among the kernel's inputs and its settings.
///
/// # Errors
/// An operator or expression without an encoding.
pub(super) fn fragment(fragment: &FragmentPlan) -> Result<FragmentForm, ShipError> {
    let packer = Packer::default();
    let root = packer.pack(&fragment.plan)?;
    let cut = match &fragment.cut {
        Cut::Hash { keys, outputs } => {
            let dealt = Partitioning::Hash(keys.clone(), *outputs as usize);
            CutForm::Hash { like: packer.partitioned(&fragment.plan.schema(), &dealt)?, outputs: *outputs }
        }
        Cut::Gather => CutForm::Gather,
        Cut::Broadcast => CutForm::Broadcast,
        Cut::Collect => CutForm::Collect,
    };
    let containers = packer.containers.into_inner().into_iter().map(|(_, places)| places).collect();
    Ok(FragmentForm {
        id: fragment.id,
        tasks: fragment.tasks,
        inputs: fragment.inputs.clone(),
        cut,
        nodes: packer.nodes.into_inner(),
        root,
        expressions: packer.expressions.into_inner(),
        containers,
        ..FragmentForm::default()
    })
}

/// The list while it grows. DataFusion's encoder calls back for every input and every inner expression.
#[derive(Default)]
struct Packer {
    nodes: RefCell<Vec<NodeForm>>,
    expressions: RefCell<Vec<Vec<u8>>>,
    /// Containers of scalar subqueries, and how many places of each are used.
    containers: RefCell<Vec<(ScalarSubqueryResults, u32)>>,
    /// The columns of the recursive queries around the current operator, by name.
    recursive: RefCell<Vec<(String, SchemaRef)>>,
    depth: Cell<u32>,
    expression_depth: Cell<u32>,
}

impl Packer {
    fn pack(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<NodeId> {
        let form = deeper(&self.depth, || self.form(plan))?;
        Ok(self.push(form))
    }

    fn push(&self, form: NodeForm) -> NodeId {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(form);
        (nodes.len() - 1) as NodeId
    }

    fn form(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<NodeForm> {
        if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
            return self.block_scan(scan);
        }
        if let Some(scalars) = plan.downcast_ref::<ScalarsExec>() {
            return self.scalars(scalars);
        }
        if let Some(query) = plan.downcast_ref::<RecursiveQueryExec>() {
            return self.recursive_query(query);
        }
        if let Some(table) = plan.downcast_ref::<WorkTableExec>() {
            return self.work_table(table);
        }
        let mut node = PhysicalPlanNode::try_from_physical_plan_with_converter(Arc::clone(plan), &Functions, self)?;
        leave_dynamic_filters(&mut node);
        let files = plan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
        let files = files.and_then(|source| source.downcast_ref::<FileScanConfig>());
        Ok(NodeForm::DataFusion { message: bytes(&node)?, in_order: files.is_some_and(|f| f.preserve_order) })
    }

    fn block_scan(&self, scan: &BlockScanExec) -> Result<NodeForm> {
        let like = match scan.run_order() {
            Some(order) => self.pack(&(Arc::new(SortExec::new(order.clone(), empty(&scan.schema()))) as _))?,
            None => self.partitioned(&scan.schema(), &scan.properties().partitioning)?,
        };
        let input = u32::try_from(scan.input()).map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(NodeForm::BlockScan { input, from: scan.from(), merges: scan.merges_runs(), like })
    }

    fn scalars(&self, scalars: &ScalarsExec) -> Result<NodeForm> {
        let input = self.pack(scalars.main())?;
        let mut sources = Vec::with_capacity(scalars.scalars().len());
        let mut container = self.container(scalars.results(), None)?;
        for (index, scan) in scalars.scalars() {
            container = self.container(scalars.results(), Some(*index))?;
            sources.push((place(*index)?, self.pack(scan)?));
        }
        Ok(NodeForm::Scalars { container, input, scalars: sources })
    }

    fn recursive_query(&self, query: &RecursiveQueryExec) -> Result<NodeForm> {
        let name = query.name().to_owned();
        let like = self.pack(&empty(&query.schema()))?;
        let start = self.pack(query.static_term())?;
        self.recursive.borrow_mut().push((name.clone(), query.schema()));
        let step = self.pack(query.recursive_term());
        self.recursive.borrow_mut().pop();
        Ok(NodeForm::Recursive { name, like, start, step: step?, distinct: query.is_distinct() })
    }

    /// A work table keeps to itself which of the query's columns it reads; their names tell.
    fn work_table(&self, table: &WorkTableExec) -> Result<NodeForm> {
        let queries = self.recursive.borrow();
        let Some((name, columns)) = queries.iter().rev().find(|(name, _)| name == table.name()) else {
            return not_impl_err!("work table {} without its query", table.name());
        };
        let read = table.schema();
        let position = |name: &String| {
            let mut found = columns.fields().iter().enumerate().filter(|(_, f)| f.name() == name);
            found.next().filter(|_| found.next().is_none()).map(|(i, _)| i as u32)
        };
        let whole = columns.fields().len() == read.fields().len();
        let projection: Option<Vec<u32>> = read.fields().iter().map(|f| position(f.name())).collect();
        let ascending = projection.as_ref().is_some_and(|p| p.iter().copied().eq(0..p.len() as u32));
        let projection = match projection {
            _ if whole && (projection.is_none() || ascending) => None,
            Some(projection) => Some(projection),
            None => return not_impl_err!("work table {} with columns of equal names", table.name()),
        };
        Ok(NodeForm::WorkTable { name: name.clone(), like: self.pack(&empty(columns))?, projection })
    }

    /// A stand-in with these columns, dealt out like this.
    fn partitioned(&self, schema: &SchemaRef, partitioning: &Partitioning) -> Result<NodeId> {
        let leaf = match partitioning {
            Partitioning::Hash(..) => Arc::new(RepartitionExec::try_new(empty(schema), partitioning.clone())?) as _,
            other => Arc::new(EmptyExec::new(Arc::clone(schema)).with_partitions(other.partition_count())) as _,
        };
        self.pack(&leaf)
    }

    /// The number of a container, of which `used` is a place.
    fn container(&self, results: &ScalarSubqueryResults, used: Option<SubqueryIndex>) -> Result<u32> {
        let places = used.map_or(Ok(0), place)?.saturating_add(u32::from(used.is_some()));
        let mut known = self.containers.borrow_mut();
        for (number, (container, held)) in (0..).zip(known.iter_mut()) {
            if ScalarSubqueryResults::ptr_eq(container, results) {
                *held = places.max(*held);
                return Ok(number);
            }
        }
        known.push((results.clone(), places));
        Ok((known.len() - 1) as u32)
    }

    fn expression(&self, expr: &Arc<dyn PhysicalExpr>, codec: &dyn PhysicalExtensionCodec) -> Result<PhysicalExprNode> {
        let mut node = deeper(&self.expression_depth, || serialize_physical_expr_with_converter(expr, codec, self))?;
        if let (Some(scalar), Some(ExprType::ScalarSubquery(place))) =
            (expr.downcast_ref::<ScalarSubqueryExpr>(), &node.expr_type)
        {
            let index = SubqueryIndex::new(place.index as usize);
            node.expr_id = Some(u64::from(self.container(scalar.results(), Some(index))?));
        }
        let depth = self.expression_depth.get();
        if depth == 0 || !depth.is_multiple_of(MESSAGE_DEPTH) {
            return Ok(node);
        }
        let only = ProjectionExecNode { expr: vec![node], ..ProjectionExecNode::default() };
        let only = PhysicalPlanNode { physical_plan_type: Some(PhysicalPlanType::Projection(Box::new(only))) };
        let mut expressions = self.expressions.borrow_mut();
        expressions.push(bytes(&only)?);
        let expr = ((expressions.len() - 1) as u32).to_le_bytes().to_vec();
        let link = PhysicalExtensionExprNode { expr, inputs: vec![] };
        Ok(PhysicalExprNode { expr_id: None, expr_type: Some(ExprType::Extension(link)) })
    }
}

impl PhysicalProtoConverterExtension for Packer {
    fn execution_plan_to_proto(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        _: &dyn PhysicalExtensionCodec,
    ) -> Result<PhysicalPlanNode> {
        let link = PhysicalExtensionNode { node: self.pack(plan)?.to_le_bytes().to_vec(), inputs: vec![] };
        Ok(PhysicalPlanNode { physical_plan_type: Some(PhysicalPlanType::Extension(link)) })
    }

    fn physical_expr_to_proto(
        &self,
        expr: &Arc<dyn PhysicalExpr>,
        codec: &dyn PhysicalExtensionCodec,
    ) -> Result<PhysicalExprNode> {
        self.expression(expr, codec)
    }

    fn proto_to_execution_plan(
        &self,
        _: &PhysicalPlanNode,
        _: &PhysicalPlanDecodeContext<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!("packing does not unpack")
    }

    fn proto_to_physical_expr(
        &self,
        _: &PhysicalExprNode,
        _: &datafusion::arrow::datatypes::Schema,
        _: &PhysicalPlanDecodeContext<'_>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        not_impl_err!("packing does not unpack")
    }
}

/// Does `work` one level deeper, if the stack is good for it.
pub(super) fn deeper<T>(depth: &Cell<u32>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let above = depth.get();
    if above >= DEPTH_MAX {
        return Err(DataFusionError::External(Box::new(ShipError::Deep(DEPTH_MAX))));
    }
    depth.set(above + 1);
    let done = work();
    depth.set(above);
    done
}

fn empty(schema: &SchemaRef) -> Arc<dyn ExecutionPlan> {
    Arc::new(EmptyExec::new(Arc::clone(schema)))
}

fn place(index: SubqueryIndex) -> Result<u32> {
    u32::try_from(index.as_usize()).map_err(|e| DataFusionError::External(Box::new(e)))
}

fn bytes(node: &PhysicalPlanNode) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    node.try_encode(&mut bytes)?;
    Ok(bytes)
}

fn leave_dynamic_filters(node: &mut PhysicalPlanNode) {
    match &mut node.physical_plan_type {
        Some(PhysicalPlanType::Sort(sort)) => sort.dynamic_filter = None,
        Some(PhysicalPlanType::HashJoin(join)) => join.dynamic_filter = None,
        Some(PhysicalPlanType::Aggregate(aggregate)) => aggregate.dynamic_filter = None,
        _ => {}
    }
}
