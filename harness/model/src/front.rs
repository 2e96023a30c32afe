//! The front half that all styles share: a program becomes a graph, and the rest of a graph may be replanned.

use crate::dataset::Dataset;
use crate::engine::EngineError;
use crate::graph::Graph;
use crate::ids::{FragmentId, JobId};
use crate::machine::{Planned, StageStats, StyleEnv};
use crate::program::Workload;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use std::sync::Arc;

/// A program, planned and cut at its exchanges.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What the style's machines run.
    pub graph: Arc<Graph>,
    /// The answer's columns.
    pub schema: SchemaRef,
}

/// Planning, kept outside the machines because it is heavy and not deterministic in time.
pub trait Front: Send + Sync {
    /// Makes datasets known; replaces earlier ones.
    ///
    /// # Errors
    /// A table that cannot be opened.
    fn prepare(&self, data: &[Arc<Dataset>]) -> Result<(), EngineError>;
    /// Plans a workload for a style's settings and remembers it under `job` until [`Front::forget`].
    ///
    /// # Errors
    /// The program is wrong or unsupported.
    fn lower(&self, job: JobId, workload: &Workload, env: &StyleEnv) -> Result<Lowered, EngineError>;
    /// Looks at what a finished fragment produced and changes fragments that are not `fixed`.
    fn replan(&self, job: JobId, stats: &StageStats, fixed: &[FragmentId]) -> Planned;
    /// The encoded form of what a call's arguments name, so that another process can run it; none if they name nothing
    /// that is here, or if this front keeps nothing that calls could name.
    fn ship(&self, args: &[u8]) -> Option<Bytes> {
        let _ = args;
        None
    }
    /// The arguments of calls that are about to be made and were not named before, in the order in which they are worth
    /// shipping. What they name may be changed later all the same; it has other arguments then.
    fn due(&self, job: JobId) -> Vec<Bytes> {
        let _ = job;
        Vec::new()
    }
    /// The job's fragments as text: exchanges, partitions, operators and what replanning changed.
    fn explain(&self, job: JobId) -> String;
    /// Drops everything remembered about a job.
    fn forget(&self, job: JobId);
}
