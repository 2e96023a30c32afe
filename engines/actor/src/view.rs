//! The cluster as one machine knows it, and the hybrid placement policy.
//!
//! A node's utilization counts as zero up to a threshold, so the first node in order is filled to the threshold before
//! the next is used; above it, the least utilized node is taken. First pack, then spread.

use crate::message::Member;
use bench_model::{Addr, Epoch, NodeId};

/// A live node as seen from here.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) member: Member,
    /// Leases asked of it by this machine and not answered.
    pub(crate) mine: u32,
    /// All its leases, as last told.
    pub(crate) load: u32,
}

impl Peer {
    /// How many leases this machine may ask of it at a time.
    fn window(&self, per_slot: u32) -> u32 {
        per_slot.saturating_mul(self.member.slots.max(1))
    }

    pub(crate) fn has_room(&self, per_slot: u32) -> bool {
        self.mine < self.window(per_slot)
    }

    /// In thousandths of its slots; it may exceed them.
    fn utilization(&self) -> u64 {
        u64::from(self.mine.max(self.load)) * 1_000 / u64::from(self.member.slots.max(1))
    }
}

/// The live nodes, by id.
#[derive(Clone, Debug)]
pub(crate) struct View {
    peers: Vec<Peer>,
    per_slot: u32,
    /// How many more leases this machine may ask for, over all nodes.
    room: u32,
}

impl View {
    /// No nodes; `per_slot` leases may be asked for each slot.
    pub(crate) const fn new(per_slot: u32) -> Self {
        Self { peers: Vec::new(), per_slot, room: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter()
    }

    fn position(&self, node: NodeId) -> Result<usize, usize> {
        self.peers.binary_search_by_key(&node, |p| p.member.node)
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<&Peer> {
        self.position(node).ok().and_then(|i| self.peers.get(i))
    }

    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.position(node).is_ok()
    }

    /// The `turn`-th node, counted around; nothing if there is none.
    pub(crate) fn in_turn(&self, turn: usize) -> Option<NodeId> {
        turn.checked_rem(self.peers.len()).and_then(|i| self.peers.get(i)).map(|p| p.member.node)
    }

    /// The node after `node`, if there is another.
    pub(crate) fn after(&self, node: NodeId) -> Option<NodeId> {
        let next = self.position(node).map_or_else(|at| at, |at| at + 1);
        self.in_turn(next).filter(|n| *n != node)
    }

    pub(crate) fn join(&mut self, member: Member) {
        self.leave(member.node);
        let peer = Peer { member, mine: 0, load: 0 };
        self.room += peer.window(self.per_slot);
        let at = self.position(member.node).unwrap_or_else(|at| at);
        self.peers.insert(at, peer);
    }

    pub(crate) fn leave(&mut self, node: NodeId) -> Option<Epoch> {
        let at = self.position(node).ok()?;
        let peer = self.peers.remove(at);
        self.room -= peer.window(self.per_slot).saturating_sub(peer.mine);
        Some(peer.member.epoch)
    }

    pub(crate) fn clear(&mut self) {
        self.peers.clear();
        self.room = 0;
    }

    /// Takes note of a node's load; true if it is another than before.
    pub(crate) fn set_load(&mut self, node: NodeId, load: u32) -> bool {
        let Ok(at) = self.position(node) else { return false };
        self.peers.get_mut(at).is_some_and(|p| std::mem::replace(&mut p.load, load) != load)
    }

    /// Whether any node may be asked for another lease.
    pub(crate) const fn has_room(&self) -> bool {
        self.room > 0
    }

    /// A lease was asked of a node.
    pub(crate) fn asked(&mut self, node: NodeId) {
        if let Some(peer) = self.position(node).ok().and_then(|at| self.peers.get_mut(at)) {
            peer.mine += 1;
            if peer.mine <= peer.window(self.per_slot) {
                self.room -= 1;
            }
        }
    }

    /// A lease that was asked of a node is answered.
    pub(crate) fn answered(&mut self, node: NodeId) {
        if let Some(peer) = self.position(node).ok().and_then(|at| self.peers.get_mut(at)) {
            if peer.mine <= peer.window(self.per_slot) && peer.mine > 0 {
                self.room += 1;
            }
            peer.mine = peer.mine.saturating_sub(1);
        }
    }

    pub(crate) fn room_at(&self, node: NodeId) -> bool {
        self.get(node).is_some_and(|p| p.has_room(self.per_slot))
    }

    /// Where a task goes by the hybrid policy, among the nodes with room that `may` take it.
    pub(crate) fn pick(&self, threshold: u64, may: impl Fn(&Peer) -> bool) -> Option<NodeId> {
        let open = self.peers.iter().filter(|p| p.has_room(self.per_slot) && may(p));
        open.min_by_key(|p| score(p.utilization(), threshold)).map(|p| p.member.node)
    }

    /// A node better placed to run one more task than node `me`, which has `load` leases.
    pub(crate) fn better_than(
        &self,
        me: NodeId,
        load: u32,
        threshold: u64,
        may: impl Fn(&Peer) -> bool,
    ) -> Option<NodeId> {
        let slots = self.get(me)?.member.slots.max(1);
        let mine = score(u64::from(load) * 1_000 / u64::from(slots), threshold);
        if mine < 1_000 {
            return None;
        }
        let others = self.peers.iter().filter(|p| p.member.node != me && may(p));
        let best = others.min_by_key(|p| score(p.utilization(), threshold))?;
        // Half as busy at most: what is told about others is old, and moving has a price.
        (score(best.utilization(), threshold) * 2 < mine && best.utilization() < 1_000).then_some(best.member.node)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let room: u32 = self.peers.iter().map(|p| p.window(self.per_slot).saturating_sub(p.mine)).sum();
        if room != self.room {
            return Err(format!("room for {room} leases, {} counted", self.room));
        }
        Ok(())
    }

    /// The addresses of all nodes.
    pub(crate) fn addresses(&self) -> Vec<Addr> {
        self.peers.iter().map(|p| Addr::Node(p.member.node)).collect()
    }
}

const fn score(utilization: u64, threshold: u64) -> u64 {
    if utilization < threshold { 0 } else { utilization }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(nodes: u32, slots: u32) -> View {
        let mut view = View::new(2);
        for id in 0..nodes {
            view.join(Member { node: NodeId(id), epoch: Epoch(1), slots });
        }
        view
    }

    fn place(view: &mut View, tasks: u32) -> Vec<u32> {
        let mut picked = Vec::new();
        for _ in 0..tasks {
            let Some(node) = view.pick(500, |_| true) else { break };
            view.asked(node);
            assert_eq!(view.check(), Ok(()));
            picked.push(node.0);
        }
        picked
    }

    #[test]
    fn tasks_are_packed_up_to_the_threshold_and_then_spread() {
        assert_eq!(place(&mut view(2, 4), 8), [0, 0, 1, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn no_more_leases_are_asked_for_than_the_window_holds() {
        let mut view = view(2, 1);
        assert_eq!(place(&mut view, 9).len(), 4);
        assert!(!view.has_room());
        view.answered(NodeId(1));
        assert!(view.has_room());
        view.leave(NodeId(1));
        assert!(!view.has_room());
        assert_eq!(view.check(), Ok(()));
    }

    #[test]
    fn a_busy_node_spills_back_to_an_idle_one_and_an_idle_node_does_not() {
        let view = view(2, 2);
        assert_eq!(view.better_than(NodeId(0), 4, 500, |_| true), Some(NodeId(1)));
        assert_eq!(view.better_than(NodeId(0), 1, 500, |_| true), None);
    }
}
