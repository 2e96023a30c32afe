//! DataFusion's functions, which travel by name.

use datafusion::common::not_impl_err;
use datafusion::error::Result;
use datafusion::execution::context::SessionContext;
use datafusion::execution::{FunctionRegistry, TaskContext};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use std::sync::{Arc, LazyLock};

/// Every function of this build, gathered once per process.
static FUNCTIONS: LazyLock<Arc<TaskContext>> = LazyLock::new(|| SessionContext::new().task_ctx());

/// Finds functions by name. Operators of our own never get here: packing and unpacking see them first.
#[derive(Debug)]
pub(super) struct Functions;

impl PhysicalExtensionCodec for Functions {
    fn try_decode(
        &self,
        _: &[u8],
        _: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!("an operator that is not DataFusion's")
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        _: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        not_impl_err!("operator {} has no encoding", node.name())
    }

    fn try_decode_udf(&self, name: &str, _: &[u8]) -> Result<Arc<ScalarUDF>> {
        FUNCTIONS.udf(name)
    }

    fn try_decode_higher_order_function(&self, name: &str, _: &[u8]) -> Result<Arc<HigherOrderUDF>> {
        FUNCTIONS.higher_order_function(name)
    }

    fn try_decode_udaf(&self, name: &str, _: &[u8]) -> Result<Arc<AggregateUDF>> {
        FUNCTIONS.udaf(name)
    }

    fn try_decode_udwf(&self, name: &str, _: &[u8]) -> Result<Arc<WindowUDF>> {
        FUNCTIONS.udwf(name)
    }
}
