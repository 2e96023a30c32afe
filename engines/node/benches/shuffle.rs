//! How fast rows go through the block store: 16 MB of numbers and text per task, dealt to 16 outputs and read back.
//!
//! The throughput that criterion prints counts each byte once; writing, checksums, reading and decoding are all in it.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at the first surprise")]

#[path = "../tests/fifo/mod.rs"]
mod fifo;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use bench_model::{
    EngineSetup, Exchange, Fragment, FragmentId, Graph, Kernel, KernelId, Program, Read, Registry, Session, Style,
    TaskContext, TaskFailure, Tuning,
};
use bench_node::LiveEngine;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fifo::{Fifo, graphs};
use std::sync::Arc;
use std::time::Duration;

const OUTPUTS: u32 = 16;
const ROWS: usize = 8192;
const BATCHES: usize = 48;
const TASKS: u32 = 4;

/// Writes the same batch again and again, its parts to the outputs in turn.
struct Write(RecordBatch);

impl Kernel for Write {
    fn id(&self) -> KernelId {
        KernelId::new("write/1")
    }
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        let part = ROWS / OUTPUTS as usize;
        for _ in 0..BATCHES {
            for output in 0..OUTPUTS {
                cx.write(output, &self.0.slice(output as usize * part, part))?;
            }
        }
        Ok(())
    }
}

/// Reads everything and looks at nothing.
struct Consume;

impl Kernel for Consume {
    fn id(&self) -> KernelId {
        KernelId::new("consume/1")
    }
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        cx.read(0)?.try_for_each(|batch| batch.map(|_| ()))
    }
}

fn batch() -> RecordBatch {
    let ints = |k: i64| -> ArrayRef { Arc::new((0..ROWS as i64).map(|i| i * k).collect::<Int64Array>()) };
    let text = (0..ROWS).map(|i| Some(format!("customer#{i:09}"))).collect::<StringViewArray>();
    RecordBatch::try_from_iter([("a", ints(7)), ("b", ints(31)), ("t", Arc::new(text) as ArrayRef)]).unwrap()
}

fn graph(read: bool) -> Graph {
    let map = Fragment { exchange: Exchange::Hash, outputs: OUTPUTS, ..graphs::fragment(0, "write/1", TASKS, vec![]) };
    let reduce = graphs::fragment(1, "consume/1", OUTPUTS, graphs::reads(0, Read::Aligned));
    let fragments = if read { vec![map, reduce] } else { vec![map] };
    let result = FragmentId(fragments.len() as u32 - 1);
    Graph { fragments, result }
}

fn shuffle(c: &mut Criterion) {
    let batch = batch();
    let bytes = batch.get_array_memory_size() as u64 * BATCHES as u64 * u64::from(TASKS);
    let registry = Registry::default().with(Arc::new(Write(batch))).with(Arc::new(Consume));
    let engine = LiveEngine::without_front(Fifo::default(), registry);
    let mut group = c.benchmark_group("shuffle");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Bytes(bytes));
    for compression in ["none", "lz4", "zstd"] {
        let scratch = tempfile::tempdir().unwrap();
        let tuning = Tuning::resolve(Fifo::default().switches(), [("compression", compression)]).unwrap();
        let setup = EngineSetup {
            slots: 1,
            memory: None,
            scratch: scratch.path().to_owned(),
            tuning,
            spans: false,
            cluster: Default::default(),
        };
        let mut session = engine.session(&setup).unwrap();
        for (name, read) in [("write", false), ("write+read", true)] {
            let workload = graphs::workload(name, Program::Graph(graph(read)));
            group.bench_function(format!("{name}/{compression}"), |b| {
                b.iter(|| session.run(&workload, &Arc::default()).unwrap());
            });
        }
    }
}

criterion_group!(benches, shuffle);
criterion_main!(benches);
