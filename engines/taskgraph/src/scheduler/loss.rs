//! A worker is gone: its keys run elsewhere, what only it held is made again.
//!
//! Looks at every key once: losing a worker touches as many keys as it had, and happens rarely.

use super::Cx;
use super::job::Job;
use super::key::State;
use super::workers::{NOBODY, WorkerIx};
use bench_model::{JobError, NodeId, Note};

impl Job {
    /// The worker was taken from the list already. A worker that leaves in good order (`safe`) is no reason to suspect what
    /// it was doing.
    pub(crate) fn worker_lost(&mut self, cx: &mut Cx<'_>, at: WorkerIx, node: NodeId, safe: bool) {
        let shuffles = self.shuffles_with(at);
        if !shuffles.is_empty() {
            self.restart_shuffles(cx, &shuffles);
        }
        for key in 0..self.keys.len() as u32 {
            let state = self.key_mut(key);
            if state.thief == at {
                state.thief = NOBODY;
            }
            if state.state == State::Processing && state.worker == at {
                state.suspicious += u32::from(!safe);
                let deaths = state.suspicious;
                if deaths > cx.settings.allowed_failures {
                    let error = JobError::Killer { task: self.task(key), deaths };
                    self.give_up(cx, key, error);
                    return;
                }
                self.note(cx, Note::Retried(self.task(key), format!("{node} is gone")));
                self.transition(cx, key, State::Waiting);
            } else if state.state == State::Memory && state.holders.remove(at) && state.holders.is_empty() {
                self.note(cx, Note::Retried(self.task(key), format!("its blocks on {node} are lost")));
                self.transition(cx, key, State::Released);
            }
        }
        self.settle(cx);
    }
}
