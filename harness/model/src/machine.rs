//! Pure state machines: `(now, event) -> actions`.
//!
//! Invariant: a machine holds no clock, socket, file, thread or random source. Two hosts carry out its actions: the live
//! host (threads, files, sockets) and the simulated host (virtual time, injected faults).

use crate::block::BlockRef;
use crate::graph::{Call, Exchange, Graph};
use crate::ids::{Addr, Attempt, BlockId, FragmentId, JobId, NodeId, TaskId, TimerId};
use crate::kernel::{TaskFailure, TaskStats};
use crate::span::SpanKind;
use crate::tuning::{Switch, Tuning};
use crate::units::{Bytes, Nanos};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// One attempt at one task: everything a node needs to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which task.
    pub task: TaskId,
    /// Which run of it.
    pub attempt: Attempt,
    /// What to run.
    pub call: Call,
    /// For each input, the blocks to read, in a fixed order.
    pub inputs: Vec<Vec<BlockRef>>,
    /// How many output blocks it writes.
    pub outputs: u32,
    /// How the kernel cuts its rows into them.
    pub exchange: Exchange,
    /// Where the node keeps them.
    pub storage: Storage,
}

/// Where a block is kept: one of the things in which the styles differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// A file on local disk (Spark's shuffle files).
    Disk,
    /// The memory of the node's process (Dask's worker data). Other processes get a serialized copy.
    Heap,
    /// Sealed memory that all processes of the host can map (Ray's object store). Within one process it is the heap.
    Shared,
}

/// What a finished attempt left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// One entry per output block, in order.
    pub blocks: Vec<crate::BlockMeta>,
    /// What it did.
    pub stats: TaskStats,
}

/// What adaptive replanning may look at: the sizes of a finished fragment's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStats {
    /// The fragment that finished.
    pub fragment: FragmentId,
    /// `blocks[task][output]`.
    pub blocks: Vec<Vec<crate::BlockMeta>>,
}

/// The planner's answer to [`Action::Replan`].
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The job it is about.
    pub job: JobId,
    /// The rest of the job, if it changed. Fragments that already ran keep their ids and shapes; fragments that have not
    /// started may be changed, removed or added.
    pub graph: Option<Arc<Graph>>,
    /// What changed and why, a sentence each.
    pub notes: Vec<String>,
}

/// Why a job ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JobError {
    /// A task failed for good.
    #[error("task {task} failed after {attempts} attempts: {failure}")]
    Task {
        /// Which task.
        task: TaskId,
        /// How often it was tried.
        attempts: u32,
        /// Its last failure.
        failure: TaskFailure,
    },
    /// A retried task gave other rows than before, and its first rows were already used.
    #[error("task {0} gave different rows when it ran again, so its program is not deterministic")]
    ChecksumChanged(TaskId),
    /// Lost blocks kept coming back for the same fragment.
    #[error("fragment {fragment} lost its blocks {times} times")]
    Unstable {
        /// Which fragment.
        fragment: FragmentId,
        /// How often its blocks were lost.
        times: u32,
    },
    /// No node is left to run on.
    #[error("no node is left to run tasks")]
    NoNodes,
    /// The owner of objects that are still needed is gone: nobody knows any more how to make them (Ray's
    /// OwnerDiedError). The same program may be submitted again.
    #[error("node {node} owned the blocks of fragment {fragment} and is gone, so they cannot be rebuilt; run it again")]
    OwnerDied {
        /// Who owned them.
        node: NodeId,
        /// Whose blocks they were.
        fragment: FragmentId,
    },
    /// Nodes kept dying with a task, so it is taken for the cause (Dask's KilledWorker).
    #[error("task {task} is taken for the cause of {deaths} nodes that died while they had it")]
    Killer {
        /// Which task.
        task: TaskId,
        /// How many nodes, or incarnations of one, died with it.
        deaths: u32,
    },
    /// A task asks for more of a resource than any node has.
    #[error("no node can ever run fragment {fragment}: {reason}")]
    Infeasible {
        /// Whose tasks.
        fragment: FragmentId,
        /// What is missing.
        reason: String,
    },
    /// The graph handed in is not consistent.
    #[error("the job's graph is invalid: {0}")]
    InvalidGraph(String),
    /// The user asked for it.
    #[error("cancelled")]
    Cancelled,
}

