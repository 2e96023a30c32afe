//! Who leads, and when nobody does.

use crate::{about, asked, fixture, observations, run};
use bench_record::{Arm, Family, Observation, Outcome};
use bench_reports::Contestant;
use bench_reports::claims::built_in;
use bench_reports::recommend::{Answer, Hourly, Pricing, Question, Ranked, Recommendation, recommend};
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
    let text = |set: &str| (set == "tpch-sf1").then_some(1_000_000_000);
    let question =
        Question { data_bytes: Some(2_000_000_000_000), nodes: Some(10), text_bytes: Some(&text), ..about(&mix) };
    let r = recommend(&question, &built_in().unwrap(), &runs).unwrap();
    assert_eq!(r.answer, Answer::LeadsElsewhere { engine: "spark".into() });
    assert!(
        r.because.contains("measured on 1 GB of text (tpch-sf1), not 2 TB, measured on 1 node, not 10"),
        "{}",
        r.because
    );
    assert_eq!(
        r.missing[0].run.as_deref(),
        Some(
            "bench run --suite 1tb --families sql --engines dask,ray,spark --attach \
             dask=tcp://HOST:8786 --attach ray=gcs://HOST:6379 --attach spark=spark://HOST:7077 --attach-nodes 10 \
             --attach-slots 8 --trials 10"
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

/// Forty trials of two engines on each of these queries, of which two in ten are so much shorter or longer than the rest. Dask
/// takes a tenth longer than Spark, whose A/A arm is 2 % away.
fn varied(workloads: &[&str], spread: f64) -> Recommendation {
    let step = |i: u32| match i % 10 {
        3 => 1.0 - spread,
        8 => 1.0 + spread,
        _ => 1.0 + f64::from((i * 7) % 11) / 1000.0,
    };
    let trials = |workload: &str, (engine, arm, ms): (&str, Arm, f64)| -> Vec<Observation> {
        let case = fixture::case(Family::Sql, workload, engine);
        (0..40).map(|i| fixture::completed(&case, arm, i, ms * step(i))).collect()
    };
    let arms = [("spark", Arm::Main, 400.0), ("spark", Arm::Twin, 408.0), ("dask", Arm::Main, 440.0)];
    let all = workloads.iter().flat_map(|workload| arms.map(|one| trials(workload, one)).concat());
    asked("sql=1", &[run(all.collect())])
}

#[test]
fn a_mix_of_one_workload_has_no_winner_within_the_variation_of_its_times() {
    assert_eq!(winner(&varied(&["tpch-q01"], 0.0)), Some("spark"));
    let one = varied(&["tpch-q01"], 0.3);
    let dask = of(&one, "dask");
    assert!(dask.interval.unwrap().low > 1.0 && dask.p_adjusted.unwrap() <= 0.05, "{dask:?}");
    assert_eq!((dask.is_slower, &one.answer), (false, &Answer::NoClearWinner), "a tenth, and times vary by more");
    // Of several workloads it evens out.
    assert_eq!(winner(&varied(&["tpch-q01", "tpch-q02"], 0.3)), Some("spark"));
}

struct Prices;

impl Pricing for Prices {
    fn hourly(&self, contestant: &Contestant) -> Option<Hourly> {
        let base = match contestant.engine.as_str() {
            "spark" => 4.0,
            "dask" => 1.0,
            _ => return None,
        };
        let low = if contestant.engine == "spark" { base / 2.0 } else { base };
        Some(Hourly { low, base, high: base * 1.5, from: "a list".to_owned() })
    }
}

#[test]
fn prices_show_what_the_same_work_costs_and_an_unknown_one_stays_unknown() {
    let mix = "sql=1".parse().unwrap();
    let question = Question { pricing: Some(&Prices), ..about(&mix) };
    let r = recommend(&question, &built_in().unwrap(), &[run(observations(&CROSSED))]).unwrap();
    // Twice as long at a quarter of the price.
    assert!((of(&r, "dask").cost_against_leader.unwrap() - 0.5).abs() < 0.001);
    // Both prices at the same end: a half at the low one, a quarter at the others.
    let interval = of(&r, "dask").cost_interval.unwrap();
    assert!((interval.low - 0.5).abs() < 0.02 && (interval.high - 1.0).abs() < 0.02, "{interval:?}");
    assert_eq!(of(&r, "spark").usd_per_hour_range.map(|i| (i.low, i.high)), Some((2.0, 6.0)));
    assert_eq!(of(&r, "spark").price_from.as_deref(), Some("a list"));
    assert_eq!((of(&r, "stagedag").usd_per_hour, of(&r, "stagedag").cost_against_leader), (None, None));
}

#[test]
fn rules_that_speak_of_the_mix_are_shown_and_weigh_nothing() {
    let runs = [run(observations(&CROSSED))];
    let with = asked("sql=1", &runs);
    let ids: Vec<&str> = with.cited.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["rule.spark.etl", "rule.spark.sql"]);
    let without = recommend(&about(&"sql=1".parse().unwrap()), &[], &runs).unwrap();
    // A rule about an amount of data is not about a question that names none, or more.
    let size = |mix: &str, data_bytes| {
        let r =
            recommend(&Question { data_bytes, ..about(&mix.parse().unwrap()) }, &built_in().unwrap(), &runs).unwrap();
        r.cited.iter().any(|c| c.id == "rule.dask.size")
    };
    assert_eq!([size("sql=1", None), size("sql=1", Some(1 << 30)), size("sql=1", Some(1 << 44))], [false, true, false]);
    assert_eq!(
        with.ranked.iter().map(|r| &r.engine).collect::<Vec<_>>(),
        without.ranked.iter().map(|r| &r.engine).collect::<Vec<_>>()
    );
}

#[test]
fn a_rule_is_cited_only_where_all_of_its_conditions_hold() {
    let text = "schema = 1\n[source]\ntitle = \"x\"\ndate = \"2026\"\n[subject.a]\nname = \"A\"\nengine = \"spark\"\n\
                [[rule]]\nid = \"r\"\nprefers = [\"a\"]\ntext = \"small SQL\"\nfamilies = [\"sql\"]\ntb_below = 1\n";
    let file = bench_reports::claims::ClaimsFile::read("x.toml", text).unwrap();
    let cited = |mix: &str, data_bytes| {
        let mix = mix.parse().unwrap();
        let question = Question { data_bytes, ..about(&mix) };
        recommend(&question, std::slice::from_ref(&file), &[run(observations(&CROSSED))]).unwrap().cited.len()
    };
    assert_eq!(cited("sql=1", Some(1 << 30)), 1);
    assert_eq!([cited("sql=1", None), cited("sql=1", Some(1 << 44)), cited("dataframe=1", Some(1 << 30))], [0, 0, 0]);
}

#[test]
fn styles_are_known_without_any_claims_file() {
    let mix = "sql=1".parse().unwrap();
    let r = recommend(&about(&mix), &[], &[run(observations(&CROSSED))]).unwrap();
    assert!(of(&r, "stagedag").is_style && !of(&r, "spark").is_style);
}

#[test]
fn configurations_of_one_engine_do_not_compete_with_each_other() {
    let tuned = |engine: &str, factor: f64| {
        let mut all = observations(&[(engine, factor, factor)]);
        all.iter_mut().for_each(|o| {
            o.case.variant = "config=tuned".into();
            o.key = o.case.key();
        });
        all
    };
    let mut all = observations(&[("spark", 1.0, 1.0), ("dask", 2.0, 2.0)]);
    all.extend(tuned("spark", 1.001));
    assert_eq!(winner(&asked("sql=1", &[run(all.clone())])), Some("spark"));
    // A tuned leader whose rival had no such budget leads, and is no answer.
    let mut best = observations(&[("spark", 1.0, 1.0), ("dask", 2.0, 2.0)]);
    best.extend(tuned("spark", 0.5));
    let r = asked("sql=1", &[run(best.clone())]);
    assert_eq!(r.answer, Answer::LeadsElsewhere { engine: "spark+config=tuned".into() });
    assert!(r.because.contains("is tuned, and dask was measured only as it comes"), "{}", r.because);
    best.extend(tuned("dask", 1.5));
    assert_eq!(winner(&asked("sql=1", &[run(best)])), Some("spark+config=tuned"));
    let mut alone = observations(&[("spark", 1.0, 1.0)]);
    alone.extend(tuned("spark", 2.0));
    assert_eq!(asked("sql=1", &[run(alone)]).answer, Answer::NoEvidence);
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
