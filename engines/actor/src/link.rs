//! Reliable, ordered delivery between two incarnations, over messages that may be lost, repeated, late or reordered.
//!
//! Each side numbers its frames and keeps them until they are acknowledged. Acknowledgements travel in frames that are sent
//! anyway; a pure one is sent by a timer, and only if nothing else was sent meanwhile. The same timer sends again what was
//! not acknowledged in time, less and less often. So in a busy conversation the protocol adds no message at all.
//!
//! Invariants: notes are delivered once and in the order they were sent; a frame of another incarnation of either side is
//! dropped; what is kept out of order is bounded.

use crate::message::{Frame, Note, Shared};
use bench_model::{Action, Addr, Epoch, Nanos, TimerId};
use std::collections::{BTreeMap, VecDeque};

/// The timer of all links of a machine.
pub(crate) const TICK: TimerId = TimerId(0);
/// How long an acknowledgement may wait for a frame to travel in.
const TICK_AFTER: Nanos = Nanos::from_millis(100);
/// How long a frame may stay unacknowledged before it is sent again. Doubles up to [`RESEND_MAX`].
const RESEND_AFTER: Nanos = Nanos::from_millis(400);
const RESEND_MAX: Nanos = Nanos::from_millis(3_200);
/// How many frames are sent again at a time.
const RESEND_BATCH: usize = 16;
/// How many frames are kept that came before their turn.
const EARLY_MAX: usize = 1_024;

type Notes = Shared<Vec<Note>>;

/// One side of a conversation.
#[derive(Default)]
struct Link {
    epoch: Epoch,
    outbox: Vec<Note>,
    sent: u64,
    unacked: VecDeque<Notes>,
    acked: u64,
    received: u64,
    early: BTreeMap<u64, Notes>,
    owes_ack: bool,
    /// When the oldest unacknowledged frame was last sent, or progress was last made.
    since: Nanos,
    patience: Nanos,
}

impl Link {
    fn new(epoch: Epoch) -> Self {
        Self { epoch, patience: RESEND_AFTER, ..Self::default() }
    }

    fn acknowledged(&mut self, now: Nanos, ack: u64) {
        while self.acked < ack && self.unacked.pop_front().is_some() {
            self.acked += 1;
            self.since = now;
            self.patience = RESEND_AFTER;
        }
    }

    /// Takes a frame in; its notes if it is the next one.
    fn receive(&mut self, seq: u64, notes: Notes) -> Option<Notes> {
        if seq == 0 {
            return None;
        }
        self.owes_ack = true;
        if seq == self.received + 1 {
            self.received = seq;
            return Some(notes);
        }
        if seq > self.received && self.early.len() < EARLY_MAX {
            self.early.insert(seq, notes);
        }
        None
    }

    fn next_early(&mut self) -> Option<Notes> {
        let notes = self.early.remove(&(self.received + 1))?;
        self.received += 1;
        Some(notes)
    }
}

/// All conversations of one machine.
pub(crate) struct Links {
    /// The machine's own incarnation.
    pub(crate) epoch: Epoch,
    /// How many leases it has, told with every frame.
    pub(crate) load: u32,
    peers: BTreeMap<Addr, Link>,
    /// Peers with something in their outbox.
    dirty: Vec<Addr>,
    ticking: bool,
    active: bool,
}