/// Something a scheduler did that a person would like to see in `bench explain` or in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// A fragment's wave of tasks began.
    StageStarted(FragmentId),
    /// All of a fragment's tasks are done.
    StageFinished(FragmentId),
    /// The rest of the job was replanned; one sentence per change.
    Replanned(String),
    /// A second attempt of a slow task was started.
    Speculated(TaskId),
    /// A task is run again, and why.
    Retried(TaskId, String),
    /// A late or zombie attempt's result was ignored.
    Ignored(TaskId, Attempt),
    /// A waiting task was moved from a busy node to another.
    Stolen(TaskId, NodeId, NodeId),
    /// A block was moved from memory to disk.
    Spilled(BlockId),
    /// A block failed its checksum where it was read or copied.
    Damaged(BlockId),
    /// Nothing that a fragment's tasks have written so far counts: its shuffle starts over, as run so-and-so.
    StartedOver(FragmentId, u32),
    /// Any other mechanism at work, a sentence.
    Did(String),
}

/// What happens to a machine.
#[derive(Clone, Debug)]
pub enum Event<M> {
    /// The first event of every machine.
    Start,
    /// Run this job (driver only).
    Submit {
        /// Its id, never reused.
        job: JobId,
        /// What to run.
        graph: Arc<Graph>,
    },
    /// Give a job up (driver only).
    Cancel(JobId),
    /// A message of another machine. It may be late, repeated, or out of order.
    Message {
        /// Who sent it.
        from: Addr,
        /// What it says.
        msg: M,
    },
    /// A timer went off.
    Timer(TimerId),
    /// A task started by [`Action::Run`] on this node ended.
    TaskRan {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
        /// Its blocks, or why there are none.
        result: Result<TaskReport, TaskFailure>,
    },
    /// A node joined with that many slots (driver only).
    NodeUp {
        /// Which node.
        node: NodeId,
        /// How many tasks it runs at a time.
        slots: u32,
    },
    /// A node is gone, and its blocks with it (driver only).
    NodeDown(NodeId),
    /// The planner answered (driver only).
    Planned(Planned),
    /// An [`Action::Fetch`] ended: the block is in this node's store too, or is not to be had (nodes only).
    Fetched {
        /// The block as it was asked for.
        block: BlockRef,
        /// Why it is not here.
        result: Result<(), TaskFailure>,
    },
    /// An [`Action::Spill`] ended (nodes only). If it failed, the block is still in memory.
    Spilled {
        /// Which block.
        block: BlockId,
        /// Of which attempt.
        attempt: Attempt,
        /// Why it is not on disk.
        result: Result<(), TaskFailure>,
    },
    /// The answer to [`Action::MeasureMemory`] (nodes only).
    Memory {
        /// What the node's process holds, blocks in shared memory included.
        used: Bytes,
    },
}

