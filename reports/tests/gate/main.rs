//! Two builds side by side: every status, every refusal, and every format whole.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod formats;
mod proof;
mod refusals;
mod schemas;
mod turns;

use bench_record::{Arm, Case, Family, Observation, Outcome, Protocol, Run};
use bench_reports::cost::{Count, PriceBook, Purchase, built_in};
use bench_reports::gate::{
    Gate, GateError, GateFormat, GateOptions, GatePrices, Status, Uncertainty, Verdict, confirm, gate,
    price_slow_downs, write,
};
use bench_reports::{Ink, WIDTH};

const TRIALS: u32 = 12;
const TURNS: u64 = 3;

/// Times around a middle, another order for each seed, all different.
fn trials(case: &Case, arm: Arm, ms: f64, spread: f64, seed: u32) -> Vec<Observation> {
    let steps = [0.3, -1.0, 0.05, 1.0, -0.4, 0.7, -0.7, 0.15, -0.15, 0.5, -0.55, -0.02];
    let time = |i: u32| ms * (1.0 + spread * steps[((i * 5 + seed) % 12) as usize] + 1e-5 * f64::from(seed));
    (0..TRIALS).map(|i| fixture::completed(case, arm, i, time(i))).collect()
}

/// A run of 16 SQL workloads on two engines, datafusion with its twin; `factor` says what became of a case.
fn run(second: u64, build: &str, factor: impl Fn(&str, &str) -> f64) -> Run {
    let mut run = fixture::later(second * 1000, fixture::run());
    run.path = format!("results/{build}").into();
    run.context.bench.build_id = build.into();
    run.context.workloads.clear();
    run.observations.clear();
    for number in 1..=16u32 {
        let workload = format!("tpch-q{number:02}");
        for (engine, ms) in [("datafusion", 40.0), ("stagedag", 50.0)] {
            let case = fixture::case(Family::Sql, &workload, engine);
            let ms = ms * f64::from(number) * factor(&workload, engine);
            let seed = number + second as u32 % 7;
            run.observations.extend(trials(&case, Arm::Main, ms, 0.01, seed));
            if engine == "datafusion" {
                run.observations.extend(trials(&case, Arm::Twin, ms * 1.001, 0.01, seed + 3));
            }
        }
    }
    run
}

fn same(_: &str, _: &str) -> f64 {
    1.0
}

/// What a change did: two slower, one faster, and within the budget.
fn mixed(workload: &str, engine: &str) -> f64 {
    match (workload, engine) {
        ("tpch-q03", "stagedag") => 1.2,
        ("tpch-q07", "stagedag") => 1.08,
        ("tpch-q09", "stagedag") => 0.8,
        ("tpch-q11", "stagedag") => 1.025,
        _ => 1.0,
    }
}

const OPTIONS: GateOptions<'_> =
    GateOptions { budget: &|_| 0.05, allowed: &|_, _| None, may_lack: &|_| false, relative_to: None };

fn judge(base: &[Run], new: &[Run]) -> Result<Gate, GateError> {
    gate(base, new, &OPTIONS)
}

/// Runs of a build that takes turns with another one, A B B A; `place` is 0 for A and 1 for B.
fn side(place: u64, build: &str, factor: impl Fn(&str, &str) -> f64 + Copy) -> Vec<Run> {
    let one = |turn: u64| {
        let first = (turn + place) % 2;
        let mut run = run(120 * turn + 60 * first, build, factor);
        if turn > 0 {
            run.path = format!("results/{build}-{turn}").into();
        }
        run
    };
    (0..TURNS).map(one).collect()
}

/// Several turns, nothing changed before and this after.
fn judged(factor: impl Fn(&str, &str) -> f64 + Copy) -> Gate {
    judge(&side(0, "old", same), &side(1, "new", factor)).unwrap()
}

/// Nothing changed but that NEW ended before its last workload, on both engines.
fn cut_short(options: &GateOptions<'_>) -> Gate {
    let mut new = side(1, "new", same);
    new.iter_mut().for_each(|run| run.observations.retain(|o| o.case.workload != "tpch-q16"));
    gate(&side(0, "old", same), &new, options).unwrap()
}

/// One run a side.
fn judged_once(factor: impl Fn(&str, &str) -> f64) -> Gate {
    judge(&[run(0, "old", same)], &[run(60, "new", factor)]).unwrap()
}

fn status(gate: &Gate, workload: &str) -> Status {
    gate.findings.iter().find(|f| f.case.workload == workload && f.case.engine == "stagedag").unwrap().status
}
