//! The threads of a host in several processes: one more than slots, all alike.
//!
//! Each of them drives machines, does chores, reads and writes control streams, and runs tasks as long as there is a free
//! slot for it; an idle one sleeps with the poller. At most `slots` of them run kernels and do chores at a time, as in one
//! process, so one is always left to listen, to answer pings and to stop attempts, and in the common case it is an idle one that reads a message, acts on it and
//! runs the task it brings, without a hop to another thread.

use crate::control::Control;
use crate::host::Host;
use crate::remote::error::LinkError;
use crate::remote::link::Link;
use crate::remote::network::{Network, Woke};
use crate::remote::wire::Frame;
use crate::slot::{self, Slot};
use crate::timeline::Pace;
use bench_model::{JobId, Style};
use std::sync::{Arc, MutexGuard};

/// What a process does with what it is told.
pub(crate) trait Role<S: Style>: Send + Sync {
    /// Frames of a peer, in order. The calling thread looks afterwards what there is to do.
    fn frames(&self, host: &Host<S>, link: &Arc<Link<S::Msg>>, frames: Vec<Frame<S::Msg>>);
    /// Machines have been told of a job's plan, or of a change of it: sends the plans that are about to be needed. Called
    /// without the host's lock.
    fn planned(&self, host: &Host<S>, job: JobId);
    /// A link is of no use any more.
    fn broken(&self, host: &Host<S>, link: &Arc<Link<S::Msg>>, error: &LinkError);
}

/// The network side of a host.
pub(crate) struct Wire<S: Style> {
    pub(crate) network: Arc<Network<S::Msg>>,
    pub(crate) role: Arc<dyn Role<S>>,
}

impl<S: Style> Wire<S> {
    /// Sends what the machines said. Call it without the host's lock.
    pub(crate) fn flush(&self, host: &Host<S>) {
        for (link, error) in self.network.flush() {
            self.role.broken(host, &link, &error);
        }
    }
}

/// The loop of a thread. It ends when the host stops.
pub(crate) fn drive<S: Style>(host: &Host<S>, wire: &Wire<S>) {
    let mut slot: Option<Arc<Slot>> = None;
    let mut pace = Pace::new();
    let mut control = host.lock();
    while !control.stopping {
        if control.next_timer().is_some_and(|t| t <= control.now()) {
            let now = control.now();
            control.fire_timer(now);
        } else if let Some(chore) = control.take_chore_away() {
            pace.interrupt();
            control = slot::do_chore(host, slot.as_deref(), control, chore);
            control.is_back();
        } else if let Some((held, assignment)) = control.take_run_on(&mut slot) {
            let wake = control.sleepers_to_wake();
            let quiet = control.was_quiet();
            drop(control);
            host.wake(wake);
            control = slot::run(host, &held, &mut pace, quiet && wake == 0, &assignment);
            control.is_back();
        } else {
            pace.interrupt();
            control = sleep(host, wire, &mut slot, control);
        }
    }
    drop(control);
    // Signals merge, so each thread passes on that it is over.
    wire.network.wake();
}

/// Sends what was said, then sleeps until there is something to do, the next timer is due or a peer speaks.
fn sleep<'h, S: Style>(
    host: &'h Host<S>,
    wire: &Wire<S>,
    slot: &mut Option<Arc<Slot>>,
    mut control: MutexGuard<'h, Control<S>>,
) -> MutexGuard<'h, Control<S>> {
    // Where nothing hangs on it, the clock is not read: a round trip would feel it.
    if control.next_timer().is_some() || slot.is_some() {
        let now = host.clock.now();
        if control.fire_timer(now) {
            return control;
        }
        if let Some(slot) = slot.take() {
            control.rest(slot, now);
        }
    }
    let watched = control.doze();
    drop(control);
    wire.flush(host);
    loop {
        let left = watched.map(|deadline| deadline.saturating_sub(host.clock.now()).as_duration());
        let woke = wire.network.wait(left);
        let due = watched.is_some_and(|deadline| deadline <= host.clock.now());
        let spoken = match woke {
            Woke::Signal | Woke::Timeout => false,
            Woke::Readable(link) => {
                read(host, wire, &link);
                true
            }
            Woke::Writable(link) => {
                if let Err(error) = link.writable() {
                    wire.role.broken(host, &link, &error);
                }
                true
            }
        };
        control = host.lock();
        let called = control.sleepers.take_token();
        if called && control.sleepers.any_called() {
            // Signals merge: this thread may have been woken for several.
            wire.network.wake();
        }
        if control.stopping || called {
            break;
        }
        if due || spoken {
            control.sleepers.get_up();
            break;
        }
        drop(control);
    }
    control.wake_up(watched);
    if control.next_timer().is_some() {
        let now = host.clock.now();
        control.fire_timer(now);
    }
    control
}

fn read<S: Style>(host: &Host<S>, wire: &Wire<S>, link: &Arc<Link<S::Msg>>) {
    if let Err(error) = link.read(|frames| wire.role.frames(host, link, frames)) {
        wire.role.broken(host, link, &error);
    }
}
