//! What the two baselines promise: equal answers, clear errors, and an end when they are told to stop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use bench_baseline::{Datafusion, Datafusion1t};
use bench_model::{
    Bytes, Check, Dataset, Engine, EngineError, EngineSetup, Family, Program, Query, Session, Tuning, Workload,
};
use bench_suite::{DataStore, DatasetSpec, Groupby};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const ROWS: u64 = 20_000;

fn dataset(root: &Path) -> Arc<Dataset> {
    dataset_of(root, ROWS)
}

fn dataset_of(root: &Path, rows: u64) -> Arc<Dataset> {
    static GO: AtomicBool = AtomicBool::new(false);
    let spec = DatasetSpec::Groupby(Groupby::uniform(rows));
    let store = DataStore::new(root);
    store.make(&spec, NonZeroUsize::MIN, &(), &GO).unwrap();
    store.open(&spec).unwrap()
}

fn setup(scratch: &Path, slots: u32, memory: Option<u64>) -> EngineSetup {
    let memory = memory.map(Bytes::new);
    EngineSetup {
        slots,
        memory,
        scratch: scratch.to_path_buf(),
        tuning: Tuning::default(),
        spans: false,
        cluster: Default::default(),
    }
}

fn sql(data: &Dataset, text: &str) -> Workload {
    Workload {
        name: "mine".to_owned(),
        family: Family::Sql,
        title: String::new(),
        program: Program::Query(Query::Sql(text.to_owned())),
        dataset: Some(data.name.clone()),
        check: Check::default(),
    }
}

fn started(engine: &dyn Engine, data: &Arc<Dataset>, setup: &EngineSetup) -> Box<dyn Session> {
    let mut session = engine.start(setup).unwrap();
    session.prepare(&[Arc::clone(data)]).unwrap();
    session
}

#[test]
fn both_baselines_give_the_whole_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    let workload = sql(&data, "SELECT id1, count(*) AS n FROM groupby GROUP BY id1 ORDER BY id1");
    let answers = [&Datafusion as &dyn Engine, &Datafusion1t].map(|engine| {
        let mut session = started(engine, &data, &setup(folder.path(), 2, None));
        let answer = session.run(&workload, &Arc::default()).unwrap();
        assert_eq!(answer.schema.fields().len(), 2);
        datafusion::arrow::util::pretty::pretty_format_batches(&answer.batches).unwrap().to_string()
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn explaining_shows_settings_and_operators_and_analyzing_adds_what_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    let mut session = started(&Datafusion, &data, &setup(folder.path(), 3, None));
    let workload = sql(&data, "SELECT sum(v1) FROM groupby");
    let plan = session.explain(&workload, false).unwrap().text;
    assert!(plan.contains("target_partitions=3") && plan.contains("AggregateExec"), "{plan}");
    assert!(!plan.contains("metrics="), "{plan}");
    let analyzed = session.explain(&workload, true).unwrap().text;
    assert!(analyzed.contains("output_rows="), "{analyzed}");
}

#[test]
fn a_query_that_is_no_longer_wanted_stops() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    // Four hundred million pairs: far longer than the stop flag takes to be seen.
    let workload = sql(&data, "SELECT sum(a.v1 * b.v2) FROM groupby a, groupby b WHERE a.v3 + b.v3 > 1.0");
    for engine in [&Datafusion as &dyn Engine, &Datafusion1t] {
        let mut session = started(engine, &data, &setup(folder.path(), 2, None));
        let stopped = session.run(&workload, &Arc::new(AtomicBool::new(true)));
        assert_eq!(stopped.map(|a| a.batches.len()), Err(EngineError::Cancelled));
    }
}

#[test]
fn too_little_memory_is_out_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    let mut session = started(&Datafusion, &data, &setup(folder.path(), 2, Some(1 << 10)));
    let failed = session.run(&sql(&data, "SELECT * FROM groupby ORDER BY v3"), &Arc::default());
    assert!(matches!(failed, Err(EngineError::OutOfMemory(_))), "{:?}", failed.map(|a| a.batches.len()));
}

#[test]
fn memory_that_is_short_is_made_up_for_by_spilling_and_the_spill_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 100_000;
    let data = dataset_of(folder.path(), rows);
    let workload = sql(&data, "SELECT * FROM groupby ORDER BY v3");
    let run = |memory| {
        let mut session = started(&Datafusion1t, &data, &setup(folder.path(), 1, memory));
        let answer = session.run(&workload, &Arc::default()).unwrap();
        assert_eq!(answer.batches.iter().map(|b| b.num_rows() as u64).sum::<u64>(), rows);
        answer.spilled_bytes
    };
    // Less than what DataFusion keeps back for merging unless it is told otherwise.
    let spilled = run(Some(4 << 20));
    assert!(spilled.is_some_and(|bytes| bytes > 0), "{spilled:?}");
    assert_eq!(run(None), Some(0));
}

#[test]
fn each_slot_keeps_the_same_part_of_its_memory_back_for_merging() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    let workload = sql(&data, "SELECT * FROM groupby ORDER BY v3");
    for (engine, slots) in [(&Datafusion1t as &dyn Engine, 1), (&Datafusion, 3)] {
        let mut session = started(engine, &data, &setup(folder.path(), slots, Some(u64::from(slots) * (8 << 20))));
        let plan = session.explain(&workload, false).unwrap().text;
        assert!(plan.contains(&format!("sort_spill_reservation_bytes={}\n", 1 << 20)), "{plan}");
    }
}

#[test]
fn zero_slots_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Datafusion.start(&setup(folder.path(), 0, None)).err().unwrap().to_string();
    assert!(refused.contains("--slots"), "{refused}");
}

#[test]
fn an_unreadable_file_is_named_with_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    let table = data.tables.iter().find(|t| t.name == "small").unwrap().clone();
    let other = data.tables.iter().find(|t| t.name == "x").unwrap().clone();
    let file = table.files[0].clone();
    let whole = fs::read(&file).unwrap();
    let refused = |data: &Arc<Dataset>| {
        let mut session = Datafusion.start(&setup(folder.path(), 1, None)).unwrap();
        let error = session.prepare(&[Arc::clone(data)]).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, EngineError::Data { .. }), "{message}");
        assert!(message.contains("`small`") && !message.contains('\n'), "{message}");
        message
    };

    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(refused(&data).contains(file.to_str().unwrap()), "truncated");
    fs::write(&file, b"a,b\n1,2\n").unwrap();
    assert!(refused(&data).contains(file.to_str().unwrap()), "foreign");
    fs::copy(&other.files[0], &file).unwrap();
    assert!(refused(&data).contains("its columns are"), "another table's file");
    fs::remove_file(&file).unwrap();
    assert!(refused(&data).contains(file.to_str().unwrap()), "missing");
}

#[test]
fn a_workload_on_data_that_was_not_prepared_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path());
    let mut session = Datafusion1t.start(&setup(folder.path(), 1, None)).unwrap();
    let error = session.run(&sql(&data, "SELECT 1"), &Arc::default()).unwrap_err().to_string();
    assert!(error.contains(&data.name) && error.contains("prepare"), "{error}");
}
