//! Planning behind the model's `Front`: tables, plans, cutting and replanning, one job at a time or several.

use crate::cut::cut;
use crate::error::{PlanError, engine_error};
use crate::explain::explain_with;
use crate::fragment::{FragmentPlan, JobPlan};
use crate::frame::data_frame;
use crate::replan::{self, AdaptiveSettings};
use crate::settings::{PlanSettings, task_config};
use crate::store::{PlanKey, PlanStore};
use crate::tables::Tables;
use bench_model::{
    Bytes, Dataset, EngineError, FragmentId, Front, Input, JobId, Lowered, Planned, Program, Read, StageStats,
    StyleEnv, Workload,
};
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Runtime;

/// The front half that all styles share.
pub struct PlanFront {
    store: PlanStore,
    /// DataFusion plans in futures; they run here, on the caller's thread.
    planner: Mutex<Runtime>,
    known: Mutex<Known>,
    jobs: Mutex<BTreeMap<JobId, Job>>,
}

/// What is known about data: tables, and a context for each way they have been planned.
#[derive(Default)]
struct Known {
    tables: Option<Arc<Tables>>,
    contexts: BTreeMap<(PlanSettings, Option<String>), SessionContext>,
}

struct Job {
    plan: JobPlan,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
    settings: AdaptiveSettings,
    stats: BTreeMap<FragmentId, StageStats>,
    history: Vec<String>,
    /// Which plans were named by [`Front::due`].
    due: BTreeSet<PlanKey>,
}

impl Job {
    /// The plans that tasks are about to need: of every fragment if nothing will be changed any more, else of those for
    /// which no size is awaited: of an input that is read by partitions, or of what they wait for. Nobody tells of others.
    fn take_due(&mut self) -> Vec<PlanKey> {
        let finished = |id: &FragmentId| self.stats.contains_key(id);
        let settled = |input: &Input| !matches!(input.read, Read::Aligned | Read::Slices(_)) || finished(&input.from);
        let is_due = |fragment: &&FragmentPlan| {
            !self.settings.adaptive || (fragment.inputs.iter().all(settled) && fragment.waits_for.iter().all(finished))
        };
        let keys = self.plan.fragments.values().filter(is_due).map(|f| self.plan.key(f.id));
        let new: Vec<PlanKey> = keys.filter(|key| !self.due.contains(key)).collect();
        self.due.extend(&new);
        new
    }
}

impl PlanFront {
    /// A front that leaves its plans in `store`.
    ///
    /// # Errors
    /// The operating system gives no event queue for the planner.
    pub fn new(store: PlanStore) -> Result<Self, EngineError> {
        let planner = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(2)
            .build()
            .map_err(|e| EngineError::Failed(format!("cannot start the planner: {e}")))?;
        Ok(Self { store, planner: Mutex::new(planner), known: Mutex::default(), jobs: Mutex::default() })
    }

    fn context(&self, settings: PlanSettings, dataset: Option<&str>) -> Result<SessionContext, EngineError> {
        let mut known = locked(&self.known);
        let key = (settings, dataset.map(str::to_owned));
        if let Some(context) = known.contexts.get(&key) {
            return Ok(context.clone());
        }
        let context = match (&known.tables, dataset) {
            (Some(tables), _) => tables.context(dataset, &settings.config())?,
            (None, None) => SessionContext::new_with_config(settings.config()),
            (None, Some(name)) => {
                return Err(EngineError::Failed(format!("dataset `{name}` is not loaded; prepare it before running")));
            }
        };
        known.contexts.insert(key, context.clone());
        Ok(context)
    }

    fn scanned(&self, workload: &Workload, query: &LogicalPlan) -> Option<Bytes> {
        let dataset = workload.dataset.as_deref()?;
        let tables = locked(&self.known).tables.clone();
        tables.map(|tables| tables.scanned(dataset, query))
    }

