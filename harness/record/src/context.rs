//! What was asked for, and of what: the contents of `run.json`.

use crate::case::{Protocol, is_once, once};
use crate::content::Content;
use crate::machine::{Machine, NodeMachine};
use crate::time::Timestamp;
use bench_model::{Family, Tuning};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run's context, written before its first trial. Read from the live process and system, never from tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunContext {
    /// The schema version: [`crate::SCHEMA`].
    pub schema: u32,
    /// The build of this program.
    pub bench: Build,
    /// The suite requested.
    pub suite: String,
    /// The families requested.
    pub families: Vec<Family>,
    /// The engines requested, in the order they are shown.
    pub engines: Vec<EngineContext>,
    /// The command line, program name first.
    pub command_line: Vec<String>,
    /// How trials meet the machine.
    pub protocol: Protocol,
    /// Trials requested per case and arm.
    pub trials: u32,
    /// The seed of everything random, the order of trials included.
    pub seed: u64,
    /// After how long a trial is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ns: Option<u64>,
    /// Where engines ran.
    pub cluster: ClusterContext,
    /// The machine under it all.
    pub machine: Machine,
    /// The data, with what identifies its bytes.
    pub datasets: Vec<DatasetContext>,
    /// The workloads that ran, with what identifies each program; empty in runs of builds that did not write it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadContext>,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it was continued after an interruption, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed_at: Vec<Timestamp>,
    /// When its last trial ended; absent if it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What a reader should know before trusting it, each with the next step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Which build of this program ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its version.
    pub version: String,
    /// What identifies its bytes: a build id, or a hash of the executable.
    pub build_id: String,
}

/// One engine as it was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineContext {
    /// Its name, as in a case.
    pub name: String,
    /// Its variant, as in a case.
    pub variant: String,
    /// The version that the live engine reported.
    pub version: String,
    /// How many tasks it ran at a time, per node.
    pub slots: u32,
    /// Memory it was allowed to hold before spilling; absent is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Every switch, defaults included.
    #[serde(default)]
    pub tuning: Tuning,
    /// Whatever else the engine says about its configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// Where engines ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterContext {
    /// Its name, as in a case.
    pub name: String,
    /// How many nodes.
    pub nodes: u32,
    /// For nodes that are not machines: how they were made, such as `emulated: 4 nodes on 2 cores`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emulated: Option<String>,
    /// For nodes on other machines: what each of them runs on, in node order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<NodeMachine>,
    /// Whether nodes of our own got memory in small pages only, since they shared a machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub small_pages: bool,
}

impl ClusterContext {
    /// No cluster: engines in one process on this machine.
    #[must_use]
    pub fn local() -> Self {
        Self { name: "local".to_owned(), nodes: 1, emulated: None, machines: Vec::new(), small_pages: false }
    }
}

/// One dataset that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetContext {
    /// Its name, such as `tpch-sf1`.
    pub name: String,
    /// What it is derived from (`tpch` obliges the report to a disclaimer); absent for the user's own tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<String>,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// What identifies the bytes of all files together.
    pub checksum: String,
    /// Cases of which scale read it.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub scale: u32,
}

/// One workload that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadContext {
    /// Its name, as in a case.
    pub name: String,
    /// What identifies its program and the answer it is held to.
    pub checksum: String,
    /// At which scale: other data, and so another answer.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub scale: u32,
}

/// Something that two runs have under one name, and that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A dataset.
    #[error("dataset `{0}` holds other bytes")]
    Dataset(String),
    /// A workload.
    #[error("workload `{0}` has another program or another expected answer")]
    Workload(String),
    /// What a node runs on.
    #[error("node n{node} ran on another machine ({ours}, not {theirs})")]
    Machine {
        /// Which node.
        node: usize,
        /// What it ran on in the first run.
        ours: String,
        /// What it ran on in the other.
        theirs: String,
    },
}

impl RunContext {
    /// The first dataset, workload or machine of a node that both runs name and that is not the same in both: times of the
    /// two do not belong in one table. What only one of them names is no difference.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        Content::of(other).difference(self)
    }

    /// One line for the foot of a report: this machine, and those that nodes ran on.
    #[must_use]
    pub fn machine_summary(&self) -> String {
        let mut line = self.machine.summary();
        let mut nodes: Vec<(&NodeMachine, usize)> = Vec::new();
        for machine in &self.cluster.machines {
            match nodes.iter_mut().find(|(known, _)| known.is_like(machine)) {
                Some((_, times)) => *times += 1,
                None => nodes.push((machine, 1)),
            }
        }
        for (machine, times) in nodes {
            let nodes = if times == 1 { "node" } else { "nodes" };
            line.push_str(&format!("; {times} {nodes} on {machine}"));
        }
        if self.cluster.small_pages {
            line.push_str("; nodes of styles in small pages");
        }
        line
    }

    /// The engine of a case, if the context knows it.
    #[must_use]
    pub fn engine(&self, name: &str, variant: &str, slots: u32) -> Option<&EngineContext> {
        self.engines.iter().find(|e| e.name == name && e.variant == variant && e.slots == slots)
    }
}
