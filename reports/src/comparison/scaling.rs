//! One engine on several node counts: the same suite, so this is strong scaling.

use super::Ratio;
use crate::stats::{Interval, Scalability};
use serde::Serialize;

/// An engine, cluster kind and variant on two node counts or more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalingSeries {
    /// Who: the label without the node count.
    pub engine: String,
    /// The kind of cluster.
    pub cluster: String,
    /// The workloads that every node count completed; all times are sums over these.
    pub common: usize,
    /// Of so many that the family has here.
    pub cases: usize,
    /// Whether the slots per node differ, because the cores of one machine were shared out. Efficiency is then per slot of
    /// the whole cluster, not per node.
    pub slots_shared: bool,
    /// The cores of the one machine, if some node count has more slots than those. Efficiency is then per core that is
    /// there, and such node counts are left out of the law.
    pub shared_cores: Option<f64>,
    /// Ascending by node count; the first is what the others are compared with.
    pub points: Vec<ScalingPoint>,
    /// The Universal Scalability Law.
    pub law: Law,
}

/// One node count.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalingPoint {
    /// The contestant's label.
    pub contestant: String,
    /// Nodes.
    pub nodes: u32,
    /// Slots per node.
    pub slots: u32,
    /// Sum of the medians of the common workloads; absent if there are none.
    pub wall_ns_total: Option<f64>,
    /// The fewest trials that one of these has: below 6 the intervals here are ranges of what resampling gives.
    pub trials_min: Option<usize>,
    /// Its 95 % bootstrap interval.
    pub wall_ns_interval: Option<Interval>,
    /// Time at the smallest node count over time here, so above 1 is faster; absent for the smallest itself. Its verdict
    /// is about the time here: `faster` means that the added nodes helped.
    pub speedup: Option<Ratio>,
    /// The speedup over the growth of the cluster, in nodes, slots or cores: 1 is all that could be hoped for.
    pub efficiency: Option<f64>,
    /// Its 95 % interval.
    pub efficiency_interval: Option<Interval>,
}

/// The Universal Scalability Law of a series, over node counts, or over slots of the whole cluster if slots were shared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Law {
    /// Too few to fit three parameters.
    InsufficientPoints {
        /// Different sizes measured, with an interval.
        measured: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Fitted.
    Fitted(Scalability),
}
