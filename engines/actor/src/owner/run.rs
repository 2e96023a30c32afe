//! One run's tables: the state of each task, the place of each block, and what waits for what.
//!
//! Invariants: a task that waits counts exactly the things it waits for; a block that anybody still reads has a place
//! while its task counts as done; every ready task is in a queue.

use super::actors::Actors;
use super::reserve::Groups;
use super::shuffle::Shuffles;
use crate::keyed::Map;
use crate::layout::{Kind, Layout};
use crate::message::{Part, Program, RunId, Shared};
use bench_model::{Addr, BlockMeta, NodeId};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// No node.
pub(super) const NOWHERE: u32 = u32::MAX;
/// Attempts of a resubmitted job start at multiples of this.
const ROUND: u32 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Something it reads is not there.
    Waiting,
    /// It may ask for a lease.
    Ready,
    /// It asked for one and has not been answered.
    Submitted,
    /// Its blocks are there, or were and are not needed.
    Done,
    /// It must run again as soon as its node has dropped what is left of its blocks.
    Dropping,
}

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) state: State,
    /// Some task was told to read its blocks: other rows than these must not take their place.
    pub(super) used: bool,
    /// Its blocks are kept although nobody reads them: an actor's checkpoint.
    pub(super) held: bool,
    /// It has been done at least once: its blocks have sizes and count their readers.
    pub(super) primed: bool,
    pub(super) failures: u32,
    /// How many things it waits for, while it waits.
    pub(super) waits: u32,
    /// The number of its next attempt.
    pub(super) next: u32,
    /// Where it runs or ran last.
    pub(super) node: u32,
    /// How many of its blocks have a place.
    pub(super) live: u32,
    /// It was submitted ahead of the call it follows, past the node's window.
    pub(super) ahead: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) meta: BlockMeta,
    pub(super) node: u32,
    /// How many tasks have yet to read it.
    pub(super) readers: u32,
}

/// Ready tasks in the order in which they became ready, as ranges of neighbors.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Range<u32>>);

impl Queue {
    fn push(&mut self, task: u32) {
        match self.0.back_mut() {
            Some(last) if last.end == task => last.end += 1,
            _ => self.0.push_back(task..task + 1),
        }
    }

    pub(super) fn push_front(&mut self, task: u32) {
        self.0.push_front(task..task + 1);
    }

    /// The next task that is still ready.
    pub(super) fn pop(&mut self, tasks: &[Task]) -> Option<u32> {
        loop {
            let first = self.0.front_mut()?;
            let task = first.start;
            first.start += 1;
            if first.start >= first.end {
                self.0.pop_front();
            }
            if tasks[task as usize].state == State::Ready {
                return Some(task);
            }
        }
    }

    pub(super) fn contains(&self, task: u32) -> bool {
        self.0.iter().any(|r| r.contains(&task))
    }
}

/// A run, as one of its owners sees it.
pub(crate) struct Run {
    pub(super) id: RunId,
    pub(super) me: Addr,
    pub(super) program: Shared<Program>,
    pub(super) layout: Arc<Layout>,
    pub(super) tasks: Vec<Task>,
    pub(super) blocks: Vec<Block>,
    /// For each edge that waits for all producer tasks: how many of them are not done.
    pub(super) missing: Vec<u32>,
    /// For each fragment: how many of its tasks are not done.
    pub(super) left: Vec<u32>,
    /// Ready tasks that read something, and those that read nothing.
    pub(super) inner: Queue,
    pub(super) sources: Queue,
    /// Ready tasks that must run on one node, which has no room.
    pub(super) parked: BTreeMap<NodeId, VecDeque<u32>>,
    /// Ready tasks that no node can run, by fragment.
    pub(super) stalled: BTreeMap<u32, Vec<u32>>,
    /// Further places of blocks.
    pub(super) copies: Map<u32, Vec<NodeId>>,
    /// Bytes of own blocks that have a place.
    pub(super) unread: u64,
    /// Submitted tasks that read something.
    pub(super) active: u32,
    /// How often blocks of a fragment were found lost.
    pub(super) losses: Map<u32, u32>,
    /// Tasks that are about to be run again.
    pub(super) revivals: Vec<u32>,
    pub(super) actors: Actors,
    pub(super) groups: Groups,
    pub(super) shuffles: Shuffles,
    /// Owners that are gone.
    pub(super) dead: Vec<NodeId>,
    /// Tasks without inputs are being held back.
    pub(super) paused: bool,
    /// It has an answer or an error.
    pub(super) over: bool,
    /// Scratch: bytes by node.
    pub(super) weights: Vec<u64>,
}

impl Run {
    pub(super) fn new(id: RunId, me: Addr, program: Shared<Program>, layout: Arc<Layout>) -> Self {
        let next = program.round.saturating_mul(ROUND);
        let task = Task {
            state: State::Waiting,
            used: false,
            held: false,
            primed: false,
            failures: 0,
            waits: 0,
            next,
            node: NOWHERE,
            live: 0,
            ahead: false,
        };
        let block = Block { meta: BlockMeta::default(), node: NOWHERE, readers: 0 };
        let missing = (0..layout.edge_count() as u32).map(|e| layout.fragment(layout.edge(e).producer).tasks).collect();
        Self {
            id,
            me,
            tasks: vec![task; layout.task_count() as usize],
            blocks: vec![block; layout.block_count() as usize],
            missing,
            left: (0..layout.fragments()).map(|f| layout.fragment(f).tasks).collect(),
            program,
            layout,
            inner: Queue::default(),
            sources: Queue::default(),
            parked: BTreeMap::new(),
            stalled: BTreeMap::new(),
            copies: Map::default(),
            unread: 0,
            active: 0,
            losses: Map::default(),
            revivals: Vec::new(),
            actors: Actors::default(),
            groups: Groups::default(),
            shuffles: Shuffles::default(),
            dead: Vec::new(),
            paused: false,
            over: false,
            weights: Vec::new(),
        }
    }

