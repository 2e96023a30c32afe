//! The thread that hurts nodes while a job runs.

use crate::host::Host;
use crate::remote::Fleet;
use crate::strike::{Ring, Target};
use bench_model::{FaultKind, JobId, NodeId, Style};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long after it was given up a paused node wakes up.
const AWAKENING: Duration = Duration::from_millis(500);
/// How long a thread that nobody rings for sleeps at a time.
const LONG: Duration = Duration::from_secs(3600);

/// Whom it hurts, and for which job.
pub(crate) struct Striker<'s, S: Style> {
    pub(crate) host: &'s Host<S>,
    pub(crate) fleet: &'s Fleet<S>,
    pub(crate) job: JobId,
}

/// Ends the striker's work when dropped.
pub(crate) struct Ceasefire<'s, S: Style>(pub(crate) &'s Host<S>);

impl<S: Style> Drop for Ceasefire<'_, S> {
    fn drop(&mut self) {
        self.0.lock().hush();
    }
}

impl<S: Style> Striker<'_, S> {
    /// Does what is rung for until the job is over.
    pub(crate) fn strike(&self, rings: &Receiver<Ring>) {
        // In the order in which they were paused, which is that in which they wake up.
        let mut paused: Vec<(Instant, NodeId)> = Vec::new();
        loop {
            let left = paused.first().map_or(LONG, |(at, _)| at.saturating_duration_since(Instant::now()));
            match rings.recv_timeout(left) {
                Ok(Ring::Fault(number)) => {
                    let awakening = Instant::now() + self.fleet.silence() + AWAKENING;
                    paused.extend(self.hurt(number).map(|node| (awakening, node)));
                }
                // A zombie: it wakes up after the driver has given it up.
                Err(RecvTimeoutError::Timeout) if !paused.is_empty() => {
                    let (_, node) = paused.remove(0);
                    self.fleet.relieve(Some(node));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Ring::Over) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The node, if it was paused.
    fn hurt(&self, number: usize) -> Option<NodeId> {
        let Target { node, kind, seed } = self.host.lock().target(number)?;
        // It begins to take effect while it is done, and may be noticed before that is over.
        let began = self.host.clock.now();
        let done = match kind {
            FaultKind::CorruptBlock => {
                let fault = u32::try_from(number).unwrap_or(u32::MAX);
                match self.fleet.damage(node, self.job, fault, seed) {
                    // The node does it as soon as it has a block, and says so.
                    Ok(()) => return None,
                    refused => refused,
                }
            }
            _ => self.fleet.strike(node, kind),
        };
        let paused = (kind == FaultKind::Pause && done.is_ok()).then_some(node);
        self.host.command(|control, _| control.struck(number, began, done));
        paused
    }
}
