//! A graph flattened: every task, block and edge has a number, so that state lies in vectors.
//!
//! Numbers follow the graph's order: task `p` of fragment `f` is `first_task(f) + p`, and its output `o` is block
//! `first_block(f) + p * outputs + o`.

use crate::keyed::Map;
use crate::message::Part;
use bench_model::{BlockId, Fragment, FragmentId, Graph, JobError, JobId, Read, TaskId};
use std::ops::Range;
use std::sync::Arc;

/// How the tasks at the two ends of an edge depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A reader waits for all producer tasks: it reads some output of each, or it is not worth telling apart.
    Whole,
    /// Task `p` waits for task `p`.
    Same,
    /// Task `p` waits for tasks `p - r ..= p + r`.
    Window(u32),
    /// Task `p` waits for tasks `p * n .. (p + 1) * n`.
    Merge(u32),
    /// Task `p` waits for task `p` to have run once: calls of one actor keep their order. Nothing is read.
    Order,
}

/// An edge between two fragments, by position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) producer: u32,
    pub(crate) consumer: u32,
    /// Which input of the consumer.
    input: u32,
    pub(crate) kind: Kind,
}

/// A graph by numbers.
pub(crate) struct Layout {
    pub(crate) job: JobId,
    graph: Arc<Graph>,
    first_task: Vec<u32>,
    first_block: Vec<u32>,
    first_edge: Vec<u32>,
    edges: Vec<Edge>,
    first_out: Vec<u32>,
    out: Vec<u32>,
    /// The position of the answer's fragment.
    pub(crate) result: u32,
}

impl Layout {
    /// Numbers a graph.
    ///
    /// # Errors
    /// The graph is inconsistent, or too large to number.
    pub(crate) fn new(job: JobId, graph: &Arc<Graph>) -> Result<Self, JobError> {
        let invalid = JobError::InvalidGraph;
        graph.validate().map_err(|e| invalid(e.to_string()))?;
        let outputs = |f: &Fragment| u64::from(f.tasks) * u64::from(f.outputs);
        if graph.fragments.iter().map(outputs).sum::<u64>() >= u64::from(u32::MAX) {
            return Err(invalid("it has more than four billion blocks; use fewer partitions".to_owned()));
        }
        let positions: Map<FragmentId, u32> = graph.fragments.iter().zip(0..).map(|(f, at)| (f.id, at)).collect();
        let at = |id: FragmentId| positions.get(&id).copied().unwrap_or(0);
        let result = at(graph.result);
        let mut layout = Self {
            job,
            graph: Arc::clone(graph),
            first_task: vec![0],
            first_block: vec![0],
            first_edge: vec![0],
            edges: Vec::new(),
            first_out: Vec::new(),
            out: Vec::new(),
            result,
        };
        let mut calls: Map<u32, u32> = Map::default();
        let (mut tasks, mut blocks) = (0, 0);
        for (fragment, position) in graph.fragments.iter().zip(0..) {
            tasks += fragment.tasks;
            blocks += fragment.tasks * fragment.outputs;
            layout.first_task.push(tasks);
            layout.first_block.push(blocks);
            layout.add_edges(fragment, position, at, &mut calls);
        }
        layout.list_outgoing();
        Ok(layout)
    }

    fn add_edges(
        &mut self,
        fragment: &Fragment,
        consumer: u32,
        at: impl Fn(FragmentId) -> u32,
        calls: &mut Map<u32, u32>,
    ) {
        for (input, number) in fragment.inputs.iter().zip(0..) {
            let kind = match input.read {
                Read::Aligned | Read::All | Read::Slices(_) => Kind::Whole,
                Read::Forward => Kind::Same,
                Read::Window { radius } => Kind::Window(radius),
                Read::Merge { fan_in } => Kind::Merge(fan_in),
            };
            self.edges.push(Edge { producer: at(input.from), consumer, input: number, kind });
        }
        if let Some(before) = fragment.options.actor.and_then(|actor| calls.insert(actor, consumer)) {
            self.edges.push(Edge { producer: before, consumer, input: u32::MAX, kind: Kind::Order });
        }
        self.first_edge.push(self.edges.len() as u32);
    }

    fn list_outgoing(&mut self) {
        let fragments = self.graph.fragments.len();
        let mut first = vec![0u32; fragments + 1];
        for edge in &self.edges {
            first[edge.producer as usize + 1] += 1;
        }
        for i in 0..fragments {
            first[i + 1] += first[i];
        }
        let mut next = first.clone();
        let mut out = vec![0; self.edges.len()];
        for (number, edge) in self.edges.iter().enumerate() {
            let place = &mut next[edge.producer as usize];
            out[*place as usize] = number as u32;
            *place += 1;
        }
        self.first_out = first;
        self.out = out;
    }

