//! A new epoch: the driver has given the node up, or met it for the first time. Whatever ran is a zombie from now on.

use super::{Out, Raylet};
use crate::message::RunId;
use bench_model::{Action, Addr, Epoch};

impl Raylet {
    /// Forgets everything of the old epoch. Attempts that still run are told to stop, and hold their slots until they do.
    pub(super) fn begin_epoch(&mut self, epoch: Epoch, out: &mut Out) {
        for program in std::mem::take(&mut self.runs).into_values() {
            out.push(Action::Free { job: program.job, fragment: None });
        }
        self.seen = RunId(0);
        self.early.clear();
        self.verdicts.clear();
        self.owner.clear();
        self.view.clear();
        self.store.clear();
        self.bundles.clear();
        self.pool = self.capacity.clone();
        self.leases.clear(&mut self.pool, out);
        self.mailboxes.clear();
        self.links.restart(epoch);
        self.links.open(Addr::Driver, Epoch(0));
    }
}
