//! Who leads, and when nobody does.

use crate::{asked, fixture, observations, run};
use bench_record::{Family, Outcome};
use bench_reports::Contestant;
use bench_reports::claims::built_in;
use bench_reports::recommend::{Answer, Pricing, Question, Ranked, Recommendation, recommend};
use proptest::prelude::*;

const CROSSED: [(&str, f64, f64); 3] = [("spark", 1.0, 2.0), ("dask", 2.0, 1.0), ("stagedag", 3.0, 3.0)];

fn winner(r: &Recommendation) -> Option<&str> {
    match &r.answer {
        Answer::ClearWinner { engine } => Some(engine),
        _ => None,
    }
}

fn of<'r>(r: &'r Recommendation, engine: &str) -> &'r Ranked {
    r.ranked.iter().find(|e| e.engine == engine).unwrap()
}

#[test]
fn the_weights_decide_between_engines_that_are_good_at_different_things() {
    let runs = [run(observations(&CROSSED))];
    assert_eq!(winner(&asked("sql=80,dataframe=20", &runs)), Some("spark"));
    assert_eq!(winner(&asked("sql=20,dataframe=80", &runs)), Some("dask"));
    let even = asked("sql=50,dataframe=50", &runs);
    assert_eq!(even.answer, Answer::NoClearWinner);
    assert!(even.because.contains("not shown to be faster"), "{}", even.because);
}

#[test]
fn scores_are_weighted_geometric_means() {
    let r = asked("sql=3,dataframe=1", &[run(observations(&CROSSED))]);
    // 2^0.75 / 2^0.25 and 3 / 2^0.25.
    assert!((of(&r, "dask").against_leader - 2f64.sqrt()).abs() < 0.001);
    assert!((of(&r, "stagedag").against_leader - 3.0 / 2f64.powf(0.25)).abs() < 0.001);
    assert!(of(&r, "dask").interval.unwrap().contains(of(&r, "dask").against_leader));
    assert!(of(&r, "stagedag").is_style && !of(&r, "dask").is_style);
    let tipping = &r.sensitivity.as_ref().unwrap().tipping;
    assert!(
        tipping.iter().all(|t| (t.at.unwrap() - 0.5).abs() < 0.01 && t.rival.as_deref() == Some("dask")),
        "{tipping:?}"
    );
}

#[test]
fn a_part_of_the_mix_that_was_not_measured_leaves_the_question_open() {
    let r = asked("sql=40,training=40,streaming=20", &[run(observations(&CROSSED))]);
    assert_eq!(r.answer, Answer::LeadsElsewhere { engine: "spark".into() });
    assert!((r.covered - 0.4).abs() < 1e-9);
    let missing: Vec<(&str, bool)> = r.missing.iter().map(|m| (m.what.as_str(), m.run.is_some())).collect();
    assert!(missing.iter().any(|(what, run)| what.starts_with("training (40 % of the mix)") && !run), "{missing:?}");
    assert!(
        missing.iter().any(|(what, run)| what.starts_with("sql (40 %") && what.contains("Ray not measured") && *run)
    );
    // Twice as fast on 40 %: level if 2^(0.4/0.6) times as slow on the rest.
    let slack = r.sensitivity.as_ref().unwrap().unmeasured_slack.unwrap();
    assert!((slack - 2f64.powf(0.4 / 0.6)).abs() < 0.01, "{slack}");
}

#[test]
fn evidence_from_elsewhere_is_said_to_be_from_elsewhere() {
    let runs = [run(observations(&CROSSED))];
    let mix = "sql=1".parse().unwrap();
    let question = Question { mix: &mix, data_bytes: Some(2_000_000_000_000), nodes: Some(10), pricing: None };
    let r = recommend(&question, &built_in().unwrap(), &runs).unwrap();
    assert_eq!(r.answer, Answer::LeadsElsewhere { engine: "spark".into() });
    assert!(
        r.because.contains("measured on 350 MiB of data, not 1.82 TiB, measured on 1 node, not 10"),
        "{}",
        r.because
    );
    assert_eq!(
        r.missing[0].run.as_deref(),
        Some(
            "bench run --suite 1tb --families sql --engines dask,ray,spark --cluster hosts.toml --nodes 10 --trials 10"
        )
    );
}

