//! The stage-DAG style over several nodes that speak over sockets.
//!
//! Long because: each claim needs the same nodes, tables and graphs, which are made here.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;
mod nodes;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt64Type};
use bench_model::{
    Answer, ClusterSpec, EngineError, EngineSetup, Exchange, FaultPlan, Fragment, FragmentId, Graph, Nanos, Program,
    Read, Registry, Session, SpanKind, Storage, Style, TaskFailure, Tuning,
};
use bench_node::{LiveEngine, LiveSession, NodeOptions, NodeStyles, ProcessSetup, serve_node};
use bench_stagedag::StageDag;
use fifo::rows::{Deal, Hook, Plans, Run, Sum, numbers, shuffle};
use fifo::{Fifo, graphs};
use nodes::{BUILD, Processes, Threads};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

const ROWS: i64 = 50_000;
const OUTPUTS: u32 = 4;
const MAPS: u32 = 6;

fn registry(hook: &Arc<Run>) -> Registry {
    let hook = Arc::clone(hook);
    Registry::default()
        .with(Arc::new(Deal { rows: ROWS, outputs: OUTPUTS }))
        .with(Arc::new(Sum))
        .with(Arc::new(graphs::Noop))
        .with(Arc::new(Hook(Box::new(move |cx| (*hook)(cx)))))
}

fn plans() -> Plans {
    let deals = shuffle(MAPS, OUTPUTS).fragments.remove(0);
    let read =
        Fragment { exchange: Exchange::Collect, ..graphs::fragment(1, "hook/1", 3, graphs::reads(0, Read::All)) };
    let hooked = Graph { fragments: vec![deals, read], result: FragmentId(1) };
    Plans { graphs: [("shuffle", shuffle(MAPS, OUTPUTS)), ("hooked", hooked)].into(), ..Plans::default() }
}

fn setup(scratch: &Path, nodes: u32, slots: u32) -> EngineSetup {
    EngineSetup {
        slots,
        memory: None,
        scratch: scratch.to_owned(),
        tuning: Tuning::defaults(StageDag.switches()),
        spans: true,
        cluster: ClusterSpec::Processes { nodes },
    }
}

struct Bench {
    session: LiveSession<StageDag>,
    threads: Arc<Threads>,
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new(nodes: u32, hook: Run) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let hook = Arc::new(hook);
        let styles = {
            let hook = Arc::clone(&hook);
            move || {
                let hook = Arc::clone(&hook);
                NodeStyles::new(move || registry(&hook)).with(StageDag)
            }
        };
        let threads = Arc::new(Threads::new(styles));
        let engine = LiveEngine::new(StageDag, Arc::new(plans()), registry(&hook))
            .with_nodes(nodes::plan(Arc::clone(&threads) as _));
        let session = engine.session(&setup(scratch.path(), nodes, 2)).unwrap();
        Self { session, threads, scratch }
    }

    fn run(&mut self, name: &str) -> Result<Answer, EngineError> {
        self.session.run(&graphs::query(name), &Arc::default())
    }
}

fn quiet() -> Run {
    Box::new(|_| Ok(()))
}

fn sum(answer: &Answer) -> i64 {
    answer.batches.iter().map(|b| b.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>()).sum()
}

const ALL: i64 = ROWS * MAPS as i64;

fn all_rows() -> i64 {
    (0..ALL).sum()
}

/// Adds up everything it reads.
fn add_up(cx: &mut dyn bench_model::TaskContext) -> Result<i64, TaskFailure> {
    let mut sum = 0;
    for batch in cx.read(0)? {
        sum += batch?.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
    }
    Ok(sum)
}

#[test]
fn zero_work_graphs_answer_with_the_number_of_their_tasks_over_any_number_of_nodes() {
    for nodes in [1, 3] {
        let mut bench = Bench::new(nodes, quiet());
        for graph in [graphs::chain(300), graphs::fan_out(2_000), graphs::tree(500, 2), graphs::stencil(20, 20)] {
            let tasks = graph.tasks();
            let workload = graphs::workload("graph", Program::Graph(graph));
            let answer = bench.session.run(&workload, &Arc::default()).unwrap();
            assert_eq!(answer.batches[0].column(0).as_primitive::<UInt64Type>().value(0), tasks);
        }
    }
}

