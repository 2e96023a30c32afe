//! A style's machines alone: no time, no faults, no checks. What is left is what its decisions cost.

use crate::shapes::{chain, fan_out, stencil, tree};
use bench_model::{
    Action, Addr, Bytes, Event, Graph, JobId, Machine, Nanos, NodeId, Style, StyleEnv, TaskReport, TaskStats, Tuning,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The zero-work graphs of 100,000 tasks that runtimes are measured on, by name.
#[must_use]
pub fn zero_work_graphs() -> Vec<(&'static str, Arc<Graph>)> {
    vec![
        ("chain", Arc::new(chain(100_000))),
        ("fan-out", Arc::new(fan_out(100_000))),
        ("tree", Arc::new(tree(50_000, 2))),
        ("stencil", Arc::new(stencil(1_000, 100))),
    ]
}

/// Runs a graph through one driver and one node of two slots, by value, with tasks that take no time at all. Returns how
/// many attempts ran; nothing if the graph was not answered or asked for a planner, which such graphs do not have.
#[must_use]
pub fn run_bare<S: Style>(style: &S, tuning: Tuning, graph: &Arc<Graph>) -> Option<u64> {
    let env = StyleEnv { slots: 2, memory_share: Bytes::ZERO, memory: None, resources: BTreeMap::new(), tuning };
    let node = NodeId(0);
    let mut driver = style.machine(Addr::Driver, &env);
    let mut worker = style.machine(Addr::Node(node), &env);
    let mut todo: VecDeque<(Addr, Event<S::Msg>)> = VecDeque::from([
        (Addr::Driver, Event::NodeUp { node, slots: 2 }),
        (Addr::Driver, Event::Submit { job: JobId(0), graph: Arc::clone(graph) }),
    ]);
    let (mut out, mut ran, mut answered) = (Vec::new(), 0, false);
    while let Some((at, event)) = todo.pop_front() {
        let machine = if at == Addr::Driver { &mut driver } else { &mut worker };
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
                Action::Replan { .. } => return None,
                Action::Finish { result, .. } => answered = result.is_ok(),
                _ => {}
            }
        }
    }
    answered.then_some(ran)
}
