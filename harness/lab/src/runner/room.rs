//! Room in memory for the engine whose turn it is.
//!
//! Engines that wait keep what they hold, and many of them can hold more than the machine has: the one at work would then be slowed down
//! by memory that is of no use to anybody, or killed. So whoever is back soonest is ended, and started and warmed anew for its own next
//! turn. A virtual machine that has become fast over many runs is the last to go.

use std::time::Duration;

/// So much of the machine's memory, as one part of so many, is to be available to an engine of which nothing is known yet.
const SHARE: u64 = 4;
/// So much of the machine's memory is to stay free beside what an engine is known to need: with less than 5 % free Ray ends tasks of its own,
/// whoever holds the rest.
const FREE_SHARE: u64 = 16;
/// Whoever holds less is not worth ending.
const WORTHWHILE_BYTES: u64 = 256 << 20;

/// An engine that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Its seat's number.
    pub(super) seat: usize,
    /// What it holds.
    pub(super) held_bytes: u64,
    /// How long it took to start and to load.
    pub(super) started_in: Duration,
}

/// The most memory that an engine was seen to hold: in a run of the workload at hand, and in any run.
#[derive(Clone, Debug, Default)]
pub(super) struct Peaks {
    workload: Option<(String, u64)>,
    ever: Option<u64>,
}

impl Peaks {
    /// What was seen in a run; nothing is kept of an earlier workload but the most of all.
    pub(super) fn note(&mut self, workload: &str, peak: Option<u64>) {
        self.ever = self.ever.max(peak);
        self.keep(workload, peak);
    }

    /// An engine has ended in a run: whether it lacked memory nobody knows, so the next time it has all there is.
    pub(super) fn ended(&mut self, workload: &str) {
        self.keep(workload, Some(u64::MAX));
    }

    fn keep(&mut self, workload: &str, peak: Option<u64>) {
        let known = self.of(workload);
        self.workload = peak.max(known).map(|bytes| (workload.to_owned(), bytes));
    }

    /// The most in a run of this workload.
    pub(super) fn of(&self, workload: &str) -> Option<u64> {
        self.workload.as_ref().filter(|(name, _)| name == workload).map(|(_, bytes)| *bytes)
    }

    /// The same; of one that is new as much as any other took.
    pub(super) fn expected(&self, workload: &str) -> Option<u64> {
        self.of(workload).or(self.ever)
    }
}

/// What an engine may need of the machine's memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    /// The most that it was seen to hold, on this workload if it is known there.
    pub(super) peak_bytes: Option<u64>,
    /// What it holds already.
    pub(super) held_bytes: u64,
    /// What it was told to hold at most. What a runtime needs beside that comes on top. 0 where it need not be guessed.
    pub(super) told_bytes: Option<u64>,
}

impl Need {
    /// How much must be available to it on a machine with so much.
    pub(super) fn wanted(self, memory_bytes: u64) -> u64 {
        let unseen = self.told_bytes.map_or(u64::MAX, |told| told.saturating_mul(2)).min(memory_bytes / SHARE);
        let seen = self.peak_bytes.map_or(0, |peak| peak.saturating_add(memory_bytes / FREE_SHARE));
        unseen.max(seen).saturating_sub(self.held_bytes)
    }
}

/// Who has to be ended next, if anybody: whoever of those worth it was started in the least time.
pub(super) fn next_to_leave(
    waiting: impl Iterator<Item = Waiting>,
    available_bytes: u64,
    wanted_bytes: u64,
) -> Option<usize> {
    if available_bytes >= wanted_bytes {
        return None;
    }
    let worth_it = waiting.filter(|w| w.held_bytes >= WORTHWHILE_BYTES);
    worth_it.min_by_key(|w| (w.started_in, w.seat)).map(|w| w.seat)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn waiting(seat: usize, held_gib: u64, started_in_ms: u64) -> Waiting {
        Waiting { seat, held_bytes: held_gib * GIB, started_in: Duration::from_millis(started_in_ms) }
    }

    #[test]
    fn nobody_leaves_while_there_is_room() {
        let all = || [waiting(0, 9, 5000), waiting(1, 3, 10)].into_iter();
        let wanted = Need::default().wanted(24 * GIB);
        assert_eq!(next_to_leave(all(), 6 * GIB, wanted), None);
        assert_eq!(next_to_leave(all(), 5 * GIB, wanted), Some(1));
    }

    #[test]
    fn whoever_is_back_soonest_leaves_first_unless_it_holds_next_to_nothing() {
        let all = [waiting(0, 9, 5000), waiting(1, 3, 30), waiting(2, 0, 1), waiting(3, 4, 20), waiting(4, 4, 20)];
        assert_eq!(next_to_leave(all.into_iter(), 0, 1), Some(3));
        assert_eq!(next_to_leave(all.into_iter().filter(|w| w.seat == 2), 0, 1), None);
        assert_eq!(next_to_leave(all.into_iter().filter(|w| w.seat == 0), 0, 1), Some(0));
    }

    #[test]
    fn a_new_workload_is_expected_to_take_what_any_other_took_and_an_ended_engine_has_all_there_is() {
        let mut peaks = Peaks::default();
        assert_eq!(peaks.expected("a"), None);
        peaks.note("a", Some(9));
        peaks.note("a", Some(7));
        assert_eq!([peaks.of("a"), peaks.of("b"), peaks.expected("b")], [Some(9), None, Some(9)]);
        peaks.note("b", Some(3));
        assert_eq!([peaks.of("a"), peaks.of("b"), peaks.expected("c")], [None, Some(3), Some(9)]);
        peaks.ended("b");
        assert_eq!([peaks.of("b"), peaks.expected("c")], [Some(u64::MAX), Some(9)]);
    }

    #[test]
    fn what_is_wanted_is_the_known_need_less_what_the_engine_has_already() {
        let wanted = |peak_gib: u64, held_gib: u64, told_gib: Option<u64>| {
            let told_bytes = told_gib.map(|gib| gib * GIB);
            Need { peak_bytes: Some(peak_gib * GIB), held_bytes: held_gib * GIB, told_bytes }.wanted(24 * GIB) / GIB
        };
        // A sixteenth of the machine, 1.5 GiB here, stays free beside what is known to be needed.
        assert_eq!([wanted(9, 2, None), wanted(1, 2, None), wanted(1, 9, None)], [8, 4, 0]);
        assert_eq!([wanted(0, 0, Some(1)), wanted(5, 0, Some(1)), wanted(0, 0, Some(20))], [2, 6, 6]);
    }
}
