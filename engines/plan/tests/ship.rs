//! Plans survive the way to another process, operator by operator, and bytes that are something else never do harm.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bench_model::{
    Check, Dataset, Family, FragmentId, Front, JobId, PLANNER_SWITCHES, Program, Query, StyleEnv, Tuning, Workload,
};
use bench_plan::{PlanFront, PlanKey, PlanSettings, PlanStore, ShipError, cut, task_config};
use bench_suite::{DataStore, workloads};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, IsNullExpr, NotExpr};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use twox_hash::XxHash3_128;

/// What comes before the hashed part: the format's name and the hash.
const HEADER: usize = 4 + 16;

struct Bench {
    front: PlanFront,
    store: PlanStore,
    workloads: Vec<Workload>,
    dataset: String,
    _root: tempfile::TempDir,
}

/// The smoke suite's tables and queries.
fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let data = DataStore::new(root.path());
        let suite = bench_suite::suite("smoke").unwrap();
        let make = |spec| -> Arc<Dataset> {
            data.make(spec, NonZeroUsize::MIN, &(), &AtomicBool::new(false)).unwrap();
            data.open(spec).unwrap()
        };
        let opened: Vec<_> = suite.datasets().map(make).collect();
        let store = PlanStore::default();
        let front = PlanFront::new(store.clone()).unwrap();
        front.prepare(&opened).unwrap();
        let queries = workloads(&suite).unwrap().into_iter().map(|d| d.workload);
        let workloads: Vec<_> = queries.filter(|w| w.family != Family::Overhead).collect();
        let sql = workloads.iter().find(|w| w.family == Family::Sql).unwrap();
        let dataset = sql.dataset.clone().unwrap();
        Bench { front, store, workloads, dataset, _root: root }
    })
}

fn env(settings: &[(&str, &str)]) -> StyleEnv {
    let tuning = Tuning::resolve(&PLANNER_SWITCHES, settings.iter().copied()).unwrap();
    let (memory_share, resources) = (bench_model::Bytes::new(u64::MAX), BTreeMap::new());
    StyleEnv { slots: 2, memory_share, memory: None, resources, tuning }
}

fn sql(text: &str) -> Workload {
    Workload {
        name: text.to_owned(),
        family: Family::Sql,
        title: String::new(),
        program: Program::Query(Query::Sql(text.to_owned())),
        dataset: Some(bench().dataset.clone()),
        check: Check::default(),
    }
}

fn job() -> JobId {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    JobId(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// The keys and bytes of a query's fragments.
fn shipped(workload: &Workload, settings: &[(&str, &str)]) -> Vec<(PlanKey, bytes::Bytes)> {
    let lowered = bench().front.lower(job(), workload, &env(settings)).unwrap();
    let ship = |f: &bench_model::Fragment| {
        let key = PlanKey::decode(&f.call.args).unwrap();
        (key, bench().front.ship(&f.call.args).unwrap())
    };
    lowered.graph.fragments.iter().map(ship).collect()
}

fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(true).to_string()
}

#[test]
fn every_fragment_of_every_query_arrives_as_it_was_sent() {
    let bench = bench();
    assert_eq!(bench.workloads.len(), 43);
    let elsewhere = PlanStore::default();
    let mut sizes = BTreeMap::<String, Vec<usize>>::new();
    let mut opening = Duration::ZERO;
    for (number, workload) in bench.workloads.iter().enumerate() {
        let settings: &[(&str, &str)] = match number % 3 {
            0 => &[("partitions", "7"), ("broadcast", "off")],
            1 => &[("partitions", "3"), ("join", "sort-merge")],
            _ => &[],
        };
        for settings in [settings, &[("partitions", "4")]] {
            for (key, bytes) in shipped(workload, settings) {
                let start = Instant::now();
                let received = elsewhere.adopt(&key, &bytes).unwrap_or_else(|e| panic!("{}: {e}", workload.name));
                opening += start.elapsed();
                let sent = bench.store.get(&key).unwrap();
                assert_eq!(text(&received.fragment.plan), text(&sent.fragment.plan), "{}", workload.name);
                assert_eq!(format!("{:?}", received.fragment.cut), format!("{:?}", sent.fragment.cut));
                assert_eq!(received.fragment.inputs, sent.fragment.inputs);
                assert_eq!((&received.inputs, &received.schema), (&sent.inputs, &sent.schema));
                sizes.entry(format!("{:?}", workload.family)).or_default().push(bytes.len());
            }
        }
    }
    for (family, sizes) in &sizes {
        let (count, sum, largest) = (sizes.len(), sizes.iter().sum::<usize>(), sizes.iter().max().unwrap());
        println!("{family}: {count} plans, {} bytes on average, {largest} at most", sum / count);
    }
    let count: usize = sizes.values().map(Vec::len).sum();
    println!("opening takes {:?} on average", opening / u32::try_from(count).unwrap());
}

#[test]
fn files_predicates_projections_and_limits_arrive() {
    let workload =
        sql("SELECT l_orderkey FROM lineitem WHERE l_quantity > 49 AND l_shipdate < date '1995-01-01' LIMIT 3");
    let plans = shipped(&workload, &[]);
    let elsewhere = PlanStore::default();
    let received = plans.iter().map(|(key, bytes)| text(&elsewhere.adopt(key, bytes).unwrap().fragment.plan));
    let received = received.collect::<String>();
    for part in ["lineitem", ".parquet", "predicate=", "pruning_predicate=", "projection=[l_orderkey", "fetch=3"] {
        assert!(received.contains(part), "{part} in {received}");
    }
}

#[test]
fn a_plan_whose_encoding_drops_something_is_refused_with_its_operator() {
    let plans = shipped(&sql("SELECT l_orderkey FROM lineitem WHERE l_quantity > 49 LIMIT 5000000000"), &[]);
    let refused = plans.iter().filter_map(|(key, bytes)| PlanStore::default().adopt(key, bytes).err());
    let messages: Vec<String> = refused.map(|e| e.to_string()).collect();
    assert!(messages.iter().any(|m| m.contains("5000000000") && m.contains("would arrive as")), "{messages:?}");
}

#[test]
fn what_is_no_plan_is_an_error() {
    let store = PlanStore::default();
    let (key, bytes) = shipped(&sql("SELECT count(*) FROM nation"), &[]).remove(0);
    assert!(matches!(store.adopt(&key, b""), Err(ShipError::Foreign)));
    assert!(matches!(store.adopt(&key, &[7; 100]), Err(ShipError::Foreign)));
    for end in 0..bytes.len() {
        assert!(store.adopt(&key, &bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
    }
    let other = PlanKey { fragment: FragmentId(key.fragment.0 + 1), ..key };
    assert!(matches!(store.adopt(&other, &bytes), Err(ShipError::OtherPlan(k)) if k == other));
    assert!(store.is_empty());
    assert!(store.adopt(&key, &bytes).is_ok());
}

#[test]
fn a_plan_that_arrives_for_another_job_is_not_opened_again_unless_it_holds_what_subqueries_found() {
    let elsewhere = PlanStore::default();
    for (name, shared) in [("tpch-q03", true), ("tpch-q11", false)] {
        let workload = bench().workloads.iter().find(|w| w.name == name).unwrap();
        let [first, second] = [(); 2].map(|()| shipped(workload, &[]));
        let bytes = |plans: &[(PlanKey, bytes::Bytes)]| plans.iter().map(|(_, b)| b.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&first), bytes(&second), "nothing in the bytes of {name} tells the job");
        let adopt = |plans: &[(PlanKey, bytes::Bytes)]| -> Vec<_> {
            plans.iter().map(|(key, bytes)| elsewhere.adopt(key, bytes).unwrap()).collect()
        };
        let (before, after) = (adopt(&first), adopt(&second));
        let same = before.iter().zip(&after).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(same == before.len(), shared, "{name}: {same} of {} are shared", before.len());
    }
}

#[test]
fn changed_bytes_with_a_right_hash_are_an_error_or_a_plan() {
    let mut draw = 1u64;
    let mut below = move |n: usize| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) as usize % n
    };
    let mut errors = 0;
    for name in ["tpch-q02", "tpch-q11", "tpch-q15", "tpch-q19"] {
        let workload = bench().workloads.iter().find(|w| w.name == name).unwrap();
        for (key, bytes) in shipped(workload, &[]) {
            for _ in 0..60 {
                let mut body = bytes[HEADER..].to_vec();
                for _ in 0..=below(3) {
                    let at = below(body.len());
                    body[at] = below(256) as u8;
                }
                let hash = XxHash3_128::oneshot(&body).to_le_bytes();
                let changed = [&bytes[..4], &hash, &body].concat();
                errors += usize::from(PlanStore::default().adopt(&key, &changed).is_err());
            }
        }
    }
    assert!(errors > 100, "{errors}");
}

