//! One job: its keys, what is recommended for them, and when it is over.

use super::Cx;
use super::key::{Key, STATES, State};
use super::shuffle::{Group, Shuffle};
use super::workers::WorkerIx;
use crate::lower::Plan;
use crate::message::Down;
use crate::settings::Settings;
use bench_model::{Attempt, BlockMeta, BlockRef, Graph, JobError, JobId, Note, TaskId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// That a key should change, given that it still is what it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recommendation {
    pub(crate) key: u32,
    pub(crate) from: State,
    pub(crate) to: State,
}

pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) plan: Plan,
    pub(crate) keys: Vec<Key>,
    /// Sizes and checksums of all blocks, by key and output.
    pub(crate) metas: Vec<BlockMeta>,
    pub(crate) recommendations: Vec<Recommendation>,
    /// Keys in each state.
    pub(crate) counts: [u32; STATES],
    /// Root tasks that wait for a worker with room, by priority. May hold keys that have moved on.
    pub(crate) queue: BinaryHeap<Reverse<(u32, u32)>>,
    /// Keys for which no worker took work. May hold keys that have moved on.
    pub(crate) unplaced: Vec<u32>,
    /// Parts of the answer that are not in memory.
    pub(crate) missing: u32,
    /// How long a key of each fragment runs, as a moving average; 0 if none was measured.
    pub(crate) durations: Vec<u64>,
    pub(crate) shuffles: Vec<Shuffle>,
    pub(crate) groups: Vec<Group>,
    /// Keys of which there was more than one copy.
    pub(crate) replicated: Vec<u32>,
    /// How often each task failed, and how often its blocks were found lost. Few tasks are in these.
    pub(crate) failures: BTreeMap<TaskId, u32>,
    pub(crate) losses: BTreeMap<TaskId, u32>,
    /// How it ended.
    pub(crate) over: Option<Result<(), JobError>>,
    /// A transition that the table does not have: always a bug.
    pub(crate) broken: Option<String>,
}

impl Job {
    /// Lowers a graph. Nothing of it runs before [`Job::start`].
    ///
    /// # Errors
    /// The graph is inconsistent or too large.
    pub(crate) fn new(id: JobId, graph: &Arc<Graph>, settings: &Settings) -> Result<Self, JobError> {
        graph.validate().map_err(|e| JobError::InvalidGraph(e.to_string()))?;
        let plan = Plan::new(graph, settings).map_err(JobError::InvalidGraph)?;
        let mut metas = 0;
        let mut keys: Vec<Key> = Vec::with_capacity(plan.specs.len());
        for spec in &plan.specs {
            keys.push(Key::new(metas));
            if !spec.is_barrier() {
                metas += plan.fragment(spec.fragment).outputs;
            }
        }
        for key in &plan.wanted {
            keys[*key as usize].wanted = true;
        }
        let mut counts = [0; STATES];
        counts[State::Released as usize] = keys.len() as u32;
        Ok(Self {
            id,
            missing: plan.wanted.len() as u32,
            durations: vec![0; graph.fragments.len()],
            shuffles: plan.shuffles.iter().map(|_| Shuffle::default()).collect(),
            groups: plan.groups.iter().map(|_| Group::default()).collect(),
            metas: vec![BlockMeta::default(); metas as usize],
            recommendations: Vec::new(),
            counts,
            queue: BinaryHeap::new(),
            unplaced: Vec::new(),
            replicated: Vec::new(),
            failures: BTreeMap::new(),
            losses: BTreeMap::new(),
            over: None,
            broken: None,
            keys,
            plan,
        })
    }

    /// Wants the answer. Without culling, whatever nobody reads is computed too.
    pub(crate) fn start(&mut self, cx: &mut Cx<'_>) {
        for key in (0..self.keys.len() as u32).rev() {
            let goal = self.keys[key as usize].wanted || (!cx.settings.cull && self.plan.dependents.of(key).is_empty());
            if goal {
                self.recommend(key, State::Waiting);
            }
        }
        self.settle(cx);
    }

    pub(crate) fn key(&self, key: u32) -> &Key {
        &self.keys[key as usize]
    }

    pub(crate) fn key_mut(&mut self, key: u32) -> &mut Key {
        &mut self.keys[key as usize]
    }

    pub(crate) fn count(&self, state: State) -> u32 {
        self.counts[state as usize]
    }

    /// The task that names a key; of a barrier, one that no worker has heard of.
    pub(crate) fn task(&self, key: u32) -> TaskId {
        let spec = self.plan.specs[key as usize];
        TaskId { job: self.id, fragment: self.plan.fragment(spec.fragment).id, partition: spec.partition }
    }

    /// The blocks of a key, as last reported.
    pub(crate) fn blocks(&self, key: u32) -> &[BlockMeta] {
        let spec = self.plan.specs[key as usize];
        let start = self.key(key).metas as usize;
        &self.metas[start..start + self.plan.fragment(spec.fragment).outputs as usize]
    }

    /// A key's block as a reader is told of it.
    pub(crate) fn block_ref(&self, key: u32, output: u32, node: bench_model::NodeId) -> BlockRef {
        let state = self.key(key);
        let id = bench_model::BlockId { task: self.task(key), output };
        let meta = self.metas[state.metas as usize + output as usize];
        BlockRef { id, attempt: state.made, node, meta }
    }

    /// Ends the job; the first end counts.
    pub(crate) fn end(&mut self, how: Result<(), JobError>) {
        if self.over.is_none() {
            self.over = Some(how);
        }
    }

    /// Tells a worker to drop a key's blocks.
    pub(crate) fn release_on(&self, cx: &mut Cx<'_>, at: WorkerIx, key: u32, attempt: Attempt) {
        cx.workers.send(at, Down::Release { task: self.task(key), attempt });
    }

    /// The answer's blocks in order, once all are in memory.
    pub(crate) fn answer(&self, cx: &Cx<'_>) -> Vec<BlockRef> {
        let mut blocks = Vec::new();
        for key in &self.plan.wanted {
            if let Some(at) = self.key(*key).holders.pick(0) {
                let node = cx.workers.node(at);
                blocks.extend((0..self.blocks(*key).len() as u32).map(|output| self.block_ref(*key, output, node)));
            }
        }
        blocks
    }

    /// Forgets every key, and what the workers were charged for it.
    pub(crate) fn forget(&mut self, cx: &mut Cx<'_>) {
        self.recommendations.clear();
        for key in 0..self.keys.len() as u32 {
            self.transition(cx, key, State::Forgotten);
        }
    }

    pub(crate) fn note(&self, cx: &mut Cx<'_>, note: Note) {
        cx.note(self.id, note);
    }
}