    pub(crate) fn fragments(&self) -> u32 {
        self.graph.fragments.len() as u32
    }

    pub(crate) fn fragment(&self, position: u32) -> &Fragment {
        &self.graph.fragments[position as usize]
    }

    pub(crate) fn edge_count(&self) -> usize {
        self.edges.len()
    }

    pub(crate) fn task_count(&self) -> u32 {
        self.first_task[self.graph.fragments.len()]
    }

    pub(crate) fn block_count(&self) -> u32 {
        self.first_block[self.graph.fragments.len()]
    }

    /// The tasks of a fragment.
    pub(crate) fn tasks(&self, fragment: u32) -> Range<u32> {
        self.first_task[fragment as usize]..self.first_task[fragment as usize + 1]
    }

    /// Which task a number stands for.
    pub(crate) fn part(&self, task: u32) -> Part {
        let fragment = match self.first_task.binary_search(&task) {
            Ok(at) => at,
            Err(at) => at - 1,
        };
        Part { fragment: fragment as u32, partition: task - self.first_task[fragment] }
    }

    /// The number of a task that another machine named; nothing if there is no such task.
    pub(crate) fn number(&self, part: Part) -> Option<u32> {
        let tasks = self.graph.fragments.get(part.fragment as usize)?.tasks;
        (part.partition < tasks).then(|| self.first_task[part.fragment as usize] + part.partition)
    }

    /// The id of a task.
    pub(crate) fn id(&self, part: Part) -> TaskId {
        TaskId { job: self.job, fragment: self.fragment(part.fragment).id, partition: part.partition }
    }

    /// The id of a block.
    pub(crate) fn block_id(&self, part: Part, output: u32) -> BlockId {
        BlockId { task: self.id(part), output }
    }

    /// The blocks that a task writes.
    pub(crate) fn blocks(&self, part: Part) -> Range<u32> {
        let outputs = self.fragment(part.fragment).outputs;
        let first = self.first_block[part.fragment as usize] + part.partition * outputs;
        first..first + outputs
    }

    pub(crate) fn edge(&self, number: u32) -> Edge {
        self.edges[number as usize]
    }

    /// The edges into a fragment: one for each input, in order, and perhaps one that only orders.
    pub(crate) fn edges_in(&self, fragment: u32) -> Range<u32> {
        self.first_edge[fragment as usize]..self.first_edge[fragment as usize + 1]
    }

