//! The nodes as the driver knows them: incarnations, free slots, outstanding commands.
//!
//! Invariants: a lane has a flight or is idle, never both; `free` lists exactly the nodes with idle lanes.

use super::Place;
use crate::message::{Msg, Ticket};
use bench_model::{Action, Addr, Attempt, Epoch, FragmentId, JobId, Nanos, NodeId, TaskId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::stage::StageIx;

/// One attempt on its way: launched, and not answered yet.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) job: JobId,
    pub(crate) stage: StageIx,
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    /// When it was launched.
    pub(crate) launched: Nanos,
    /// When it was launched, on the driver's logical clock.
    pub(crate) clock: u64,
    /// When its node was last asked about it.
    pub(crate) asked: Nanos,
    /// Its result does not count any more; only its slot is awaited.
    pub(crate) doomed: bool,
    /// It takes far longer than its peers.
    pub(crate) straggler: bool,
}

#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) seq: u64,
    pub(crate) flight: Option<Flight>,
}

pub(crate) struct Node {
    pub(crate) epoch: Epoch,
    /// Counts commands, so that the node can tell which came first.
    order: u64,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) idle: Vec<u32>,
    /// Ended jobs whose blocks it has not confirmed to be gone, and when it was last asked.
    freeing: BTreeMap<JobId, Nanos>,
}

#[derive(Default)]
pub(crate) struct Nodes {
    map: BTreeMap<NodeId, Node>,
    free: BTreeSet<(Reverse<usize>, NodeId)>,
    outstanding: usize,
    epochs: u64,
}

