//! Which slots sleep, and whom to wake. Pure bookkeeping: the condition variable is the host's.
//!
//! A wake-up is a token. Whoever wakes takes one, so a wake-up meant for one sleeper is never lost because another one
//! happened to time out at the same moment, and no more slots are woken than there is work for.

use bench_model::Nanos;

/// The sleeping slots of a session.
#[derive(Default)]
pub(crate) struct Sleepers {
    /// Asleep and not yet signalled.
    idle: usize,
    /// Wake-ups sent and not yet taken.
    tokens: usize,
    /// The earliest deadline at which some sleeper will wake by itself.
    armed: Option<Nanos>,
}

impl Sleepers {
    /// Whether any slot sleeps that was not told to wake up.
    pub(crate) fn any(&self) -> bool {
        self.idle > 0
    }

    /// A slot goes to sleep. Returns the time at which it must wake by itself: the next deadline, unless another
    /// sleeper already watches one as early.
    pub(crate) fn lie_down(&mut self, next_deadline: Option<Nanos>) -> Option<Nanos> {
        self.idle += 1;
        let watched = next_deadline.filter(|next| self.unwatched(*next));
        if watched.is_some() {
            self.armed = watched;
        }
        watched
    }

    /// A sleeping slot was woken by a signal. False if the signal was meant for another or was spurious: sleep on.
    pub(crate) fn take_token(&mut self) -> bool {
        let taken = self.tokens > 0;
        self.tokens -= usize::from(taken);
        taken
    }

    /// Whether a signal was sent that nobody has taken yet.
    pub(crate) fn any_called(&self) -> bool {
        self.tokens > 0
    }

    /// A sleeping slot woke at its deadline, without a signal.
    pub(crate) fn get_up(&mut self) {
        self.idle = self.idle.saturating_sub(1);
    }

    /// A slot that watched a deadline is awake.
    pub(crate) fn disarm(&mut self, watched: Option<Nanos>) {
        if watched.is_some() && self.armed == watched {
            self.armed = None;
        }
    }

    /// How many sleepers to signal now, at most `wanted`; one at least if nobody watches the next deadline.
    pub(crate) fn signal(&mut self, wanted: usize, next_deadline: Option<Nanos>) -> usize {
        let watch = next_deadline.is_some_and(|next| self.unwatched(next));
        let signalled = wanted.max(usize::from(watch)).min(self.idle);
        self.idle -= signalled;
        self.tokens += signalled;
        signalled
    }

    fn unwatched(&self, deadline: Nanos) -> bool {
        self.armed.is_none_or(|armed| armed > deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_woken_than_sleep() {
        let mut sleepers = Sleepers::default();
        sleepers.lie_down(None);
        assert_eq!(sleepers.signal(5, None), 1);
        assert_eq!(sleepers.signal(5, None), 0);
        assert!(sleepers.take_token());
        assert!(!sleepers.take_token());
    }

    #[test]
    fn exactly_one_sleeper_watches_a_deadline() {
        let mut sleepers = Sleepers::default();
        let deadline = Some(Nanos::new(100));
        assert_eq!(sleepers.lie_down(deadline), deadline);
        assert_eq!(sleepers.lie_down(deadline), None);
        assert_eq!(sleepers.signal(0, deadline), 0, "it is watched already");
        assert_eq!(sleepers.signal(0, Some(Nanos::new(50))), 1, "an earlier one is not");
    }

    #[test]
    fn a_deadline_is_watched_again_after_its_watcher_left() {
        let mut sleepers = Sleepers::default();
        let deadline = Some(Nanos::new(100));
        let watched = sleepers.lie_down(deadline);
        sleepers.lie_down(deadline);
        sleepers.signal(1, deadline);
        assert!(sleepers.take_token());
        sleepers.disarm(watched);
        assert_eq!(sleepers.signal(0, deadline), 1);
    }
}
