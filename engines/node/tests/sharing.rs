//! Blocks between the nodes of one host, by the actor style: mapped where they lie, or copied.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;
mod nodes;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use bench_actor::Actor;
use bench_model::{
    ClusterSpec, EngineSetup, Exchange, FragmentId, Graph, Placement, Read, Registry, Session, Style, Tuning,
};
use bench_node::{LiveEngine, NodeStyles};
use fifo::graphs;
use fifo::rows::{Deal, Hook, Plans, Run, numbers};
use nodes::Threads;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
