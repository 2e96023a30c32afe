//! A worker's steps one by one, with the scheduler played by hand. The simulator tests the rest.

use super::Worker;
use crate::message::{Down, Msg, Order, Pressure, Route, Up};
use crate::settings::Limits;
use crate::stream::{Shared, Stream};
use crate::style::TaskGraph;
use bench_model::{
    Action, Addr, Assignment, Attempt, BlockId, BlockMeta, BlockRef, Bytes, Call, Checksum, Epoch, Event, Exchange,
    FragmentId, JobId, KernelId, Nanos, NodeId, Rows, Storage, Style, StyleEnv, TaskFailure, TaskId, TaskReport,
    TaskStats, Tuning,
};

const JOB: JobId = JobId(0);

/// A worker with two slots, as node 0.
struct Node {
    worker: Worker,
    stream: Stream<Down, Up>,
    said: Vec<Up>,
    did: Vec<Action<Msg>>,
}

impl Node {
    fn new(settings: &[(&str, &str)], memory: Option<u64>) -> Self {
        let style = TaskGraph::new();
        let tuning = Tuning::resolve(style.switches(), settings.iter().copied()).unwrap();
        let memory = memory.map(Bytes::new);
        let env = StyleEnv { slots: 2, memory_share: Bytes::ZERO, memory, resources: Default::default(), tuning };
        let worker = Worker::new(NodeId(0), 2, Limits::of(&env));
        let mut node = Self { worker, stream: Stream::new(Epoch(1)), said: vec![], did: vec![] };
        node.tell([Down::Welcome]);
        node.said.clear();
        node
    }

    fn on(&mut self, event: Event<Msg>) {
        let mut out = Vec::new();
        self.worker.on(Nanos::ZERO, event, &mut out);
        assert_eq!(self.worker.check(), Ok(()));
        for action in out {
            match action {
                Action::Send { to: Addr::Driver, msg: Msg::Up(frame) } => {
                    if frame.epoch == self.stream.epoch() {
                        self.said.extend(self.stream.receive(frame).iter().flat_map(|items| items.iter().cloned()));
                    }
                }
                Action::Timer { .. } => {}
                other => self.did.push(other),
            }
        }
    }

    fn tell(&mut self, items: impl IntoIterator<Item = Down>) {
        for item in items {
            self.stream.push(item);
        }
        let frame = self.stream.flush(Nanos::ZERO).unwrap();
        self.on(Event::Message { from: Addr::Driver, msg: Msg::Down(frame) });
    }

    fn ran(&mut self, fragment: u32, outputs: u32) {
        let report = TaskReport { blocks: (0..outputs).map(|_| meta()).collect(), stats: TaskStats::default() };
        self.on(Event::TaskRan { task: task(fragment), attempt: Attempt(0), result: Ok(report) });
    }

    fn fetched(&mut self, block: BlockRef, result: Result<(), TaskFailure>) {
        self.on(Event::Fetched { block, result });
    }

    /// What was done since the last call, a word each.
    fn deeds(&mut self) -> Vec<String> {
        let word = |action: Action<Msg>| match action {
            Action::Run(a) => format!("run {}", a.task.fragment),
            Action::Fetch { block, .. } => format!("fetch {}", block.id.task.fragment),
            Action::Release { block, .. } => format!("release {}", block.task.fragment),
            Action::Cancel { task, .. } => format!("cancel {}", task.fragment),
            Action::Spill { block, .. } => format!("spill {}", block.task.fragment),
            Action::Free { .. } => "free".to_owned(),
            Action::Send { to, .. } => format!("push to {to}"),
            other => format!("{other:?}"),
        };
        std::mem::take(&mut self.did).into_iter().map(word).collect()
    }
}

const fn task(fragment: u32) -> TaskId {
    TaskId { job: JOB, fragment: FragmentId(fragment), partition: 0 }
}

const fn meta() -> BlockMeta {
    BlockMeta { rows: Rows::new(1), bytes: Bytes::new(100), checksum: Checksum(1) }
}

fn block(fragment: u32, node: u32) -> BlockRef {
    BlockRef { id: BlockId { task: task(fragment), output: 0 }, attempt: Attempt(0), node: NodeId(node), meta: meta() }
}

