//! One compute thread: it runs tasks, and between two tasks it drives the machines.

use crate::control::{Chore, Control};
use crate::host::Host;
use crate::memory;
use crate::task;
use crate::timeline::{Clock, Pace, Timeline};
use bench_model::{Assignment, Bytes, Event, Nanos, Planned, SpanKind, Style, TaskTrace};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

/// What a slot's thread shares with the lock's holder and with the iterators it hands to kernels.
pub(crate) struct Slot {
    number: usize,
    clock: Clock,
    scratch: PathBuf,
    timeline: Option<Timeline>,
    /// Shared with what a kernel leaves running while it waits.
    stop: Arc<AtomicBool>,
    rows_in: AtomicU64,
    spilled: AtomicU64,
    /// Whether what the running attempt spends is wanted apart.
    traced: AtomicBool,
}

impl Slot {
    /// Slot `number` of a session. Without a timeline, accounting costs a branch.
    pub(crate) fn new(number: usize, clock: Clock, scratch: PathBuf, spans: bool) -> Self {
        let timeline = spans.then(|| Timeline::new(clock.now()));
        let (rows_in, spilled) = Default::default();
        let traced = AtomicBool::new(false);
        Self { number, clock, scratch, timeline, stop: Arc::default(), rows_in, spilled, traced }
    }

    /// Which slot this is, counted from 0.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Its folder for tasks' temporary files.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Forgets the last attempt. Under the lock, so that a cancellation cannot hit the wrong attempt.
    pub(crate) fn begin(&self, is_traced: bool) {
        self.stop.store(false, Ordering::Relaxed);
        self.traced.store(is_traced, Ordering::Relaxed);
        self.rows_in.store(0, Ordering::Relaxed);
        self.spilled.store(0, Ordering::Relaxed);
    }

    /// Tells the running attempt to stop.
    pub(crate) fn cancel(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the running attempt should stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Turns true when the running attempt should stop.
    pub(crate) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Counts bytes that the running attempt wrote out because memory ran short.
    pub(crate) fn count_spilled(&self, bytes: Bytes) {
        self.spilled.fetch_add(bytes.get(), Ordering::Relaxed);
    }

    /// Bytes the running attempt has written out because memory ran short.
    pub(crate) fn spilled(&self) -> Bytes {
        Bytes::new(self.spilled.load(Ordering::Relaxed))
    }

    /// Counts rows that the running attempt read.
    pub(crate) fn count_rows_in(&self, rows: usize) {
        self.rows_in.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Rows the running attempt has read.
    pub(crate) fn rows_in(&self) -> u64 {
        self.rows_in.load(Ordering::Relaxed)
    }

    /// Runs `work` on the account of `kind`, then goes back to the kind before.
    pub(crate) fn timed<T>(&self, kind: SpanKind, work: impl FnOnce() -> T) -> T {
        let Some(timeline) = &self.timeline else { return work() };
        let before = timeline.switch(kind, self.clock.now());
        let result = work();
        timeline.switch(before, self.clock.now());
        result
    }

    /// From `now` on the slot's time is of this kind.
    pub(crate) fn switch_at(&self, kind: SpanKind, now: Nanos) {
        if let Some(timeline) = &self.timeline {
            timeline.switch(kind, now);
        }
    }

    /// As [`Slot::switch_at`], if it is another kind than before.
    pub(crate) fn switch_if_other(&self, kind: SpanKind, now: Nanos) {
        if let Some(timeline) = self.timeline.as_ref().filter(|t| t.kind() != kind) {
            timeline.switch(kind, now);
        }
    }

    /// Its account, if one is kept.
    pub(crate) fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }
}

/// The loop of a slot's thread. It ends when the session stops.
pub(crate) fn drive<S: Style>(host: &Host<S>, slot: &Arc<Slot>) {
    let mut control = host.lock();
    let mut pace = Pace::new();
    while !control.stopping {
        // Timers are checked against the last event's time: a fresh reading is taken before going to sleep.
        if control.next_timer().is_some_and(|t| t <= control.now()) {
            let now = control.now();
            control.fire_timer(now);
        } else if let Some(chore) = control.take_chore() {
            pace.interrupt();
            control = do_chore(host, Some(slot), control, chore);
        } else if let Some(assignment) = control.take_run(slot) {
            let quiet = control.was_quiet();
            let wake = control.sleepers_to_wake();
            drop(control);
            host.wake(wake);
            control = run(host, slot, &mut pace, quiet && wake == 0, &assignment);
        } else {
            pace.interrupt();
            control = sleep(host, slot, control);
        }
    }
}

/// Runs an attempt and tells the machines of its end.
pub(crate) fn run<'h, S: Style>(
    host: &'h Host<S>,
    slot: &Arc<Slot>,
    pace: &mut Pace,
    quiet: bool,
    assignment: &Assignment,
) -> MutexGuard<'h, Control<S>> {
    let which = (assignment.task, assignment.attempt);
    let began = slot.timeline.as_ref().map(|timeline| {
        let now = pace.begin(quiet, || host.clock.now());
        timeline.switch(SpanKind::Compute, now);
        (now, slot.traced.load(Ordering::Relaxed).then(|| timeline.written()))
    });
    // What a task took is asked for where nodes can be hurt only: a clock read in every task of one process would show.
    let asked = began.map(|(began, _)| began).or_else(|| host.is_wired().then(|| host.clock.now()));
    let result = task::run(host, slot, assignment);
    let now = host.clock.now();
    let took = asked.map_or(Nanos::ZERO, |asked| now.saturating_sub(asked));
    let trace = slot.timeline.as_ref().zip(began).and_then(|(timeline, (began, before))| {
        timeline.switch(SpanKind::Schedule, now);
        pace.end(began, now);
        let spent = timeline.written().into_iter().zip(before?).map(|(after, before)| after.saturating_sub(before));
        TaskTrace::of(which, host.node, &result, spent)
    });
    let mut control = host.lock();
    control.ran(now, slot, which, result, took, trace);
    control
}

