//! Ordered, lossless streams over a network that loses, repeats, delays and reorders.
//!
//! Dask's peers speak over TCP in batches; here a batch is a [`Frame`] with a number. The receiver delivers frames in
//! order, keeps early ones, drops repeated ones, and acknowledges with whatever it sends next, or by itself after a
//! while. The sender keeps a frame until it is acknowledged and repeats the oldest ones when that takes too long. When
//! nothing goes wrong this costs two numbers per frame and no message of its own while both sides talk.
//!
//! Invariant: what one side pushes, the other side gets, once and in order, or one of them changes its epoch.

use bench_model::{Epoch, Nanos};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::Arc;

/// How often a machine calls [`Stream::tick`] while a stream is not quiet.
pub(crate) const TICK: Nanos = Nanos::from_millis(100);
/// After how long without acknowledgment a frame is repeated, at first; doubled with each repetition.
const OVERDUE: Nanos = Nanos::from_millis(400);
/// How many times that time is doubled at most.
const DOUBLINGS: u32 = 3;
/// How many frames are repeated at once.
const REPEATED: usize = 8;
/// How far ahead of the next frame an early one may be. The sender repeats what is dropped.
const EARLY: u64 = 4_096;

/// A value that sender and receiver share within a process; between processes it is copied as if owned.
#[derive(Debug, PartialEq, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(self, serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

/// A batch of items on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + serde::de::DeserializeOwned")]
pub struct Frame<T> {
    /// The node's incarnation, as the scheduler counts them.
    pub epoch: Epoch,
    /// Its number, from 1; 0 if it only acknowledges.
    pub seq: u64,
    /// Every frame of the other direction up to this one has arrived.
    pub ack: u64,
    /// What it carries.
    pub items: Shared<Vec<T>>,
}

struct Sent<T> {
    seq: u64,
    at: Nanos,
    items: Shared<Vec<T>>,
}

/// One end of a stream: sends `S`, receives `R`.
pub(crate) struct Stream<S, R> {
    epoch: Epoch,
    outbox: Vec<S>,
    sent: u64,
    unacked: VecDeque<Sent<S>>,
    doublings: u32,
    received: u64,
    early: BTreeMap<u64, Shared<Vec<R>>>,
    owes_ack: bool,
}

