//! What the harness itself costs: a trial of an engine that does nothing, and a digest per byte of answer.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run should say so by panicking")]

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use bench_lab::hosted::{HostedProvider, serve};
use bench_lab::live::{Digested, EngineProvider, EngineSpec, Failure, Keep, Limits, LiveEngine, Measured, Probed};
use bench_lab::oracle::digest;
use bench_lab::runner::{Plan, Twins, run};
use bench_model::{
    Answer, Bytes, Capabilities, Check, Dataset, Digest, Engine, EngineError, EngineSetup, Explanation, Family,
    FaultPlan, Nanos, Probe, Program, Query, Session, SortKey, Tuning, Workload,
};
use bench_record::{Build, ClusterContext, Journal, Machine, Observation, Protocol, RunContext, SCHEMA, Timestamp};
use criterion::{BatchSize, Criterion, Throughput};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

struct Noop;

impl EngineProvider for Noop {
    fn start(&self, _engine: &EngineSpec, _stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure> {
        Ok(Box::new(Self))
    }
}

impl LiveEngine for Noop {
    fn version(&self) -> &str {
        "1"
    }
    fn load(&mut self, _data: &[Arc<Dataset>], _stop: &AtomicBool) -> Result<(), Failure> {
        Ok(())
    }
    fn arm(&mut self, _faults: &FaultPlan, _stop: &AtomicBool) -> Result<(), Failure> {
        Ok(())
    }
    fn run(&mut self, _workload: &Workload, _limits: &Limits<'_>) -> Result<Measured, Failure> {
        Ok(Measured { wall_ns: 1, ..Measured::default() })
    }
    fn digest(&mut self, _check: &Check, _keep: Keep<'_>, _stop: &AtomicBool) -> Result<Digested, Failure> {
        Ok(Digested { digest: Ok(Digest::default()), ..Digested::default() })
    }
    fn discard(&mut self, _stop: &AtomicBool) -> Result<(), Failure> {
        Ok(())
    }
    fn explain(&mut self, _workload: &Workload, _analyze: bool, _limits: &Limits<'_>) -> Result<String, Failure> {
        Ok(String::new())
    }
    fn probe(&mut self, probe: &Probe, _stop: &AtomicBool) -> Result<Probed, Failure> {
        Ok(Probed { samples: vec![Nanos::ZERO; probe.samples()], ..Probed::default() })
    }
    fn memory(&self) -> Option<Bytes> {
        None
    }
    fn is_alive(&mut self) -> bool {
        true
    }
    fn stop(self: Box<Self>) {}
}

fn plan(trials: u32) -> Plan {
    let engine = |name: &str| EngineSpec {
        name: name.into(),
        variant: "default".into(),
        slots: 1,
        memory: None,
        tuning: Tuning::default(),
        spans: false,
        cluster: Default::default(),
    };
    Plan {
        suite: "bench".into(),
        scale: 1,
        faults: vec![],
        workloads: vec![Workload {
            name: "w".into(),
            family: Family::Sql,
            title: String::new(),
            program: Program::Query(Query::Sql(String::new())),
            dataset: None,
            check: Check { expected: Some((Digest::default(), "stored".into())), ..Check::default() },
        }],
        datasets: vec![],
        engines: vec![engine("a"), engine("b")],
        twins: Twins::None,
        one_at_a_time: Default::default(),
        protocol: Protocol::Warm(1),
        refresh: false,
        trials,
        seed: 1,
        timeout: None,
        grace: Duration::ZERO,
        repeats: 2,
        oracle: None,
        keep_results: false,
    }
}

fn trials(c: &mut Criterion) {
    let plan = plan(50);
    let stop = AtomicBool::new(false);
    let mut group = c.benchmark_group("runner");
    group.throughput(Throughput::Elements(plan.trials_total()));
    group.bench_function("no-op trials", |b| {
        b.iter(|| {
            let mut sink: Vec<Observation> = Vec::new();
            run(&plan, &Noop, &[], &mut sink, &stop, &mut |_| {}).unwrap()
        });
    });
    // As they really are: each on disk, synced, before the next one begins.
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let mut journal = || {
        number += 1;
        Journal::create(&folder.path().join(number.to_string()), &context(&plan)).unwrap()
    };
    group.sample_size(10).bench_function("no-op trials, recorded", |b| {
        b.iter_batched(
            &mut journal,
            |mut journal| run(&plan, &Noop, &[], &mut journal, &stop, &mut |_| {}).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// What a journal wants to know of a run.
fn context(plan: &Plan) -> RunContext {
    RunContext {
        schema: SCHEMA,
        bench: Build { version: "1".into(), build_id: "1".into() },
        suite: plan.suite.clone(),
        families: vec![Family::Sql],
        engines: vec![],
        command_line: vec![],
        protocol: plan.protocol,
        trials: plan.trials,
        seed: plan.seed,
        timeout_ns: None,
        cluster: ClusterContext::local(),
        machine: Machine::default(),
        datasets: vec![],
        workloads: vec![],
        started_at: Timestamp::now(),
        resumed_at: vec![],
        finished_at: None,
        warnings: vec![],
    }
}

fn answer(rows: usize) -> RecordBatch {
    let n = rows as i64;
    let columns: [(&str, ArrayRef); 5] = [
        ("key", Arc::new((0..n).collect::<Int64Array>())),
        ("name", Arc::new((0..n).map(|i| Some(format!("Customer#{i:09}"))).collect::<StringArray>())),
        ("price", Arc::new((0..n).map(|i| i128::from(i * 37 % 1_000_000)).collect::<Decimal128Array>())),
        ("day", Arc::new(Date32Array::from_iter_values((0..n).map(|i| (i % 2500) as i32)))),
        ("share", Arc::new((0..n).map(|i| i as f64 / 7.0).collect::<Float64Array>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn digests(c: &mut Criterion) {
    let batch = answer(8192);
    let bytes: usize = batch.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap()).sum();
    let sorted = Check {
        order_by: vec![SortKey { column: "key".into(), descending: false, nulls_first: false }],
        ..Check::default()
    };
    let mut group = c.benchmark_group("digest");
    group.throughput(Throughput::Bytes(bytes as u64));
    for (name, check) in [("mixed columns", Check::default()), ("mixed columns, ordered", sorted)] {
        let (schema, batches) = (batch.schema(), [batch.clone()]);
        group.bench_function(name, |b| b.iter(|| digest(black_box(&schema), black_box(&batches), &check).unwrap()));
    }
    group.finish();
}

/// A trial in a real process that does nothing: messages, counters and all.
fn hosted(c: &mut Criterion) {
    let scratch = std::env::temp_dir().join(format!("bench-overhead-{}", std::process::id()));
    let provider = HostedProvider::this_program(scratch.clone()).unwrap();
    let stop = AtomicBool::new(false);
    let plan = plan(1);
    let (workload, engine) = (&plan.workloads[0], &plan.engines[0]);
    c.bench_function("hosted/start", |b| b.iter(|| provider.start(engine, &stop).map(|_| ()).unwrap()));
    let mut live = provider.start(engine, &stop).unwrap();
    let limits = Limits { timeout: Some(Duration::from_secs(10)), grace: Duration::ZERO, stop: &stop, trace: false };
    c.bench_function("hosted/no-op trial", |b| {
        b.iter(|| {
            live.run(workload, &limits).unwrap();
            live.digest(&workload.check, Keep::default(), &stop).unwrap()
        });
    });
    live.stop();
    std::fs::remove_dir_all(scratch).unwrap();
}

/// The engine that [`hosted`] starts.
struct Idle;

impl Engine for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { families: vec![], switches: &[], distributed: false, slots_max: None, about: "does nothing" }
    }
    fn start(&self, _setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(Self))
    }
}

impl Session for Idle {
    fn prepare(&mut self, _data: &[Arc<Dataset>]) -> Result<(), EngineError> {
        Ok(())
    }
    fn run(&mut self, _workload: &Workload, _stop: &Arc<AtomicBool>) -> Result<Answer, EngineError> {
        Ok(Answer {
            schema: Arc::new(Schema::empty()),
            batches: vec![],
            spans: None,
            trace: None,
            notes: vec![],
            faults: vec![],
            spilled_bytes: None,
        })
    }
    fn explain(&mut self, _workload: &Workload, _analyze: bool) -> Result<Explanation, EngineError> {
        Ok(Explanation::default())
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("engine-host") {
        serve(&Idle, "1", std::io::stdin(), std::io::stdout()).unwrap();
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    trials(&mut criterion);
    hosted(&mut criterion);
    digests(&mut criterion);
    criterion.final_summary();
}
