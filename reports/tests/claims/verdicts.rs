//! Which evidence leads to which verdict.

use crate::products::{WORKLOADS, as_claimed, broken, case, moved, observations, run, trials};
use crate::{QUERIES, assessed, only, related};
use bench_record::{Arm, Family, Observation, Outcome, Run};
use bench_reports::claims::{AssessedClaim, ClaimVerdict, Remove};
use proptest::prelude::*;

fn of(all: Vec<Observation>) -> AssessedClaim {
    only(QUERIES, &[run("a", all)])
}

/// The verdict and a reason that has all of these words.
#[track_caller]
fn check(claim: &AssessedClaim, verdict: ClaimVerdict, words: &[&str]) {
    assert_eq!(claim.verdict, verdict, "{}", claim.because);
    for word in words {
        assert!(claim.because.contains(word), "`{word}` is missing: {}", claim.because);
    }
}

#[test]
fn an_order_that_is_shown_is_supported_and_the_reverse_is_contradicted() {
    let claim = of(as_claimed());
    check(&claim, ClaimVerdict::Supported, &["Dask / Ray as claimed", "Ray / Spark as claimed", "Dask / Spark"]);
    assert!(claim.would_test.is_empty());
    let compared = &claim.tests[0].evidence[0].compared[0];
    assert!((compared.value - 0.8).abs() < 0.01 && (compared.stated.unwrap() - 0.8).abs() < 1e-9, "{compared:?}");
    assert!(compared.interval.unwrap().high < 1.0 && compared.p_adjusted >= compared.p);
    let links = &claim.tests[0].evidence[0].links;
    assert_eq!(links.len(), 6, "three engines on two queries");
    assert!(links.iter().all(|l| l.file == "results/a/observations.ndjson" && l.key.starts_with("tpch-q0")));
    check(
        &of(observations(&[("dask", 1.9), ("ray", 1.5), ("spark", 1.8)])),
        ClaimVerdict::Contradicted,
        &["Dask / Ray"],
    );
}

#[test]
fn what_lies_within_the_noise_or_holds_equality_is_inconclusive() {
    check(
        &of(observations(&[("dask", 1.495), ("ray", 1.5), ("spark", 1.8)])),
        ClaimVerdict::Inconclusive,
        &["indistinguishable"],
    );
    check(
        &of(observations(&[("dask", 1.5), ("ray", 1.5), ("spark", 1.8)])),
        ClaimVerdict::Inconclusive,
        &["Dask / Ray"],
    );
}

#[test]
fn wrong_answers_failures_and_missing_workloads_are_never_support() {
    for outcome in [Outcome::WrongAnswer, Outcome::Failed, Outcome::TimedOut, Outcome::Unsupported] {
        let claim = of(broken(as_claimed(), "spark", outcome));
        check(&claim, ClaimVerdict::Inconclusive, &["Spark completed 1 of 2", "tpch-q02", "because"]);
        assert!(claim.would_test[0].contains("--engines dask,ray,spark"), "{claim:?}");
    }
    let mut some = as_claimed();
    some.retain(|o| o.case.workload == "tpch-q01");
    check(&of(some), ClaimVerdict::Inconclusive, &["1 workloads were run, the test has 2"]);
    let mut some = as_claimed();
    some.retain(|o| !(o.case.workload == "tpch-q01" && o.case.engine == "ray"));
    check(&of(some), ClaimVerdict::Inconclusive, &["Ray completed 1 of 2", "the others were not run"]);
    let mut some = as_claimed();
    some.retain(|o| o.case.engine != "spark");
    check(&of(some), ClaimVerdict::Inconclusive, &["Spark was not run there"]);
}

