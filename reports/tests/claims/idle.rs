//! Claims on what products cost before they do any work, held against records of `bench overhead`.

use crate::verdicts::check;
use crate::{fixture, probed, read};
use bench_record::{Measure, Outcome, OverheadRun, OverheadSample, Probe};
use bench_reports::CompareError;
use bench_reports::claims::{AssessError, AssessedClaim, ClaimVerdict, ClaimsFile, Remove, assess_all, built_in};

const ROUND: Measure = Measure::Probe(Probe::RoundTrip { count: 1 });
const TASKS: Measure = Measure::Probe(Probe::Tasks { count: 1000 });

/// Milliseconds, or millions of bytes, of each engine; every second trial is so much larger.
fn record(measure: Measure, engines: &[(&str, f64)], trials: u32, uneven: f64) -> OverheadRun {
    let of = |(engine, value): &(&str, f64)| {
        let (engine, value) = (probed::subject(engine), *value);
        let step = move |i: u32| (1.0 + f64::from((i / 2 * 7) % 11) / 1000.0) * if i % 2 == 1 { uneven } else { 1.0 };
        (0..trials).map(move |i| probed::sample(&engine, i, measure, &[(value * step(i) * 1e6) as u64]))
    };
    probed::record(trials, engines.iter().flat_map(of).collect())
}

/// The claim of that id among those that come with the program.
fn cited(id: &str, overhead: &[OverheadRun]) -> AssessedClaim {
    let report = assess_all(&built_in().unwrap(), &[], overhead, None).unwrap();
    report.groups.into_iter().flat_map(|g| g.claims).find(|c| c.id == id).unwrap()
}

const PRODUCTS: [(&str, f64); 3] = [("ray", 3_000.0), ("dask", 1_500.0), ("spark", 15_000.0)];

#[test]
fn start_up_is_decided_by_a_record_of_overhead() {
    check(&cited("startup", &[record(Measure::Startup, &PRODUCTS, 10, 1.0)]), ClaimVerdict::Supported, &[]);
    let quick = [("ray", 3_000.0), ("dask", 1_500.0), ("spark", 4_000.0)];
    let claim = cited("startup", &[record(Measure::Startup, &quick, 10, 1.0)]);
    check(&claim, ClaimVerdict::Contradicted, &["Spark not as claimed"]);
    let evidence = &claim.tests[2].evidence[0];
    assert_eq!((evidence.remove, evidence.compared[0].value.round()), (Remove::Direct, 4_024_000_000.0));
    let link = &evidence.links[0];
    assert_eq!(link.file, "results/overhead/samples.ndjson");
    assert!(link.key.contains("spark") && link.key.contains("start-up"), "{link:?}");
}

#[test]
fn idle_memory_is_decided_in_the_bytes_that_are_claimed() {
    let of = |ray: f64| record(Measure::IdleMemory, &[("ray", ray), ("dask", 80.0), ("spark", 700.0)], 10, 1.0);
    check(&cited("mem.overhead", &[of(200.0)]), ClaimVerdict::Supported, &[]);
    check(&cited("mem.overhead", &[of(900.0)]), ClaimVerdict::Contradicted, &["Ray / Spark not as claimed"]);
}

#[test]
fn what_one_machine_is_good_for_is_decided_by_tasks_that_do_nothing() {
    let both = |spark: f64| {
        let engines = [("ray", 1.0), ("dask", 1.2), ("spark", spark)];
        let mut one = record(ROUND, &engines, 10, 1.0);
        one.samples.extend(record(TASKS, &engines.map(|(e, ms)| (e, ms * 300.0)), 10, 1.0).samples);
        cited("scale.1", &[one])
    };
    check(&both(8.0), ClaimVerdict::Supported, &["Ray / Spark as claimed", "Dask / Spark as claimed"]);
    check(&both(0.5), ClaimVerdict::Contradicted, &["Ray / Spark not as claimed"]);
}