#[test]
fn who_did_not_complete_everything_has_no_place() {
    let mut all = observations(&CROSSED);
    let spoiled = all.iter_mut().find(|o| o.case.engine == "spark" && o.case.family == Family::Sql).unwrap();
    *spoiled = fixture::ended(&spoiled.case.clone(), spoiled.trial, Outcome::WrongAnswer, "row 3 differs");
    let r = asked("sql=80,dataframe=20", &[run(all)]);
    assert!(r.ranked.iter().all(|e| e.engine != "spark"));
    assert_eq!(r.unranked[0].engine, "spark");
    assert!(
        r.unranked[0].because.contains("completed 1 of 2; tpch-q01 wrong_answer: row 3 differs"),
        "{:?}",
        r.unranked
    );
}

#[test]
fn without_an_a_a_arm_or_rivals_nobody_wins() {
    let mut alone = observations(&CROSSED);
    alone.retain(|o| o.arm == bench_record::Arm::Main);
    assert_eq!(asked("sql=1", &[run(alone)]).answer, Answer::NoClearWinner);
    let only = asked("sql=1", &[run(observations(&CROSSED[..1]))]);
    assert_eq!(only.answer, Answer::NoEvidence);
    assert!(only.because.contains("only spark"));
    assert!(only.sensitivity.is_none());
    let nothing = asked("streaming=1", &[run(observations(&CROSSED))]);
    assert_eq!(nothing.answer, Answer::NoEvidence);
    let mut disturbed = observations(&CROSSED);
    disturbed.iter_mut().filter(|o| o.case.engine == "dask").for_each(|o| o.contaminated = true);
    assert_eq!(asked("sql=1", &[run(disturbed)]).answer, Answer::NoClearWinner);
}

struct Prices;

impl Pricing for Prices {
    fn usd_per_hour(&self, contestant: &Contestant) -> Option<f64> {
        match contestant.engine.as_str() {
            "spark" => Some(4.0),
            "dask" => Some(1.0),
            _ => None,
        }
    }
}

#[test]
fn prices_show_what_the_same_work_costs_and_an_unknown_one_stays_unknown() {
    let mix = "sql=1".parse().unwrap();
    let question = Question { mix: &mix, data_bytes: None, nodes: None, pricing: Some(&Prices) };
    let r = recommend(&question, &built_in().unwrap(), &[run(observations(&CROSSED))]).unwrap();
    // Twice as long at a quarter of the price.
    assert!((of(&r, "dask").cost_against_leader.unwrap() - 0.5).abs() < 0.001);
    assert!(of(&r, "dask").cost_interval.unwrap().high < 0.6);
    assert_eq!((of(&r, "stagedag").usd_per_hour, of(&r, "stagedag").cost_against_leader), (None, None));
}

#[test]
fn rules_that_speak_of_the_mix_are_shown_and_weigh_nothing() {
    let runs = [run(observations(&CROSSED))];
    let with = asked("sql=1", &runs);
    let ids: Vec<&str> = with.cited.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["rule.spark.etl", "rule.spark.sql"]);
    let question = Question { mix: &"sql=1".parse().unwrap(), data_bytes: None, nodes: None, pricing: None };
    let without = recommend(&question, &[], &runs).unwrap();
    assert_eq!(
        with.ranked.iter().map(|r| &r.engine).collect::<Vec<_>>(),
        without.ranked.iter().map(|r| &r.engine).collect::<Vec<_>>()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_clear_winner_has_every_interval_above_one(a in 0.9f64..1.1, b in 0.9f64..1.1, weight in 0.01f64..1.0) {
        let runs = [run(observations(&[("spark", a, b), ("dask", b, a)]))];
        let r = asked(&format!("sql={weight},dataframe={}", 1.01 - weight), &runs);
        if let Some(winner) = winner(&r) {
            for rival in r.ranked.iter().filter(|e| e.engine != winner) {
                prop_assert!(rival.interval.unwrap().low > 1.0 && rival.against_leader > 1.01);
            }
        } else {
            prop_assert_eq!(&r.answer, &Answer::NoClearWinner);
        }
        for all in [&r.sensitivity.as_ref().unwrap().near, &r.sensitivity.as_ref().unwrap().any] {
            prop_assert!((all.iter().map(|s| s.share).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
