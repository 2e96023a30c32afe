//! The host from outside, under the smallest style there is.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, UInt64Type};
use bench_model::{
    Answer, Bytes, Engine, EngineError, EngineSetup, Exchange, Family, Fragment, FragmentId, Graph, Nanos, Program,
    Read, Registry, Session, SpanKind, Style, TaskFailure, Tuning,
};
use bench_node::{LiveEngine, LiveSession};
use fifo::rows::{Deal, Hook, Plans, Run, Sum, hooks, numbers, shuffle};
use fifo::{Fifo, MAX_ATTEMPTS, graphs};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const MAPS: u32 = 5;
const REDUCES: u32 = 4;
const ROWS: i64 = 20_000;

struct Bench {
    session: LiveSession<Fifo>,
    plans: Arc<Plans>,
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new(slots: u32, spans: bool, hook: Run) -> Self {
        Self::with(slots, spans, "none", None, hook)
    }

    fn with(slots: u32, spans: bool, compression: &str, memory: Option<Bytes>, hook: Run) -> Self {
        let deals = shuffle(2, REDUCES).fragments.remove(0);
        let lost = Graph { fragments: vec![deals, reader_of_deals()], result: FragmentId(1) };
        let graphs = [("shuffle", shuffle(MAPS, REDUCES)), ("hooks", hooks(3)), ("hook", hooks(1)), ("lost", lost)];
        let plans = Arc::new(Plans { graphs: graphs.into(), ..Plans::default() });
        let deal = Deal { rows: ROWS, outputs: REDUCES };
        let registry = Registry::default()
            .with(Arc::new(deal))
            .with(Arc::new(Sum))
            .with(Arc::new(Hook(hook)))
            .with(Arc::new(graphs::Noop));
        let engine = LiveEngine::new(Fifo::default(), Arc::<Plans>::clone(&plans), registry);
        let scratch = tempfile::tempdir().unwrap();
        let setup = setup(slots, spans, compression, memory, scratch.path());
        Self { session: engine.session(&setup).unwrap(), plans, scratch }
    }

    fn run(&mut self, name: &str) -> Result<Answer, EngineError> {
        self.session.run(&graphs::query(name), &Arc::default())
    }

    fn files(&self) -> usize {
        block_files(self.scratch.path()).len()
    }
}

fn setup(slots: u32, spans: bool, compression: &str, memory: Option<Bytes>, scratch: &Path) -> EngineSetup {
    let tuning = Tuning::resolve(Fifo::default().switches(), [("compression", compression)]).unwrap();
    EngineSetup { slots, memory, scratch: scratch.to_owned(), tuning, spans, cluster: Default::default() }
}

/// Reads the deals of fragment 0 through a hook, then adds up what the hook found.
fn reader_of_deals() -> Fragment {
    Fragment { exchange: Exchange::Collect, ..graphs::fragment(1, "hook/1", 1, graphs::reads(0, Read::All)) }
}

fn block_files(scratch: &Path) -> Vec<std::path::PathBuf> {
    let session = std::fs::read_dir(scratch).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(session.join("blocks")).unwrap().map(|f| f.unwrap().path()).collect()
}

fn quiet() -> Run {
    Box::new(|_| Ok(()))
}

