//! Explain (being written).
use crate::fragment::JobPlan;

/// Placeholder.
#[must_use]
pub fn explain(_: &JobPlan, _: &[String]) -> String {
    String::new()
}
