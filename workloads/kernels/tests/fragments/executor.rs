//! The smallest host there can be: one thread, blocks in memory, fragments in graph order.

use bench_kernels::registry;
use bench_model::{
    Batches, BlockId, BlockMeta, Bytes, Checksum, Fragment, FragmentId, Front, Graph, JobId, Rows, StageStats,
    StyleEnv, TaskContext, TaskFailure, TaskId, Workload, checksum_of,
};
use bench_plan::{PlanFront, PlanStore};
use datafusion::arrow::array::RecordBatch;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What goes wrong on purpose.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Faults {
    None,
    /// Each task runs twice and must give the same blocks.
    RunTwice,
    /// Every block read ends with the news that it is gone.
    LoseBlocks,
    /// Every task is told to stop.
    Cancelled,
    /// Every task is told to stop when it has read the first batch of a block.
    CancelledWhileReading,
    /// Nobody takes a task's rows.
    RefuseRows,
    /// Every plan arrives with a changed bit.
    DamagedPlans,
}

/// What a written row counts as while it waits.
pub(crate) const ROW_BYTES: u64 = 100;

pub(crate) struct Executor<'a> {
    front: &'a PlanFront,
    env: &'a StyleEnv,
    blocks: BTreeMap<BlockId, Vec<RecordBatch>>,
    /// Where the kernel looks for plans: where the front leaves them, or in another process's store.
    pub(crate) store: PlanStore,
    pub(crate) faults: Faults,
    pub(crate) spilled: u64,
    /// Batches of blocks that tasks have taken.
    pub(crate) taken: Arc<AtomicUsize>,
    /// The most that rows of one task took on their way to its blocks.
    pub(crate) waiting_max: u64,
    /// How often a task asked for them to be sent on their way.
    pub(crate) flushes: usize,
    pub(crate) notes: Vec<String>,
    /// The size of every plan that was asked for.
    pub(crate) shipped: Vec<usize>,
}

impl<'a> Executor<'a> {
    pub(crate) fn new(front: &'a PlanFront, store: &'a PlanStore, env: &'a StyleEnv) -> Self {
        let blocks = BTreeMap::new();
        let store = store.clone();
        Self {
            front,
            env,
            blocks,
            store,
            faults: Faults::None,
            spilled: 0,
            taken: Arc::default(),
            waiting_max: 0,
            flushes: 0,
            notes: vec![],
            shipped: vec![],
        }
    }

    pub(crate) fn run(&mut self, job: JobId, workload: &Workload) -> Result<Vec<RecordBatch>, TaskFailure> {
        let lowered = self.front.lower(job, workload, self.env).map_err(|e| TaskFailure::Fatal(e.to_string()))?;
        let mut graph = lowered.graph;
        let mut done = BTreeSet::new();
        while !done.contains(&graph.result) {
            let ready = |f: &&Fragment| !done.contains(&f.id) && f.inputs.iter().all(|i| done.contains(&i.from));
            let fragment = graph.fragments.iter().find(ready).unwrap().clone();
            let stats = self.run_fragment(job, &graph, &fragment)?;
            done.insert(fragment.id);
            let fixed: Vec<FragmentId> = done.iter().copied().collect();
            let planned = self.front.replan(job, &stats, &fixed);
            self.notes.extend(planned.notes);
            if let Some(changed) = planned.graph {
                changed.validate().unwrap();
                for id in &fixed {
                    if let (Some(old), Some(new)) = (graph.fragment(*id), changed.fragment(*id)) {
                        assert_eq!(
                            (old.tasks, old.outputs),
                            (new.tasks, new.outputs),
                            "{id} has run and must not change"
                        );
                    }
                }
                graph = changed;
            }
        }
        let result = graph.fragment(graph.result).unwrap();
        let block = |p| BlockId { task: TaskId { job, fragment: result.id, partition: p }, output: 0 };
        Ok((0..result.tasks).flat_map(|p| self.blocks.remove(&block(p)).unwrap()).collect())
    }

    fn run_fragment(&mut self, job: JobId, graph: &Graph, fragment: &Fragment) -> Result<StageStats, TaskFailure> {
        let mut stats = vec![];
        for partition in 0..fragment.tasks {
            let blocks = self.run_task(job, graph, fragment, partition)?;
            if self.faults == Faults::RunTwice {
                let again = self.run_task(job, graph, fragment, partition)?;
                let metas = |blocks: &[Vec<RecordBatch>]| blocks.iter().map(|b| meta(b)).collect::<Vec<_>>();
                assert_eq!(metas(&blocks), metas(&again), "{}/p{partition}", fragment.id);
            }
            stats.push(blocks.iter().map(|b| meta(b)).collect());
            let task = TaskId { job, fragment: fragment.id, partition };
            for (output, block) in (0..).zip(blocks) {
                self.blocks.insert(BlockId { task, output }, block);
            }
        }
        Ok(StageStats { fragment: fragment.id, blocks: stats })
    }

