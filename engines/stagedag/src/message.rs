//! What driver and executors say to each other.
//!
//! Each slot of a node is a *lane* with at most one command outstanding: a stop-and-wait protocol per slot. A command
//! carries its lane's next sequence number, which also acknowledges the answer to the one before. The driver asks again
//! ([`Msg::Probe`], [`Msg::Cancel`]) when an answer is overdue; the executor keeps a lane's last answer and repeats it.
//! A command that a probe overtook is refused when it arrives. So lost, repeated, late and reordered messages change
//! nothing but time, with a state of one entry per slot, and no message beyond launch and answer when nothing goes wrong.
//!
//! Every message carries the node's epoch, which the driver raises whenever the node joins: what an earlier incarnation
//! says, or is told, is dropped.

use bench_model::{Assignment, Attempt, Epoch, FragmentId, JobId, TaskFailure, TaskId, TaskReport};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which command of which incarnation of a node a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The node's incarnation as the driver counts them, from 1.
    pub epoch: Epoch,
    /// The slot, counted from 0.
    pub lane: u32,
    /// The command's number in its lane, counted from 1.
    pub seq: u64,
}

/// How a launched attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It ran to an end, good or bad.
    Ran(Result<TaskReport, TaskFailure>),
    /// It never started: its launch was lost, or it was cancelled before. The executor will refuse it from now on.
    NotStarted,
}

/// A message of the stage-DAG style.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Msg {
    /// Driver to executor: run this attempt.
    Launch {
        /// Which command.
        ticket: Ticket,
        /// Position among all commands to this node; see [`Msg::FreeFragment`].
        order: u64,
        /// What to run.
        assignment: Assignment,
    },
    /// Driver to executor: stop this attempt, or never start it, and answer.
    Cancel {
        /// The launch it takes back.
        ticket: Ticket,
        /// The launched task.
        task: TaskId,
        /// The launched attempt.
        attempt: Attempt,
    },
    /// Driver to executor: an answer is overdue; repeat it, or say that the launch never arrived.
    Probe {
        /// The launch it asks about.
        ticket: Ticket,
        /// The launched task.
        task: TaskId,
        /// The launched attempt.
        attempt: Attempt,
    },
    /// Driver to executor: a fragment's blocks are not needed any more. It may be lost (the end of the job frees them),
    /// and it is ignored after a later launch of a repeated task, whose new blocks it must not drop.
    FreeFragment {
        /// The node's incarnation.
        epoch: Epoch,
        /// Position among all commands to this node.
        order: u64,
        /// Whose blocks.
        job: JobId,
        /// Which of them.
        fragment: FragmentId,
    },
    /// Driver to executor: a job is over and none of its attempts runs any more. Repeated until [`Msg::JobFreed`].
    FreeJob {
        /// The node's incarnation.
        epoch: Epoch,
        /// Which job.
        job: JobId,
    },
    /// Executor to driver: an attempt ended. Repeated on [`Msg::Probe`] and on repeated launches.
    Finished {
        /// The launch it answers.
        ticket: Ticket,
        /// The launched task.
        task: TaskId,
        /// The launched attempt.
        attempt: Attempt,
        /// How it ended.
        outcome: Outcome,
    },
    /// Executor to driver: a job's blocks are gone.
    JobFreed {
        /// The node's incarnation.
        epoch: Epoch,
        /// Which job.
        job: JobId,
    },
}

/// One short line, because traces print every message.
impl fmt::Debug for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = |f: &mut fmt::Formatter<'_>, what: &str, t: &Ticket, task: &TaskId, attempt: &Attempt| {
            write!(f, "{what} {task} {attempt} [{} lane {} seq {}]", t.epoch, t.lane, t.seq)
        };
        match self {
            Self::Launch { ticket, assignment: a, .. } => about(f, "launch", ticket, &a.task, &a.attempt),
            Self::Cancel { ticket, task, attempt } => about(f, "cancel", ticket, task, attempt),
            Self::Probe { ticket, task, attempt } => about(f, "probe", ticket, task, attempt),
            Self::FreeFragment { epoch, job, fragment, .. } => write!(f, "free {job}/{fragment} [{epoch}]"),
            Self::FreeJob { epoch, job } => write!(f, "free {job} [{epoch}]"),
            Self::JobFreed { epoch, job } => write!(f, "freed {job} [{epoch}]"),
            Self::Finished { ticket, task, attempt, outcome } => {
                about(f, "finished", ticket, task, attempt)?;
                match outcome {
                    Outcome::Ran(Ok(_)) => f.write_str(" ok"),
                    Outcome::Ran(Err(failure)) => write!(f, " failed: {failure}"),
                    Outcome::NotStarted => f.write_str(" not started"),
                }
            }
        }
    }
}
