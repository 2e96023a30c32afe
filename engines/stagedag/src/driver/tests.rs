//! The driver's decisions one by one, against a cluster that does nothing by itself. The simulator tests the rest.

use super::{Driver, NO_NODES, TICK};
use crate::message::{Msg, Outcome, Ticket};
use crate::style::StageDag;
use bench_model::{
    Action, Addr, Assignment, BlockId, BlockMeta, Bytes, Call, Checksum, Event, Exchange, Fragment, FragmentId, Graph,
    Input, JobError, JobId, KernelId, Nanos, NodeId, Note, Planned, Read, Rows, SpanKind, Style, TaskFailure, TaskId,
    TaskReport, TaskStats, TimerId, Tuning,
};
use std::sync::Arc;

const JOB: JobId = JobId(0);

/// A driver with its nodes played by hand.
struct Cluster {
    driver: Driver,
    now: Nanos,
    /// Launched and not answered yet, in order.
    running: Vec<(NodeId, Ticket, Assignment)>,
    freed: Vec<FragmentId>,
    replans: Vec<FragmentId>,
    notes: Vec<Note>,
    cancelled: Vec<TaskId>,
    finished: Option<Result<usize, JobError>>,
}

impl Cluster {
    fn new(settings: &[(&str, &str)], nodes: &[u32]) -> Self {
        let tuning = Tuning::resolve(StageDag.switches(), settings.iter().copied()).unwrap();
        let mut cluster = Self {
            driver: Driver::new(&tuning),
            now: Nanos::ZERO,
            running: vec![],
            freed: vec![],
            replans: vec![],
            notes: vec![],
            cancelled: vec![],
            finished: None,
        };
        for (id, slots) in nodes.iter().enumerate() {
            cluster.on(Event::NodeUp { node: NodeId(id as u32), slots: *slots });
        }
        cluster
    }

    fn submit(&mut self, fragments: Vec<Fragment>) {
        let result = fragments.last().unwrap().id;
        self.on(Event::Submit { job: JOB, graph: Arc::new(Graph { fragments, result }) });
    }

    fn on(&mut self, event: Event<Msg>) {
        let mut out = Vec::new();
        self.driver.on(self.now, event, &mut out);
        assert_eq!(self.driver.check(), Ok(()));
        for action in out {
            match action {
                Action::Send { to: Addr::Node(node), msg: Msg::Launch { ticket, assignment, .. } } => {
                    self.running.push((node, ticket, assignment));
                }
                Action::Send { msg: Msg::FreeFragment { fragment, .. }, .. } => self.freed.push(fragment),
                Action::Send { msg: Msg::Cancel { task, .. }, .. } => self.cancelled.push(task),
                Action::Replan { stats, .. } => self.replans.push(stats.fragment),
                Action::Note { note, .. } => self.notes.push(note),
                Action::Finish { result, .. } => self.finished = Some(result.map(|blocks| blocks.len())),
                _ => {}
            }
        }
    }

    /// What runs now, as `fragment/partition`.
    fn running(&self) -> Vec<String> {
        self.running.iter().map(|(_, _, a)| format!("{}/{}", a.task.fragment.0, a.task.partition)).collect()
    }

    fn answer(&mut self, at: usize, result: Result<TaskReport, TaskFailure>) {
        let (node, ticket, a) = self.running.remove(at);
        let outcome = Outcome::Ran(result);
        let msg = Msg::Finished { ticket, task: a.task, attempt: a.attempt, outcome };
        self.on(Event::Message { from: Addr::Node(node), msg });
    }

    /// The attempt at that place in the running list ends well; `salt` sets its rows apart.
    fn finish_as(&mut self, at: usize, salt: u128) {
        let a = &self.running[at].2;
        let checksum = Checksum(u128::from(a.task.partition) + salt);
        let meta = BlockMeta { rows: Rows::new(1), bytes: Bytes::new(100), checksum };
        let blocks = vec![meta; a.outputs as usize];
        self.answer(at, Ok(TaskReport { blocks, stats: TaskStats::default() }));
    }

    fn finish(&mut self, at: usize) {
        self.finish_as(at, 0);
    }

    fn finish_all(&mut self) {
        while !self.running.is_empty() {
            self.finish(0);
        }
    }

    fn tick_at(&mut self, ms: u64) {
        self.now = Nanos::from_millis(ms);
        self.on(Event::Timer(TICK));
    }
}

