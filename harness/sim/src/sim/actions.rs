//! What each action of a machine means in the simulated world.

use super::{Occurrence, Sim};
use crate::content::blocks_of;
use crate::faults::FaultKind;
use crate::node::{Fetch, Held, Run};
use crate::options::SimTrouble;
use crate::planner::replan;
use bench_model::{
    Action, Addr, Assignment, Attempt, BlockMeta, BlockRef, Event, FragmentId, JobError, JobId, Nanos, NodeId, Note,
    Planned, StageStats, Style, TaskFailure, TaskId, TaskReport, TaskStats,
};

impl<S: Style> Sim<'_, S> {
    pub(super) fn carry_out(&mut self, at: Addr, action: Action<S::Msg>) -> Result<(), SimTrouble> {
        match action {
            Action::Send { to, msg } => self.send(at, to, msg),
            Action::Timer { id, after } => {
                self.sent += 1;
                self.timers.insert((at, id), self.sent);
                let incarnation = self.life_of(at);
                let timer = Occurrence::Timer { at, incarnation, id, generation: self.sent };
                self.queue.push(self.now + after, timer);
            }
            Action::Run(assignment) => return self.run_task(node_of(at)?, &assignment),
            Action::Cancel { task, attempt } => self.cancel_task(node_of(at)?, task, attempt),
            Action::Fetch { block, .. } => self.fetch_block(node_of(at)?, block),
            Action::Spill { block, attempt } => self.spill(node_of(at)?, block, attempt),
            Action::Release { block, attempt } => self.release(node_of(at)?, block, attempt),
            Action::MeasureMemory => self.measure_memory(node_of(at)?),
            Action::Free { job, fragment } => {
                let freed = self.nodes[node_of(at)?.0 as usize].free(job, fragment);
                if self.options.check {
                    freed.into_iter().for_each(|(task, attempt)| self.oracle.may_be_replaced(task, attempt));
                }
            }
            Action::Replan { job, stats, fixed } => return self.replan(job, &stats, &fixed),
            Action::Finish { job, result } => return self.finish(job, &result),
            Action::Note { job, note } => {
                match note {
                    Note::Speculated(_) => self.summary.speculated += 1,
                    Note::StartedOver(fragment, _) if at == Addr::Driver => {
                        let known = self.jobs.get(&job);
                        known.into_iter().for_each(|known| self.oracle.starts_over(job, fragment, known.graph()));
                    }
                    _ => {}
                }
                self.write(|| format!("  {job} {note:?}"));
            }
        }
        Ok(())
    }

    fn send(&mut self, from: Addr, to: Addr, msg: S::Msg) {
        self.sent += 1;
        let number = self.sent;
        // Whoever has not been told of a restart still sends to what was there before.
        let life = match to {
            Addr::Node(node) if from != to => self.nodes[node.0 as usize].linked,
            _ => self.life_of(to),
        };
        if self.faults.strikes(&mut self.rng, FaultKind::MessageLost) {
            self.write(|| format!("  lost: {from} -> {to} {msg:?}"));
            return;
        }
        let mut latency = if self.replay.is_some() { 0 } else { self.rng.between(20_000, 400_000) };
        if self.faults.strikes(&mut self.rng, FaultKind::MessageDelayed) {
            latency += self.rng.between(1_000_000, 4_000_000_000);
        }
        if self.faults.strikes(&mut self.rng, FaultKind::MessageDuplicated) {
            let again = self.now + Nanos::new(latency + self.rng.below(2_000_000_000));
            self.queue.push(again, Occurrence::Deliver { from, to, life, number, msg: msg.clone() });
        }
        self.queue.push(self.now + Nanos::new(latency), Occurrence::Deliver { from, to, life, number, msg });
    }

    fn run_task(&mut self, id: NodeId, assignment: &Assignment) -> Result<(), SimTrouble> {
        let (task, attempt) = (assignment.task, assignment.attempt);
        let Some(job) = self.jobs.get(&task.job) else {
            return Err(SimTrouble::Rule(format!("{task} is of no submitted job")));
        };
        let (slots, running, incarnation) = {
            let node = &self.nodes[id.0 as usize];
            (node.slots as usize, node.runs.len(), node.incarnation)
        };
        if running >= slots {
            return Err(SimTrouble::Rule(format!("{id} is told to run {} attempts on {slots} slots", running + 1)));
        }
        if self.options.check {
            self.oracle.starts((id, incarnation), assignment, job)?;
        }
        let over = job.over;
        let mut took = match &mut self.replay {
            Some(replay) => replay.slot_ns(id, task),
            None => self.rng.between(100_000, 30_000_000),
        };
        if self.faults.strikes(&mut self.rng, FaultKind::Straggler) {
            took = took.saturating_mul(self.rng.between(20, 200));
        }
        let result = match self.fetch(&assignment.inputs) {
            Err(failure) => Err(failure),
            Ok(sums) => match self.strike_task(task) {
                Some(failure) => Err(failure),
                None => self.content(task, attempt, &sums),
            },
        };
        if result.is_err() {
            took = self.rng.below(took);
        }
        self.summary.attempts += 1;
        let node = &mut self.nodes[id.0 as usize];
        // A node that the driver has given up may still obey old orders. So may one that is back and gets an old order
        // late: if the job is over by then, nobody is left to tell it what to free.
        let abandoned = !node.known || (over && node.was_given_up);
        node.runs.insert((task, attempt), Run { result, generation: 0, abandoned });
        let end = Occurrence::TaskEnds { node: id, incarnation, task, attempt, generation: 0 };
        self.queue.push(self.now + Nanos::new(took), end);
        Ok(())
    }

    /// The checksums of the blocks a task reads, summed per input.
    fn fetch(&self, inputs: &[Vec<BlockRef>]) -> Result<Vec<u128>, TaskFailure> {
        let mut sums = Vec::with_capacity(inputs.len());
        for input in inputs {
            let mut sum = 0u128;
            for block in input {
                match self.nodes.get(block.node.0 as usize).map_or(Fetch::Missing, |n| n.fetch(block)) {
                    Fetch::Found => sum = sum.wrapping_add(block.meta.checksum.0),
                    Fetch::Missing => return Err(TaskFailure::MissingBlock(block.id)),
                    Fetch::Corrupt => return Err(TaskFailure::CorruptBlock(block.id)),
                }
            }
            sums.push(sum);
        }
        Ok(sums)
    }

    /// What an attempt writes.
    fn content(&self, task: TaskId, attempt: Attempt, sums: &[u128]) -> Result<Vec<BlockMeta>, TaskFailure> {
        let fragment = self.jobs.get(&task.job).and_then(|j| j.fragment(task.fragment));
        let fragment = fragment.ok_or_else(|| TaskFailure::Fatal(format!("{task} is not in its graph")))?;
        Ok(match &self.replay {
            Some(replay) => replay.costs.blocks(task, fragment.outputs),
            None => blocks_of(fragment, task, sums, self.salt(task, attempt)),
        })
    }

    fn strike_task(&mut self, task: TaskId) -> Option<TaskFailure> {
        if self.faults.strikes(&mut self.rng, FaultKind::Nondeterministic) {
            self.oracle.fickle.insert(task);
        }
        let kinds = [
            (FaultKind::TaskFailed, TaskFailure::Transient("injected".to_owned())),
            (FaultKind::TaskPanicked, TaskFailure::Transient("panicked: injected".to_owned())),
            (FaultKind::OutOfMemory, TaskFailure::OutOfMemory("injected".to_owned())),
            (FaultKind::TaskFatal, TaskFailure::Fatal("injected".to_owned())),
        ];
        kinds.into_iter().find_map(|(kind, failure)| self.faults.strikes(&mut self.rng, kind).then_some(failure))
    }

    /// What makes a fickle task's rows differ from attempt to attempt.
    fn salt(&self, task: TaskId, attempt: Attempt) -> u64 {
        if self.oracle.fickle.contains(&task) { u64::from(attempt.0) + 1 } else { 0 }
    }

    fn cancel_task(&mut self, id: NodeId, task: TaskId, attempt: Attempt) {
        // Kernels look only now and then: some finish before they notice.
        let notices = !self.rng.one_in(4);
        let soon = self.now + Nanos::new(self.rng.below(5_000_000));
        let node = &mut self.nodes[id.0 as usize];
        let incarnation = node.incarnation;
        if let Some(run) = node.runs.get_mut(&(task, attempt)).filter(|_| notices) {
            run.result = Err(TaskFailure::Cancelled);
            run.generation += 1;
            let generation = run.generation;
            self.queue.push(soon, Occurrence::TaskEnds { node: id, incarnation, task, attempt, generation });
        }
    }

    pub(super) fn task_ends(
        &mut self,
        (id, incarnation): (NodeId, u32),
        (task, attempt): (TaskId, Attempt),
        generation: u32,
    ) -> Result<(), SimTrouble> {
        let node = &mut self.nodes[id.0 as usize];
        let valid = |r: &Run| r.generation == generation;
        if node.incarnation != incarnation || !node.runs.get(&(task, attempt)).is_some_and(valid) {
            return Ok(());
        }
        let Some(run) = node.runs.remove(&(task, attempt)) else { return Ok(()) };
        let result = match run.result {
            Ok(blocks) => {
                self.write_blocks(id, (task, attempt), &blocks, run.abandoned);
                Ok(TaskReport { blocks, stats: TaskStats::default() })
            }
            Err(failure) => {
                self.oracle.failed(task, attempt, &failure);
                Err(failure)
            }
        };
        self.feed(Addr::Node(id), Event::TaskRan { task, attempt, result })?;
        self.strike_nodes(id);
        Ok(())
    }

    fn write_blocks(&mut self, id: NodeId, (task, attempt): (TaskId, Attempt), blocks: &[BlockMeta], abandoned: bool) {
        if self.options.check {
            self.oracle.produced(id, task, attempt, blocks);
            if abandoned {
                // Its node was given up: whoever took its place counts.
                self.oracle.may_be_replaced(task, attempt);
            }
        }
        for (output, meta) in blocks.iter().enumerate() {
            let held = Held { meta: *meta, corrupt: false, spilled: false, abandoned };
            self.nodes[id.0 as usize].write(task, attempt, output as u32, held);
        }
        let output = self.rng.below(blocks.len() as u64) as u32;
        for (kind, remove) in [(FaultKind::BlockLost, true), (FaultKind::BlockCorrupt, false)] {
            if self.faults.strikes(&mut self.rng, kind) {
                self.nodes[id.0 as usize].hurt(task, attempt, output, remove);
                self.oracle.may_be_replaced(task, attempt);
                self.write(|| format!("  {}: {task}/o{output} {attempt} on {id}", kind.name()));
            }
        }
    }

    fn replan(&mut self, job: JobId, stats: &StageStats, fixed: &[FragmentId]) -> Result<(), SimTrouble> {
        let Some(known) = self.jobs.get(&job) else { return Ok(()) };
        let finished = known.fragment(stats.fragment);
        let shape = finished.map(|f| (f.tasks as usize, f.outputs as usize));
        let given = (stats.blocks.len(), stats.blocks.first().map_or(0, Vec::len));
        if shape != Some(given) {
            return Err(SimTrouble::Rule(format!("{job}: statistics of {} have another shape", stats.fragment)));
        }
        if let Some(replay) = &self.replay {
            // The plan is the one that replanning had led to; only what looking at it took is played again.
            let at = self.now + Nanos::new(replay.costs.replanning_ns(stats.fragment));
            self.queue.push(at, Occurrence::Planned(Planned { job, graph: None, notes: Vec::new() }));
            return Ok(());
        }
        let change = replan(&mut self.rng, known.graph(), stats, fixed);
        let (graph, notes) = change.map_or((None, Vec::new()), |(graph, note)| (Some(graph), vec![note]));
        let at = self.now + Nanos::new(self.rng.between(50_000, 20_000_000));
        self.queue.push(at, Occurrence::Planned(Planned { job, graph, notes }));
        Ok(())
    }

    fn finish(&mut self, id: JobId, result: &Result<Vec<BlockRef>, JobError>) -> Result<(), SimTrouble> {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Err(SimTrouble::Rule(format!("{id} ended but was never submitted")));
        };
        if std::mem::replace(&mut job.over, true) {
            return Err(SimTrouble::Rule(format!("{id} ended twice")));
        }
        self.unfinished -= 1;
        self.summary.makespan = self.now;
        match result {
            Ok(blocks) => {
                self.summary.answered += 1;
                if self.options.check {
                    self.oracle.answered(id, job, blocks)?;
                }
                self.write(|| format!("  {id} answered"));
            }
            Err(error) => {
                self.summary.failed += 1;
                self.oracle.justifies(id, job, error)?;
                self.write(|| format!("  {id} failed: {error}"));
            }
        }
        if self.unfinished == 0 {
            self.faults.stop();
        }
        Ok(())
    }
}

fn node_of(at: Addr) -> Result<NodeId, SimTrouble> {
    match at {
        Addr::Node(node) => Ok(node),
        Addr::Driver => Err(SimTrouble::Rule("the driver asked for what only nodes can do".to_owned())),
    }
}
