//! A report over 100,000 observations, from the folder to a table or an HTML page, takes less than two seconds.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must not report a time")]

use bench_record::{Arm, Case, Family, Journal, OBSERVATIONS_FILE, Observation, Outcome, Protocol, Run, Timestamp};
use bench_reports::{Format, Ink, Options, compare, compare_with_sources, html, render};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "../tests/fixture/mod.rs"]
mod fixture;

/// 43 workloads on three engines, as in a full suite, each with this many trials.
fn run(trials: u32) -> Run {
    let mut run = fixture::run();
    run.observations.clear();
    for i in 0..43 * 3 * trials {
        let (trial, at) = (i / (43 * 3), i % (43 * 3));
        let engine = ["stagedag", "datafusion", "datafusion-1t"][at as usize % 3];
        let case = Case {
            workload: format!("workload-{:02}", at / 3),
            protocol: Protocol::Warm(1),
            ..fixture::case(if at < 66 { Family::Sql } else { Family::Dataframe }, "", engine)
        };
        let mut o = Observation::new(case, Arm::Main, trial, Outcome::Completed, Timestamp::from_unix_ms(0));
        o.wall_ns = Some(100_000_000 + u64::from(i).wrapping_mul(2_654_435_761) % 10_000_000);
        run.observations.push(o);
    }
    run
}

/// The run on disk, written at once: syncing every line would take longer than everything measured here.
fn folder(run: &Run) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    drop(Journal::create(folder.path(), &run.context).expect("a new run"));
    let lines = run.observations.iter().map(|o| serde_json::to_string(o).expect("plain data") + "\n");
    std::fs::write(folder.path().join(OBSERVATIONS_FILE), lines.collect::<String>()).expect("a writable folder");
    folder
}

fn report(c: &mut Criterion) {
    let runs = [run(776)];
    assert!(runs[0].observations.len() > 100_000);
    let mut group = c.benchmark_group("report");
    group.sample_size(10);
    group.bench_function("100k observations to table", |b| {
        b.iter(|| {
            let comparison = compare(black_box(&runs), &Options::default());
            comparison.map(|c| render(&c, Format::Table, Ink::Plain).len())
        });
    });
    let folder = folder(&runs[0]);
    group.bench_function("load 100k observations", |b| {
        b.iter(|| Run::load(black_box(folder.path())).map(|run| run.observations.len()));
    });
    // What `bench report DIR --format html` does, from the folder to the page.
    let page = || {
        let runs = [Run::load(black_box(folder.path())).expect("a run")];
        let (comparison, sources) = compare_with_sources(&runs, &Options::default()).expect("a comparison");
        html(&comparison, &sources, &[]).expect("a page")
    };
    println!("100k observations: a page of {} KiB", page().len() / 1024);
    group.bench_function("100k observations, folder to HTML", |b| b.iter(page));
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