    /// Makes ready what waits for nothing.
    pub(super) fn start(&mut self) {
        let layout = Arc::clone(&self.layout);
        for fragment in 0..layout.fragments() {
            if !self.is_mine(fragment) {
                continue;
            }
            for (partition, task) in layout.tasks(fragment).enumerate() {
                let waits = self.count_waits(Part { fragment, partition: partition as u32 });
                self.tasks[task as usize].waits = waits;
                if waits == 0 {
                    self.make_ready(fragment, task);
                }
            }
        }
    }

    /// Who owns a fragment.
    pub(super) fn owner(&self, fragment: u32) -> Addr {
        self.program.owners.get(fragment as usize).copied().flatten().map_or(Addr::Driver, Addr::Node)
    }

    pub(super) fn is_mine(&self, fragment: u32) -> bool {
        if self.program.owners.is_empty() { self.me == Addr::Driver } else { self.owner(fragment) == self.me }
    }

    /// Whether several machines own parts of it.
    pub(super) fn is_spread(&self) -> bool {
        !self.program.owners.is_empty()
    }

    pub(super) fn task(&self, task: u32) -> &Task {
        &self.tasks[task as usize]
    }

    pub(super) fn task_mut(&mut self, task: u32) -> &mut Task {
        &mut self.tasks[task as usize]
    }

    pub(super) fn is_done(&self, task: u32) -> bool {
        self.task(task).state == State::Done
    }

    /// How many things a task waits for. A call waits for the one before it only until that one has run once.
    pub(super) fn count_waits(&self, part: Part) -> u32 {
        let mut waits = 0;
        for number in self.layout.edges_in(part.fragment) {
            let edge = self.layout.edge(number);
            waits += match edge.kind {
                Kind::Whole => u32::from(self.missing[number as usize] > 0),
                kind => {
                    let from = self.layout.tasks(edge.producer).start;
                    let range = self.layout.waits_for(edge, part.partition);
                    let awaited = |task: u32| match kind {
                        Kind::Order => !self.task(task).primed,
                        _ => !self.is_done(task),
                    };
                    range.filter(|p| awaited(from + p)).count() as u32
                }
            };
        }
        waits
    }

    /// A task waits for nothing any more.
    pub(super) fn make_ready(&mut self, fragment: u32, task: u32) {
        self.task_mut(task).state = State::Ready;
        if self.layout.fragment(fragment).inputs.is_empty() { self.sources.push(task) } else { self.inner.push(task) }
    }

    /// A task that is nowhere waits again, or is ready.
    pub(super) fn requeue(&mut self, part: Part, task: u32) {
        let waits = self.count_waits(part);
        let state = self.task_mut(task);
        state.state = State::Waiting;
        state.waits = waits;
        if waits == 0 {
            self.make_ready(part.fragment, task);
        }
    }

    /// A task is done: what waited for it waits for one thing less.
    pub(super) fn available(&mut self, part: Part, first: bool) {
        let layout = Arc::clone(&self.layout);
        for number in layout.edges_out(part.fragment) {
            let edge = layout.edge(number);
            if !self.is_mine(edge.consumer) || (edge.kind == Kind::Order && !first) {
                continue;
            }
            let waiters = match edge.kind {
                Kind::Whole => {
                    let missing = &mut self.missing[number as usize];
                    *missing -= 1;
                    if *missing > 0 {
                        continue;
                    }
                    0..layout.fragment(edge.consumer).tasks
                }
                _ => layout.waiters(edge, part.partition),
            };
            let start = layout.tasks(edge.consumer).start;
            for task in waiters.map(|p| start + p) {
                let state = self.task_mut(task);
                if state.state == State::Waiting {
                    state.waits -= 1;
                    if state.waits == 0 {
                        self.make_ready(edge.consumer, task);
                    }
                }
            }
        }
    }

    /// The reverse of [`Run::available`]: whoever has not asked for a lease waits again.
    pub(super) fn unavailable(&mut self, part: Part) {
        let layout = Arc::clone(&self.layout);
        for number in layout.edges_out(part.fragment) {
            let edge = layout.edge(number);
            if !self.is_mine(edge.consumer) || edge.kind == Kind::Order {
                continue;
            }
            let waiters = match edge.kind {
                Kind::Whole => {
                    let missing = &mut self.missing[number as usize];
                    *missing += 1;
                    if *missing > 1 {
                        continue;
                    }
                    0..layout.fragment(edge.consumer).tasks
                }
                _ => layout.waiters(edge, part.partition),
            };
            let start = layout.tasks(edge.consumer).start;
            for task in waiters.map(|p| start + p) {
                let state = self.task_mut(task);
                match state.state {
                    State::Waiting => state.waits += 1,
                    State::Ready => (state.state, state.waits) = (State::Waiting, 1),
                    _ => {}
                }
            }
        }
    }

    /// Counts this owner's unanswered leases. Calls sent ahead take none: they wait at their actor.
    pub(super) fn leases(&self, by_node: &mut Map<NodeId, u32>) {
        for task in self.tasks.iter().filter(|t| t.state == State::Submitted && !t.ahead) {
            *by_node.entry(NodeId(task.node)).or_default() += 1;
        }
    }
}
