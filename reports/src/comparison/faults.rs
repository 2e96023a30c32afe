//! What faults did to an engine, and what it took to recover.
//!
//! Only trials in which every planned fault fired say something about recovery. One in which a fault did not fire is void:
//! it is counted, and in no statistic. One that did not complete and left no record of its faults is counted apart: whether
//! they fired is unknown.

use super::{Ratio, TotalRatio};
use bench_record::Outcome;
use serde::Serialize;

/// A contestant under a plan of faults, over a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultReport {
    /// The contestant's label.
    pub contestant: String,
    /// What was planned for every trial.
    pub plan: String,
    /// Trials of the main arm that count. Those that the engine refused beforehand do not.
    pub trials: usize,
    /// Those in which every fault fired.
    pub fired: usize,
    /// Those in which some fault did not.
    pub void: usize,
    /// Why not, each reason once.
    pub void_reasons: Vec<String>,
    /// Those that did not complete and do not say whether the faults fired.
    pub unrecorded: usize,
    /// Of the fired ones, those with a right answer.
    pub completed: usize,
    /// One per planned fault, over the fired trials.
    pub effects: Vec<FaultEffect>,
    /// Whom its times are compared with: the same engine on the same nodes without faults.
    pub whole: Option<String>,
    /// Its time over that one's, over the workloads that both completed: in every fired trial, and in every trial.
    pub against_whole: Option<TotalRatio>,
    /// By workload.
    pub cases: Vec<FaultCase>,
}

/// What came of one fault of the plan. Times and counts are medians of fired trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultEffect {
    /// The fault as planned.
    pub fault: String,
    /// Fired trials in which the driver noticed it.
    pub detected: usize,
    /// From firing to noticing, in those.
    pub detection_ns_median: Option<f64>,
    /// Fired trials in which lost work was made again.
    pub recovered: usize,
    /// From firing to the end of the last repeated task, in those.
    pub recovery_ns_median: Option<f64>,
    /// Tasks that ran more than once because of it, in all fired trials.
    pub tasks_repeated_median: Option<f64>,
    /// Time of those repetitions on their slots, in the fired trials that say.
    pub repeated_ns_median: Option<f64>,
    /// Wasted work: that time over the time of all tasks, in the fired trials that say.
    pub wasted_share_median: Option<f64>,
}

/// One workload under faults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultCase {
    /// Which.
    pub workload: String,
    /// The worst outcome of its trials, void ones included: an answer must be right whether or not a fault fired.
    pub outcome: Outcome,
    /// Trials that count.
    pub trials: usize,
    /// Those in which every fault fired.
    pub fired: usize,
    /// Those in which some fault did not.
    pub void: usize,
    /// Of the fired ones, those with a right answer.
    pub completed: usize,
    /// Median time of the fired trials; absent unless all of them completed, and no trial failed without a record.
    pub wall_ns_median: Option<f64>,
    /// Over the time without faults.
    pub against_whole: Option<Ratio>,
}
