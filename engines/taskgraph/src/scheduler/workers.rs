//! The workers as the scheduler sees them: streams, load, memory, and who has room.
//!
//! Invariant: a node keeps its place in the list for good; what is known about it starts anew with each epoch.

use crate::message::{Down, Msg, Pressure, Up};
use crate::stream::{Frame, Stream};
use bench_model::{Action, Addr, Epoch, JobId, Nanos, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// A worker's place in the list.
pub(crate) type WorkerIx = u32;
/// No worker.
pub(crate) const NOBODY: WorkerIx = u32::MAX;
/// Levels of how much a steal costs compared with what it moves.
pub(crate) const LEVELS: usize = 15;

/// A key that might be stolen, if it is still where and what it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stealable {
    pub(crate) job: JobId,
    pub(crate) key: u32,
    pub(crate) tries: u32,
}

pub(crate) struct WorkerState {
    pub(crate) node: NodeId,
    pub(crate) slots: u32,
    pub(crate) up: bool,
    pub(crate) pressure: Pressure,
    pub(crate) stream: Stream<Down, Up>,
    /// Keys sent to it that have not ended.
    pub(crate) processing: u32,
    /// How long they will take by what is known, in nanoseconds of one slot.
    pub(crate) occupancy: u64,
    /// What the keys it holds take.
    pub(crate) bytes: u64,
    /// It was told to drop everything.
    pub(crate) closing: bool,
    /// How often it was given up for its memory.
    pub(crate) terminations: u32,
    pub(crate) stealable: [Vec<Stealable>; LEVELS],
}

impl WorkerState {
    fn load(&self) -> u64 {
        (u64::from(self.processing) << 16) / u64::from(self.slots.max(1))
    }

    fn is_open(&self) -> bool {
        self.up && self.pressure == Pressure::Normal && !self.closing
    }

    /// Whether another root task may be sent to it.
    pub(crate) fn has_room(&self, saturation: f64) -> bool {
        let limit = (saturation * f64::from(self.slots)).ceil().max(1.0);
        f64::from(self.processing) < limit
    }
}

#[derive(Default)]
pub(crate) struct Workers {
    list: Vec<WorkerState>,
    by_node: BTreeMap<NodeId, WorkerIx>,
    /// Those that take work, the least loaded first.
    open: BTreeSet<(u64, WorkerIx)>,
    /// Those with something in their outbox.
    unsent: Vec<WorkerIx>,
    up: usize,
    slots: u64,
    paused: usize,
    epochs: u64,
    /// Bytes by worker for one decision; all zero in between.
    pub(super) scratch: Vec<u64>,
}

impl Workers {
    pub(crate) fn is_empty(&self) -> bool {
        self.up == 0
    }

    /// How many workers there are.
    pub(crate) const fn count(&self) -> usize {
        self.up
    }

    /// The slots of all workers.
    pub(crate) const fn slots(&self) -> u64 {
        self.slots
    }

    pub(crate) const fn any_paused(&self) -> bool {
        self.paused > 0
    }