#[test]
fn without_an_a_a_arm_or_with_contaminated_or_too_few_trials_nothing_is_decided() {
    let mut alone = as_claimed();
    alone.retain(|o| o.arm == bench_record::Arm::Main);
    check(&of(alone), ClaimVerdict::Inconclusive, &["no A/A arm"]);
    let mut disturbed = as_claimed();
    disturbed.iter_mut().filter(|o| o.case.engine == "ray").for_each(|o| o.contaminated = true);
    check(&of(disturbed), ClaimVerdict::Inconclusive, &["contaminated"]);
    let mut few = as_claimed();
    few.retain(|o| o.trial < 2);
    check(&of(few), ClaimVerdict::Inconclusive, &["Dask / Ray"]);
    let mut none = as_claimed();
    none.iter_mut().for_each(|o| o.cpu_ns = None);
    let cpu = QUERIES.replace("metric = \"wall\"", "metric = \"cpu\"");
    check(
        &only(&cpu, &[run("a", none)]),
        ClaimVerdict::Inconclusive,
        &["CPU time was not recorded in 2 cases of Dask"],
    );
    check(&only(&cpu, &[run("a", as_claimed())]), ClaimVerdict::Supported, &[]);
}

#[test]
fn a_style_is_shown_beside_a_claim_about_a_product_and_decides_nothing() {
    let claim = of(observations(&[("taskgraph", 1.2), ("actor", 1.5), ("stagedag", 1.8)]));
    check(&claim, ClaimVerdict::NotTested, &["no run given has Dask, Ray and Spark"]);
    let evidence = &claim.tests[0].evidence[0];
    assert_eq!((evidence.remove, evidence.finding), (Remove::Architecture, ClaimVerdict::Supported));
    assert_eq!(evidence.who, ["taskgraph for Dask", "actor for Ray", "stagedag for Spark"]);
    assert_eq!(claim.would_test, ["bench run --suite 1gb --families sql --engines dask,ray,spark --configs default,tuned --trials 10"]);
}

#[test]
fn products_elsewhere_are_evidence_at_another_scale() {
    for to in [
        (|c| c.suite = "10gb".into()) as fn(&mut bench_record::Case),
        |c| c.scale = 2,
        |c| (c.cluster, c.nodes) = ("processes".into(), 4),
    ] {
        let claim = of(moved(as_claimed(), to));
        check(&claim, ClaimVerdict::NotTested, &[]);
        assert_eq!(claim.tests[0].evidence[0].remove, Remove::OtherScale);
    }
}

#[test]
fn engines_meet_only_on_equal_terms() {
    let mut apart = as_claimed();
    apart = moved(apart, |c| {
        if c.engine == "dask" {
            c.slots = 4
        }
    });
    let claim = of(apart);
    assert_ne!(claim.verdict, ClaimVerdict::Supported);
    check(&claim, ClaimVerdict::Inconclusive, &["Dask was not run there"]);
    let limited = moved(as_claimed(), |c| c.variant = "memory=4GiB".into());
    check(&of(limited), ClaimVerdict::Supported, &[]);
    let tuned = moved(as_claimed(), |c| {
        if c.engine == "dask" {
            c.variant = "fuse=off".into()
        }
    });
    check(&of(tuned), ClaimVerdict::Inconclusive, &["Dask was not run there"]);
}

#[test]
fn runs_that_do_not_agree_decide_nothing() {
    let mut other = run("b", observations(&[("dask", 1.9), ("ray", 1.5), ("spark", 1.8)]));
    other.context.machine.cores = 64;
    let claim = only(QUERIES, &[run("a", as_claimed()), other]);
    check(&claim, ClaimVerdict::Inconclusive, &["do not agree", "1 support it, 1 contradict it"]);
}

#[test]
fn two_builds_of_one_product_are_not_chosen_between() {
    let mut other = run("b", as_claimed());
    other.context.bench.build_id = "another".into();
    let claim = only(QUERIES, &[run("a", as_claimed()), other]);
    check(&claim, ClaimVerdict::Inconclusive, &["2 builds or versions of Dask"]);
}

