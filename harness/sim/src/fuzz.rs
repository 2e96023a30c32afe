//! One seed, many seeds, the trace of one.

use crate::options::{FuzzReport, SimFailure, SimOptions, SimSummary};
use crate::sim::Sim;
use bench_model::Style;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Runs one seed to its end.
///
/// # Errors
/// The first thing that was wrong; the same seed and options give the same failure.
pub fn run_seed<S: Style>(style: &S, seed: u64, options: &SimOptions) -> Result<SimSummary, SimFailure> {
    Sim::new(style, seed, options)?.run()
}

/// Runs one seed and writes down what happened, one line per event: the same text every time.
///
/// # Errors
/// As [`run_seed`]; the text then ends where the failure was found.
pub fn trace_seed<S: Style>(style: &S, seed: u64, options: &SimOptions) -> (String, Result<SimSummary, SimFailure>) {
    let sim = Sim::new(style, seed, options).map(Sim::traced);
    match sim {
        Ok(mut sim) => {
            let result = sim.run();
            (sim.take_trace(), result)
        }
        Err(failure) => (String::new(), Err(failure)),
    }
}

/// Runs many seeds on `options.threads` threads, calling `progress` with the number of finished seeds now and then.
/// Stops early when 20 seeds have failed.
pub fn fuzz<S: Style>(style: &S, seeds: Range<u64>, options: &SimOptions, progress: impl Fn(u64) + Sync) -> FuzzReport {
    fuzz_until(style, seeds, options, &AtomicBool::new(false), progress)
}

/// As [`fuzz`], until `stop` turns true: seeds under way are then run to their end, so that the next one not run is
/// `seeds.start` plus the number of seeds that ran.
pub fn fuzz_until<S: Style>(
    style: &S,
    seeds: Range<u64>,
    options: &SimOptions,
    stop: &AtomicBool,
    progress: impl Fn(u64) + Sync,
) -> FuzzReport {
    let next = AtomicU64::new(seeds.start);
    let done = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let worker = || {
        let mut report = FuzzReport::default();
        while !enough.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            match run_seed(style, seed, options) {
                Ok(summary) => report.add(&summary),
                Err(failure) => {
                    report.seeds += 1;
                    report.failures.push(failure);
                    enough.fetch_or(report.failures.len() >= FAILURES_MAX, Ordering::Relaxed);
                }
            }
            let finished = done.fetch_add(1, Ordering::Relaxed) + 1;
            if finished.is_multiple_of(PROGRESS_EVERY) {
                progress(finished);
            }
        }
        report
    };
    let mut total = FuzzReport::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(worker)).collect();
        for thread in threads {
            match thread.join() {
                Ok(report) => total.merge(report),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    total
}

const FAILURES_MAX: usize = 20;
const PROGRESS_EVERY: u64 = 100;
