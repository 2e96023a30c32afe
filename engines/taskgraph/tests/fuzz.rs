//! The task-graph machines under every fault the simulator knows.

use bench_model::{Call, Exchange, Fragment, FragmentId, Graph, Input, KernelId, Nanos, Read};
use bench_sim::{FaultKind, FuzzReport, Sim, SimOptions, fuzz, run_seed, trace_seed};
use bench_taskgraph::TaskGraph;
use std::sync::Arc;

fn show(name: &str, report: &FuzzReport) {
    for failure in &report.failures {
        println!("{failure}");
    }
    println!(
        "{name}: {} seeds, {} events, {} attempts, {} answered, {} failed, {:?}",
        report.seeds, report.events, report.attempts, report.answered, report.failed, report.fired
    );
}

/// Some seeds on clusters of that many nodes. Work is balanced more often than by default: simulated tasks are short.
fn passes_on(nodes: u32, seeds: std::ops::Range<u64>) -> FuzzReport {
    let settings = [("stealing_interval_ms".to_owned(), "100".to_owned())].into();
    let options = SimOptions { sizes: vec![nodes], settings, ..SimOptions::default() };
    let report = fuzz(&TaskGraph::new(), seeds, &options, |_| {});
    show(&format!("{nodes} nodes"), &report);
    assert_eq!(report.failures, [], "replay with: bench sim --style taskgraph --nodes {nodes} --seed N");
    report
}

#[test]
fn ten_thousand_seeds_pass_and_every_kind_of_fault_fires() {
    let mut fired = std::collections::BTreeMap::new();
    let (mut answered, mut failed) = (0, 0);
    for (nodes, seeds) in [(1, 0..3_000), (3, 3_000..7_000), (10, 7_000..10_000)] {
        let report = passes_on(nodes, seeds);
        answered += report.answered;
        failed += report.failed;
        for (kind, times) in report.fired {
            *fired.entry(kind).or_insert(0) += times;
        }
    }
    for kind in FaultKind::ALL {
        assert!(fired.get(kind).is_some_and(|n| *n > 100), "{} was not tested", kind.name());
    }
    assert!(answered > 5 * failed, "most jobs should survive their faults");
}

#[test]
fn wider_jobs_on_more_slots_pass() {
    let options = SimOptions { nodes: 10, slots: 8, jobs: 3, tasks: 150, faults: 30, ..SimOptions::default() };
    let report = fuzz(&TaskGraph::new(), 20_000..20_600, &options, |_| {});
    show("wide", &report);
    assert_eq!(report.failures, []);
}

#[test]
fn seeds_pass_with_settings_that_exercise_what_defaults_do_not() {
    let settings: [&[(&str, &str)]; 4] = [
        &[("replicate", "3"), ("reduce_replicas_ms", "50")],
        &[("unknown_duration_ms", "20"), ("stealing_interval_ms", "10"), ("queuing", "off")],
        &[("memory_target", "0.2"), ("memory_spill", "0.3"), ("memory_pause", "0.4"), ("memory_terminate", "0.5")],
        &[("transfers", "1"), ("transfer_memory", "0.01"), ("locality", "off"), ("fuse", "off")],
    ];
    for (number, settings) in settings.into_iter().enumerate() {
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let options = SimOptions { nodes: 6, settings, ..SimOptions::default() };
        let start = 30_000 + 1_000 * number as u64;
        let report = fuzz(&TaskGraph::new(), start..start + 1_000, &options, |_| {});
        show("settings", &report);
        assert_eq!(report.failures, []);
    }
}

#[test]
fn without_faults_every_job_is_answered() {
    let options = SimOptions { faults: 0, ..SimOptions::default() };
    let report = fuzz(&TaskGraph::new(), 0..1_000, &options, |_| {});
    show("no faults", &report);
    assert_eq!(report.failures, []);
    assert_eq!(report.failed, 0);
}

#[test]
fn a_seed_replays_event_for_event() {
    for seed in [3, 77, 1234] {
        let first = trace_seed(&TaskGraph::new(), seed, &SimOptions::default());
        assert_eq!(first, trace_seed(&TaskGraph::new(), seed, &SimOptions::default()));
        assert_eq!(first.1, run_seed(&TaskGraph::new(), seed, &SimOptions::default()), "tracing changes nothing");
        assert!(first.0.lines().count() > 10);
    }
}

