//! A key: what the scheduler knows about one unit of work and its result (Dask's `TaskState`).

use super::workers::{NOBODY, WorkerIx};
use bench_model::{Attempt, NodeId};

/// The states of a key, as Dask names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Known, and nothing is done about it.
    Released,
    /// It is wanted, and an input is not in memory yet.
    Waiting,
    /// It could run, but no worker takes work.
    NoWorker,
    /// It could run, but waits at the scheduler until a worker has room.
    Queued,
    /// A worker has it.
    Processing,
    /// Its blocks are in the memory of at least one worker.
    Memory,
    /// It failed for good, and its job with it.
    Erred,
    /// Its job is over.
    Forgotten,
}

/// How many states there are.
pub(crate) const STATES: usize = 8;

/// The workers that hold a key's blocks. Most keys are held by one: no allocation for those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Holders {
    #[default]
    None,
    One(WorkerIx),
    Many(Vec<WorkerIx>),
}

impl Holders {
    pub(crate) fn as_slice(&self) -> &[WorkerIx] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(crate) fn contains(&self, at: WorkerIx) -> bool {
        self.as_slice().contains(&at)
    }

    /// Adds one that is not there.
    pub(crate) fn add(&mut self, at: WorkerIx) {
        match self {
            Self::None => *self = Self::One(at),
            Self::One(one) => *self = Self::Many(vec![*one, at]),
            Self::Many(many) => many.push(at),
        }
    }

    /// Removes one; false if it was not there.
    pub(crate) fn remove(&mut self, at: WorkerIx) -> bool {
        match self {
            Self::One(one) if *one == at => *self = Self::None,
            Self::Many(many) => {
                let Some(place) = many.iter().position(|w| *w == at) else { return false };
                many.remove(place);
            }
            _ => return false,
        }
        true
    }

    /// The one to copy from, spread over the holders by `seed`.
    pub(crate) fn pick(&self, seed: u32) -> Option<WorkerIx> {
        let all = self.as_slice();
        (!all.is_empty()).then(|| all[seed as usize % all.len()])
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) state: State,
    /// A part of the answer.
    pub(crate) wanted: bool,
    /// Its blocks were reported at least once: their sizes and checksums are known.
    pub(crate) measured: bool,
    /// Inputs that are not in memory, while it waits.
    pub(crate) waiting_on: u32,
    /// Keys that read it and are waiting, queued or processing.
    pub(crate) waiters: u32,
    /// Orders given; the latest one's attempt is one less.
    pub(crate) tries: u32,
    /// The attempt whose blocks are in memory, or were last.
    pub(crate) made: Attempt,
    /// Workers that died with it.
    pub(crate) suspicious: u32,
    /// The worker that has it, while it is processing.
    pub(crate) worker: WorkerIx,
    /// The worker that asked to have it instead.
    pub(crate) thief: WorkerIx,
    /// What its worker was charged for it.
    pub(crate) cost: u64,
    /// What its blocks take.
    pub(crate) bytes: u64,
    pub(crate) holders: Holders,
    /// Where its blocks' sizes and checksums are.
    pub(crate) metas: u32,
}

impl Key {
    pub(crate) const fn new(metas: u32) -> Self {
        Self {
            state: State::Released,
            wanted: false,
            measured: false,
            waiting_on: 0,
            waiters: 0,
            tries: 0,
            made: Attempt(0),
            suspicious: 0,
            worker: NOBODY,
            thief: NOBODY,
            cost: 0,
            bytes: 0,
            holders: Holders::None,
            metas,
        }
    }

    /// Somebody waits for its blocks.
    pub(crate) const fn is_needed(&self) -> bool {
        self.wanted || self.waiters > 0
    }

    /// The attempt of the latest order.
    pub(crate) const fn attempt(&self) -> Attempt {
        Attempt(self.tries.saturating_sub(1))
    }

    /// Whether a report is about what this key is doing now.
    pub(crate) fn runs_as(&self, worker: WorkerIx, attempt: Attempt) -> bool {
        self.state == State::Processing && self.worker == worker && self.attempt() == attempt
    }
}

/// Where a block is said to be gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) node: NodeId,
    pub(crate) attempt: Attempt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_added_and_removed_one_by_one() {
        let mut holders = Holders::None;
        for at in [3, 1, 2] {
            holders.add(at);
        }
        assert_eq!(holders.as_slice(), [3, 1, 2]);
        assert!(holders.remove(1) && !holders.remove(1));
        assert_eq!((holders.pick(0), holders.pick(3)), (Some(3), Some(2)));
        assert!(holders.remove(3) && holders.remove(2) && holders.is_empty());
    }
}
