//! Synthetic runs of products and styles.

use crate::fixture::{self, completed};
use bench_record::{Arm, Case, EngineContext, Family, Observation, Outcome, Run, Tuning};

pub(crate) const WORKLOADS: [(&str, f64); 2] = [("tpch-q01", 400.0), ("tpch-q02", 100.0)];

pub(crate) fn case(workload: &str, engine: &str) -> Case {
    fixture::case(Family::Sql, workload, engine)
}

/// `n` trials within a percent of a time.
pub(crate) fn trials(case: &Case, arm: Arm, n: u32, wall_ms: f64) -> Vec<Observation> {
    let step = |i: u32| 1.0 + f64::from((i * 7) % 11) / 1000.0;
    (0..n).map(|i| completed(case, arm, i, wall_ms * step(i))).collect()
}

/// Ten trials of each of these engines on both queries, so many times as long as the query takes; the first engine has an
/// A/A arm one percent away.
pub(crate) fn observations(engines: &[(&str, f64)]) -> Vec<Observation> {
    let mut all = Vec::new();
    for (workload, ms) in WORKLOADS {
        for (i, (engine, factor)) in engines.iter().enumerate() {
            let case = case(workload, engine);
            all.extend(trials(&case, Arm::Main, 10, ms * factor));
            if i == 0 {
                all.extend(trials(&case, Arm::Twin, 10, ms * factor * 1.01));
            }
        }
    }
    all
}

/// A run with these trials: every engine that is in them is in its context.
pub(crate) fn run(name: &str, observations: Vec<Observation>) -> Run {
    let mut run = Run { path: format!("results/{name}").into(), observations, ..fixture::run() };
    let (context, observations) = (&mut run.context, &run.observations);
    context.engines.clear();
    for case in observations.iter().map(|o| &o.case) {
        let engine = EngineContext {
            name: case.engine.clone(),
            variant: case.variant.clone(),
            version: "1".into(),
            slots: case.slots,
            memory_bytes: None,
            tuning: Tuning::default(),
            settings: std::collections::BTreeMap::new(),
        };
        if !context.engines.contains(&engine) {
            context.engines.push(engine);
        }
    }
    fixture::later(name.bytes().map(u64::from).sum(), run)
}

/// The three products as the claim has it.
pub(crate) fn as_claimed() -> Vec<Observation> {
    observations(&[("dask", 1.2), ("ray", 1.5), ("spark", 1.8)])
}

/// The same trials elsewhere.
pub(crate) fn moved(mut all: Vec<Observation>, to: impl Fn(&mut Case)) -> Vec<Observation> {
    for o in &mut all {
        to(&mut o.case);
        o.key = o.case.key();
    }
    all
}

/// The same trials, but one of these did not complete.
pub(crate) fn broken(mut all: Vec<Observation>, engine: &str, outcome: Outcome) -> Vec<Observation> {
    let one = all.iter_mut().find(|o| o.case.engine == engine && o.case.workload == "tpch-q02").unwrap();
    *one = fixture::ended(&one.case.clone(), one.trial, outcome, "because");
    all
}