fn fragment(id: u32, tasks: u32, outputs: u32, inputs: &[(u32, Read)]) -> Fragment {
    let call = Call { kernel: KernelId::new("noop/1"), args: Default::default() };
    let inputs = inputs.iter().map(|(from, read)| Input { from: FragmentId(*from), read: read.clone() }).collect();
    Fragment {
        id: FragmentId(id),
        call,
        inputs,
        tasks,
        exchange: Exchange::Hash,
        outputs,
        waits_for: vec![],
        options: Default::default(),
    }
}

fn map_reduce() -> Vec<Fragment> {
    vec![fragment(0, 3, 2, &[]), fragment(1, 2, 1, &[(0, Read::Aligned)])]
}

fn missing(fragment: u32, partition: u32) -> TaskFailure {
    let task = TaskId { job: JOB, fragment: FragmentId(fragment), partition };
    TaskFailure::MissingBlock(BlockId { task, output: 0 })
}

const STATIC: &[(&str, &str)] = &[("adaptive", "off")];

#[test]
fn a_stage_starts_only_after_all_tasks_of_what_it_reads() {
    let mut cluster = Cluster::new(STATIC, &[4]);
    cluster.submit(map_reduce());
    assert_eq!(cluster.running(), ["0/0", "0/1", "0/2"]);
    cluster.finish(0);
    cluster.finish(0);
    assert_eq!(cluster.running(), ["0/2"], "the barrier holds although slots are free");
    assert_eq!(cluster.driver.idle_reason(), SpanKind::IdleBarrier);
    cluster.finish(0);
    assert_eq!(cluster.running(), ["1/0", "1/1"]);
    assert_eq!(cluster.driver.idle_reason(), SpanKind::IdleNoTask);
    cluster.finish_all();
    assert_eq!(cluster.finished, Some(Ok(2)));
}

#[test]
fn independent_stages_share_the_slots_lowest_first() {
    let mut cluster = Cluster::new(STATIC, &[3]);
    let last = fragment(2, 1, 1, &[(0, Read::All), (1, Read::All)]);
    cluster.submit(vec![fragment(0, 2, 1, &[]), fragment(1, 2, 1, &[]), last]);
    assert_eq!(cluster.running(), ["0/0", "0/1", "1/0"]);
}

#[test]
fn replanning_holds_back_the_next_stage_and_may_change_it() {
    let mut cluster = Cluster::new(&[], &[4]);
    cluster.submit(map_reduce());
    cluster.finish_all();
    assert_eq!((cluster.replans.as_slice(), cluster.running().len()), ([FragmentId(0)].as_slice(), 0));
    let mut fragments = map_reduce();
    fragments[1].tasks = 1;
    let slice = bench_model::Slice { outputs: 0..2, tasks: 0..3 };
    fragments[1].inputs[0].read = Read::Slices(vec![vec![slice]]);
    let graph = Some(Arc::new(Graph { fragments, result: FragmentId(1) }));
    cluster.on(Event::Planned(Planned { job: JOB, graph, notes: vec!["coalesced".to_owned()] }));
    assert_eq!(cluster.running(), ["1/0"]);
    assert_eq!(cluster.running[0].2.inputs[0].len(), 6, "one task reads all six blocks");
    assert!(cluster.notes.contains(&Note::Replanned("coalesced".to_owned())));
    cluster.finish_all();
    assert_eq!(cluster.finished, Some(Ok(1)));
}

#[test]
fn replanning_that_touches_a_started_stage_is_refused() {
    let mut cluster = Cluster::new(&[], &[4]);
    cluster.submit(map_reduce());
    cluster.finish_all();
    let mut fragments = map_reduce();
    fragments[0].tasks = 4;
    let graph = Some(Arc::new(Graph { fragments, result: FragmentId(1) }));
    cluster.on(Event::Planned(Planned { job: JOB, graph, notes: vec![] }));
    assert!(matches!(cluster.finished, Some(Err(JobError::InvalidGraph(_)))));
}

#[test]
fn whole_block_readers_never_ask_the_planner() {
    let mut cluster = Cluster::new(&[], &[4]);
    cluster.submit(vec![
        fragment(0, 4, 1, &[]),
        fragment(1, 4, 1, &[(0, Read::Window { radius: 1 })]),
        fragment(2, 2, 1, &[(1, Read::Merge { fan_in: 2 })]),
        fragment(3, 1, 1, &[(2, Read::All)]),
    ]);
    cluster.finish_all();
    assert_eq!((cluster.finished, cluster.replans), (Some(Ok(1)), vec![]));
}

