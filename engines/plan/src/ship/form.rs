//! What travels: a fragment as plain data.

use bench_model::{FragmentId, Input};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a request for a plan is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Letter {
    /// The plan. Nothing in it names the job: plans of equal content have equal bytes.
    Plan(FragmentForm),
    /// Why it cannot travel.
    Refused(String),
}

/// Which entry of [`FragmentForm::nodes`].
pub(super) type NodeId = u32;

/// A fragment's plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct FragmentForm {
    pub(super) id: FragmentId,
    pub(super) tasks: u32,
    pub(super) inputs: Vec<Input>,
    /// For each input, the kernel inputs that hold its blocks.
    pub(super) ranges: Vec<Range<usize>>,
    pub(super) cut: CutForm,
    /// DataFusion's settings that are not at their default.
    pub(super) settings: Vec<(String, String)>,
    /// The operators, inputs before the operators that read them. Each is named by one other, or by `root`.
    pub(super) nodes: Vec<NodeForm>,
    pub(super) root: NodeId,
    /// Inner parts of long expressions, each an encoded operator that has it as its only expression.
    pub(super) expressions: Vec<Vec<u8>>,
    /// How many scalar subqueries each container holds.
    pub(super) containers: Vec<u32>,
}

/// What happens to the fragment's rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum CutForm {
    /// `like` is a repartitioning by the keys.
    Hash {
        like: NodeId,
        outputs: u32,
    },
    Gather,
    Broadcast,
    #[default]
    Collect,
}

/// One operator.
///
/// `like` names a stand-in: an empty leaf, repartitioned or sorted, that promises what the operator promises. So columns,
/// keys and orders travel in DataFusion's encoding, too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum NodeForm {
    /// One of DataFusion's, in its encoding; its inputs are named inside.
    DataFusion {
        message: Vec<u8>,
        /// Whether a scan of files keeps the order of their rows, which the encoding leaves out.
        in_order: bool,
    },
    /// [`crate::BlockScanExec`].
    BlockScan { input: u32, from: FragmentId, merges: bool, like: NodeId },
    /// [`crate::ScalarsExec`].
    Scalars { container: u32, input: NodeId, scalars: Vec<(u32, NodeId)> },
    /// A recursive query, for which DataFusion has no encoding.
    Recursive { name: String, like: NodeId, start: NodeId, step: NodeId, distinct: bool },
    /// What a recursive query's step reads.
    WorkTable { name: String, like: NodeId, projection: Option<Vec<u32>> },
}
