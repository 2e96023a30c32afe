//! The stage-DAG style for real: threads, shuffle files and all.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt64Type};
use bench_model::{
    Answer, EngineError, EngineSetup, Exchange, Fragment, FragmentId, Graph, Program, Read, Registry, Session, Style,
    TaskFailure, Tuning,
};
use bench_node::{LiveEngine, LiveSession};
use bench_stagedag::StageDag;
use fifo::graphs;
use fifo::rows::{Deal, Hook, Plans, Run, Sum, hooks, numbers, shuffle};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

const ROWS: i64 = 20_000;
const OUTPUTS: u32 = 4;

fn session(slots: u32, spans: bool, scratch: &Path, hook: Run) -> LiveSession<StageDag> {
    let deals = shuffle(3, OUTPUTS).fragments.remove(0);
    let read =
        Fragment { exchange: Exchange::Collect, ..graphs::fragment(1, "hook/1", 1, graphs::reads(0, Read::All)) };
    let lost = Graph { fragments: vec![deals, read], result: FragmentId(1) };
    let graphs = [("shuffle", shuffle(3, OUTPUTS)), ("hooks", hooks(3)), ("hook", hooks(1)), ("lost", lost)];
    let plans = Plans { graphs: graphs.into(), ..Plans::default() };
    let registry = Registry::default()
        .with(Arc::new(Deal { rows: ROWS, outputs: OUTPUTS }))
        .with(Arc::new(Sum))
        .with(Arc::new(graphs::Noop))
        .with(Arc::new(Hook(hook)));
    let tuning = Tuning::defaults(StageDag.switches());
    let setup =
        EngineSetup { slots, memory: None, scratch: scratch.to_owned(), tuning, spans, cluster: Default::default() };
    LiveEngine::new(StageDag, Arc::new(plans), registry).session(&setup).unwrap()
}

fn run(session: &mut LiveSession<StageDag>, name: &str) -> Result<Answer, EngineError> {
    session.run(&graphs::query(name), &Arc::default())
}

fn sum(answer: &Answer) -> i64 {
    answer.batches.iter().map(|b| b.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>()).sum()
}

fn block_files(scratch: &Path) -> Vec<PathBuf> {
    let session = std::fs::read_dir(scratch).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(session.join("blocks")).unwrap().map(|f| f.unwrap().path()).collect()
}

#[test]
fn a_shuffle_is_answered_with_complete_spans_and_leaves_no_files() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = session(3, true, scratch.path(), Box::new(|_| Ok(())));
    for _ in 0..5 {
        let answer = run(&mut session, "shuffle").unwrap();
        assert_eq!(sum(&answer), (0..3 * ROWS).sum::<i64>());
        let spans = answer.spans.unwrap();
        assert!(spans.is_complete(0.01), "{spans:?}");
        assert!(block_files(scratch.path()).is_empty());
    }
}

#[test]
fn zero_work_graphs_answer_with_the_number_of_their_tasks() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = session(2, false, scratch.path(), Box::new(|_| Ok(())));
    for graph in [graphs::chain(1_000), graphs::fan_out(2_000), graphs::tree(1_000, 2), graphs::stencil(50, 40)] {
        let tasks = graph.tasks();
        let answer = session.run(&graphs::workload("graph", Program::Graph(graph)), &Arc::default()).unwrap();
        assert_eq!(answer.batches[0].column(0).as_primitive::<UInt64Type>().value(0), tasks);
    }
}

#[test]
fn files_deleted_under_a_reader_are_made_again() {
    let scratch = tempfile::tempdir().unwrap();
    let (done, folder) = (AtomicBool::new(false), scratch.path().to_owned());
    let hook: Run = Box::new(move |cx| {
        if !done.swap(true, Ordering::Relaxed) {
            let files = block_files(&folder);
            assert_eq!(files.len(), 3, "one file per map task");
            files.iter().for_each(|f| std::fs::remove_file(f).unwrap());
        }
        let mut sum = 0;
        for batch in cx.read(0)? {
            sum += batch?.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
        }
        cx.write(0, &numbers([sum]))
    });
    let mut session = session(2, false, scratch.path(), hook);
    let answer = run(&mut session, "lost").unwrap();
    assert_eq!(sum(&answer), (0..3 * ROWS).sum::<i64>());
    assert!(answer.notes.iter().any(|n| n.starts_with("retried: ")), "{:?}", answer.notes);
}

#[test]
fn a_panic_is_retried_and_an_impossible_task_fails_its_job_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let tries = AtomicU32::new(0);
    let hook: Run = Box::new(move |cx| match tries.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => std::panic::panic_any("not yet"),
        2 => cx.write(0, &numbers([7])),
        _ => Err(TaskFailure::Fatal("bad cast".to_owned())),
    });
    let mut session = session(2, false, scratch.path(), hook);
    let answer = run(&mut session, "hook").unwrap();
    assert_eq!(sum(&answer), 7);
    assert_eq!(answer.notes.iter().filter(|n| n.contains("hook/1 panicked: not yet")).count(), 2, "{:?}", answer.notes);
    let error = EngineError::Program { workload: "hook".to_owned(), message: "bad cast".to_owned() };
    assert_eq!(run(&mut session, "hook").err(), Some(error));
}

#[test]
fn a_cancelled_job_ends_and_the_next_one_runs() {
    let scratch = tempfile::tempdir().unwrap();
    let started = Arc::new(Barrier::new(3));
    let ours = Arc::clone(&started);
    let hook: Run = Box::new(move |cx| {
        ours.wait();
        while !cx.cancelled() {
            std::thread::yield_now();
        }
        Err(TaskFailure::Cancelled)
    });
    // Two slots and three tasks: one is still queued when the job is cancelled.
    let mut session = session(2, false, scratch.path(), hook);
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            started.wait();
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(session.run(&graphs::query("hooks"), &stop).err(), Some(EngineError::Cancelled));
    });
    assert_eq!(sum(&run(&mut session, "shuffle").unwrap()), (0..3 * ROWS).sum::<i64>());
}
