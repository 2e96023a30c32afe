//! The list of operators becomes a plan again.
//!
//! Bytes from elsewhere are not trusted: every operator is used once at most, so that neither a loop nor a plan that
//! doubles at every level can be written, and depth is bounded as it is for packing.

use super::error::ShipError;
use super::form::{CutForm, FragmentForm, NodeForm, NodeId};
use super::functions::Functions;
use super::pack::deeper;
use crate::block_scan::BlockScanExec;
use crate::fragment::Cut;
use crate::scalars::ScalarsExec;
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::{internal_datafusion_err, internal_err};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::physical_planning_context::{ScalarSubqueryResults, SubqueryIndex};
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_proto::physical_plan::from_proto::parse_physical_expr_with_converter;
use datafusion_proto::physical_plan::{
    AsExecutionPlan, PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalPlanNodeExt,
    PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::physical_expr_node::ExprType;
use datafusion_proto::protobuf::physical_plan_node::PhysicalPlanType;
use datafusion_proto::protobuf::{PhysicalExprNode, PhysicalPlanNode};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The places of all containers of one fragment, at most.
const PLACES_MAX: u32 = 1 << 16;

/// The plan of a form and what happens to its rows.
///
/// # Errors
/// A form that does not hang together, or operators that DataFusion refuses.
pub(super) fn plan(
    form: FragmentForm,
    config: &SessionConfig,
    runtime: &Arc<RuntimeEnv>,
) -> Result<(Arc<dyn ExecutionPlan>, Cut), ShipError> {
    if form.containers.iter().copied().fold(0, u32::saturating_add) > PLACES_MAX {
        return Err(ShipError::Foreign);
    }
    let task = TaskContext::new(
        None,
        String::new(),
        config.clone(),
        Default::default(),
        Default::default(),
        Default::default(),
        Default::default(),
        Arc::clone(runtime),
    );
    let context = PhysicalPlanDecodeContext::new(&task, &Functions);
    let unpacker = Unpacker {
        nodes: RefCell::new(form.nodes.into_iter().map(Some).collect()),
        expressions: RefCell::new(form.expressions.into_iter().map(Some).collect()),
        containers: form.containers.iter().map(|places| ScalarSubqueryResults::new(*places as usize)).collect(),
        inputs: form.inputs.len(),
        depth: Cell::new(0),
        expression_depth: Cell::new(0),
    };
    let plan = unpacker.unpack(form.root, &context)?;
    let cut = match form.cut {
        CutForm::Hash { like, outputs } => {
            let like = unpacker.unpack(like, &context)?;
            match like.output_partitioning() {
                Partitioning::Hash(keys, _) => Cut::Hash { keys: keys.clone(), outputs },
                _ => return Err(ShipError::Foreign),
            }
        }
        CutForm::Gather => Cut::Gather,
        CutForm::Broadcast => Cut::Broadcast,
        CutForm::Collect => Cut::Collect,
    };
    Ok((plan, cut))
}

/// The list while it is used up. DataFusion's decoder calls back for every input and every inner expression.
struct Unpacker {
    nodes: RefCell<Vec<Option<NodeForm>>>,
    expressions: RefCell<Vec<Option<Vec<u8>>>>,
    containers: Vec<ScalarSubqueryResults>,
    /// How many inputs the fragment has.
    inputs: usize,
    depth: Cell<u32>,
    expression_depth: Cell<u32>,
}

impl Unpacker {
    fn unpack(&self, id: NodeId, context: &PhysicalPlanDecodeContext<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        let form = self.nodes.borrow_mut().get_mut(id as usize).and_then(Option::take);
        let form = form.ok_or_else(|| internal_datafusion_err!("operator {id} is missing or named twice"))?;
        deeper(&self.depth, || self.operator(form, context))
    }

    fn operator(&self, form: NodeForm, context: &PhysicalPlanDecodeContext<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        match form {
            NodeForm::DataFusion { message, in_order } => {
                let node = PhysicalPlanNode::try_decode(&message)?;
                if matches!(node.physical_plan_type, Some(PhysicalPlanType::Extension(_))) {
                    return internal_err!("an operator is nothing but a link");
                }
                let plan = node.try_into_physical_plan_with_context(context, self)?;
                Ok(if in_order { ordered(plan) } else { plan })
            }
            NodeForm::BlockScan { input, from, merges, like } => {
                let (input, like) = (input as usize, self.unpack(like, context)?);
                if input >= self.inputs {
                    return internal_err!("a block scan reads input {input} of {}", self.inputs);
                }
                let scan = match like.output_ordering() {
                    Some(order) if merges => BlockScanExec::merging(input, from, like.schema(), order.clone()),
                    None if merges => return internal_err!("sorted runs without an order"),
                    _ => BlockScanExec::new(input, from, like.schema(), like.output_partitioning().clone()),
                };
                Ok(Arc::new(scan))
            }
            NodeForm::Scalars { container, input, scalars } => {
                let results = self.container(u64::from(container))?.clone();
                let input = self.unpack(input, context)?;
                let scalars = scalars
                    .into_iter()
                    .map(|(place, scan)| Ok((SubqueryIndex::new(place as usize), self.unpack(scan, context)?)));
                Ok(Arc::new(ScalarsExec::new(input, scalars.collect::<Result<_>>()?, results)))
            }
            NodeForm::Recursive { name, like, start, step, distinct } => {
                let schema = self.unpack(like, context)?.schema();
                let (start, step) = (self.unpack(start, context)?, self.unpack(step, context)?);
                Ok(Arc::new(RecursiveQueryExec::try_new(name, schema, start, step, distinct)?))
            }
            NodeForm::WorkTable { name, like, projection } => {
                let schema = self.unpack(like, context)?.schema();
                let projection = projection.map(|columns| columns.into_iter().map(|c| c as usize).collect());
                Ok(Arc::new(WorkTableExec::new(name, schema, projection)?))
            }
        }
    }

    fn container(&self, number: u64) -> Result<&ScalarSubqueryResults> {
        let container = usize::try_from(number).ok().and_then(|n| self.containers.get(n));
        container.ok_or_else(|| internal_datafusion_err!("there is no container {number} of scalar subqueries"))
    }

    fn expression(
        &self,
        node: &PhysicalExprNode,
        schema: &Schema,
        context: &PhysicalPlanDecodeContext<'_>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match &node.expr_type {
            Some(ExprType::Extension(link)) => {
                let id = number(&link.expr)?;
                let message = self.expressions.borrow_mut().get_mut(id as usize).and_then(Option::take);
                let message = message.ok_or_else(|| internal_datafusion_err!("expression {id} is missing"))?;
                match PhysicalPlanNode::try_decode(&message)?.physical_plan_type {
                    Some(PhysicalPlanType::Projection(only)) if only.expr.len() == 1 => only
                        .expr
                        .iter()
                        .map(|e| self.expression(e, schema, context))
                        .next()
                        .ok_or_else(no_expression)?,
                    _ => Err(no_expression()),
                }
            }
            Some(ExprType::ScalarSubquery(_)) => {
                let results = self.container(node.expr_id.unwrap_or(u64::MAX))?;
                let context = context.with_scalar_subquery_results(results.clone());
                parse_physical_expr_with_converter(node, schema, &context, self)
            }
            _ => parse_physical_expr_with_converter(node, schema, context, self),
        }
    }
}

