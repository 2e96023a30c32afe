//! A tiny host without faults of its own: everything happens at once and in order, and nodes die when a test says so.

use bench_actor::{Actor, ActorMachine, Frame, Note};
use bench_model::{
    Action, Addr, Assignment, Attempt, BlockId, BlockMeta, BlockRef, Bytes, Call, Checksum, Event, Exchange, Fragment,
    FragmentId, Graph, Input, JobError, JobId, KernelId, Machine, Nanos, NodeId, Read, Rows, Style, StyleEnv,
    TaskFailure, TaskReport, TaskStats, TimerId, Tuning,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The only job of a world.
pub(crate) const JOB: JobId = JobId(0);

/// A driver, nodes, what they hold, and what has happened.
pub(crate) struct World {
    env: StyleEnv,
    driver: ActorMachine,
    nodes: BTreeMap<NodeId, (ActorMachine, BTreeSet<(BlockId, Attempt)>)>,
    todo: VecDeque<(Addr, Event<Frame>)>,
    timers: BTreeMap<(Nanos, Addr, TimerId), ()>,
    now: Nanos,
    /// How large every block is.
    pub(crate) bytes: u64,
    /// Attempts in the order in which they ended, and where.
    pub(crate) ran: Vec<(NodeId, Assignment)>,
    /// Blocks fetched, and by whom.
    pub(crate) fetched: Vec<(NodeId, BlockRef)>,
    /// How many blocks were spilled.
    pub(crate) spilled: usize,
    /// Frames sent that say something.
    pub(crate) frames: usize,
    /// Requests that a node handed on.
    pub(crate) spillbacks: usize,
    /// Requests that tasks run.
    pub(crate) launched: usize,
    /// The fragment whose next tasks fail, and how many of them.
    pub(crate) failing: (u32, usize),
    /// How the job ended.
    pub(crate) result: Option<Result<Vec<BlockRef>, JobError>>,
}

impl World {
    /// A cluster whose nodes have so many slots, up and running.
    pub(crate) fn new(slots: &[u32], settings: &[(&str, &str)], memory: Option<u64>) -> Self {
        let tuning = Tuning::resolve(Actor.switches(), settings.iter().copied()).unwrap();
        let resources = BTreeMap::from([("gpu".to_owned(), 1_000)]);
        let memory = memory.map(Bytes::new);
        let env = StyleEnv { slots: 1, memory_share: Bytes::new(1), memory, resources, tuning };
        let mut world = Self {
            driver: Actor.machine(Addr::Driver, &env),
            env,
            nodes: BTreeMap::new(),
            todo: VecDeque::new(),
            timers: BTreeMap::new(),
            now: Nanos::ZERO,
            bytes: 1_000_000,
            ran: Vec::new(),
            fetched: Vec::new(),
            spilled: 0,
            frames: 0,
            spillbacks: 0,
            launched: 0,
            failing: (0, 0),
            result: None,
        };
        for (node, slots) in (0..).map(NodeId).zip(slots) {
            world.join(node, *slots);
        }
        world
    }

    /// A fresh node joins.
    pub(crate) fn join(&mut self, node: NodeId, slots: u32) {
        let env = StyleEnv { slots, ..self.env.clone() };
        self.nodes.insert(node, (Actor.machine(Addr::Node(node), &env), BTreeSet::new()));
        self.todo.push_back((Addr::Driver, Event::NodeUp { node, slots }));
    }

    /// A node forgets every block of a fragment, and nobody is told. How many there were.
    pub(crate) fn lose(&mut self, fragment: u32) -> usize {
        let mut lost = 0;
        for (_, held) in self.nodes.values_mut() {
            let before = held.len();
            held.retain(|(block, _)| block.task.fragment.0 != fragment);
            lost += before - held.len();
        }
        lost
    }

    /// A node dies, and the driver is told.
    pub(crate) fn kill(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        self.todo.retain(|(at, _)| *at != Addr::Node(node));
        self.todo.push_back((Addr::Driver, Event::NodeDown(node)));
    }

    pub(crate) fn submit(&mut self, fragments: Vec<Fragment>) {
        let result = fragments.last().unwrap().id;
        self.todo.push_back((Addr::Driver, Event::Submit { job: JOB, graph: Arc::new(Graph { fragments, result }) }));
    }

    /// Lets one thing happen.
    pub(crate) fn step(&mut self) {
        if let Some((at, event)) = self.todo.pop_front() {
            self.feed(at, event);
        } else {
            let ((at, to, id), ()) =
                self.timers.pop_first().expect("nothing is left to happen and the job is not over");
            self.now = at;
            self.feed(to, Event::Timer(id));
        }
    }

    /// Goes on until something holds or the job is over.
    pub(crate) fn run_until(&mut self, holds: impl Fn(&Self) -> bool) {
        while self.result.is_none() && !holds(self) {
            self.step();
        }
    }

    /// Goes on until the job is over.
    pub(crate) fn finish(&mut self) -> Result<Vec<BlockRef>, JobError> {
        self.run_until(|_| false);
        self.result.clone().unwrap()
    }

    /// Where each task of a fragment ran last.
    pub(crate) fn places(&self, fragment: u32) -> BTreeMap<u32, NodeId> {
        let mine = self.ran.iter().filter(|(_, a)| a.task.fragment.0 == fragment);
        mine.map(|(node, a)| (a.task.partition, *node)).collect()
    }

    fn feed(&mut self, at: Addr, event: Event<Frame>) {
        let mut out = Vec::new();
        let machine = match at {
            Addr::Driver => &mut self.driver,
            Addr::Node(node) => match self.nodes.get_mut(&node) {
                Some((machine, _)) => machine,
                None => return,
            },
        };
        machine.on(self.now, event, &mut out);
        assert_eq!(machine.check(), Ok(()));
        for action in out {
            self.carry_out(at, action);
        }
    }

    fn holds(&self, block: &BlockRef) -> bool {
        self.nodes.get(&block.node).is_some_and(|(_, held)| held.contains(&(block.id, block.attempt)))
    }

    fn carry_out(&mut self, at: Addr, action: Action<Frame>) {
        let node = if let Addr::Node(node) = at { node } else { NodeId(u32::MAX) };
        match action {
            Action::Send { to, msg } => {
                self.frames += usize::from(msg.seq > 0);
                self.launched += msg.notes.iter().filter(|n| matches!(n, Note::Launch(_))).count();
                self.spillbacks += msg.notes.iter().filter(|n| matches!(n, Note::Spillback(..))).count();
                self.todo.push_back((to, Event::Message { from: at, msg }));
            }
            Action::Timer { id, after } => {
                self.timers.insert((self.now + after, at, id), ());
            }
            Action::Run(assignment) => self.run(node, assignment),
            Action::Fetch { block, .. } => {
                let here = self.holds(&block);
                let result = here.then_some(()).ok_or(TaskFailure::MissingBlock(block.id));
                if here {
                    self.nodes.get_mut(&node).unwrap().1.insert((block.id, block.attempt));
                    self.fetched.push((node, block));
                }
                self.todo.push_back((at, Event::Fetched { block, result }));
            }
            Action::Spill { block, attempt } => {
                self.spilled += 1;
                self.todo.push_back((at, Event::Spilled { block, attempt, result: Ok(()) }));
            }
            Action::Release { block, attempt } => {
                self.nodes.get_mut(&node).unwrap().1.remove(&(block, attempt));
            }
            Action::Free { job, .. } => self.nodes.get_mut(&node).unwrap().1.retain(|(b, _)| b.task.job != job),
            Action::Finish { result, .. } => self.result = Some(result),
            Action::Cancel { .. } | Action::MeasureMemory | Action::Replan { .. } | Action::Note { .. } => {}
        }
    }

    fn run(&mut self, node: NodeId, assignment: Assignment) {
        let (task, attempt) = (assignment.task, assignment.attempt);
        let missing = assignment.inputs.iter().flatten().find(|block| !self.holds(block)).map(|block| block.id);
        let fails = self.failing.0 == task.fragment.0 && self.failing.1 > 0;
        self.failing.1 -= usize::from(fails);
        let result = match missing {
            _ if fails => Err(TaskFailure::Transient("it was told to fail".to_owned())),
            Some(block) => Err(TaskFailure::MissingBlock(block)),
            None => {
                let meta = BlockMeta { rows: Rows::new(1), bytes: Bytes::new(self.bytes), checksum: Checksum(1) };
                let held = &mut self.nodes.get_mut(&node).unwrap().1;
                held.extend((0..assignment.outputs).map(|output| (BlockId { task, output }, attempt)));
                Ok(TaskReport { blocks: vec![meta; assignment.outputs as usize], stats: TaskStats::default() })
            }
        };
        self.ran.push((node, assignment));
        self.todo.push_back((Addr::Node(node), Event::TaskRan { task, attempt, result }));
    }
}

/// A fragment that reads each of `inputs` in its way.
pub(crate) fn fragment(id: u32, tasks: u32, inputs: &[(u32, Read)], exchange: Exchange, outputs: u32) -> Fragment {
    let call = Call { kernel: KernelId::new("noop/1"), args: Default::default() };
    let inputs = inputs.iter().map(|(from, read)| Input { from: FragmentId(*from), read: read.clone() }).collect();
    let (waits_for, options) = (vec![], Default::default());
    Fragment { id: FragmentId(id), call, inputs, tasks, exchange, outputs, waits_for, options }
}

/// `length` fragments of `width` tasks, each of which reads the one before it.
pub(crate) fn chain(length: u32, width: u32) -> Vec<Fragment> {
    let inputs = |id: u32| if id == 0 { vec![] } else { vec![(id - 1, Read::Forward)] };
    (0..length).map(|id| fragment(id, width, &inputs(id), Exchange::Forward, 1)).collect()
}

/// `maps` tasks, `reducers` tasks that read a part of each, and one that reads all of them.
pub(crate) fn shuffle(maps: u32, reducers: u32) -> Vec<Fragment> {
    vec![
        fragment(0, maps, &[], Exchange::Hash, reducers),
        fragment(1, reducers, &[(0, Read::Aligned)], Exchange::Gather, 1),
        fragment(2, 1, &[(1, Read::All)], Exchange::Collect, 1),
    ]
}
