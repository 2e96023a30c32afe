//! Nodes that fetch, spill, release and measure, and blocks that other processes map.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use bench_model::{
    Answer, Attempt, BlockId, BlockRef, Bytes, ClusterSpec, EngineSetup, FragmentId, JobId, NodeId, Program, Registry,
    Session, Storage, Style, TaskId, Tuning,
};
use bench_node::{AttemptOutput, BlockStore, Keep, LiveEngine, LiveSession, Located, StoreOptions};
use fifo::rows::{Deal, Plans, Sum, numbers, shuffle};
use fifo::{Fifo, graphs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const MAPS: u32 = 4;
const REDUCES: u32 = 4;
const ROWS: i64 = 20_000;

fn session(style: Fifo, slots: u32, scratch: &Path) -> LiveSession<Fifo> {
    let plans = Plans { graphs: [("shuffle", shuffle(MAPS, REDUCES))].into(), ..Plans::default() };
    let deal = Deal { rows: ROWS, outputs: REDUCES };
    let registry = Registry::default().with(Arc::new(deal)).with(Arc::new(Sum)).with(Arc::new(graphs::Noop));
    let tuning = Tuning::defaults(style.switches());
    let setup = EngineSetup {
        slots,
        memory: None,
        scratch: scratch.to_owned(),
        tuning,
        spans: true,
        cluster: ClusterSpec::default(),
    };
    LiveEngine::new(style, Arc::new(plans), registry).session(&setup).unwrap()
}

fn sum(answer: &Answer) -> i64 {
    answer.batches.iter().map(|b| b.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>()).sum()
}

fn block_files(scratch: &Path) -> Vec<PathBuf> {
    let session = std::fs::read_dir(scratch).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(session.join("blocks")).unwrap().map(|f| f.unwrap().path()).collect()
}

#[test]
fn blocks_that_are_fetched_spilled_and_released_give_the_same_answer_for_every_storage() {
    for (storage, slots) in [(Storage::Disk, 1), (Storage::Heap, 2), (Storage::Shared, 3), (Storage::Heap, 7)] {
        let scratch = tempfile::tempdir().unwrap();
        let mut session = session(Fifo { storage, moves: true }, slots, scratch.path());
        for _ in 0..3 {
            let answer = session.run(&graphs::query("shuffle"), &Arc::default()).unwrap();
            assert_eq!(sum(&answer), (0..i64::from(MAPS) * ROWS).sum::<i64>(), "{storage:?}");
            // Of each map task outputs 0 and 2, of each reduce task its part of the answer.
            let spilled = answer.notes.iter().filter(|n| n.starts_with("spilled: f")).count() as u32;
            assert_eq!(spilled, MAPS * REDUCES / 2 + REDUCES, "{:?}", answer.notes);
            assert!(answer.notes.iter().any(|n| n == "memory over 1 MiB: true"), "{:?}", answer.notes);
            let spans = answer.spans.unwrap();
            assert!(spans.is_complete(0.01), "{spans:?}");
            assert!(block_files(scratch.path()).is_empty(), "a finished job leaves no files");
        }
    }
}

#[test]
fn blocks_on_the_heap_touch_no_disk() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = session(Fifo { storage: Storage::Heap, moves: false }, 2, scratch.path());
    let blocks = std::fs::read_dir(scratch.path()).unwrap().next().unwrap().unwrap().path().join("blocks");
    // Nothing can be created in a folder that is not there.
    std::fs::remove_dir(&blocks).unwrap();
    let answer = session.run(&graphs::query("shuffle"), &Arc::default()).unwrap();
    assert_eq!(sum(&answer), (0..i64::from(MAPS) * ROWS).sum::<i64>());
}

#[test]
fn zero_work_tasks_run_when_every_block_is_fetched_and_released() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = session(Fifo { storage: Storage::Heap, moves: true }, 2, scratch.path());
    for graph in [graphs::chain(500), graphs::fan_out(500), graphs::stencil(20, 20)] {
        let answer = session.run(&graphs::workload("graph", Program::Graph(graph)), &Arc::default()).unwrap();
        assert!(answer.notes.iter().all(|n| n.starts_with("timer")), "{:?}", answer.notes);
    }
}

