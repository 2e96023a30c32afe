//! Jobs and their runs. A run is one submission of a job's whole graph; a job has a second one if an owner died and
//! `resubmit` allows it, with new attempts, and only after every node has dropped what is left of the first.

use super::{Driver, NO_NODES, NO_NODES_AFTER, Out, STALLED, STALLED_AFTER, Stall, cx};
use crate::layout::Layout;
use crate::message::{Note, Program, RunId, Shared};
use crate::owner::{Cx, Verdict};
use crate::resources::{CPU, Demand};
use bench_model::{Action, Addr, BlockRef, Graph, JobError, JobId, Nanos, NodeId, Note as Seen, TaskOptions};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) struct Job {
    graph: Arc<Graph>,
    layout: Arc<Layout>,
    round: u32,
    /// Its run, once it has begun and until it is over.
    pub(super) run: Option<RunId>,
    /// Nodes that have yet to drop its last run.
    draining: BTreeSet<NodeId>,
    last_run: RunId,
}

impl Driver {
    pub(super) fn submit(&mut self, id: JobId, graph: &Arc<Graph>, out: &mut Out) {
        match Layout::new(id, graph) {
            Ok(layout) => {
                let (graph, layout) = (Arc::clone(graph), Arc::new(layout));
                let job = Job { graph, layout, round: 0, run: None, draining: BTreeSet::new(), last_run: RunId(0) };
                self.jobs.insert(id, job);
                self.begin_waiting(out);
                self.wait_for_nodes(out);
            }
            Err(error) => out.push(Action::Finish { job: id, result: Err(error) }),
        }
    }

    /// Begins the runs of jobs that wait for nothing.
    pub(super) fn begin_waiting(&mut self, out: &mut Out) {
        if self.view.is_empty() {
            return;
        }
        let waits = |job: &Job| job.run.is_none() && job.draining.is_empty();
        let ids: Vec<JobId> = self.jobs.iter().filter(|(_, job)| waits(job)).map(|(id, _)| *id).collect();
        for id in ids {
            self.begin(id, out);
        }
    }

    fn begin(&mut self, id: JobId, out: &mut Out) {
        self.last_run.0 += 1;
        let run = self.last_run;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.run = Some(run);
        job.last_run = run;
        let layout = Arc::clone(&job.layout);
        let (graph, round) = (Shared::from(Arc::clone(&job.graph)), job.round);
        let owners = self.owners(&layout);
        let program = Shared::new(Program { job: id, round, graph, owners });
        self.runs.insert(run, id);
        for to in self.view.addresses() {
            self.links.send(to, Note::Begin(run, program.clone()));
        }
        self.owner.begin(&cx!(self, out), run, &program, layout);
    }

    /// Who owns which fragment: nothing special about its tasks lets a node own it.
    fn owners(&self, layout: &Layout) -> Vec<Option<NodeId>> {
        if !self.settings.spread_ownership {
            return Vec::new();
        }
        let plain = |f: u32| f != layout.result && layout.fragment(f).options == TaskOptions::default();
        (0..layout.fragments()).map(|f| plain(f).then(|| self.view.in_turn(f as usize)).flatten()).collect()
    }

    /// Tells a node that has joined of the runs there are.
    pub(super) fn introduce(&mut self, to: Addr) {
        for (run, id) in &self.runs {
            let Some(job) = self.jobs.get(id) else { continue };
            let (graph, round) = (Shared::from(Arc::clone(&job.graph)), job.round);
            // It owns nothing of what began before it joined, and the others' ownership is nothing to it.
            let program = Program { job: *id, round, graph, owners: Vec::new() };
            self.links.send(to, Note::Begin(*run, Shared::new(program)));
        }
    }

    pub(super) fn verdict(&mut self, now: Nanos, verdict: Verdict, out: &mut Out) {
        let run = match &verdict {
            Verdict::Answer(run, _) | Verdict::Failed(run, _) | Verdict::Orphaned(run, _) => *run,
            Verdict::GroupWanted(run, _) | Verdict::GroupIdle(run, _) | Verdict::Stalled(run, _) => *run,
        };
        let Some(id) = self.runs.get(&run).copied() else { return };
        match verdict {
            Verdict::Answer(_, blocks) => self.finish(id, Ok(blocks), out),
            Verdict::Failed(_, error @ JobError::OwnerDied { .. }) => self.owner_died(id, error, out),
            Verdict::Failed(_, error) => self.finish(id, Err(error), out),
            Verdict::Orphaned(_, fragment) => {
                if let Some(error) = self.orphaned(id, run, fragment) {
                    self.owner_died(id, error, out);
                }
            }
            Verdict::GroupWanted(_, fragment) => self.groups.want(run, fragment),
            Verdict::GroupIdle(_, group) => self.give_back(group),
            Verdict::Stalled(_, fragment) => {
                let layout = self.jobs.get(&id).map(|job| Arc::clone(&job.layout));
                let demand = layout.map(|l| Demand::of(&l.fragment(fragment).options)).unwrap_or_default();
                let lacks = self.pool.lacks(&demand.without_cpu());
                let cpus = format!(
                    "a task asks for {} cpu and no node has as many; add larger nodes",
                    demand.cpu as f64 / CPU as f64
                );
                self.stall(now, run, fragment, lacks.unwrap_or(cpus), out);
            }
        }
    }