fn assignment(fragment: u32, inputs: Vec<BlockRef>, outputs: u32) -> Assignment {
    Assignment {
        task: task(fragment),
        attempt: Attempt(0),
        call: Call { kernel: KernelId::new("test/1"), args: Default::default() },
        inputs: vec![inputs],
        outputs,
        exchange: Exchange::Forward,
        storage: Storage::Heap,
    }
}

fn order(fragment: u32, priority: u32, inputs: Vec<BlockRef>) -> Down {
    let first = assignment(fragment, inputs, 1);
    Down::Compute(Shared::new(Order { priority, first, rest: vec![], kept: 1, route: None }))
}

#[test]
fn keys_run_by_priority_on_as_many_slots_as_there_are() {
    let mut node = Node::new(&[], None);
    node.tell([order(3, 3, vec![]), order(1, 1, vec![]), order(2, 2, vec![])]);
    assert_eq!(node.deeds(), ["run f1", "run f2"]);
    node.ran(1, 1);
    assert_eq!(node.deeds(), ["run f3"]);
    assert!(matches!(node.said[..], [Up::Done { task: t, .. }] if t == task(1)));
}

#[test]
fn dependencies_are_gathered_once_and_reported() {
    let mut node = Node::new(&[], None);
    node.tell([order(1, 1, vec![block(0, 7)]), order(2, 2, vec![block(0, 7)])]);
    assert_eq!(node.deeds(), ["fetch f0"]);
    node.fetched(block(0, 7), Ok(()));
    assert_eq!(node.deeds(), ["run f1", "run f2"]);
    assert_eq!(node.said, [Up::Added { task: task(0), attempt: Attempt(0) }]);
}

#[test]
fn at_most_so_many_blocks_travel_at_a_time_the_most_urgent_first() {
    let mut node = Node::new(&[("transfers", "1")], None);
    node.tell([order(9, 9, vec![block(0, 7)]), order(8, 1, vec![block(1, 7)])]);
    assert_eq!(node.deeds(), ["fetch f1"]);
    node.fetched(block(1, 7), Ok(()));
    assert_eq!(node.deeds(), ["fetch f0", "run f8"]);
}

#[test]
fn a_dependency_that_cannot_be_had_gives_its_readers_back() {
    let mut node = Node::new(&[], None);
    node.tell([order(1, 1, vec![block(0, 7)]), order(2, 2, vec![block(0, 7)])]);
    node.fetched(block(0, 7), Err(TaskFailure::MissingBlock(block(0, 7).id)));
    let lost: Vec<_> = node.said.iter().filter_map(|i| if let Up::Failed(f) = i { f.lost } else { None }).collect();
    assert_eq!(lost, [block(0, 7), block(0, 7)]);
    assert_eq!(node.deeds(), ["fetch f0"], "nothing runs");
}

#[test]
fn a_copy_that_is_spoilt_is_gathered_again_and_not_counted_on_while_others_still_read_it() {
    let mut node = Node::new(&[], None);
    node.tell([1, 2, 3].map(|key| order(key, key, vec![block(0, 7)])));
    node.fetched(block(0, 7), Ok(()));
    assert_eq!(node.deeds(), ["fetch f0", "run f1", "run f2"]);
    node.said.clear();
    let corrupt = Err(TaskFailure::CorruptBlock(block(0, 7).id));
    node.on(Event::TaskRan { task: task(1), attempt: Attempt(0), result: corrupt });
    let given_back = |i: &Up| if let Up::Failed(f) = i { Some((f.task, f.lost)) } else { None };
    let spoilt = Some(block(0, 0));
    let failed: Vec<_> = node.said.iter().map(given_back).collect();
    assert_eq!(failed, [Some((task(1), spoilt)), Some((task(3), spoilt))], "what has not begun to read is given back");
    assert_eq!(node.deeds(), ["release f0"]);
    node.said.clear();
    node.tell([order(1, 1, vec![block(0, 7)])]);
    assert_eq!((node.deeds(), node.said.len()), (vec!["fetch f0".to_owned()], 0), "the copy is not there to be added");
    // The one that was reading all the while ends; the other's read is not taken for its own.
    node.ran(2, 1);
    node.fetched(block(0, 7), Ok(()));
    assert_eq!(node.deeds(), ["run f1"]);
}

