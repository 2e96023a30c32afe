//! How fast the simulator and the machines are: prints figures, asserts only what holds on any machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use bench_model::{
    Action, Addr, Call, Event, Exchange, Fragment, FragmentId, Graph, Input, JobId, KernelId, Machine, Nanos, NodeId,
    Read, Style, StyleEnv, TaskReport, TaskStats, Tuning,
};
use bench_sim::{Sim, SimOptions};
use bench_stagedag::{Msg, StageDag, StageDagMachine};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

fn fragment(id: u32, tasks: u32, read: Option<Read>, exchange: Exchange) -> Fragment {
    let call = Call { kernel: KernelId::new("noop/1"), args: Default::default() };
    let inputs = read.map(|read| Input { from: FragmentId(id - 1), read }).into_iter().collect();
    Fragment {
        id: FragmentId(id),
        call,
        inputs,
        tasks,
        exchange,
        outputs: 1,
        waits_for: vec![],
        options: Default::default(),
    }
}

fn graph(fragments: Vec<Fragment>) -> Arc<Graph> {
    let result = fragments.last().unwrap().id;
    Arc::new(Graph { fragments, result })
}

fn stages(count: u32, tasks: u32, read: &Read) -> Arc<Graph> {
    graph((0..count).map(|i| fragment(i, tasks, (i > 0).then(|| read.clone()), Exchange::Forward)).collect())
}

/// The zero-work graphs of 100,000 tasks that runtimes are measured on.
fn shapes() -> Vec<(&'static str, Arc<Graph>)> {
    let mut tree = vec![fragment(0, 50_000, None, Exchange::Forward)];
    while tree.last().unwrap().tasks > 1 {
        let tasks = tree.last().unwrap().tasks.div_ceil(2);
        tree.push(fragment(tree.len() as u32, tasks, Some(Read::Merge { fan_in: 2 }), Exchange::Forward));
    }
    let fan_out = vec![
        fragment(0, 1, None, Exchange::Broadcast),
        fragment(1, 100_000, Some(Read::All), Exchange::Gather),
        fragment(2, 1, Some(Read::All), Exchange::Collect),
    ];
    vec![
        ("chain", stages(100_000, 1, &Read::Forward)),
        ("fan-out", graph(fan_out)),
        ("tree", graph(tree)),
        ("stencil", stages(1_000, 100, &Read::Window { radius: 1 })),
    ]
}

/// Runs a graph through one driver and one executor, by value, with tasks that take no time at all.
fn drive(graph: &Arc<Graph>) -> u64 {
    let tuning = Tuning::defaults(StageDag.switches());
    let env = StyleEnv {
        slots: 2,
        memory_share: bench_model::Bytes::new(0),
        memory: None,
        resources: Default::default(),
        tuning,
    };
    let node = Addr::Node(NodeId(0));
    let mut driver = StageDag.machine(Addr::Driver, &env);
    let mut executor = StageDag.machine(node, &env);
    let mut todo: VecDeque<(Addr, Event<Msg>)> = VecDeque::from([
        (Addr::Driver, Event::NodeUp { node: NodeId(0), slots: 2 }),
        (Addr::Driver, Event::Submit { job: JobId(0), graph: Arc::clone(graph) }),
    ]);
    let (mut out, mut ran, mut answered) = (Vec::new(), 0, false);
    while let Some((at, event)) = todo.pop_front() {
        let machine: &mut StageDagMachine = if at == Addr::Driver { &mut driver } else { &mut executor };
        machine.on(Nanos::ZERO, event, &mut out);
        for action in out.drain(..) {
            match action {
                Action::Send { to, msg } => todo.push_back((to, Event::Message { from: at, msg })),
                Action::Run(a) => {
                    ran += 1;
                    let blocks = vec![Default::default(); a.outputs as usize];
                    let result = Ok(TaskReport { blocks, stats: TaskStats::default() });
                    todo.push_back((at, Event::TaskRan { task: a.task, attempt: a.attempt, result }));
                }
                Action::Replan { .. } => panic!("a zero-work graph has nothing to replan"),
                Action::Finish { result, .. } => answered = result.is_ok(),
                _ => {}
            }
        }
    }
    assert!(answered);
    ran
}

#[test]
fn zero_work_graphs_of_a_hundred_thousand_tasks_run_each_task_once() {
    for (name, graph) in shapes() {
        let start = Instant::now();
        let ran = drive(&graph);
        let seconds = start.elapsed().as_secs_f64();
        println!("{name}: {:.0} tasks/s through both machines", ran as f64 / seconds);
        assert_eq!(ran, graph.tasks());
    }
}

#[test]
fn the_simulator_runs_graphs_of_a_hundred_thousand_tasks() {
    let options = SimOptions {
        faults: 0,
        check: false,
        nodes: 8,
        slots: 16,
        events_max: u64::MAX,
        deadline: Nanos::from_millis(100_000_000),
        ..SimOptions::default()
    };
    for (name, graph) in shapes() {
        let start = Instant::now();
        let mut sim = Sim::with_graphs(&StageDag, 7, &options, vec![graph]).unwrap();
        let summary = sim.run().unwrap();
        let rate = summary.events as f64 / start.elapsed().as_secs_f64();
        println!("{name}: {:.2} M events/s, {} events, makespan {}", rate / 1e6, summary.events, summary.makespan);
        assert_eq!(summary.answered, 1);
    }
}
