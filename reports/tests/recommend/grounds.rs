//! Which runs a ranking rests on: one ground, whatever the order of the folders.

use crate::{about, asked, fixture, observations, run};
use bench_record::{Family, Observation, Run};
use bench_reports::claims::built_in;
use bench_reports::recommend::{Answer, Question, Recommendation, recommend};

const SPARK_LEADS: [(&str, f64, f64); 2] = [("spark", 1.0, 1.0), ("dask", 2.0, 2.0)];
const DASK_LEADS: [(&str, f64, f64); 2] = [("spark", 2.0, 2.0), ("dask", 1.0, 1.0)];

/// A run in a folder of its own, begun so much later.
fn named(name: &str, later: u64, observations: Vec<Observation>, change: impl Fn(&mut Run)) -> Run {
    let mut run = fixture::later(later, Run { path: format!("results/{name}").into(), ..run(observations) });
    change(&mut run);
    run
}

fn only(family: Family, engines: &[(&str, f64, f64)]) -> Vec<Observation> {
    observations(engines).into_iter().filter(|o| o.case.family == family).collect()
}

fn both_ways(mix: &str, a: &Run, b: &Run) -> Recommendation {
    let (one, other) = (asked(mix, &[a.clone(), b.clone()]), asked(mix, &[b.clone(), a.clone()]));
    assert_eq!((&one.answer, &one.ranked), (&other.answer, &other.ranked), "the order of folders decides nothing");
    one
}

fn another_machine(run: &mut Run) {
    run.context.machine.cores = 64;
}

#[test]
fn families_of_different_machines_are_no_answer_to_one_question() {
    let sql = named("a", 0, only(Family::Sql, &SPARK_LEADS), |_| {});
    let dataframe = named("b", 1, only(Family::Dataframe, &SPARK_LEADS), another_machine);
    let r = both_ways("sql=50,dataframe=50", &sql, &dataframe);
    assert_eq!(r.answer, Answer::LeadsElsewhere { engine: "spark".into() });
    assert!(r.because.contains("dataframe and sql were measured on different machines"), "{}", r.because);
    let same = named("b", 1, only(Family::Dataframe, &SPARK_LEADS), |_| {});
    assert_eq!(both_ways("sql=50,dataframe=50", &sql, &same).answer, Answer::ClearWinner { engine: "spark".into() });
    let newer = named("b", 1, only(Family::Dataframe, &SPARK_LEADS), |run| {
        run.context.engines.iter_mut().for_each(|e| e.version = "9".into());
        run.context.bench.build_id = "another".into();
    });
    let r = both_ways("sql=50,dataframe=50", &sql, &newer);
    assert!(r.because.contains("different versions or builds of dask, versions or builds of spark"), "{}", r.because);
}

#[test]
fn one_ground_that_has_all_families_is_taken_before_two_that_have_one_each() {
    let all = named("a", 0, observations(&SPARK_LEADS), |_| {});
    let some = named("b", 1, only(Family::Sql, &SPARK_LEADS), another_machine);
    let r = both_ways("sql=50,dataframe=50", &all, &some);
    assert_eq!(r.answer, Answer::ClearWinner { engine: "spark".into() });
    assert!(r.evidence.iter().all(|e| e.runs == ["a"]), "{:?}", r.evidence);
    let unused: Vec<_> = r.unused.iter().map(|u| (u.family.as_str(), u.runs.join(","))).collect();
    assert_eq!(unused, [("sql", "b".to_owned())], "nothing is left out in silence");
}

#[test]
fn runs_that_are_equally_near_have_to_agree() {
    let a = named("a", 0, observations(&SPARK_LEADS), |_| {});
    let b = |engines| named("b", 1, observations(engines), another_machine);
    let r = both_ways("sql=1", &a, &b(&DASK_LEADS));
    assert_eq!(r.answer, Answer::NoClearWinner);
    assert!(r.because.contains("as near to the question do not agree: in b: dask"), "{}", r.because);
    assert!(r.because.contains("in a: spark is faster"), "{}", r.because);
    let r = both_ways("sql=1", &a, &b(&SPARK_LEADS));
    assert_eq!(r.answer, Answer::ClearWinner { engine: "spark".into() });
    assert_eq!(r.unused.len(), 1);
    assert!(r.unused[0].because.contains("as near as what was taken: spark is faster"), "{:?}", r.unused);
}