#[test]
fn a_fused_key_runs_back_to_back_and_reports_its_last_task_only() {
    let mut node = Node::new(&[], None);
    let rest = vec![Assignment { inputs: vec![vec![]], ..assignment(1, vec![], 1) }];
    let fused = Order { priority: 0, first: assignment(0, vec![], 1), rest, kept: 0, route: None };
    node.tell([Down::Compute(Shared::new(fused))]);
    node.ran(0, 1);
    let Some(Action::Run(second)) = node.did.last() else { panic!("{:?}", node.did) };
    assert_eq!(second.inputs, [[BlockRef { node: NodeId(0), ..block(0, 0) }]]);
    assert!(node.said.is_empty());
    node.ran(1, 1);
    assert_eq!(node.deeds(), ["run f0", "run f1", "release f0"]);
    assert!(matches!(node.said[..], [Up::Done { task: t, .. }] if t == task(1)));
}

#[test]
fn a_key_is_given_back_only_if_it_has_not_started() {
    let mut node = Node::new(&[], None);
    node.tell([order(1, 1, vec![]), order(2, 2, vec![]), order(3, 3, vec![])]);
    let steal = |f| Down::Steal { task: task(f), attempt: Attempt(0) };
    node.tell([steal(1), steal(3), steal(9)]);
    let given: Vec<bool> =
        node.said.iter().filter_map(|i| if let Up::Stolen { given, .. } = i { Some(*given) } else { None }).collect();
    assert_eq!(given, [false, true, false]);
    node.ran(1, 1);
    assert_eq!(node.deeds(), ["run f1", "run f2"], "what was given back never runs here");
}

#[test]
fn what_is_released_while_it_is_read_goes_when_its_last_reader_has_ended() {
    let mut node = Node::new(&[], None);
    node.tell([order(0, 0, vec![])]);
    node.ran(0, 1);
    node.tell([order(1, 1, vec![block(0, 0)])]);
    node.tell([Down::Release { task: task(0), attempt: Attempt(0) }]);
    assert_eq!(node.deeds(), ["run f0", "run f1"]);
    node.ran(1, 1);
    assert_eq!(node.deeds(), ["release f0"]);
}

#[test]
fn a_new_epoch_voids_all_that_was_before() {
    let mut node = Node::new(&[], None);
    node.tell([order(1, 1, vec![]), order(2, 2, vec![]), order(3, 3, vec![])]);
    node.deeds();
    node.stream = Stream::new(Epoch(2));
    node.tell([Down::Welcome, order(4, 1, vec![])]);
    assert_eq!(node.deeds(), ["cancel f1", "cancel f2", "free"]);
    // The zombies keep their slots until they have ended; what they wrote nobody wants.
    node.ran(1, 1);
    assert_eq!(node.deeds(), ["release f1", "run f4"]);
    assert!(!node.said.iter().any(|item| matches!(item, Up::Done { .. })));
    // An order of the old epoch comes late.
    let mut old: Stream<Down, Up> = Stream::new(Epoch(1));
    old.push(order(5, 1, vec![]));
    let frame = old.flush(Nanos::ZERO).unwrap();
    node.on(Event::Message { from: Addr::Driver, msg: Msg::Down(frame) });
    assert_eq!(node.deeds(), Vec::<String>::new());
}

fn producer(run: u32) -> Down {
    let route = Some(Route { run, owners: Shared::new(vec![NodeId(0), NodeId(1)]) });
    Down::Compute(Shared::new(Order { priority: 0, first: assignment(0, vec![], 2), rest: vec![], kept: 0, route }))
}

fn shuffled(partition: u32, node: u32) -> BlockRef {
    let mut block = block(0, node);
    block.id.task.partition = partition;
    block
}