impl Links {
    /// No conversations, as incarnation `epoch`.
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self { epoch, load: 0, peers: BTreeMap::new(), dirty: Vec::new(), ticking: false, active: false }
    }

    /// Begins a conversation with an incarnation of a peer; an earlier one is over.
    pub(crate) fn open(&mut self, peer: Addr, epoch: Epoch) {
        self.peers.insert(peer, Link::new(epoch));
    }

    /// Ends a conversation: nothing more is sent to that peer or heard from it.
    pub(crate) fn close(&mut self, peer: Addr) {
        self.peers.remove(&peer);
    }

    /// Ends all conversations and becomes another incarnation.
    pub(crate) fn restart(&mut self, epoch: Epoch) {
        self.peers.clear();
        self.dirty.clear();
        self.epoch = epoch;
    }

    /// Says something, at the next flush. It is dropped if there is no such conversation.
    pub(crate) fn send(&mut self, to: Addr, note: Note) {
        if let Some(link) = self.peers.get_mut(&to) {
            if link.outbox.is_empty() {
                self.dirty.push(to);
            }
            link.outbox.push(note);
        }
    }

    /// Takes a frame in. Its notes, if it is of the right incarnations and next in order; see also [`Links::next_early`].
    pub(crate) fn receive(&mut self, now: Nanos, from: Addr, frame: &Frame) -> Option<Notes> {
        if frame.to != self.epoch {
            return None;
        }
        let link = self.peers.get_mut(&from).filter(|l| l.epoch == frame.from)?;
        self.active = true;
        link.acknowledged(now, frame.ack);
        link.receive(frame.seq, frame.notes.clone())
    }

    /// The notes of a frame that came before its turn, if it is its turn now.
    pub(crate) fn next_early(&mut self, from: Addr) -> Option<Notes> {
        self.peers.get_mut(&from)?.next_early()
    }

    /// Sends what was said since the last flush: one frame for each peer.
    pub(crate) fn flush(&mut self, now: Nanos, out: &mut Vec<Action<Frame>>) {
        for i in 0..self.dirty.len() {
            let Some(to) = self.dirty.get(i).copied() else { continue };
            let Some(link) = self.peers.get_mut(&to).filter(|l| !l.outbox.is_empty()) else { continue };
            let capacity = link.outbox.len();
            let notes = Shared::new(std::mem::replace(&mut link.outbox, Vec::with_capacity(capacity.min(16))));
            link.sent += 1;
            if link.unacked.is_empty() {
                link.since = now;
            }
            link.unacked.push_back(notes.clone());
            link.owes_ack = false;
            self.active = true;
            let (seq, ack) = (link.sent, link.received);
            let msg = Frame { to: link.epoch, from: self.epoch, seq, ack, load: self.load, notes };
            out.push(Action::Send { to, msg });
        }
        self.dirty.clear();
        if std::mem::take(&mut self.active) && !self.ticking {
            self.ticking = true;
            out.push(Action::Timer { id: TICK, after: TICK_AFTER });
        }
    }

    /// The timer went off: acknowledges what nothing was sent after, and sends again what is overdue.
    pub(crate) fn tick(&mut self, now: Nanos, out: &mut Vec<Action<Frame>>) {
        self.ticking = false;
        for (to, link) in &mut self.peers {
            let frame = |link: &Link, seq: u64, notes: Notes| Action::Send {
                to: *to,
                msg: Frame { to: link.epoch, from: self.epoch, seq, ack: link.received, load: self.load, notes },
            };
            if !link.unacked.is_empty() && now.saturating_sub(link.since) >= link.patience {
                for (seq, notes) in (link.acked + 1..).zip(link.unacked.iter().take(RESEND_BATCH)) {
                    out.push(frame(link, seq, notes.clone()));
                }
                link.owes_ack = false;
                link.since = now;
                link.patience = RESEND_MAX.min(link.patience + link.patience);
            }
            if std::mem::take(&mut link.owes_ack) {
                out.push(frame(link, 0, Shared::new(Vec::new())));
            }
            self.active |= !link.unacked.is_empty();
        }
    }

    /// What must hold after each step.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (peer, link) in &self.peers {
            if link.sent != link.acked + link.unacked.len() as u64 {
                return Err(format!("{} frames to {peer} sent, {} acknowledged", link.sent, link.acked));
            }
            if link.early.keys().any(|seq| *seq <= link.received) || link.early.len() > EARLY_MAX {
                return Err(format!("frames of {peer} kept that were delivered"));
            }
            if !link.outbox.is_empty() {
                return Err(format!("something said to {peer} was not sent"));
            }
            if (!link.unacked.is_empty() || link.owes_ack) && !self.ticking {
                return Err(format!("frames to {peer} are unacknowledged and no timer is set"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RunId;
    use bench_model::NodeId;
    use proptest::prelude::*;

    const NODE: Addr = Addr::Node(NodeId(0));

    fn numbers(notes: &Notes) -> Vec<u64> {
        notes.iter().map(|n| if let Note::End(RunId(number)) = n { *number } else { u64::MAX }).collect()
    }

    fn pair() -> [Links; 2] {
        let (mut driver, mut node) = (Links::new(Epoch(0)), Links::new(Epoch(7)));
        driver.open(NODE, Epoch(7));
        node.open(Addr::Driver, Epoch(0));
        [driver, node]
    }

    fn hear(links: &mut Links, now: Nanos, from: Addr, frame: &Frame) -> Vec<u64> {
        let mut heard = Vec::new();
        let mut notes = links.receive(now, from, frame);
        while let Some(batch) = notes {
            heard.extend(numbers(&batch));
            notes = links.next_early(from);
        }
        heard
    }

    proptest! {
        /// Whatever the network does with frames in both directions, both sides hear everything once and in order.
        #[test]
        fn notes_arrive_once_and_in_order_whatever_happens_to_frames(choices in prop::collection::vec((0u8..6, any::<u16>()), 0..200)) {
            let mut ends = pair();
            let (mut said, mut heard) = ([0u64; 2], [Vec::new(), Vec::new()]);
            let mut wire: Vec<(usize, Frame)> = Vec::new();
            let mut now = Nanos::ZERO;
            let calm = std::iter::repeat_n((4u8, 0u16), 100).flat_map(|tick| [tick, (5, 0)]);
            for (choice, which) in choices.into_iter().chain(calm) {
                let at = which as usize % 2;
                let mut out = Vec::new();
                let pick = (!wire.is_empty()).then(|| which as usize % wire.len().max(1));
                match (choice, pick) {
                    (0, _) => {
                        said[at] += 1;
                        ends[at].send([NODE, Addr::Driver][at], Note::End(RunId(said[at])));
                    }
                    (1, Some(pick)) => drop(wire.remove(pick)),
                    (2, Some(pick)) => wire.push(wire[pick].clone()),
                    (3, Some(pick)) => {
                        let (from, frame) = wire.swap_remove(pick);
                        heard[1 - from].extend(hear(&mut ends[1 - from], now, [Addr::Driver, NODE][from], &frame));
                    }
                    (4, _) => {
                        now += Nanos::from_millis(5_000);
                        ends[0].tick(now, &mut out);
                        wire.extend(out.drain(..).filter_map(|a| frame_of(0, a)));
                        ends[1].tick(now, &mut out);
                        wire.extend(out.drain(..).filter_map(|a| frame_of(1, a)));
                    }
                    (5, _) => for (from, frame) in std::mem::take(&mut wire) {
                        heard[1 - from].extend(hear(&mut ends[1 - from], now, [Addr::Driver, NODE][from], &frame));
                    },
                    _ => {}
                }
                for (from, end) in ends.iter_mut().enumerate() {
                    end.flush(now, &mut out);
                    wire.extend(out.drain(..).filter_map(|a| frame_of(from, a)));
                    prop_assert_eq!(end.check(), Ok(()));
                }
            }
            for at in 0..2 {
                prop_assert_eq!(&heard[1 - at], &(1..=said[at]).collect::<Vec<_>>());
            }
        }
    }

    fn frame_of(from: usize, action: Action<Frame>) -> Option<(usize, Frame)> {
        if let Action::Send { msg, .. } = action { Some((from, msg)) } else { None }
    }

    fn sent(links: &mut Links) -> Vec<Frame> {
        let mut out = Vec::new();
        links.flush(Nanos::ZERO, &mut out);
        out.into_iter().filter_map(|a| frame_of(0, a)).map(|f| f.1).collect()
    }

    #[test]
    fn frames_of_other_incarnations_are_dropped() {
        let [mut driver, mut node] = pair();
        driver.send(NODE, Note::End(RunId(1)));
        let frame = sent(&mut driver).remove(0);
        node.restart(Epoch(8));
        node.open(Addr::Driver, Epoch(0));
        assert_eq!(hear(&mut node, Nanos::ZERO, Addr::Driver, &frame), [] as [u64; 0]);
    }

    #[test]
    fn in_a_conversation_every_message_carries_notes() {
        let [mut driver, mut node] = pair();
        for number in 1..100 {
            driver.send(NODE, Note::End(RunId(number)));
            let frames = sent(&mut driver);
            assert_eq!(frames.len(), 1);
            assert_eq!(hear(&mut node, Nanos::ZERO, Addr::Driver, &frames[0]), [number]);
            node.send(Addr::Driver, Note::Ended(RunId(number)));
            let answer = sent(&mut node);
            assert_eq!(answer.len(), 1);
            driver.receive(Nanos::ZERO, NODE, &answer[0]);
            assert!(driver.peers[&NODE].unacked.is_empty(), "the answer acknowledges");
        }
    }
}
