//! P2P shuffles: every output partition has an owner; producers push to owners; a barrier; then readers run on owners.
//!
//! A shuffle runs under a run id. What it moved belongs to its barrier key: as soon as the barrier is in memory, its
//! producers' blocks are released, and if an owner is lost after that, the barrier is lost. Any loss of a worker that took
//! part, or of a block on its way, closes the run and starts the whole shuffle again under the next run id; what an earlier
//! run moved is never mixed in. Shuffles with a common reader share their owners, so both sides of a join always agree
//! on who owns a partition, whoever joined or left between them.

use super::Cx;
use super::job::Job;
use super::key::State;
use super::workers::WorkerIx;
use crate::message::{Down, Route};
use crate::stream::Shared;
use bench_model::{BlockRef, FragmentId, NodeId, Note};

/// One shuffle.
#[derive(Default)]
pub(crate) struct Shuffle {
    pub(crate) run: u32,
    /// Its owners know of this run.
    pub(crate) open: bool,
    /// Owners that have not gathered all they own.
    pub(crate) pending: Vec<WorkerIx>,
}

/// Shuffles that share their owners.
#[derive(Default)]
pub(crate) struct Group {
    /// The owner of each partition; none while no shuffle of the group is open.
    pub(crate) owners: Vec<WorkerIx>,
    nodes: Shared<Vec<NodeId>>,
    /// Each owner once.
    pub(crate) distinct: Vec<WorkerIx>,
}

impl Job {
    fn group_of(&self, shuffle: usize) -> &Group {
        &self.groups[self.plan.shuffles[shuffle].group as usize]
    }

    /// The worker on which a reader of a shuffle must run.
    pub(crate) fn owner_of(&self, key: u32) -> Option<WorkerIx> {
        let spec = self.plan.specs[key as usize];
        let read = self.plan.sources(self.plan.head(spec.fragment));
        let shuffle = read.iter().find_map(|from| self.plan.shuffle_of(*from))?;
        self.group_of(shuffle).owners.get(spec.partition as usize).copied()
    }

    /// To whom a key's blocks are pushed; opens its shuffle if this is its first producer.
    pub(crate) fn route(&mut self, cx: &mut Cx<'_>, key: u32) -> Option<Route> {
        let shuffle = self.plan.shuffle_of(self.plan.specs[key as usize].fragment)?;
        self.open_shuffle(cx, shuffle);
        let owners = self.group_of(shuffle).nodes.clone();
        Some(Route { run: self.shuffles[shuffle].run, owners })
    }

    fn open_shuffle(&mut self, cx: &mut Cx<'_>, shuffle: usize) {
        if self.shuffles[shuffle].open {
            return;
        }
        let group = self.plan.shuffles[shuffle].group as usize;
        if self.groups[group].owners.is_empty() {
            let mut workers: Vec<WorkerIx> = cx.workers.open().collect();
            if workers.is_empty() {
                workers = cx.workers.iter().map(|(at, _)| at).collect();
            }
            workers.sort_unstable();
            let width = self.plan.groups[group] as usize;
            // Neighboring partitions go to the same owner, as in Dask.
            let owners: Vec<WorkerIx> =
                (0..width).filter_map(|p| workers.get(p * workers.len() / width).copied()).collect();
            let nodes = Shared::new(owners.iter().map(|at| cx.workers.node(*at)).collect());
            let mut distinct = owners.clone();
            distinct.dedup();
            self.groups[group] = Group { owners, nodes, distinct };
        }
        self.shuffles[shuffle].open = true;
        let (shuffled, run) = (self.shuffled(shuffle), self.shuffles[shuffle].run);
        for at in &self.groups[group].distinct {
            cx.workers.send(*at, Down::OpenShuffle { job: self.id, shuffle: shuffled, run });
        }
    }

    fn shuffled(&self, shuffle: usize) -> FragmentId {
        self.plan.fragment(self.plan.shuffles[shuffle].fragment).id
    }

    /// All producers are in memory: every owner is asked whether it has what it owns.
    pub(super) fn start_barrier(&mut self, cx: &mut Cx<'_>, barrier: u32) {
        self.set(barrier, State::Processing);
        let Some(shuffle) = self.shuffle_behind(barrier) else { return };
        let owners = self.group_of(shuffle).owners.clone();
        let distinct = self.group_of(shuffle).distinct.clone();
        let mut expected: Vec<Vec<BlockRef>> = distinct.iter().map(|_| Vec::new()).collect();
        let outputs = self.plan.fragment(self.plan.shuffles[shuffle].fragment).outputs;
        for link in self.plan.deps.range(barrier) {
            let producer = self.plan.deps.at(link);
            let Some(at) = self.key(producer).holders.pick(0) else { continue };
            let node = cx.workers.node(at);
            let mut place = 0;
            for output in 0..outputs {
                let Some(owner) = owners.get(output as usize).copied() else { continue };
                // Owners come in runs, in the order of the list of distinct ones.
                while distinct.get(place).is_some_and(|d| *d != owner) {
                    place += 1;
                }
                if owner != at
                    && let Some(blocks) = expected.get_mut(place)
                {
                    blocks.push(self.block_ref(producer, output, node));
                }
            }
        }
        let (shuffled, run) = (self.shuffled(shuffle), self.shuffles[shuffle].run);
        for (at, blocks) in distinct.into_iter().zip(expected).filter(|(_, blocks)| !blocks.is_empty()) {
            self.shuffles[shuffle].pending.push(at);
            cx.workers.send(at, Down::Barrier { job: self.id, shuffle: shuffled, run, blocks });
        }
        if self.shuffles[shuffle].pending.is_empty() {
            self.recommend(barrier, State::Memory);
        }
    }