#[test]
fn blocks_of_a_shuffle_are_pushed_to_their_owners_and_kept_by_them() {
    let mut node = Node::new(&[], None);
    node.tell([Down::OpenShuffle { job: JOB, shuffle: FragmentId(0), run: 3 }, producer(3)]);
    node.ran(0, 2);
    assert_eq!(node.deeds(), ["run f0", "push to n1"]);
    // The barrier has it now: what another owns goes, what this worker owns stays.
    node.tell([Down::Release { task: task(0), attempt: Attempt(0) }]);
    assert_eq!(node.deeds(), ["release f0"]);
    node.tell([Down::CloseShuffle { job: JOB, shuffle: FragmentId(0), run: 3 }]);
    assert_eq!(node.deeds(), ["release f0"]);
}

#[test]
fn an_owner_gathers_what_is_pushed_and_after_the_barrier_what_was_not() {
    let mut node = Node::new(&[], None);
    let (shuffle, run) = (FragmentId(0), 3);
    node.tell([Down::OpenShuffle { job: JOB, shuffle, run }]);
    let push = |run, partition| Msg::Push { job: JOB, shuffle, run, blocks: vec![shuffled(partition, 1)] };
    for (run, partition) in [(2, 4), (3, 5)] {
        node.on(Event::Message { from: Addr::Node(NodeId(1)), msg: push(run, partition) });
    }
    assert_eq!(node.deeds(), ["fetch f0"], "blocks of another run are not wanted");
    node.fetched(shuffled(5, 1), Ok(()));
    node.tell([Down::Barrier { job: JOB, shuffle, run, blocks: vec![shuffled(5, 1), shuffled(6, 1)] }]);
    assert_eq!(node.deeds(), ["fetch f0"]);
    assert!(node.said.is_empty());
    node.fetched(shuffled(6, 1), Ok(()));
    assert_eq!(node.said, [Up::Gathered { job: JOB, shuffle, run, lost: None }]);
}

#[test]
fn the_least_recently_used_blocks_are_spilled_beyond_the_target() {
    let mut node = Node::new(&[], Some(400));
    node.tell([order(1, 1, vec![]), order(2, 2, vec![]), order(3, 3, vec![])]);
    node.ran(1, 1);
    node.ran(2, 1);
    assert_eq!(node.deeds(), ["run f1", "run f2", "run f3"]);
    node.ran(3, 1);
    assert_eq!(node.deeds(), ["spill f1"], "300 bytes are above 60 % of 400");
    let spilled = |f| Event::Spilled { block: block(f, 0).id, attempt: Attempt(0), result: Ok(()) };
    node.on(spilled(1));
    node.on(Event::Memory { used: Bytes::new(290) });
    assert_eq!(node.deeds().last().map(String::as_str), Some("spill f2"), "the process is above 70 %");
}

#[test]
fn a_worker_pauses_says_so_and_goes_on_slowly_if_waiting_does_not_help() {
    let mut node = Node::new(&[], Some(1_000));
    node.on(Event::Memory { used: Bytes::new(850) });
    assert_eq!(node.said, [Up::Memory(Pressure::Paused)]);
    node.tell([order(1, 1, vec![]), order(2, 2, vec![])]);
    assert!(node.deeds().is_empty());
    node.on(Event::Memory { used: Bytes::new(960) });
    assert_eq!(node.said.last(), Some(&Up::Memory(Pressure::Critical)));
    for _ in 0..10 {
        node.on(Event::Memory { used: Bytes::new(960) });
    }
    assert_eq!(node.said.last(), Some(&Up::Memory(Pressure::Normal)));
    assert_eq!(node.deeds(), ["run f1"], "one at a time");
    node.on(Event::Memory { used: Bytes::new(100) });
    assert_eq!(node.deeds(), ["run f2"]);
}

#[test]
fn with_every_level_off_nothing_is_spilled_and_nothing_pauses() {
    let mut node = Node::new(&[("spill", "off"), ("pause", "off"), ("terminate", "off")], Some(100));
    node.tell([order(1, 1, vec![])]);
    node.ran(1, 1);
    node.on(Event::Memory { used: Bytes::new(1_000) });
    assert_eq!(node.deeds(), ["run f1"]);
    assert!(!node.said.iter().any(|item| matches!(item, Up::Memory(_))));
}
