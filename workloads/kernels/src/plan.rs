//! `plan/1`: a task of a cut query plan.

use crate::failure::task_failure;
use crate::memory::task_context;
use crate::runtime::with_runtime;
use bench_model::{Bytes, Kernel, KernelId, TaskContext, TaskFailure};
use bench_plan::{PLAN_KERNEL, Partitioner, PlanKey, PlanStore, StoredPlan, specialize};
use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Runs one partition of a fragment's plan and cuts its rows into output blocks.
///
/// Its arguments are an encoded [`PlanKey`]; its inputs are those of the fragment's graph node. A plan that is not in the
/// kernel's store comes from where the job was planned, see [`TaskContext::shipment`].
#[derive(Clone, Debug)]
pub struct PlanKernel {
    store: PlanStore,
}

impl PlanKernel {
    /// A kernel that finds its plans in `store`.
    #[must_use]
    pub fn new(store: PlanStore) -> Self {
        Self { store }
    }

    /// The plan that the task's arguments name; one that was planned elsewhere is asked for once and kept.
    fn stored(&self, cx: &mut dyn TaskContext) -> Result<Arc<StoredPlan>, TaskFailure> {
        let args = cx.args().to_vec();
        let key = PlanKey::decode(&args)
            .ok_or_else(|| TaskFailure::Fatal(format!("{} bytes of arguments are not a plan's key", args.len())))?;
        if let Some(plan) = self.store.get(&key) {
            return Ok(plan);
        }
        let shipment = cx.shipment(&args)?;
        self.store.adopt(&key, &shipment).map_err(|error| {
            let message = error.to_string();
            if error.is_transient() { TaskFailure::Transient(message) } else { TaskFailure::Fatal(message) }
        })
    }
}

impl Kernel for PlanKernel {
    fn id(&self) -> KernelId {
        PLAN_KERNEL
    }

    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        let stored = self.stored(cx)?;
        with_runtime(|runtime| run_plan(&stored, cx, runtime))
    }
}

fn run_plan(stored: &StoredPlan, cx: &mut dyn TaskContext, runtime: &Runtime) -> Result<(), TaskFailure> {
    let failed = |e: DataFusionError| task_failure(&e);
    let context = Arc::new(task_context(stored, cx.memory_share(), cx.scratch()).map_err(failed)?);
    let batch_rows = context.session_config().batch_size();
    let plan = specialize(stored, cx.partition(), &mut |input| cx.read(input)).map_err(failed)?;
    let mut partitioner = Partitioner::new(&stored.fragment.cut, &stored.schema, batch_rows).map_err(failed)?;
    let mut rows = {
        // Some operators start helpers when they are opened.
        let _inside = runtime.enter();
        plan.execute(0, context).map_err(failed)?
    };
    while let Some(batch) = next(&mut rows, runtime).transpose().map_err(failed)? {
        if cx.cancelled() {
            return Err(TaskFailure::Cancelled);
        }
        for (output, batch) in partitioner.push(batch).map_err(failed)? {
            cx.write(output, &batch)?;
        }
    }
    for (output, batch) in partitioner.finish().map_err(failed)? {
        cx.write(output, &batch)?;
    }
    cx.record_spill(spilled(&plan));
    Ok(())
}

fn next(rows: &mut SendableRecordBatchStream, runtime: &Runtime) -> Option<Result<RecordBatch, DataFusionError>> {
    runtime.block_on(rows.next())
}

/// Bytes that the plan's operators wrote out because memory ran short.
fn spilled(plan: &Arc<dyn ExecutionPlan>) -> Bytes {
    let own = plan.metrics().and_then(|m| m.spilled_bytes()).unwrap_or(0);
    let below: Bytes = plan.children().into_iter().map(spilled).sum();
    Bytes::new(own as u64) + below
}