#[test]
fn a_shuffle_over_three_nodes_is_right_accounted_for_and_leaves_no_files() {
    let mut bench = Bench::new(3, quiet());
    for _ in 0..5 {
        let answer = bench.run("shuffle").unwrap();
        assert_eq!(sum(&answer), all_rows());
        let spans = answer.spans.unwrap();
        assert_eq!(spans.slots, 6);
        assert!(spans.is_complete(0.01), "{spans:?}");
        for kind in [SpanKind::Compute, SpanKind::FetchRemote, SpanKind::ShuffleWrite] {
            assert!(spans.by_kind_ns.contains_key(&kind), "{kind:?} is missing: {spans:?}");
        }
    }
    let scratch = bench.scratch.path().to_owned();
    drop(bench.session);
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "a node that has left leaves nothing");
}

#[test]
fn a_node_that_dies_in_the_middle_costs_time_and_not_the_answer() {
    let (reached, at_barrier) = mpsc::channel();
    let (killed, killed_seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (seen, count) = (Arc::clone(&killed), Arc::clone(&killed_seen));
    let hook: Run = Box::new(move |cx| {
        // The readers wait until a node with blocks they need is gone.
        let _ = reached.send(());
        while !seen.load(Ordering::Acquire) && !cx.cancelled() {
            std::thread::yield_now();
        }
        count.fetch_add(1, Ordering::Relaxed);
        let sum = add_up(cx)?;
        cx.write(0, &numbers([sum]))
    });
    let mut bench = Bench::new(3, hook);
    let threads = Arc::clone(&bench.threads);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            at_barrier.recv().unwrap();
            // Its own hook, if it runs one, ends by cancellation.
            threads.kill(1);
            killed.store(true, Ordering::Release);
        });
        let answer = bench.run("hooked").unwrap();
        assert_eq!(sum(&answer), 3 * all_rows());
        assert!(answer.notes.iter().any(|n| n.contains("n1 went down")), "{:?}", answer.notes);
    });
    let answer = bench.run("shuffle").unwrap();
    assert_eq!(sum(&answer), all_rows(), "the next run begins on a whole cluster");
    assert_eq!(answer.spans.unwrap().slots, 6);
}

#[test]
fn a_fault_that_ends_a_run_is_told_once_and_not_lost_with_the_answer() {
    let slowed: Arc<OnceLock<Arc<AtomicBool>>> = Arc::default();
    let seen = Arc::clone(&slowed);
    let hook: Run = Box::new(move |cx| {
        while !seen.get().is_some_and(|flag| flag.load(Ordering::Acquire)) && !cx.cancelled() {
            std::thread::yield_now();
        }
        Err(TaskFailure::Fatal("too slow to be of use".to_owned()))
    });
    let mut bench = Bench::new(2, hook);
    slowed.set(bench.threads.slowed()).unwrap();
    bench.session.arm(&plan_of(&["slow-cpu@10%:n1", "kill@99%"])).unwrap();
    let error = bench.run("hooked").err().unwrap().to_string();
    assert!(error.contains("too slow to be of use"), "{error}");
    let struck = bench.session.struck();
    let told: Vec<(&str, bool, bool)> =
        struck.iter().map(|f| (f.fault.as_str(), f.fired_ns.is_some(), f.void.is_some())).collect();
    assert_eq!(told, [("slow-cpu@10%:n1", true, false), ("kill@99%", false, true)]);
    let spent = struck[0].tasks_ns.unwrap();
    assert!(spent > Nanos::ZERO && struck[0].repeated_ns == Some(Nanos::ZERO), "the maps ran, and none twice: {spent}");
    assert_eq!(bench.session.struck(), [], "told once");
    let answer = bench.run("shuffle").unwrap();
    assert_eq!((sum(&answer), answer.faults, bench.session.struck()), (all_rows(), vec![], vec![]));
}

fn plan_of(faults: &[&str]) -> FaultPlan {
    FaultPlan { faults: faults.iter().map(|f| f.parse().unwrap()).collect(), seed: 1 }
}

