//! What can go wrong between a program and its fragments.

use bench_model::{EngineError, FragmentId, GraphError};
use datafusion::error::DataFusionError;

/// Why a program has no fragments.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// DataFusion refused.
    #[error("{}", plain(.0))]
    DataFusion(#[from] DataFusionError),
    /// A fragment is read that is not there: a bug of cutting or replanning.
    #[error("fragment {0} is read but not planned")]
    MissingFragment(FragmentId),
    /// A fragment depends on itself: a bug of cutting or replanning.
    #[error("fragment {0} depends on itself")]
    Cycle(FragmentId),
    /// Fragments that do not fit together: a bug of cutting or replanning.
    #[error("the fragments do not fit together: {0}")]
    Graph(#[from] GraphError),
    /// A physical operator whose tasks cannot be told apart.
    #[error("operator {0} cannot be cut into tasks")]
    Operator(String),
}

impl PlanError {
    /// As an engine reports it for `workload`: what the user wrote is told apart from what failed inside.
    #[must_use]
    pub fn into_engine(self, workload: &str) -> EngineError {
        match self {
            Self::DataFusion(e) => engine_error(workload, &e),
            Self::Operator(_) => EngineError::Unsupported(format!("{workload}: {self}")),
            other => EngineError::Failed(format!("{workload}: {other}")),
        }
    }
}

/// DataFusion's error as an engine reports it for `workload`.
#[must_use]
pub fn engine_error(workload: &str, error: &DataFusionError) -> EngineError {
    let message = plain(error);
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => EngineError::OutOfMemory(message),
        DataFusionError::NotImplemented(_) => EngineError::Unsupported(format!("{workload}: {message}")),
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Configuration(_) => EngineError::Program { workload: workload.to_owned(), message },
        _ => EngineError::Failed(format!("{workload}: {message}")),
    }
}

/// The error's first line: DataFusion appends back traces and hints on how to file a bug.
#[must_use]
pub fn plain(error: &DataFusionError) -> String {
    error.strip_backtrace().lines().next().unwrap_or_default().trim_end().to_owned()
}
