//! A job's plan after cutting: fragments of physical plan, and the exchanges between them.

use crate::block_scan::{BlockScanExec, block_scans};
use crate::error::PlanError;
use crate::store::PlanKey;
use bench_model::{Call, Exchange, Fragment, FragmentId, Graph, Input, JobId, KernelId, Read, Slice, TaskOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// The kernel that runs a task of a plan fragment.
pub const PLAN_KERNEL: KernelId = KernelId::new("plan/1");

/// What happens to the rows that a fragment's tasks produce.
#[derive(Clone, Debug)]
pub enum Cut {
    /// Rows with equal keys meet in the same output block.
    Hash {
        /// Over the columns of the fragment's own output.
        keys: Vec<Arc<dyn PhysicalExpr>>,
        /// How many output blocks each task writes.
        outputs: u32,
    },
    /// One block a task, all read by one consumer task; sorted if the plan is.
    Gather,
    /// One block a task, all read by every consumer task.
    Broadcast,
    /// One block a task: a part of the answer, in task order.
    Collect,
}

impl Cut {
    /// How many output blocks each task writes.
    #[must_use]
    pub fn outputs(&self) -> u32 {
        match self {
            Self::Hash { outputs, .. } => *outputs,
            Self::Gather | Self::Broadcast | Self::Collect => 1,
        }
    }

    /// The exchange in the nouns of the model.
    #[must_use]
    pub fn exchange(&self) -> Exchange {
        match self {
            Self::Hash { .. } => Exchange::Hash,
            Self::Gather => Exchange::Gather,
            Self::Broadcast => Exchange::Broadcast,
            Self::Collect => Exchange::Collect,
        }
    }
}

/// A piece of physical plan without an exchange inside.
///
/// Invariant: `plan` has as many output partitions as the fragment has `tasks` when it was cut; adaptive replanning may
/// change `tasks` and the reads of `inputs`, because a task reads what its inputs say and not what the plan's leaves
/// declare. Each of its [`BlockScanExec`] leaves names an entry of `inputs`.
#[derive(Clone, Debug)]
pub struct FragmentPlan {
    /// Its id, stable across replanning.
    pub id: FragmentId,
    /// What each task runs, with data sources and [`BlockScanExec`]s as leaves.
    pub plan: Arc<dyn ExecutionPlan>,
    /// What happens to its rows.
    pub cut: Cut,
    /// How many tasks.
    pub tasks: u32,
    /// What each task reads; [`BlockScanExec::input`] is an index into this.
    ///
    /// An input whose scan merges sorted runs says [`Read::All`] here and becomes one input of the graph per producer
    /// task, so that the runs stay apart.
    pub inputs: Vec<Input>,
    /// Fragments that should finish first because their sizes may change this one.
    pub waits_for: Vec<FragmentId>,
}

impl FragmentPlan {
    /// Whether its tasks do what those of `other` do.
    fn is(&self, other: &Self) -> bool {
        let cut = |f: &Self| format!("{:?}", f.cut);
        Arc::ptr_eq(&self.plan, &other.plan)
            && (self.tasks, &self.inputs) == (other.tasks, &other.inputs)
            && cut(self) == cut(other)
    }

    /// The fragment's block-scan leaves, left to right.
    #[must_use]
    pub fn scans(&self) -> Vec<Arc<dyn ExecutionPlan>> {
        block_scans(&self.plan)
    }

    /// Whether input number `input` is read as separate sorted runs.
    #[must_use]
    pub fn reads_runs(&self, input: usize) -> bool {
        self.scans()
            .iter()
            .filter_map(|s| s.downcast_ref::<BlockScanExec>())
            .any(|s| s.input() == input && s.merges_runs())
    }
}

/// A planned job: what the styles' graph is made from, and what adaptive replanning rewrites.
#[derive(Clone, Debug)]
pub struct JobPlan {
    /// Which job.
    pub job: JobId,
    /// Its fragments. Ids ascend in topological order when the job is cut; replanning may add fragments out of order.
    pub fragments: BTreeMap<FragmentId, FragmentPlan>,
    /// The fragment whose blocks are the answer.
    pub result: FragmentId,
    /// The answer's columns.
    pub schema: SchemaRef,
    /// How often it has been replanned. Tasks started before a change keep the plan they were started with.
    pub revision: u32,
    /// In which revision a fragment was changed last; in the first, if it is not here. What stays as it is keeps its key, and
    /// is not sent to nodes again.
    pub changed: BTreeMap<FragmentId, u32>,
}

impl JobPlan {
    /// The fragments that the result depends on, producers first, build sides before probe sides.
    ///
    /// # Errors
    /// A fragment reads itself or one that is not there.
    pub fn order(&self) -> Result<Vec<FragmentId>, PlanError> {
        let mut done = BTreeSet::new();
        let mut open = BTreeSet::new();
        let mut order = Vec::with_capacity(self.fragments.len());
        self.visit(self.result, &mut open, &mut done, &mut order)?;
        Ok(order)
    }

    fn visit(
        &self,
        id: FragmentId,
        open: &mut BTreeSet<FragmentId>,
        done: &mut BTreeSet<FragmentId>,
        order: &mut Vec<FragmentId>,
    ) -> Result<(), PlanError> {
        if done.contains(&id) {
            return Ok(());
        }
        let fragment = self.fragments.get(&id).ok_or(PlanError::MissingFragment(id))?;
        if !open.insert(id) {
            return Err(PlanError::Cycle(id));
        }
        for input in &fragment.inputs {
            self.visit(input.from, open, done, order)?;
        }
        open.remove(&id);
        done.insert(id);
        order.push(id);
        Ok(())
    }

    /// Where in the graph's inputs each of a fragment's own inputs lies: several in a row for sorted runs.
    ///
    /// # Errors
    /// The fragment reads one that is not there.
    pub fn input_ranges(&self, fragment: &FragmentPlan) -> Result<Vec<Range<usize>>, PlanError> {
        let mut next = 0;
        let range = |(i, input): (usize, &Input)| {
            let producer = self.fragments.get(&input.from).ok_or(PlanError::MissingFragment(input.from))?;
            let width = if fragment.reads_runs(i) { producer.tasks as usize } else { 1 };
            let range = next..next + width;
            next += width;
            Ok(range)
        };
        fragment.inputs.iter().enumerate().map(range).collect()
    }

    /// Names the present plan of a fragment.
    #[must_use]
    pub fn key(&self, id: FragmentId) -> PlanKey {
        PlanKey { job: self.job, fragment: id, revision: self.changed.get(&id).copied().unwrap_or(0) }
    }

    /// Makes this the revision after `before`, and notes which fragments differ from it.
    pub(crate) fn revised(&mut self, before: &Self) {
        self.revision = before.revision + 1;
        let same =
            |f: &FragmentPlan| before.fragments.get(&f.id).is_some_and(|b| before.reads(b) == self.reads(f) && f.is(b));
        let differs: Vec<_> = self.fragments.values().filter(|f| !same(f)).map(|f| f.id).collect();
        self.changed.extend(differs.into_iter().map(|id| (id, self.revision)));
    }

    /// Where a fragment's blocks are among its kernel's inputs; none if it does not fit into the job.
    fn reads(&self, fragment: &FragmentPlan) -> Option<Vec<Range<usize>>> {
        self.input_ranges(fragment).ok()
    }

    /// The job as the styles see it, checked.
    ///
    /// # Errors
    /// The fragments do not fit together.
    pub fn graph(&self) -> Result<Graph, PlanError> {
        let fragments = self.order()?.into_iter().map(|id| self.fragment(id)).collect::<Result<Vec<_>, _>>()?;
        let graph = Graph { fragments, result: self.result };
        graph.validate()?;
        Ok(graph)
    }

    fn fragment(&self, id: FragmentId) -> Result<Fragment, PlanError> {
        let plan = self.fragments.get(&id).ok_or(PlanError::MissingFragment(id))?;
        Ok(Fragment {
            id,
            call: Call { kernel: PLAN_KERNEL, args: self.key(id).encode() },
            inputs: self.graph_inputs(plan)?,
            tasks: plan.tasks,
            exchange: plan.cut.exchange(),
            outputs: plan.cut.outputs(),
            waits_for: plan.waits_for.iter().copied().filter(|w| self.fragments.contains_key(w)).collect(),
            options: TaskOptions::default(),
        })
    }

    fn graph_inputs(&self, plan: &FragmentPlan) -> Result<Vec<Input>, PlanError> {
        let ranges = self.input_ranges(plan)?;
        let mut inputs = Vec::with_capacity(plan.inputs.len());
        for (i, (input, range)) in plan.inputs.iter().zip(ranges).enumerate() {
            if plan.reads_runs(i) {
                inputs.extend((0..range.len() as u32).map(|task| one_task(input.from, task, plan.tasks)));
            } else {
                inputs.push(input.clone());
            }
        }
        Ok(inputs)
    }
}

/// Every task of the reader reads the one block of producer task `task`.
fn one_task(from: FragmentId, task: u32, readers: u32) -> Input {
    let slice = Slice { outputs: 0..1, tasks: task..task + 1 };
    Input { from, read: Read::Slices(vec![vec![slice]; readers as usize]) }
}
