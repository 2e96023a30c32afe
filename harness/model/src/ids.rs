//! Identities. An attempt is never part of what something *is*, only of which run of it produced a value.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($raw:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $raw);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(/** A node process of a cluster, counted from 0. */ NodeId(u32), "n");
id!(/** One submitted program. */ JobId(u64), "j");
id!(/** A fragment of a job's graph; ids are stable across replanning. */ FragmentId(u32), "f");
id!(/** Which run of a task this is, counted from 0. */ Attempt(u32), "a");
id!(/** A node's incarnation: messages of an older epoch are dropped, which fences zombies. */ Epoch(u64), "e");
id!(/** A timer chosen by a machine; setting it again replaces it. */ TimerId(u64), "t");

/// One task: partition `partition` of fragment `fragment` of job `job`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The job it belongs to.
    pub job: JobId,
    /// The fragment it is a part of.
    pub fragment: FragmentId,
    /// Which part, counted from 0.
    pub partition: u32,
}

/// One output of one task. Every attempt of the task must produce the same rows for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockId {
    /// The task that makes it.
    pub task: TaskId,
    /// Which of the task's outputs, counted from 0.
    pub output: u32,
}

/// Where a machine lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Addr {
    /// The one that submits and decides (Spark's driver, Dask's scheduler, Ray's first owner).
    Driver,
    /// A node that runs tasks.
    Node(NodeId),
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/p{}", self.job, self.fragment, self.partition)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/o{}", self.task, self.output)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver => f.write_str("driver"),
            Self::Node(node) => node.fmt(f),
        }
    }
}
