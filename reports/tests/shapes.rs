//! A report over a hundred thousand observations takes less than two seconds, whatever their shape.
//!
//! Ignored by default, because it is about time: a quiet machine and an optimized build say something, others do not.
//! `cargo test --release -p bench-reports --test shapes -- --ignored --nocapture --test-threads 1`

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod fixture;

use bench_record::{Arm, Case, Family, Observation, Outcome, Run, Timestamp};
use bench_reports::{Format, Ink, Options, compare_with_sources, html, render};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(2);

/// So many cases of so many trials on three engines, each time different from all others or, `tied`, one of few.
fn shape(cases: u32, trials: u32, tied: bool) -> Run {
    let mut run = fixture::run();
    run.observations.clear();
    let engines = ["stagedag", "datafusion", "datafusion-1t"];
    for at in 0..cases {
        let case = Case {
            workload: format!("workload-{:05}", at / 3),
            ..fixture::case(Family::Sql, "", engines[at as usize % 3])
        };
        for i in 0..trials {
            let arm = if at % 3 == 1 && i % 2 == 1 { Arm::Twin } else { Arm::Main };
            let mut o = Observation::new(case.clone(), arm, i, Outcome::Completed, Timestamp::from_unix_ms(0));
            let noise = u64::from(at * trials + i).wrapping_mul(2_654_435_761) % 10_000_000;
            o.wall_ns = Some(
                100_000_000 + u64::from(at % 3) * 4_000_000 + if tied { noise / 1_000_000 * 1_000_000 } else { noise },
            );
            o.rss_bytes_peak = Some(200 << 20);
            run.observations.push(o);
        }
    }
    run
}

fn took(name: &str, runs: &[Run]) -> Duration {
    let began = Instant::now();
    let (comparison, sources) = compare_with_sources(runs, &Options::default()).unwrap();
    let compared = began.elapsed();
    let page = html(&comparison, &sources, &[]).unwrap();
    let drawn = began.elapsed();
    let text = render(&comparison, Format::Table, Ink::Plain);
    let all = began.elapsed();
    println!(
        "{name}: compared in {compared:?}, page of {} KiB at {drawn:?}, table of {} at {all:?}",
        page.len() >> 10,
        text.len()
    );
    drawn
}

#[test]
#[ignore = "it is about time: see the top of the file"]
fn no_shape_of_a_hundred_thousand_observations_takes_two_seconds() {
    let shapes: [(&str, &[Run]); 6] = [
        ("129 cases of 776 trials", &[shape(129, 776, false)]),
        ("20,000 cases of 5 trials", &[shape(20_000, 5, false)]),
        ("20,000 cases of 5 tied trials", &[shape(20_000, 5, true)]),
        ("5,000 cases of 20 trials", &[shape(5_000, 20, false)]),
        ("3 cases of 33,334 trials", &[shape(3, 33_334, false)]),
        ("1,000 cases of 100 tied trials", &[shape(1_000, 100, true)]),
    ];
    let mut slow = Vec::new();
    for (name, runs) in shapes {
        assert!(runs[0].observations.len() >= 100_000, "{name}");
        let taken = took(name, runs);
        if taken >= LIMIT {
            slow.push(format!("{name}: {taken:?}"));
        }
    }
    // One long case beside short ones: all of them are tested together.
    let mut mixed = shape(3, 33_000, false);
    mixed
        .observations
        .extend(shape(240, 5, false).observations.into_iter().filter(|o| o.case.workload != "workload-00000"));
    let taken = took("a long case beside short ones", &[mixed]);
    if taken >= LIMIT {
        slow.push(format!("a long case beside short ones: {taken:?}"));
    }
    assert_eq!(slow, [""; 0]);
}
