//! Where one slot's time goes: at every instant the slot is in exactly one [`SpanKind`].

use bench_model::{Nanos, SpanKind, SpanReport};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use std::time::Instant;

/// Nanoseconds since a session started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time on it.
    pub(crate) fn now(self) -> Nanos {
        self.0.elapsed().into()
    }
}

const KINDS: usize = SpanKind::ALL.len();

/// Time by kind, in the order of [`SpanKind::ALL`].
pub(crate) type Spent = [u64; KINDS];

/// One slot's account.
///
/// It has one writer at a time: the slot's own thread while it is awake, whoever holds the session's lock while it
/// sleeps. Readers may come at any time and retry until they saw no write; a switch costs a few plain stores.
pub(crate) struct Timeline {
    /// Odd while a write is under way.
    version: AtomicU32,
    kind: AtomicU8,
    since: AtomicU64,
    spent: [AtomicU64; KINDS],
}

impl Timeline {
    /// An account that begins idle at `now`.
    pub(crate) fn new(now: Nanos) -> Self {
        Self {
            version: AtomicU32::new(0),
            kind: AtomicU8::new(SpanKind::IdleNoTask as u8),
            since: AtomicU64::new(now.get()),
            spent: [const { AtomicU64::new(0) }; KINDS],
        }
    }

    /// The kind the slot is in.
    pub(crate) fn kind(&self) -> SpanKind {
        let kind = usize::from(self.kind.load(Ordering::Relaxed));
        SpanKind::ALL.get(kind).copied().unwrap_or(SpanKind::IdleNoTask)
    }

    /// Ends the current kind at `now` and begins `to`. Returns the kind that ended.
    pub(crate) fn switch(&self, to: SpanKind, now: Nanos) -> SpanKind {
        let from = self.kind();
        let since = self.since.load(Ordering::Relaxed);
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        if let Some(spent) = self.spent.get(from as usize) {
            let elapsed = now.get().saturating_sub(since);
            spent.store(spent.load(Ordering::Relaxed) + elapsed, Ordering::Relaxed);
        }
        self.since.store(since.max(now.get()), Ordering::Relaxed);
        self.kind.store(to as u8, Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
        from
    }

    /// Time by kind up to `now`, the kind under way included. None if the slot has switched after `now`: what it spent
    /// before can no longer be told apart.
    pub(crate) fn spent(&self, now: Nanos) -> Option<Spent> {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let mut spent: Spent = std::array::from_fn(|k| self.spent.get(k).map_or(0, |s| s.load(Ordering::Relaxed)));
            let under_way = now.get().checked_sub(self.since.load(Ordering::Relaxed));
            if let Some(current) = spent.get_mut(self.kind() as usize) {
                *current += under_way.unwrap_or_default();
            }
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return under_way.map(|_| spent);
            }
            std::hint::spin_loop();
        }
    }
}

/// What all slots spent between two readings of their timelines.
pub(crate) fn report(before: &[Spent], after: &[Spent], makespan: Nanos) -> SpanReport {
    let slots = u32::try_from(after.len()).unwrap_or(u32::MAX);
    let mut report = SpanReport { slots, makespan_ns: makespan, ..SpanReport::default() };
    for (before, after) in before.iter().zip(after) {
        for ((kind, before), after) in SpanKind::ALL.iter().zip(before).zip(after) {
            let time = after.saturating_sub(*before);
            if time > 0 {
                report.add(*kind, Nanos::new(time));
            }
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instant_belongs_to_one_kind() {
        let timeline = Timeline::new(Nanos::new(0));
        let before = [timeline.spent(Nanos::new(10)).unwrap()];
        assert_eq!(timeline.switch(SpanKind::Compute, Nanos::new(30)), SpanKind::IdleNoTask);
        assert_eq!(timeline.switch(SpanKind::ShuffleWrite, Nanos::new(70)), SpanKind::Compute);
        let report = report(&before, &[timeline.spent(Nanos::new(110)).unwrap()], Nanos::new(100));
        assert!(report.is_complete(0.0), "{report:?}");
        assert_eq!(report.by_kind_ns.get(&SpanKind::Compute), Some(&Nanos::new(40)));
        assert_eq!(report.by_kind_ns.get(&SpanKind::IdleNoTask), Some(&Nanos::new(20)));
    }

    #[test]
    fn time_that_seems_to_run_backwards_is_not_counted_twice() {
        let timeline = Timeline::new(Nanos::new(100));
        timeline.switch(SpanKind::Compute, Nanos::new(90));
        let spent: u64 = timeline.spent(Nanos::new(120)).unwrap().iter().sum();
        assert_eq!(spent, 20);
        assert_eq!(timeline.spent(Nanos::new(99)), None);
    }
}
