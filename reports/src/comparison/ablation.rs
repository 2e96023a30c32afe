//! What each mechanism of an engine is worth: its time without it over its time with it.

use super::Ratio;
use serde::Serialize;

/// An engine with its mechanisms switched off one at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ablation {
    /// The label of the engine as it is.
    pub contestant: String,
    /// One per mechanism: first those shown to help, the most valuable first, then those shown to hurt, then the rest.
    pub entries: Vec<AblationEntry>,
}

/// One mechanism.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AblationEntry {
    /// The switch that is off.
    pub switch: String,
    /// The label of the contestant without it.
    pub contestant: String,
    /// Total time without it over total time with it, over the workloads that both completed: above 1 it helps.
    pub total: Option<Ratio>,
    /// How many workloads those are.
    pub common: usize,
    /// Workloads that were completed with it and not without it.
    pub lost: Vec<String>,
    /// Where its absence costs most; absent without common workloads.
    pub worst: Option<WorkloadEffect>,
    /// Where its absence costs least, or gains.
    pub best: Option<WorkloadEffect>,
}

impl AblationEntry {
    /// Whether switching it off was shown to change anything.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.lost.is_empty() || self.total.is_none_or(|t| t.verdict.is_shown())
    }
}

/// A ratio on one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadEffect {
    /// Which.
    pub workload: String,
    /// Time without over time with.
    pub ratio: Ratio,
}