/// The block of the tests below: 32 MiB of numbers in batches of 8,192.
const BATCHES: i64 = 512;
const BATCH: i64 = 8192;
const HANDOVER: &str = "BENCH_TEST_HANDOVER";

fn store(folder: &Path) -> BlockStore {
    let [disk, sealed] = ["disk", "sealed"].map(|f| folder.join(f));
    std::fs::create_dir_all(&disk).unwrap();
    std::fs::create_dir_all(&sealed).unwrap();
    BlockStore::new(StoreOptions { folder: disk, shared: Some(sealed), compression: None })
}

/// A folder in shared memory where there is one.
fn memory_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn another_process_reads_a_sealed_block_without_copying_it() {
    let folder = memory_folder();
    let owner = store(&folder.path().join("owner"));
    let task = TaskId { job: JobId(0), fragment: FragmentId(0), partition: 0 };
    let mut output = AttemptOutput::new(&owner, (task, Attempt(0)), 1, Keep::Sealed, Bytes::new(u64::MAX));
    (0..BATCHES).for_each(|i| output.write(0, &numbers(i * BATCH..(i + 1) * BATCH)).unwrap());
    let meta = output.commit().unwrap()[0];
    let block = BlockRef { id: BlockId { task, output: 0 }, attempt: Attempt(0), node: NodeId(0), meta };
    assert!(owner.shared_bytes() >= Bytes::new(32 << 20));
    let handover = folder.path().join("handover");
    let located = owner.locate(block.id, block.attempt).unwrap();
    std::fs::write(&handover, postcard::to_stdvec(&(block, located)).unwrap()).unwrap();
    // Held here too, so that the other process's pages count as shared.
    let held = bench_node::read_all(vec![owner.find(&block).unwrap()]).unwrap();
    let reader = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_other_process", "--ignored", "--nocapture"])
        .env(HANDOVER, &handover)
        .output()
        .unwrap();
    drop(held);
    let said = String::from_utf8_lossy(&reader.stdout);
    assert!(reader.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&reader.stderr));
}

/// What of this process is resident, and what of that no other process maps, in KiB.
fn resident_and_private() -> [u64; 2] {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let sum = |of: &str| -> u64 {
        let lines = rollup.lines().filter_map(|line| line.strip_prefix(of)?.split_once(':'));
        lines.map(|(_, kib)| kib.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap()).sum()
    };
    [sum("Rss"), sum("Private")]
}

#[test]
#[ignore = "the second process of the test above, which starts it"]
fn the_other_process() {
    let Ok(handover) = std::env::var(HANDOVER) else { return };
    let (block, located): (BlockRef, Located) = postcard::from_bytes(&std::fs::read(&handover).unwrap()).unwrap();
    let store = store(&Path::new(&handover).with_file_name("reader"));
    let (before, begin) = (resident_and_private(), Instant::now());
    store.adopt(&block, located).unwrap();
    let mut reader = store.find(&block).unwrap().open().unwrap();
    let (mut rows, mut sum, mut batches) = (0, 0i64, Vec::new());
    while let Some(batch) = reader.next_batch().unwrap() {
        rows += batch.num_rows() as u64;
        sum += batch.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
        batches.push(batch);
    }
    let took = begin.elapsed();
    let now = resident_and_private();
    let [resident, private] = [0, 1].map(|of| now[of].saturating_sub(before[of]));
    println!("{} in {took:?}: {resident} KiB resident, {private} KiB of them private", block.meta.bytes);
    assert_eq!((rows, sum), (block.meta.rows.get(), (0..BATCHES * BATCH).sum::<i64>()));
    assert!(resident > 31 << 10, "32 MiB are mapped and were read, {resident} KiB are resident");
    assert!(private < 8 << 10, "32 MiB are held, {private} KiB of them privately");
    assert_eq!(batches.len() as i64, BATCHES);
}
