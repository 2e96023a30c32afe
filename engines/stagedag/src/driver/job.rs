//! A job: its stages, when each may start, and when it is over.
//!
//! Invariants: a stage starts when everything it reads is complete; its tasks run only while that holds; a stage's
//! blocks are kept while a stage that reads them is not complete, the answer's until the end.

use super::Cx;
use super::stage::{Stage, StageIx, Status};
use bench_model::{Action, BlockRef, Fragment, FragmentId, Graph, JobError, JobId, Note};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) graph: Arc<Graph>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) index: BTreeMap<FragmentId, StageIx>,
    pub(crate) result: StageIx,
    pub(crate) adaptive: bool,
    /// Stages that may start, lowest fragment first.
    pub(crate) startable: BTreeSet<(FragmentId, StageIx)>,
    /// Stages that could start but wait for sizes that may change their plan.
    pub(crate) patient: BTreeSet<(FragmentId, StageIx)>,
    /// Started stages with a task to launch.
    pub(crate) runnable: BTreeSet<(FragmentId, StageIx)>,
    /// Stages whose blocks are kept.
    pub(crate) live: BTreeSet<StageIx>,
    /// Tasks that deserve a second copy.
    pub(crate) slow: BTreeSet<(StageIx, u32)>,
    /// The planner was asked and has not answered.
    pub(crate) planning: bool,
    /// Finished stages that the planner has yet to hear of.
    pub(crate) replans: VecDeque<StageIx>,
    pub(crate) unstarted: usize,
    /// Attempts on their way.
    pub(crate) flights: u32,
    ended: bool,
}

impl Job {
    pub(crate) fn new(id: JobId, graph: &Arc<Graph>, adaptive: bool) -> Result<Self, JobError> {
        graph.validate().map_err(|e| JobError::InvalidGraph(e.to_string()))?;
        let mut job = Self {
            id,
            graph: Arc::clone(graph),
            stages: Vec::new(),
            index: BTreeMap::new(),
            result: StageIx(0),
            adaptive,
            startable: BTreeSet::new(),
            patient: BTreeSet::new(),
            runnable: BTreeSet::new(),
            live: BTreeSet::new(),
            slow: BTreeSet::new(),
            planning: false,
            replans: VecDeque::new(),
            unstarted: 0,
            flights: 0,
            ended: false,
        };
        job.relate();
        Ok(job)
    }

    pub(crate) const fn ended(&self) -> bool {
        self.ended
    }

    /// Whether stages are left that have not started.
    pub(crate) const fn has_more_stages(&self) -> bool {
        !self.ended && self.unstarted > 0
    }

    pub(crate) fn stage(&self, ix: StageIx) -> &Stage {
        &self.stages[ix.0 as usize]
    }

    pub(crate) fn stage_mut(&mut self, ix: StageIx) -> &mut Stage {
        &mut self.stages[ix.0 as usize]
    }

    /// The fragment a stage runs; nothing if replanning removed it.
    pub(crate) fn fragment(&self, ix: StageIx) -> Option<&Fragment> {
        self.graph.fragments.get(self.stage(ix).position? as usize)
    }

    /// Starts a stage: from now on its fragment is fixed.
    pub(crate) fn start(&mut self, cx: &mut Cx<'_>, ix: StageIx) {
        let Some(tasks) = self.fragment(ix).map(|f| f.tasks) else { return };
        let stage = self.stage_mut(ix);
        stage.start(tasks);
        let key = (stage.fragment, ix);
        self.startable.remove(&key);
        self.patient.remove(&key);
        self.runnable.insert(key);
        self.live.insert(ix);
        self.unstarted -= 1;
        cx.note(self.id, Note::StageStarted(key.0));
    }

