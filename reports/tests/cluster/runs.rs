//! Synthetic runs on clusters: several node counts, faults, and mechanisms switched off.

use crate::fixture::{self, completed};
use bench_record::{
    Arm, Case, ClusterContext, DatasetContext, EngineContext, Family, Nanos, Observation, Outcome, Run, SpanKind,
    SpanReport, WorkloadContext,
};

/// The workloads of these runs with how long one node of `datafusion` takes, in milliseconds.
pub(crate) const WORKLOADS: [(&str, f64); 3] = [("tpch-q01", 400.0), ("tpch-q02", 100.0), ("tpch-q18", 1200.0)];

/// A case of a style on node processes.
pub(crate) fn case(workload: &str, engine: &str, nodes: u32, slots: u32) -> Case {
    let cluster = if engine == "datafusion" { "local" } else { "processes" };
    Case { cluster: cluster.into(), nodes, slots, ..fixture::case(Family::Sql, workload, engine) }
}

/// `n` trials within a percent of a time.
pub(crate) fn trials(case: &Case, n: u32, wall_ms: f64) -> Vec<Observation> {
    let step = |i: u32| 1.0 + f64::from((i * 7) % 11) / 1000.0;
    (0..n).map(|i| completed(case, Arm::Main, i, wall_ms * step(i))).collect()
}

/// An A/A arm of the first of these engines that did not differ at all; none where faults make two trials differ.
fn twins(words: &[&str], trials: &[Observation]) -> Vec<Observation> {
    let is_there = trials.iter().any(|o| o.arm == Arm::Twin) || words.contains(&"--faults");
    let Some(first) = trials.first().map(|o| &o.case).filter(|_| !is_there) else { return Vec::new() };
    let like = |c: &Case| (&c.engine, &c.variant) == (&first.engine, &first.variant);
    let own = trials.iter().filter(|o| like(&o.case) && o.outcome == Outcome::Completed && !o.contaminated);
    own.map(|o| Observation { arm: Arm::Twin, ..o.clone() }).collect()
}

/// A run with these trials and an A/A arm of its first engine: every engine that is in them is in its context.
pub(crate) fn run(name: &str, words: &[&str], mut observations: Vec<Observation>) -> Run {
    observations.extend(twins(words, &observations));
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
            tuning: bench_record::Tuning::default(),
            settings: std::collections::BTreeMap::new(),
        };
        if !context.engines.contains(&engine) {
            context.engines.push(engine);
        }
    }
    context.command_line.extend(words.iter().map(|w| (*w).to_owned()));
    context.cluster = ClusterContext { name: "processes".into(), nodes: 4, ..ClusterContext::local() };
    fixture::later(name.bytes().map(u64::from).sum(), run)
}

/// Three styles on 1, 2 and 4 nodes of a machine with two cores, which the nodes share, and `datafusion` in one process.
pub(crate) fn nodes() -> Run {
    let mut all = Vec::new();
    for (workload, ms) in WORKLOADS {
        for (engine, factor) in [("actor", 1.1), ("taskgraph", 1.2), ("stagedag", 1.0)] {
            for (nodes, slots, slower) in [(1, 2, 1.0), (2, 1, 1.15), (4, 1, 0.7)] {
                all.extend(with_spans(trials(&case(workload, engine, nodes, slots), 6, ms * factor * slower)));
            }
        }
        all.extend(trials(&case(workload, "datafusion", 1, 2), 6, ms));
    }
    run("nodes", &[], all)
}

/// Those trials, four fifths of whose slots computed.
pub(crate) fn with_spans(mut trials: Vec<Observation>) -> Vec<Observation> {
    for o in &mut trials {
        let makespan = o.wall_ns.unwrap_or_default() / 100 * 100;
        let slots = o.case.nodes * o.case.slots;
        let mut spans = SpanReport { slots, makespan_ns: Nanos::new(makespan), ..SpanReport::default() };
        let all = makespan * u64::from(slots);
        spans.add(SpanKind::Compute, Nanos::new(all / 100 * 80));
        spans.add(SpanKind::IdleBarrier, Nanos::new(all - all / 100 * 80));
        o.spans = Some(spans);
    }
    trials
}

/// What came of a fault, as it is recorded.
pub(crate) struct Hurt {
    /// As planned.
    pub(crate) fault: &'static str,
    /// When it fired, was noticed, and was made good: milliseconds from submit.
    pub(crate) fired: Option<u64>,
    pub(crate) detected: Option<u64>,
    pub(crate) recovered: Option<u64>,
    /// Tasks that ran again.
    pub(crate) repeated: u64,
    /// Their time in milliseconds, of 100 that all tasks took; none where nobody measured it.
    pub(crate) wasted: Option<u64>,
}