#[test]
fn another_process_keeps_the_newest_plans() {
    let elsewhere = PlanStore::default();
    let query = sql("SELECT 1 AS one");
    let keys: Vec<PlanKey> = (0..PlanStore::ADOPTED_MAX + 10)
        .flat_map(|_| shipped(&query, &[]))
        .map(|(key, bytes)| elsewhere.adopt(&key, &bytes).map(|_| key).unwrap())
        .collect();
    assert_eq!(elsewhere.len(), PlanStore::ADOPTED_MAX);
    assert!(elsewhere.get(&keys[9]).is_none() && elsewhere.get(&keys[10]).is_some());
    elsewhere.forget(keys[10].job);
    assert!(elsewhere.get(&keys[10]).is_none());
}

/// What another process makes of a plan.
fn travels(plan: Arc<dyn ExecutionPlan>) -> Result<String, String> {
    let store = PlanStore::default();
    let job = cut(JobId(1), &plan).unwrap();
    let config = task_config(&PlanSettings { partitions: 1 }.config());
    store.publish(&job, &config, &Arc::new(RuntimeEnv::default())).unwrap();
    let key = PlanKey { job: JobId(1), fragment: job.result, revision: 0 };
    let received = PlanStore::default().adopt(&key, &store.ship(&key).unwrap()).map_err(|e| e.to_string())?;
    Ok(text(&received.fragment.plan))
}

fn leaf() -> Arc<dyn ExecutionPlan> {
    Arc::new(EmptyExec::new(Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]))))
}

/// Operators above each other.
fn tower(height: usize) -> Arc<dyn ExecutionPlan> {
    (0..height).fold(leaf(), |plan, _| Arc::new(CooperativeExec::new(plan)))
}

/// A filter whose condition is nested.
fn nested(depth: usize) -> Arc<dyn ExecutionPlan> {
    let condition: Arc<dyn PhysicalExpr> = Arc::new(IsNullExpr::new(Arc::new(Column::new("k", 0))));
    let condition = (0..depth).fold(condition, |inner, _| Arc::new(NotExpr::new(inner)));
    Arc::new(FilterExec::try_new(condition, leaf()).unwrap())
}

#[test]
fn plans_deeper_than_a_message_may_be_travel() {
    for plan in [tower(120), nested(200)] {
        let sent = text(&plan);
        assert_eq!(travels(plan), Ok(sent));
    }
}

#[test]
fn plans_too_deep_for_a_tasks_stack_are_refused() {
    for plan in [tower(1_000), nested(1_000)] {
        let refusal = travels(plan).unwrap_err();
        assert!(refusal.contains("nested more than"), "{refusal}");
    }
}
