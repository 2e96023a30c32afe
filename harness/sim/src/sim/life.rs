//! Nodes that die, restart, pause, and come back as zombies.

use super::{Occurrence, Sim};
use crate::faults::FaultKind;
use crate::options::SimTrouble;
use bench_model::{Addr, Event, Nanos, NodeId, Style, StyleEnv};

/// A turn in a node's life.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    /// The driver is told that it is gone.
    GivenUp,
    /// It starts anew, empty.
    Restarts,
    /// It goes on where it stopped.
    Resumes,
    /// The driver is told that it is there, if it is still that incarnation.
    Joins { incarnation: u32 },
}

impl<S: Style> Sim<'_, S> {
    /// Failures are triggered by progress: after an attempt has ended on a node, the node may be struck.
    pub(super) fn strike_nodes(&mut self, id: NodeId) {
        if self.nodes[id.0 as usize].troubled || !self.nodes[id.0 as usize].known {
            return;
        }
        let notice = self.now + self.within(200, 3_000);
        let back = notice + self.within(1, 12_000);
        if self.faults.strikes(&mut self.rng, FaultKind::NodeLost) {
            self.kill(id);
            self.queue.push(notice, Occurrence::Life(id, Life::GivenUp));
            self.queue.push(back, Occurrence::Life(id, Life::Restarts));
        } else if self.faults.strikes(&mut self.rng, FaultKind::NodeRestarted) {
            self.kill(id);
            let soon = self.now + self.within(1, 200);
            self.queue.push(soon, Occurrence::Life(id, Life::Restarts));
        } else if self.faults.strikes(&mut self.rng, FaultKind::NodeZombie) {
            self.pause(id);
            self.queue.push(notice, Occurrence::Life(id, Life::GivenUp));
            self.queue.push(back, Occurrence::Life(id, Life::Resumes));
        } else if self.faults.strikes(&mut self.rng, FaultKind::NodePaused) {
            self.pause(id);
            let soon = self.now + self.within(1, 1_500);
            self.queue.push(soon, Occurrence::Life(id, Life::Resumes));
        }
    }

    fn within(&mut self, from_ms: u64, to_ms: u64) -> Nanos {
        Nanos::new(self.rng.between(from_ms * 1_000_000, to_ms * 1_000_000))
    }

    fn kill(&mut self, id: NodeId) {
        self.write(|| format!("  {id} dies"));
        let node = &mut self.nodes[id.0 as usize];
        if self.options.check {
            node.held().for_each(|(task, attempt)| self.oracle.may_be_replaced(task, attempt));
        }
        node.troubled = true;
        node.die();
        self.oracle.lost_nodes.insert(id);
    }

    fn pause(&mut self, id: NodeId) {
        self.write(|| format!("  {id} stops for a while"));
        let node = &mut self.nodes[id.0 as usize];
        node.troubled = true;
        node.paused = true;
        // A reader that cannot reach its blocks reports them missing.
        if self.options.check {
            node.held().for_each(|(task, attempt)| self.oracle.may_be_replaced(task, attempt));
        }
    }

    pub(super) fn live_on(&mut self, id: NodeId, life: Life) -> Result<(), SimTrouble> {
        let index = id.0 as usize;
        match life {
            Life::GivenUp => {
                self.oracle.deaths += 1;
                let node = &mut self.nodes[index];
                node.known = false;
                node.was_given_up = true;
                node.abandon();
                self.oracle.lost_nodes.insert(id);
                if self.nodes.iter().all(|n| !n.known) {
                    self.oracle.all_nodes_were_down = true;
                }
                self.feed(Addr::Driver, Event::NodeDown(id))
            }
            Life::Restarts => {
                let node = &mut self.nodes[index];
                let env = StyleEnv { slots: node.slots, ..self.env.clone() };
                node.machine = self.style.machine(Addr::Node(id), &env);
                node.incarnation += 1;
                node.was_given_up = true;
                node.alive = true;
                let incarnation = node.incarnation;
                self.feed(Addr::Node(id), Event::Start)?;
                let joins = self.now + self.within(1, 100);
                self.queue.push(joins, Occurrence::Life(id, Life::Joins { incarnation }));
                Ok(())
            }
            Life::Resumes => {
                let node = &mut self.nodes[index];
                node.paused = false;
                let (known, incarnation) = (node.known, node.incarnation);
                let backlog = std::mem::take(&mut node.backlog);
                for occurrence in backlog {
                    self.queue.push(self.now, occurrence);
                }
                if known {
                    self.nodes[index].troubled = false;
                } else {
                    // It learns only now that it was given up, says so, and goes on with its old work meanwhile.
                    let joins = self.now + self.within(1, 2_000);
                    self.queue.push(joins, Occurrence::Life(id, Life::Joins { incarnation }));
                }
                Ok(())
            }
            Life::Joins { incarnation } => {
                let node = &mut self.nodes[index];
                if node.incarnation != incarnation || !node.alive {
                    return Ok(());
                }
                // Of an incarnation that was not given up before, the driver learns only now that it is gone.
                self.oracle.deaths += u32::from(node.known);
                // What it did until now was for an incarnation that the driver forgets here, if not before.
                node.abandon();
                if self.options.check {
                    node.held().for_each(|(task, attempt)| self.oracle.may_be_replaced(task, attempt));
                }
                node.known = true;
                node.linked = incarnation;
                node.troubled = false;
                let slots = node.slots;
                self.feed(Addr::Driver, Event::NodeUp { node: id, slots })
            }
        }
    }
}
