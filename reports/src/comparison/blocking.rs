//! What a contestant would have taken without one kind of blocking: predicted, never measured.

use bench_record::Blocking;
use serde::Serialize;
use std::collections::BTreeMap;

/// A contestant's cases played again in virtual time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlockingReport {
    /// Who.
    pub contestant: String,
    /// The sum of the traced trials' times, over the cases whose replay is faithful.
    pub measured_ns: u64,
    /// What the replay makes of it.
    pub replayed_ns: u64,
    /// Which share of the replayed time goes away with each kind; kinds that nothing was spent on are absent. They do not
    /// add up: what one kind no longer holds up may wait for another.
    pub saved_share: BTreeMap<Blocking, f64>,
    /// The largest error of a faithful replay, as a share of the measured time.
    pub error_max: Option<f64>,
    /// One per traced case.
    pub cases: Vec<BlockingCase>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlockingCase {
    /// Which workload.
    pub workload: String,
    /// How long the traced trial took.
    pub measured_ns: u64,
    /// How long it takes when it is played again as it was.
    pub replayed_ns: Option<u64>,
    /// By how much that misses, as a share of the measured time.
    pub error: Option<f64>,
    /// Why it was not played again.
    pub reason: Option<String>,
    /// How long it takes without each kind; empty if the replay is not faithful.
    pub without_ns: BTreeMap<Blocking, u64>,
}