    fn run_task(
        &mut self,
        job: JobId,
        graph: &Graph,
        fragment: &Fragment,
        partition: u32,
    ) -> Result<Vec<Vec<RecordBatch>>, TaskFailure> {
        let inputs = fragment.inputs.iter().map(|input| {
            let producer = graph.fragment(input.from).unwrap();
            let ids: Vec<BlockId> = fragment.reads(job, input, producer, partition).collect();
            let missing = if self.faults == Faults::LoseBlocks { ids.first().copied() } else { None };
            let batches = ids.iter().flat_map(|id| self.blocks[id].iter().cloned()).collect();
            (batches, missing)
        });
        let scratch = tempfile::tempdir().unwrap();
        let mut task = Task {
            partition,
            args: &fragment.call.args,
            inputs: inputs.collect(),
            outputs: vec![vec![]; fragment.outputs as usize],
            share: self.env.memory_share,
            scratch: scratch.path(),
            stop: Arc::new(AtomicBool::new(self.faults == Faults::Cancelled)),
            refuses: self.faults == Faults::RefuseRows,
            stops_reading: self.faults == Faults::CancelledWhileReading,
            taken: &self.taken,
            waiting: 0,
            waiting_max: 0,
            flushes: 0,
            damages: self.faults == Faults::DamagedPlans,
            front: self.front,
            shipped: &mut self.shipped,
            spilled: 0,
        };
        let kernels = registry(&self.store);
        let result = kernels.get(&fragment.call.kernel).unwrap().run(&mut task);
        self.spilled += task.spilled;
        self.waiting_max = self.waiting_max.max(task.waiting_max);
        self.flushes += task.flushes;
        result?;
        Ok(task.outputs)
    }
}

fn meta(batches: &[RecordBatch]) -> BlockMeta {
    let checksum = batches.iter().map(checksum_of).fold(Checksum::default(), Checksum::merge);
    BlockMeta {
        rows: Rows::new(batches.iter().map(|b| b.num_rows() as u64).sum()),
        bytes: Bytes::new(batches.iter().map(|b| b.get_array_memory_size() as u64).sum()),
        checksum,
    }
}

struct Task<'a> {
    partition: u32,
    args: &'a [u8],
    inputs: Vec<(Vec<RecordBatch>, Option<BlockId>)>,
    outputs: Vec<Vec<RecordBatch>>,
    share: Bytes,
    scratch: &'a Path,
    stop: Arc<AtomicBool>,
    refuses: bool,
    stops_reading: bool,
    taken: &'a Arc<AtomicUsize>,
    waiting: u64,
    waiting_max: u64,
    flushes: usize,
    damages: bool,
    front: &'a PlanFront,
    shipped: &'a mut Vec<usize>,
    spilled: u64,
}

impl TaskContext for Task<'_> {
    fn partition(&self) -> u32 {
        self.partition
    }

    fn args(&self) -> &[u8] {
        self.args
    }

    fn inputs(&self) -> usize {
        self.inputs.len()
    }

    fn read(&mut self, input: usize) -> Result<Batches, TaskFailure> {
        let (batches, missing) = self.inputs[input].clone();
        let lost = missing.map(|id| Err(TaskFailure::MissingBlock(id)));
        let (stop, stops, taken) = (Arc::clone(&self.stop), self.stops_reading, Arc::clone(self.taken));
        let batches = batches.into_iter().map(move |batch| {
            taken.fetch_add(1, Ordering::Relaxed);
            stop.fetch_or(stops, Ordering::Relaxed);
            Ok(batch)
        });
        Ok(Box::new(batches.chain(lost)))
    }

    fn write(&mut self, output: u32, batch: &RecordBatch) -> Result<(), TaskFailure> {
        if self.refuses {
            return Err(TaskFailure::Transient("the disk is full".to_owned()));
        }
        self.outputs[output as usize].push(batch.clone());
        self.waiting += batch.num_rows() as u64 * ROW_BYTES;
        self.waiting_max = self.waiting_max.max(self.waiting);
        Ok(())
    }

    fn shipment(&mut self, key: &[u8]) -> Result<bytes::Bytes, TaskFailure> {
        let shipment = self.front.ship(key).ok_or_else(|| TaskFailure::Fatal("no such plan".to_owned()))?;
        self.shipped.push(shipment.len());
        if !self.damages {
            return Ok(shipment);
        }
        let mut damaged = shipment.to_vec();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        Ok(damaged.into())
    }

    fn flush(&mut self) -> Result<(), TaskFailure> {
        self.waiting = 0;
        self.flushes += 1;
        Ok(())
    }

    fn waiting(&self) -> Bytes {
        Bytes::new(self.waiting)
    }

    fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    fn memory_share(&self) -> Bytes {
        self.share
    }

    fn scratch(&self) -> &Path {
        self.scratch
    }

    fn record_spill(&mut self, bytes: Bytes) {
        self.spilled += bytes.get();
    }
}