    fn shuffle_behind(&self, barrier: u32) -> Option<usize> {
        self.plan.shuffle_of(self.plan.specs[barrier as usize].fragment)
    }

    /// An owner has all it owns, or cannot get it.
    pub(crate) fn gathered(
        &mut self,
        cx: &mut Cx<'_>,
        at: WorkerIx,
        (fragment, run): (FragmentId, u32),
        lost: Option<&BlockRef>,
    ) {
        let Some(shuffle) = self.plan.position(fragment).and_then(|f| self.plan.shuffle_of(f)) else { return };
        let barrier = self.plan.shuffles[shuffle].barrier;
        let state = &mut self.shuffles[shuffle];
        let current = state.open && state.run == run && self.keys[barrier as usize].state == State::Processing;
        let Some(place) = state.pending.iter().position(|w| *w == at).filter(|_| current) else { return };
        if let Some(block) = lost {
            self.count_loss(block.id.task);
            self.restart_shuffles(cx, &[shuffle]);
        } else {
            state.pending.swap_remove(place);
            if state.pending.is_empty() {
                self.recommend(barrier, State::Memory);
            }
        }
        self.settle(cx);
    }

    /// The barrier is not needed any more, or not to be had: owners drop what they have of the run.
    pub(crate) fn close_shuffle(&mut self, cx: &mut Cx<'_>, barrier: u32) {
        if let Some(shuffle) = self.shuffle_behind(barrier) {
            self.close(cx, shuffle);
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>, shuffle: usize) {
        if !std::mem::take(&mut self.shuffles[shuffle].open) {
            return;
        }
        let run = self.shuffles[shuffle].run;
        let shuffled = self.shuffled(shuffle);
        for at in &self.group_of(shuffle).distinct {
            cx.workers.send(*at, Down::CloseShuffle { job: self.id, shuffle: shuffled, run });
        }
        self.shuffles[shuffle].run += 1;
        self.shuffles[shuffle].pending.clear();
        let group = self.plan.shuffles[shuffle].group;
        let mut of_group = self.plan.shuffles.iter().zip(&self.shuffles).filter(|(spec, _)| spec.group == group);
        if of_group.all(|(_, s)| !s.open) {
            self.groups[group as usize] = Group::default();
        }
    }

    /// Starts shuffles over: nothing of their present runs counts. The caller settles.
    pub(crate) fn restart_shuffles(&mut self, cx: &mut Cx<'_>, shuffles: &[usize]) {
        // All are closed before any producer goes out again, so that none goes to an owner of a closed run.
        for shuffle in shuffles {
            self.close(cx, *shuffle);
            let fragment = self.shuffled(*shuffle);
            let run = self.shuffles[*shuffle].run;
            self.note(cx, Note::StartedOver(fragment, run));
        }
        for shuffle in shuffles {
            let barrier = self.plan.shuffles[*shuffle].barrier;
            if matches!(self.key(barrier).state, State::Memory | State::Processing) {
                self.transition(cx, barrier, State::Waiting);
            }
            for link in self.plan.deps.range(barrier) {
                let producer = self.plan.deps.at(link);
                match self.key(producer).state {
                    State::Memory => self.transition(cx, producer, State::Released),
                    State::Processing => self.transition(cx, producer, State::Waiting),
                    _ => {}
                }
            }
        }
    }

    /// The open shuffles in which a worker takes part: it owns a partition, or has or makes blocks that are not all with
    /// their owners yet.
    pub(crate) fn shuffles_with(&self, at: WorkerIx) -> Vec<usize> {
        let takes_part = |shuffle: &usize| {
            let barrier = self.plan.shuffles[*shuffle].barrier;
            let makes = |producer: &u32| {
                let key = self.key(*producer);
                key.holders.contains(at) || (key.state == State::Processing && key.worker == at)
            };
            let moving = self.key(barrier).state != State::Memory;
            self.group_of(*shuffle).distinct.contains(&at) || (moving && self.plan.deps.of(barrier).iter().any(makes))
        };
        (0..self.shuffles.len()).filter(|s| self.shuffles[*s].open).filter(takes_part).collect()
    }
}