    fn orphaned(&self, id: JobId, run: RunId, fragment: u32) -> Option<JobError> {
        let layout = &self.jobs.get(&id)?.layout;
        let node = self.owner.owner_of(run, fragment)?;
        (fragment < layout.fragments()).then(|| JobError::OwnerDied { node, fragment: layout.fragment(fragment).id })
    }

    /// An owner died whose objects are needed: the job is submitted again if that is allowed.
    fn owner_died(&mut self, id: JobId, error: JobError, out: &mut Out) {
        let again = self.jobs.get(&id).is_some_and(|job| job.round < self.settings.resubmit);
        if !again {
            self.finish(id, Err(error), out);
            return;
        }
        out.push(Action::Note { job: id, note: Seen::Did(format!("submitted again: {error}")) });
        self.end_run(id, out);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.round += 1;
            job.draining = self.view.iter().map(|p| p.member.node).collect();
        }
        self.begin_waiting(out);
        self.wait_for_nodes(out);
    }

    /// A node has dropped a run.
    pub(super) fn ended_on(&mut self, node: NodeId, run: RunId, out: &mut Out) {
        let mut drained = false;
        for job in self.jobs.values_mut().filter(|job| job.last_run == run && job.run.is_none()) {
            drained |= job.draining.remove(&node) && job.draining.is_empty();
        }
        if drained {
            self.begin_waiting(out);
        }
    }

    /// Nobody waits for a node that is gone to drop anything.
    pub(super) fn drained_by_death(&mut self, node: NodeId) {
        for job in self.jobs.values_mut() {
            job.draining.remove(&node);
        }
    }

    /// The job is over: its answer or its error goes out, and everything of it is dropped.
    pub(super) fn finish(&mut self, id: JobId, result: Result<Vec<BlockRef>, JobError>, out: &mut Out) {
        if !self.jobs.contains_key(&id) {
            return;
        }
        out.push(Action::Finish { job: id, result });
        self.end_run(id, out);
        self.jobs.remove(&id);
    }

    fn end_run(&mut self, id: JobId, out: &mut Out) {
        let Some(run) = self.jobs.get_mut(&id).and_then(|job| job.run.take()) else { return };
        self.runs.remove(&run);
        self.groups.forget(run);
        self.stalls.retain(|s| s.run != run);
        self.owner.end(&mut cx!(self, out), run);
        for to in self.view.addresses() {
            self.links.send(to, Note::End(run));
        }
    }

    pub(super) fn wait_for_nodes(&self, out: &mut Out) {
        if self.view.is_empty() && !self.jobs.is_empty() {
            out.push(Action::Timer { id: NO_NODES, after: NO_NODES_AFTER });
        }
    }

    pub(super) fn give_up_without_nodes(&mut self, out: &mut Out) {
        if self.view.is_empty() {
            let ids: Vec<JobId> = self.jobs.keys().copied().collect();
            for id in ids {
                self.finish(id, Err(JobError::NoNodes), out);
            }
        }
    }

    /// No node can run a fragment's tasks: if none joins that can, the job ends.
    pub(super) fn stall(&mut self, now: Nanos, run: RunId, fragment: u32, reason: String, out: &mut Out) {
        self.stalls.push(Stall { since: now, run, fragment, reason });
        out.push(Action::Timer { id: STALLED, after: STALLED_AFTER });
    }

    pub(super) fn give_up_stalled(&mut self, now: Nanos, out: &mut Out) {
        let patient = |s: &Stall| now.saturating_sub(s.since) < STALLED_AFTER;
        for stall in self.stalls.extract_if(.., |s| !patient(s)).collect::<Vec<_>>() {
            let Some(id) = self.runs.get(&stall.run).copied() else { continue };
            let Some(fragment) = self.jobs.get(&id).map(|j| j.layout.fragment(stall.fragment).id) else { continue };
            self.finish(id, Err(JobError::Infeasible { fragment, reason: stall.reason }), out);
        }
        if !self.stalls.is_empty() {
            out.push(Action::Timer { id: STALLED, after: STALLED_AFTER });
        }
    }

    /// A node has joined: what no node could run may be runnable now.
    pub(super) fn retry_stalled(&mut self) {
        for stall in std::mem::take(&mut self.stalls) {
            self.owner.unstall(stall.run, stall.fragment);
            self.groups.retry(stall.run, stall.fragment);
        }
    }

    /// The layout of a run that is not over.
    pub(super) fn layout(&self, run: RunId) -> Option<Arc<Layout>> {
        self.jobs.get(self.runs.get(&run)?).map(|job| Arc::clone(&job.layout))
    }
}
