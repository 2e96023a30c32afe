//! Why bytes are not a plan.

use crate::error::plain;
use crate::store::PlanKey;
use datafusion::error::DataFusionError;

/// What can go wrong between a plan in one process and the same plan in another.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// Not what this build writes.
    #[error("these bytes are not a plan in this build's form; run the same build everywhere")]
    Foreign,
    /// Changed on the way; asking again may help.
    #[error("a plan arrived damaged: its hash does not match; ask for it again")]
    Damaged,
    /// Somebody answered with another plan.
    #[error("the plan that arrived is not that of {}/{} revision {}", .0.job, .0.fragment, .0.revision)]
    OtherPlan(PlanKey),
    /// The sender could not put it into bytes.
    #[error("{0}")]
    Refused(String),
    /// It would not run as it was planned.
    #[error("operator `{sent}` cannot run in another process: it would arrive as `{received}`")]
    Changed {
        /// The operator as planned.
        sent: String,
        /// The operator as it would arrive.
        received: String,
    },
    /// Deeper than a task's stack is good for.
    #[error("the plan is nested more than {0} levels deep and cannot run in another process")]
    Deep(u32),
    /// Longer than what travels between processes.
    #[error(
        "the plan takes {0} bytes and cannot run in another process; scan fewer files, or move literals into a table"
    )]
    Long(usize),
    /// DataFusion has no encoding for a part of it, or refuses what was decoded.
    #[error("the plan cannot run in another process: {}", plain(.0))]
    DataFusion(#[from] DataFusionError),
}

impl ShipError {
    /// Whether another attempt may end better.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Damaged)
    }
}
