//! Where slots spent their time.

use bench_record::SpanKind;
use serde::Serialize;
use std::collections::BTreeMap;

/// Where a contestant's slots spent their time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanBreakdown {
    /// Who.
    pub contestant: String,
    /// Trials that recorded spans.
    pub trials: usize,
    /// Slots x makespan, summed over those trials.
    pub slot_ns: u64,
    /// Share of it by kind.
    pub share: BTreeMap<SpanKind, f64>,
    /// Share that no kind accounts for; negative if they overlap.
    pub unknown_share: f64,
    /// Workloads whose spans miss the 1 % rule, with the share they account for.
    pub violations: BTreeMap<String, f64>,
}
