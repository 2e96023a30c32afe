//! Fragments run in one process give the rows of the plan they were cut from: for every built-in query, however many
//! partitions there are, whichever way joins run, with and without replanning between stages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod answer;
mod executor;

use answer::{assert_same, whole_plan};
use bench_model::{
    Check, Dataset, Family, Front, JobId, Program, Query, StyleEnv, Switch, SwitchDefault, TaskFailure, Tuning,
    Workload,
};
use bench_plan::{PlanFront, PlanStore};
use bench_suite::{DataStore, DatasetSpec, Groupby, workloads};
use datafusion::arrow::array::RecordBatch;
use executor::{Executor, Faults};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

const SWITCHES: &[Switch] = &[
    Switch { name: "partitions", default: SwitchDefault::Count(0), help: "" },
    Switch { name: "join", default: SwitchDefault::Word(&["auto", "hash", "sort-merge"]), help: "" },
    Switch { name: "adaptive", default: SwitchDefault::Bool(false), help: "" },
    Switch { name: "coalesce", default: SwitchDefault::Bool(true), help: "" },
    Switch { name: "coalesce_bytes", default: SwitchDefault::Bytes(64 << 20), help: "" },
    Switch { name: "broadcast", default: SwitchDefault::Bool(false), help: "" },
    Switch { name: "broadcast_bytes", default: SwitchDefault::Bytes(10 << 20), help: "" },
    Switch { name: "semijoin_reduction", default: SwitchDefault::Bool(true), help: "" },
    Switch { name: "skew", default: SwitchDefault::Bool(false), help: "" },
    Switch { name: "skew_factor", default: SwitchDefault::Ratio(2.0), help: "" },
    Switch { name: "skew_bytes", default: SwitchDefault::Bytes(4096), help: "" },
];

fn env(settings: &[(&str, &str)], memory: u64) -> StyleEnv {
    let tuning = Tuning::resolve(SWITCHES, settings.iter().copied()).unwrap();
    let (memory_share, resources) = (bench_model::Bytes::new(memory), BTreeMap::new());
    StyleEnv { slots: 2, memory_share, memory: None, resources, tuning }
}

/// The datasets of the smoke suite and one with NULLs, made once for all tests, and the suite's queries.
struct Bench {
    front: PlanFront,
    store: PlanStore,
    data: Vec<Arc<Dataset>>,
    workloads: Vec<Workload>,
    _root: tempfile::TempDir,
}

const NULLS: Groupby = Groupby { rows: 5_000, null_percent: 5, ..Groupby::uniform(0) };

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    static GO: AtomicBool = AtomicBool::new(false);
    BENCH.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let data = DataStore::new(root.path());
        let suite = bench_suite::suite("smoke").unwrap();
        let nulls = DatasetSpec::Groupby(NULLS);
        let mut opened = vec![];
        for spec in suite.datasets().chain([&nulls]) {
            data.make(spec, NonZeroUsize::MIN, &(), &GO).unwrap();
            opened.push(data.open(spec).unwrap());
        }
        let store = PlanStore::default();
        let front = PlanFront::new(store.clone()).unwrap();
        front.prepare(&opened).unwrap();
        let queries = workloads(&suite).unwrap().into_iter().map(|d| d.workload);
        let queries = queries.filter(|w| w.family != Family::Overhead).collect();
        Bench { front, store, data: opened, workloads: queries, _root: root }
    })
}