/// What a machine wants done.
#[derive(Clone, Debug)]
pub enum Action<M> {
    /// Deliver a message; it may be lost if the other side is gone.
    Send {
        /// To whom.
        to: Addr,
        /// What it says.
        msg: M,
    },
    /// Raise [`Event::Timer`] with this id after the delay. Setting a timer again replaces it.
    Timer {
        /// Which timer.
        id: TimerId,
        /// After how long.
        after: Nanos,
    },
    /// Run an attempt on a slot of this node (nodes only).
    Run(Assignment),
    /// Stop an attempt on this node if it still runs; it still ends in [`Event::TaskRan`].
    Cancel {
        /// Which task.
        task: TaskId,
        /// Which attempt.
        attempt: Attempt,
    },
    /// Copy a block from the node that holds it into this node's store, then raise [`Event::Fetched`] (nodes only).
    /// Fetching the same attempt's block again while it is here or on its way is answered, not repeated.
    Fetch {
        /// Which block, and where it is.
        block: BlockRef,
        /// Where to keep the copy.
        storage: Storage,
    },
    /// Move a block of this node from memory to disk, then raise [`Event::Spilled`]. It can be read as before.
    Spill {
        /// Which block.
        block: BlockId,
        /// Of which attempt.
        attempt: Attempt,
    },
    /// Drop one block of this node, if it is there. A task that has opened it already reads on.
    Release {
        /// Which block.
        block: BlockId,
        /// Of which attempt.
        attempt: Attempt,
    },
    /// Raise [`Event::Memory`] (nodes only).
    MeasureMemory,
    /// Drop a fragment's blocks on this node, or all of a job's.
    Free {
        /// Of which job.
        job: JobId,
        /// Of which fragment; every one if absent.
        fragment: Option<FragmentId>,
    },
    /// Ask the planner, outside the machine, whether the rest of the job should change (driver only).
    Replan {
        /// Which job.
        job: JobId,
        /// What just finished.
        stats: StageStats,
        /// Fragments that have started or finished and must not change.
        fixed: Vec<FragmentId>,
    },
    /// The job is over (driver only). The answer's blocks in order, or why there is none.
    Finish {
        /// Which job.
        job: JobId,
        /// Its blocks, in order.
        result: Result<Vec<BlockRef>, JobError>,
    },
    /// Tell the observer.
    Note {
        /// About which job.
        job: JobId,
        /// What.
        note: Note,
    },
}

/// A broken invariant, found by [`Machine::check`]: always a bug of the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant broken: {0}")]
pub struct Violation(pub String);

/// A pure state machine.
pub trait Machine: Send {
    /// What machines of this style say to each other.
    type Msg: Clone + Debug + Send;

    /// Handles one event and appends what must be done, in order.
    fn on(&mut self, now: Nanos, event: Event<Self::Msg>, out: &mut Vec<Action<Self::Msg>>);

    /// Verifies the machine's invariants. The simulated host calls it after every step.
    ///
    /// # Errors
    /// The first broken invariant.
    fn check(&self) -> Result<(), Violation>;

    /// Why a free slot of this cluster has nothing to do at this moment: one of the idle kinds of [`SpanKind`].
    fn idle_reason(&self) -> SpanKind {
        SpanKind::IdleNoTask
    }
}

/// What a style needs to know to make its machines.
#[derive(Clone, Debug)]
pub struct StyleEnv {
    /// How many tasks each node runs at a time.
    pub slots: u32,
    /// Memory one task may hold.
    pub memory_share: Bytes,
    /// Memory each node may hold, blocks included; unlimited if absent.
    pub memory: Option<Bytes>,
    /// What else each node has, by name, in thousandths (`gpu`, or any other word). One `cpu` per slot goes without saying.
    pub resources: BTreeMap<String, u64>,
    /// The style's switches, resolved.
    pub tuning: Tuning,
}

/// An architecture: which machines it is made of, and which switches it has.
pub trait Style: Send + Sync + 'static {
    /// What its machines say to each other; it crosses processes as bytes.
    type Msg: Clone + Debug + Send + Serialize + DeserializeOwned + 'static;
    /// The machine it puts at an address.
    type Machine: Machine<Msg = Self::Msg> + 'static;

    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// Its switches with their defaults.
    fn switches(&self) -> &'static [Switch];
    /// Makes the machine for `at`.
    fn machine(&self, at: Addr, env: &StyleEnv) -> Self::Machine;
    /// Where the blocks between its tasks are kept.
    fn storage(&self) -> Storage;
    /// Whether calls of one actor ([`crate::TaskOptions::actor`]) find its state where the call before left it.
    fn has_actors(&self) -> bool {
        false
    }
}