impl Nodes {
    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn any_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether any command waits for its answer.
    pub(crate) fn any_outstanding(&self) -> bool {
        self.outstanding > 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.map.iter().map(|(id, node)| (*id, node))
    }

    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.map.contains_key(&node)
    }

    pub(crate) fn has_free(&self, node: NodeId) -> bool {
        self.map.get(&node).is_some_and(|n| !n.idle.is_empty())
    }

    /// The node with most free slots that is none of `except`.
    pub(crate) fn most_free(&self, except: &[NodeId]) -> Option<NodeId> {
        self.free.iter().map(|(_, node)| *node).find(|node| !except.contains(node))
    }

    pub(crate) fn up(&mut self, node: NodeId, slots: u32) {
        self.epochs += 1;
        let lanes = (0..slots).map(|_| Lane::default()).collect();
        // The last lane is taken first: lane 0 first reads better in traces.
        let idle: Vec<u32> = (0..slots).rev().collect();
        if slots > 0 {
            self.free.insert((Reverse(idle.len()), node));
        }
        let node_state = Node { epoch: Epoch(self.epochs), order: 0, lanes, idle, freeing: BTreeMap::new() };
        self.map.insert(node, node_state);
    }

    /// Forgets a node and hands back what was outstanding there; nothing if it was not known.
    pub(crate) fn down(&mut self, node: NodeId) -> Option<Vec<(Place, Flight)>> {
        let gone = self.map.remove(&node)?;
        self.free.remove(&(Reverse(gone.idle.len()), node));
        let place = |lane: usize, seq: u64| {
            let ticket = Ticket { epoch: gone.epoch, lane: lane as u32, seq };
            Place { node, ticket }
        };
        let lanes = gone.lanes.into_iter().enumerate();
        let flights: Vec<_> = lanes.filter_map(|(i, l)| l.flight.map(|f| (place(i, l.seq), f))).collect();
        self.outstanding -= flights.len() + gone.freeing.len();
        Some(flights)
    }

    /// Takes a free slot of `node` for a flight; nothing if it has none.
    pub(crate) fn take(&mut self, node: NodeId, flight: Flight) -> Option<(Place, u64)> {
        let state = self.map.get_mut(&node)?;
        let index = state.idle.pop()?;
        self.free.remove(&(Reverse(state.idle.len() + 1), node));
        if !state.idle.is_empty() {
            self.free.insert((Reverse(state.idle.len()), node));
        }
        state.order += 1;
        let lane = state.lanes.get_mut(index as usize)?;
        lane.seq += 1;
        lane.flight = Some(flight);
        self.outstanding += 1;
        let ticket = Ticket { epoch: state.epoch, lane: index, seq: lane.seq };
        Some((Place { node, ticket }, state.order))
    }

    /// Frees the slot of an answered command; nothing if the answer is late, repeated or of another incarnation.
    pub(crate) fn settle(&mut self, node: NodeId, ticket: Ticket) -> Option<Flight> {
        let state = self.map.get_mut(&node).filter(|n| n.epoch == ticket.epoch)?;
        let lane = state.lanes.get_mut(ticket.lane as usize).filter(|l| l.seq == ticket.seq)?;
        let flight = lane.flight.take()?;
        if !state.idle.is_empty() {
            self.free.remove(&(Reverse(state.idle.len()), node));
        }
        state.idle.push(ticket.lane);
        self.free.insert((Reverse(state.idle.len()), node));
        self.outstanding -= 1;
        Some(flight)
    }

    pub(crate) fn flight_mut(&mut self, place: Place) -> Option<&mut Flight> {
        let state = self.map.get_mut(&place.node).filter(|n| n.epoch == place.ticket.epoch)?;
        let lane = state.lanes.get_mut(place.ticket.lane as usize).filter(|l| l.seq == place.ticket.seq)?;
        lane.flight.as_mut()
    }

    pub(crate) fn flight(&self, place: Place) -> Option<&Flight> {
        let state = self.map.get(&place.node).filter(|n| n.epoch == place.ticket.epoch)?;
        let lane = state.lanes.get(place.ticket.lane as usize).filter(|l| l.seq == place.ticket.seq)?;
        lane.flight.as_ref()
    }

    /// Every flight with its place, in node and lane order.
    pub(crate) fn flights_mut(&mut self) -> impl Iterator<Item = (Place, &mut Flight)> {
        self.map.iter_mut().flat_map(|(id, node)| {
            let (node_id, epoch) = (*id, node.epoch);
            node.lanes.iter_mut().enumerate().filter_map(move |(index, lane)| {
                let ticket = Ticket { epoch, lane: index as u32, seq: lane.seq };
                lane.flight.as_mut().map(|f| (Place { node: node_id, ticket }, f))
            })
        })
    }

    /// Tells a node to drop a fragment's blocks.
    pub(crate) fn free_fragment(&mut self, node: NodeId, job: JobId, fragment: FragmentId, out: &mut Vec<Action<Msg>>) {
        if let Some(state) = self.map.get_mut(&node) {
            state.order += 1;
            let msg = Msg::FreeFragment { epoch: state.epoch, order: state.order, job, fragment };
            out.push(Action::Send { to: Addr::Node(node), msg });
        }
    }

    /// Tells every node to drop a job's blocks, until each has confirmed it.
    pub(crate) fn free_job(&mut self, job: JobId, out: &mut Vec<Action<Msg>>) {
        for (id, state) in &mut self.map {
            if state.freeing.insert(job, Nanos::ZERO).is_none() {
                self.outstanding += 1;
            }
            out.push(Action::Send { to: Addr::Node(*id), msg: Msg::FreeJob { epoch: state.epoch, job } });
        }
    }

    pub(crate) fn job_freed(&mut self, node: NodeId, epoch: Epoch, job: JobId) {
        if let Some(state) = self.map.get_mut(&node).filter(|n| n.epoch == epoch)
            && state.freeing.remove(&job).is_some()
        {
            self.outstanding -= 1;
        }
    }

    /// Repeats the unconfirmed job frees of which the last reminder is older than `overdue`. The first tick after a
    /// job's end only notes the time.
    pub(crate) fn repeat_job_frees(&mut self, now: Nanos, overdue: Nanos, out: &mut Vec<Action<Msg>>) {
        for (id, state) in &mut self.map {
            for (job, asked) in &mut state.freeing {
                if *asked == Nanos::ZERO {
                    *asked = now;
                } else if now.saturating_sub(*asked) >= overdue {
                    *asked = now;
                    let msg = Msg::FreeJob { epoch: state.epoch, job: *job };
                    out.push(Action::Send { to: Addr::Node(*id), msg });
                }
            }
        }
    }

    /// Counts kept beside what they count must agree with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut outstanding = 0;
        for (id, node) in &self.map {
            let flights = node.lanes.iter().filter(|l| l.flight.is_some()).count();
            outstanding += flights + node.freeing.len();
            if flights + node.idle.len() != node.lanes.len() {
                return Err(format!(
                    "{id} has {flights} busy and {} idle of {} slots",
                    node.idle.len(),
                    node.lanes.len()
                ));
            }
            if node.idle.iter().any(|l| node.lanes.get(*l as usize).is_none_or(|l| l.flight.is_some())) {
                return Err(format!("{id} offers a busy slot"));
            }
            if self.free.contains(&(Reverse(node.idle.len()), *id)) == node.idle.is_empty() {
                return Err(format!("{id} is listed wrongly among nodes with free slots"));
            }
        }
        if outstanding != self.outstanding {
            return Err(format!("{} commands counted outstanding, {outstanding} are", self.outstanding));
        }
        Ok(())
    }
}