    /// Lists an unstarted stage as startable or patient, and a started one as runnable, if it is.
    pub(crate) fn list(&mut self, ix: StageIx) {
        let stage = self.stage(ix);
        let key = (stage.fragment, ix);
        if stage.blocked > 0 {
            return;
        }
        if stage.started {
            if stage.has_queued() {
                self.runnable.insert(key);
            }
        } else if stage.awaiting > 0 {
            self.patient.insert(key);
        } else {
            self.patient.remove(&key);
            self.startable.insert(key);
        }
    }

    /// Takes a stage off every list: something it reads is not complete any more.
    pub(crate) fn unlist(&mut self, ix: StageIx) {
        let key = (self.stage(ix).fragment, ix);
        self.runnable.remove(&key);
        self.startable.remove(&key);
        self.patient.remove(&key);
    }

    /// What follows from a stage's last open task: readers may start, what it read may be dropped, the job may be over.
    pub(crate) fn completed(&mut self, cx: &mut Cx<'_>, ix: StageIx) {
        let first = !std::mem::replace(&mut self.stage_mut(ix).finished, true);
        if first {
            let fragment = self.stage(ix).fragment;
            cx.note(self.id, Note::StageFinished(fragment));
        }
        if ix == self.result {
            let blocks = self.stage(ix).all_blocks(self.id);
            self.end(cx, Ok(blocks));
            return;
        }
        for i in 0..self.stage(ix).consumers.len() {
            let consumer = self.stage(ix).consumers[i];
            self.stage_mut(consumer).blocked -= 1;
            self.list(consumer);
        }
        if first {
            for i in 0..self.stage(ix).waiters.len() {
                let waiter = self.stage(ix).waiters[i];
                self.stage_mut(waiter).awaiting -= 1;
                if !self.stage(waiter).started {
                    self.list(waiter);
                }
            }
        }
        for i in 0..self.stage(ix).producers.len() {
            let producer = self.stage(ix).producers[i];
            self.stage_mut(producer).readers -= 1;
            self.drop_if_unread(cx, producer);
        }
        self.drop_if_unread(cx, ix);
        if first {
            self.consider_replanning(cx, ix);
        }
    }

    /// The reverse of [`Job::completed`]: some of a stage's tasks must run again.
    pub(crate) fn reopened(&mut self, ix: StageIx) {
        self.stage_mut(ix).freed = false;
        self.live.insert(ix);
        for i in 0..self.stage(ix).consumers.len() {
            let consumer = self.stage(ix).consumers[i];
            self.stage_mut(consumer).blocked += 1;
            self.unlist(consumer);
        }
        for i in 0..self.stage(ix).producers.len() {
            let producer = self.stage(ix).producers[i];
            self.stage_mut(producer).readers += 1;
        }
    }

    /// Drops the blocks of a complete stage that no incomplete stage reads.
    pub(crate) fn drop_if_unread(&mut self, cx: &mut Cx<'_>, ix: StageIx) {
        let (job, result) = (self.id, self.result);
        let stage = self.stage_mut(ix);
        if stage.readers > 0 || stage.freed || ix == result || !stage.is_complete() {
            return;
        }
        stage.freed = true;
        stage.losses = 0;
        stage.durations = Vec::new();
        for task in stage.tasks.iter_mut().filter(|t| t.status == Status::Done) {
            task.status = Status::Dropped;
        }
        for node in std::mem::take(&mut stage.nodes) {
            cx.nodes.free_fragment(node, job, stage.fragment, cx.out);
        }
        self.live.remove(&ix);
    }

    /// Ends the job: its answer or its error goes out, and whatever still runs is told to stop.
    pub(crate) fn end(&mut self, cx: &mut Cx<'_>, result: Result<Vec<BlockRef>, JobError>) {
        self.ended = true;
        cx.out.push(Action::Finish { job: self.id, result });
        if self.flights > 0 {
            let id = self.id;
            let mine: Vec<_> = cx.nodes.flights_mut().filter(|(_, f)| f.job == id).map(|(place, _)| place).collect();
            for place in mine {
                cx.cancel(place);
            }
        }
        self.stages = Vec::new();
        self.index = BTreeMap::new();
        self.slow.clear();
    }
}