fn sums(answer: &Answer) -> Vec<i64> {
    answer.batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// Sums of `0 .. MAPS * ROWS` by remainder.
fn expected_sums() -> Vec<i64> {
    let all = i64::from(MAPS) * ROWS;
    (0..i64::from(REDUCES)).map(|r| (r..all).step_by(REDUCES as usize).sum()).collect()
}

#[test]
fn a_shuffle_gives_the_same_answer_for_any_slots_codec_and_memory() {
    for (slots, compression, memory) in
        [(1, "none", None), (4, "lz4", None), (2, "zstd", Some(Bytes::new(2 << 20))), (7, "none", None)]
    {
        let mut bench = Bench::with(slots, false, compression, memory, quiet());
        for _ in 0..3 {
            let answer = bench.run("shuffle").unwrap();
            assert_eq!(sums(&answer), expected_sums(), "{slots} slots, {compression}");
            assert!(answer.spans.is_none());
        }
        assert_eq!(bench.files(), 0, "a finished job leaves no files");
        assert!(bench.plans.known.lock().unwrap().is_empty(), "nor a plan");
        assert_eq!(
            bench.plans.replans.load(Ordering::Relaxed),
            6,
            "each of two fragments asked the planner, three times"
        );
    }
}

#[test]
fn zero_work_graphs_answer_with_the_number_of_their_tasks() {
    let mut bench = Bench::new(3, false, quiet());
    for (name, graph) in [
        ("chain", graphs::chain(2_000)),
        ("fan-out", graphs::fan_out(2_000)),
        ("tree", graphs::tree(1_000, 3)),
        ("stencil", graphs::stencil(50, 40)),
    ] {
        let tasks = graph.tasks();
        let answer = bench.session.run(&graphs::workload(name, Program::Graph(graph)), &Arc::default()).unwrap();
        let count = answer.batches[0].column(0).as_primitive::<UInt64Type>().value(0);
        assert_eq!((answer.batches.len(), count), (1, tasks), "{name}");
        assert_eq!(answer.schema.field(0).name(), "tasks");
    }
}

#[test]
fn spans_account_for_every_slot_at_every_instant() {
    let mut bench = Bench::new(3, true, quiet());
    for _ in 0..5 {
        let spans = bench.run("shuffle").unwrap().spans.unwrap();
        assert_eq!(spans.slots, 3);
        assert!(spans.is_complete(0.01), "{spans:?}");
        for kind in [SpanKind::Compute, SpanKind::ShuffleWrite, SpanKind::Deserialize, SpanKind::FetchLocal] {
            assert!(spans.by_kind_ns.get(&kind).is_some_and(|t| *t > Nanos::ZERO), "{kind:?} is missing: {spans:?}");
        }
    }
}

#[test]
fn spans_of_zero_work_are_complete_too() {
    let mut bench = Bench::new(2, true, quiet());
    let graph = graphs::workload("stencil", Program::Graph(graphs::stencil(100, 100)));
    let spans = bench.session.run(&graph, &Arc::default()).unwrap().spans.unwrap();
    assert!(spans.is_complete(0.01), "{spans:?}");
}

#[test]
fn a_kernel_that_panics_is_retried_and_named() {
    let tries = AtomicU32::new(0);
    let hook: Run = Box::new(move |cx| {
        assert!(tries.fetch_add(1, Ordering::Relaxed) >= 2, "not yet");
        cx.write(0, &numbers([7]))
    });
    let mut bench = Bench::new(2, false, hook);
    let answer = bench.run("hook").unwrap();
    assert_eq!(sums(&answer), [7]);
    let retries: Vec<_> = answer.notes.iter().filter(|n| n.starts_with("retried")).collect();
    assert_eq!(retries, ["retried: f0/p0: kernel hook/1 panicked: not yet"; 2]);
}

#[test]
fn a_failure_ends_the_job_with_its_message_and_the_session_goes_on() {
    let failures = [
        TaskFailure::Fatal("bad cast".to_owned()),
        TaskFailure::OutOfMemory("a hash table of 3 GiB".to_owned()),
        TaskFailure::Transient("the weather".to_owned()),
    ];
    let next = AtomicU32::new(0);
    let hook: Run = Box::new(move |_| {
        let n = next.fetch_add(1, Ordering::Relaxed) as usize;
        Err(failures[n.min(2)].clone())
    });
    let mut bench = Bench::new(2, false, hook);
    let program = EngineError::Program { workload: "hook".to_owned(), message: "bad cast".to_owned() };
    assert_eq!(bench.run("hook").err(), Some(program));
    assert_eq!(bench.run("hook").err(), Some(EngineError::OutOfMemory("a hash table of 3 GiB".to_owned())));
    let Some(EngineError::Failed(message)) = bench.run("hook").err() else { unreachable!("it always fails") };
    assert!(message.ends_with(&format!("f0/p0 failed after {MAX_ATTEMPTS} attempts: the weather")), "{message}");
    assert_eq!(sums(&bench.run("shuffle").unwrap()), expected_sums());
}

#[test]
fn an_unknown_kernel_is_a_failure_that_names_it() {
    let mut bench = Bench::new(1, false, quiet());
    let graph = Graph { fragments: vec![graphs::fragment(0, "nobody/9", 1, vec![])], result: FragmentId(0) };
    let error = bench.session.run(&graphs::workload("x", Program::Graph(graph)), &Arc::default()).unwrap_err();
    assert!(error.to_string().contains("`nobody/9`"), "{error}");
}

#[test]
fn a_program_that_cannot_be_planned_is_refused_and_the_session_goes_on() {
    let mut bench = Bench::new(1, false, quiet());
    assert!(matches!(bench.run("nonsense"), Err(EngineError::Program { .. })));
    assert_eq!(sums(&bench.run("shuffle").unwrap()), expected_sums());
}

/// Cancels when every task is running, so that each must notice it by itself.
fn cancelled_while(work: fn(&mut dyn bench_model::TaskContext) -> Result<(), TaskFailure>) {
    let started = Arc::new(Barrier::new(4));
    let (ours, stop) = (Arc::clone(&started), Arc::new(AtomicBool::new(false)));
    let hook: Run = Box::new(move |cx| {
        ours.wait();
        work(cx)
    });
    let mut bench = Bench::new(3, false, hook);
    std::thread::scope(|scope| {
        let flag = Arc::clone(&stop);
        scope.spawn(move || {
            started.wait();
            flag.store(true, Ordering::Relaxed);
        });
        let outcome = bench.session.run(&graphs::query("hooks"), &stop);
        assert_eq!(outcome.err(), Some(EngineError::Cancelled));
    });
    assert_eq!(sums(&bench.run("shuffle").unwrap()), expected_sums());
}

#[test]
fn a_kernel_that_looks_stops_when_cancelled() {
    cancelled_while(|cx| {
        while !cx.cancelled() {
            std::thread::yield_now();
        }
        Err(TaskFailure::Cancelled)
    });
}

#[test]
fn a_kernel_that_only_writes_stops_when_cancelled() {
    cancelled_while(|cx| {
        loop {
            cx.write(0, &numbers([]))?;
            std::thread::yield_now();
        }
    });
}

#[test]
fn what_attempts_spill_is_added_up_whether_they_succeed_or_not() {
    let tries = std::sync::atomic::AtomicU32::new(0);
    let hook: Run = Box::new(move |cx| {
        cx.record_spill(bench_model::Bytes::new(1000));
        if tries.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(TaskFailure::Transient("the weather".to_owned()));
        }
        cx.record_spill(bench_model::Bytes::new(1));
        cx.write(0, &numbers([]))
    });
    let mut bench = Bench::new(3, false, hook);
    let tasks = 3;
    assert_eq!(bench.run("hooks").unwrap().spilled_bytes, Some(1000 * (tasks + 1) + tasks));
    assert_eq!(bench.run("shuffle").unwrap().spilled_bytes, Some(0), "another run begins at nothing");
}

