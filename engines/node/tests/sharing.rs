//! Blocks between the processes of one host: mapped where they lie, copied, or sent.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;
mod nodes;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bench_actor::Actor;
use bench_model::{
    ClusterSpec, EngineSetup, Exchange, FragmentId, Graph, Kernel, KernelId, Placement, Read, Registry, Session, Style,
    TaskContext, TaskFailure, Tuning,
};
use bench_node::{LiveEngine, NodeStyles};
use bench_stagedag::StageDag;
use fifo::graphs;
use fifo::rows::{Deal, Hook, Plans, Run, numbers};
use nodes::Threads;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier};

const ROWS: i64 = 1 << 20;

/// The size of all files under a folder.
fn bytes_under(folder: &Path) -> i64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |path: PathBuf| match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => bytes_under(&path),
        Ok(meta) => meta.len() as i64,
        // Removed meanwhile.
        Err(_) => 0,
    };
    entries.map(|entry| size(entry.path())).sum()
}

/// Reads everything and returns how much lies in shared memory meanwhile.
fn look(folder: &Path) -> Run {
    let folder = folder.to_owned();
    Box::new(move |cx| {
        let rows = cx.read(0)?.try_fold(0, |rows, batch| batch.map(|b| rows + b.num_rows() as i64))?;
        assert_eq!(rows, ROWS);
        cx.write(0, &numbers([bytes_under(&folder)]))
    })
}

/// 8 MiB are made on one node and read on both at once: the most that lies in shared memory while they are.
fn most_in_shared_memory(zero_copy: &str) -> i64 {
    let (scratch, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = shared.path().to_owned();
    let registry = move || {
        let deal = Deal { rows: ROWS, outputs: 1 };
        Registry::default().with(Arc::new(deal)).with(Arc::new(Hook(look(&folder))))
    };
    let mut made = graphs::fragment(0, "deal/1", 1, vec![]);
    made.exchange = Exchange::Broadcast;
    let mut read = graphs::fragment(1, "hook/1", 2, graphs::reads(0, Read::All));
    read.options.placement = Placement::StrictSpread;
    read.exchange = Exchange::Collect;
    let graph = Graph { fragments: vec![made, read], result: FragmentId(1) };
    let plans = Plans { graphs: [("look", graph)].into(), ..Plans::default() };
    let of_nodes = registry.clone();
    let styles = move || NodeStyles::new(of_nodes.clone()).with(Actor);
    let threads = Arc::new(Threads::new(styles).sharing(shared.path()));
    let engine = LiveEngine::new(Actor, Arc::new(plans), registry()).with_nodes(nodes::plan(threads));
    let setup = EngineSetup {
        slots: 1,
        memory: None,
        scratch: scratch.path().to_owned(),
        tuning: Tuning::resolve(Actor.switches(), [("zero_copy", zero_copy)]).unwrap(),
        spans: false,
        cluster: ClusterSpec::Processes { nodes: 2 },
    };
    let mut session = engine.session(&setup).unwrap();
    let answer = session.run(&graphs::query("look"), &Arc::default()).unwrap();
    let seen = answer.batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
    seen.max().unwrap()
}

#[test]
fn a_block_read_by_two_nodes_of_a_host_lies_there_once_unless_copies_are_asked_for() {
    let (block, slack) = (ROWS * 8, 1 << 20);
    let (once, twice) = (most_in_shared_memory("on"), most_in_shared_memory("off"));
    assert!((block..block + slack).contains(&once), "{once} bytes with zero_copy");
    assert!((2 * block..2 * block + slack).contains(&twice), "{twice} bytes without");
}

/// How many rows lie in mapped files below a folder.
fn mapped_rows(folder: &Path, batches: &[RecordBatch]) -> i64 {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let of_folder = maps.lines().filter(|line| line.contains(folder.to_str().unwrap()));
    let ranges = of_folder.filter_map(|line| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        Some(usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?)
    });
    let ranges: Vec<_> = ranges.collect();
    let is_mapped = |batch: &RecordBatch| {
        let start = batch.column(0).as_primitive::<Int64Type>().values().as_ptr() as usize;
        ranges.iter().any(|range| range.contains(&start))
    };
    batches.iter().filter(|batch| is_mapped(batch)).map(|batch| batch.num_rows() as i64).sum()
}

/// Deals rows when two tasks are at it: with a slot on each of two nodes, they are on different ones.
struct DealTogether(Deal, Arc<Barrier>);

impl Kernel for DealTogether {
    fn id(&self) -> KernelId {
        self.0.id()
    }
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        self.1.wait();
        self.0.run(cx)
    }
}

/// Two tasks make 8 MiB each, on different nodes; one reads both and returns all of it. How many rows the
/// reader sees where they were written, and how many of the answer's whoever asked.
fn mapped_meanwhile(host_local_reads: &str) -> (i64, i64) {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, most) = (scratch.path().to_owned(), Arc::new(AtomicI64::new(0)));
    let both = Arc::new(Barrier::new(2));
    let registry = {
        let (folder, most) = (folder.clone(), Arc::clone(&most));
        move || {
            let (folder, most) = (folder.clone(), Arc::clone(&most));
            let deal = DealTogether(Deal { rows: ROWS, outputs: 1 }, Arc::clone(&both));
            let pass_on: Run = Box::new(move |cx| {
                let batches = cx.read(0)?.collect::<Result<Vec<_>, _>>()?;
                most.fetch_max(mapped_rows(&folder, &batches), Ordering::Relaxed);
                batches.iter().try_for_each(|batch| cx.write(0, batch))
            });
            Registry::default().with(Arc::new(deal)).with(Arc::new(Hook(pass_on)))
        }
    };
    let mut made = graphs::fragment(0, "deal/1", 2, vec![]);
    made.exchange = Exchange::Gather;
    let mut read = graphs::fragment(1, "hook/1", 1, graphs::reads(0, Read::All));
    read.exchange = Exchange::Collect;
    let graph = Graph { fragments: vec![made, read], result: FragmentId(1) };
    let plans = Plans { graphs: [("pass", graph)].into(), ..Plans::default() };
    let of_nodes = registry.clone();
    let threads = Arc::new(Threads::new(move || NodeStyles::new(of_nodes.clone()).with(StageDag)));
    let engine = LiveEngine::new(StageDag, Arc::new(plans), registry()).with_nodes(nodes::plan(threads));
    let setup = EngineSetup {
        slots: 1,
        memory: None,
        scratch: folder.clone(),
        tuning: Tuning::resolve(StageDag.switches(), [("host_local_reads", host_local_reads)]).unwrap(),
        spans: false,
        cluster: ClusterSpec::Processes { nodes: 2 },
    };
    let mut session = engine.session(&setup).unwrap();
    let answer = session.run(&graphs::query("pass"), &Arc::default()).unwrap();
    let values = answer.batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
    assert!(values.eq(0..2 * ROWS), "every row, in order");
    (most.load(Ordering::Relaxed), mapped_rows(&folder, &answer.batches))
}

#[test]
fn shuffle_files_of_another_node_of_the_host_are_mapped_unless_they_are_to_be_sent_and_an_answer_always_is() {
    let ((on, answer), (off, same)) = (mapped_meanwhile("on"), mapped_meanwhile("off"));
    assert_eq!((on, off), (2 * ROWS, ROWS), "what the reader's own node has made is mapped in any case");
    assert_eq!((answer, same), (2 * ROWS, 2 * ROWS));
}
