//! A report over 100,000 observations takes less than two seconds.

use bench_record::{Arm, Case, Family, Observation, Outcome, Protocol, Run, Timestamp};
use bench_reports::{Format, Ink, Options, compare, render};
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
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
