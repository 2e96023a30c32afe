//! What the host costs per task: zero-work graphs of 100,000 tasks, with and without span accounting.
//!
//! The throughput that criterion prints is tasks per second. What spans cost is too little to be seen across minutes of a
//! machine's moods, so that comparison alternates the two and prints its own figures on stderr: medians, and the fastest
//! runs, which are what a busy machine disturbs least.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at the first surprise")]

#[path = "../tests/fifo/mod.rs"]
mod fifo;

use bench_model::{ClusterSpec, EngineSetup, Graph, Program, Registry, Session, Style, Tuning};
use bench_node::{LiveEngine, LiveSession};
use bench_stagedag::StageDag;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fifo::{Fifo, graphs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const TASKS: u32 = 100_000;

fn graphs() -> Vec<(&'static str, Graph)> {
    vec![
        ("chain", graphs::chain(TASKS)),
        ("fan-out", graphs::fan_out(TASKS)),
        ("tree", graphs::tree(TASKS / 2, 2)),
        ("stencil", graphs::stencil(TASKS / 100, 100)),
    ]
}

fn session<S: Style>(style: fn() -> S, slots: u32, spans: bool, scratch: &Path) -> LiveSession<S> {
    let registry = Registry::default().with(Arc::new(graphs::Noop));
    let tuning = Tuning::defaults(style().switches());
    let cluster = ClusterSpec::default();
    let setup = EngineSetup { slots, memory: None, scratch: scratch.to_owned(), tuning, spans, cluster };
    LiveEngine::without_front(style(), registry).session(&setup).unwrap()
}

fn slots() -> u32 {
    std::thread::available_parallelism().map_or(1, usize::from) as u32
}

fn overhead_of<S: Style>(c: &mut Criterion, style: fn() -> S) {
    let mut group = c.benchmark_group(style().name());
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for (slots, spans) in [(1, false), (slots(), false), (slots(), true)] {
        let scratch = tempfile::tempdir().unwrap();
        let mut session = session(style, slots, spans, scratch.path());
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

/// Runs with and without spans in turn, and says what spans cost.
fn cost_of_spans<S: Style>(style: fn() -> S) {
    const ROUNDS: usize = 41;
    for slots in [1, slots()] {
        let scratch = tempfile::tempdir().unwrap();
        let mut sessions = [false, true].map(|spans| session(style, slots, spans, scratch.path()));
        for (name, graph) in graphs().into_iter().take(2) {
            let workload = graphs::workload(name, Program::Graph(graph));
            let mut took = [vec![], vec![]];
            for _ in 0..ROUNDS {
                for (session, took) in sessions.iter_mut().zip(&mut took) {
                    let begin = Instant::now();
                    session.run(&workload, &Arc::default()).unwrap();
                    took.push(begin.elapsed().as_nanos());
                }
            }
            took.iter_mut().for_each(|took| took.sort_unstable());
            for (which, at) in [("median", ROUNDS / 2), ("fastest", 0)] {
                let [without, with] = [0, 1].map(|spans| took[spans][at] as f64 / f64::from(TASKS));
                let more = (with / without - 1.0) * 100.0;
                let case = format!("{}/{name}/{slots} {which}", style().name());
                eprintln!("{case}: {without:.0} ns a task, with spans {with:.0} ns: {more:+.1} %");
            }
        }
    }
}

fn overhead(c: &mut Criterion) {
    cost_of_spans(Fifo::default);
    cost_of_spans(|| StageDag);
    overhead_of(c, Fifo::default);
    overhead_of(c, || StageDag);
}

criterion_group!(benches, overhead);
criterion_main!(benches);
