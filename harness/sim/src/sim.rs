//! The host: virtual time, messages, timers, and what each action means here.

mod actions;
mod blocks;
mod life;
mod replaying;

use crate::content::expected_answer;
use crate::faults::{FaultKind, Faults};
use crate::keyed::Map;
use crate::node::SimNode;
use crate::options::{SimFailure, SimOptions, SimSummary, SimTrouble};
use crate::oracle::{Oracle, SimJob};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::shapes::random_graph;
use bench_model::{
    Action, Addr, Attempt, BlockId, BlockRef, Bytes, Event, Graph, JobId, Machine, Nanos, NodeId, Planned, Style,
    StyleEnv, TaskId, TimerId, Tuning,
};
use life::Life;
use replaying::Replaying;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Something that is going to happen.
#[derive(Debug)]
enum Occurrence<M> {
    Submit(JobId),
    CancelJob(JobId),
    /// `life` is the receiver's incarnation that the message was sent to: a connection ends with it.
    Deliver {
        from: Addr,
        to: Addr,
        life: u32,
        number: u64,
        msg: M,
    },
    Timer {
        at: Addr,
        incarnation: u32,
        id: TimerId,
        generation: u64,
    },
    TaskEnds {
        node: NodeId,
        incarnation: u32,
        task: TaskId,
        attempt: Attempt,
        generation: u32,
    },
    Fetched {
        node: NodeId,
        incarnation: u32,
        block: BlockRef,
    },
    Spilled {
        node: NodeId,
        incarnation: u32,
        block: BlockId,
        attempt: Attempt,
    },
    Memory {
        node: NodeId,
        incarnation: u32,
    },
    Planned(Planned),
    Life(NodeId, Life),
}

type SimMachine<S> = SimNode<<S as Style>::Machine, Occurrence<<S as Style>::Msg>>;

/// A simulated cluster of one style, from its first event to its last.
pub struct Sim<'s, S: Style> {
    style: &'s S,
    seed: u64,
    options: SimOptions,
    env: StyleEnv,
    now: Nanos,
    rng: Rng,
    faults: Faults,
    oracle: Oracle,
    driver: S::Machine,
    nodes: Vec<SimMachine<S>>,
    jobs: BTreeMap<JobId, SimJob>,
    unfinished: usize,
    queue: Queue<Occurrence<S::Msg>>,
    queue_max: usize,
    timers: Map<(Addr, TimerId), u64>,
    sent: u64,
    delivered: Map<(Addr, Addr), u64>,
    out: Vec<Action<S::Msg>>,
    summary: SimSummary,
    trace: Option<String>,
    /// What a recorded job took, if one is played again; otherwise times and contents are drawn.
    replay: Option<Replaying>,
}

impl<'s, S: Style> Sim<'s, S> {
    /// The cluster and the jobs that `seed` draws.
    ///
    /// # Errors
    /// The settings do not fit the style.
    pub fn new(style: &'s S, seed: u64, options: &SimOptions) -> Result<Self, SimFailure> {
        let mut rng = Rng::new(seed ^ 0x7369_6d00);
        let jobs = rng.between(1, u64::from(options.jobs.max(1)));
        let graphs = (0..jobs).map(|_| Arc::new(random_graph(&mut rng, options.tasks))).collect();
        Self::with_rng(style, seed, rng, options, graphs)
    }

    /// The cluster that `seed` draws, with given jobs.
    ///
    /// # Errors
    /// The settings do not fit the style.
    pub fn with_graphs(
        style: &'s S,
        seed: u64,
        options: &SimOptions,
        graphs: Vec<Arc<Graph>>,
    ) -> Result<Self, SimFailure> {
        Self::with_rng(style, seed, Rng::new(seed ^ 0x7369_6d01), options, graphs)
    }

    fn with_rng(
        style: &'s S,
        seed: u64,
        mut rng: Rng,
        options: &SimOptions,
        graphs: Vec<Arc<Graph>>,
    ) -> Result<Self, SimFailure> {
        let refuse = |e: bench_model::TuningError| SimFailure {
            seed,
            event: 0,
            at: Nanos::ZERO,
            trouble: SimTrouble::Options(e.to_string()),
        };
        let tuning = draw_tuning(style, &mut rng, options).map_err(refuse)?;
        // Half of the clusters are so small that blocks must be spilled.
        let memory = rng.one_in(2).then(|| Bytes::new(rng.between(300_000, 3_000_000)));
        let memory_share = memory.map_or(Bytes::new(1 << 30), |m| Bytes::new(m.get() / 100));
        let resources = BTreeMap::from([("gpu".to_owned(), 2_000)]);
        let env = StyleEnv { slots: options.slots.max(1), memory_share, memory, resources, tuning };
        let faults = Faults::draw(&mut rng, options.faults);
        let mut sim = Self::empty(style, seed, options, env, rng, faults);
        sim.set_up(graphs);
        Ok(sim)
    }

