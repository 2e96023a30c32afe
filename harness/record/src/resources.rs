//! What the operating system counted beside a trial's processes: stalls, and bytes over the network.

use serde::{Deserialize, Serialize};

/// Whose stalls were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PressureOf {
    /// The control group that harness and engines share, nodes of this machine included.
    Cgroup,
    /// Everything on the machine.
    Machine,
}

/// For how long of a trial tasks stalled (Linux pressure stall information): `some` is time in which at least one waited
/// for the resource, `full` time in which all did at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressure {
    /// Whose tasks.
    pub of: PressureOf,
    /// Waiting for a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_some_ns: Option<u64>,
    /// The same, all of them; unknown of a whole machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_full_ns: Option<u64>,
    /// Waiting for memory: reclaim, swapping, pages that were dropped too early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_some_ns: Option<u64>,
    /// The same, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_full_ns: Option<u64>,
    /// Waiting for storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_some_ns: Option<u64>,
    /// The same, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_full_ns: Option<u64>,
}

/// Bytes over the network interfaces of every namespace of this machine that a process of the trial lived in. An interface
/// counts for everybody in its namespace: only emulated nodes have one to themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkBytes {
    /// How many namespaces: one, and one more for each emulated node.
    pub namespaces: u32,
    /// Received over loopback: between processes of one namespace.
    pub loopback_received_bytes: u64,
    /// Sent over loopback.
    pub loopback_sent_bytes: u64,
    /// Received over all other interfaces.
    pub received_bytes: u64,
    /// Sent over all other interfaces.
    pub sent_bytes: u64,
}
