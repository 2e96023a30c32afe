//! Runs of a hostile machine whose truth is known.
//!
//! The logarithm of a time is the sum of: its case; what all engines share at that time, which drifts (an autoregressive series through
//! both builds' runs, in the order in which they are made); what its process has in common; what each trial has of its own, more in some
//! cases than in others; and in one round of twenty a burst, which meets all engines of that round and only makes times longer. None of it
//! is the model that the gate estimates: that has neither bursts nor a shape of the drift, and its controls are the other engines.

use super::Count;
use crate::compare::{CaseTrials, RunTimes};
use crate::gate::Cases;
use crate::stats::SplitMix;
use bench_record::{Case, Family, Outcome, Protocol, Timestamp};
use std::collections::BTreeMap;

const ENGINES: [&str; 5] = ["actor", "taskgraph", "stagedag", "datafusion", "duckdb"];
const WORKLOADS: usize = 4;
/// One of so many rounds meets a burst.
const BURSTS: usize = 20;
/// What is left of the drift's deviation from one workload to the next.
const PERSISTENCE: f64 = 0.95;

/// How noisy a machine is, as shares.
struct Machine {
    name: &'static str,
    /// Of one trial, in the middle: between half and twice as much by case.
    within: f64,
    /// Of one process.
    between: f64,
    /// Of what all share.
    drift: f64,
}

static MACHINES: [Machine; 4] = [
    Machine { name: "steady (1 %, 0.3 %, no drift)", within: 0.01, between: 0.003, drift: 0.0 },
    Machine { name: "usual (3 %, 1 %, drift 2 %)", within: 0.03, between: 0.01, drift: 0.02 },
    Machine { name: "drifting (3 %, 0.5 %, drift 10 %)", within: 0.03, between: 0.005, drift: 0.10 },
    Machine { name: "noisy (10 %, 4 %, drift 10 %)", within: 0.10, between: 0.04, drift: 0.10 },
];
/// Turns, and trials of each run; `ci/gate.sh` takes six turns of four trials.
const SIZES: [(usize, usize); 4] = [(1, 12), (3, 4), (6, 4), (10, 2)];

/// A machine and a size of its runs; its experiments are the same however settings are counted, since each has its own random sequence.
#[derive(Clone, Copy)]
pub struct Setting {
    number: usize,
    machine: &'static Machine,
    turns: usize,
    trials: usize,
}

/// Every setting that is simulated, in the order in which they are shown.
#[must_use]
pub fn settings() -> Vec<Setting> {
    let with = |(number, machine): (usize, &'static Machine)| {
        SIZES.map(|(turns, trials)| Setting { number, machine, turns, trials })
    };
    MACHINES.iter().enumerate().flat_map(with).collect()
}

impl Setting {
    /// Judges so many comparisons.
    #[must_use]
    pub fn count(self, experiments: usize) -> Count {
        let Self { number, machine, turns, trials } = self;
        let mut random = SplitMix::new((number * 1000 + turns) as u64);
        let mut count = Count::new(machine.name, turns, trials);
        for experiment in 0..experiments {
            let (old, fresh) = sides(machine, turns, trials, &mut random);
            count.judge(&old, &fresh, experiment);
        }
        count
    }
}

/// Both sides' runs, A B B A.
fn sides(machine: &Machine, turns: usize, trials: usize, random: &mut SplitMix) -> (Cases, Cases) {
    let (mut old, mut fresh) = (Cases::new(), Cases::new());
    let noise: Vec<f64> =
        (0..WORKLOADS * ENGINES.len()).map(|_| machine.within * 2f64.powf(normal(random).clamp(-1.0, 1.0))).collect();
    let mut drift = machine.drift * normal(random);
    for run in 0..2 * turns {
        let started_at = Timestamp::from_unix_ms(run as u64);
        let side = if matches!(run % 4, 0 | 3) { &mut old } else { &mut fresh };
        let mut cases: BTreeMap<Case, RunTimes> = BTreeMap::new();
        for workload in 0..WORKLOADS {
            drift = PERSISTENCE * drift + machine.drift * (1.0 - PERSISTENCE * PERSISTENCE).sqrt() * normal(random);
            let processes: Vec<[f64; 2]> =
                ENGINES.iter().map(|_| [machine.between * normal(random), machine.between * normal(random)]).collect();
            for _ in 0..trials {
                let burst = if random.below(BURSTS) == 0 { uniform(random) } else { 0.0 };
                for (engine, (name, process)) in ENGINES.iter().zip(&processes).enumerate() {
                    let within = noise.get(workload * ENGINES.len() + engine).copied().unwrap_or(machine.within);
                    let times = cases.entry(case(workload, name)).or_insert_with(|| RunTimes {
                        started_at,
                        main: Vec::new(),
                        twin: Vec::new(),
                    });
                    let mut time = |process: f64| {
                        let hit = burst * uniform(random);
                        (workload + 1) as f64 * 1e7 * (drift + process + within * normal(random) + hit).exp()
                    };
                    let [main, twin] = *process;
                    times.main.push(time(main));
                    if engine == 0 {
                        times.twin.push(time(twin));
                    }
                }
            }
        }
        for (case, times) in cases {
            let empty =
                || CaseTrials { outcome: Outcome::Completed, reason: None, runs: Vec::new(), contaminated: false };
            side.entry(case).or_insert_with(empty).runs.push(times);
        }
    }
    (old, fresh)
}

fn case(workload: usize, engine: &str) -> Case {
    Case {
        suite: "simulated".into(),
        family: Family::Sql,
        workload: format!("q{workload:02}"),
        engine: engine.into(),
        variant: Case::DEFAULT_VARIANT.into(),
        cluster: "local".into(),
        nodes: 1,
        slots: 1,
        protocol: Protocol::Warm(1),
        scale: 1,
    }
}

/// Above 0, and up to 1.
fn uniform(random: &mut SplitMix) -> f64 {
    ((random.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// Box and Muller 1958.
fn normal(random: &mut SplitMix) -> f64 {
    (-2.0 * uniform(random).ln()).sqrt() * (std::f64::consts::TAU * uniform(random)).cos()
}
