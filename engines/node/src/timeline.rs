//! Where one slot's time goes: at every instant the slot is in exactly one [`SpanKind`].
//!
//! A clock reading costs as much as everything else that accounting does for a zero-work task, so not every task that
//! begins is worth one: see [`Pace`].

use crate::remote::Account;
use bench_model::{Nanos, NodeId, SpanKind, SpanReport};
use std::collections::BTreeMap;
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

    /// Time by kind up to the last switch. For the writer only: nobody else writes meanwhile.
    pub(crate) fn written(&self) -> Spent {
        std::array::from_fn(|k| self.spent.get(k).map_or(0, |s| s.load(Ordering::Relaxed)))
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

/// Readings of all slots' timelines at one moment.
pub(crate) enum Books {
    /// The slots of this process.
    Here(Vec<Spent>),
    /// The slots of other processes, each node's on its own clock.
    Nodes(BTreeMap<NodeId, Account>),
}

impl Books {
    /// What the slots spent between two readings, `makespan` apart on this process's clock. A node of which one incarnation
    /// was not there all the time is left out. Clocks of several processes are read one after the other, so the makespan is then the mean
    /// of theirs.
    pub(crate) fn until(&self, after: &Self, makespan: Nanos) -> Option<SpanReport> {
        match (self, after) {
            (Self::Here(before), Self::Here(after)) => Some(report(before, after, makespan)),
            (Self::Nodes(before), Self::Nodes(after)) => {
                let same = |node, after: &Account| before.get(node).filter(|b: &&Account| b.epoch == after.epoch);
                let both = || after.iter().filter_map(|(node, after)| Some((same(node, after)?, after)));
                let slots = |account: &Account| account.spent.iter().map(|slot| padded(slot)).collect::<Vec<Spent>>();
                let first: Vec<Spent> = both().flat_map(|(before, _)| slots(before)).collect();
                let last: Vec<Spent> = both().flat_map(|(_, after)| slots(after)).collect();
                let elapsed: u64 = both().map(|(from, to)| to.now.saturating_sub(from.now).get()).sum();
                let mean = elapsed.checked_div(both().count() as u64)?;
                (first.len() == last.len()).then(|| report(&first, &last, Nanos::new(mean)))
            }
            _ => None,
        }
    }
}

fn padded(spent: &[u64]) -> Spent {
    std::array::from_fn(|kind| spent.get(kind).copied().unwrap_or_default())
}

/// When a slot looks at the clock as it begins a task.
///
/// Each task's end is read from the clock in any case, because the machines are told the time. Where the time since the
/// last end is cut into scheduling and computing is also read, unless tasks follow each other so fast that most of it
/// would be the reading: then scheduling is taken to last as long as when it was read last, at most [`GUESSES`] times
/// in a row. The sum of both is exact; a task of [`SHORT`] or more, a sleep, a chore, or a scheduler that did more than
/// usual makes the next one be read.
pub(crate) struct Pace {
    /// When the slot's last task ended, if it has done nothing else since.
    ended: Option<Nanos>,
    was_short: bool,
    guesses: u32,
    scheduling: Nanos,
}

/// Tasks from here on are never guessed about.
const SHORT: Nanos = Nanos::new(10_000);
/// How many tasks may begin without a look at the clock.
const GUESSES: u32 = 15;

impl Pace {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { ended: None, was_short: false, guesses: GUESSES, scheduling: Nanos::ZERO }
    }

    /// The time at which a task begins. `quiet` says that scheduling it was nothing unusual.
    pub(crate) fn begin(&mut self, quiet: bool, clock: impl FnOnce() -> Nanos) -> Nanos {
        match self.ended.take() {
            Some(ended) if quiet && self.was_short && self.guesses < GUESSES => {
                self.guesses += 1;
                ended + self.scheduling
            }
            ended => {
                let now = clock();
                if let Some(ended) = ended.filter(|_| quiet) {
                    self.scheduling = now.saturating_sub(ended);
                    self.guesses = 0;
                }
                now
            }
        }
    }

    /// A task that had begun at `began` has ended.
    pub(crate) fn end(&mut self, began: Nanos, now: Nanos) {
        self.was_short = now.saturating_sub(began) < SHORT;
        self.ended = Some(now);
    }

    /// The slot does something else than scheduling and running tasks.
    pub(crate) fn interrupt(&mut self) {
        self.ended = None;
    }
}

/// What all slots spent between two readings of their timelines.
fn report(before: &[Spent], after: &[Spent], makespan: Nanos) -> SpanReport {
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
    fn only_short_tasks_in_a_quiet_row_begin_without_a_look_at_the_clock() {
        let at = |n: u64| Nanos::new(n);
        let mut pace = Pace::new();
        let looks = std::cell::Cell::new(0);
        let look = |now: u64| {
            let looks = &looks;
            move || {
                looks.set(looks.get() + 1);
                at(now)
            }
        };
        assert_eq!(pace.begin(true, look(100)), at(100), "nothing is known yet");
        pace.end(at(100), at(200));
        assert_eq!(pace.begin(true, look(250)), at(250), "how long scheduling takes is not known yet");
        pace.end(at(250), at(300));
        for _ in 0..GUESSES {
            assert_eq!(pace.begin(true, look(999)), at(350), "as long as before");
            pace.end(at(350), at(300));
        }
        assert_eq!(looks.get(), 2);
        assert_eq!(pace.begin(true, look(370)), at(370), "it is time to look again");
        pace.end(at(370), at(400));
        assert_eq!(pace.begin(false, look(900)), at(900), "the scheduler did more than usual");
        pace.end(at(900), at(900_000));
        assert_eq!(pace.begin(true, look(900_100)), at(900_100), "the last task was long");
        pace.end(at(900_100), at(900_200));
        pace.interrupt();
        assert_eq!(pace.begin(true, look(950_000)), at(950_000), "the slot has slept");
        assert_eq!(looks.get(), 6);
    }

    #[test]
    fn time_that_seems_to_run_backwards_is_not_counted_twice() {
        let timeline = Timeline::new(Nanos::new(100));
        timeline.switch(SpanKind::Compute, Nanos::new(90));
        let spent: u64 = timeline.spent(Nanos::new(120)).unwrap().iter().sum();
        assert_eq!(spent, 20);
        assert_eq!(timeline.spent(Nanos::new(99)), None);
    }

    #[test]
    fn a_node_that_left_and_came_back_is_in_no_account() {
        use bench_model::Epoch;
        let account = |epoch, now, compute| {
            let mut spent = vec![0; KINDS];
            spent[SpanKind::Compute as usize] = compute;
            Account { epoch: Epoch(epoch), now: Nanos::new(now), spent: vec![spent] }
        };
        let before = Books::Nodes([(NodeId(0), account(1, 100, 10)), (NodeId(1), account(2, 900, 500))].into());
        let after = Books::Nodes([(NodeId(0), account(1, 160, 70)), (NodeId(1), account(3, 40, 30))].into());
        let report = before.until(&after, Nanos::new(60)).unwrap();
        assert_eq!((report.slots, report.makespan_ns), (1, Nanos::new(60)));
        assert_eq!(report.by_kind_ns[&SpanKind::Compute], Nanos::new(60));
    }
}
