//! Zero-work task graphs: what a runtime costs per task when the tasks do nothing.
//!
//! Every task calls `noop/1`. The answer is one row, `tasks: UInt64`, the number of tasks that ran, each counted once:
//! known by construction.

use crate::definition::DefinitionError;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use bench_model::{Call, Exchange, Fragment, FragmentId, Graph, Input, KernelId, Read};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The kernel of every task, and the column of the answer.
const KERNEL: KernelId = KernelId::new("noop/1");
const COLUMN: &str = "tasks";
/// Columns of a stencil.
const STENCIL_WIDTH: u32 = 100;
/// Objects that are called.
const ACTORS: u32 = 100;
/// Larger graphs measure the memory of the driver, not its speed.
const TASKS_MAX: u32 = 10_000_000;

/// How the tasks depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphShape {
    /// Each task reads the one before it: nothing can run at the same time.
    Chain,
    /// One task, read by all others, which one last task gathers.
    Fanout,
    /// Pairs are combined until one is left.
    Tree,
    /// Steps of 100 tasks, each reading its neighbors in the step before.
    Stencil,
    /// Method calls on 100 stateful objects, each object's in order: 100 chains to a style without actors.
    Calls,
}

impl GraphShape {
    /// A graph of about `tasks` tasks; exactly as many for a chain and a fan-out.
    ///
    /// # Errors
    /// A count that is too small for the shape or absurdly large.
    pub fn graph(self, file: &str, tasks: u32) -> Result<Graph, DefinitionError> {
        if !(3..=TASKS_MAX).contains(&tasks) {
            let message = format!("a graph of {tasks} tasks is out of range; it takes between 3 and {TASKS_MAX}");
            return Err(DefinitionError::invalid(file, message));
        }
        let mut fragments = match self {
            Self::Chain => chain(tasks),
            Self::Fanout => fanout(tasks),
            Self::Tree => tree(tasks),
            Self::Stencil => stencil(tasks),
            Self::Calls => calls(tasks),
        };
        if let Some(last) = fragments.last_mut() {
            last.exchange = Exchange::Collect;
        }
        let result = FragmentId(fragments.len().saturating_sub(1) as u32);
        let graph = Graph { fragments, result };
        let named = |source| DefinitionError::Graph { file: file.to_owned(), workload: format!("{self:?}"), source };
        graph.validate().map_err(named)?;
        Ok(graph)
    }
}

fn fragment(id: u32, tasks: u32, exchange: Exchange, read: Option<Read>) -> Fragment {
    let call = Call { kernel: KERNEL, args: Default::default() };
    let inputs = read.map(|read| Input { from: FragmentId(id.saturating_sub(1)), read }).into_iter().collect();
    Fragment {
        id: FragmentId(id),
        call,
        inputs,
        tasks,
        exchange,
        outputs: 1,
        waits_for: Vec::new(),
        options: Default::default(),
    }
}

fn chain(tasks: u32) -> Vec<Fragment> {
    (0..tasks).map(|id| fragment(id, 1, Exchange::Gather, (id > 0).then_some(Read::All))).collect()
}

fn fanout(tasks: u32) -> Vec<Fragment> {
    vec![
        fragment(0, 1, Exchange::Broadcast, None),
        fragment(1, tasks - 2, Exchange::Gather, Some(Read::All)),
        fragment(2, 1, Exchange::Gather, Some(Read::All)),
    ]
}

fn tree(tasks: u32) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    // A full tree has one inner task fewer than leaves; uneven levels add a few.
    let mut width = tasks / 2 + 1;
    loop {
        let id = fragments.len() as u32;
        fragments.push(fragment(id, width, Exchange::Gather, (id > 0).then_some(Read::Merge { fan_in: 2 })));
        if width == 1 {
            return fragments;
        }
        width = width.div_ceil(2);
    }
}

fn stencil(tasks: u32) -> Vec<Fragment> {
    let width = STENCIL_WIDTH.min(tasks - 1);
    let steps = (tasks - 1).div_ceil(width);
    let step = |id| fragment(id, width, Exchange::Forward, (id > 0).then_some(Read::Window { radius: 1 }));
    (0..steps).map(step).chain([fragment(steps, 1, Exchange::Gather, Some(Read::All))]).collect()
}

fn calls(tasks: u32) -> Vec<Fragment> {
    let actors = ACTORS.min(tasks - 1);
    let rounds = (tasks - 1).div_ceil(actors);
    let round = |id| {
        let mut round = fragment(id, actors, Exchange::Forward, (id > 0).then_some(Read::Forward));
        round.options.actor = Some(0);
        round
    };
    (0..rounds).map(round).chain([fragment(rounds, 1, Exchange::Gather, Some(Read::All))]).collect()
}

/// The answer of a graph: how many tasks ran.
///
/// # Errors
/// The column does not fit the batch, which cannot happen.
pub(crate) fn answer(graph: &Graph) -> Result<RecordBatch, arrow::error::ArrowError> {
    RecordBatch::try_from_iter([(COLUMN, Arc::new(UInt64Array::from(vec![graph.tasks()])) as ArrayRef)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;

    const SHAPES: [GraphShape; 5] =
        [GraphShape::Chain, GraphShape::Fanout, GraphShape::Tree, GraphShape::Stencil, GraphShape::Calls];

    #[test]
    fn every_shape_has_about_as_many_tasks_as_asked_for() {
        for shape in SHAPES {
            for tasks in [3, 4, 99, 2_000, 100_000] {
                let made = shape.graph("f", tasks).unwrap().tasks();
                let most = u64::from(tasks) + u64::from(STENCIL_WIDTH);
                assert!((u64::from(tasks)..=most).contains(&made), "{shape:?}: {made} of {tasks}");
            }
        }
    }

    #[test]
    fn the_answer_is_the_number_of_tasks() {
        for shape in SHAPES {
            let graph = shape.graph("f", 2_000).unwrap();
            let answer = answer(&graph).unwrap();
            assert_eq!(answer.column(0).as_primitive::<UInt64Type>().values().as_ref(), [graph.tasks()]);
        }
    }

    #[test]
    fn no_task_of_a_chain_can_be_joined_with_its_neighbor() {
        let graph = GraphShape::Chain.graph("f", 100).unwrap();
        let joints = graph.fragments.iter().flat_map(|f| &f.inputs);
        assert!(joints.clone().all(|input| input.read == Read::All));
        assert_eq!(joints.count(), 99);
    }

    #[test]
    fn absurd_counts_are_refused() {
        assert!(GraphShape::Chain.graph("f", 2).is_err());
        assert!(GraphShape::Chain.graph("f", u32::MAX).is_err());
    }
}
