//! How fast the simulator and the machines are: prints figures, asserts only what holds on any machine.

use bench_actor::Actor;
use bench_model::{Style, Tuning};
use bench_sim::{Sim, SimOptions, run_bare, zero_work_graphs};
use std::time::Instant;

#[test]
fn zero_work_graphs_of_a_hundred_thousand_tasks_run_each_task_once() {
    for (name, graph) in zero_work_graphs() {
        let start = Instant::now();
        let ran = run_bare(&Actor, Tuning::defaults(Actor.switches()), &graph);
        let seconds = start.elapsed().as_secs_f64();
        println!("{name}: {:.0} tasks/s through both machines", graph.tasks() as f64 / seconds);
        assert_eq!(ran, Some(graph.tasks()));
    }
}

#[test]
fn the_simulator_runs_graphs_of_a_hundred_thousand_tasks() {
    let options = SimOptions::undisturbed();
    for (name, graph) in zero_work_graphs() {
        let start = Instant::now();
        let mut sim = Sim::with_graphs(&Actor, 7, &options, vec![graph]).unwrap();
        let summary = sim.run().unwrap();
        let rate = summary.events as f64 / start.elapsed().as_secs_f64();
        println!("{name}: {:.2} M events/s, {} events, makespan {}", rate / 1e6, summary.events, summary.makespan);
        assert_eq!(summary.answered, 1);
    }
}
