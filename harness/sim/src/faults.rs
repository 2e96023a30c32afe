//! What goes wrong, how often, and how often it did.
//!
//! Each seed draws which kinds of fault it has and how frequent they are, so that rare combinations occur and pure runs
//! of one kind occur too. A budget bounds them: after the last fault a correct style must come to an end.

use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A kind of injected fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind {
            $($(#[$doc])* $variant,)*
        }
        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// A task fails for a passing reason.
    TaskFailed = "task_failed",
    /// A task panics.
    TaskPanicked = "task_panicked",
    /// A task runs out of memory.
    OutOfMemory = "out_of_memory",
    /// A task fails for good.
    TaskFatal = "task_fatal",
    /// A block vanishes after it was written.
    BlockLost = "block_lost",
    /// A block's bytes change after it was written.
    BlockCorrupt = "block_corrupt",
    /// A task gives other rows each time it runs.
    Nondeterministic = "nondeterministic",
    /// A block cannot be written to disk.
    DiskFull = "disk_full",
    /// A node's process holds far more memory than its blocks explain.
    MemoryPressure = "memory_pressure",
    /// A node dies with its blocks, and joins again empty.
    NodeLost = "node_lost",
    /// A dead node is back before its death was noticed.
    NodeRestarted = "node_restarted",
    /// A node stops for a while, is given up, and then goes on as if nothing had happened.
    NodeZombie = "node_zombie",
    /// A node stops for so short a while that nobody notices.
    NodePaused = "node_paused",
    /// A message takes up to seconds.
    MessageDelayed = "message_delayed",
    /// A message arrives twice.
    MessageDuplicated = "message_duplicated",
    /// A message never arrives.
    MessageLost = "message_lost",
    /// A message overtakes an earlier one of the same sender and receiver.
    MessageReordered = "message_reordered",
    /// A task takes far longer than its peers.
    Straggler = "straggler",
    /// A user cancels a job.
    JobCancelled = "job_cancelled",
}

/// The faults of one seed.
pub(crate) struct Faults {
    rates: BTreeMap<FaultKind, u64>,
    budget: u32,
    pub(crate) fired: BTreeMap<FaultKind, u64>,
}

impl Faults {
    /// Draws which kinds a seed has: about half of them, each once in 5 to 100 chances.
    pub(crate) fn draw(rng: &mut Rng, budget: u32) -> Self {
        let mut rates = BTreeMap::new();
        for kind in FaultKind::ALL {
            // Final faults end a job at once and hide what would have come after, so few seeds have them.
            let rarity = match kind {
                FaultKind::TaskFatal | FaultKind::Nondeterministic | FaultKind::JobCancelled => 12,
                _ => 2,
            };
            if rng.one_in(rarity) {
                // A job offers one chance only to be cancelled.
                let chances = if *kind == FaultKind::JobCancelled { 2 } else { 100 };
                rates.insert(*kind, rng.between(chances.min(5), chances));
            }
        }
        let budget = if budget == 0 { 0 } else { rng.between(1, u64::from(budget)) as u32 };
        Self { rates, budget, fired: BTreeMap::new() }
    }

    /// Whether a fault of this kind happens here. Asking is what counts it.
    pub(crate) fn strikes(&mut self, rng: &mut Rng, kind: FaultKind) -> bool {
        if self.budget == 0 {
            return false;
        }
        let Some(rate) = self.rates.get(&kind) else { return false };
        let strikes = rng.one_in(*rate);
        if strikes {
            self.budget -= 1;
            self.count(kind);
        }
        strikes
    }

    /// Counts something that happened as a consequence of another choice.
    pub(crate) fn count(&mut self, kind: FaultKind) {
        *self.fired.entry(kind).or_default() += 1;
    }

    /// No more faults.
    pub(crate) fn stop(&mut self) {
        self.budget = 0;
    }
}