#[test]
fn ratios_ranges_and_completeness_are_decided_by_their_intervals() {
    let relations = [
        (r#"ratio = { of = "ray", to = "dask", low = 1.2, high = 1.3 }"#, ClaimVerdict::Supported),
        (r#"ratio = { of = "ray", to = "dask", low = 1.25, high = 1.3 }"#, ClaimVerdict::Inconclusive),
        (r#"ratio = { of = "ray", to = "dask", low = 1.5, high = 2 }"#, ClaimVerdict::Contradicted),
        // 1.8 x 500 ms over both queries.
        (r#"range = { of = "spark", low = 0.8, high = 1, unit = "s" }"#, ClaimVerdict::Supported),
        (r#"range = { of = "spark", low = 10, high = 30, unit = "s" }"#, ClaimVerdict::Contradicted),
        (r#"winner = { of = "dask", among = ["ray", "spark"] }"#, ClaimVerdict::Supported),
        (r#"winner = { of = "ray", among = ["dask", "spark"] }"#, ClaimVerdict::Contradicted),
        (r#"less = ["dask", ["ray", "spark"]]"#, ClaimVerdict::Supported),
        (r#"completes = ["dask", "ray", "spark"]"#, ClaimVerdict::Supported),
    ];
    for (relation, verdict) in relations {
        let claim = only(&related(relation), &[run("a", as_claimed())]);
        assert_eq!(claim.verdict, verdict, "{relation}: {}", claim.because);
    }
    let broken = [run("a", broken(as_claimed(), "ray", Outcome::WrongAnswer))];
    check(&only(&related(r#"completes = ["ray"]"#), &broken), ClaimVerdict::Inconclusive, &["wrong_answer"]);
}

#[test]
fn all_tests_of_a_claim_are_needed_and_what_nobody_records_is_not_tested() {
    let more = |metric: &str| {
        format!(
            "{QUERIES}[[claim.test]]\nreading = \"x\"\nmetric = \"{metric}\"\nfamily = \"sql\"\ncases = 2\n\
             less = [\"dask\", \"spark\"]\n"
        )
    };
    check(
        &only(&more("start_up"), &[run("a", as_claimed())]),
        ClaimVerdict::NotTested,
        &["1 of its 2 tests were run, none against it", "start-up time is not recorded"],
    );
    check(&only(&more("cpu"), &[run("a", as_claimed())]), ClaimVerdict::Supported, &[]);
}

#[test]
fn a_crowd_of_comparisons_needs_more_than_one_alone() {
    let mut few = as_claimed();
    few.retain(|o| o.trial < 5 && o.case.workload == "tpch-q01");
    let one = QUERIES.replace("cases = 2", "cases = 1");
    check(&only(&one, &[run("a", few.clone())]), ClaimVerdict::Supported, &[]);
    let start = one.find("[[claim]]").unwrap();
    let claim = &one[start..];
    let copies: String = (0..9).map(|i| claim.replace("id = \"order\"", &format!("id = \"order{i}\""))).collect();
    let report = assessed(&format!("{}{copies}", &one[..start]), &[run("a", few)]);
    assert_eq!(report.comparisons[&Remove::Direct], 27);
    assert_eq!((report.counts.supported, report.counts.inconclusive), (0, 9));
    assert!(report.groups[0].claims[0].because.contains("all 27 comparisons"), "{:?}", report.groups[0].claims[0]);
}

/// The claimed trials, of which every one of Ray's on this query ended in another way.
fn all_ended(outcome: Outcome, oracle: Option<&str>) -> Vec<Observation> {
    let mut all = as_claimed();
    for o in all.iter_mut().filter(|o| o.case.engine == "ray" && o.case.workload == "tpch-q02") {
        *o = crate::fixture::ended(&o.case.clone(), o.trial, outcome, "row 3 differs");
        o.oracle = oracle.map(str::to_owned);
    }
    all
}

#[test]
fn an_answer_that_is_wrong_every_time_contradicts_the_claim_that_it_is_right() {
    let said = |all| only(&related(r#"completes = ["dask", "ray", "spark"]"#), &[run("a", all)]);
    let known = Some("duckdb 1.4.1");
    check(
        &said(all_ended(Outcome::WrongAnswer, known)),
        ClaimVerdict::Contradicted,
        &["Ray, in every one of 10 trials, tpch-q02 wrong_answer: row 3 differs"],
    );
    check(&said(all_ended(Outcome::Failed, known)), ClaimVerdict::Contradicted, &["tpch-q02 failed"]);
    // What else is missing takes nothing from a wrong answer.
    let mut less = all_ended(Outcome::WrongAnswer, known);
    less.retain(|o| !(o.case.engine == "spark" && o.case.workload == "tpch-q01"));
    check(&said(less), ClaimVerdict::Contradicted, &["tpch-q02 wrong_answer"]);
    for (outcome, words) in [
        (Outcome::TimedOut, "with more time"),
        (Outcome::Unsupported, "its driver, or this installation"),
    ] {
        check(&said(all_ended(outcome, known)), ClaimVerdict::Inconclusive, &[words]);
    }
    let mut once = all_ended(Outcome::Failed, known);
    once.retain(|o| o.outcome == Outcome::Completed || o.trial == 0);
    check(&said(once), ClaimVerdict::Inconclusive, &["not more than once"]);
}

#[test]
fn answers_that_nobody_knew_show_nothing_about_their_being_right() {
    let said = |all| only(&related(r#"completes = ["dask", "ray"]"#), &[run("a", all)]);
    for oracle in [None, Some("first answer, of dask (no oracle engine)"), Some("ray 2.60")] {
        let mut all = as_claimed();
        all.iter_mut().filter(|o| o.case.engine == "ray").for_each(|o| o.oracle = oracle.map(str::to_owned));
        check(&said(all), ClaimVerdict::Inconclusive, &["Ray: 2 of 2 workloads", "nobody who knows the answer"]);
    }
    check(&said(as_claimed()), ClaimVerdict::Supported, &["every answer was right"]);
    let first = Some("first answer, of dask (no oracle engine)");
    check(
        &said(all_ended(Outcome::WrongAnswer, first)),
        ClaimVerdict::Inconclusive,
        &["differs from the first answer"],
    );
}

#[test]
fn a_table_that_lacks_something_takes_nothing_from_one_that_does_not() {
    let mut less = run("b", observations(&[("dask", 1.2), ("ray", 1.5)]));
    less.context.machine.cores = 64;
    let claim = only(QUERIES, &[less, run("a", as_claimed())]);
    check(&claim, ClaimVerdict::Supported, &["Dask / Ray as claimed", "1 other table is inconclusive"]);
}

#[test]
fn a_value_nearer_to_the_end_of_its_range_than_the_noise_decides_nothing() {
    // 900 ms over both queries, 6 % above the lower end; the twin of the first engine lies 10 % away.
    let range = related(r#"range = { of = "spark", low = 0.85, high = 2, unit = "s" }"#);
    let noisy = |factor: f64| {
        let mut all = as_claimed();
        all.retain(|o| o.arm == Arm::Main);
        all.extend(WORKLOADS.iter().flat_map(|(w, ms)| trials(&case(w, "dask"), Arm::Twin, 10, ms * 1.2 * factor)));
        only(&range, &[run("a", all)])
    };
    check(&noisy(1.01), ClaimVerdict::Supported, &[]);
    check(&noisy(1.1), ClaimVerdict::Inconclusive, &["nearer to an end of the range than the noise"]);
    let mut alone = as_claimed();
    alone.retain(|o| o.arm == Arm::Main);
    check(&only(&range, &[run("a", alone)]), ClaimVerdict::Inconclusive, &["no A/A arm"]);
}

#[test]
fn the_noise_of_other_work_is_not_the_noise_of_this() {
    let mut all = as_claimed();
    all.iter_mut().filter(|o| o.arm == Arm::Twin).for_each(|o| {
        o.case.family = Family::Dataframe;
        o.key = o.case.key();
    });
    check(&of(all), ClaimVerdict::Inconclusive, &["no A/A arm of this metric in sql workloads"]);
}

/// Each engine in a folder of its own, and others in all of them.
fn apart(slower: f64, bridge: bool) -> Vec<Run> {
    let factors = [("dask", 1.2, 1.0), ("ray", 1.5, slower), ("spark", 1.8, slower * slower)];
    let folder = |(engine, factor, drift): (&str, f64, f64)| {
        let mut engines = vec![(engine, factor * drift)];
        engines.extend(bridge.then_some(("duckdb", drift)));
        run(engine, observations(&engines))
    };
    factors.into_iter().map(folder).collect()
}

#[test]
fn engines_of_separate_runs_are_compared_only_over_one_that_was_in_both() {
    let claim = only(QUERIES, &apart(1.0, false));
    check(&claim, ClaimVerdict::Inconclusive, &["Dask and Ray were not measured in one run", "measure them together"]);
    assert_eq!(claim.would_test.len(), 1, "one run for all of them: {:?}", claim.would_test);
    check(&only(QUERIES, &apart(1.0, true)), ClaimVerdict::Supported, &["Dask / Ray as claimed"]);
    // The bridge says that the second run was twice as fast, and Ray takes five eighths of Dask's time in it.
    let drifted = only(QUERIES, &apart(0.5, true));
    check(&drifted, ClaimVerdict::Inconclusive, &["within the A/A noise"]);
    let noise = drifted.tests[0].evidence[0].compared[0].noise.unwrap();
    assert!((noise - 1.0).abs() < 0.02, "{noise}");
}

#[test]
fn products_as_they_come_and_tuned_have_to_agree_where_both_were_measured() {
    let tuned = |engines: &[(&str, f64)]| {
        let mut all = as_claimed();
        all.extend(moved(observations(engines), |c| c.variant = "config=tuned".into()));
        of(all)
    };
    let same = tuned(&[("dask", 1.0), ("ray", 1.1), ("spark", 1.3)]);
    check(&same, ClaimVerdict::Supported, &["as they come: Dask / Ray as claimed", "tuned: Dask / Ray as claimed"]);
    check(
        &tuned(&[("dask", 1.0), ("ray", 0.9), ("spark", 1.3)]),
        ClaimVerdict::Inconclusive,
        &["the configurations do not agree", "supported as they come", "contradicted tuned"],
    );
    check(
        &tuned(&[("dask", 1.0), ("ray", 1.0), ("spark", 1.3)]),
        ClaimVerdict::Inconclusive,
        &["shown in one configuration only", "indistinguishable"],
    );
    // Only some of them were tuned: that is no second opinion.
    check(&tuned(&[("dask", 1.0), ("ray", 0.9)]), ClaimVerdict::Supported, &["Spark was not run there"]);
    check(&tuned(&[("spark", 0.5)]), ClaimVerdict::Supported, &[]);
}

#[test]
fn a_subject_that_names_its_configuration_is_that_and_no_other() {
    let text = related(r#"less = ["spark-tuned", "spark-default"]"#).replace(
        "[[claim]]",
        "[subject.spark-default]\nname = \"Spark as it comes\"\nengine = \"spark\"\nvariant = \"default\"\n\
         [subject.spark-tuned]\nname = \"tuned Spark\"\nengine = \"spark\"\nvariant = \"config=tuned\"\n[[claim]]",
    );
    let mut all = observations(&[("spark", 1.8)]);
    all.extend(moved(observations(&[("spark", 1.2)]), |c| c.variant = "config=tuned".into()));
    let claim = only(&text, &[run("a", all)]);
    check(&claim, ClaimVerdict::Supported, &["tuned Spark / Spark as it comes as claimed"]);
    assert_eq!(claim.tests[0].evidence.len(), 1);
    let open = only(&text, &[run("a", observations(&[("spark", 1.8)]))]);
    assert_eq!(
        open.would_test,
        ["bench run --suite 1gb --families sql --engines spark --configs default,tuned --trials 10"]
    );
}

#[test]
fn memory_that_is_summed_over_processes_decides_nothing() {
    let memory = QUERIES.replace("metric = \"wall\"", "metric = \"memory_peak\"");
    let mut all = as_claimed();
    for o in &mut all {
        let mib = if o.case.engine == "dask" { 100 } else if o.case.engine == "ray" { 200 } else { 300 };
        o.rss_bytes_peak = Some((mib << 20) + u64::from(o.trial));
    }
    check(&only(&memory, &[run("a", all.clone())]), ClaimVerdict::Supported, &[]);
    let mut products = run("a", all);
    let config: bench_record::Tuning = serde_json::from_str(r#"{"config":"default"}"#).unwrap();
    products.context.engines.iter_mut().filter(|e| e.name == "ray").for_each(|e| e.tuning = config.clone());
    check(
        &only(&memory, &[products]),
        ClaimVerdict::Inconclusive,
        &["the peak memory of Ray is a sum over its processes", "upper bound"],
    );
}

#[test]
fn to_have_spilled_nothing_is_a_measurement() {
    let spilled = QUERIES.replace("metric = \"wall\"", "metric = \"spilled\"");
    let said = |bytes: [u64; 3]| {
        let mut all = as_claimed();
        for o in &mut all {
            let [dask, ray, spark] = bytes;
            let own = match o.case.engine.as_str() {
                "dask" => dask,
                "ray" => ray,
                _ => spark,
            };
            o.spilled_bytes = Some(own);
        }
        only(&spilled, &[run("a", all)])
    };
    check(&said([0, 1 << 20, 1 << 30]), ClaimVerdict::Supported, &["Dask / Ray as claimed"]);
    check(&said([1 << 20, 0, 1 << 30]), ClaimVerdict::Contradicted, &["Dask / Ray not as claimed"]);
    check(&said([0, 0, 1 << 30]), ClaimVerdict::Inconclusive, &["indistinguishable"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn support_needs_every_interval_on_the_claimed_side_of_equality(
        dask in 0.8f64..1.25, ray in 0.8f64..1.25, spark in 0.8f64..1.25,
    ) {
        let claim = of(observations(&[("dask", dask), ("ray", ray), ("spark", spark)]));
        let compared = &claim.tests[0].evidence[0].compared;
        prop_assert_eq!(compared.len(), 3);
        let holds_one = compared.iter().any(|c| c.interval.unwrap().contains(1.0));
        let below = compared.iter().all(|c| c.interval.unwrap().high < 1.0);
        let above = compared.iter().any(|c| c.interval.unwrap().low > 1.0);
        match claim.verdict {
            ClaimVerdict::Supported => prop_assert!(below && !holds_one),
            ClaimVerdict::Contradicted => prop_assert!(above),
            ClaimVerdict::Inconclusive => {}
            ClaimVerdict::NotTested => prop_assert!(false, "it was"),
        }
    }

    #[test]
    fn turning_every_time_round_turns_the_verdict_round(a in 0.8f64..1.25, b in 0.8f64..1.25) {
        let verdict = |relation: &str| {
            only(&related(relation), &[run("a", observations(&[("dask", a), ("ray", b)]))]).verdict
        };
        let (one, other) = (verdict(r#"less = ["dask", "ray"]"#), verdict(r#"less = ["ray", "dask"]"#));
        let turned = match one {
            ClaimVerdict::Supported => ClaimVerdict::Contradicted,
            ClaimVerdict::Contradicted => ClaimVerdict::Supported,
            same => same,
        };
        prop_assert_eq!(turned, other);
    }
}
