//! Replanning changes plans and never answers: joins of every kind over random rows, each mechanism forced, compared
//! with DataFusion's run of the plan that was cut.
//!
//! Long because: every kind of join and every mechanism is one short claim here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod executor;

use bench_model::{Bytes, JobId, Tuning};
use bench_plan::replan::{self, AdaptiveSettings, JoinChoice};
use bench_plan::{PlanSettings, cut, explain, explain_with};
use datafusion::arrow::array::{Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::execution::context::SessionContext;
use datafusion::execution::options::ParquetReadOptions;
use datafusion::parquet::arrow::ArrowWriter;
use executor::{Executor, Run};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Pseudo-random numbers from a seed: the same table for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Three parts of a table `(k, g, v, s)`: half of its rows have key 3, one in nine has none.
fn parts(rows: u64, keys: u64, seed: u64) -> Vec<RecordBatch> {
    let mut draw = Draw(seed);
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("g", DataType::Int64, true),
        Field::new("v", DataType::Int64, false),
        Field::new("s", DataType::Utf8View, true),
    ]));
    let mut part = |rows: u64| {
        let key: Vec<Option<i64>> = (0..rows)
            .map(|_| match draw.below(18) {
                0 | 1 => None,
                2..11 => Some(3),
                _ => Some(draw.below(keys) as i64),
            })
            .collect();
        let mut column = |n: u64| (0..rows).map(|_| draw.below(n) as i64).collect::<Vec<_>>();
        let (group, value, text) = (column(4), column(100), column(keys));
        let text = text.iter().map(|t| (*t % 5 != 0).then(|| format!("text number {t}")));
        RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int64Array::from(key)),
                Arc::new(Int64Array::from(group)),
                Arc::new(Int64Array::from(value)),
                Arc::new(text.collect::<StringViewArray>()),
            ],
        )
        .unwrap()
    };
    (0..3).map(|p| part((rows + p) / 3)).collect()
}

fn table(rows: u64, keys: u64, seed: u64) -> MemTable {
    let parts = parts(rows, keys, seed);
    MemTable::try_new(parts[0].schema(), parts.into_iter().map(|p| vec![p]).collect()).unwrap()
}

/// The same tables in Parquet files, whose statistics know the range of the keys.
fn parquet_session(runtime: &Runtime, folder: &Path, partitions: u32) -> SessionContext {
    let session = SessionContext::new_with_config(PlanSettings { partitions }.config());
    for (name, rows, keys) in [("large", 600, 300), ("small", 24, 300)] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for (i, part) in parts(rows, keys, rows).into_iter().enumerate() {
            let file = std::fs::File::create(folder.join(name).join(format!("{i}.parquet"))).unwrap();
            let mut writer = ArrowWriter::try_new(file, part.schema(), None).unwrap();
            writer.write(&part).unwrap();
            writer.close().unwrap();
        }
        let files = format!("{}/", folder.join(name).display());
        runtime.block_on(session.register_parquet(name, files, ParquetReadOptions::default())).unwrap();
    }
    session
}

/// Tables `large`, `small`, `third` and `none` (which is empty), planned for `partitions` tasks.
fn session(partitions: u32, seed: u64) -> SessionContext {
    let settings = PlanSettings { partitions };
    let session = SessionContext::new_with_config(settings.config());
    for (name, rows, keys) in [("large", 150, 20), ("small", 24, 30), ("third", 40, 12), ("none", 0, 1)] {
        session.register_table(name, Arc::new(table(rows, keys, seed + rows))).unwrap();
    }
    session
}

/// Nothing is on.
fn off() -> AdaptiveSettings {
    let plain = AdaptiveSettings::from_tuning(&Tuning::default(), Bytes::new(u64::MAX));
    AdaptiveSettings { broadcast: false, broadcast_bytes: Bytes::new(u64::MAX), skew_factor: 1.5, ..plain }
        .with_slots(2)
}

fn coalescing() -> AdaptiveSettings {
    AdaptiveSettings { adaptive: true, coalesce: true, coalesce_bytes: Bytes::new(600), ..off() }
}

fn splitting() -> AdaptiveSettings {
    AdaptiveSettings { adaptive: true, skew: true, ..off() }
}

fn broadcasting_early() -> AdaptiveSettings {
    AdaptiveSettings { broadcast: true, ..off() }
}

