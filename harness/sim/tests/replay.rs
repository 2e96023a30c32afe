//! A recorded job played again, with times that can be added up by hand.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use bench_model::{
    Attempt, Blocking, Call, Copied, Exchange, Fragment, FragmentId, Graph, Input, JobId, JobTrace, KernelId, Nanos,
    NodeId, Read, Replanning, SpanKind, SpanReport, Style, TRACE_SCHEMA, TaskId, TaskTrace, Tuning,
};
use bench_sim::replay;
use bench_stagedag::StageDag;

const fn ms(ms: u64) -> Nanos {
    Nanos::from_millis(ms)
}

fn fragment(id: u32, tasks: u32, inputs: Vec<Input>, exchange: Exchange, outputs: u32) -> Fragment {
    let call = Call { kernel: KernelId::new("any/1"), args: Default::default() };
    let (id, options) = (FragmentId(id), Default::default());
    Fragment { id, call, inputs, tasks, exchange, outputs, waits_for: vec![], options }
}

fn task(fragment: u32, partition: u32, kinds: &[(SpanKind, u64)], outputs: usize) -> TaskTrace {
    TaskTrace {
        task: TaskId { job: JobId(9), fragment: FragmentId(fragment), partition },
        attempt: Attempt(0),
        node: NodeId(0),
        by_kind_ns: kinds.iter().map(|(kind, time)| (*kind, ms(*time))).collect(),
        copied: Copied::default(),
        blocks: vec![(10, 1_000); outputs],
    }
}

/// Four maps of 10 ms that write for 5, then two reduces of 8 ms that read for 2, on one node of two slots. The scheduler
/// took 1 ms per task, planning 3, replanning 2, the answer 4.
fn trace() -> JobTrace {
    let reads = vec![Input { from: FragmentId(0), read: Read::Aligned }];
    let maps = fragment(0, 4, vec![], Exchange::Hash, 2);
    let graph = Graph { fragments: vec![maps, fragment(1, 2, reads, Exchange::Collect, 1)], result: FragmentId(1) };
    let map = |p| task(0, p, &[(SpanKind::Compute, 10), (SpanKind::ShuffleWrite, 5)], 2);
    let reduce = |p| task(1, p, &[(SpanKind::FetchLocal, 1), (SpanKind::Deserialize, 1), (SpanKind::Compute, 8)], 1);
    let mut spans = SpanReport { slots: 2, makespan_ns: ms(52), ..SpanReport::default() };
    spans.add(SpanKind::Schedule, ms(6));
    let tuning = Tuning::defaults(StageDag.switches());
    JobTrace {
        schema: TRACE_SCHEMA,
        style: "stagedag".to_owned(),
        settings: tuning.iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect(),
        nodes: 1,
        slots: 2,
        memory_bytes: None,
        spans,
        planned_ns: ms(3),
        finished_ns: ms(48),
        replanning: vec![Replanning { after: FragmentId(0), took_ns: ms(2) }],
        spills: 0,
        copied: Copied::default(),
        graph,
        tasks: (0..4).map(map).chain((0..2).map(reduce)).collect(),
    }
}

fn played(trace: &JobTrace, without: Option<Blocking>) -> Nanos {
    replay(&StageDag, trace, without).unwrap()
}

#[test]
fn a_trace_is_reproduced() {
    // Planning, two waves of maps, replanning, one wave of reduces, the answer.
    assert_eq!(played(&trace(), None), ms(3 + 2 * 16 + 2 + 11 + 4));
}

#[test]
fn each_kind_of_blocking_is_played_away() {
    let trace = trace();
    let cases = [
        (Blocking::Planning, 2 * 16 + 11 + 4),
        (Blocking::Scheduling, 3 + 2 * 15 + 2 + 10 + 4),
        (Blocking::FetchLocal, 3 + 2 * 16 + 2 + 9 + 4),
        (Blocking::FetchRemote, 52),
        (Blocking::Spill, 52),
        (Blocking::ShuffleWrite, 3 + 2 * 11 + 2 + 11 + 4),
        (Blocking::Straggler, 52),
        (Blocking::Barrier, 3 + 2 * 16 + 11 + 4),
        (Blocking::Report, 3 + 2 * 16 + 2 + 11),
    ];
    assert_eq!(cases.len(), Blocking::ALL.len());
    for (kind, expected) in cases {
        assert_eq!(played(&trace, Some(kind)), ms(expected), "without {}", kind.name());
    }
}

#[test]
fn a_straggler_is_cut_to_the_median_of_its_fragment_and_what_hid_behind_it_shows() {
    let mut trace = trace();
    // Replayed, not subtracted: the last map takes 30 ms longer, and 30 ms are gained without it.
    trace.tasks[3].by_kind_ns.insert(SpanKind::Compute, ms(40));
    assert_eq!(played(&trace, None), ms(3 + 16 + 46 + 2 + 11 + 4));
    assert_eq!(played(&trace, Some(Blocking::Straggler)), ms(52));
    // The same straggler as the first map hides behind the other slot, which does the three other maps meanwhile.
    trace.tasks[3].by_kind_ns.insert(SpanKind::Compute, ms(10));
    trace.tasks[0].by_kind_ns.insert(SpanKind::Compute, ms(40));
    assert_eq!(played(&trace, None), ms(3 + 3 * 16 + 2 + 11 + 4));
    assert_eq!(played(&trace, Some(Blocking::Straggler)), ms(52));
}

#[test]
fn blocks_copied_between_nodes_take_the_mean_of_the_run_per_byte() {
    let mut trace = trace();
    let halves = |t: &mut TaskTrace| t.node = NodeId(t.task.partition % 2);
    trace.tasks.iter_mut().for_each(halves);
    (trace.nodes, trace.slots) = (2, 1);
    trace.spans.slots = 2;
    // Stage-DAG tasks read in their slots: nothing is copied ahead of them, so this changes nothing here.
    trace.copied = Copied { bytes: bench_model::Bytes::new(1_000), took_ns: ms(7) };
    assert_eq!(played(&trace, None), ms(52));
}

#[test]
fn a_trace_of_another_style_or_without_a_graph_is_refused() {
    let mut foreign = trace();
    foreign.settings.insert("nosuch".to_owned(), "1".to_owned());
    assert!(replay(&StageDag, &foreign, None).unwrap_err().to_string().contains("nosuch"));
    let mut broken = trace();
    broken.graph.result = FragmentId(7);
    assert!(replay(&StageDag, &broken, None).unwrap_err().to_string().contains("not in the graph"));
}
