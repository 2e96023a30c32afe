//! Zero-work graphs: what the runtime itself costs.

use bench_model::{
    Call, Check, Exchange, Family, Fragment, FragmentId, Graph, Input, Kernel, KernelId, Program, Query, Read,
    TaskContext, TaskFailure, Workload,
};

/// Does nothing.
pub struct Noop;

impl Kernel for Noop {
    fn id(&self) -> KernelId {
        KernelId::new("noop/1")
    }
    fn run(&self, _cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        Ok(())
    }
}

/// A fragment with one output per task, read forward.
pub fn fragment(id: u32, kernel: &'static str, tasks: u32, inputs: Vec<Input>) -> Fragment {
    let call = Call { kernel: KernelId::new(kernel), args: bytes::Bytes::new() };
    Fragment {
        id: FragmentId(id),
        call,
        inputs,
        tasks,
        exchange: Exchange::Forward,
        outputs: 1,
        waits_for: vec![],
        options: Default::default(),
    }
}

pub fn reads(from: u32, read: Read) -> Vec<Input> {
    vec![Input { from: FragmentId(from), read }]
}

pub fn chain(tasks: u32) -> Graph {
    let link = |id: u32| match id {
        0 => fragment(0, "noop/1", 1, vec![]),
        _ => fragment(id, "noop/1", 1, reads(id - 1, Read::Forward)),
    };
    Graph { fragments: (0..tasks).map(link).collect(), result: FragmentId(tasks - 1) }
}

pub fn fan_out(tasks: u32) -> Graph {
    let root = fragment(0, "noop/1", 1, vec![]);
    Graph { fragments: vec![root, fragment(1, "noop/1", tasks - 1, reads(0, Read::All))], result: FragmentId(1) }
}

pub fn tree(leaves: u32, fan_in: u32) -> Graph {
    let mut fragments = vec![fragment(0, "noop/1", leaves, vec![])];
    let mut tasks = leaves;
    while tasks > 1 {
        tasks = tasks.div_ceil(fan_in);
        let id = fragments.len() as u32;
        fragments.push(fragment(id, "noop/1", tasks, reads(id - 1, Read::Merge { fan_in })));
    }
    let result = FragmentId(fragments.len() as u32 - 1);
    Graph { fragments, result }
}

pub fn stencil(width: u32, steps: u32) -> Graph {
    let step = |id: u32| match id {
        0 => fragment(0, "noop/1", width, vec![]),
        _ => fragment(id, "noop/1", width, reads(id - 1, Read::Window { radius: 1 })),
    };
    Graph { fragments: (0..steps).map(step).collect(), result: FragmentId(steps - 1) }
}

pub fn workload(name: &str, program: Program) -> Workload {
    let family = if matches!(program, Program::Graph(_)) { Family::Overhead } else { Family::Sql };
    let check = Check::default();
    Workload { name: name.to_owned(), family, title: name.to_owned(), program, dataset: None, check }
}

/// A workload whose plan a test's planner knows by name.
pub fn query(name: &str) -> Workload {
    workload(name, Program::Query(Query::Sql(name.to_owned())))
}