impl PhysicalProtoConverterExtension for Unpacker {
    fn proto_to_execution_plan(
        &self,
        node: &PhysicalPlanNode,
        context: &PhysicalPlanDecodeContext<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match &node.physical_plan_type {
            Some(PhysicalPlanType::Extension(link)) => self.unpack(number(&link.node)?, context),
            _ => internal_err!("an operator inside another"),
        }
    }

    fn proto_to_physical_expr(
        &self,
        node: &PhysicalExprNode,
        schema: &Schema,
        context: &PhysicalPlanDecodeContext<'_>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        deeper(&self.expression_depth, || self.expression(node, schema, context))
    }

    fn execution_plan_to_proto(
        &self,
        _: &Arc<dyn ExecutionPlan>,
        _: &dyn PhysicalExtensionCodec,
    ) -> Result<PhysicalPlanNode> {
        internal_err!("unpacking does not pack")
    }

    fn physical_expr_to_proto(
        &self,
        _: &Arc<dyn PhysicalExpr>,
        _: &dyn PhysicalExtensionCodec,
    ) -> Result<PhysicalExprNode> {
        internal_err!("unpacking does not pack")
    }
}

fn no_expression() -> datafusion::error::DataFusionError {
    internal_datafusion_err!("a message that should hold one expression does not")
}

/// The number that a link holds.
fn number(bytes: &[u8]) -> Result<u32> {
    let bytes = bytes.try_into().map_err(|_| internal_datafusion_err!("a link of {} bytes", bytes.len()))?;
    Ok(u32::from_le_bytes(bytes))
}

/// A scan of files that keeps the order of their rows.
fn ordered(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let files = plan.downcast_ref::<DataSourceExec>().and_then(|s| s.data_source().downcast_ref::<FileScanConfig>());
    match files {
        Some(files) => DataSourceExec::from_data_source(
            FileScanConfigBuilder::from(files.clone()).with_preserve_order(true).build(),
        ),
        None => plan,
    }
}
