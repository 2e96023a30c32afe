//! The scheduler's decisions one by one, against workers that do nothing by themselves. The simulator tests the rest.
//!
//! Longer than other files, because every claim is made against the same cluster played by hand.
//!
//! Long because: each mechanism of the scheduler is one claim here.

use super::Scheduler;
use super::key::State;
use crate::message::{Down, Failed, Msg, Order, Pressure, Up};
use crate::settings::Settings;
use crate::stream::Stream;
use crate::style::TaskGraph;
use bench_model::{
    Action, Addr, Attempt, BlockMeta, Bytes, Call, Checksum, Epoch, Event, Exchange, Fragment, FragmentId, Graph,
    Input, JobError, JobId, KernelId, Nanos, NodeId, Note, Read, Rows, SpanKind, Style, StyleEnv, TaskFailure, TaskId,
    TimerId, Tuning,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const JOB: JobId = JobId(0);

/// A scheduler with its workers played by hand.
struct Cluster {
    scheduler: Scheduler,
    now: Nanos,
    streams: BTreeMap<NodeId, Stream<Up, Down>>,
    /// What workers were told, in order, without orders.
    told: Vec<(NodeId, Down)>,
    /// Orders that were not answered yet.
    orders: Vec<(NodeId, Order)>,
    notes: Vec<Note>,
    finished: Option<Result<usize, JobError>>,
}

impl Cluster {
    fn new(settings: &[(&str, &str)], slots: &[u32]) -> Self {
        let style = TaskGraph::new();
        let tuning = Tuning::resolve(style.switches(), settings.iter().copied()).unwrap();
        let env = StyleEnv { slots: 1, memory_share: Bytes::ZERO, memory: None, resources: Default::default(), tuning };
        let mut cluster = Self {
            scheduler: Scheduler::new(Settings::of(&env, false)),
            now: Nanos::ZERO,
            streams: BTreeMap::new(),
            told: vec![],
            orders: vec![],
            notes: vec![],
            finished: None,
        };
        for (node, slots) in (0..).zip(slots) {
            cluster.join(node, *slots);
        }
        cluster
    }

    fn join(&mut self, node: u32, slots: u32) {
        self.on(Event::NodeUp { node: NodeId(node), slots });
    }

    fn submit(&mut self, fragments: Vec<Fragment>) {
        let result = fragments.last().unwrap().id;
        self.on(Event::Submit { job: JOB, graph: Arc::new(Graph { fragments, result }) });
    }

    fn on(&mut self, event: Event<Msg>) {
        let mut out = Vec::new();
        self.scheduler.on(self.now, event, &mut out);
        assert_eq!(self.scheduler.check(), Ok(()));
        for action in out {
            match action {
                Action::Send { to: Addr::Node(node), msg: Msg::Down(frame) } => {
                    let stream = self.streams.entry(node).or_insert_with(|| Stream::new(Epoch(0)));
                    if frame.epoch > stream.epoch() {
                        *stream = Stream::new(frame.epoch);
                        self.orders.retain(|(n, _)| *n != node);
                    }
                    for item in stream.receive(frame).iter().flat_map(|items| items.iter()) {
                        match item {
                            Down::Compute(order) => self.orders.push((node, Order::clone(order))),
                            other => self.told.push((node, other.clone())),
                        }
                    }
                }
                Action::Note { note, .. } => self.notes.push(note),
                Action::Finish { result, .. } => self.finished = Some(result.map(|blocks| blocks.len())),
                _ => {}
            }
        }
    }

    fn say(&mut self, node: u32, item: Up) {
        let stream = self.streams.get_mut(&NodeId(node)).unwrap();
        stream.push(item);
        let frame = stream.flush(self.now).unwrap();
        self.on(Event::Message { from: Addr::Node(NodeId(node)), msg: Msg::Up(frame) });
    }

    /// Takes the order for a task, wherever it went.
    fn order(&mut self, fragment: u32, partition: u32) -> (u32, Order) {
        let at = self.orders.iter().position(|(_, o)| o.task() == task(fragment, partition));
        let (node, order) =
            self.orders.remove(at.unwrap_or_else(|| panic!("f{fragment}/p{partition} was not ordered")));
        (node.0, order)
    }

    fn nodes_of(&self, fragment: u32) -> Vec<u32> {
        self.orders.iter().filter(|(_, o)| o.task().fragment.0 == fragment).map(|(n, _)| n.0).collect()
    }

    /// Ends a task with blocks of that many bytes.
    fn done(&mut self, fragment: u32, partition: u32, bytes: u64) -> u32 {
        let (node, order) = self.order(fragment, partition);
        let task = order.task();
        let outputs = order.rest.last().unwrap_or(&order.first).outputs;
        let sum = |o: u32| Checksum(u128::from(fragment * 1_000 + partition * 10 + o));
        let block = |o| BlockMeta { rows: Rows::new(1), bytes: Bytes::new(bytes), checksum: sum(o) };
        let blocks = (0..outputs).map(block).collect();
        let took = Nanos::from_millis(100);
        self.say(node, Up::Done { task, attempt: order.attempt(), blocks, took });
        node
    }

    fn fail(&mut self, fragment: u32, partition: u32, failure: TaskFailure) {
        let (node, order) = self.order(fragment, partition);
        let step = order.task();
        let lost = order.first.inputs.iter().flatten().next().copied();
        self.say(node, Up::Failed(Box::new(Failed { task: step, attempt: order.attempt(), step, failure, lost })));
    }

    fn state(&self, fragment: u32, partition: u32) -> State {
        let job = &self.scheduler.jobs[&JOB];
        job.key(job.plan.key_of(task(fragment, partition)).unwrap()).state
    }

    fn balance(&mut self) {
        self.on(Event::Timer(TimerId(2)));
    }

    fn told_to(&self, node: u32) -> Vec<&Down> {
        self.told.iter().filter(|(n, _)| n.0 == node).map(|(_, item)| item).collect()
    }
}

fn task(fragment: u32, partition: u32) -> TaskId {
    TaskId { job: JOB, fragment: FragmentId(fragment), partition }
}

fn fragment(id: u32, tasks: u32, inputs: &[(u32, Read)], exchange: Exchange, outputs: u32) -> Fragment {
    let call = Call { kernel: KernelId::new("test/1"), args: Default::default() };
    let inputs = inputs.iter().map(|(from, read)| Input { from: FragmentId(*from), read: read.clone() }).collect();
    let options = Default::default();
    Fragment { id: FragmentId(id), call, inputs, tasks, exchange, outputs, waits_for: vec![], options }
}

/// `leaves` tasks and one that reads them all.
fn gather(leaves: u32) -> Vec<Fragment> {
    vec![fragment(0, leaves, &[], Exchange::Gather, 1), fragment(1, 1, &[(0, Read::All)], Exchange::Collect, 1)]
}

fn shuffle() -> Vec<Fragment> {
    vec![
        fragment(0, 2, &[], Exchange::Hash, 2),
        fragment(1, 2, &[(0, Read::Aligned)], Exchange::Gather, 1),
        fragment(2, 1, &[(1, Read::All)], Exchange::Collect, 1),
    ]
}

#[test]
fn a_job_runs_from_its_leaves_to_its_answer_and_frees_what_it_left() {
    let mut cluster = Cluster::new(&[], &[2]);
    cluster.submit(gather(2));
    assert_eq!((cluster.state(0, 0), cluster.state(1, 0)), (State::Processing, State::Waiting));
    cluster.done(0, 0, 10);
    assert_eq!(cluster.state(0, 0), State::Memory);
    cluster.done(0, 1, 10);
    cluster.done(1, 0, 10);
    assert_eq!(cluster.finished, Some(Ok(1)));
    assert!(cluster.told.contains(&(NodeId(0), Down::FreeJob { job: JOB })));
}

#[test]
fn blocks_that_nobody_reads_any_more_are_released() {
    let mut cluster = Cluster::new(&[("fuse", "off")], &[1]);
    let chain = |id: u32| match id {
        0 => fragment(0, 1, &[], Exchange::Forward, 1),
        _ => fragment(id, 1, &[(id - 1, Read::Forward)], Exchange::Forward, 1),
    };
    cluster.submit((0..3).map(chain).collect());
    cluster.done(0, 0, 10);
    cluster.done(1, 0, 10);
    assert_eq!(cluster.state(0, 0), State::Released);
    assert!(cluster.told.contains(&(NodeId(0), Down::Release { task: task(0, 0), attempt: Attempt(0) })));
}

#[test]
fn every_step_of_the_table_is_legal_and_the_rest_is_a_violation() {
    use State::{Erred, Forgotten, Memory, NoWorker, Processing, Queued, Released, Waiting};
    let all = [Released, Waiting, NoWorker, Queued, Processing, Memory, Erred, Forgotten];
    let legal: &[(State, &[State])] = &[
        (Released, &[Waiting, Forgotten]),
        (Waiting, &[Released, NoWorker, Queued, Processing, Forgotten]),
        (NoWorker, &[Released, Waiting, Processing, Forgotten]),
        (Queued, &[Released, Waiting, Processing, Forgotten]),
        (Processing, &[Released, Waiting, Memory, Erred, Forgotten]),
        (Memory, &[Released, Waiting, Forgotten]),
        (Erred, &[Forgotten]),
        (Forgotten, &[]),
    ];
    for (from, allowed) in legal {
        for to in all {
            // A key without inputs or readers, so that nothing else moves.
            let mut cluster = Cluster::new(&[], &[1]);
            cluster.submit(vec![fragment(0, 1, &[], Exchange::Collect, 1)]);
            let scheduler = &mut cluster.scheduler;
            let job = scheduler.jobs.get_mut(&JOB).unwrap();
            job.set(0, *from);
            let mut out = vec![];
            let mut cx = super::Cx { settings: &scheduler.settings, workers: &mut scheduler.workers, out: &mut out };
            // However often it arrives in memory, it is not counted below nothing.
            job.missing = 5;
            job.transition(&mut cx, 0, to);
            assert_eq!(job.broken.is_none(), allowed.contains(&to), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn root_tasks_wait_at_the_scheduler_until_a_worker_has_room() {
    let mut cluster = Cluster::new(&[], &[2]);
    cluster.submit(gather(20));
    assert_eq!(cluster.orders.len(), 3, "1.1 keys per slot, rounded up");
    assert_eq!(cluster.state(0, 19), State::Queued);
    cluster.done(0, 0, 10);
    assert_eq!(cluster.orders.len(), 3);
    let mut pushed = Cluster::new(&[("queuing", "off")], &[2]);
    pushed.submit(gather(20));
    assert_eq!(pushed.orders.len(), 20);
}

#[test]
fn a_key_goes_where_most_of_its_input_is_unless_that_worker_is_busy() {
    let inputs = |locality: &str| {
        let mut cluster = Cluster::new(&[("locality", locality), ("stealing", "off")], &[1, 1]);
        cluster.submit(vec![
            fragment(0, 2, &[], Exchange::Forward, 1),
            fragment(1, 2, &[], Exchange::Forward, 1),
            fragment(2, 2, &[(0, Read::Forward), (1, Read::Forward)], Exchange::Collect, 1),
        ]);
        cluster
    };
    let mut cluster = inputs("on");
    let small = cluster.done(0, 0, 1_000);
    let large = cluster.done(1, 0, 500_000_000);
    assert_ne!(small, large, "the two inputs of task 0 lie on different workers");
    let (at, order) = cluster.order(2, 0);
    assert_eq!(at, large);
    let sources: Vec<u32> = order.first.inputs.iter().flatten().map(|b| b.node.0).collect();
    assert_eq!(sources, [small, large]);
}

#[test]
fn the_duration_of_a_fragment_is_a_moving_average() {
    let mut cluster = Cluster::new(&[], &[4]);
    cluster.submit(gather(3));
    let job = &cluster.scheduler.jobs[&JOB];
    assert_eq!(job.duration(&cluster.scheduler.settings, 0), 500_000_000, "the prior");
    for partition in 0..2 {
        cluster.done(0, partition, 1);
    }
    let job = cluster.scheduler.jobs.get_mut(&JOB).unwrap();
    job.measured(0, 300_000_000);
    assert_eq!(job.duration(&cluster.scheduler.settings, 0), 200_000_000);
}

#[test]
fn keys_move_to_an_idle_worker_only_if_the_victim_gives_them_back() {
    let mut cluster = Cluster::new(&[("queuing", "off")], &[1]);
    cluster.submit(gather(6));
    cluster.join(1, 1);
    cluster.balance();
    let asked: Vec<TaskId> = cluster
        .told_to(0)
        .into_iter()
        .filter_map(|item| match item {
            Down::Steal { task, .. } => Some(*task),
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 1, "one for each idle slot");
    assert_eq!(cluster.nodes_of(0), [0; 6], "nothing moves before the victim has answered");
    cluster.say(0, Up::Stolen { task: asked[0], attempt: Attempt(0), given: false });
    assert_eq!(cluster.nodes_of(0), [0; 6], "it has started there");
    cluster.balance();
    let second = match cluster.told.last() {
        Some((_, Down::Steal { task, .. })) => *task,
        other => panic!("{other:?}"),
    };
    cluster.say(0, Up::Stolen { task: second, attempt: Attempt(0), given: true });
    assert_eq!(cluster.nodes_of(0), [0, 0, 0, 0, 0, 0, 1]);
    assert!(cluster.notes.contains(&Note::Stolen(second, NodeId(0), NodeId(1))));
}

#[test]
fn without_stealing_nothing_moves() {
    let mut cluster = Cluster::new(&[("queuing", "off"), ("stealing", "off")], &[1]);
    cluster.submit(gather(6));
    cluster.join(1, 1);
    cluster.balance();
    assert!(cluster.told_to(0).iter().all(|item| !matches!(item, Down::Steal { .. })));
}

#[test]
fn what_only_a_lost_worker_held_is_made_again_with_all_it_needs() {
    let mut cluster = Cluster::new(&[("fuse", "off")], &[1, 1]);
    let chain = |id: u32| match id {
        0 => fragment(0, 1, &[], Exchange::Forward, 1),
        _ => fragment(id, 1, &[(id - 1, Read::Forward)], Exchange::Forward, 1),
    };
    cluster.submit((0..3).map(chain).collect());
    cluster.done(0, 0, 10);
    let at = cluster.done(1, 0, 10);
    assert_eq!(cluster.state(0, 0), State::Released);
    cluster.on(Event::NodeDown(NodeId(at)));
    assert_eq!([0, 1, 2].map(|f| cluster.state(f, 0)), [State::Processing, State::Waiting, State::Waiting]);
    let (other, order) = cluster.order(0, 0);
    assert_eq!((other, order.attempt()), (1 - at, Attempt(1)));
}

#[test]
fn a_zombies_word_does_not_count() {
    let mut cluster = Cluster::new(&[], &[1]);
    cluster.submit(gather(1));
    // The node is given up and joins again; what its old self says comes late.
    let (_, order) = cluster.order(0, 0);
    let mut zombie = std::mem::replace(cluster.streams.get_mut(&NodeId(0)).unwrap(), Stream::new(Epoch(0)));
    cluster.on(Event::NodeDown(NodeId(0)));
    cluster.join(0, 1);
    let blocks = vec![BlockMeta::default()];
    zombie.push(Up::Done { task: order.task(), attempt: order.attempt(), blocks, took: Nanos::ZERO });
    let frame = zombie.flush(Nanos::ZERO).unwrap();
    cluster.on(Event::Message { from: Addr::Node(NodeId(0)), msg: Msg::Up(frame) });
    assert_eq!(cluster.state(0, 0), State::Processing);
    assert_eq!(cluster.order(0, 0).1.attempt(), Attempt(1));
}

#[test]
fn a_shuffle_pushes_to_owners_waits_at_its_barrier_and_reads_where_the_blocks_are() {
    let mut cluster = Cluster::new(&[], &[1, 1]);
    cluster.submit(shuffle());
    let route = cluster.orders[0].1.route.clone().unwrap();
    assert_eq!((route.run, route.owners.to_vec()), (0, vec![NodeId(0), NodeId(1)]));
    cluster.done(0, 0, 10);
    cluster.done(0, 1, 10);
    let barriers = cluster.told.iter().filter(|(_, item)| matches!(item, Down::Barrier { .. })).count();
    assert_eq!((barriers, cluster.state(1, 0)), (2, State::Waiting), "each owner must have the other's block");
    assert_eq!(cluster.scheduler.idle_reason(), SpanKind::IdleBarrier);
    for node in [0, 1] {
        cluster.say(node, Up::Gathered { job: JOB, shuffle: FragmentId(0), run: 0, lost: None });
    }
    assert_eq!(cluster.state(0, 0), State::Released, "what it moved belongs to the barrier now");
    for partition in [0, 1] {
        let (node, order) = cluster.order(1, partition);
        assert_eq!(node, partition);
        assert!(order.first.inputs.iter().flatten().all(|block| block.node == NodeId(node)));
    }
}

#[test]
fn a_lost_owner_restarts_the_whole_shuffle_under_the_next_run() {
    let mut cluster = Cluster::new(&[], &[1, 1, 1]);
    cluster.submit(shuffle());
    cluster.done(0, 0, 10);
    cluster.done(0, 1, 10);
    let owner = 0;
    cluster.on(Event::NodeDown(NodeId(owner)));
    let runs: Vec<u32> = cluster.orders.iter().filter_map(|(_, o)| o.route.as_ref()).map(|r| r.run).collect();
    assert_eq!(runs, [1, 1], "both producers push again");
    let owners = cluster.orders[0].1.route.clone().unwrap().owners;
    assert_eq!(owners.to_vec(), [NodeId(1), NodeId(2)]);
    assert!(cluster.told.contains(&(NodeId(1), Down::CloseShuffle { job: JOB, shuffle: FragmentId(0), run: 0 })));
    // A late answer to the barrier of run 0 changes nothing.
    cluster.done(0, 0, 10);
    cluster.done(0, 1, 10);
    cluster.say(1, Up::Gathered { job: JOB, shuffle: FragmentId(0), run: 0, lost: None });
    assert_eq!(cluster.state(1, 0), State::Waiting);
    for node in [1, 2] {
        cluster.say(node, Up::Gathered { job: JOB, shuffle: FragmentId(0), run: 1, lost: None });
    }
    assert_eq!(cluster.state(1, 0), State::Processing);
}

#[test]
fn a_block_lost_on_its_way_to_an_owner_restarts_the_shuffle() {
    let mut cluster = Cluster::new(&[], &[1, 1]);
    cluster.submit(shuffle());
    cluster.done(0, 0, 10);
    cluster.done(0, 1, 10);
    let lost = cluster.told.iter().find_map(|(node, item)| match item {
        Down::Barrier { blocks, .. } => Some((node.0, blocks[0])),
        _ => None,
    });
    let (node, block) = lost.unwrap();
    cluster.say(node, Up::Gathered { job: JOB, shuffle: FragmentId(0), run: 0, lost: Some(Box::new(block)) });
    assert!(cluster.orders.iter().all(|(_, o)| o.route.as_ref().is_some_and(|r| r.run == 1)));
    assert_eq!(cluster.orders.len(), 2);
}

#[test]
fn a_missing_block_is_made_again_and_its_reader_waits() {
    let mut cluster = Cluster::new(&[], &[1]);
    cluster.submit(gather(1));
    cluster.done(0, 0, 10);
    let block = bench_model::BlockId { task: task(0, 0), output: 0 };
    cluster.fail(1, 0, TaskFailure::MissingBlock(block));
    assert_eq!((cluster.state(0, 0), cluster.state(1, 0)), (State::Processing, State::Waiting));
}

#[test]
fn other_rows_than_before_end_the_job_if_the_first_ones_were_read() {
    let mut cluster = Cluster::new(&[], &[1]);
    cluster.submit(gather(1));
    cluster.done(0, 0, 10);
    let block = bench_model::BlockId { task: task(0, 0), output: 0 };
    cluster.fail(1, 0, TaskFailure::CorruptBlock(block));
    let (node, order) = cluster.order(0, 0);
    let blocks = vec![BlockMeta { checksum: Checksum(9_999), ..BlockMeta::default() }];
    cluster.say(node, Up::Done { task: order.task(), attempt: order.attempt(), blocks, took: Nanos::ZERO });
    assert_eq!(cluster.finished, Some(Err(JobError::ChecksumChanged(task(0, 0)))));
}

#[test]
fn a_task_is_tried_again_as_often_as_allowed() {
    let mut cluster = Cluster::new(&[("retries", "2")], &[1]);
    cluster.submit(gather(1));
    for _ in 0..2 {
        cluster.fail(0, 0, TaskFailure::Transient("x".to_owned()));
        assert_eq!(cluster.finished, None);
    }
    cluster.fail(0, 0, TaskFailure::Transient("x".to_owned()));
    assert!(matches!(cluster.finished, Some(Err(JobError::Task { attempts: 3, .. }))), "{:?}", cluster.finished);
}

#[test]
fn a_task_with_which_workers_keep_dying_is_taken_for_the_cause() {
    let mut cluster = Cluster::new(&[("allowed_failures", "1")], &[1]);
    cluster.submit(gather(1));
    for _ in 0..2 {
        assert_eq!(cluster.finished, None);
        cluster.join(0, 1);
    }
    assert!(matches!(cluster.finished, Some(Err(JobError::Killer { deaths: 2, .. }))), "{:?}", cluster.finished);
}

#[test]
fn a_worker_out_of_memory_starts_over_empty_if_another_can_do_its_work() {
    let mut cluster = Cluster::new(&[], &[1]);
    cluster.submit(gather(2));
    cluster.say(0, Up::Memory(Pressure::Critical));
    assert!(!cluster.told.contains(&(NodeId(0), Down::Close)), "the only one goes on");
    assert_eq!(cluster.scheduler.idle_reason(), SpanKind::IdlePaused);
    cluster.join(1, 1);
    assert!(cluster.told.contains(&(NodeId(0), Down::Close)));
    cluster.say(0, Up::Closed);
    assert_eq!(cluster.nodes_of(0), [1, 1], "its keys run elsewhere");
    let welcomes = cluster.told_to(0).into_iter().filter(|item| **item == Down::Welcome).count();
    assert_eq!(welcomes, 2);
}

#[test]
fn keys_wait_while_every_worker_is_paused() {
    let mut cluster = Cluster::new(&[], &[1]);
    cluster.say(0, Up::Memory(Pressure::Paused));
    cluster.submit(gather(1));
    assert_eq!(cluster.state(0, 0), State::NoWorker);
    cluster.say(0, Up::Memory(Pressure::Normal));
    assert_eq!(cluster.state(0, 0), State::Processing);
}

#[test]
fn a_broadcast_block_is_copied_on_request_and_surplus_copies_are_dropped() {
    let mut cluster = Cluster::new(&[("replicate", "2"), ("queuing", "off")], &[1, 1]);
    cluster.submit(vec![
        fragment(0, 1, &[], Exchange::Broadcast, 1),
        fragment(1, 2, &[(0, Read::All)], Exchange::Gather, 1),
        fragment(2, 1, &[(1, Read::All), (0, Read::All)], Exchange::Collect, 1),
    ]);
    let at = cluster.done(0, 0, 10);
    assert!(matches!(cluster.told_to(1 - at).last(), Some(Down::Acquire { blocks }) if blocks[0].node == NodeId(at)));
    cluster.say(1 - at, Up::Added { task: task(0, 0), attempt: Attempt(0) });
    let copies = |c: &Cluster| c.scheduler.jobs[&JOB].key(0).holders.as_slice().len();
    assert_eq!(copies(&cluster), 2);
    cluster.scheduler.settings.replicate = 1;
    cluster.done(1, 0, 10);
    cluster.done(1, 1, 10);
    let (_, last) = cluster.orders.first().cloned().unwrap();
    cluster.on(Event::Timer(TimerId(3)));
    assert_eq!(copies(&cluster), 1, "one reader is left, {:?}", last.task());
}

#[test]
fn a_cancelled_job_ends_at_once() {
    let mut cluster = Cluster::new(&[], &[1]);
    cluster.submit(gather(2));
    cluster.on(Event::Cancel(JOB));
    assert_eq!(cluster.finished, Some(Err(JobError::Cancelled)));
    assert!(cluster.told.contains(&(NodeId(0), Down::FreeJob { job: JOB })));
}

#[test]
fn without_any_node_a_job_fails_after_a_while() {
    let mut cluster = Cluster::new(&[], &[]);
    cluster.submit(gather(1));
    cluster.on(Event::Timer(TimerId(1)));
    assert_eq!(cluster.finished, Some(Err(JobError::NoNodes)));
}
