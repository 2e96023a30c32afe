//! Work that does nothing, timed where whoever runs jobs would time it: what the runtime itself costs.
//!
//! | part | idea |
//! |---|---|
//! | here | tasks, calls and lost workers: jobs as any other |
//! | `values` | the block store, and rows as bytes |

mod values;

use crate::host::Host;
use crate::session::LiveSession;
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use bench_model::{
    Answer, Call, Check, EngineError, Exchange, Family, Fault, FaultKind, FaultPlan, Fragment, FragmentId, Graph,
    Input, KernelId, Nanos, Probe, Program, Read, Session, Style, Trigger, Workload,
};
use bytes::Bytes as Args;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The kernels of these tasks.
const NOTHING: KernelId = KernelId::new("noop/1");
const SLEEP: KernelId = KernelId::new("sleep/1");
/// How long the tasks sleep that make sure every worker is there.
const WARM_NS: u64 = 50_000_000;
/// When a worker is killed.
const KILL_AT: Trigger = Trigger::Percent(25);

impl<S: Style> LiveSession<S> {
    /// The samples of a probe.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for what this style, or this session, has nothing of; else what its jobs say.
    pub(crate) fn probed(&mut self, probe: &Probe, stop: &Arc<AtomicBool>) -> Result<Vec<Nanos>, EngineError> {
        match *probe {
            Probe::Tasks { count } => {
                self.counted(&independent(self.slots(), nothing()), stop)?;
                Ok(vec![self.counted(&independent(count, nothing()), stop)?.0])
            }
            Probe::RoundTrip { count } => self.round_trips(count, stop),
            Probe::Calls { .. } if !self.running.has_actors => {
                Err(unsupported("it has no stateful workers: calls would be tasks"))
            }
            Probe::Calls { count } => {
                self.counted(&calls(self.slots()), stop)?;
                Ok(vec![self.counted(&calls(count), stop)?.0])
            }
            Probe::CallRoundTrip { .. } => {
                Err(unsupported("an object lives as long as its job: no call is awaited by itself"))
            }
            Probe::Put { bytes, count } => self.puts(bytes, count),
            Probe::Get { bytes, count } => self.gets(bytes, count),
            Probe::Serialize { bytes, count } => self.serialized(bytes, count),
            Probe::Spill { bytes, count } => self.spilled(bytes, count),
            Probe::Recover { .. } if !self.has_nodes() => {
                Err(unsupported("one process holds all of it: without that there is nothing to recover"))
            }
            Probe::Recover { count, task_ns, kill } => self.recovered(count, task_ns, kill, stop),
        }
    }

    fn host(&self) -> &Host<S> {
        &self.running.host
    }

    /// Whether its nodes are processes of their own.
    fn has_nodes(&self) -> bool {
        self.fleet.is_some()
    }

    fn round_trips(&mut self, count: u32, stop: &Arc<AtomicBool>) -> Result<Vec<Nanos>, EngineError> {
        let one = independent(1, nothing());
        self.counted(&one, stop)?;
        (0..count).map(|_| Ok(self.counted(&one, stop)?.0)).collect()
    }

    fn recovered(
        &mut self,
        count: u32,
        task_ns: u64,
        kill: bool,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<Nanos>, EngineError> {
        let mut plan = FaultPlan::default();
        if kill {
            plan.faults.push(Fault { kind: FaultKind::Kill, trigger: KILL_AT, node: None });
        }
        // Nodes that are started in another way for a fault are so before anything is timed.
        self.arm(&plan)?;
        self.arm(&FaultPlan::default())?;
        self.counted(&independent(self.slots(), sleeping(WARM_NS)), stop)?;
        self.arm(&plan)?;
        let (took, answer) = self.counted(&independent(count, sleeping(task_ns)), stop)?;
        if kill && !answer.faults.iter().any(|fault| fault.fired_ns.is_some()) {
            return Err(EngineError::Failed("no worker was killed: the job was over before".to_owned()));
        }
        Ok(vec![took])
    }

    /// Runs a graph; how long that took. Every task must have run.
    fn counted(&mut self, graph: &Graph, stop: &Arc<AtomicBool>) -> Result<(Nanos, Answer), EngineError> {
        let wanted = graph.tasks();
        let workload = workload(graph.clone());
        let begun = self.host().clock.now();
        let answer = self.run(&workload, stop)?;
        let took = self.host().clock.now().saturating_sub(begun);
        let column = answer.batches.first().and_then(|batch| batch.columns().first());
        let ran = column.and_then(|c| c.as_primitive_opt::<UInt64Type>()).and_then(|c| c.values().first().copied());
        if ran == Some(wanted) {
            return Ok((took, answer));
        }
        Err(EngineError::Failed(format!("{} of {wanted} tasks ran", ran.unwrap_or_default())))
    }
}

fn unsupported(why: &str) -> EngineError {
    EngineError::Unsupported(why.to_owned())
}

fn nothing() -> Call {
    Call { kernel: NOTHING, args: Args::new() }
}

fn sleeping(ns: u64) -> Call {
    Call { kernel: SLEEP, args: Args::copy_from_slice(&ns.to_le_bytes()) }
}

fn workload(graph: Graph) -> Workload {
    Workload {
        name: "probe".to_owned(),
        family: Family::Overhead,
        title: String::new(),
        program: Program::Graph(graph),
        dataset: None,
        check: Check::default(),
    }
}

fn fragment(id: u32, tasks: u32, call: Call, exchange: Exchange) -> Fragment {
    Fragment {
        id: FragmentId(id),
        call,
        inputs: Vec::new(),
        tasks,
        exchange,
        outputs: 1,
        waits_for: Vec::new(),
        options: Default::default(),
    }
}

/// Tasks that have nothing to do with each other.
fn independent(tasks: u32, call: Call) -> Graph {
    Graph { fragments: vec![fragment(0, tasks, call, Exchange::Collect)], result: FragmentId(0) }
}

/// Calls of one object, each after the one before.
fn calls(count: u32) -> Graph {
    let call = |id: u32| {
        let mut call = fragment(id, 1, nothing(), Exchange::Forward);
        call.options.actor = Some(0);
        call.inputs = (id > 0).then(|| Input { from: FragmentId(id - 1), read: Read::Forward }).into_iter().collect();
        call
    };
    let mut fragments: Vec<Fragment> = (0..count).map(call).collect();
    if let Some(last) = fragments.last_mut() {
        last.exchange = Exchange::Collect;
    }
    Graph { fragments, result: FragmentId(count.saturating_sub(1)) }
}