#[test]
fn nodes_fetch_each_others_blocks_into_every_kind_of_storage() {
    for storage in [Storage::Heap, Storage::Disk, Storage::Shared] {
        let (scratch, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let style = move || Fifo { storage, moves: true };
        let hook = Arc::new(quiet());
        let of_nodes = Arc::clone(&hook);
        let styles = move || {
            let hook = Arc::clone(&of_nodes);
            NodeStyles::new(move || registry(&hook)).with(style())
        };
        let threads = Arc::new(Threads::new(styles).sharing(shared.path()));
        let engine = LiveEngine::new(style(), Arc::new(plans()), registry(&hook)).with_nodes(nodes::plan(threads));
        let tuning = Tuning::defaults(style().switches());
        let mut session = engine.session(&EngineSetup { tuning, ..setup(scratch.path(), 3, 2) }).unwrap();
        for _ in 0..3 {
            let answer = session.run(&graphs::query("shuffle"), &Arc::default()).unwrap();
            assert_eq!(sum(&answer), all_rows(), "{storage:?}");
            assert!(answer.notes.iter().any(|n| n.starts_with("spilled")), "nodes' notes arrive: {:?}", answer.notes);
        }
        drop(session);
        assert_eq!(std::fs::read_dir(shared.path()).unwrap().count(), 0, "{storage:?}");
    }
}

#[test]
fn a_node_of_another_build_is_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let hook = Arc::new(quiet());
    let of_hook = Arc::clone(&hook);
    let styles = move || {
        let hook = Arc::clone(&of_hook);
        NodeStyles::new(move || registry(&hook)).with(StageDag)
    };
    let threads = Arc::new(Threads::new(styles).of_build("yesterday's"));
    let mut plan = nodes::plan(threads);
    plan.options.patience = Duration::from_millis(300);
    let engine = LiveEngine::new(StageDag, Arc::new(plans()), registry(&hook)).with_nodes(plan);
    let refused = engine.session(&setup(scratch.path(), 1, 1)).err().unwrap().to_string();
    assert!(refused.contains(&format!("runs build yesterday's, this is build {BUILD}")), "{refused}");
}

/// A session whose driver and nodes show the certificates of these folders, or none.
fn session_with(
    driver: Option<&str>,
    nodes_show: Option<&str>,
    scratch: &Path,
) -> Result<LiveSession<StageDag>, EngineError> {
    let registry = || registry(&Arc::new(quiet()));
    let threads = Threads::new(move || NodeStyles::new(registry).with(StageDag));
    let threads = Arc::new(match nodes_show {
        Some(folder) => threads.with_certificates(folder),
        None => threads,
    });
    let mut plan = nodes::plan(threads);
    plan.options.tls = driver.map(nodes::certificates);
    LiveEngine::new(StageDag, Arc::new(plans()), registry()).with_nodes(plan).session(&setup(scratch, 2, 2))
}

#[test]
fn two_nodes_shuffle_and_answer_with_everything_encrypted() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = session_with(Some("cluster"), Some("cluster"), scratch.path()).unwrap();
    for _ in 0..3 {
        let answer = session.run(&graphs::query("shuffle"), &Arc::default()).unwrap();
        assert_eq!(sum(&answer), all_rows());
    }
    let tasks = graphs::stencil(20, 20);
    let expected = tasks.tasks();
    let answer = session.run(&graphs::workload("graph", Program::Graph(tasks)), &Arc::default()).unwrap();
    assert_eq!(answer.batches[0].column(0).as_primitive::<UInt64Type>().value(0), expected);
}

#[test]
fn a_driver_without_the_right_certificate_gets_no_nodes_and_is_told_why() {
    for (driver, nodes_show) in [(None, Some("cluster")), (Some("stranger"), Some("cluster"))] {
        let scratch = tempfile::tempdir().unwrap();
        let refused = session_with(driver, nodes_show, scratch.path()).err().map(|e| e.to_string());
        assert!(refused.as_ref().is_some_and(|r| r.contains("do not trust each other")), "{refused:?}");
    }
}

#[test]
fn a_cancelled_job_ends_on_every_node_and_the_next_one_runs() {
    let (started, all_started) = mpsc::channel();
    let hook: Run = Box::new(move |cx| {
        let _ = started.send(());
        while !cx.cancelled() {
            std::thread::yield_now();
        }
        Err(TaskFailure::Cancelled)
    });
    let mut bench = Bench::new(2, hook);
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            (0..3).for_each(|_| all_started.recv().unwrap());
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(bench.session.run(&graphs::query("hooked"), stop).err(), Some(EngineError::Cancelled));
    });
    assert_eq!(sum(&bench.run("shuffle").unwrap()), all_rows());
}