    /// A cluster with its driver and nothing else.
    fn empty(style: &'s S, seed: u64, options: &SimOptions, env: StyleEnv, rng: Rng, faults: Faults) -> Self {
        Self {
            style,
            seed,
            options: options.clone(),
            now: Nanos::ZERO,
            faults,
            oracle: Oracle::default(),
            driver: style.machine(Addr::Driver, &env),
            env,
            nodes: Vec::new(),
            jobs: BTreeMap::new(),
            unfinished: 0,
            queue: Queue::new(),
            queue_max: 0,
            timers: Map::default(),
            sent: 0,
            delivered: Map::default(),
            out: Vec::new(),
            summary: SimSummary::default(),
            trace: None,
            replay: None,
            rng,
        }
    }

    /// Adds a node that joins at that time.
    fn add_node(&mut self, slots: u32, joins: Nanos) {
        let id = NodeId(self.nodes.len() as u32);
        let env = StyleEnv { slots, ..self.env.clone() };
        let machine = self.style.machine(Addr::Node(id), &env);
        self.nodes.push(SimNode::new(machine, slots));
        self.queue.push(joins, Occurrence::Life(id, Life::Joins { incarnation: 0 }));
    }

    fn set_up(&mut self, graphs: Vec<Arc<Graph>>) {
        let drawn = self.rng.between(1, u64::from(self.options.nodes.max(1))) as u32;
        let nodes = self.options.size_of(self.seed).unwrap_or(drawn);
        let mut all_slots = 0;
        for _ in 0..nodes {
            let slots = self.rng.between(1, u64::from(self.options.slots.max(1))) as u32;
            all_slots += slots as usize;
            let joins = Nanos::new(self.rng.below(20_000_000));
            self.add_node(slots, joins);
        }
        // Far above what a sound protocol needs: a few messages per slot, resent now and then while answers are late.
        self.queue_max = 2_000 + 200 * all_slots;
        self.unfinished = graphs.len();
        for (number, graph) in graphs.into_iter().enumerate() {
            let id = JobId(number as u64);
            let at = Nanos::new(self.rng.below(50_000_000));
            self.queue.push(at, Occurrence::Submit(id));
            if self.faults.strikes(&mut self.rng, FaultKind::JobCancelled) {
                let later = at + Nanos::new(self.rng.below(300_000_000));
                self.queue.push(later, Occurrence::CancelJob(id));
            }
            let expected = if self.options.check { expected_answer(id, &graph) } else { Default::default() };
            self.jobs.insert(id, SimJob::new(graph, expected));
        }
    }

