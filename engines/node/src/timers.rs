//! Deadlines chosen by machines.

use bench_model::{Addr, Nanos, TimerId};
use std::collections::{BTreeMap, BTreeSet};

/// Pending timers. A machine has at most one per id: setting it again replaces it.
#[derive(Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Nanos, Addr, TimerId)>,
    by_id: BTreeMap<(Addr, TimerId), Nanos>,
}

impl Timers {
    /// Sets or replaces a timer.
    pub(crate) fn set(&mut self, at: Addr, id: TimerId, deadline: Nanos) {
        if let Some(old) = self.by_id.insert((at, id), deadline) {
            self.by_time.remove(&(old, at, id));
        }
        self.by_time.insert((deadline, at, id));
    }

    /// When the earliest one goes off.
    pub(crate) fn next(&self) -> Option<Nanos> {
        self.by_time.first().map(|(deadline, _, _)| *deadline)
    }

    /// Takes the earliest timer that is due.
    pub(crate) fn take_due(&mut self, now: Nanos) -> Option<(Addr, TimerId)> {
        let (_, at, id) = self.by_time.first().copied().filter(|(deadline, _, _)| *deadline <= now)?;
        self.by_time.pop_first();
        self.by_id.remove(&(at, id));
        Some((at, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_again_goes_off_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(Addr::Driver, TimerId(1), Nanos::new(10));
        timers.set(Addr::Driver, TimerId(2), Nanos::new(15));
        timers.set(Addr::Driver, TimerId(1), Nanos::new(20));
        assert_eq!(timers.next(), Some(Nanos::new(15)));
        assert_eq!(timers.take_due(Nanos::new(14)), None);
        assert_eq!(timers.take_due(Nanos::new(30)), Some((Addr::Driver, TimerId(2))));
        assert_eq!(timers.take_due(Nanos::new(30)), Some((Addr::Driver, TimerId(1))));
        assert_eq!(timers.take_due(Nanos::new(30)), None);
    }
}