#[test]
fn what_tasks_of_every_node_spill_reaches_the_answer() {
    let hook: Run = Box::new(|cx| {
        cx.record_spill(bench_model::Bytes::new(100 + u64::from(cx.partition())));
        let sum = add_up(cx)?;
        cx.write(0, &numbers([sum]))
    });
    let mut bench = Bench::new(3, hook);
    let answer = bench.run("hooked").unwrap();
    assert_eq!(answer.spilled_bytes, Some(100 + 101 + 102));
    assert_eq!(bench.run("shuffle").unwrap().spilled_bytes, Some(0), "another run begins at nothing");
}

/// A file that a hook leaves when it begins, for tests that must catch a node in the middle.
const AT_WORK: &str = "at-work";

/// The node's side of the tests with processes: this test program, started by them.
#[test]
#[ignore = "a part of other tests"]
fn serve() {
    let Some(scratch) = std::env::var_os("BENCH_TEST_SCRATCH") else { return };
    let at_work = Path::new(&scratch).join(AT_WORK);
    let slow: Arc<Run> = Arc::new(Box::new(move |cx| {
        std::fs::write(&at_work, []).unwrap();
        // Long enough to be caught in the middle.
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(300) && !cx.cancelled() {
            std::thread::yield_now();
        }
        let sum = add_up(cx)?;
        cx.write(0, &numbers([sum]))
    }));
    let styles = NodeStyles::new(move || registry(&slow)).with(StageDag);
    let setup = ProcessSetup {
        listen: "127.0.0.1:0".to_owned(),
        scratch: scratch.into(),
        shared: None,
        build: BUILD.to_owned(),
        alone: std::env::var("BENCH_TEST_ALONE_MS").ok().map(|ms| Duration::from_millis(ms.parse().unwrap())),
        small_pages: false,
        options: NodeOptions { ..nodes::options() },
    };
    serve_node(styles, setup).unwrap();
}

fn processes(scratch: &Path, nodes: u32) -> (LiveSession<StageDag>, Arc<Processes>) {
    let processes = Arc::new(Processes::new(&["serve", "--exact", "--ignored", "--nocapture"]));
    let engine = LiveEngine::new(StageDag, Arc::new(plans()), registry(&Arc::new(quiet())))
        .with_nodes(nodes::plan(Arc::clone(&processes) as _));
    (engine.session(&setup(scratch, nodes, 1)).unwrap(), processes)
}

#[test]
fn a_zombie_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut session, processes) = processes(scratch.path(), 3);
    let at_work = scratch.path().join(AT_WORK);
    std::thread::scope(|scope| {
        let (processes, at_work) = (&processes, &at_work);
        scope.spawn(move || {
            while !at_work.exists() {
                std::thread::yield_now();
            }
            processes.signal(2, "-STOP");
        });
        let answer = session.run(&graphs::query("hooked"), &Arc::default()).unwrap();
        assert_eq!(sum(&answer), 3 * all_rows(), "the others do its work");
    });
    processes.signal(2, "-CONT");
    for _ in 0..3 {
        let answer = session.run(&graphs::query("shuffle"), &Arc::default()).unwrap();
        assert_eq!(sum(&answer), all_rows());
        assert_eq!(answer.spans.unwrap().slots, 3, "the zombie has become a fresh node");
    }
}

#[test]
fn a_node_that_no_driver_has_ends_by_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let mut node = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["serve", "--exact", "--ignored", "--nocapture"])
        .env("BENCH_TEST_SCRATCH", scratch.path())
        .env("BENCH_TEST_ALONE_MS", "200")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Its input stays open all the time.
    let mut input = node.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"0123456789abcdef0123456789abcdef\n").unwrap();
    assert!(node.wait().unwrap().success());
}

#[test]
fn a_killed_process_is_started_again_for_the_next_run() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut session, processes) = processes(scratch.path(), 2);
    processes.signal(0, "-KILL");
    for _ in 0..2 {
        assert_eq!(sum(&session.run(&graphs::query("shuffle"), &Arc::default()).unwrap()), all_rows());
    }
}

#[test]
fn a_node_that_is_asked_to_end_drains_and_leaves() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut session, processes) = processes(scratch.path(), 2);
    assert_eq!(sum(&session.run(&graphs::query("shuffle"), &Arc::default()).unwrap()), all_rows());
    processes.signal(1, "-TERM");
    assert_eq!(sum(&session.run(&graphs::query("shuffle"), &Arc::default()).unwrap()), all_rows());
}