#[test]
fn a_lost_or_damaged_file_is_made_again_by_its_producer() {
    for damage in [|path: &Path| std::fs::remove_file(path), |path: &Path| flip_a_bit(path)] {
        let done = AtomicBool::new(false);
        let scratch = Arc::new(std::sync::OnceLock::<std::path::PathBuf>::new());
        let folder = Arc::clone(&scratch);
        let hook: Run = Box::new(move |cx| {
            if !done.swap(true, Ordering::Relaxed) {
                block_files(folder.get().unwrap()).iter().for_each(|path| damage(path).unwrap());
            }
            let mut sum = 0;
            for batch in cx.read(0)? {
                sum += batch?.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
            }
            cx.write(0, &numbers([sum]))
        });
        let mut bench = Bench::new(2, false, hook);
        scratch.set(bench.scratch.path().to_owned()).unwrap();
        let answer = bench.run("lost").unwrap();
        assert_eq!(sums(&answer), [(0..2 * ROWS).sum::<i64>()]);
        let lost: Vec<_> = answer.notes.iter().filter(|n| n.ends_with("its block was lost")).collect();
        assert_eq!(lost, ["retried: f0/p0: its block was lost", "retried: f0/p1: its block was lost"]);
    }
}

fn flip_a_bit(path: &Path) -> std::io::Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(path, bytes)
}

#[test]
fn a_session_starts_in_under_50_ms_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let engine = LiveEngine::without_front(Fifo::default(), Registry::default());
    let session = engine.start(&setup(8, true, "none", None, scratch.path())).unwrap();
    assert!(begin.elapsed() < Duration::from_millis(50), "{:?}", begin.elapsed());
    drop(session);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn stale_folders_are_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let stale = scratch.path().join(format!("live-{}-0", std::process::id()));
    std::fs::create_dir(&stale).unwrap();
    let engine = LiveEngine::without_front(Fifo::default(), Registry::default());
    let session = engine.start(&setup(1, false, "none", None, scratch.path())).unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 2);
    drop(session);
    assert!(stale.exists());
}

