//! A recorded job played again in virtual time, as it was or without one kind of blocking.
//!
//! The style's own machines decide anew on the same nodes and slots; tasks take what they took, by kind. Without a kind
//! of blocking, its time is not subtracted from the end: tasks and the scheduler are relieved of it, and what then
//! happens is played out (Ousterhout, Rasti, Ratnasamy, Shenker, Chun, NSDI 2015).
//!
//! Known simplifications: messages take no time, a block copied between nodes ahead of its task takes as long as the
//! mean of the run per byte, and tasks that start on another node than they did take as long as they did there.

use crate::options::{SimFailure, SimOptions, SimTrouble};
use crate::rng::mix;
use crate::sim::Sim;
use crate::unbarred::unbarred;
use bench_model::{
    BlockMeta, Blocking, Bytes, Checksum, FragmentId, JobTrace, Nanos, Rows, SpanKind, Style, StyleEnv, TaskId, Tuning,
};
use std::collections::BTreeMap;

/// When the job is submitted: by then every machine has started.
pub(crate) const SUBMITTED: Nanos = Nanos::from_millis(1_000);

/// What the parts of a job take when it is played again.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    tasks: BTreeMap<(FragmentId, u32), Task>,
    /// Of tasks that no attempt is known of.
    medians: BTreeMap<FragmentId, u64>,
    /// The scheduler's time before each task.
    pub(crate) schedule_ns: u64,
    replanning: BTreeMap<FragmentId, u64>,
    pub(crate) spill_ns: u64,
    fetch_ns_per_mib: u64,
}

#[derive(Clone, Debug)]
struct Task {
    slot_ns: u64,
    blocks: Vec<(u64, u64)>,
}

impl Costs {
    pub(crate) fn of(trace: &JobTrace, without: Option<Blocking>) -> Self {
        let is_off = |kind: Blocking| without == Some(kind);
        let mut tasks = BTreeMap::new();
        let mut by_fragment: BTreeMap<FragmentId, Vec<u64>> = BTreeMap::new();
        for attempt in &trace.tasks {
            let counts = |kind: &SpanKind| !without.is_some_and(|w| w.covers(*kind));
            let kept = attempt.by_kind_ns.iter().filter(|(kind, _)| counts(kind));
            let slot_ns = kept.map(|(_, ns)| ns.get()).sum();
            let task = (attempt.task.fragment, attempt.task.partition);
            tasks.insert(task, Task { slot_ns, blocks: attempt.blocks.clone() });
            by_fragment.entry(task.0).or_default().push(slot_ns);
        }
        let medians: BTreeMap<FragmentId, u64> =
            by_fragment.into_iter().map(|(id, times)| (id, median(times))).collect();
        if is_off(Blocking::Straggler) {
            for ((fragment, _), task) in &mut tasks {
                task.slot_ns = task.slot_ns.min(medians.get(fragment).copied().unwrap_or(u64::MAX));
            }
        }
        let spent = |kind: SpanKind| trace.spans.by_kind_ns.get(&kind).map_or(0, |ns| ns.get());
        let each = |total: u64, of: u64, kind: Blocking| if is_off(kind) { 0 } else { total / of.max(1) };
        let replanning = trace.replanning.iter().filter(|_| !is_off(Blocking::Planning));
        Self {
            schedule_ns: each(spent(SpanKind::Schedule), trace.tasks.len() as u64, Blocking::Scheduling),
            spill_ns: each(spent(SpanKind::SpillWrite), trace.spills, Blocking::Spill),
            fetch_ns_per_mib: each(
                trace.copied.took_ns.get() << 10,
                trace.copied.bytes.get() >> 10,
                Blocking::FetchRemote,
            ),
            replanning: replanning.map(|r| (r.after, r.took_ns.get())).collect(),
            tasks,
            medians,
        }
    }