/// Values given to a store that is too small for them, and read back, ten times by each engine.
fn spilled(engines: &[&str], ended: &[(&str, Outcome)]) -> OverheadRun {
    let spill = Measure::Probe(Probe::Spill { bytes: 1 << 25, count: 40 });
    let of = |engine: &&str| {
        let subject = probed::subject(engine);
        let trial = move |i: u32| probed::sample(&subject, i, spill, &[2_000_000_000 + u64::from(i), 1_000_000_000]);
        (0..10).map(trial).collect::<Vec<_>>()
    };
    let mut samples: Vec<OverheadSample> = engines.iter().flat_map(of).collect();
    for (engine, outcome) in ended {
        for sample in samples.iter_mut().filter(|s| s.subject.engine == *engine) {
            (sample.outcome, sample.reason) = (*outcome, Some("because".into()));
            sample.samples_ns.clear();
        }
    }
    probed::record(10, samples)
}

#[test]
fn what_a_store_spills_and_gives_back_decides_that_it_can() {
    let stores = |ended: &[(&str, Outcome)]| cited("spill", &[spilled(&["ray", "dask"], ended)]).tests.remove(0);
    let test = stores(&[]);
    assert_eq!((test.verdict, test.because.as_str()), (ClaimVerdict::Supported, "every trial completed"));
    let link = &test.evidence[0].links[0];
    assert_eq!(
        (link.file.as_str(), link.key.as_str()),
        ("results/overhead/samples.ndjson", "dask memory=1GiB local x 1: spill")
    );
    let failed = stores(&[("dask", Outcome::Failed)]);
    assert_eq!(failed.verdict, ClaimVerdict::Contradicted);
    assert!(failed.because.contains("Dask, in every one of 10 trials, spill failed: because"), "{}", failed.because);
    let absent = stores(&[("ray", Outcome::Unsupported)]);
    assert_eq!(absent.verdict, ClaimVerdict::Inconclusive);
    assert!(absent.because.contains("Ray: 1 of 1 workloads do not tell"), "{}", absent.because);
}

#[test]
fn a_claim_is_not_supported_by_one_of_its_tests() {
    let claim = cited("spill", &[spilled(&["ray", "dask"], &[])]);
    check(&claim, ClaimVerdict::NotTested, &["1 of its 2 tests were run, none against it", "memory 2GiB"]);
    assert_eq!(claim.would_test.len(), 1);
    for part in ["--suite 10gb", "--engines spark", "--configs default,tuned", "--memory 2GiB"] {
        assert!(claim.would_test[0].contains(part), "{part}: {:?}", claim.would_test);
    }
}

#[test]
fn the_noise_of_a_figure_is_how_far_every_second_trial_lies_from_those_between() {
    let claim = |uneven: f64| cited("startup", &[record(Measure::Startup, &[("ray", 1_900.0)], 10, uneven)]);
    check(&claim(1.0), ClaimVerdict::Contradicted, &["Ray not as claimed"]);
    let ray = |uneven: f64| {
        let tests = claim(uneven).tests;
        (tests[0].verdict, tests[0].evidence[0].compared[0].noise.unwrap())
    };
    assert_eq!(ray(1.0).0, ClaimVerdict::Contradicted);
    // All of them are below the two seconds that are claimed, and by less than equal trials are apart.
    let (verdict, noise) = ray(1.04);
    assert_eq!(verdict, ClaimVerdict::Inconclusive);
    assert!((noise - 0.04).abs() < 0.005, "{noise}");
    let few = cited("startup", &[record(Measure::Startup, &[("ray", 900.0)], 5, 1.0)]);
    check(
        &few,
        ClaimVerdict::Inconclusive,
        &["too few trials to hold every second one against those between", "--trials 10"],
    );
}