fn job() -> JobId {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    JobId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs every built-in query under these settings and compares it with DataFusion's own run of the whole plan.
fn check_all(settings: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
    let bench = bench();
    assert_eq!(bench.workloads.len(), 43);
    bench.workloads.iter().map(|w| (w.name.clone(), check(w, settings))).collect()
}

fn check(workload: &Workload, settings: &[(&str, &str)]) -> Vec<String> {
    let bench = bench();
    let env = env(settings, u64::MAX);
    let id = job();
    let mut executor = Executor::new(&bench.front, &bench.store, &env);
    let answer = executor.run(id, workload).unwrap_or_else(|e| panic!("{}: {e}", workload.name));
    assert_same(&workload.name, &whole_plan(&bench.data, workload), &answer, &workload.check.order_by);
    bench.front.forget(id);
    executor.notes
}

/// Queries whose operators are hard to cut.
const HARD: &[&str] = &[
    // A null-aware anti join sees every right row before it decides.
    "SELECT count(*) FROM x WHERE id2 NOT IN (SELECT id1 FROM small)",
    "SELECT count(*) FROM groupby WHERE id6 NOT IN (SELECT id6 FROM groupby WHERE id4 = 3)",
    "SELECT id4, count(*) FROM groupby WHERE id6 IN (SELECT id3 FROM x WHERE v1 > 50) OR id4 = 2 GROUP BY id4",
    // Joins that emit build rows, with and without equal keys.
    "SELECT a.id1, b.id1, a.v1, b.v2 FROM x a FULL JOIN small b ON a.id1 = b.id1",
    "SELECT count(*), sum(b.v2) FROM small a LEFT JOIN medium b ON a.id1 < b.id2 AND a.v2 > b.v2",
    "SELECT count(*), sum(a.v2) FROM small a FULL JOIN small b ON a.id1 + b.id1 = 4 AND a.v2 < b.v2",
    "SELECT count(*), sum(a.v2 * b.v2) FROM small a CROSS JOIN small b",
    // Scalar subqueries: in a filter, in a projection, inside each other, over no row.
    "SELECT count(*) FROM groupby WHERE v3 > (SELECT avg(v3) FROM groupby)",
    "SELECT id4, sum(v1) - (SELECT min(v2) FROM groupby) AS d FROM groupby GROUP BY id4",
    "SELECT count(*) FROM groupby WHERE v1 > (SELECT avg(v2) FROM x, small WHERE v2 > (SELECT avg(v2) FROM small))",
    "SELECT count(*) FROM groupby WHERE v1 > (SELECT v1 FROM groupby WHERE v1 > 1000000)",
    "SELECT id1, sum(v3) AS s FROM groupby GROUP BY id1 HAVING sum(v3) > (SELECT avg(v3) FROM groupby) ORDER BY s",
    // Unions, set operations, limits, and tables without files.
    "SELECT id1, v1 FROM groupby UNION ALL SELECT id2, v2 FROM groupby",
    "SELECT k, count(*) FROM (SELECT id4 AS k FROM groupby UNION ALL SELECT id5 FROM groupby) GROUP BY k",
    "SELECT a.k, a.n, b.n FROM (SELECT id4 AS k, count(*) AS n FROM groupby GROUP BY id4 \
     UNION ALL SELECT id5, count(*) FROM groupby GROUP BY id5) a, \
     (SELECT id1 AS k, count(*) AS n FROM x GROUP BY id1) b WHERE a.k = b.k",
    "SELECT id4 FROM groupby INTERSECT SELECT id5 FROM groupby",
    "SELECT id6 FROM groupby EXCEPT SELECT id3 FROM x",
    "SELECT count(*) FROM (SELECT id6 FROM groupby LIMIT 77 OFFSET 3)",
    "SELECT v3, id6 FROM groupby ORDER BY v3 DESC NULLS LAST, id6 LIMIT 10 OFFSET 5",
    "SELECT g.id4, t.w FROM groupby g JOIN (VALUES (1, 'a'), (2, 'b'), (3, NULL)) AS t(k, w) ON g.id4 = t.k",
    "SELECT 1 AS one, 'x' AS x",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i, i * i AS q FROM n",
    // Aggregates and windows.
    "SELECT id4, id5, sum(v1) FROM groupby GROUP BY GROUPING SETS ((id4), (id5), ())",
    "SELECT id4, count(DISTINCT id6), sum(DISTINCT v1), min(v3) FROM groupby GROUP BY id4",
    "SELECT count(DISTINCT id3), max(v3) FROM groupby",
    "SELECT v3, sum(v1) OVER (ORDER BY v3, id6, id3) AS running FROM groupby WHERE v3 > 90",
    "SELECT id4, v3, lag(v3) OVER (PARTITION BY id4 ORDER BY v3, id6, id3) AS before FROM groupby",
    "SELECT DISTINCT id4, id5 FROM groupby ORDER BY id4, id5",
];

fn sql(text: &str) -> Workload {
    Workload {
        name: text.to_owned(),
        family: Family::Sql,
        title: String::new(),
        program: Program::Query(Query::Sql(text.to_owned())),
        dataset: Some(DatasetSpec::Groupby(NULLS).name()),
        check: Check::default(),
    }
}

/// The same on the table that built-in queries group.
fn large(text: &str) -> Workload {
    let dataset = bench().workloads.iter().find(|w| w.name == "sort").unwrap().dataset.clone();
    Workload { dataset, ..sql(text) }
}

/// Runs every built-in query, and each of `more`, with its plans in another process's store.
fn check_shipped(settings: &[(&str, &str)], more: &[&str]) {
    let bench = bench();
    let env = env(settings, u64::MAX);
    let (mut plans, mut bytes, mut largest) = (0, 0, 0);
    for workload in bench.workloads.iter().cloned().chain(more.iter().map(|text| sql(text))) {
        let id = job();
        let elsewhere = PlanStore::default();
        let mut executor = Executor::new(&bench.front, &elsewhere, &env);
        let answer = executor.run(id, &workload).unwrap_or_else(|e| panic!("{}: {e}", workload.name));
        assert_same(&workload.name, &whole_plan(&bench.data, &workload), &answer, &workload.check.order_by);
        assert_eq!(executor.shipped.len(), elsewhere.len(), "{}: each plan travels once", workload.name);
        plans += executor.shipped.len();
        bytes += executor.shipped.iter().sum::<usize>();
        largest = largest.max(executor.shipped.iter().copied().max().unwrap_or(0));
        bench.front.forget(id);
    }
    println!("{settings:?}: {plans} plans, {} bytes each on average, {largest} the largest", bytes / plans.max(1));
}

#[test]
fn one_partition_equals_the_whole_plan() {
    check_all(&[("partitions", "1")]);
}

#[test]
fn two_partitions_equal_the_whole_plan() {
    check_all(&[("partitions", "2")]);
}

#[test]
fn seven_partitions_equal_the_whole_plan() {
    check_all(&[("partitions", "7")]);
}

#[test]
fn sort_merge_joins_equal_the_whole_plan() {
    check_all(&[("partitions", "3"), ("join", "sort-merge")]);
}

#[test]
fn joins_that_statistics_make_broadcast_joins_equal_the_whole_plan() {
    const SETTINGS: &[(&str, &str)] = &[("partitions", "5"), ("broadcast", "on")];
    let replanned = check_all(SETTINGS);
    assert!(replanned.values().all(Vec::is_empty), "nothing is decided after the first task: {replanned:?}");
    let bench = bench();
    let decided = bench.workloads.iter().filter(|workload| {
        let id = job();
        bench.front.lower(id, workload, &env(SETTINGS, u64::MAX)).unwrap();
        let explained = bench.front.explain(id);
        bench.front.forget(id);
        explained.contains("became a broadcast join")
    });
    assert!(decided.count() > 10);
}

#[test]
fn plans_that_travel_to_another_process_equal_the_whole_plan() {
    check_shipped(&[("partitions", "1")], HARD);
    check_shipped(&[("partitions", "7")], HARD);
    check_shipped(&[("partitions", "3"), ("join", "sort-merge")], HARD);
}

#[test]
fn replanned_plans_that_travel_equal_the_whole_plan() {
    check_shipped(&[("partitions", "5"), ("adaptive", "on"), ("broadcast", "on"), ("skew", "on")], HARD);
    check_shipped(&[("partitions", "5"), ("broadcast", "on")], HARD);
}

#[test]
fn a_plan_that_arrives_damaged_is_worth_another_attempt() {
    let bench = bench();
    let env = env(&[("partitions", "2")], u64::MAX);
    let workload = bench.workloads.iter().find(|w| w.name == "tpch-q03").unwrap();
    let elsewhere = PlanStore::default();
    let mut executor = Executor::new(&bench.front, &elsewhere, &env);
    executor.faults = Faults::DamagedPlans;
    let failure = executor.run(job(), workload).unwrap_err();
    assert!(matches!(&failure, TaskFailure::Transient(why) if why.contains("damaged")), "{failure:?}");
    assert!(elsewhere.is_empty());
}

#[test]
fn replanning_between_stages_changes_plans_but_no_answer() {
    let notes = check_all(&[("partitions", "7"), ("adaptive", "on"), ("broadcast", "on"), ("skew", "on")]);
    assert!(notes.values().filter(|n| !n.is_empty()).count() > 10, "{notes:?}");
}

#[test]
fn operators_that_are_hard_to_cut_equal_the_whole_plan() {
    for text in HARD {
        for partitions in ["1", "2", "5"] {
            check(&sql(text), &[("partitions", partitions)]);
        }
        check(&sql(text), &[("partitions", "5"), ("adaptive", "on"), ("broadcast", "on"), ("skew", "on")]);
        check(&sql(text), &[("partitions", "4"), ("join", "sort-merge")]);
    }
}

#[test]
fn a_task_that_runs_again_gives_the_same_blocks() {
    let bench = bench();
    let env = env(&[("partitions", "3")], u64::MAX);
    for workload in &bench.workloads {
        let mut executor = Executor::new(&bench.front, &bench.store, &env);
        executor.faults = Faults::RunTwice;
        executor.run(job(), workload).unwrap_or_else(|e| panic!("{}: {e}", workload.name));
    }
}

#[test]
fn a_small_memory_share_spills_and_gives_the_same_answer() {
    let bench = bench();
    let sort = bench.workloads.iter().find(|w| w.name == "sort").unwrap();
    let env = env(&[("partitions", "1")], 4 << 20);
    let mut executor = Executor::new(&bench.front, &bench.store, &env);
    let answer = executor.run(job(), sort).unwrap();
    assert_same("sort", &whole_plan(&bench.data, sort), &answer, &sort.check.order_by);
    assert!(executor.spilled > 0);
}

#[test]
fn what_an_attempt_spilled_counts_even_if_it_fails() {
    let bench = bench();
    let sort = bench.workloads.iter().find(|w| w.name == "sort").unwrap();
    let env = env(&[("partitions", "1")], 4 << 20);
    let mut executor = Executor::new(&bench.front, &bench.store, &env);
    executor.faults = Faults::RefuseRows;
    assert!(matches!(executor.run(job(), sort).unwrap_err(), TaskFailure::Transient(_)));
    assert!(executor.spilled > 0);
}

#[test]
fn rows_on_their_way_to_blocks_stay_within_the_tasks_memory() {
    let bench = bench();
    // Every row of the table is shuffled to 16 tasks.
    let workload = large("SELECT *, row_number() OVER (PARTITION BY id6 ORDER BY v3, id1, id2) AS n FROM groupby");
    let run = |share: u64| {
        let env = env(&[("partitions", "16")], share);
        let mut executor = Executor::new(&bench.front, &bench.store, &env);
        let answer = executor.run(job(), &workload).unwrap();
        (answer.iter().map(RecordBatch::num_rows).sum::<usize>(), executor.flushes, executor.waiting_max)
    };
    let (rows, flushes, waiting) = run(u64::MAX);
    assert!(waiting > 6 << 20, "{waiting} bytes are more than the share below");
    assert_eq!(flushes, 0, "nobody asked for less");
    let share = 2 << 20;
    let (same, flushes, waiting) = run(share);
    assert_eq!(same, rows);
    // What there is room for, and the batch that was too much.
    assert!(flushes > 0 && waiting < 2 * share, "{waiting} of {share} bytes, {flushes} flushes");
}

#[test]
fn too_little_memory_is_told_apart_from_other_failures() {
    let bench = bench();
    let sort = bench.workloads.iter().find(|w| w.name == "sort").unwrap();
    let env = env(&[("partitions", "1")], 1 << 10);
    let failure = Executor::new(&bench.front, &bench.store, &env).run(job(), sort).unwrap_err();
    assert!(matches!(failure, TaskFailure::OutOfMemory(_)), "{failure:?}");
}

#[test]
fn a_block_that_is_lost_while_reading_comes_back_as_what_it_is() {
    let bench = bench();
    let env = env(&[("partitions", "2")], u64::MAX);
    for name in ["tpch-q03", "tpch-q18", "sort"] {
        let workload = bench.workloads.iter().find(|w| w.name == name).unwrap();
        let mut executor = Executor::new(&bench.front, &bench.store, &env);
        executor.faults = Faults::LoseBlocks;
        let failure = executor.run(job(), workload).unwrap_err();
        assert!(matches!(failure, TaskFailure::MissingBlock(_)), "{name}: {failure:?}");
    }
}

#[test]
fn a_cancelled_task_stops() {
    let bench = bench();
    let env = env(&[("partitions", "2")], u64::MAX);
    let workload = bench.workloads.iter().find(|w| w.name == "tpch-q01").unwrap();
    let mut executor = Executor::new(&bench.front, &bench.store, &env);
    executor.faults = Faults::Cancelled;
    assert_eq!(executor.run(job(), workload).unwrap_err(), TaskFailure::Cancelled);
}

#[test]
fn a_task_that_is_cancelled_while_it_aggregates_reads_no_further_batch() {
    let bench = bench();
    let env = env(&[("partitions", "2")], u64::MAX);
    // There are so many groups that the blocks between the fragments have several batches.
    let workload = large("SELECT id6, id3, sum(v3) FROM groupby GROUP BY id6, id3");
    let mut executor = Executor::new(&bench.front, &bench.store, &env);
    executor.run(job(), &workload).unwrap();
    assert!(executor.taken.swap(0, Ordering::Relaxed) > 2, "there is more than one batch to read");
    executor.faults = Faults::CancelledWhileReading;
    assert_eq!(executor.run(job(), &workload).unwrap_err(), TaskFailure::Cancelled);
    assert_eq!(executor.taken.load(Ordering::Relaxed), 1);
}

#[test]
fn statements_and_mistakes_are_refused_with_the_workloads_name() {
    let bench = bench();
    let env = env(&[], u64::MAX);
    for text in [
        "COPY groupby TO '/tmp/never'",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO groupby SELECT * FROM groupby",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN SELECT 1",
        "SELEC 1",
        "SELECT no_such_column FROM groupby",
        "SELECT * FROM no_such_table",
    ] {
        let workload = Workload { name: "mine".to_owned(), ..sql(text) };
        let error = bench.front.lower(job(), &workload, &env).unwrap_err().to_string();
        assert!(error.contains("mine"), "{text}: {error}");
        assert!(!error.contains('\n') && error.len() < 300, "{text}: {error}");
    }
}