/// A run over so much text.
fn sized(name: &str, later: u64, set: &str, engines: &[(&str, f64, f64)]) -> Run {
    let suite = if set == "tpch-sf1" { "1gb" } else { "10gb" };
    let mut all = observations(engines);
    for o in &mut all {
        o.case.suite = suite.into();
        o.key = o.case.key();
    }
    named(name, later, all, |run| {
        run.context.suite = suite.into();
        run.context.datasets[0].name = set.into();
        run.context.datasets[0].bytes = if set == "tpch-sf1" { 350 << 20 } else { 3500 << 20 };
    })
}

fn text(set: &str) -> Option<u64> {
    match set {
        "tpch-sf1" => Some(1_000_000_000),
        "tpch-sf10" => Some(10_000_000_000),
        _ => None,
    }
}

fn over(bytes: u64, runs: &[Run]) -> Recommendation {
    let mix = "sql=1".parse().unwrap();
    let question = Question { data_bytes: Some(bytes), text_bytes: Some(&text), ..about(&mix) };
    recommend(&question, &built_in().unwrap(), runs).unwrap()
}

#[test]
fn data_are_as_large_as_their_text_and_not_as_their_files() {
    let (small, large) = (sized("a", 0, "tpch-sf1", &SPARK_LEADS), sized("b", 1, "tpch-sf10", &DASK_LEADS));
    // Files of 3.5 GiB are nearer to 3 GB than files of 350 MiB, and a gigabyte of text is nearer to it than ten.
    let r = over(3_000_000_000, &[large.clone(), small.clone()]);
    assert_eq!(r.evidence[0].runs, ["a"]);
    let exact = over(1_000_000_000, std::slice::from_ref(&small));
    assert_eq!(exact.answer, Answer::ClearWinner { engine: "spark".into() });
    assert_eq!(exact.evidence[0].differs, None);
    let r = over(3_000_000_000, &[small]);
    assert!(r.because.contains("measured on 1 GB of text (tpch-sf1), not 3 GB"), "{}", r.because);
    let own = |run: &mut Run| run.context.datasets[0].name = "mine".into();
    let r = over(1_000_000_000, &[named("a", 0, observations(&SPARK_LEADS), own)]);
    assert!(r.because.contains("measured on 367 MB as stored (mine), not 1 GB"), "{}", r.because);
}

#[test]
fn the_run_that_was_just_given_is_not_advised_again() {
    let small = sized("a", 0, "tpch-sf1", &[("spark", 1.0, 1.0), ("dask", 2.0, 2.0), ("ray", 3.0, 3.0)]);
    let r = over(3_000_000_000, &[small]);
    let missing: Vec<_> = r.missing.iter().map(|m| (m.what.as_str(), m.run.as_deref())).collect();
    assert!(
        missing.iter().all(|(what, run)| what.contains("no suite is nearer to it") && run.is_none()),
        "{missing:?}"
    );
    assert_eq!(missing.len(), 1);
}

#[test]
fn graphs_without_work_are_as_near_to_any_amount_of_data() {
    let mut all = only(Family::Sql, &SPARK_LEADS);
    for o in &mut all {
        o.case.family = Family::Overhead;
        o.key = o.case.key();
    }
    let mix = "overhead=1".parse().unwrap();
    let question = Question { data_bytes: Some(1 << 50), text_bytes: Some(&text), ..about(&mix) };
    let r = recommend(&question, &[], &[named("a", 0, all, |_| {})]).unwrap();
    assert_eq!((r.evidence[0].differs.as_deref(), &r.answer), (None, &Answer::ClearWinner { engine: "spark".into() }));
}

#[test]
fn engines_of_separate_runs_are_not_ranked_against_each_other() {
    let a = named("a", 0, observations(&SPARK_LEADS[..1]), |_| {});
    let b = named("b", 1, observations(&SPARK_LEADS[1..]), |_| {});
    let r = both_ways("sql=1", &a, &b);
    assert_eq!(r.answer, Answer::NoClearWinner);
    assert!(r.because.contains("dask and spark were not measured in one run"), "{}", r.because);
    let with = |name, later, engine: (&'static str, f64, f64)| {
        named(name, later, observations(&[engine, ("duckdb", 4.0, 4.0)]), |_| {})
    };
    // Somebody who was in both is no substitute for taking turns.
    let r = both_ways("sql=1", &with("a", 0, SPARK_LEADS[0]), &with("b", 1, SPARK_LEADS[1]));
    assert_ne!(r.answer, Answer::ClearWinner { engine: "spark".into() });
}
