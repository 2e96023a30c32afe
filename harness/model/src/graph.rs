//! Fragments and the exchanges between them: the one input that every style lowers to its own schedule.

use crate::ids::{BlockId, FragmentId, JobId, TaskId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Names a kernel of the [`crate::Registry`], version included: `plan/1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KernelId(pub std::borrow::Cow<'static, str>);

impl KernelId {
    /// A kernel known at compile time.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }
}

/// A kernel and its arguments. Large arguments (plans, models) travel as blocks; this carries their address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What to run.
    pub kernel: KernelId,
    /// The kernel's own encoding of its arguments.
    pub args: Bytes,
}

/// How a task's rows are cut into its output blocks. The kernel does the cutting, so it is the same in every style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exchange {
    /// By hash of keys, into `outputs` blocks.
    Hash,
    /// By range of keys, into `outputs` blocks.
    Range,
    /// One block, read whole by every consumer task.
    Broadcast,
    /// One block, all of them read by a single consumer task.
    Gather,
    /// One block, read by the consumer task of the same partition.
    Forward,
    /// One block, kept in memory: a part of the job's answer, in task order.
    Collect,
}

/// Which outputs of which producer tasks one consumer task reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The producer's output numbers.
    pub outputs: Range<u32>,
    /// The producer's partitions.
    pub tasks: Range<u32>,
}

/// How the tasks of a fragment read one producer fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Read {
    /// Task `p` reads output `p` of every producer task.
    Aligned,
    /// Every task reads every block.
    All,
    /// Task `p` reads the blocks of producer task `p`.
    Forward,
    /// Task `p` reads output 0 of producer tasks `p - radius ..= p + radius` (stencils).
    Window {
        /// How far a task looks to either side.
        radius: u32,
    },
    /// Task `p` reads output 0 of producer tasks `p * fan_in .. (p + 1) * fan_in` (tree reductions).
    Merge {
        /// How many producers one task combines.
        fan_in: u32,
    },
    /// Task `p` reads exactly `slices[p]`: what adaptive replanning writes for coalesced and split partitions.
    Slices(Vec<Vec<Slice>>),
}

/// An edge of the graph, seen from its consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The producer.
    pub from: FragmentId,
    /// Which of its blocks each task reads.
    pub read: Read,
}

/// A set of tasks that run the same call on different partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    /// Its id, unique in the graph.
    pub id: FragmentId,
    /// What each task runs.
    pub call: Call,
    /// What each task reads, in the order the kernel numbers its inputs.
    pub inputs: Vec<Input>,
    /// How many tasks.
    pub tasks: u32,
    /// How each task's rows are cut.
    pub exchange: Exchange,
    /// How many blocks each task writes.
    pub outputs: u32,
    /// Fragments that should finish before this one starts although it does not read them: their sizes may change its
    /// plan (a small build side saves shuffling the probe side). A hint for adaptive styles, ignored by the others.
    pub waits_for: Vec<FragmentId>,
    /// What its tasks ask of the nodes that run them.
    pub options: TaskOptions,
}

/// What a fragment's tasks ask of the nodes that run them. Styles without the mechanism ignore it: it changes where and
/// when tasks run, never what they compute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOptions {
    /// What one task holds while it runs, by name, in thousandths (`cpu`, `gpu`, or any other word); `memory` in bytes.
    /// A `cpu` that is not mentioned is one.
    pub resources: BTreeMap<String, u64>,
    /// How the tasks lie on the nodes.
    pub placement: Placement,
    /// Task `p` is a method call on actor `p` of this group: the calls of one actor run in the order of their fragments, on
    /// the node where the actor lives. Its state is the block that each call reads with [`Read::Forward`] from the call
    /// before it.
    pub actor: Option<u32>,
}

/// How a fragment's tasks lie on the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// As the style sees fit.
    #[default]
    Any,
    /// On as few nodes as possible.
    Pack,
    /// On as many nodes as possible.
    Spread,
    /// All on one node, or not at all.
    StrictPack,
    /// No two on the same node, or not at all.
    StrictSpread,
}

impl Fragment {
    /// The blocks that task `partition` of this fragment reads from `producer` through `input`.
    pub fn reads<'a>(
        &'a self,
        job: JobId,
        input: &'a Input,
        producer: &'a Fragment,
        partition: u32,
    ) -> Box<dyn Iterator<Item = BlockId> + 'a> {
        let block =
            move |p: u32, output: u32| BlockId { task: TaskId { job, fragment: producer.id, partition: p }, output };
        let outputs = producer.outputs;
        match &input.read {
            Read::Aligned => Box::new((0..producer.tasks).map(move |p| block(p, partition))),
            Read::All => Box::new((0..producer.tasks).flat_map(move |p| (0..outputs).map(move |o| block(p, o)))),
            Read::Forward => Box::new((0..outputs).map(move |o| block(partition, o))),
            Read::Window { radius } => {
                let from = partition.saturating_sub(*radius);
                let to = partition.saturating_add(*radius).saturating_add(1).min(producer.tasks);
                Box::new((from..to).map(move |p| block(p, 0)))
            }
            Read::Merge { fan_in } => {
                let from = partition.saturating_mul(*fan_in).min(producer.tasks);
                let to = from.saturating_add(*fan_in).min(producer.tasks);
                Box::new((from..to).map(move |p| block(p, 0)))
            }
            Read::Slices(tasks) => {
                Box::new(
                    tasks.get(partition as usize).into_iter().flatten().flat_map(move |s| {
                        s.tasks.clone().flat_map(move |p| s.outputs.clone().map(move |o| block(p, o)))
                    }),
                )
            }
        }
    }
}

/// A job: fragments in topological order (producers first), one of which yields the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Producers come before their consumers.
    pub fragments: Vec<Fragment>,
    /// The fragment whose blocks are the answer.
    pub result: FragmentId,
}

/// Why a graph is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two fragments share an id.
    #[error("fragment {0} appears twice")]
    Duplicate(FragmentId),
    /// An input names a fragment that does not come before its reader.
    #[error("fragment {reader} reads {producer}, which does not come before it")]
    NotBefore {
        /// Who reads.
        reader: FragmentId,
        /// What it reads.
        producer: FragmentId,
    },
    /// A fragment without tasks or outputs.
    #[error("fragment {0} has no task or no output")]
    Empty(FragmentId),
    /// Reader and producer disagree about counts.
    #[error("fragment {reader} has {tasks} tasks, which does not fit how it reads {producer}")]
    Shape {
        /// Who reads.
        reader: FragmentId,
        /// What it reads.
        producer: FragmentId,
        /// How many tasks the reader has.
        tasks: u32,
    },
    /// The result fragment is not there.
    #[error("the result fragment {0} is not in the graph")]
    NoResult(FragmentId),
}

impl Graph {
    /// The fragment of that id.
    #[must_use]
    pub fn fragment(&self, id: FragmentId) -> Option<&Fragment> {
        self.fragments.iter().find(|f| f.id == id)
    }

    /// How many tasks all fragments have together.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.fragments.iter().map(|f| u64::from(f.tasks)).sum()
    }

    /// Checks ids, order and shapes.
    ///
    /// # Errors
    /// The first inconsistency found.
    pub fn validate(&self) -> Result<(), GraphError> {
        let mut seen: BTreeMap<FragmentId, &Fragment> = BTreeMap::new();
        for f in &self.fragments {
            if f.tasks == 0 || f.outputs == 0 {
                return Err(GraphError::Empty(f.id));
            }
            for input in &f.inputs {
                let Some(producer) = seen.get(&input.from) else {
                    return Err(GraphError::NotBefore { reader: f.id, producer: input.from });
                };
                if !fits(f, &input.read, producer) {
                    return Err(GraphError::Shape { reader: f.id, producer: producer.id, tasks: f.tasks });
                }
            }
            if seen.insert(f.id, f).is_some() {
                return Err(GraphError::Duplicate(f.id));
            }
        }
        seen.contains_key(&self.result).then_some(()).ok_or(GraphError::NoResult(self.result))
    }
}

fn fits(reader: &Fragment, read: &Read, producer: &Fragment) -> bool {
    match read {
        Read::Aligned => reader.tasks <= producer.outputs,
        Read::All => true,
        Read::Forward | Read::Window { .. } => reader.tasks <= producer.tasks,
        Read::Merge { fan_in } => {
            *fan_in > 0 && u64::from(reader.tasks) * u64::from(*fan_in) >= u64::from(producer.tasks)
        }
        Read::Slices(tasks) => {
            tasks.len() == reader.tasks as usize
                && tasks.iter().flatten().all(|s| s.outputs.end <= producer.outputs && s.tasks.end <= producer.tasks)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(id: u32, tasks: u32, outputs: u32, inputs: Vec<Input>) -> Fragment {
        let call = Call { kernel: KernelId::new("noop/1"), args: Bytes::new() };
        Fragment {
            id: FragmentId(id),
            call,
            inputs,
            tasks,
            exchange: Exchange::Hash,
            outputs,
            waits_for: vec![],
            options: TaskOptions::default(),
        }
    }

    #[test]
    fn aligned_readers_see_their_output_of_every_producer() {
        let maps = fragment(0, 3, 2, vec![]);
        let reduce = fragment(1, 2, 1, vec![Input { from: FragmentId(0), read: Read::Aligned }]);
        let seen: Vec<_> =
            reduce.reads(JobId(0), &reduce.inputs[0], &maps, 1).map(|b| (b.task.partition, b.output)).collect();
        assert_eq!(seen, [(0, 1), (1, 1), (2, 1)]);
    }

    #[test]
    fn a_reader_before_its_producer_is_refused() {
        let early = fragment(0, 1, 1, vec![Input { from: FragmentId(1), read: Read::All }]);
        let graph = Graph { fragments: vec![early, fragment(1, 1, 1, vec![])], result: FragmentId(0) };
        assert_eq!(graph.validate(), Err(GraphError::NotBefore { reader: FragmentId(0), producer: FragmentId(1) }));
    }
}
