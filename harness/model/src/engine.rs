//! Something that runs workloads: an in-repo style, DataFusion itself, or a real product.

use crate::cluster::ClusterSpec;
use crate::dataset::Dataset;
use crate::fault::{FaultOutcome, FaultPlan};
use crate::probe::Probe;
use crate::program::{Family, Workload};
use crate::span::SpanReport;
use crate::trace::JobTrace;
use crate::tuning::{Switch, Tuning};
use crate::units::{Bytes, Nanos};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What an engine can do.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Families it has programs for.
    pub families: Vec<Family>,
    /// Its switches.
    pub switches: &'static [Switch],
    /// Whether it can run on node processes.
    pub distributed: bool,
    /// The most slots it can use, if that does not depend on the machine: one for a single-threaded baseline.
    pub slots_max: Option<u32>,
    /// What it is, in one line.
    pub about: &'static str,
}

/// What an engine is started with. The same for every engine of a comparison.
#[derive(Clone, Debug)]
pub struct EngineSetup {
    /// How many tasks run at a time.
    pub slots: u32,
    /// Memory the engine may hold before it must spill; unlimited if absent.
    pub memory: Option<Bytes>,
    /// An empty folder of its own on local disk, removed by whoever made it.
    pub scratch: PathBuf,
    /// Its switches, resolved.
    pub tuning: Tuning,
    /// Whether to account for each slot's time.
    pub spans: bool,
    /// Where its nodes run.
    pub cluster: ClusterSpec,
}

/// A complete, materialised answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
    /// Where slot time went, if asked for and known.
    pub spans: Option<SpanReport>,
    /// What each task did, if that was asked for ([`Session::trace_next`]), and they are few enough to be kept.
    pub trace: Option<Box<JobTrace>>,
    /// What the engine decided on the way (replanning, retries, speculation), a sentence each.
    pub notes: Vec<String>,
    /// What came of the faults that were armed for this run.
    pub faults: Vec<FaultOutcome>,
    /// Bytes that operators of all tasks wrote out during the run because memory ran short; absent if not measured.
    pub spilled_bytes: Option<u64>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The engine has no way to run this; honest and final.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The program itself is wrong (SQL that does not parse, a column that is not there).
    #[error("{workload}: {message}")]
    Program {
        /// Which workload.
        workload: String,
        /// What is wrong with it.
        message: String,
    },
    /// The data cannot be read (missing, truncated, foreign).
    #[error("cannot read table `{table}`: {message}")]
    Data {
        /// Which table.
        table: String,
        /// Why.
        message: String,
    },
    /// The memory limit is too small for this.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled,
    /// Anything else that went wrong while running.
    #[error("{0}")]
    Failed(String),
}

/// How an engine would run, or ran, a workload: text for people, stages and changes included.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The plan as text, stage by stage.
    pub text: String,
}

/// Makes sessions.
pub trait Engine: Send + Sync {
    /// Its name on the command line and in records.
    fn name(&self) -> &'static str;
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot run here.
    fn start(&self, setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError>;
}

/// A started engine. Used by one thread.
pub trait Session {
    /// Makes datasets known. Reads schemas and statistics, not rows. Called again, it replaces.
    ///
    /// # Errors
    /// A table that cannot be opened.
    fn prepare(&mut self, data: &[Arc<Dataset>]) -> Result<(), EngineError>;
    /// Runs a workload and materialises its whole answer. `stop` turns true when it is no longer wanted.
    ///
    /// # Errors
    /// See [`EngineError`].
    fn run(&mut self, workload: &Workload, stop: &Arc<AtomicBool>) -> Result<Answer, EngineError>;
    /// Plans faults for the next run. A fault that ends a node is over with the run: the next one begins on a whole cluster.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] where nothing of the kind can be done.
    fn arm(&mut self, faults: &FaultPlan) -> Result<(), EngineError> {
        if faults.faults.is_empty() {
            return Ok(());
        }
        Err(EngineError::Unsupported("this engine runs in one process: there is no node to hurt".to_owned()))
    }
    /// What came of the faults of the last run, if that run gave no answer: an answer carries its own. Told once.
    fn struck(&mut self) -> Vec<FaultOutcome> {
        Vec::new()
    }
    /// The next run is wanted with what each of its tasks did ([`Answer::trace`]), which costs it a little time. An engine
    /// that accounts for no spans, or has no such tasks, gives none.
    fn trace_next(&mut self) {}
    /// Does work that does nothing and times it; the samples, in the order they were taken.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] with the reason where the engine has nothing that the probe stands for.
    fn probe(&mut self, probe: &Probe, stop: &Arc<AtomicBool>) -> Result<Vec<Nanos>, EngineError> {
        let _ = stop;
        let what = match probe {
            Probe::Tasks { .. } | Probe::RoundTrip { .. } | Probe::Recover { .. } => "tasks that could be sent to it",
            Probe::Calls { .. } | Probe::CallRoundTrip { .. } => "stateful workers",
            Probe::Put { .. } | Probe::Get { .. } | Probe::Spill { .. } => "store that values could be given to",
            Probe::Serialize { .. } => "serializer: everything stays in one process",
        };
        Err(EngineError::Unsupported(format!("it has no {what}")))
    }
    /// Explains a workload; `analyze` also runs it and shows what adaptive replanning changed.
    ///
    /// # Errors
    /// See [`EngineError`].
    fn explain(&mut self, workload: &Workload, analyze: bool) -> Result<Explanation, EngineError>;
}