    /// Writes down what happens from now on.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(format!("seed {}: {} nodes, {} jobs\n", self.seed, self.nodes.len(), self.jobs.len()));
        self
    }

    /// What was written down so far.
    pub fn take_trace(&mut self) -> String {
        self.trace.take().unwrap_or_default()
    }

    /// Runs until every job is over and every message has arrived.
    ///
    /// # Errors
    /// The first thing that was wrong.
    pub fn run(&mut self) -> Result<SimSummary, SimFailure> {
        let trouble = match self.run_to_end() {
            Ok(()) => {
                self.summary.fired = self.faults.fired.clone();
                return Ok(self.summary.clone());
            }
            Err(trouble) => trouble,
        };
        self.write(|| format!("FAILED: {trouble}"));
        Err(SimFailure { seed: self.seed, event: self.summary.events, at: self.now, trouble })
    }

    fn run_to_end(&mut self) -> Result<(), SimTrouble> {
        self.feed(Addr::Driver, Event::Start)?;
        for id in 0..self.nodes.len() as u32 {
            self.feed(Addr::Node(NodeId(id)), Event::Start)?;
        }
        while let Some((at, occurrence)) = self.queue.pop() {
            self.now = at;
            self.happen(occurrence)?;
            self.is_bounded()?;
        }
        if self.unfinished > 0 {
            return Err(SimTrouble::Stuck(format!("{} jobs never end: nothing is left to happen", self.unfinished)));
        }
        for (id, node) in self.nodes.iter().enumerate().filter(|(_, n)| n.alive) {
            if let Some(block) = node.leaked() {
                return Err(SimTrouble::Rule(format!("block {block} stays on n{id} after all jobs")));
            }
        }
        Ok(())
    }

    fn is_bounded(&self) -> Result<(), SimTrouble> {
        if self.now > self.options.deadline {
            return Err(SimTrouble::Stuck(format!("{} jobs are not over at the deadline", self.unfinished)));
        }
        if self.summary.events > self.options.events_max {
            return Err(SimTrouble::Stuck(format!("more than {} events", self.options.events_max)));
        }
        if self.queue.len() > self.queue_max {
            return Err(SimTrouble::Rule(format!("{} messages and timers are under way", self.queue.len())));
        }
        Ok(())
    }

    fn happen(&mut self, occurrence: Occurrence<S::Msg>) -> Result<(), SimTrouble> {
        if let Some(node) = self.paused_receiver(&occurrence) {
            node.backlog.push(occurrence);
            return Ok(());
        }
        self.write(|| format!("{occurrence:?}"));
        match occurrence {
            Occurrence::Submit(job) => {
                let deaths = self.oracle.deaths;
                let Some(submitted) = self.jobs.get_mut(&job) else { return Ok(()) };
                submitted.deaths_before = deaths;
                let graph = Arc::clone(submitted.graph());
                self.feed(Addr::Driver, Event::Submit { job, graph })
            }
            Occurrence::CancelJob(job) => {
                if let Some(job) = self.jobs.get_mut(&job) {
                    job.cancelled = true;
                }
                self.feed(Addr::Driver, Event::Cancel(job))
            }
            Occurrence::Deliver { from, to, life, number, msg } => {
                if self.life_of(to) != life {
                    self.write(|| format!("  {to} that it was sent to is gone"));
                    return Ok(());
                }
                let last = self.delivered.entry((from, to)).or_default();
                if number < *last {
                    self.faults.count(FaultKind::MessageReordered);
                }
                *last = number.max(*last);
                self.feed(to, Event::Message { from, msg })
            }
            Occurrence::Timer { at, incarnation, id, generation } => {
                if self.life_of(at) == incarnation && self.timers.get(&(at, id)) == Some(&generation) {
                    self.timers.remove(&(at, id));
                    return self.feed(at, Event::Timer(id));
                }
                Ok(())
            }
            Occurrence::TaskEnds { node, incarnation, task, attempt, generation } => {
                self.task_ends((node, incarnation), (task, attempt), generation)
            }
            Occurrence::Fetched { node, incarnation, block } => self.fetched((node, incarnation), block),
            Occurrence::Spilled { node, incarnation, block, attempt } => {
                self.spilled((node, incarnation), block, attempt)
            }
            Occurrence::Memory { node, incarnation } => self.memory_measured((node, incarnation)),
            Occurrence::Planned(planned) => {
                if let (Some(job), Some(graph)) = (self.jobs.get_mut(&planned.job), &planned.graph) {
                    job.plan(Arc::clone(graph));
                    self.summary.replanned += 1;
                }
                self.feed(Addr::Driver, Event::Planned(planned))
            }
            Occurrence::Life(node, life) => self.live_on(node, life),
        }
    }

    /// Which incarnation there is. The driver has one.
    fn life_of(&self, at: Addr) -> u32 {
        match at {
            Addr::Driver => 0,
            Addr::Node(node) => self.nodes[node.0 as usize].incarnation,
        }
    }

    /// The node an occurrence has to wait for, if it is paused.
    fn paused_receiver(&mut self, occurrence: &Occurrence<S::Msg>) -> Option<&mut SimMachine<S>> {
        let node = match occurrence {
            Occurrence::Deliver { to: Addr::Node(node), .. }
            | Occurrence::Timer { at: Addr::Node(node), .. }
            | Occurrence::TaskEnds { node, .. }
            | Occurrence::Fetched { node, .. }
            | Occurrence::Spilled { node, .. }
            | Occurrence::Memory { node, .. } => *node,
            _ => return None,
        };
        self.nodes.get_mut(node.0 as usize).filter(|n| n.paused)
    }

    /// Gives a machine an event, checks it, and carries out what it wants. A dead node hears nothing.
    fn feed(&mut self, at: Addr, event: Event<S::Msg>) -> Result<(), SimTrouble> {
        let mut out = std::mem::take(&mut self.out);
        let machine = match at {
            Addr::Driver => &mut self.driver,
            Addr::Node(node) => match self.nodes.get_mut(node.0 as usize).filter(|n| n.alive) {
                Some(node) => &mut node.machine,
                None => return Ok(()),
            },
        };
        machine.on(self.now, event, &mut out);
        self.summary.events += 1;
        if self.options.check {
            machine.check().map_err(|v| SimTrouble::Machine(format!("{at}: {v}")))?;
        }
        for action in out.drain(..) {
            self.carry_out(at, action)?;
        }
        self.out = out;
        Ok(())
    }

    fn write(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            // Writing to a string cannot fail.
            let _ = writeln!(trace, "{:>14.6}ms {}", self.now.get() as f64 / 1e6, line());
        }
    }
}

/// The style's defaults, what was given on top, and some switches turned the other way.
fn draw_tuning<S: Style>(style: &S, rng: &mut Rng, options: &SimOptions) -> Result<Tuning, bench_model::TuningError> {
    let mut settings: Vec<(&str, &str)> = Vec::new();
    for switch in style.switches() {
        if let bench_model::SwitchDefault::Bool(on) = switch.default
            && options.vary_switches
            && rng.one_in(4)
        {
            settings.push((switch.name, if on { "off" } else { "on" }));
        }
    }
    settings.extend(options.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    Tuning::resolve(style.switches(), settings)
}