    /// The edges out of a fragment.
    pub(crate) fn edges_out(&self, fragment: u32) -> impl Iterator<Item = u32> + '_ {
        let range = self.first_out[fragment as usize] as usize..self.first_out[fragment as usize + 1] as usize;
        self.out[range].iter().copied()
    }

    /// The fragment of the next calls of an actor after those of a fragment.
    pub(crate) fn next_call(&self, fragment: u32) -> Option<u32> {
        let mut out = self.edges_out(fragment).map(|number| self.edge(number));
        out.find(|edge| edge.kind == Kind::Order).map(|edge| edge.consumer)
    }

    /// How the consumer reads through an edge; nothing if the edge only orders.
    pub(crate) fn read(&self, edge: Edge) -> Option<&Read> {
        self.fragment(edge.consumer).inputs.get(edge.input as usize).map(|i| &i.read)
    }

    /// The consumer's partitions that wait for a producer's partition. Of an edge that is not [`Kind::Whole`].
    pub(crate) fn waiters(&self, edge: Edge, producer: u32) -> Range<u32> {
        let tasks = self.fragment(edge.consumer).tasks;
        let range = match edge.kind {
            Kind::Whole => 0..tasks,
            Kind::Same | Kind::Order => producer..producer + 1,
            Kind::Window(radius) => producer.saturating_sub(radius)..producer.saturating_add(radius).saturating_add(1),
            Kind::Merge(fan_in) => producer / fan_in..producer / fan_in + 1,
        };
        range.start.min(tasks)..range.end.min(tasks)
    }

    /// The producer's partitions that a consumer's partition waits for.
    pub(crate) fn waits_for(&self, edge: Edge, consumer: u32) -> Range<u32> {
        let tasks = self.fragment(edge.producer).tasks;
        let range = match edge.kind {
            Kind::Whole => 0..tasks,
            Kind::Same | Kind::Order => consumer..consumer + 1,
            Kind::Window(radius) => consumer.saturating_sub(radius)..consumer.saturating_add(radius).saturating_add(1),
            Kind::Merge(fan_in) => {
                consumer.saturating_mul(fan_in)..consumer.saturating_mul(fan_in).saturating_add(fan_in)
            }
        };
        range.start.min(tasks)..range.end.min(tasks)
    }

    /// Calls `visit` with producer partition and output of each block that a consumer's partition reads, in the order
    /// of [`Fragment::reads`].
    pub(crate) fn each_read(&self, edge: Edge, consumer: u32, mut visit: impl FnMut(u32, u32)) {
        let Some(read) = self.read(edge) else { return };
        let producer = self.fragment(edge.producer);
        match read {
            Read::Aligned => (0..producer.tasks).for_each(|p| visit(p, consumer)),
            Read::All | Read::Forward => {
                let parts = if *read == Read::All { 0..producer.tasks } else { consumer..consumer + 1 };
                parts.for_each(|p| (0..producer.outputs).for_each(|o| visit(p, o)));
            }
            Read::Window { .. } | Read::Merge { .. } => self.waits_for(edge, consumer).for_each(|p| visit(p, 0)),
            Read::Slices(tasks) => {
                for slice in tasks.get(consumer as usize).into_iter().flatten() {
                    slice.tasks.clone().for_each(|p| slice.outputs.clone().for_each(|o| visit(p, o)));
                }
            }
        }
    }

    /// How often a block is read through an edge, over all consumer tasks.
    pub(crate) fn readers(&self, edge: Edge, producer: u32, output: u32) -> u32 {
        let Some(read) = self.read(edge) else { return 0 };
        let tasks = self.fragment(edge.consumer).tasks;
        match read {
            Read::Aligned => u32::from(output < tasks),
            Read::All => tasks,
            Read::Forward => u32::from(producer < tasks),
            Read::Window { .. } | Read::Merge { .. } if output > 0 => 0,
            Read::Window { .. } | Read::Merge { .. } => self.waiters(edge, producer).len() as u32,
            Read::Slices(tasks) => {
                let reads = |s: &&bench_model::Slice| s.tasks.contains(&producer) && s.outputs.contains(&output);
                tasks.iter().flatten().filter(reads).count() as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_sim::{Rng, random_graph};

    #[test]
    fn numbers_agree_with_the_graph_for_every_shape() {
        for seed in 0..500 {
            let graph = Arc::new(random_graph(&mut Rng::new(seed), 40));
            let layout = Layout::new(JobId(3), &graph).unwrap();
            assert_eq!(u64::from(layout.task_count()), graph.tasks());
            for task in 0..layout.task_count() {
                let part = layout.part(task);
                assert_eq!(layout.number(part), Some(task));
                let reader = layout.fragment(part.fragment);
                for (input, number) in reader.inputs.iter().zip(layout.edges_in(part.fragment)) {
                    let edge = layout.edge(number);
                    let producer = layout.fragment(edge.producer);
                    let mut mine = Vec::new();
                    layout.each_read(edge, part.partition, |p, output| {
                        mine.push(layout.block_id(Part { fragment: edge.producer, partition: p }, output));
                        assert!(layout.waits_for(edge, part.partition).contains(&p));
                        assert!(layout.waiters(edge, p).contains(&part.partition));
                    });
                    let given: Vec<_> = reader.reads(JobId(3), input, producer, part.partition).collect();
                    assert_eq!(mine, given);
                }
            }
        }
    }

    #[test]
    fn readers_are_counted_as_they_read() {
        for seed in 0..500 {
            let graph = Arc::new(random_graph(&mut Rng::new(seed), 40));
            let layout = Layout::new(JobId(0), &graph).unwrap();
            for number in 0..layout.edge_count() as u32 {
                let edge = layout.edge(number);
                let mut counted: Map<(u32, u32), u32> = Map::default();
                for consumer in 0..layout.fragment(edge.consumer).tasks {
                    layout.each_read(edge, consumer, |p, o| *counted.entry((p, o)).or_default() += 1);
                }
                let producer = layout.fragment(edge.producer);
                for (p, o) in (0..producer.tasks).flat_map(|p| (0..producer.outputs).map(move |o| (p, o))) {
                    assert_eq!(layout.readers(edge, p, o), counted.get(&(p, o)).copied().unwrap_or(0));
                }
            }
        }
    }

    #[test]
    fn calls_of_one_actor_are_ordered_even_if_they_read_nothing_of_each_other() {
        let mut graph = random_graph(&mut Rng::new(1), 4);
        let mut second = graph.fragments[0].clone();
        (second.id, second.inputs) = (FragmentId(1_000), vec![]);
        graph.fragments.push(second);
        graph.fragments.iter_mut().for_each(|f| f.options.actor = Some(1));
        let layout = Layout::new(JobId(0), &Arc::new(graph)).unwrap();
        let last = layout.edges_in(layout.fragments() - 1).last().unwrap();
        assert_eq!(layout.edge(last).kind, Kind::Order);
    }
}
