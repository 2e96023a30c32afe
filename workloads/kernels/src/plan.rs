//! `plan/1`: a task of a cut query plan.

use crate::failure::task_failure;
use crate::memory::{is_unlimited, task_context};
use crate::outputs::Outputs;
use crate::runtime::with_runtime;
use bench_model::{Kernel, KernelId, TaskContext, TaskFailure};
use bench_plan::{PLAN_KERNEL, PlanKey, PlanStore, StoredPlan, specialize, spilled, stopped};
use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
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
            cx.refuse_shipment(&args);
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
    let stop = Arc::clone(cx.stop());
    let context = Arc::new(task_context(stored, cx.memory_share(), cx.scratch()).map_err(failed)?);
    let batch_rows = context.session_config().batch_size();
    let plan = specialize(stored, cx.partition(), &stop, &mut |input| cx.read(input)).map_err(failed)?;
    let outputs = Outputs::new(stored, batch_rows, cx.memory_share(), context.memory_pool())?;
    let rows = {
        // Some operators start helpers when they are opened.
        let _inside = runtime.enter();
        plan.execute(0, context).map_err(failed)?
    };
    let result = drain(rows, outputs, cx, runtime);
    // Also what an attempt spilled that did not succeed. Without a limit nothing is, and asking every operator takes longer
    // than many a small task.
    if !is_unlimited(cx.memory_share()) {
        cx.record_spill(spilled(&plan));
    }
    if result.is_err() {
        drop(plan);
        // Helpers were aborted with the rows; they let go of what they hold when they are polled once more.
        runtime.block_on(tokio::task::yield_now());
    }
    result
}

/// Sends every row to its output block.
fn drain(
    mut rows: SendableRecordBatchStream,
    mut outputs: Outputs,
    cx: &mut dyn TaskContext,
    runtime: &Runtime,
) -> Result<(), TaskFailure> {
    let stop = Arc::clone(cx.stop());
    while let Some(batch) = next(&mut rows, &stop, runtime).transpose().map_err(|e| task_failure(&e))? {
        outputs.push(batch, cx)?;
    }
    outputs.finish(cx)
}

/// The next batch, unless the task is told to stop. Operators that compute for long give way now and then; the flag is
/// looked at whenever they do, and where rows enter the plan.
fn next(
    rows: &mut SendableRecordBatchStream,
    stop: &AtomicBool,
    runtime: &Runtime,
) -> Option<Result<RecordBatch, DataFusionError>> {
    runtime.block_on(poll_fn(|context| {
        if stop.load(Ordering::Relaxed) { Poll::Ready(Some(Err(stopped()))) } else { rows.poll_next_unpin(context) }
    }))
}
