//! What a job did, task by task: enough to play its schedule again in virtual time.

use crate::graph::Graph;
use crate::ids::{Attempt, FragmentId, NodeId, TaskId};
use crate::kernel::TaskFailure;
use crate::machine::TaskReport;
use crate::span::{SpanKind, SpanReport};
use crate::units::{Bytes, Nanos};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of [`JobTrace`] as it is written to disk.
pub const TRACE_SCHEMA: u32 = 1;

/// A job that was answered: who ran it, what it was made of, and what each part took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobTrace {
    /// [`TRACE_SCHEMA`].
    pub schema: u32,
    /// The style whose machines decided.
    pub style: String,
    /// Every switch of it, as text.
    pub settings: BTreeMap<String, String>,
    /// How many nodes there were.
    pub nodes: u32,
    /// How many tasks each of them ran at a time.
    pub slots: u32,
    /// Memory each of them could hold; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<Bytes>,
    /// Where the slots' time went, from submitting to the answer.
    pub spans: SpanReport,
    /// After how long the machines got the job: until then it was planned.
    pub planned_ns: Nanos,
    /// After how long the machines had finished it: from then on its answer was read.
    pub finished_ns: Nanos,
    /// What replanning took, by the fragment whose sizes it looked at.
    pub replanning: Vec<Replanning>,
    /// How many blocks were moved from memory to disk.
    pub spills: u64,
    /// What was copied from node to node ahead of the tasks that read it.
    pub copied: Copied,
    /// The job as it ended up, replanning included; the calls' arguments are left out.
    pub graph: Graph,
    /// The attempts that ran well, in the order they ended.
    pub tasks: Vec<TaskTrace>,
}

/// One look of the planner at the sizes of a finished fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replanning {
    /// The fragment that had finished.
    pub after: FragmentId,
    /// How long the planner took.
    pub took_ns: Nanos,
}

/// Blocks that a node copied from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// How many bytes.
    pub bytes: Bytes,
    /// The sum of their waits, from asking to having each.
    pub took_ns: Nanos,
}

/// An attempt that ran well.
///
/// It also crosses processes in a format that does not name its fields, so that none may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTrace {
    /// Which task.
    pub task: TaskId,
    /// Which run of it.
    pub attempt: Attempt,
    /// Where it ran.
    pub node: NodeId,
    /// How long it held its slot, by kind; absent kinds took none.
    pub by_kind_ns: BTreeMap<SpanKind, Nanos>,
    /// What its node had copied since the attempt that ended there before it.
    pub copied: Copied,
    /// Rows and bytes of each block it wrote, in order.
    pub blocks: Vec<(u64, u64)>,
}

impl TaskTrace {
    /// What an attempt leaves behind that spent so much of each kind, in the order of [`SpanKind::ALL`]; nothing if it
    /// failed.
    #[must_use]
    pub fn of(
        (task, attempt): (TaskId, Attempt),
        node: NodeId,
        result: &Result<TaskReport, TaskFailure>,
        spent: impl IntoIterator<Item = u64>,
    ) -> Option<Self> {
        let report = result.as_ref().ok()?;
        let by_kind = SpanKind::ALL.iter().zip(spent).filter(|(_, ns)| *ns > 0);
        Some(Self {
            task,
            attempt,
            node,
            copied: Copied::default(),
            by_kind_ns: by_kind.map(|(kind, ns)| (*kind, Nanos::new(ns))).collect(),
            blocks: report.blocks.iter().map(|b| (b.rows.get(), b.bytes.get())).collect(),
        })
    }

    /// How long it held its slot.
    #[must_use]
    pub fn total(&self) -> Nanos {
        self.by_kind_ns.values().copied().sum()
    }
}

/// What may keep a task or a slot from computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocking {
    /// Planning before the first task, and replanning between fragments.
    Planning,
    /// The scheduler's own time between two tasks of a slot.
    Scheduling,
    /// Reading blocks of the same node, deserializing included.
    FetchLocal,
    /// Waiting for blocks of other nodes.
    FetchRemote,
    /// Moving memory to disk and back.
    Spill,
    /// Encoding and writing blocks.
    ShuffleWrite,
    /// Tasks that take longer than the median of their fragment.
    Straggler,
    /// Tasks that do not start although all that they read is there.
    Barrier,
    /// Collecting the answer.
    Report,
}

impl Blocking {
    /// Every kind, in report order.
    pub const ALL: &'static [Self] = &[
        Self::Planning,
        Self::Scheduling,
        Self::FetchLocal,
        Self::FetchRemote,
        Self::Spill,
        Self::ShuffleWrite,
        Self::Straggler,
        Self::Barrier,
        Self::Report,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Scheduling => "scheduling",
            Self::FetchLocal => "fetch_local",
            Self::FetchRemote => "fetch_remote",
            Self::Spill => "spill",
            Self::ShuffleWrite => "shuffle_write",
            Self::Straggler => "straggler",
            Self::Barrier => "barrier",
            Self::Report => "report",
        }
    }

    /// Whether time of this kind on a slot vanishes with it.
    #[must_use]
    pub const fn covers(self, kind: SpanKind) -> bool {
        match self {
            Self::FetchLocal => matches!(kind, SpanKind::FetchLocal | SpanKind::Deserialize),
            Self::FetchRemote => matches!(kind, SpanKind::FetchRemote),
            Self::Spill => matches!(kind, SpanKind::SpillWrite | SpanKind::SpillRead),
            Self::ShuffleWrite => matches!(kind, SpanKind::ShuffleWrite),
            Self::Planning | Self::Scheduling | Self::Straggler | Self::Barrier | Self::Report => false,
        }
    }
}