#[test]
fn waiting_for_sizes_is_a_hint_that_cannot_deadlock() {
    let mut cluster = Cluster::new(&[], &[4]);
    let mut early = fragment(0, 1, 1, &[]);
    early.waits_for.push(FragmentId(1));
    cluster.submit(vec![early, fragment(1, 1, 1, &[(0, Read::All)])]);
    assert_eq!(cluster.running(), ["0/0"], "it waits for its own reader, so it need not wait");
}

#[test]
fn blocks_are_freed_when_all_readers_are_done() {
    let mut cluster = Cluster::new(STATIC, &[4]);
    let readers = [(0, Read::All), (1, Read::All)];
    cluster.submit(vec![fragment(0, 1, 1, &[]), fragment(1, 1, 1, &[(0, Read::All)]), fragment(2, 1, 1, &readers)]);
    cluster.finish(0);
    cluster.finish(0);
    assert_eq!(cluster.freed, [], "fragment 2 still reads fragment 0");
    cluster.finish(0);
    assert_eq!(cluster.finished, Some(Ok(1)));
}

#[test]
fn a_failing_task_is_tried_as_often_as_allowed() {
    let mut cluster = Cluster::new(&[("max_attempts", "2")], &[1]);
    cluster.submit(vec![fragment(0, 1, 1, &[])]);
    cluster.answer(0, Err(TaskFailure::Transient("disk".to_owned())));
    assert_eq!(cluster.running(), ["0/0"]);
    cluster.answer(0, Err(TaskFailure::OutOfMemory("sort".to_owned())));
    assert!(matches!(cluster.finished, Some(Err(JobError::Task { attempts: 2, .. }))));
}

#[test]
fn a_fatal_failure_ends_the_job_at_once_and_stops_its_other_tasks() {
    let mut cluster = Cluster::new(STATIC, &[2]);
    cluster.submit(vec![fragment(0, 2, 1, &[])]);
    cluster.answer(0, Err(TaskFailure::Fatal("overflow".to_owned())));
    assert!(matches!(cluster.finished, Some(Err(JobError::Task { attempts: 1, .. }))));
    assert_eq!(cluster.cancelled.len(), 1);
}

#[test]
fn a_lost_block_repeats_its_task_only_and_then_the_reader() {
    let mut cluster = Cluster::new(STATIC, &[4]);
    cluster.submit(map_reduce());
    (0..3).for_each(|_| cluster.finish(0));
    cluster.answer(0, Err(missing(0, 2)));
    assert_eq!(cluster.running(), ["1/1", "0/2"], "reader 1 goes on, reader 0 waits for the repeated map");
    cluster.finish(1);
    assert_eq!(cluster.running(), ["1/1", "1/0"]);
    let repeated = cluster.running[1].2.inputs[0].iter().map(|b| b.attempt.0).collect::<Vec<_>>();
    assert_eq!(repeated, [0, 0, 1], "it reads the new attempt's block");
    cluster.finish_all();
    assert_eq!(cluster.finished, Some(Ok(2)));
}

#[test]
fn blocks_lost_again_and_again_end_the_job() {
    let mut cluster = Cluster::new(&[("adaptive", "off"), ("max_stage_attempts", "2")], &[1]);
    cluster.submit(vec![fragment(0, 1, 1, &[]), fragment(1, 1, 1, &[(0, Read::All)])]);
    cluster.finish(0);
    cluster.answer(0, Err(missing(0, 0)));
    cluster.finish(0);
    cluster.answer(0, Err(missing(0, 0)));
    assert_eq!(cluster.finished, Some(Err(JobError::Unstable { fragment: FragmentId(0), times: 2 })));
}

#[test]
fn a_lost_node_repeats_what_is_needed_even_where_it_was_freed() {
    let mut cluster = Cluster::new(STATIC, &[1, 1]);
    let chain =
        vec![fragment(0, 1, 1, &[]), fragment(1, 1, 1, &[(0, Read::All)]), fragment(2, 1, 1, &[(1, Read::All)])];
    cluster.submit(chain);
    cluster.finish(0);
    cluster.finish(0);
    assert_eq!((cluster.running(), cluster.freed.as_slice()), (vec!["2/0".to_owned()], [FragmentId(0)].as_slice()));
    let (node, ..) = cluster.running.remove(0);
    cluster.on(Event::NodeDown(node));
    assert_eq!(cluster.running(), ["0/0"], "lineage reaches back to the freed fragment");
    cluster.finish_all();
    assert_eq!(cluster.finished, Some(Ok(1)));
}