/// Sleeps until there is something to do or the next timer is due.
fn sleep<'h, S: Style>(
    host: &'h Host<S>,
    slot: &Slot,
    mut control: MutexGuard<'h, Control<S>>,
) -> MutexGuard<'h, Control<S>> {
    let now = host.clock.now();
    if control.fire_timer(now) {
        return control;
    }
    let watched = control.lie_down(slot, now);
    loop {
        control = match watched {
            Some(deadline) => {
                let left = deadline.saturating_sub(host.clock.now()).as_duration();
                host.work.wait_timeout(control, left).unwrap_or_else(PoisonError::into_inner).0
            }
            None => host.work.wait(control).unwrap_or_else(PoisonError::into_inner),
        };
        let due = watched.is_some_and(|deadline| deadline <= host.clock.now());
        if control.stopping || control.sleepers.take_token() {
            break;
        }
        if due {
            control.sleepers.get_up();
            break;
        }
    }
    let now = host.clock.now();
    control.get_up(slot, now, watched);
    control.fire_timer(now);
    control
}

/// Does what must not happen under the lock, then comes back. Its time goes on the account of the calling thread's slot,
/// if it has one.
pub(crate) fn do_chore<'h, S: Style>(
    host: &'h Host<S>,
    slot: Option<&Slot>,
    mut control: MutexGuard<'h, Control<S>>,
    chore: Chore,
) -> MutexGuard<'h, Control<S>> {
    let wake = control.sleepers_to_wake();
    drop(control);
    host.wake(wake);
    match chore {
        Chore::Sweep => {
            timed(slot, SpanKind::Report, || host.store.sweep());
            host.lock()
        }
        Chore::Spill { block, attempt } => {
            let result = timed(slot, SpanKind::SpillWrite, || host.store.spill(block, attempt));
            tell_node(host, Event::Spilled { block, attempt, result })
        }
        Chore::MeasureMemory => tell_node(host, Event::Memory { used: memory::used(&host.store) }),
        Chore::Replan { job, stats, fixed } => {
            let (after, began) = (stats.fragment, host.clock.now());
            let ask = || host.front.as_ref().map(|front| front.replan(job, &stats, &fixed));
            let planned = timed(slot, SpanKind::Submit, || catch_unwind(AssertUnwindSafe(ask)));
            let planned = planned.unwrap_or_else(|panic| {
                let notes = vec![format!("replanning panicked, so the plan stays: {}", task::panic_message(&*panic))];
                Some(Planned { job, graph: None, notes })
            });
            let planned = planned.unwrap_or(Planned { job, graph: None, notes: Vec::new() });
            let now = host.clock.now();
            let job = planned.job;
            let mut control = host.lock();
            control.replanned(job, after, now.saturating_sub(began), planned.graph.as_ref());
            control.planned(now, planned);
            if !host.is_elsewhere() {
                return control;
            }
            let wake = control.sleepers_to_wake();
            drop(control);
            host.wake(wake);
            host.planned(job);
            host.lock()
        }
    }
}

fn timed<T>(slot: Option<&Slot>, kind: SpanKind, work: impl FnOnce() -> T) -> T {
    match slot {
        Some(slot) => slot.timed(kind, work),
        None => work(),
    }
}

fn tell_node<S: Style>(host: &Host<S>, event: Event<S::Msg>) -> MutexGuard<'_, Control<S>> {
    let now = host.clock.now();
    let mut control = host.lock();
    control.feed_node(now, event);
    control
}
