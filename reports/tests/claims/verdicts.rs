//! Which evidence leads to which verdict.

use crate::products::{as_claimed, broken, moved, observations, run};
use crate::{QUERIES, assessed, only, related};
use bench_record::{Observation, Outcome};
use bench_reports::claims::{AssessedClaim, ClaimVerdict, Remove};
use proptest::prelude::*;

fn of(all: Vec<Observation>) -> AssessedClaim {
    only(QUERIES, &[run("a", all)])
}

/// The verdict and a reason that has all of these words.
#[track_caller]
pub(crate) fn check(claim: &AssessedClaim, verdict: ClaimVerdict, words: &[&str]) {
    assert_eq!(claim.verdict, verdict, "{}", claim.because);
    for word in words {
        assert!(claim.because.contains(word), "`{word}` is missing: {}", claim.because);
    }
}

#[test]
fn a_claim_about_so_much_memory_is_decided_by_runs_that_had_no_more() {
    let text = QUERIES.replace("at = { ", "at = { memory = [\"4GiB\", \"2GiB\"], ");
    let within = |variant: &str| only(&text, &[run("a", moved(as_claimed(), |c| c.variant = variant.into()))]);
    check(&within("memory=2GiB"), ClaimVerdict::Supported, &[]);
    for other in ["default", "memory=24GiB", "node-memory=4GiB"] {
        let claim = within(other);
        check(&claim, ClaimVerdict::NotTested, &["suite 1gb, cluster local, memory 4GiB or 2GiB"]);
        assert_eq!(claim.tests[0].evidence[0].remove, Remove::OtherScale, "{other}");
        assert!(claim.would_test[0].contains(" --memory 4GiB "), "{:?}", claim.would_test);
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
    assert_eq!(
        claim.would_test,
        ["bench run --suite 1gb --families sql --engines dask,ray,spark --configs default,tuned --trials 10"]
    );
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
    check(&claim, ClaimVerdict::Inconclusive, &["2 builds, versions or clusters of Dask"]);
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
        &only(&more("latency"), &[run("a", as_claimed())]),
        ClaimVerdict::NotTested,
        &["1 of its 2 tests were run, none against it", "latency is not recorded"],
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