#[test]
fn changed_rows_are_accepted_until_somebody_has_used_them() {
    let lose_first_map = |used: bool| {
        let mut cluster = Cluster::new(STATIC, &[4]);
        cluster.submit(map_reduce());
        (0..3).for_each(|_| cluster.finish(0));
        if used {
            cluster.finish(1);
        }
        cluster.answer(0, Err(missing(0, 0)));
        let at = cluster.running().iter().position(|r| r == "0/0").unwrap();
        cluster.finish_as(at, 1_000);
        cluster.finish_all();
        cluster.finished
    };
    assert_eq!(lose_first_map(false), Some(Ok(2)));
    let task = TaskId { job: JOB, fragment: FragmentId(0), partition: 0 };
    assert_eq!(lose_first_map(true), Some(Err(JobError::ChecksumChanged(task))));
}

#[test]
fn a_slow_task_gets_a_copy_elsewhere_and_the_first_to_finish_counts() {
    let mut cluster = Cluster::new(STATIC, &[2, 2]);
    cluster.submit(vec![fragment(0, 4, 1, &[])]);
    cluster.now = Nanos::from_millis(10);
    (0..3).for_each(|_| cluster.finish(0));
    cluster.tick_at(100);
    assert_eq!(cluster.running().len(), 1, "it has not run for 100 ms");
    cluster.tick_at(200);
    assert_eq!(cluster.running(), ["0/3", "0/3"]);
    assert_ne!(cluster.running[0].0, cluster.running[1].0, "the copy runs on another node");
    assert_eq!(cluster.driver.idle_reason(), SpanKind::IdleStraggler);
    cluster.finish(1);
    assert_eq!((cluster.finished.take(), cluster.cancelled.len()), (Some(Ok(4)), 1));
    cluster.finish(0);
    assert!(matches!(cluster.notes.last(), Some(Note::Ignored(..))), "the loser's result is ignored");
}

#[test]
fn speculation_can_be_switched_off() {
    let mut cluster = Cluster::new(&[("speculation", "off")], &[4]);
    cluster.submit(vec![fragment(0, 4, 1, &[])]);
    (0..3).for_each(|_| cluster.finish(0));
    cluster.tick_at(60_000);
    assert_eq!(cluster.running().len(), 1);
}

#[test]
fn tasks_run_where_most_of_their_input_is() {
    let mut cluster = Cluster::new(STATIC, &[4, 4]);
    cluster.submit(vec![fragment(0, 4, 1, &[]), fragment(1, 4, 1, &[(0, Read::Forward)])]);
    let made_on: Vec<NodeId> = cluster.running.iter().map(|(node, ..)| *node).collect();
    (0..4).for_each(|_| cluster.finish(0));
    let read_on: Vec<NodeId> = cluster.running.iter().map(|(node, ..)| *node).collect();
    assert_eq!(made_on, read_on);
}

#[test]
fn an_invalid_graph_is_refused_with_its_reason() {
    let mut cluster = Cluster::new(STATIC, &[1]);
    cluster.submit(vec![fragment(0, 0, 1, &[])]);
    let reason = "fragment f0 has no task or no output".to_owned();
    assert_eq!(cluster.finished, Some(Err(JobError::InvalidGraph(reason))));
}

#[test]
fn without_nodes_a_job_waits_and_then_gives_up() {
    let mut cluster = Cluster::new(STATIC, &[]);
    cluster.submit(vec![fragment(0, 1, 1, &[])]);
    assert_eq!(cluster.finished, None);
    cluster.on(Event::Timer(NO_NODES));
    assert_eq!(cluster.finished, Some(Err(JobError::NoNodes)));
}

#[test]
fn a_user_can_cancel_a_job_and_timers_of_others_are_ignored() {
    let mut cluster = Cluster::new(STATIC, &[1]);
    cluster.submit(vec![fragment(0, 1, 1, &[])]);
    cluster.on(Event::Timer(TimerId(99)));
    cluster.on(Event::Cancel(JOB));
    assert_eq!((cluster.finished, cluster.cancelled.len()), (Some(Err(JobError::Cancelled)), 1));
}