/// A trial after which this is recorded of its faults.
pub(crate) fn hurt(mut trial: Observation, faults: &[Hurt]) -> Observation {
    let ns = |ms: Option<u64>| ms.map(|ms| ms * 1_000_000);
    let mut outcomes = Vec::new();
    for f in faults {
        let mut outcome = serde_json::json!({
            "fault": f.fault, "node": 2, "tasks_done": 5, "tasks_repeated": f.repeated,
        });
        for (key, at) in [("fired_ns", f.fired), ("detected_ns", f.detected), ("recovered_ns", f.recovered)] {
            if let Some(at) = ns(at) {
                outcome[key] = at.into();
            }
        }
        if let Some(wasted) = ns(f.wasted) {
            outcome["repeated_ns"] = wasted.into();
            outcome["tasks_ns"] = 100_000_000.into();
        }
        if f.fired.is_none() {
            outcome["void"] = "the job ended first".into();
        }
        outcomes.push(outcome);
    }
    trial.faults = serde_json::from_value(outcomes.into()).unwrap();
    trial
}

/// A trial of `actor` and of `stagedag` on four nodes under `kill@50%`, six per workload: on `tpch-q02` one is over before
/// its fault, one of `actor` fails there without a word, and one of `stagedag` fails after it.
pub(crate) fn faults() -> Run {
    let mut all = Vec::new();
    for (workload, ms) in WORKLOADS {
        for (engine, slower) in [("actor", 1.3), ("stagedag", 1.5)] {
            let case = case(workload, engine, 4, 1);
            for (trial, i) in trials(&case, 6, ms * slower).into_iter().zip(0..) {
                let late = workload == "tpch-q02" && i == 0;
                let kill = Hurt {
                    fault: "kill@50%",
                    fired: (!late).then_some(40),
                    detected: (!late).then_some(45 + i),
                    recovered: (!late && i != 3).then_some(70 + i),
                    repeated: if late { 0 } else { 3 + i % 2 },
                    // As builds before the second schema wrote it.
                    wasted: (engine == "stagedag").then_some(10 + i),
                };
                let fails = |reason: &str| fixture::ended(&case, trial.trial, Outcome::Failed, reason);
                all.push(match (workload, engine, i) {
                    ("tpch-q02", "actor", 5) => fails("the owner died"),
                    ("tpch-q02", "stagedag", 5) => hurt(fails("no node is left"), &[kill]),
                    _ => hurt(trial, &[kill]),
                });
            }
        }
    }
    run("faults", &["--faults", "kill@50%"], all)
}

/// `stagedag` as it is and with three mechanisms off, one at a time: one is worth much on one workload, one costs, one does
/// nothing.
pub(crate) fn ablation() -> Run {
    let mut all = Vec::new();
    for (workload, ms) in WORKLOADS {
        let long = workload == "tpch-q18";
        let variants = [
            ("default", 1.0),
            ("adaptive=off", if long { 1.8 } else { 1.05 }),
            ("speculation=off", if long { 0.9 } else { 1.0 }),
            ("fusion=off", 1.001),
        ];
        for (variant, factor) in variants {
            let case = Case { variant: variant.into(), ..case(workload, "stagedag", 4, 1) };
            all.extend(trials(&case, 8, ms * factor));
        }
        all.extend(trials(&case(workload, "datafusion", 1, 2), 8, ms * 0.8));
    }
    run("ablation", &["--ablate"], all)
}

/// The case over data of that many times the suite's own.
pub(crate) fn at(case: Case, scale: u32) -> Case {
    Case { scale, ..case }
}

/// `actor` and `stagedag` on as many nodes as the data are times the suite's own, and `datafusion` in one process over all
/// of them. What a workload takes grows by a tenth with each node.
pub(crate) fn grown(scales: &[u32]) -> Run {
    let mut all = Vec::new();
    for scale in scales.iter().copied() {
        let slower = 1.0 + 0.1 * f64::from(scale - 1);
        for (workload, ms) in WORKLOADS {
            for (engine, factor) in [("actor", 1.1), ("stagedag", 1.0)] {
                let case = at(case(workload, engine, scale, 1), scale);
                all.extend(trials(&case, 6, ms * factor * slower));
            }
            let case = at(case(workload, "datafusion", 1, 2), scale);
            all.extend(trials(&case, 6, ms * f64::from(scale)));
        }
    }
    at_scales(scales, all)
}

/// A run at several scales.
pub(crate) fn at_scales(scales: &[u32], all: Vec<Observation>) -> Run {
    let mut run = run("grown", &["--scaling", "weak"], all);
    let data = run.context.datasets[0].clone();
    let work = run.context.workloads[0].clone();
    let named = |scale: u32| format!("tpch-sf{scale}");
    let checksum = |scale: u32| format!("{scale:04x}");
    let data_at = |scale| DatasetContext { name: named(scale), checksum: checksum(scale), scale, ..data.clone() };
    run.context.datasets = scales.iter().map(|scale| data_at(*scale)).collect();
    run.context.machine.cores = 8;
    let work_at = |scale| WorkloadContext { checksum: checksum(scale), scale, ..work.clone() };
    run.context.workloads = scales.iter().map(|scale| work_at(*scale)).collect();
    run
}
