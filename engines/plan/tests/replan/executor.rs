//! Runs a cut job fragment by fragment on one thread, replanning after each, in any order the graph allows.

use bench_model::{
    Batches, BlockId, BlockMeta, Bytes, Checksum, Fragment, FragmentId, Graph, JobId, Rows, StageStats, TaskId,
    checksum_of,
};
use bench_plan::replan::{self, AdaptiveSettings};
use bench_plan::{JobPlan, Partitioner, PlanKey, PlanStore, specialize, task_config};
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Bytes that a row of a test block counts as, so that thresholds can be set in rows.
pub(crate) const ROW_BYTES: u64 = 10;

pub(crate) struct Run {
    pub(crate) rows: Vec<RecordBatch>,
    pub(crate) notes: Vec<String>,
    pub(crate) plan: JobPlan,
    pub(crate) stats: BTreeMap<FragmentId, StageStats>,
}

pub(crate) struct Executor<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) session: &'a SessionContext,
    pub(crate) settings: AdaptiveSettings,
    /// Picks among the fragments that could run next.
    pub(crate) seed: u64,
}

impl Executor<'_> {
    /// Cuts a plan, runs its fragments and returns the answer.
    pub(crate) fn run(&self, whole: &Arc<dyn ExecutionPlan>) -> Run {
        let store = PlanStore::default();
        let mut plan = bench_plan::cut(JobId(1), whole).unwrap();
        let mut notes = replan::prepare(&mut plan, &self.settings);
        let mut blocks = BTreeMap::new();
        let mut stats = BTreeMap::new();
        let mut seed = self.seed;
        let mut fixed = BTreeSet::new();
        loop {
            let graph = plan.graph().unwrap();
            store.publish(&plan, &task_config(&self.session.copied_config()), &self.session.runtime_env()).unwrap();
            let Some(next) = pick(&graph, &fixed, &mut seed) else { break };
            fixed.insert(next.id);
            stats.insert(next.id, self.run_fragment(&store, &graph, next, &mut blocks));
            let before = plan.clone();
            let said = replan::replan(&mut plan, &stats, next.id, &fixed, &self.settings);
            check_change(&before, &plan, &fixed, !said.is_empty());
            notes.extend(said);
        }
        let result = &plan.fragments[&plan.result];
        let answer = (0..result.tasks).flat_map(|p| blocks[&(result.id, p, 0)].clone()).collect();
        Run { rows: answer, notes, plan, stats }
    }

    fn run_fragment(
        &self,
        store: &PlanStore,
        graph: &Graph,
        fragment: &Fragment,
        blocks: &mut BTreeMap<(FragmentId, u32, u32), Vec<RecordBatch>>,
    ) -> StageStats {
        let mut stats = vec![];
        for partition in 0..fragment.tasks {
            let outputs = self.run_task(store, graph, fragment, partition, blocks);
            stats.push(outputs.iter().map(|batches| meta(batches)).collect());
            for (output, batches) in (0..).zip(outputs) {
                blocks.insert((fragment.id, partition, output), batches);
            }
        }
        StageStats { fragment: fragment.id, blocks: stats }
    }

    fn run_task(
        &self,
        store: &PlanStore,
        graph: &Graph,
        fragment: &Fragment,
        partition: u32,
        blocks: &BTreeMap<(FragmentId, u32, u32), Vec<RecordBatch>>,
    ) -> Vec<Vec<RecordBatch>> {
        let stored = store.get(&PlanKey::decode(&fragment.call.args).unwrap()).unwrap();
        let mut read = |input: usize| {
            let input = &fragment.inputs[input];
            let producer = graph.fragment(input.from).unwrap();
            let ids: Vec<BlockId> = fragment.reads(JobId(1), input, producer, partition).collect();
            let of = |id: &BlockId| blocks[&(id.task.fragment, id.task.partition, id.output)].clone();
            let batches: Vec<RecordBatch> = ids.iter().flat_map(of).collect();
            Ok(Box::new(batches.into_iter().map(Ok)) as Batches)
        };
        let plan = specialize(&stored, partition, &Arc::default(), &mut read).unwrap();
        let mut partitioner = Partitioner::new(&stored.fragment.cut, &stored.schema, 64, Bytes::new(u64::MAX)).unwrap();
        let mut outputs = vec![vec![]; fragment.outputs as usize];
        self.runtime.block_on(async {
            let context = TaskContext::default().with_session_config(stored.config.clone());
            let mut rows = plan.execute(0, Arc::new(context)).unwrap();
            while let Some(batch) = rows.next().await {
                let batch = batch
                    .unwrap_or_else(|e| panic!("{}: {e}", TaskId { job: JobId(1), fragment: fragment.id, partition }));
                partitioner.push(batch).unwrap().for_each(|(output, batch)| outputs[output as usize].push(batch));
            }
        });
        partitioner.flush().unwrap().for_each(|(output, batch)| outputs[output as usize].push(batch));
        outputs
    }
}

/// A fragment that has not run and whose producers, and whoever it should wait for, have; the result ends the job.
fn pick<'a>(graph: &'a Graph, done: &BTreeSet<FragmentId>, seed: &mut u64) -> Option<&'a Fragment> {
    if done.contains(&graph.result) {
        return None;
    }
    let awaited = |f: &&Fragment| f.waits_for.iter().all(|w| done.contains(w));
    let readable = |f: &&Fragment| !done.contains(&f.id) && f.inputs.iter().all(|i| done.contains(&i.from));
    let ready: Vec<&Fragment> = graph.fragments.iter().filter(readable).filter(awaited).collect();
    assert!(!ready.is_empty(), "every fragment waits for another: {graph:?}");
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    ready.get((*seed >> 33) as usize % ready.len()).copied()
}

/// What every change must keep: a graph that validates, fragments that have started, and a note exactly if one was
/// made.
fn check_change(before: &JobPlan, after: &JobPlan, fixed: &BTreeSet<FragmentId>, noted: bool) {
    let (old, new) = (before.graph().unwrap(), after.graph().unwrap());
    assert_eq!(after.revision, before.revision + u32::from(noted));
    let changed = format!("{:?}", before.fragments) != format!("{:?}", after.fragments);
    assert_eq!(changed, noted, "a change and its note go together");
    for id in fixed {
        let shape = |g: &Graph| g.fragment(*id).map(|f| (f.tasks, f.outputs, f.exchange, f.inputs.clone()));
        assert_eq!(shape(&old), shape(&new), "{id} has started and must stay as it is");
    }
}

fn meta(batches: &[RecordBatch]) -> BlockMeta {
    let rows = batches.iter().map(|b| b.num_rows() as u64).sum();
    let checksum = batches.iter().map(checksum_of).fold(Checksum::default(), Checksum::merge);
    BlockMeta { rows: Rows::new(rows), bytes: Bytes::new(rows * ROW_BYTES), checksum }
}
