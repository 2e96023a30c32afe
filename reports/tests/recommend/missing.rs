//! Runs that are proposed for what was not measured: who takes part in them.

use crate::{about, asked, fixture, observations, run};
use bench_record::{Family, Observation, Outcome, Run};
use bench_reports::claims::built_in;
use bench_reports::recommend::{Question, Recommendation, recommend};

/// The run that is proposed for a family.
fn proposed<'r>(r: &'r Recommendation, family: &str) -> &'r str {
    let missing = r.missing.iter().find(|m| m.what.starts_with(family)).unwrap();
    missing.run.as_deref().unwrap()
}

/// DuckDB leads, and an engine ran none of the queries for this reason.
fn without_sql(engine: &str, reason: &str) -> Run {
    let mut all = observations(&[("duckdb", 1.0, 1.0), ("spark", 2.0, 2.0), (engine, 3.0, 3.0)]);
    for o in all.iter_mut().filter(|o| o.case.engine == engine && o.case.family == Family::Sql) {
        *o = fixture::ended(&o.case.clone(), o.trial, Outcome::Unsupported, reason);
    }
    run(all)
}

#[test]
fn who_could_do_nothing_of_a_family_is_not_asked_again_and_who_leads_is() {
    let r = asked("sql=50,dataframe=50", &[without_sql("ray", "Ray Data has no SQL")]);
    assert_eq!(r.ranked[0].engine, "duckdb");
    let run = |family: &str, engines: &str| {
        format!("bench run --suite 1gb --families {family} --engines {engines} --configs default,tuned --trials 10")
    };
    assert_eq!(proposed(&r, "sql"), run("sql", "dask,spark,duckdb"));
    assert_eq!(proposed(&r, "dataframe"), run("dataframe", "dask,ray,spark,duckdb"));
}

#[test]
fn a_run_elsewhere_says_it_of_the_family_too() {
    let here = run(observations(&[("duckdb", 1.0, 1.0), ("spark", 2.0, 2.0)]));
    let mut other = fixture::later(1, Run { path: "results/b".into(), ..without_sql("ray", "Ray Data has no SQL") });
    other.observations.retain(|o| o.case.engine == "ray");
    other.context.machine.cores = 64;
    let r = asked("sql=1", &[here, other]);
    let sql = r.missing.iter().find(|m| m.what.starts_with("sql")).unwrap();
    assert!(sql.what.contains("Dask not measured") && !sql.what.contains("Ray"), "{}", sql.what);
    assert!(proposed(&r, "sql").contains("--engines dask,spark,duckdb "), "{sql:?}");
}

#[test]
fn who_was_not_installed_or_failed_is_asked_again() {
    let mut missing = without_sql("ray", "not installed (bench engines install ray)");
    missing.observations.iter_mut().for_each(|o| o.not_ready = o.outcome == Outcome::Unsupported);
    let r = asked("sql=1", &[missing]);
    assert!(proposed(&r, "sql").contains("--engines dask,ray,spark,duckdb "), "{:?}", r.missing);
    let mut once = without_sql("ray", "Ray Data has no SQL");
    let first = once.observations.iter_mut().find(|o| o.case.engine == "ray").unwrap();
    *first = fixture::ended(&first.case.clone(), first.trial, Outcome::Failed, "a node was lost");
    let r = asked("sql=1", &[once]);
    assert!(proposed(&r, "sql").contains("--engines dask,ray,spark,duckdb "), "{:?}", r.missing);
}

#[test]
fn whoever_may_lead_takes_part_and_who_is_slower_does_not() {
    let engines = [("duckdb", 1.0, 1.0), ("polars", 1.0, 1.0), ("stagedag", 9.0, 9.0)];
    let r = asked("sql=1", &[run(observations(&engines))]);
    let run = proposed(&r, "sql");
    assert!(run.contains("duckdb") && run.contains("polars") && !run.contains("stagedag"), "{run}");
}

#[test]
fn two_take_part_where_no_product_is_named() {
    let mix = "sql=1".parse().unwrap();
    let question = Question { data_bytes: Some(2_000_000_000_000), ..about(&mix) };
    let runs = [run(observations(&[("duckdb", 1.0, 1.0), ("spark", 2.0, 2.0), ("stagedag", 9.0, 9.0)]))];
    let r = recommend(&question, &[], &runs).unwrap();
    assert!(proposed(&r, "sql").contains("--engines duckdb,spark --configs"), "{:?}", r.missing);
    let of_sql = observations(&[("duckdb", 1.0, 1.0)]).into_iter().filter(|o| o.case.family == Family::Sql);
    let mix = "dataframe=1".parse().unwrap();
    let nobody = recommend(&about(&mix), &[], &[run(of_sql.collect())]).unwrap();
    assert!(!proposed(&nobody, "dataframe").contains("--engines"), "everybody of this build: {:?}", nobody.missing);
}

#[test]
fn on_nodes_a_leader_takes_part_if_it_has_a_cluster() {
    let mix = "sql=1".parse().unwrap();
    let on_two = Question { nodes: Some(2), ..about(&mix) };
    let leaders = |leader: &'static str| observations(&[(leader, 1.0, 1.0), ("spark", 2.0, 2.0)]);
    let attached = |mut o: Observation| {
        (o.case.cluster, o.case.nodes) = ("attached".to_owned(), 2);
        o.key = o.case.key();
        o
    };
    let there = run(leaders("sail").into_iter().map(attached).collect());
    let r = recommend(&on_two, &built_in().unwrap(), &[there]).unwrap();
    let command = proposed(&r, "sql");
    assert!(command.contains("--engines dask,ray,spark,sail --attach "), "{command}");
    assert!(command.contains(" --attach sail=ADDRESS --attach-nodes 2 "), "{command}");
    let r = recommend(&on_two, &built_in().unwrap(), &[run(leaders("duckdb"))]).unwrap();
    let command = proposed(&r, "sql");
    assert!(command.contains("--engines dask,ray,spark --attach "), "one process has no nodes: {command}");
}
