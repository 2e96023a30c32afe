//! What scheduler and workers say to each other.
//!
//! A key is named by its last task: a fused chain is one key, and only its last task's blocks are anybody else's
//! business. Items between scheduler and worker travel in [`Frame`]s, so they are never lost and never out of order
//! within an epoch. A [`Msg::Push`] between workers may be lost: the shuffle's barrier finds out what did not arrive.

use crate::stream::{Frame, Shared};
use bench_model::{Assignment, Attempt, BlockMeta, BlockRef, FragmentId, JobId, Nanos, NodeId, TaskFailure, TaskId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A message of the task-graph style.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Msg {
    /// Scheduler to worker.
    Down(Frame<Down>),
    /// Worker to scheduler.
    Up(Frame<Up>),
    /// Worker to worker: blocks of a shuffle are ready for their owner. A hint that may be lost.
    Push {
        /// Whose shuffle.
        job: JobId,
        /// Which fragment's blocks are shuffled.
        shuffle: FragmentId,
        /// Which run of the shuffle; blocks of another one are not wanted.
        run: u32,
        /// Where they are.
        blocks: Vec<BlockRef>,
    },
}

/// A key to compute (Dask's `compute-task`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Smaller runs earlier among the keys of a job.
    pub priority: u32,
    /// The first or only task. Its inputs name the node to gather each block from.
    pub first: Assignment,
    /// The tasks fused onto it, in order; each reads exactly the blocks of the one before, so their inputs are left empty.
    pub rest: Vec<Assignment>,
    /// The inputs whose gathered copies stay and are reported, as a bit set: blocks that are all their task has made.
    pub kept: u64,
    /// To whom the blocks are pushed, if they are shuffled.
    pub route: Option<Route>,
}

impl Order {
    /// The task that names the key.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.rest.last().unwrap_or(&self.first).task
    }

    /// Which run of the key.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        self.first.attempt
    }
}

/// Who owns the partitions of a shuffle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Which run of the shuffle.
    pub run: u32,
    /// The owner of each output.
    pub owners: Shared<Vec<NodeId>>,
}

/// How a worker's memory stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pressure {
    /// It takes work.
    #[default]
    Normal,
    /// It starts nothing new.
    Paused,
    /// It must be given up if anybody else can do its work.
    Critical,
}

/// Scheduler to worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Down {
    /// The first item of an epoch: whatever the worker did or has from before is void.
    Welcome,
    /// Compute a key.
    Compute(Shared<Order>),
    /// The key is not wanted from this worker any more.
    Cancel {
        /// Which key.
        task: TaskId,
        /// Which order.
        attempt: Attempt,
    },
    /// Give a key back if it has not started; answered by [`Up::Stolen`].
    Steal {
        /// Which key.
        task: TaskId,
        /// Which order.
        attempt: Attempt,
    },
    /// Drop a key's blocks, except those that this worker owns in a shuffle.
    Release {
        /// Whose blocks.
        task: TaskId,
        /// Of which attempt.
        attempt: Attempt,
    },
    /// Gather a copy of these blocks, which are all of one key.
    Acquire {
        /// The blocks, with a node that has them.
        blocks: Vec<BlockRef>,
    },
    /// A shuffle begins; this worker owns some of its partitions.
    OpenShuffle {
        /// Whose shuffle.
        job: JobId,
        /// Which fragment's blocks are shuffled.
        shuffle: FragmentId,
        /// Which run of it.
        run: u32,
    },
    /// Every block of the run exists: answer with [`Up::Gathered`] once all of these are here.
    Barrier {
        /// Whose shuffle.
        job: JobId,
        /// Which fragment's blocks are shuffled.
        shuffle: FragmentId,
        /// Which run of it.
        run: u32,
        /// What this worker owns and may not have yet.
        blocks: Vec<BlockRef>,
    },
    /// A run of a shuffle is over or given up: drop what this worker owns of it.
    CloseShuffle {
        /// Whose shuffle.
        job: JobId,
        /// Which fragment's blocks were shuffled.
        shuffle: FragmentId,
        /// Which run of it.
        run: u32,
    },
    /// Stop and drop everything to let memory go; answered by [`Up::Closed`].
    Close,
    /// A job is over: drop all it left.
    FreeJob {
        /// Which job.
        job: JobId,
    },
}

/// How an attempt at a key failed. Rare, so that it is boxed and the usual items stay small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Which key.
    pub task: TaskId,
    /// Which order.
    pub attempt: Attempt,
    /// Which of its tasks failed.
    pub step: TaskId,
    /// Why.
    pub failure: TaskFailure,
    /// The missing or corrupt block, if it was an input of the key, and the node that should have had it.
    pub lost: Option<BlockRef>,
}

/// Worker to scheduler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Up {
    /// A key is in this worker's memory.
    Done {
        /// Which key.
        task: TaskId,
        /// Which order.
        attempt: Attempt,
        /// The blocks of its last task.
        blocks: Vec<BlockMeta>,
        /// How long it ran.
        took: Nanos,
    },
    /// A key could not be computed.
    Failed(Box<Failed>),
    /// The answer to [`Down::Steal`].
    Stolen {
        /// Which key.
        task: TaskId,
        /// Which order.
        attempt: Attempt,
        /// Whether it was given back. If not, it runs or has ended, and stays here.
        given: bool,
    },
    /// A gathered copy of all of a key's blocks is here.
    Added {
        /// Whose blocks.
        task: TaskId,
        /// Of which attempt.
        attempt: Attempt,
    },
    /// The answer to [`Down::Barrier`].
    Gathered {
        /// Whose shuffle.
        job: JobId,
        /// Which fragment's blocks are shuffled.
        shuffle: FragmentId,
        /// Which run of it.
        run: u32,
        /// A block that could not be had; none if all are here.
        lost: Option<Box<BlockRef>>,
    },
    /// The answer to [`Down::Close`]: nothing is left here.
    Closed,
    /// The worker's memory stands otherwise than before.
    Memory(Pressure),
}

/// One line, because traces print every message.
impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(frame) => line(f, "down", frame),
            Self::Up(frame) => line(f, "up", frame),
            Self::Push { job, shuffle, run, blocks } => {
                write!(f, "push {} blocks of {job}/{shuffle} run {run}", blocks.len())
            }
        }
    }
}

fn line<T: fmt::Debug>(f: &mut fmt::Formatter<'_>, way: &str, frame: &Frame<T>) -> fmt::Result {
    write!(f, "{way} {}#{} ack {} {:?}", frame.epoch, frame.seq, frame.ack, *frame.items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Epoch;

    #[test]
    fn a_frame_prints_on_one_line() {
        let task = TaskId { job: JobId(1), fragment: FragmentId(2), partition: 3 };
        let items = Shared::new(vec![Down::Welcome, Down::Cancel { task, attempt: Attempt(1) }]);
        let text = format!("{:?}", Msg::Down(Frame { epoch: Epoch(1), seq: 2, ack: 3, items }));
        assert!(text.starts_with("down e1#2 ack 3 [Welcome, Cancel") && !text.contains('\n'), "{text}");
    }
}