/// Broadcasts only what was measured: the limit lies between what tables may hold and what filters leave of them.
fn broadcasting_late() -> AdaptiveSettings {
    AdaptiveSettings { broadcast: true, ..reducing() }
}

/// Filters probe sides by small, measured build sides, and leaves every join shuffled.
fn reducing() -> AdaptiveSettings {
    AdaptiveSettings {
        adaptive: true,
        semijoin_reduction: true,
        wait_for_sizes: true,
        prune_empty: true,
        broadcast_bytes: Bytes::new(450),
        ..off()
    }
}

fn sorting() -> AdaptiveSettings {
    AdaptiveSettings { join: JoinChoice::SortMerge, ..off() }
}

fn short_of_memory() -> AdaptiveSettings {
    AdaptiveSettings { adaptive: true, join: JoinChoice::Auto, memory_share: Bytes::new(1), ..off() }
}

fn everything() -> AdaptiveSettings {
    AdaptiveSettings {
        coalesce: true,
        coalesce_bytes: Bytes::new(600),
        skew: true,
        memory_share: Bytes::new(2_500),
        ..broadcasting_late()
    }
}

fn all_settings() -> Vec<(&'static str, AdaptiveSettings)> {
    vec![
        ("nothing", off()),
        ("coalescing", coalescing()),
        ("splitting", splitting()),
        ("broadcasting early", broadcasting_early()),
        ("broadcasting late", broadcasting_late()),
        ("reducing", reducing()),
        ("sorting", sorting()),
        ("short of memory", short_of_memory()),
        ("everything", everything()),
    ]
}

const KINDS: [&str; 8] = ["", "LEFT", "RIGHT", "FULL", "LEFT SEMI", "RIGHT SEMI", "LEFT ANTI", "RIGHT ANTI"];

/// What a join of this kind can give out.
fn columns(kind: &str) -> &'static str {
    match kind {
        "LEFT SEMI" | "LEFT ANTI" => "a.*",
        "RIGHT SEMI" | "RIGHT ANTI" => "b.*",
        _ => "a.k, a.g, a.s, b.k, b.v, b.s",
    }
}

/// A join of every kind, the first table given, with and without a condition beside the keys.
fn joins(first: &str, second: &str) -> Vec<String> {
    let mut queries = vec![];
    for kind in KINDS {
        let columns = columns(kind);
        for extra in ["", " AND a.v < b.v + 20"] {
            queries.push(format!("SELECT {columns} FROM {first} a {kind} JOIN {second} b ON a.k = b.k{extra}"));
        }
    }
    queries
}

