//! What the host costs per task: zero-work graphs of 100,000 tasks, with and without span accounting.
//!
//! The throughput that criterion prints is tasks per second.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at the first surprise")]

#[path = "../tests/fifo/mod.rs"]
mod fifo;

use bench_model::{EngineSetup, Graph, Program, Registry, Session, Style, Tuning};
use bench_node::LiveEngine;
use bench_stagedag::StageDag;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fifo::{Fifo, graphs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const TASKS: u32 = 100_000;

fn graphs() -> Vec<(&'static str, Graph)> {
    vec![
        ("chain", graphs::chain(TASKS)),
        ("fan-out", graphs::fan_out(TASKS)),
        ("tree", graphs::tree(TASKS / 2, 2)),
        ("stencil", graphs::stencil(TASKS / 100, 100)),
    ]
}

fn overhead_of<S: Style>(c: &mut Criterion, style: fn() -> S) {
    let registry = Registry::default().with(Arc::new(graphs::Noop));
    let engine = LiveEngine::without_front(style(), registry);
    let slots = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let mut group = c.benchmark_group(style().name());
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for (slots, spans) in [(1, false), (slots, false), (slots, true)] {
        let scratch = tempfile::tempdir().unwrap();
        let tuning = Tuning::defaults(style().switches());
        let setup = EngineSetup { slots, memory: None, scratch: scratch.path().to_owned(), tuning, spans };
        let mut session = engine.session(&setup).unwrap();
        for (name, graph) in graphs() {
            group.throughput(Throughput::Elements(graph.tasks()));
            let workload = graphs::workload(name, Program::Graph(graph));
            let spans = if spans { "-spans" } else { "" };
            group.bench_function(format!("{name}/{slots}{spans}"), |b| {
                b.iter(|| session.run(&workload, &Arc::new(AtomicBool::new(false))).unwrap());
            });
        }
    }
}

fn overhead(c: &mut Criterion) {
    overhead_of(c, || Fifo);
    overhead_of(c, || StageDag);
}

criterion_group!(benches, overhead);
criterion_main!(benches);
