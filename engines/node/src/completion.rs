//! Where the thread that submitted a job waits for it.

use crate::store::Found;
use bench_model::{BlockRef, JobError, JobId, TaskFailure};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a job ended.
pub(crate) enum Ended {
    /// Well: its answer's blocks in order, held open so that freeing the job cannot take them away.
    Answer(Vec<Found>),
    /// Well: its answer's blocks in order, on other nodes. What the driver says is held back until they are read.
    Elsewhere(Vec<BlockRef>),
    /// Well, said its machines, but a block of its answer is not there.
    Lost(TaskFailure),
    /// Without an answer, in its machines' own words.
    Refused(JobError),
}

/// A mailbox for the end of the one job that runs.
#[derive(Default)]
pub(crate) struct Completion {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ended: Option<(JobId, Ended)>,
    broken: Option<String>,
}

/// What a wait ended with.
pub(crate) enum Waited {
    /// The job is over.
    Ended(Ended),
    /// Not yet.
    NotYet,
    /// A slot's thread died: the session can run nothing more, for this reason.
    Broken(String),
}

impl Completion {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces the end of a job.
    pub(crate) fn finish(&self, job: JobId, ended: Ended) {
        self.lock().ended = Some((job, ended));
        self.changed.notify_all();
    }

    /// Announces that the session cannot go on.
    pub(crate) fn fail(&self, reason: String) {
        self.lock().broken.get_or_insert(reason);
        self.changed.notify_all();
    }

    /// Why the session cannot go on, if so.
    pub(crate) fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// Waits for a job, but no longer than `at_most`.
    pub(crate) fn wait(&self, job: JobId, at_most: Duration) -> Waited {
        let pending = |s: &mut State| s.broken.is_none() && s.ended.as_ref().is_none_or(|(id, _)| *id != job);
        let (mut state, _) =
            self.changed.wait_timeout_while(self.lock(), at_most, pending).unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ended)) = state.ended.take_if(|(id, _)| *id == job) {
            return Waited::Ended(ended);
        }
        state.broken.clone().map_or(Waited::NotYet, Waited::Broken)
    }
}
