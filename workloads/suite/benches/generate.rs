//! How fast tables are made: rows of a spec to synced Parquet files, with one thread and with all cores.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must not report a time")]

use bench_suite::{DataStore, DatasetSpec, Groupby, Skew, Tpch};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

static GO: AtomicBool = AtomicBool::new(false);

fn make(c: &mut Criterion) {
    let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut group = c.benchmark_group("make");
    group.sample_size(10);
    let specs = [
        DatasetSpec::Tpch(Tpch { scale_factor: 0.1 }),
        DatasetSpec::Groupby(Groupby::uniform(1_000_000)),
        DatasetSpec::Groupby(Groupby { skew: Skew::Zipf12, null_percent: 5, ..Groupby::uniform(1_000_000) }),
    ];
    for spec in specs {
        // What the set stands for, so that sets of several kinds can be compared.
        group.throughput(Throughput::Bytes(spec.raw_bytes()));
        for threads in [NonZeroUsize::MIN, all] {
            group.bench_function(BenchmarkId::new(spec.name(), format!("{threads} threads")), |b| {
                b.iter_batched(
                    || tempfile::tempdir().expect("a temporary folder"),
                    |folder| {
                        let made = DataStore::new(folder.path()).make(&spec, threads, &(), &GO);
                        // The folder is handed back so that removing it is not measured.
                        (made.expect("room for a small set").rows(), folder)
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, make);
criterion_main!(benches);
