//! Runs drawn from a model whose truth is known.
//!
//! The logarithm of a time is that of its case, plus what its process has in common (normal), plus what each trial has of its own
//! (normal, and in one of twenty trials a disturbance on top that only makes it longer).

use super::Count;
use crate::compare::CaseTrials;
use crate::gate::Cases;
use crate::stats::SplitMix;
use bench_record::{Case, Family, Outcome, Protocol};

/// As many as there are queries of TPC-H.
const CASES: usize = 22;
/// Every so many-th case is slowed down.
const PLANTED_EVERY: usize = 8;

/// How noisy a machine is, as shares.
struct Machine {
    name: &'static str,
    /// Of one trial.
    within: f64,
    /// Of one process.
    between: f64,
}

const MACHINES: [Machine; 3] = [
    Machine { name: "simulated, steady (1 %, 0.2 %)", within: 0.01, between: 0.002 },
    Machine { name: "simulated, usual (3 %, 1 %)", within: 0.03, between: 0.01 },
    Machine { name: "simulated, noisy (8 %, 3 %)", within: 0.08, between: 0.03 },
];
const TRIALS: [usize; 3] = [5, 10, 30];

pub(super) fn counts(experiments: usize) -> Vec<Count> {
    let mut counts = Vec::new();
    for (number, machine) in MACHINES.iter().enumerate() {
        for trials in TRIALS {
            let mut random = SplitMix::new((number * 1000 + trials) as u64);
            let mut count = Count::new(machine.name, trials);
            for experiment in 0..experiments {
                let (old, fresh) = (run(machine, trials, &mut random), run(machine, trials, &mut random));
                count.judge(&old, &fresh, &|case| (case + experiment) % PLANTED_EVERY == 0);
            }
            counts.push(count);
        }
    }
    counts
}

fn run(machine: &Machine, trials: usize, random: &mut SplitMix) -> Cases {
    let mut process = |case: usize| -> Vec<f64> {
        let shared = machine.between * normal(random);
        let mut trial = || {
            let disturbed = random.below(20) == 0;
            let disturbance = if disturbed { 5.0 * machine.within * uniform(random) } else { 0.0 };
            (case + 1) as f64 * 1e7 * (shared + machine.within * normal(random) + disturbance).exp()
        };
        (0..trials).map(|_| trial()).collect()
    };
    let one = |number: usize| {
        let (times, twin) = (process(number), process(number));
        (case(number), CaseTrials { outcome: Outcome::Completed, reason: None, times, twin, contaminated: false })
    };
    (0..CASES).map(one).collect()
}

fn case(number: usize) -> Case {
    Case {
        suite: "simulated".into(),
        family: Family::Sql,
        workload: format!("q{number:02}"),
        engine: "simulated".into(),
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
