//! What the machines say to each other.
//!
//! Machines exchange [`Frame`]s: all that one machine has to say to another after one event, in one message. The link
//! module makes frames arrive once and in order, so everything here may rely on that: a [`Note`] is never lost while both
//! incarnations live, never repeated, and never overtaken by a later one of the same sender to the same receiver.

use bench_model::{BlockMeta, BlockRef, Epoch, Graph, JobError, JobId, NodeId, TaskFailure};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A value that is handed on without being copied within a process, and as itself between processes.
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The value as others share it.
    #[must_use]
    pub fn to_arc(&self) -> Arc<T> {
        Arc::clone(&self.0)
    }
}

impl<T> From<Arc<T>> for Shared<T> {
    fn from(value: Arc<T>) -> Self {
        Self(value)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        T::deserialize(d).map(Self::new)
    }
}

/// One submission of a job: a job that is submitted again after an owner's death gets a new one. Higher is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// A task within a run: the position of its fragment in the graph, and its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The position of its fragment in the graph.
    pub fragment: u32,
    /// Which part of the fragment, counted from 0.
    pub partition: u32,
}

/// A live node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which node.
    pub node: NodeId,
    /// Its incarnation.
    pub epoch: Epoch,
    /// How many tasks it runs at a time.
    pub slots: u32,
}

/// What a run computes and who owns which fragment's objects.
#[derive(Clone, Serialize, Deserialize)]
pub struct Program {
    /// Which job.
    pub job: JobId,
    /// How often it was submitted before.
    pub round: u32,
    /// What to compute.
    pub graph: Shared<Graph>,
    /// The owner of each fragment, by position: a node, or the driver if absent. Empty if the driver owns all.
    pub owners: Vec<Option<NodeId>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} round {} ({} fragments)", self.job, self.round, self.graph.fragments.len())
    }
}

/// How a launched attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It left these blocks on its node.
    Ran(Vec<BlockMeta>),
    /// It failed by itself.
    Failed(TaskFailure),
    /// An argument was not where it should be, or was damaged.
    Lost {
        /// The argument as it was given.
        block: BlockRef,
        /// The node whose copy was tried.
        at: NodeId,
    },
}

/// A group of resource bundles reserved for one fragment's tasks (Ray's placement group).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub u64);

/// A request that a node runs a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// Of which run.
    pub run: RunId,
    /// Which task.
    pub part: Part,
    /// Which attempt at it.
    pub attempt: u32,
    /// For each input, the blocks to read, where their owner knows them to be.
    pub args: Shared<Vec<Vec<BlockRef>>>,
    /// Another node has already handed it on: it stays here.
    pub spilled: bool,
    /// It runs in a bundle reserved for its fragment, if there is one.
    pub reserved: bool,
    /// It is an actor's call, sent before the one it follows is done: that call and attempt. It runs if they end well.
    pub after: Option<(Part, u32)>,
}

/// One statement of one machine to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Note {
    /// Driver to node: you are part of the cluster, these are its other nodes, and runs up to this one are known.
    Welcome(Vec<Member>, RunId),
    /// Driver to node: a node joined.
    Joined(Member),
    /// Driver to node: a node is gone.
    Left(NodeId),
    /// Driver to node: how many leases each node has.
    Loads(Vec<(NodeId, u32)>),
    /// Driver to node: a run begins.
    Begin(RunId, Shared<Program>),
    /// Driver to node: a run is over; drop all of it.
    End(RunId),
    /// Node to driver: all of a run is dropped.
    Ended(RunId),
    /// Owner to node: a lease request, task included.
    Launch(Lease),
    /// Node to owner: that request is better placed elsewhere.
    Spillback(RunId, Part, u32, NodeId),
    /// Node to owner: a launched attempt ended.
    Done(RunId, Part, u32, Outcome),
    /// Owner to node: nobody reads this output of this attempt any more.
    Release(RunId, Part, u32, u32),
    /// Owner to node: drop every output of this attempt and say so: it is going to be made again.
    Drop(RunId, Part, u32),
    /// Node to owner: it is dropped.
    Dropped(RunId, Part, u32),
    /// Owner to node: tasks that will read these blocks will run there (push-merge shuffle).
    Prefetch(RunId, Vec<BlockRef>),
    /// Owner to node: keep a copy of an actor's state.
    Keep(RunId, Part, u32, Shared<Vec<Vec<BlockRef>>>),
    /// Node to owner: whether the copy is there.
    Kept(RunId, Part, u32, bool),
    /// Owner to owner of a reader: a task's blocks are there: each output's place and size.
    Ready(RunId, Part, u32, Vec<(Option<NodeId>, BlockMeta)>),
    /// Owner of a reader to owner: a task has read its arguments, on that node.
    Read(RunId, Part, NodeId),
    /// Owner of a reader to owner: a task will read its arguments again.
    Want(RunId, Part),
    /// Owner of a reader to owner: an argument was not at that node.
    Missing(RunId, BlockRef, NodeId),
    /// Owner to driver: a fragment whose owner is gone is needed again.
    Orphaned(RunId, u32),
    /// Owner to driver: the run cannot succeed.
    Failed(RunId, JobError),
    /// Driver to node, first phase: reserve so many bundles of what a task of this fragment asks for.
    Prepare(GroupId, RunId, u32, u32),
    /// Node to driver: they are reserved.
    Prepared(GroupId),
    /// Driver to node, second phase: tasks may use them.
    Commit(GroupId),
    /// Driver to node: give them back.
    Return(GroupId),
}

/// All that one machine has to tell another at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// The receiver's incarnation, 0 for the driver.
    pub to: Epoch,
    /// The sender's incarnation, 0 for the driver.
    pub from: Epoch,
    /// Which of the sender's frames to this receiver it is, counted from 1; 0 if it only acknowledges.
    pub seq: u64,
    /// How many of the receiver's frames the sender has taken in.
    pub ack: u64,
    /// How many leases the sending node has.
    pub load: u32,
    /// What it says.
    pub notes: Shared<Vec<Note>>,
}