/// Joins whose surroundings decide what is legal.
const SURROUNDED: &[&str] = &[
    // Aggregates on the key rely on the distribution; on other columns they do not.
    "SELECT a.k, count(*), sum(b.v) FROM large a JOIN small b ON a.k = b.k GROUP BY a.k",
    "SELECT a.g, count(*), sum(b.v) FROM large a JOIN small b ON a.k = b.k GROUP BY a.g",
    "SELECT a.k, count(b.k) FROM large a LEFT JOIN small b ON a.k = b.k GROUP BY a.k",
    "SELECT b.k, count(a.k) FROM small a RIGHT JOIN large b ON a.k = b.k GROUP BY b.k",
    // So do windows.
    "SELECT a.k, b.v, row_number() OVER (PARTITION BY a.k ORDER BY b.v, a.v, a.g, b.g, a.s, b.s) AS n \
     FROM large a JOIN small b ON a.k = b.k",
    // Several joins: on one key, and on different ones.
    "SELECT a.k, b.v, c.v FROM large a JOIN small b ON a.k = b.k JOIN third c ON a.k = c.k",
    "SELECT a.k, b.v, c.v FROM large a LEFT JOIN small b ON a.k = b.k LEFT JOIN third c ON a.g = c.k",
    "SELECT a.k, b.v, c.v FROM third c JOIN (large a JOIN small b ON a.k = b.k) ON a.v = c.k",
    // Two keys, one of them text; NULL keys that count as equal.
    "SELECT a.v, b.v FROM large a JOIN small b ON a.k = b.k AND a.s = b.s",
    "SELECT a.v, b.v FROM large a JOIN small b ON a.k IS NOT DISTINCT FROM b.k WHERE b.v < 40",
    // Mark joins, and the null-aware anti join.
    "SELECT * FROM large WHERE k IN (SELECT k FROM small WHERE v > 50) OR g = 1",
    "SELECT * FROM large WHERE EXISTS (SELECT 1 FROM small WHERE small.k = large.k AND small.v < large.v) OR v = 7",
    "SELECT * FROM large WHERE k NOT IN (SELECT k FROM small WHERE k IS NOT NULL)",
    "SELECT * FROM large WHERE k NOT IN (SELECT k FROM small)",
    "SELECT * FROM large WHERE EXISTS (SELECT 1 FROM small WHERE small.k = large.k)",
    // A side that turns out empty, or is.
    "SELECT a.k, b.v FROM large a JOIN none b ON a.k = b.k",
    "SELECT a.k, b.v FROM large a JOIN (SELECT * FROM small WHERE v > 1000) b ON a.k = b.k",
    "SELECT a.k, b.v FROM large a LEFT JOIN (SELECT * FROM small WHERE v > 1000) b ON a.k = b.k",
    "SELECT a.k, b.v FROM large a FULL JOIN (SELECT * FROM small WHERE v > 1000) b ON a.k = b.k",
    "SELECT count(*), sum(b.v) FROM large a JOIN (SELECT * FROM small WHERE v > 1000) b ON a.k = b.k",
    "SELECT c.v, b.v FROM third c LEFT JOIN (SELECT a.k, d.v FROM large a JOIN none d ON a.k = d.k) b ON c.k = b.k",
    // Order and limits above; unions and scalar subqueries around.
    "SELECT a.v, b.v FROM large a JOIN small b ON a.k = b.k ORDER BY a.v, b.v LIMIT 20",
    "SELECT a.k, b.v FROM large a JOIN small b ON a.k = b.k UNION ALL SELECT k, v FROM third",
    "SELECT a.k, b.v FROM (SELECT k FROM large UNION ALL SELECT k FROM third) a JOIN small b ON a.k = b.k",
    "SELECT a.k, b.v FROM large a JOIN small b ON a.k = b.k WHERE a.v > (SELECT avg(v) FROM third)",
    "SELECT k, count(*) FROM (SELECT DISTINCT k, g FROM large) GROUP BY k",
];

fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = vec![];
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
        let row = |i| columns.iter().map(|c| c.value(i).to_string()).collect::<Vec<_>>().join("|");
        rows.extend((0..batch.num_rows()).map(row));
    }
    rows.sort();
    rows
}

fn whole(runtime: &Runtime, seed: u64, sql: &str) -> Vec<String> {
    let session = session(1, seed);
    rows(&runtime.block_on(async { session.sql(sql).await.unwrap().collect().await.unwrap() }))
}

