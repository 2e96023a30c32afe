//! How plans get from the driver to the nodes.
//!
//! A task's arguments name its plan and are small; the plan itself travels once to each node, over the control stream,
//! in a frame of its own. The first task that needs one asks for it. By then every other node is about to need it, too,
//! so the answer goes to all of them, and most tasks find their plan there.

use crate::remote::link::Link;
use bench_model::TaskFailure;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Plans that a node holds encoded. A job has a few for each of its fragments; what is dropped is asked for again.
const HELD_MAX: usize = 4096;

/// How often a waiting task looks whether it was told to stop.
const STOP_POLL: Duration = Duration::from_millis(25);

/// The plans of the present job, as a node has them.
pub(crate) struct Plans {
    held: Mutex<Held>,
    changed: Condvar,
    patience: Duration,
}

#[derive(Default)]
struct Held {
    /// What has arrived; nothing for a key that the driver does not know.
    here: BTreeMap<Bytes, Option<Bytes>>,
    asked: BTreeSet<Bytes>,
    /// Whether something that the driver has sent may not be here any more.
    dropped: bool,
    closed: bool,
}

impl Plans {
    /// None yet. A plan that does not arrive within `patience` counts as lost on the way.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { held: Mutex::default(), changed: Condvar::new(), patience }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the plan of `key`. The first who does calls `ask`, which tells the driver; it is told whether the driver
    /// may have sent it before.
    ///
    /// # Errors
    /// [`TaskFailure::Transient`] if it does not come in time, the driver is gone, or it knows no such plan;
    /// [`TaskFailure::Cancelled`] once `stop` is raised.
    pub(crate) fn get(&self, key: &[u8], stop: &AtomicBool, ask: impl Fn(Bytes, bool)) -> Result<Bytes, TaskFailure> {
        let by = Instant::now() + self.patience;
        let mut held = self.held();
        loop {
            if held.closed {
                return Err(TaskFailure::Transient("the driver that has the plan is gone".to_owned()));
            }
            match held.here.get(key) {
                Some(Some(plan)) => return Ok(plan.clone()),
                Some(None) => {
                    held.here.remove(key);
                    let reason = "the driver knows no such plan; its job is over or was never planned";
                    return Err(TaskFailure::Transient(reason.to_owned()));
                }
                None => {}
            }
            let name = Bytes::copy_from_slice(key);
            if held.asked.insert(name.clone()) {
                let again = held.dropped;
                drop(held);
                ask(name, again);
                held = self.held();
                continue;
            }
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                held.asked.remove(key);
                held.dropped = true;
                return Err(TaskFailure::Transient(
                    "a plan did not arrive in time; the driver is busy or gone".to_owned(),
                ));
            }
            if stop.load(Ordering::Relaxed) {
                return Err(TaskFailure::Cancelled);
            }
            held = self.changed.wait_timeout(held, left.min(STOP_POLL)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What has arrived for `key` cannot be used: the next who needs it asks for it again.
    pub(crate) fn refuse(&self, key: &[u8]) {
        let mut held = self.held();
        if held.here.remove(key).is_some() {
            held.dropped = true;
        }
    }

    /// The driver has sent a plan, or that there is none.
    pub(crate) fn arrived(&self, key: Bytes, plan: Option<Bytes>) {
        let mut held = self.held();
        if held.here.len() >= HELD_MAX {
            held.here.clear();
            held.dropped = true;
        }
        held.asked.remove(&key);
        held.here.insert(key, plan);
        self.changed.notify_all();
    }

    /// The job is over.
    pub(crate) fn forget(&self) {
        let mut held = self.held();
        *held = Held { closed: held.closed, ..Held::default() };
        self.changed.notify_all();
    }

    /// No plan will come any more.
    pub(crate) fn close(&self) {
        self.held().closed = true;
        self.changed.notify_all();
    }
}

/// Which plans of the present job the driver has sent, and over which links.
#[derive(Default)]
pub(crate) struct Sent(Mutex<BTreeSet<(u64, Bytes)>>);

impl Sent {
    fn sent(&self) -> MutexGuard<'_, BTreeSet<(u64, Bytes)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of `links` over which the plan has not been sent. They count as sent from now on.
    pub(crate) fn claim<M>(&self, key: &Bytes, links: Vec<Arc<Link<M>>>) -> Vec<Arc<Link<M>>>
    where
        M: serde::Serialize + serde::de::DeserializeOwned,
    {
        let mut sent = self.sent();
        links.into_iter().filter(|link| sent.insert((link.key(), key.clone()))).collect()
    }

    /// A claim could not be kept, or the job is over.
    pub(crate) fn forget(&self) {
        self.sent().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    const KEY: &[u8] = b"key";
    static GO: AtomicBool = AtomicBool::new(false);
    const LONG: Duration = Duration::from_secs(10);

    fn plan() -> Option<Bytes> {
        Some(Bytes::from_static(b"plan"))
    }

    #[test]
    fn tasks_that_wait_for_the_same_plan_ask_once_and_all_get_it() {
        let (plans, asked) = (Plans::new(LONG), AtomicUsize::new(0));
        let ask = |key: Bytes, again: bool| {
            assert_eq!((&key[..], again), (KEY, false));
            asked.fetch_add(1, Ordering::Relaxed);
            plans.arrived(key, plan());
        };
        let (plans, ask) = (&plans, &ask);
        let got: Vec<_> = std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| plans.get(KEY, &GO, ask))).collect();
            waiting.into_iter().map(|w| w.join().unwrap().unwrap()).collect()
        });
        assert!(got.iter().all(|g| Some(g) == plan().as_ref()));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_plan_that_was_sent_to_all_is_not_asked_for() {
        let plans = Plans::new(LONG);
        plans.arrived(Bytes::from_static(KEY), plan());
        assert_eq!(plans.get(KEY, &GO, |_, _| panic!("it is here")).ok(), plan());
        plans.forget();
        let asked = AtomicUsize::new(0);
        let unknown = plans.get(KEY, &GO, |key, _| {
            asked.fetch_add(1, Ordering::Relaxed);
            plans.arrived(key, None);
        });
        assert!(matches!(unknown, Err(TaskFailure::Transient(reason)) if reason.contains("no such plan")));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn whoever_waits_is_let_go_in_time_and_when_the_driver_is_gone() {
        let late = Plans::new(Duration::from_millis(1));
        assert!(
            matches!(late.get(KEY, &GO, |_, _| ()), Err(TaskFailure::Transient(reason)) if reason.contains("in time"))
        );
        let seen = AtomicUsize::new(0);
        let _ = late.get(KEY, &GO, |_, again| seen.store(1 + usize::from(again), Ordering::Relaxed));
        assert_eq!(seen.load(Ordering::Relaxed), 2, "the driver is told that it may have sent it before");
        let gone = Plans::new(LONG);
        let closed = gone.get(KEY, &GO, |_, _| gone.close());
        assert!(matches!(closed, Err(TaskFailure::Transient(reason)) if reason.contains("gone")));
    }

    #[test]
    fn a_cancelled_task_does_not_wait_and_a_damaged_plan_is_asked_for_again() {
        let plans = Plans::new(LONG);
        let stopped = AtomicBool::new(true);
        assert_eq!(plans.get(KEY, &stopped, |_, _| ()), Err(TaskFailure::Cancelled));
        plans.arrived(Bytes::from_static(KEY), plan());
        plans.refuse(KEY);
        let got = plans.get(KEY, &GO, |key, again| {
            assert!(again, "the driver is told that it has sent it before");
            plans.arrived(key, plan());
        });
        assert_eq!(got.ok(), plan());
    }
}