    pub(crate) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) fn get(&self, at: WorkerIx) -> Option<&WorkerState> {
        self.list.get(at as usize).filter(|w| w.up)
    }

    pub(crate) fn get_mut(&mut self, at: WorkerIx) -> Option<&mut WorkerState> {
        self.list.get_mut(at as usize).filter(|w| w.up)
    }

    pub(crate) fn at(&self, node: NodeId) -> Option<WorkerIx> {
        self.by_node.get(&node).copied().filter(|at| self.get(*at).is_some())
    }

    /// The node at a place; nodes that are gone keep theirs.
    pub(crate) fn node(&self, at: WorkerIx) -> NodeId {
        self.list.get(at as usize).map_or(NodeId(u32::MAX), |w| w.node)
    }

    /// Every worker that is up.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (WorkerIx, &WorkerState)> {
        self.list.iter().enumerate().filter(|(_, w)| w.up).map(|(at, w)| (at as WorkerIx, w))
    }

    /// Those that take work, the least loaded first.
    pub(crate) fn open(&self) -> impl Iterator<Item = WorkerIx> {
        self.open.iter().map(|(_, at)| *at)
    }

    /// Whether a worker takes work.
    pub(crate) fn is_open(&self, at: WorkerIx) -> bool {
        self.get(at).is_some_and(WorkerState::is_open)
    }

    /// Tells a worker that is out of memory, and was given up fewer than `max` times, to drop everything.
    pub(crate) fn close_critical(&mut self, max: u32) -> Option<NodeId> {
        let critical = |w: &WorkerState| w.pressure == Pressure::Critical && !w.closing && w.terminations < max;
        let at = self.iter().find(|(_, w)| critical(w)).map(|(at, _)| at)?;
        self.change(at, |w| w.closing = true);
        self.send(at, Down::Close);
        Some(self.node(at))
    }

    /// A node joins with a new epoch, which it is told.
    pub(crate) fn join(&mut self, node: NodeId, slots: u32) -> WorkerIx {
        self.epochs += 1;
        let fresh = WorkerState {
            node,
            slots,
            up: true,
            pressure: Pressure::Normal,
            stream: Stream::new(Epoch(self.epochs)),
            processing: 0,
            occupancy: 0,
            bytes: 0,
            closing: false,
            terminations: 0,
            stealable: Default::default(),
        };
        let at = *self.by_node.entry(node).or_insert(self.list.len() as WorkerIx);
        match self.list.get_mut(at as usize) {
            Some(place) => *place = fresh,
            None => {
                self.list.push(fresh);
                self.scratch.push(0);
            }
        }
        self.up += 1;
        self.slots += u64::from(slots);
        if slots > 0 {
            self.open.insert((0, at));
        }
        self.send(at, Down::Welcome);
        at
    }

    /// Forgets all about a worker but its place.
    pub(crate) fn leave(&mut self, at: WorkerIx) {
        self.change(at, |w| w.up = false);
        if let Some(worker) = self.list.get(at as usize) {
            self.up -= 1;
            self.slots -= u64::from(worker.slots);
            self.paused -= usize::from(worker.pressure != Pressure::Normal);
        }
    }

    /// Changes something on which a worker's rank depends.
    fn change(&mut self, at: WorkerIx, act: impl FnOnce(&mut WorkerState)) {
        let Some(worker) = self.list.get_mut(at as usize).filter(|w| w.up) else { return };
        let before = (worker.is_open(), worker.load());
        act(worker);
        let after = (worker.is_open(), worker.load());
        if before != after && worker.slots > 0 {
            if before.0 {
                self.open.remove(&(before.1, at));
            }
            if after.0 {
                self.open.insert((after.1, at));
            }
        }
    }

    /// A key was sent to a worker and is expected to take that long.
    pub(crate) fn charge(&mut self, at: WorkerIx, cost: u64) {
        self.change(at, |w| {
            w.processing += 1;
            w.occupancy += cost;
        });
    }

    /// A key that was sent to a worker is not its business any more.
    pub(crate) fn discharge(&mut self, at: WorkerIx, cost: u64) {
        self.change(at, |w| {
            w.processing = w.processing.saturating_sub(1);
            w.occupancy = w.occupancy.saturating_sub(cost);
        });
    }

    pub(crate) fn set_pressure(&mut self, at: WorkerIx, pressure: Pressure) {
        let Some(before) = self.get(at).map(|w| w.pressure) else { return };
        self.paused += usize::from(pressure != Pressure::Normal);
        self.paused -= usize::from(before != Pressure::Normal);
        self.change(at, |w| w.pressure = pressure);
    }

    /// Puts an item into a worker's next frame. Nothing happens if it is gone.
    pub(crate) fn send(&mut self, at: WorkerIx, item: Down) {
        if let Some(worker) = self.list.get_mut(at as usize).filter(|w| w.up)
            && worker.stream.push(item)
        {
            self.unsent.push(at);
        }
    }

    /// Sends what was put into frames. Returns whether anything was.
    pub(crate) fn flush(&mut self, now: Nanos, out: &mut Vec<Action<Msg>>) -> bool {
        let any = !self.unsent.is_empty();
        for at in self.unsent.drain(..) {
            if let Some(worker) = self.list.get_mut(at as usize).filter(|w| w.up)
                && let Some(frame) = worker.stream.flush(now)
            {
                out.push(Action::Send { to: Addr::Node(worker.node), msg: Msg::Down(frame) });
            }
        }
        any
    }

    /// Repeats what is overdue, acknowledges what is not acknowledged. Returns whether another tick is needed.
    pub(crate) fn tick(&mut self, now: Nanos, out: &mut Vec<Action<Msg>>) -> bool {
        let mut frames: Vec<Frame<Down>> = Vec::new();
        let mut restless = false;
        for worker in self.list.iter_mut().filter(|w| w.up) {
            worker.stream.tick(now, &mut frames);
            let to = Addr::Node(worker.node);
            out.extend(frames.drain(..).map(|f| Action::Send { to, msg: Msg::Down(f) }));
            restless |= !worker.stream.is_quiet();
        }
        restless
    }

    /// What is counted beside the list must agree with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.iter().count() != self.up || self.iter().map(|(_, w)| u64::from(w.slots)).sum::<u64>() != self.slots {
            return Err("workers or their slots are miscounted".to_owned());
        }
        if self.iter().filter(|(_, w)| w.pressure != Pressure::Normal).count() != self.paused {
            return Err("paused workers are miscounted".to_owned());
        }
        for (at, worker) in self.list.iter().enumerate() {
            let listed = self.open.contains(&(worker.load(), at as WorkerIx));
            if listed != (worker.is_open() && worker.slots > 0) {
                return Err(format!("{} is listed wrongly among those that take work", worker.node));
            }
        }
        if self.scratch.iter().any(|bytes| *bytes > 0) {
            return Err("a decision left its notes behind".to_owned());
        }
        Ok(())
    }
}