#[test]
fn impossible_settings_are_refused_with_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let engine = LiveEngine::without_front(Fifo::default(), Registry::default());
    let refused = |setup: EngineSetup| engine.start(&setup).err().map(|e| e.to_string()).unwrap_or_default();
    let none = refused(setup(0, false, "none", None, scratch.path()));
    assert_eq!(none, "an engine needs at least one slot; give --slots 1 or more");
    let little = refused(setup(4, false, "none", Some(Bytes::new(1 << 20)), scratch.path()));
    assert_eq!(
        little,
        "out of memory: 1.00 MiB for 4 slots is 256 KiB each, below the least of 1.00 MiB; \
         give more memory or fewer slots"
    );
    let nowhere = refused(setup(1, false, "none", None, Path::new("/proc/nowhere")));
    assert!(nowhere.starts_with("cannot create /proc/nowhere/live-"), "{nowhere}");
    assert!(nowhere.ends_with("choose a scratch folder that can be written to"), "{nowhere}");
}

#[test]
fn queries_need_a_planner_and_graphs_do_not() {
    let scratch = tempfile::tempdir().unwrap();
    let engine = LiveEngine::without_front(Fifo::default(), Registry::default().with(Arc::new(graphs::Noop)));
    assert_eq!(engine.capabilities().families, [Family::Overhead]);
    let mut session = engine.start(&setup(1, false, "none", None, scratch.path())).unwrap();
    assert!(matches!(session.run(&graphs::query("q"), &Arc::default()), Err(EngineError::Unsupported(_))));
    let chain = graphs::workload("chain", Program::Graph(graphs::chain(3)));
    assert!(session.run(&chain, &Arc::default()).is_ok());
    let text = session.explain(&chain, true).unwrap().text;
    assert!(text.starts_with("3 fragments, 3 tasks, answer from f2\nf0: noop/1 x 1 -> 1 Forward"), "{text}");
}

#[test]
fn explain_shows_the_plan_and_analyze_what_happened() {
    let tries = AtomicU32::new(0);
    let hook: Run = Box::new(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Err(TaskFailure::Transient("the weather".to_owned())),
        _ => Ok(()),
    });
    let mut bench = Bench::new(1, false, hook);
    assert_eq!(bench.session.explain(&graphs::query("hook"), false).unwrap().text, "the plan");
    let analyzed = bench.session.explain(&graphs::query("hook"), true).unwrap().text;
    // On a busy machine the style's timer may leave a note of its own in between.
    assert!(analyzed.starts_with("the plan\n- "), "{analyzed}");
    assert!(analyzed.contains("\n- retried: f0/p0: the weather"), "{analyzed}");
    assert!(bench.plans.known.lock().unwrap().is_empty());
}

#[test]
fn a_timer_goes_off_while_every_other_slot_works() {
    // The driver's timer is due after 1 ms; the note it leaves comes before the job's end only if an idle slot raised it.
    let hook: Run = Box::new(|cx| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(20) {
            std::thread::yield_now();
        }
        cx.write(0, &numbers([1]))
    });
    let mut bench = Bench::new(2, false, hook);
    let answer = bench.run("hook").unwrap();
    assert_eq!(answer.notes, ["timer 1"]);
}

#[test]
fn a_scheduler_that_panics_ends_its_session_with_its_message() {
    let mut bench = Bench::new(2, false, quiet());
    // The test's own style has no defense against a graph without fragments.
    let nothing = Graph { fragments: vec![], result: FragmentId(0) };
    let nothing = graphs::workload("nothing", Program::Graph(nothing));
    for _ in 0..2 {
        let error = bench.session.run(&nothing, &Arc::default()).unwrap_err().to_string();
        assert!(error.starts_with("the engine's scheduler panicked and its session is over: index out of"), "{error}");
    }
}

#[test]
fn an_answer_outlives_its_session() {
    let answer = Bench::new(2, false, quiet()).run("shuffle").unwrap();
    assert_eq!(sums(&answer), expected_sums());
    assert_eq!(answer.batches.iter().map(RecordBatch::num_rows).sum::<usize>(), REDUCES as usize);
}
