//! One engine on several node counts over data that grow with them: weak scaling.

use super::{Law, Ratio};
use crate::stats::Interval;
use bench_record::{Family, Protocol};
use serde::Serialize;

/// A family of a suite at several scales, measured in one way on one machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeakScaling {
    /// The suite, at its own scale.
    pub suite: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The machine's key.
    pub machine: String,
    /// The family.
    pub family: Family,
    /// One per engine that ran on two node counts or more, each over its share of data.
    pub series: Vec<WeakSeries>,
}

/// An engine, cluster kind and variant on as many nodes as its data are times the suite's own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeakSeries {
    /// Who: the label without the node count.
    pub engine: String,
    /// The kind of cluster.
    pub cluster: String,
    /// The workloads that every node count completed; all times are sums over these.
    pub common: usize,
    /// Of so many that the family has.
    pub cases: usize,
    /// Whether the slots per node differ, because the cores of one machine were shared out. Efficiency is then per slot of
    /// the whole cluster, not per node.
    pub slots_shared: bool,
    /// The cores of the one machine, if some node count has more slots than those. Efficiency is then per core that is
    /// there, and such node counts are left out of the law.
    pub shared_cores: Option<f64>,
    /// Ascending by node count; the first is what the others are compared with.
    pub points: Vec<WeakPoint>,
    /// The Universal Scalability Law, of the work done per second: data over time.
    pub law: Law,
}

/// One node count with its data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeakPoint {
    /// The table whose trials these are, from 0.
    pub table: usize,
    /// What it is called there.
    pub contestant: String,
    /// Nodes.
    pub nodes: u32,
    /// Slots per node.
    pub slots: u32,
    /// How many times the suite's own scale the data have.
    pub scale: u32,
    /// Sum of the medians of the common workloads; absent if there are none.
    pub wall_ns_total: Option<f64>,
    /// The fewest trials that one of these has: below 6 the intervals here are ranges of what resampling gives.
    pub trials_min: Option<usize>,
    /// Its 95 % bootstrap interval.
    pub wall_ns_interval: Option<Interval>,
    /// Time here over time at the smallest node count, each over its own data; absent for the smallest itself. The ideal is
    /// 1 where the cluster has grown as much as the data.
    pub time: Option<Ratio>,
    /// Growth of the data over growth of the time and of the cluster: 1 is all that could be hoped for.
    pub efficiency: Option<f64>,
    /// Its 95 % interval.
    pub efficiency_interval: Option<Interval>,
}
