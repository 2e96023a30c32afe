//! Where a slot's time goes. Every instant of every slot belongs to exactly one kind.

use crate::units::Nanos;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds that partition a slot's time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum SpanKind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }
        impl SpanKind {
            /// Every kind, in report order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// Its name in records and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// Planning, lowering and submitting, while no task can run yet.
    Submit = "submit",
    /// The scheduler deciding what a slot does next.
    Schedule = "schedule",
    /// Opening blocks of the same node.
    FetchLocal = "fetch_local",
    /// Waiting for blocks of other nodes.
    FetchRemote = "fetch_remote",
    /// Decoding blocks into batches, checksums included.
    Deserialize = "deserialize",
    /// The kernel itself.
    Compute = "compute",
    /// Writing out memory that ran short.
    SpillWrite = "spill_write",
    /// Reading it back.
    SpillRead = "spill_read",
    /// Partitioned output: encoding and writing blocks.
    ShuffleWrite = "shuffle_write",
    /// Reporting a finished task and collecting the answer.
    Report = "report",
    /// Idle: nothing is left to start.
    IdleNoTask = "idle_no_task",
    /// Idle: the next stage waits for this one's last tasks.
    IdleBarrier = "idle_barrier",
    /// Idle: waiting for one task that takes far longer than its peers.
    IdleStraggler = "idle_straggler",
    /// Idle: paused by memory pressure or by admission.
    IdlePaused = "idle_paused",
}

/// Time by kind, summed over slots.
///
/// Invariant: the kinds, and what is unknown, sum to `slots x makespan` within 1 %.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanReport {
    /// How many slots there were.
    pub slots: u32,
    /// From submit to answer.
    pub makespan_ns: Nanos,
    /// Time by kind; absent kinds took none.
    pub by_kind_ns: std::collections::BTreeMap<SpanKind, Nanos>,
    /// What an engine of somebody else's does not tell. Absent of engines of this repository, which account for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_ns: Option<Nanos>,
}

impl SpanReport {
    /// Adds time to a kind.
    pub fn add(&mut self, kind: SpanKind, time: Nanos) {
        *self.by_kind_ns.entry(kind).or_default() += time;
    }

    /// Whether the kinds, and what is said to be unknown, account for all slot time, within `tolerance` (0.01 is 1 %).
    #[must_use]
    pub fn is_complete(&self, tolerance: f64) -> bool {
        let known: Nanos = self.by_kind_ns.values().copied().sum();
        let sum = known.get() as f64 + self.unknown_ns.map_or(0, Nanos::get) as f64;
        let all = self.makespan_ns.get() as f64 * f64::from(self.slots);
        (sum - all).abs() <= all * tolerance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_unknown_is_accounted_for_and_what_is_not_said_is_not() {
        let mut spans = SpanReport { slots: 2, makespan_ns: Nanos::new(1000), ..SpanReport::default() };
        spans.add(SpanKind::Compute, Nanos::new(1500));
        assert!(!spans.is_complete(0.01));
        spans.unknown_ns = Some(Nanos::new(500));
        assert!(spans.is_complete(0.01));
    }
}