#[test]
fn six_trials_within_a_range_are_no_more_certain_than_the_sign_test_says() {
    let of = |engines: &[(&str, f64)], trials: u32| cited("startup", &[record(Measure::Startup, engines, trials, 1.0)]);
    let claim = of(&PRODUCTS[..1], 6);
    let alone = &claim.tests[0];
    let p = alone.evidence[0].compared[0].p.unwrap();
    assert!(alone.verdict == ClaimVerdict::Supported && (p - 1.0 / 32.0).abs() < 1e-12, "{p}: {}", alone.because);
    check(
        &of(&PRODUCTS, 6),
        ClaimVerdict::Inconclusive,
        &["not beyond chance with all 3 comparisons taken together (p 0.094)"],
    );
    check(&of(&PRODUCTS, 10), ClaimVerdict::Supported, &[]);
}

#[test]
fn a_start_nearer_to_an_end_of_its_range_than_starts_vary_decides_nothing() {
    // A tenth above the two seconds that are claimed; two in ten take so many times as long.
    let ray = |longer: f64| {
        let ns = |i: u32| 2.2e9 * (1.0 + f64::from(i) / 1000.0) * if i < 2 { longer } else { 1.0 };
        let subject = probed::subject("ray");
        let samples = (0..10).map(|i| probed::sample(&subject, i, Measure::Startup, &[ns(i) as u64]));
        cited("startup", &[probed::record(10, samples.collect())]).tests.remove(0)
    };
    let (steady, varied) = (ray(1.0), ray(2.0));
    assert_eq!(steady.verdict, ClaimVerdict::Supported, "{}", steady.because);
    assert_eq!(varied.verdict, ClaimVerdict::Inconclusive, "{}", varied.because);
    assert!(varied.because.contains("than the noise or the variation of its trials"), "{}", varied.because);
    assert!(varied.evidence[0].compared[0].noise.unwrap() < 0.01, "{:?}", varied.evidence[0].compared);
}

#[test]
fn runs_of_workloads_say_nothing_of_start_up_and_the_command_is_told() {
    let report = assess_all(&built_in().unwrap(), &[fixture::run()], &[], None).unwrap();
    let claim = report.groups.into_iter().flat_map(|g| g.claims).find(|c| c.id == "startup").unwrap();
    check(&claim, ClaimVerdict::NotTested, &["no run given has Ray on start-up time with nothing to do"]);
    assert_eq!(
        claim.would_test,
        ["ray", "dask", "spark"].map(|engine| format!("bench overhead --engines {engine} --trials 10"))
    );
}

#[test]
fn a_record_given_twice_is_refused_and_nothing_at_all_too() {
    let one = record(Measure::Startup, &PRODUCTS, 6, 1.0);
    let refused = |all: &[OverheadRun]| assess_all(&built_in().unwrap(), &[], all, None).unwrap_err();
    assert!(matches!(refused(&[one.clone(), one]), AssessError::Runs(CompareError::SameRun { .. })));
    assert!(matches!(refused(&[]), AssessError::Runs(CompareError::NoRuns)));
}

#[test]
fn a_test_of_overhead_names_no_workloads_and_one_of_workloads_names_them() {
    let text = |metric: &str, rest: &str| {
        format!(
            "schema = 1\n[source]\ntitle = \"t\"\ndate = \"2026-01\"\n[subject.ray]\nname = \"Ray\"\nengine = \"ray\"\n[[claim]]\n\
             id = \"a\"\ngroup = \"g\"\nkind = \"measurable\"\ntext = \"t\"\n[[claim.test]]\nreading = \"r\"\nmetric = \"{metric}\"\n\
             {rest}\nrange = {{ of = \"ray\", low = 1, high = 2, unit = \"s\" }}\n"
        )
    };
    assert_eq!(read(&text("start_up", "")).claim[0].test[0].cases, 1);
    for (metric, rest, words) in [
        ("start_up", "family = \"sql\"\ncases = 2", "leave out `family`, `workloads` and `cases`"),
        ("start_up", "at = { suites = [\"1gb\"] }", "has no suite and no protocol"),
        ("wall", "cases = 2", "missing field `family`"),
        ("wall", "family = \"sql\"", "missing field `cases`"),
    ] {
        let refused = ClaimsFile::read("a.toml", &text(metric, rest)).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}
