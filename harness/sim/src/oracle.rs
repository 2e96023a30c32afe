//! What must hold whatever the style does, and which errors the injected faults explain.

use crate::options::SimTrouble;
use bench_model::{
    Assignment, Attempt, BlockMeta, BlockRef, Checksum, Exchange, Fragment, FragmentId, Graph, JobError, JobId, NodeId,
    TaskFailure, TaskId, TaskOptions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known about one attempt.
#[derive(Default)]
struct Record {
    produced: Option<Vec<BlockMeta>>,
    node: NodeId,
    inputs: Vec<BlockRef>,
    /// One of its blocks was lost or freed, or its node was given up: another attempt may take its place.
    replaceable: bool,
}

/// A job as submitted and as it is planned now.
pub(crate) struct SimJob {
    graph: Arc<Graph>,
    positions: BTreeMap<FragmentId, usize>,
    pub(crate) expected: Checksum,
    pub(crate) over: bool,
    pub(crate) cancelled: bool,
    /// How many incarnations of nodes had been lost when it was submitted.
    pub(crate) deaths_before: u32,
}

impl SimJob {
    pub(crate) fn new(graph: Arc<Graph>, expected: Checksum) -> Self {
        let mut job = Self {
            graph: Arc::clone(&graph),
            positions: BTreeMap::new(),
            expected,
            over: false,
            cancelled: false,
            deaths_before: 0,
        };
        job.plan(graph);
        job
    }

    /// From now on the job is planned like this.
    pub(crate) fn plan(&mut self, graph: Arc<Graph>) {
        self.positions = graph.fragments.iter().enumerate().map(|(at, f)| (f.id, at)).collect();
        self.graph = graph;
    }

    pub(crate) const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub(crate) fn fragment(&self, id: FragmentId) -> Option<&Fragment> {
        // Ids usually count from 0, so a fragment is found at its own number.
        let here = self.graph.fragments.get(id.0 as usize).filter(|f| f.id == id);
        here.or_else(|| self.graph.fragments.get(*self.positions.get(&id)?))
    }
}

#[derive(Default)]
pub(crate) struct Oracle {
    attempts: BTreeMap<(TaskId, Attempt), Record>,
    /// Attempts by the incarnation that ran them.
    ran: BTreeSet<(NodeId, u32, TaskId, Attempt)>,
    /// The attempt of each task that somebody was told to read last.
    used: BTreeMap<TaskId, Attempt>,
    failures: BTreeMap<TaskId, u32>,
    fetch_failures: BTreeMap<(JobId, FragmentId), u32>,
    /// Tasks whose rows change from attempt to attempt.
    pub(crate) fickle: BTreeSet<TaskId>,
    /// Nodes that died or were given up at some time.
    pub(crate) lost_nodes: BTreeSet<NodeId>,
    /// The driver had no node at some time.
    pub(crate) all_nodes_were_down: bool,
    /// How many incarnations of nodes the driver has lost: given up, or replaced by the next one before that.
    pub(crate) deaths: u32,
}

fn rule(message: String) -> SimTrouble {
    SimTrouble::Rule(message)
}

impl Oracle {
    /// An attempt starts: it is new to its node, and reads what its fragment reads, of attempts that count.
    pub(crate) fn starts(
        &mut self,
        (node, incarnation): (NodeId, u32),
        assignment: &Assignment,
        job: &SimJob,
    ) -> Result<(), SimTrouble> {
        let (task, attempt) = (assignment.task, assignment.attempt);
        if !self.ran.insert((node, incarnation, task, attempt)) {
            return Err(rule(format!("{task} {attempt} runs twice on {node}")));
        }
        let fragment = job.fragment(task.fragment).filter(|f| task.partition < f.tasks);
        let Some(fragment) = fragment else { return Err(rule(format!("{task} is not in its graph"))) };
        if assignment.inputs.len() != fragment.inputs.len() || assignment.outputs != fragment.outputs {
            return Err(rule(format!("{task} has other inputs or outputs than its fragment")));
        }
        for (input, given) in fragment.inputs.iter().zip(&assignment.inputs) {
            let Some(producer) = job.fragment(input.from) else { continue };
            let wanted = fragment.reads(task.job, input, producer, task.partition);
            if !wanted.eq(given.iter().map(|b| b.id)) {
                return Err(rule(format!("{task} reads other blocks of {} than its fragment says", input.from)));
            }
        }
        for block in assignment.inputs.iter().flatten() {
            self.reads(task, block, &job.graph)?;
        }
        self.attempts.entry((task, attempt)).or_default().inputs = assignment.inputs.concat();
        Ok(())
    }

    /// A block is read: its attempt finished, and no other attempt of its task counts.
    fn reads(&mut self, reader: TaskId, block: &BlockRef, graph: &Graph) -> Result<(), SimTrouble> {
        let (task, attempt) = (block.id.task, block.attempt);
        let record = self.attempts.get(&(task, attempt)).and_then(|r| r.produced.as_ref());
        let meta = record.and_then(|p| p.get(block.id.output as usize));
        if meta != Some(&block.meta) {
            return Err(rule(format!("{reader} is told to read {} of {attempt}, which never wrote that", block.id)));
        }
        let used = self.used.entry(task).or_insert(attempt);
        if *used != attempt {
            // Which of the two came first cannot be told from outside: a node that starts over counts its attempts from 0
            // again, and an order that arrives late writes an old attempt after a new one.
            let before = std::mem::replace(used, attempt);
            let is_free = |which| self.was_replaced(task, which);
            if !is_free(before) && !is_free(attempt) && !self.was_unread(task, graph) {
                let both = format!("{before} and {attempt} of {task}");
                return Err(rule(format!("{both} are both read, although neither was lost")));
            }
        }
        Ok(())
    }

    /// Whether another attempt may count instead of this one: its blocks were lost, or what it reads was before it ended. A node that
    /// has not been told so yet goes on with it, and with what is fused to it.
    fn was_replaced(&self, task: TaskId, attempt: Attempt) -> bool {
        let may_be = |key: (TaskId, Attempt)| self.attempts.get(&key).filter(|record| record.replaceable);
        let inputs = self.attempts.get(&(task, attempt)).map(|r| r.inputs.as_slice()).unwrap_or_default();
        may_be((task, attempt)).is_some() || inputs.iter().any(|b| may_be((b.id.task, b.attempt)).is_some())
    }

    /// Whether everybody who reads a task has finished at least once, and one of them is needed again, because its own
    /// blocks were lost or were in turn unread: then the task's blocks may have been given up for good and be made again for
    /// that reader, even if the message to free them never arrived.
    fn was_unread(&self, task: TaskId, graph: &Graph) -> bool {
        if graph.fragment(task.fragment).is_none() {
            // Replanning has done away with it.
            return true;
        }
        let mut seen = BTreeSet::from([task]);
        let mut open = vec![task];
        while let Some(task) = open.pop() {
            // One whose blocks are still waited for was given up by nobody.
            let Some(readers) = self.finished_readers(task, graph) else { continue };
            for (reader, replaceable) in readers {
                if replaceable {
                    return true;
                }
                if seen.insert(reader) {
                    open.push(reader);
                }
            }
        }
        false
    }

    /// Who reads a task, and whether one of its finished attempts may be replaced; none if somebody has never finished.
    fn finished_readers(&self, task: TaskId, graph: &Graph) -> Option<Vec<(TaskId, bool)>> {
        let mut readers = Vec::new();
        let source = graph.fragment(task.fragment)?;
        for reader in &graph.fragments {
            let inputs: Vec<_> = reader.inputs.iter().filter(|i| i.from == task.fragment).collect();
            let reads_it = |partition: &u32| {
                inputs.iter().any(|i| reader.reads(task.job, i, source, *partition).any(|b| b.task == task))
            };
            for partition in (0..reader.tasks).filter(reads_it) {
                let id = TaskId { job: task.job, fragment: reader.id, partition };
                let attempts = self.attempts.range((id, Attempt(0))..=(id, Attempt(u32::MAX)));
                let mut finished = attempts.filter(|(_, record)| record.produced.is_some()).peekable();
                finished.peek()?;
                readers.push((id, finished.any(|(_, record)| record.replaceable)));
            }
        }
        Some(readers)
    }

    pub(crate) fn produced(&mut self, node: NodeId, task: TaskId, attempt: Attempt, blocks: &[BlockMeta]) {
        let record = self.attempts.entry((task, attempt)).or_default();
        record.node = node;
        record.produced = Some(blocks.to_vec());
    }

    pub(crate) fn may_be_replaced(&mut self, task: TaskId, attempt: Attempt) {
        self.attempts.entry((task, attempt)).or_default().replaceable = true;
    }

    /// The driver says that nothing of a fragment counts any more, nor what is under way for it alone: attempts that may be fused to its
    /// own. Its nodes may not have heard of it yet.
    pub(crate) fn starts_over(&mut self, job: JobId, fragment: FragmentId, graph: &Graph) {
        let at = |fragment, partition| TaskId { job, fragment, partition };
        let mut open = vec![fragment];
        while let Some(of) = open.pop() {
            let range = (at(of, 0), Attempt(0))..=(at(of, u32::MAX), Attempt(u32::MAX));
            let records = self.attempts.range_mut(range).map(|(_, record)| record);
            records.filter(|r| of == fragment || r.produced.is_none()).for_each(|r| r.replaceable = true);
            let forward = |from: &FragmentId| graph.fragment(*from).is_some_and(|f| f.exchange == Exchange::Forward);
            open.extend(graph.fragment(of).into_iter().flat_map(|f| &f.inputs).map(|i| i.from).filter(forward));
        }
    }

    pub(crate) fn failed(&mut self, task: TaskId, attempt: Attempt, failure: &TaskFailure) {
        match failure {
            TaskFailure::MissingBlock(block) | TaskFailure::CorruptBlock(block) => {
                *self.fetch_failures.entry((block.task.job, block.task.fragment)).or_default() += 1;
                self.suspect(task, attempt, block.task);
            }
            TaskFailure::Cancelled => {}
            TaskFailure::Fatal(_) | TaskFailure::Transient(_) | TaskFailure::OutOfMemory(_) => {
                *self.failures.entry(task).or_default() += 1;
            }
        }
    }

    /// A node could not copy a block.
    pub(crate) fn fetch_failed(&mut self, block: &BlockRef) {
        let source = block.id.task;
        *self.fetch_failures.entry((source.job, source.fragment)).or_default() += 1;
        self.suspect_on(block.node, source);
    }

    /// A reader missed a block of `source`: whatever that fragment has on the same node may be made again.
    fn suspect(&mut self, task: TaskId, attempt: Attempt, source: TaskId) {
        let inputs = self.attempts.get(&(task, attempt)).map(|r| r.inputs.as_slice()).unwrap_or_default();
        let Some(node) = inputs.iter().find(|b| b.id.task == source).map(|b| b.node) else { return };
        self.suspect_on(node, source);
    }

    fn suspect_on(&mut self, node: NodeId, source: TaskId) {
        let (mut from, mut to) = (source, source);
        (from.partition, to.partition) = (0, u32::MAX);
        let range = (from, Attempt(0))..=(to, Attempt(u32::MAX));
        for (_, record) in self.attempts.range_mut(range).filter(|(_, r)| r.node == node) {
            record.replaceable = true;
        }
    }

    /// A job ended with an answer: it is the graph's, or at least mixes no two versions of any task.
    pub(crate) fn answered(&self, id: JobId, job: &SimJob, blocks: &[BlockRef]) -> Result<(), SimTrouble> {
        let result = job.fragment(job.graph.result);
        let wanted = result.map_or(0, |f| f.tasks as usize * f.outputs as usize);
        if blocks.len() != wanted {
            return Err(SimTrouble::Answer(format!("{id} has {} blocks instead of {wanted}", blocks.len())));
        }
        if self.fickle.iter().any(|t| t.job == id) {
            return self.is_consistent(id, blocks);
        }
        let sum = blocks.iter().fold(Checksum::default(), |sum, b| sum.merge(b.meta.checksum));
        if sum != job.expected {
            return Err(SimTrouble::Answer(format!("{id} gave {sum} instead of {}", job.expected)));
        }
        Ok(())
    }

    /// Follows the answer back through everything it was made of: each task must appear with one content only.
    fn is_consistent(&self, id: JobId, blocks: &[BlockRef]) -> Result<(), SimTrouble> {
        let mut seen: BTreeSet<(TaskId, Attempt)> = BTreeSet::new();
        let mut content: BTreeMap<TaskId, &[BlockMeta]> = BTreeMap::new();
        let mut open: Vec<(TaskId, Attempt)> = blocks.iter().map(|b| (b.id.task, b.attempt)).collect();
        while let Some(key) = open.pop() {
            if !seen.insert(key) {
                continue;
            }
            let Some(record) = self.attempts.get(&key) else { continue };
            let written = record.produced.as_deref().unwrap_or_default();
            if *content.entry(key.0).or_insert(written) != written {
                return Err(SimTrouble::Answer(format!("{id} is made of two different contents of {}", key.0)));
            }
            open.extend(record.inputs.iter().map(|b| (b.id.task, b.attempt)));
        }
        Ok(())
    }

    /// A job ended with an error: something injected must explain it.
    pub(crate) fn justifies(&self, id: JobId, job: &SimJob, error: &JobError) -> Result<(), SimTrouble> {
        let justified = match error {
            JobError::Task { task, attempts, failure } => match failure {
                TaskFailure::Cancelled | TaskFailure::MissingBlock(_) | TaskFailure::CorruptBlock(_) => false,
                _ => self.failures.get(task).copied().unwrap_or(0) >= *attempts,
            },
            // Each death was of another incarnation, and after the job had begun.
            JobError::Killer { task, deaths } => {
                task.job == id && self.deaths.saturating_sub(job.deaths_before) >= *deaths
            }
            JobError::ChecksumChanged(_) => self.fickle.iter().any(|t| t.job == id),
            JobError::Unstable { fragment, times } => {
                self.fetch_failures.get(&(id, *fragment)).copied().unwrap_or(0) >= *times
            }
            JobError::NoNodes => self.all_nodes_were_down,
            JobError::OwnerDied { node, .. } => self.lost_nodes.contains(node),
            JobError::Infeasible { fragment, .. } => {
                job.fragment(*fragment).is_some_and(|f| f.options != TaskOptions::default())
            }
            JobError::InvalidGraph(_) => false,
            JobError::Cancelled => job.cancelled,
        };
        if justified { Ok(()) } else { Err(SimTrouble::Error(format!("{id}: {error}"))) }
    }
}