/// Of a million seeds, those that failed: a late word of the disk about a block that had been lost since, a fused chain that ran on after
/// its key had been placed anew, and a shuffle that started over before a lost message to free what it had read.
#[test]
fn seeds_that_failed_once_pass() {
    for (nodes, seeds) in
        [(3, [167_761, 187_504, 355_834, 410_764, 884_053].as_slice()), (10, &[314_537, 450_458, 501_701])]
    {
        let options = SimOptions { sizes: vec![nodes], ..SimOptions::default() };
        for seed in seeds {
            assert_eq!(run_seed(&TaskGraph::new(), *seed, &options).err(), None);
        }
    }
}

#[test]
fn the_planted_defect_is_found() {
    let options = SimOptions::default();
    let report = fuzz(&TaskGraph::planted(), 0..10_000, &options, |_| {});
    let first = report.failures.first().expect("the planted defect was not found");
    println!("{} of {} seeds; {first}", report.failures.len(), report.seeds);
    let again = run_seed(&TaskGraph::planted(), first.seed, &options);
    assert_eq!(again.as_ref(), Err(first), "a failing seed fails again in the same way");
}

fn fragment(id: u32, tasks: u32, inputs: &[(u32, Read)], exchange: Exchange, outputs: u32) -> Fragment {
    let call = Call { kernel: KernelId::new("sim/1"), args: Default::default() };
    let inputs = inputs.iter().map(|(from, read)| Input { from: FragmentId(*from), read: read.clone() }).collect();
    let options = Default::default();
    Fragment { id: FragmentId(id), call, inputs, tasks, exchange, outputs, waits_for: vec![], options }
}

/// Two shuffled sides, a join, another shuffle, and a gather.
fn join(width: u32, partitions: u32) -> Arc<Graph> {
    let fragments = vec![
        fragment(0, width, &[], Exchange::Hash, partitions),
        fragment(1, width / 2, &[], Exchange::Hash, partitions),
        fragment(2, partitions, &[(0, Read::Aligned), (1, Read::Aligned)], Exchange::Hash, partitions),
        fragment(3, partitions, &[(2, Read::Aligned)], Exchange::Gather, 1),
        fragment(4, 1, &[(3, Read::All)], Exchange::Collect, 1),
    ];
    Arc::new(Graph { fragments, result: FragmentId(4) })
}

#[test]
fn a_hundred_nodes_finish() {
    for (p2p, faults) in [("on", 0), ("off", 0), ("on", 40)] {
        let options = SimOptions {
            sizes: vec![100],
            slots: 4,
            faults,
            vary_switches: false,
            // A worker that runs out of memory makes its shuffle start over: here each task is to run once.
            settings: [("p2p", p2p), ("terminate", "off")].map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
            events_max: u64::MAX,
            deadline: Nanos::from_millis(100_000_000),
            ..SimOptions::default()
        };
        let style = TaskGraph::new();
        let mut sim = Sim::with_graphs(&style, 5, &options, vec![join(200, 60)]).unwrap();
        let summary = sim.run().unwrap();
        println!(
            "p2p {p2p}, {faults} faults: {} events, {} attempts, {}",
            summary.events, summary.attempts, summary.makespan
        );
        assert_eq!(summary.answered + summary.failed, 1);
        assert!(faults > 0 || (summary.answered == 1 && summary.attempts == 200 + 100 + 60 + 60 + 1));
    }
}

#[test]
fn a_shuffle_that_loses_a_worker_starts_over_and_answers() {
    let options = SimOptions { nodes: 4, faults: 6, vary_switches: false, ..SimOptions::default() };
    let (style, mut restarts) = (TaskGraph::new(), 0);
    for seed in 0..400 {
        let mut sim = Sim::with_graphs(&style, seed, &options, vec![join(12, 6)]).unwrap().traced();
        let summary = sim.run().unwrap();
        let restarted = sim.take_trace().contains("StartedOver(");
        restarts += u32::from(restarted && summary.answered == 1);
    }
    println!("{restarts} of 400 seeds restarted a shuffle and were answered");
    assert!(restarts > 50);
}

#[test]
fn every_mechanism_is_at_work_in_the_fuzzed_clusters() {
    let words = ["Stolen(", "Spilled(", "StartedOver(", "starts over empty", "is gone", "Barrier {", "Ignored("];
    let mut seen = words.map(|_| 0);
    let options = SimOptions { nodes: 6, ..SimOptions::default() };
    for seed in 0..1_500 {
        let (trace, result) = trace_seed(&TaskGraph::new(), seed, &options);
        assert_eq!(result.err(), None);
        for (word, seen) in words.iter().zip(&mut seen) {
            *seen += u32::from(trace.contains(word));
        }
    }
    println!("seeds with each: {:?}", words.iter().zip(seen).collect::<Vec<_>>());
    assert!(seen.iter().all(|n| *n > 10));
}
