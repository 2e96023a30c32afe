//! How many method calls a second go through the live host, in one process and over two node processes.
//!
//! Calls do nothing, each actor's run in order, and each hands its state to the next. All of them are known beforehand, so
//! what is measured is a stream of calls, not a caller that waits for each; with `pipelining` off an owner waits for each
//! call of an actor before it sends the next, which is what the last columns are for. Medians of some runs on standard
//! output, one line per number of actors.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at the first surprise")]

#[path = "../tests/fifo/mod.rs"]
mod fifo;
#[path = "../tests/nodes/mod.rs"]
mod nodes;

use bench_actor::Actor;
use bench_model::{
    ClusterSpec, EngineSetup, Fragment, FragmentId, Graph, Program, Read, Registry, Session, Style, Tuning,
};
use bench_node::{LiveEngine, LiveSession, NodeStyles, ProcessSetup, serve_node};
use fifo::graphs;
use nodes::{BUILD, Processes, options, plan};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLS: u32 = 100_000;
const RUNS: usize = 5;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("serve-node") {
        serve();
        return;
    }
    println!("{:>8}  {:>22}  {:>22}  {:>22}", "", "one process", "two nodes, no copies", "two nodes");
    println!("{:>8}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}", "actors", "on", "off", "on", "off", "on", "off");
    for actors in [1, 2, 16, 100] {
        let mut line = format!("{actors:>8}");
        for cluster in [ClusterSpec::default(), ClusterSpec::Processes { nodes: 2 }] {
            // Checkpoints copy states to the other node: apart, so that both can be seen.
            let kept: &[&str] = if cluster == ClusterSpec::default() { &["on"] } else { &["off", "on"] };
            for checkpoint in kept {
                for pipelining in ["on", "off"] {
                    let settings = [("pipelining", pipelining), ("checkpoint", *checkpoint)];
                    line += &format!("  {:>8.0}/s", calls_per_second(actors, &cluster, &settings));
                }
            }
        }
        println!("{line}");
    }
}

fn registry() -> Registry {
    Registry::default().with(Arc::new(graphs::Noop))
}

fn calls_per_second(actors: u32, cluster: &ClusterSpec, settings: &[(&str, &str)]) -> f64 {
    let scratch = tempfile::tempdir().unwrap();
    let tuning = Tuning::resolve(Actor.switches(), settings.iter().copied()).unwrap();
    let mut engine = LiveEngine::without_front(Actor, registry());
    let slots = if *cluster == ClusterSpec::default() { 2 } else { 1 };
    if *cluster != ClusterSpec::default() {
        engine = engine.with_nodes(plan(Arc::new(Processes::new(&["serve-node"]))));
    }
    let folder = scratch.path().to_owned();
    let setup = EngineSetup { slots, memory: None, scratch: folder, tuning, spans: false, cluster: cluster.clone() };
    let mut session: LiveSession<Actor> = engine.session(&setup).unwrap();
    let graph = calls(actors);
    let tasks = graph.tasks() as f64;
    let workload = graphs::workload("calls", Program::Graph(graph));
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            session.run(&workload, &Arc::default()).unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    tasks / times[RUNS / 2].as_secs_f64()
}

/// The calls of some actors, each of which reads the state that the one before it left.
fn calls(actors: u32) -> Graph {
    let round = |id: u32| -> Fragment {
        let inputs = if id == 0 { vec![] } else { graphs::reads(id - 1, Read::Forward) };
        let mut round = graphs::fragment(id, "noop/1", actors, inputs);
        round.options.actor = Some(0);
        round
    };
    let rounds = CALLS / actors;
    Graph { fragments: (0..rounds).map(round).collect(), result: FragmentId(rounds - 1) }
}

fn serve() {
    let styles = NodeStyles::new(registry).with(Actor);
    let setup = ProcessSetup {
        listen: "127.0.0.1:0".to_owned(),
        scratch: std::env::var_os("BENCH_TEST_SCRATCH").unwrap().into(),
        shared: None,
        build: BUILD.to_owned(),
        alone: None,
        small_pages: false,
        options: options(),
    };
    serve_node(styles, setup).unwrap();
}