    /// How long a task holds its slot, the scheduler's time before it included.
    pub(crate) fn slot_ns(&self, task: TaskId) -> u64 {
        let known = self.tasks.get(&(task.fragment, task.partition)).map(|t| t.slot_ns);
        self.schedule_ns + known.or_else(|| self.medians.get(&task.fragment).copied()).unwrap_or_default()
    }

    /// The blocks that a task writes; the same whenever it runs.
    pub(crate) fn blocks(&self, task: TaskId, outputs: u32) -> Vec<BlockMeta> {
        let known = self.tasks.get(&(task.fragment, task.partition)).map(|t| t.blocks.as_slice()).unwrap_or_default();
        let meta = |output: u32| {
            let (rows, bytes) = known.get(output as usize).copied().unwrap_or_default();
            let name = u64::from(task.fragment.0) << 32 | u64::from(task.partition);
            let checksum = Checksum(u128::from(mix(name ^ mix(u64::from(output)))));
            BlockMeta { rows: Rows::new(rows), bytes: Bytes::new(bytes), checksum }
        };
        (0..outputs).map(meta).collect()
    }

    /// How long the planner looks at a finished fragment.
    pub(crate) fn replanning_ns(&self, after: FragmentId) -> u64 {
        self.replanning.get(&after).copied().unwrap_or_default()
    }

    /// How long a block takes from another node.
    pub(crate) fn fetch_ns(&self, bytes: Bytes) -> u64 {
        u64::try_from((u128::from(bytes.get()) * u128::from(self.fetch_ns_per_mib)) >> 20).unwrap_or(u64::MAX)
    }
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How long the job of a trace takes when it is played again, from submitting to the answer.
///
/// # Errors
/// A trace that this style cannot have left, or that it cannot play to its end.
pub fn replay<S: Style>(style: &S, trace: &JobTrace, without: Option<Blocking>) -> Result<Nanos, SimFailure> {
    trace.graph.validate().map_err(|e| refused(format!("the trace's graph is not one: {e}")))?;
    let costs = Costs::of(trace, without);
    // Where tasks wait for nothing but what they read, the style's own schedule could still be kept.
    let bound = (without == Some(Blocking::Barrier)).then(|| unbarred(trace, &costs));
    let ran = play(style, trace, costs)?;
    let ran = bound.map_or(ran, |bound| bound.min(ran));
    let planning = if without == Some(Blocking::Planning) { Nanos::ZERO } else { trace.planned_ns };
    let report = trace.spans.makespan_ns.saturating_sub(trace.finished_ns);
    let report = if without == Some(Blocking::Report) { Nanos::ZERO } else { report };
    Ok(planning + ran + report)
}

/// From when the machines have the job until they have finished it.
fn play<S: Style>(style: &S, trace: &JobTrace, costs: Costs) -> Result<Nanos, SimFailure> {
    let settings = trace.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let tuning = Tuning::resolve(style.switches(), settings).map_err(|e| refused(e.to_string()))?;
    let memory_share = trace.memory_bytes.map_or(u64::MAX, |m| m.get() / u64::from(trace.slots.max(1)));
    let env = StyleEnv {
        slots: trace.slots.max(1),
        memory_share: Bytes::new(memory_share),
        memory: trace.memory_bytes,
        resources: BTreeMap::new(),
        tuning,
    };
    let options = SimOptions {
        check: false,
        faults: 0,
        deadline: Nanos::new(u64::MAX),
        events_max: 1_000_000 + 1_000 * trace.tasks.len() as u64,
        ..SimOptions::default()
    };
    let mut sim = Sim::replaying(style, &options, env, trace, costs);
    let summary = sim.run()?;
    if summary.answered != 1 {
        return Err(refused("the job fails when it is played again".to_owned()));
    }
    Ok(summary.makespan - SUBMITTED)
}

fn refused(why: String) -> SimFailure {
    SimFailure { seed: 0, event: 0, at: Nanos::ZERO, trouble: SimTrouble::Options(why) }
}