impl<S, R> Stream<S, R> {
    /// A stream of an epoch on which nothing was said yet.
    pub(crate) const fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            outbox: Vec::new(),
            sent: 0,
            unacked: VecDeque::new(),
            doublings: 0,
            received: 0,
            early: BTreeMap::new(),
            owes_ack: false,
        }
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Adds an item to the next frame. Returns whether it is the first one in it.
    pub(crate) fn push(&mut self, item: S) -> bool {
        self.outbox.push(item);
        self.outbox.len() == 1
    }

    /// The next frame, if anything was pushed.
    pub(crate) fn flush(&mut self, now: Nanos) -> Option<Frame<S>> {
        if self.outbox.is_empty() {
            return None;
        }
        self.sent += 1;
        let items = Shared::new(std::mem::take(&mut self.outbox));
        self.unacked.push_back(Sent { seq: self.sent, at: now, items: items.clone() });
        Some(self.frame(self.sent, items))
    }

    fn frame(&mut self, seq: u64, items: Shared<Vec<S>>) -> Frame<S> {
        self.owes_ack = false;
        Frame { epoch: self.epoch, seq, ack: self.received, items }
    }

    /// Takes in a frame of this epoch. Returns its items if they are next; then [`Stream::early`] may have more.
    pub(crate) fn receive(&mut self, frame: Frame<R>) -> Option<Shared<Vec<R>>> {
        while self.unacked.front().is_some_and(|s| s.seq <= frame.ack) {
            self.unacked.pop_front();
            self.doublings = 0;
        }
        if frame.seq == 0 {
            return None;
        }
        self.owes_ack = true;
        if frame.seq == self.received + 1 {
            self.received += 1;
            return Some(frame.items);
        }
        if frame.seq > self.received && frame.seq <= self.received + EARLY {
            self.early.insert(frame.seq, frame.items);
        }
        None
    }

    /// The next frame's items, if it came early.
    pub(crate) fn early(&mut self) -> Option<Shared<Vec<R>>> {
        let next = self.early.first_key_value().is_some_and(|(seq, _)| *seq == self.received + 1);
        let (seq, items) = next.then(|| self.early.pop_first()).flatten()?;
        self.received = seq;
        Some(items)
    }

    /// Whether nothing is owed to either side, so that no tick is needed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.unacked.is_empty() && !self.owes_ack
    }

    /// What to send because time has passed: overdue frames again, or an acknowledgment.
    pub(crate) fn tick(&mut self, now: Nanos, out: &mut Vec<Frame<S>>) {
        let overdue = Nanos::new(OVERDUE.get() << self.doublings.min(DOUBLINGS));
        if self.unacked.front().is_some_and(|s| now.saturating_sub(s.at) >= overdue) {
            self.doublings += 1;
            let again: Vec<_> = self
                .unacked
                .iter_mut()
                .take(REPEATED)
                .map(|s| {
                    s.at = now;
                    (s.seq, s.items.clone())
                })
                .collect();
            out.extend(again.into_iter().map(|(seq, items)| self.frame(seq, items)));
        }
        if self.owes_ack {
            let nothing = Shared::new(Vec::new());
            out.push(self.frame(0, nothing));
        }
    }

    /// How many frames wait for their acknowledgment.
    #[cfg(test)]
    pub(crate) fn outstanding(&self) -> usize {
        self.unacked.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type End = Stream<u32, u32>;

    fn take(end: &mut End, frame: Frame<u32>, into: &mut Vec<u32>) {
        if let Some(items) = end.receive(frame) {
            into.extend(items.iter());
        }
        while let Some(items) = end.early() {
            into.extend(items.iter());
        }
    }

    /// What may happen to the network between two peers.
    #[derive(Clone, Debug)]
    enum Step {
        Push(bool),
        Flush(bool),
        Deliver(bool, prop::sample::Index),
        Repeat(bool, prop::sample::Index),
        Lose(bool, prop::sample::Index),
        Tick(bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let at = any::<prop::sample::Index>;
        let step = prop_oneof![
            3 => any::<bool>().prop_map(Step::Push),
            3 => any::<bool>().prop_map(Step::Flush),
            4 => (any::<bool>(), at()).prop_map(|(a, i)| Step::Deliver(a, i)),
            1 => (any::<bool>(), at()).prop_map(|(a, i)| Step::Repeat(a, i)),
            1 => (any::<bool>(), at()).prop_map(|(a, i)| Step::Lose(a, i)),
            1 => any::<bool>().prop_map(Step::Tick),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn everything_arrives_once_and_in_order_whatever_the_network_does(steps in steps()) {
            let mut ends = [End::new(Epoch(1)), End::new(Epoch(1))];
            let mut wires: [Vec<Frame<u32>>; 2] = [vec![], vec![]];
            let mut got = [vec![], vec![]];
            let (mut pushed, mut now) = ([0u32; 2], Nanos::ZERO);
            for step in steps {
                now += Nanos::from_millis(70);
                match step {
                    Step::Push(a) => { ends[a as usize].push(pushed[a as usize]); pushed[a as usize] += 1; }
                    Step::Flush(a) => wires[a as usize].extend(ends[a as usize].flush(now)),
                    Step::Deliver(a, i) if !wires[a as usize].is_empty() => {
                        let frame = wires[a as usize].swap_remove(i.index(wires[a as usize].len()));
                        take(&mut ends[!a as usize], frame, &mut got[!a as usize]);
                    }
                    Step::Repeat(a, i) if !wires[a as usize].is_empty() => {
                        let frame = wires[a as usize][i.index(wires[a as usize].len())].clone();
                        take(&mut ends[!a as usize], frame, &mut got[!a as usize]);
                    }
                    Step::Lose(a, i) if !wires[a as usize].is_empty() => {
                        wires[a as usize].swap_remove(i.index(wires[a as usize].len()));
                    }
                    Step::Tick(a) => ends[a as usize].tick(now, &mut wires[a as usize]),
                    _ => {}
                }
            }
            // The network heals: ticks alone bring everything across, and then there is silence.
            for _ in 0..400 {
                now += TICK;
                for a in [0, 1] {
                    let flushed = ends[a].flush(now);
                    wires[a].extend(flushed);
                    ends[a].tick(now, &mut wires[a]);
                    for frame in std::mem::take(&mut wires[a]) {
                        take(&mut ends[1 - a], frame, &mut got[1 - a]);
                    }
                }
            }
            for a in [0, 1] {
                prop_assert_eq!(&got[1 - a], &(0..pushed[a]).collect::<Vec<_>>());
                prop_assert!(ends[a].is_quiet());
            }
        }
    }

    #[test]
    fn talk_in_both_directions_needs_no_message_of_its_own() {
        let (mut a, mut b) = (End::new(Epoch(1)), End::new(Epoch(1)));
        let mut got = Vec::new();
        for i in 0..100 {
            a.push(i);
            take(&mut b, a.flush(Nanos::ZERO).unwrap(), &mut got);
            b.push(i);
            take(&mut a, b.flush(Nanos::ZERO).unwrap(), &mut got);
            assert_eq!((a.outstanding(), b.outstanding()), (0, 1));
        }
        assert_eq!(got.len(), 200);
    }

    #[test]
    fn nothing_is_repeated_before_it_is_overdue() {
        let mut a = End::new(Epoch(1));
        a.push(1);
        a.flush(Nanos::ZERO);
        let mut out = Vec::new();
        a.tick(Nanos::from_millis(399), &mut out);
        assert!(out.is_empty());
        a.tick(Nanos::from_millis(400), &mut out);
        a.tick(Nanos::from_millis(1_100), &mut out);
        assert_eq!(out.len(), 1, "the second repetition waits twice as long");
    }
}