fn run(runtime: &Runtime, partitions: u32, seed: u64, settings: &AdaptiveSettings, sql: &str) -> Run {
    let session = session(partitions, seed);
    let plan = runtime.block_on(async { session.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
    Executor { runtime, session: &session, settings: settings.clone(), seed }.run(&plan)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Runs a query under every setting, in three orders and partition counts, and compares its rows.
fn check(sql: &str) {
    let runtime = runtime();
    for (partitions, seed) in [(2, 1), (5, 2), (8, 3)] {
        let expected = whole(&runtime, seed, sql);
        for (name, settings) in all_settings() {
            let run = run(&runtime, partitions, seed, &settings, sql);
            let given = rows(&run.rows);
            let differs = || format!("{} rows instead of {}: {:#?}", given.len(), expected.len(), run.notes);
            assert!(given == expected, "{sql}\n{name}, {partitions} partitions, {}", differs());
        }
    }
}

#[test]
fn joins_of_every_kind_give_the_same_rows_however_they_are_replanned() {
    joins("large", "small").iter().for_each(|sql| check(sql));
}

#[test]
fn joins_the_other_way_round_give_the_same_rows_however_they_are_replanned() {
    joins("small", "large").iter().for_each(|sql| check(sql));
}

#[test]
fn joins_in_every_surrounding_give_the_same_rows_however_they_are_replanned() {
    SURROUNDED.iter().for_each(|sql| check(sql));
}

/// The notes of a join of each kind under these settings that contain `wanted`, by kind.
fn kinds_with(settings: &AdaptiveSettings, wanted: &str) -> Vec<&'static str> {
    let runtime = runtime();
    let says = |kind: &&str| {
        // Not filtered, so that both sides keep their skew.
        let sql = format!("SELECT {} FROM large a {kind} JOIN small b ON a.k = b.k", columns(kind));
        let notes = run(&runtime, 8, 1, settings, &sql).notes;
        notes.iter().any(|n| n.contains(wanted))
    };
    KINDS.into_iter().filter(says).collect()
}

#[test]
fn every_kind_of_join_but_the_full_one_can_be_broadcast() {
    let all_but_full = KINDS.into_iter().filter(|k| *k != "FULL").collect::<Vec<_>>();
    assert_eq!(kinds_with(&broadcasting_early(), "became a broadcast join"), all_but_full);
}

#[test]
fn every_kind_of_join_but_the_full_one_can_be_split() {
    let all_but_full = KINDS.into_iter().filter(|k| *k != "FULL").collect::<Vec<_>>();
    assert_eq!(kinds_with(&splitting(), "is skewed"), all_but_full);
}

#[test]
fn every_kind_of_join_can_be_merged_and_sorted() {
    assert_eq!(kinds_with(&coalescing(), "were merged"), KINDS);
    assert_eq!(kinds_with(&sorting(), "sort-merge join"), KINDS);
    assert_eq!(kinds_with(&short_of_memory(), "sort-merge join"), KINDS);
}

/// The notes that contain `wanted` of a query under these settings.
fn notes(settings: &AdaptiveSettings, wanted: &str, sql: &str) -> Vec<String> {
    let notes = run(&runtime(), 5, 1, settings, sql).notes;
    notes.into_iter().filter(|n| n.contains(wanted)).collect()
}

#[test]
fn a_join_whose_surroundings_rely_on_its_distribution_stays_shuffled() {
    let by = |column: &str| {
        format!("SELECT a.{column}, count(*), sum(b.v) FROM large a JOIN small b ON a.k = b.k GROUP BY a.{column}")
    };
    for (settings, wanted) in [(broadcasting_early(), "broadcast"), (splitting(), "skewed")] {
        assert_eq!(notes(&settings, wanted, &by("k")), Vec::<String>::new());
        assert!(!notes(&settings, wanted, &by("g")).is_empty(), "{wanted}");
    }
}

#[test]
fn a_null_aware_anti_join_is_never_changed() {
    let sql = "SELECT * FROM large WHERE k NOT IN (SELECT k FROM small)";
    for (name, settings) in all_settings() {
        assert_eq!(notes(&settings, "join", sql), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_measured_build_side_is_broadcast_before_the_probe_side_runs() {
    let sql = "SELECT a.k, b.v FROM large a JOIN (SELECT * FROM third WHERE v < 50) b ON a.k = b.k";
    let said = notes(&broadcasting_late(), "broadcast", sql);
    insta::assert_snapshot!(said.join("\n").replace("; ", ";\n"), @r"
    f2: hash join became a broadcast join: its build side f0 is 210 B, within the 450 B limit;
    f1 is no longer shuffled (saves about 1.17 KiB)
    ");
}

#[test]
fn a_build_side_is_broadcast_only_if_its_hash_table_fits_a_task() {
    let share = |bytes, settings| AdaptiveSettings { memory_share: Bytes::new(bytes), ..settings };
    let early = "SELECT a.k, b.v FROM large a JOIN small b ON a.k = b.k";
    let late = "SELECT a.k, b.v FROM large a JOIN (SELECT * FROM third WHERE v < 50) b ON a.k = b.k";
    // The rows take a third of what their table takes: 384 B and 1024 B, 336 B and 964 B.
    for (settings, sql) in [(broadcasting_early(), early), (broadcasting_late(), late)] {
        let broadcasts = |bytes| notes(&share(bytes, settings.clone()), "became a broadcast join", sql).len();
        assert_eq!((broadcasts(1_500), broadcasts(2_100)), (0, 1), "{sql}");
    }
    // So do keys that filter another side.
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let session = parquet_session(&runtime, folder.path(), 5);
    let whole = runtime.block_on(async { session.sql(FILTERED).await.unwrap().create_physical_plan().await.unwrap() });
    let filters = |bytes| {
        let settings = share(bytes, reducing());
        let run = Executor { runtime: &runtime, session: &session, settings, seed: 1 }.run(&whole);
        run.notes.iter().filter(|n| n.contains("are filtered by")).count()
    };
    assert_eq!((filters(200), filters(10_000)), (0, 1));
}

#[test]
fn a_size_is_called_a_bound_only_where_it_is_one() {
    let said = |column: &str| {
        let sql = format!("SELECT a.k, b.{column} FROM large a JOIN small b ON a.k = b.k");
        notes(&broadcasting_early(), "became a broadcast join", &sql).concat()
    };
    assert!(said("v").contains("f0 takes at most 384 B"), "{}", said("v"));
    let text = said("s");
    assert!(text.contains("has at most 24 rows and is estimated at 768 B") && !text.contains("takes"), "{text}");
}

#[test]
fn text_that_nobody_has_measured_counts_as_long_where_memory_is_short() {
    let sql = |column: &str| format!("SELECT a.k, b.{column} FROM large a JOIN small b ON a.k = b.k");
    let settings = AdaptiveSettings { memory_share: Bytes::new(8_000), ..broadcasting_early() };
    let broadcasts = |column: &str| notes(&settings, "became a broadcast join", &sql(column)).len();
    assert_eq!((broadcasts("v"), broadcasts("s")), (1, 0));
}

#[test]
fn sizes_are_waited_for_and_empty_sides_left_out_only_if_the_switches_say_so() {
    let sql = "SELECT a.k, b.v FROM large a JOIN (SELECT * FROM third WHERE v > 1000) b ON a.k = b.k";
    let prunes = |prune_empty: bool| {
        let settings = AdaptiveSettings { prune_empty, broadcast: false, ..reducing() };
        notes(&settings, "left no rows", sql).len()
    };
    assert_eq!((prunes(true), prunes(false)), (1, 0));
    let runtime = runtime();
    let session = session(4, 1);
    let whole = runtime.block_on(async { session.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
    let waits = |wait_for_sizes: bool| {
        let mut plan = cut(JobId(1), &whole).unwrap();
        replan::prepare(&mut plan, &AdaptiveSettings { wait_for_sizes, ..broadcasting_late() });
        explain(&plan, &[]).matches("waits for the size of").count()
    };
    assert_eq!((waits(true), waits(false)), (1, 0));
}

#[test]
fn a_selective_build_side_filters_the_probe_side_of_a_join_that_must_stay_shuffled() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let (session, one) = (parquet_session(&runtime, folder.path(), 5), parquet_session(&runtime, folder.path(), 1));
    let mut filtered = vec![];
    for kind in KINDS {
        let key = if kind.starts_with("RIGHT") { "b.k" } else { "a.k" };
        let sql = format!(
            "SELECT {key}, count(*) FROM (SELECT * FROM small WHERE v < 60 AND g > 0) a {kind} JOIN large b \
             ON a.k = b.k GROUP BY {key}"
        );
        let whole = runtime.block_on(async { session.sql(&sql).await.unwrap().create_physical_plan().await.unwrap() });
        let expected = runtime.block_on(async { one.sql(&sql).await.unwrap().collect().await.unwrap() });
        for (settings, seed) in [(reducing(), 1), (broadcasting_late(), 2), (everything(), 3)] {
            let run = Executor { runtime: &runtime, session: &session, settings, seed }.run(&whole);
            assert_eq!(rows(&run.rows), rows(&expected), "{sql}: {:?}", run.notes);
            if seed == 1 && run.notes.iter().any(|n| n.contains("are filtered by")) {
                filtered.push(kind);
            }
        }
    }
    assert_eq!(filtered, ["", "LEFT", "LEFT SEMI", "RIGHT SEMI", "LEFT ANTI"]);
}

/// A join that must stay shuffled, with a selective side.
const FILTERED: &str = "SELECT a.k, count(*) FROM (SELECT * FROM small WHERE v < 60 AND g > 0) a \
                        JOIN large b ON a.k = b.k GROUP BY a.k";

#[test]
fn a_probe_side_is_filtered_only_if_the_switch_says_so() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let session = parquet_session(&runtime, folder.path(), 5);
    let whole = runtime.block_on(async { session.sql(FILTERED).await.unwrap().create_physical_plan().await.unwrap() });
    let filters = |semijoin_reduction: bool| {
        let settings = AdaptiveSettings { semijoin_reduction, ..broadcasting_late() };
        let run = Executor { runtime: &runtime, session: &session, settings, seed: 1 }.run(&whole);
        run.notes.iter().filter(|n| n.contains("are filtered by")).count()
    };
    assert_eq!((filters(true), filters(false)), (1, 0));
}

#[test]
fn a_style_that_declares_no_replanning_still_decides_joins_before_the_first_task() {
    let none = AdaptiveSettings::from_tuning(&Tuning::default(), Bytes::new(u64::MAX));
    assert_eq!(
        (none.adaptive, none.semijoin_reduction, none.broadcast, none.join),
        (false, false, true, JoinChoice::Auto)
    );
    let sql = "SELECT a.k, b.v FROM large a JOIN small b ON a.k = b.k";
    let said = notes(&none.with_slots(2), "broadcast", sql);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn an_empty_side_spares_the_other_side() {
    let settings = AdaptiveSettings { broadcast_bytes: Bytes::new(300), ..broadcasting_late() };
    let sql = "SELECT a.k, b.v FROM large a JOIN (SELECT * FROM third WHERE v > 1000) b ON a.k = b.k";
    let run = run(&runtime(), 4, 1, &settings, sql);
    assert_eq!(run.notes, ["f2: f0 left no rows, so a join that needs them is left out and f1 will not run"]);
}

#[test]
fn the_explanation_shows_stages_reads_operators_sizes_and_what_was_replanned() {
    let sql = "SELECT a.g, count(*), sum(b.v) FROM large a JOIN small b ON a.k = b.k AND a.v < b.v GROUP BY a.g";
    let settings = AdaptiveSettings { coalesce: true, coalesce_bytes: Bytes::new(600), ..splitting() };
    let run = run(&runtime(), 6, 1, &settings, sql);
    insta::assert_snapshot!(explain_with(&run.plan, &run.stats, &run.notes), @r"
    stage f0: 3 tasks
        scan rows in memory: k, v
      writes 6 partitions by hash of k@0 (24 rows, 240 B)
    stage f1: 3 tasks
        scan rows in memory: k, g, v
      writes 6 partitions by hash of k@0 (150 rows, 1.46 KiB)
    stage f2: 5 tasks
      reads f0: 6 partitions as 0-1 | 2-4 | 5 | 5 | 5
      reads f1: 6 partitions as 0-1 | 2-4 | 5 [tasks 0] | 5 [tasks 1] | 5 [tasks 2]
        aggregate Partial by g@0: count(Int64(1)), sum(b.v)
          hash join: Inner, k@0 = k@0, if v@0 < v@1
            read f0
            read f1
      writes 6 partitions by hash of g@0 (17 rows, 170 B)
    stage f3: 2 tasks, the answer
      reads f2: 6 partitions as 0-3 | 4-5
        project: g, count(*), sum(b.v)
          aggregate FinalPartitioned by g@0: count(Int64(1)), sum(b.v)
            read f2
      writes the answer's rows (4 rows, 40.0 B)
    replanning:
      f2: partition 5 of f1 is skewed (950 B, median 140 B) and was split into 3 pieces
      f2: 5 of 6 partitions (690 B together) were merged into 2 tasks of about 345 B
      f3: 6 of 6 partitions (170 B together) were merged into 2 tasks of about 85.0 B
    ");
}

#[test]
fn the_explanation_before_the_first_task_has_estimates() {
    let sql = "SELECT a.k, b.v FROM large a JOIN small b ON a.k = b.k ORDER BY a.k, b.v LIMIT 3";
    let runtime = runtime();
    let session = session(3, 1);
    let whole = runtime.block_on(async { session.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
    let mut plan = cut(JobId(1), &whole).unwrap();
    let notes = replan::prepare(&mut plan, &broadcasting_early());
    insta::assert_snapshot!(explain(&plan, &notes), @r"
    stage f0: 3 tasks
        scan rows in memory: k, v
      writes one block, for every task (estimated 24 rows, 384 B)
    stage f2: 3 tasks
      reads f0: whole, by every task
        sort first 3 by k@0 ASC NULLS LAST, v@1 ASC NULLS LAST
          broadcast hash join: Inner, k@0 = k@0
            read f0
            scan rows in memory: k
      writes one block, for one task (estimated 3 rows, 48.0 B)
    stage f3: 1 task, the answer
      reads f2: the sorted runs of 3 tasks, merged
        GlobalLimitExec: skip=0, fetch=3
          read f2, merged in order
      writes the answer's rows (estimated 3 rows, 48.0 B)
    replanning:
      f2: hash join became a broadcast join: its build side f0 takes at most 384 B, within the 16384 PiB
        limit; f1 is no longer shuffled (saves about 1.17 KiB)
    ");
}
