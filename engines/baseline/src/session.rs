//! A started engine: plan, run, explain.

use crate::threads::pool;
use bench_model::{Answer, Dataset, EngineError, EngineSetup, Explanation, Session, Workload};
use bench_plan::{
    MemoryLimit, Tables, baseline_config, data_frame, describe, engine_error, spilled, unlimited_runtime,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, collect};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How often a running query looks whether it is still wanted.
const STOP_TICK: Duration = Duration::from_millis(20);

/// How long a query that is no longer wanted may take to give way before its caller goes on without it.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// One started baseline.
pub(crate) struct BaselineSession {
    threads: Runtime,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
    tables: Option<Tables>,
    contexts: BTreeMap<Option<String>, SessionContext>,
}

impl BaselineSession {
    /// Starts DataFusion on `threads` threads within the setup's memory.
    pub(crate) fn start(setup: &EngineSetup, threads: u32) -> Result<Self, EngineError> {
        let failed = |e| engine_error("datafusion", &e);
        let (mut config, mut runtime) = (baseline_config(threads), unlimited_runtime(&setup.scratch).map_err(failed)?);
        if let Some(pool) = setup.memory {
            let limit = MemoryLimit { pool, partitions: threads };
            config = limit.settings(config);
            runtime = limit.runtime(&runtime, &setup.scratch).map_err(failed)?;
        }
        Ok(Self { threads: pool(threads)?, config, runtime, tables: None, contexts: BTreeMap::new() })
    }

    fn context(&mut self, dataset: Option<&str>) -> Result<SessionContext, EngineError> {
        let key = dataset.map(str::to_owned);
        if let Some(context) = self.contexts.get(&key) {
            return Ok(context.clone());
        }
        let context = match (&self.tables, dataset) {
            (Some(tables), _) => tables.context(dataset, &self.config)?,
            (None, None) => SessionContext::new_with_config_rt(self.config.clone(), Arc::clone(&self.runtime)),
            (None, Some(name)) => {
                return Err(EngineError::Failed(format!("dataset `{name}` is not loaded; prepare it before running")));
            }
        };
        self.contexts.insert(key, context.clone());
        Ok(context)
    }

    /// The workload's physical plan, and the context its operators run in.
    fn plan(&mut self, workload: &Workload) -> Result<Planned, EngineError> {
        let context = self.context(workload.dataset.as_deref())?;
        self.threads.block_on(async {
            let frame = data_frame(&context, workload).await?;
            let task = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await.map_err(|e| engine_error(&workload.name, &e))?;
            Ok(Planned { plan, task })
        })
    }

    /// Runs a plan on the pool until it is done or no longer wanted.
    fn collect(
        &self,
        workload: &Workload,
        planned: &Planned,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let work = collect(Arc::clone(&planned.plan), Arc::clone(&planned.task));
        let (sender, receiver) = sync_channel(1);
        let running = self.threads.spawn(async move {
            // Nobody waits any more only if the query was given up.
            let _ = sender.send(work.await);
        });
        loop {
            match receiver.recv_timeout(STOP_TICK) {
                Ok(rows) => return rows.map_err(|e| engine_error(&workload.name, &e)),
                Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout) => {
                    running.abort();
                    // Its memory should be free and its threads idle before the next query is timed.
                    let _ = receiver.recv_timeout(STOP_PATIENCE);
                    return Err(EngineError::Cancelled);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let cause = self.threads.block_on(running).err().map_or_else(String::new, |e| e.to_string());
                    return Err(EngineError::Failed(format!("{}: {cause}", workload.name)));
                }
            }
        }
    }
}

struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
}

impl Session for BaselineSession {
    fn prepare(&mut self, data: &[Arc<Dataset>]) -> Result<(), EngineError> {
        let tables = self.threads.block_on(Tables::open(data, &self.config, &self.runtime))?;
        self.tables = Some(tables);
        self.contexts.clear();
        Ok(())
    }

    fn run(&mut self, workload: &Workload, stop: &Arc<AtomicBool>) -> Result<Answer, EngineError> {
        let planned = self.plan(workload)?;
        let batches = self.collect(workload, &planned, stop)?;
        Ok(Answer {
            schema: planned.plan.schema(),
            batches,
            spans: None,
            trace: None,
            notes: vec![],
            faults: vec![],
            spilled_bytes: Some(spilled(&planned.plan).get()),
        })
    }

    fn explain(&mut self, workload: &Workload, analyze: bool) -> Result<Explanation, EngineError> {
        let planned = self.plan(workload)?;
        let mut text = String::new();
        for (key, value) in describe(&self.config) {
            let _ = writeln!(text, "{key}={value}");
        }
        if analyze {
            self.collect(workload, &planned, &Arc::default())?;
            let with_metrics = DisplayableExecutionPlan::with_metrics(planned.plan.as_ref());
            let _ = write!(text, "\n{}", with_metrics.indent(false));
        } else {
            let _ = write!(text, "\n{}", DisplayableExecutionPlan::new(planned.plan.as_ref()).indent(false));
        }
        Ok(Explanation { text })
    }
}
