//! Replanning (being written).
mod settings;
pub use settings::{AdaptiveSettings, JoinChoice};
use crate::fragment::JobPlan;
use bench_model::{FragmentId, StageStats};
use std::collections::{BTreeMap, BTreeSet};

/// Placeholder.
pub fn replan(
    _: &mut JobPlan,
    _: &BTreeMap<FragmentId, StageStats>,
    _: FragmentId,
    _: &BTreeSet<FragmentId>,
    _: &AdaptiveSettings,
) -> Vec<String> {
    vec![]
}
/// Placeholder.
pub fn prepare(_: &mut JobPlan, _: &AdaptiveSettings) -> Vec<String> {
    vec![]
}