    fn lower_query(&self, id: JobId, workload: &Workload, env: &StyleEnv) -> Result<Lowered, EngineError> {
        let settings = PlanSettings::from_env(env);
        let adaptive = AdaptiveSettings::of(env);
        let context = self.context(settings, workload.dataset.as_deref())?;
        let failed = |e: DataFusionError| engine_error(&workload.name, &e);
        let frame = locked(&self.planner).block_on(data_frame(&context, workload))?;
        let query = frame.into_unoptimized_plan();
        let context = match self.scanned(workload, &query) {
            Some(bytes) => self.context(settings.for_tables(env, bytes), workload.dataset.as_deref())?,
            None => context,
        };
        let whole = locked(&self.planner).block_on(context.state().create_physical_plan(&query)).map_err(failed)?;
        let failed = |e: PlanError| e.into_engine(&workload.name);
        let mut plan = cut(id, &whole).map_err(failed)?;
        let history = replan::prepare(&mut plan, &adaptive);
        let job = Job {
            config: task_config(&context.copied_config()),
            runtime: context.runtime_env(),
            settings: adaptive,
            stats: BTreeMap::new(),
            history,
            due: BTreeSet::new(),
            plan,
        };
        let graph = Arc::new(job.plan.graph().map_err(failed)?);
        self.store.publish(&job.plan, &job.config, &job.runtime).map_err(failed)?;
        let schema = Arc::clone(&job.plan.schema);
        locked(&self.jobs).insert(id, job);
        Ok(Lowered { graph, schema })
    }

    /// Changes what is left of a job in the light of a finished fragment; `None` if nothing is to be changed.
    fn replanned(&self, job: &mut Job, stats: &StageStats, fixed: &[FragmentId]) -> Option<(Planned, JobPlan)> {
        job.stats.insert(stats.fragment, stats.clone());
        let fixed: BTreeSet<FragmentId> = fixed.iter().copied().collect();
        let mut plan = job.plan.clone();
        let notes = replan::replan(&mut plan, &job.stats, stats.fragment, &fixed, &job.settings);
        if notes.is_empty() {
            return None;
        }
        let published = plan.graph().and_then(|graph| {
            self.store.publish(&plan, &job.config, &job.runtime)?;
            Ok(graph)
        });
        match published {
            Ok(graph) => Some((Planned { job: plan.job, graph: Some(Arc::new(graph)), notes }, plan)),
            Err(error) => {
                // The job still runs as it was planned before.
                tracing::warn!(job = %plan.job, %error, "replanning was given up");
                None
            }
        }
    }
}

impl Front for PlanFront {
    fn prepare(&self, data: &[Arc<Dataset>]) -> Result<(), EngineError> {
        let config = PlanSettings { partitions: 1 }.config();
        let runtime = Arc::new(RuntimeEnv::default());
        let tables = locked(&self.planner).block_on(Tables::open(data, &config, &runtime))?;
        *locked(&self.known) = Known { tables: Some(Arc::new(tables)), contexts: BTreeMap::new() };
        Ok(())
    }

    fn lower(&self, job: JobId, workload: &Workload, env: &StyleEnv) -> Result<Lowered, EngineError> {
        match &workload.program {
            Program::Query(_) => self.lower_query(job, workload, env),
            Program::Graph(graph) => {
                graph
                    .validate()
                    .map_err(|e| EngineError::Program { workload: workload.name.clone(), message: e.to_string() })?;
                Ok(Lowered { graph: Arc::new(graph.clone()), schema: Arc::new(Schema::empty()) })
            }
        }
    }

    fn replan(&self, id: JobId, stats: &StageStats, fixed: &[FragmentId]) -> Planned {
        let mut jobs = locked(&self.jobs);
        let replanned = jobs.get_mut(&id).and_then(|job| {
            let (planned, plan) = self.replanned(job, stats, fixed)?;
            job.plan = plan;
            job.history.extend(planned.notes.iter().cloned());
            Some(planned)
        });
        replanned.unwrap_or(Planned { job: id, graph: None, notes: vec![] })
    }

    fn ship(&self, args: &[u8]) -> Option<bytes::Bytes> {
        self.store.ship(&PlanKey::decode(args)?)
    }

    fn due(&self, job: JobId) -> Vec<bytes::Bytes> {
        let keys = locked(&self.jobs).get_mut(&job).map(Job::take_due).unwrap_or_default();
        keys.iter().map(PlanKey::encode).collect()
    }

    fn explain(&self, job: JobId) -> String {
        locked(&self.jobs).get(&job).map(|job| explain_with(&job.plan, &job.stats, &job.history)).unwrap_or_default()
    }

    fn forget(&self, job: JobId) {
        locked(&self.jobs).remove(&job);
        self.store.forget(job);
    }
}

/// A lock whose holder panicked still guards whole values: they are only ever replaced.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
