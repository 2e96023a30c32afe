//! Who is alive. The driver alone is told; it gives each incarnation of a node a higher epoch, and tells the others.

use super::{Driver, Out, cx};
use crate::message::{Member, Note};
use crate::owner::Cx;
use bench_model::{Addr, Epoch, NodeId};

impl Driver {
    pub(super) fn node_up(&mut self, node: NodeId, slots: u32, out: &mut Out) {
        // A node that joins again without having been missed is a new incarnation all the same.
        self.node_down(node, out);
        self.epochs += 1;
        let member = Member { node, epoch: Epoch(self.epochs), slots };
        for to in self.view.addresses() {
            self.links.send(to, Note::Joined(member));
        }
        self.view.join(member);
        self.links.open(Addr::Node(node), member.epoch);
        let members = self.view.iter().map(|p| p.member).collect();
        let known = self.runs.keys().next().map_or(self.last_run, |first| crate::message::RunId(first.0 - 1));
        self.links.send(Addr::Node(node), Note::Welcome(members, known));
        self.introduce(Addr::Node(node));
        self.retry_stalled();
        self.begin_waiting(out);
    }

    pub(super) fn node_down(&mut self, node: NodeId, out: &mut Out) {
        if self.view.leave(node).is_none() {
            return;
        }
        self.links.close(Addr::Node(node));
        for to in self.view.addresses() {
            self.links.send(to, Note::Left(node));
        }
        self.owner.node_down(&mut cx!(self, out), node);
        self.group_node_lost(node);
        self.drained_by_death(node);
        self.begin_waiting(out);
        self.wait_for_nodes(out);
    }

    /// Tells all nodes how busy each is, if that has changed and anybody could do something about it.
    pub(super) fn tell_loads(&mut self) {
        let useful = self.settings.spillback || self.settings.spread_ownership;
        if !std::mem::take(&mut self.loads_changed) || !useful || self.view.len() < 2 {
            return;
        }
        let loads: Vec<(NodeId, u32)> = self.view.iter().map(|p| (p.member.node, p.load)).collect();
        for to in self.view.addresses() {
            self.links.send(to, Note::Loads(loads.clone()));
        }
    }
}
