//! A report over a hundred thousand observations takes less than two seconds, whatever their shape.
//!
//! How fast a machine is, and what else it does meanwhile, is no matter of the report's. So its time is held against that of
//! something which has to be done anyway, on the same observations, in the same process and in the same moments: reading them as lines
//! of JSON. A machine that reads a hundred thousand of them in READ has two seconds for the page.
//!
//! `cargo test --release -p bench-reports --test shapes -- --nocapture` prints the times.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod fixture;

use bench_record::{Arm, Case, Family, Observation, Outcome, Run, Timestamp};
use bench_reports::{Format, Ink, Options, compare_with_sources, html, render};
use std::time::{Duration, Instant};

/// The limit for a page, and what reading the same observations takes where a page has that long.
const LIMIT: Duration = Duration::from_secs(2);
const READ: Duration = Duration::from_millis(100);

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

/// How long a page takes, and how long reading what it shows.
fn took(name: &str, runs: &[Run]) -> (Duration, Duration) {
    let lines: Vec<Vec<u8>> =
        runs.iter().flat_map(|r| &r.observations).map(|o| serde_json::to_vec(o).unwrap()).collect();
    let began = Instant::now();
    let (comparison, sources) = compare_with_sources(runs, &Options::default()).unwrap();
    let compared = began.elapsed();
    let page = html(&comparison, &sources, &[]).unwrap();
    let drawn = began.elapsed();
    let text = render(&comparison, Format::Table, Ink::Plain);
    let all = began.elapsed();
    let reading = Instant::now();
    let read: usize = lines.iter().map(|l| serde_json::from_slice::<Observation>(l).unwrap().key.as_str().len()).sum();
    let reading = reading.elapsed();
    println!(
        "{name}: {read} bytes of keys read in {reading:?}; compared in {compared:?}, page of {} KiB at {drawn:?}, table of {} at {all:?}",
        page.len() >> 10,
        text.len()
    );
    (drawn, reading)
}

/// The times of a shape, if they are too long: of each the least of several attempts counts, for a machine may be interrupted.
fn too_slow(name: &str, runs: &[Run]) -> Option<String> {
    const ATTEMPTS: u32 = 3;
    assert!(runs[0].observations.len() >= 99_000, "{name}");
    let allowed = LIMIT.as_secs_f64() / READ.as_secs_f64();
    let (mut drawn, mut reading) = (Duration::MAX, Duration::MAX);
    for _ in 0..ATTEMPTS {
        let attempt = took(name, runs);
        (drawn, reading) = (drawn.min(attempt.0), reading.min(attempt.1));
        if drawn.as_secs_f64() < allowed * reading.as_secs_f64() {
            return None;
        }
    }
    Some(format!("{name}: {drawn:?} for the page, {reading:?} for reading"))
}

#[test]
fn no_shape_of_a_hundred_thousand_observations_takes_two_seconds() {
    let mut slow = Vec::new();
    for (name, cases, trials, tied) in [
        ("129 cases of 776 trials", 129, 776, false),
        ("20,000 cases of 5 trials", 20_000, 5, false),
        ("20,000 cases of 5 tied trials", 20_000, 5, true),
        ("5,000 cases of 20 trials", 5_000, 20, false),
        ("3 cases of 33,334 trials", 3, 33_334, false),
        ("1,000 cases of 100 tied trials", 1_000, 100, true),
    ] {
        slow.extend(too_slow(name, &[shape(cases, trials, tied)]));
    }
    // One long case beside short ones: all of them are tested together.
    let mut mixed = shape(3, 33_000, false);
    let short = shape(240, 5, false).observations.into_iter().filter(|o| o.case.workload != "workload-00000");
    mixed.observations.extend(short);
    slow.extend(too_slow("a long case beside short ones", &[mixed]));
    assert_eq!(slow, [""; 0]);
}
