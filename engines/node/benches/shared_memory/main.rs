//! What a block of 1 GB costs between two processes of one host, beside plain copies of as many bytes in the same run.
//!
//! - `put/sealed`: another process writes the rows to an output and commits it: encoded, checksummed, in shared memory;
//! - `put/memcpy shared`: that process copies 1 GB into a new file in shared memory that it has mapped: what a put costs that
//!   neither encodes nor checksums;
//! - `put/memcpy fresh`: that process copies 1 GB into memory that nobody has touched: what any new gigabyte costs;
//! - `put/memcpy warm`: the same into memory that is there already;
//! - `get/mapped`: this process maps the other's block and verifies and decodes all of it;
//! - `get/located`: the same without a look at the rows: what does not grow with the block;
//! - `get/memcpy fresh`: this process copies 1 GB into new memory, as a reader that copies would.
//!
//! Before the figures it says, on standard error, how much memory of its own this process has while it holds the block.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at the first surprise")]

mod copy;
mod owner;

use bench_model::BlockRef;
use bench_node::{BlockStore, Located, StoreOptions};
use criterion::{Criterion, Throughput};
use owner::Owner;
use std::path::Path;
use std::time::{Duration, Instant};

/// What each measurement moves.
const BYTES: usize = 1 << 30;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("own") {
        owner::serve(Path::new(&arguments.next().unwrap()));
        return;
    }
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let mut owner = Owner::start(folder.path());
    let reader = store(&folder.path().join("reader"));
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    {
        let mut group = criterion.benchmark_group("put");
        group.warm_up_time(Duration::from_millis(1)).throughput(Throughput::Bytes(BYTES as u64));
        for what in ["sealed", "memcpy shared", "memcpy fresh", "memcpy warm"] {
            group.bench_function(what, |b| {
                b.iter_custom(|times| (0..times).map(|_| owner.measure(what)).sum());
            });
        }
    }
    let (block, located) = owner.put();
    say_what_is_held(&reader, &block, &located);
    {
        let mut group = criterion.benchmark_group("get");
        group.warm_up_time(Duration::from_millis(1)).throughput(Throughput::Bytes(BYTES as u64));
        group.bench_function("mapped", |b| {
            b.iter_custom(|times| (0..times).map(|_| get(&reader, &block, &located)).sum())
        });
        group.bench_function("memcpy fresh", |b| b.iter_custom(|times| (0..times).map(|_| copy::fresh(BYTES)).sum()));
        group.bench_function("located", |b| {
            b.iter_custom(|times| {
                let locate = |_| {
                    let begin = Instant::now();
                    reader.adopt(&block, located.clone()).unwrap();
                    let took = begin.elapsed();
                    forget(&reader, &block);
                    took
                };
                (0..times).map(locate).sum()
            });
        });
    }
    criterion.final_summary();
}

fn store(folder: &Path) -> BlockStore {
    let [disk, sealed] = ["disk", "sealed"].map(|f| folder.join(f));
    std::fs::create_dir_all(&disk).unwrap();
    std::fs::create_dir_all(&sealed).unwrap();
    BlockStore::new(StoreOptions { folder: disk, shared: Some(sealed), compression: None })
}

fn forget(store: &BlockStore, block: &BlockRef) {
    store.release(block.id, block.attempt);
    store.sweep();
}

/// Maps the block, reads all of it, and lets it go again, which is not timed.
fn get(reader: &BlockStore, block: &BlockRef, located: &Located) -> Duration {
    let begin = Instant::now();
    reader.adopt(block, located.clone()).unwrap();
    let batches = bench_node::read_all(vec![reader.find(block).unwrap()]).unwrap();
    let took = begin.elapsed();
    assert_eq!(batches.iter().map(|b| b.num_rows() as u64).sum::<u64>(), block.meta.rows.get());
    drop(batches);
    forget(reader, block);
    took
}

fn say_what_is_held(reader: &BlockStore, block: &BlockRef, located: &Located) {
    let before = own_mib();
    reader.adopt(block, located.clone()).unwrap();
    let batches = bench_node::read_all(vec![reader.find(block).unwrap()]).unwrap();
    let grown = own_mib() - before;
    eprintln!(
        "a reader that holds all {} rows of {} has {grown} MiB more of its own",
        block.meta.rows, block.meta.bytes
    );
    drop(batches);
    forget(reader, block);
}

/// This process's anonymous memory: what nobody else's pages stand behind.
fn own_mib() -> i64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<i64>().unwrap() / 1024
}
