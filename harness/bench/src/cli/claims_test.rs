//! The claims that come with the program speak of suites, families, workloads and commands that exist.

use bench_model::Family;
use bench_reports::claims::{Claim, ClaimsFile, EXAMPLE, Test, built_in};

fn files() -> Vec<ClaimsFile> {
    built_in().unwrap().into_iter().chain([ClaimsFile::read("example.toml", EXAMPLE).unwrap()]).collect()
}

/// All tests with the claims that they are of.
fn tests(files: &[ClaimsFile]) -> impl Iterator<Item = (&Claim, &Test)> {
    files.iter().flat_map(|f| &f.claim).flat_map(|c| c.test.iter().map(move |t| (c, t)))
}

#[test]
fn tests_are_bound_to_suites_and_families_that_have_so_many_workloads() {
    let files = files();
    for (claim, test) in tests(&files) {
        let id = claim.id.get_ref();
        if test.metric.figure().is_some() {
            continue;
        }
        assert!(Family::ALL.iter().any(|f| f.name() == test.family), "{id}: {}", test.family);
        let suite = if test.family == "overhead" { "overhead" } else { "1gb" };
        let suites = if test.at.suites.is_empty() { vec![suite.to_owned()] } else { test.at.suites.clone() };
        for name in suites {
            let suite = bench_suite::suite(&name).unwrap_or_else(|e| panic!("{id}: {e}"));
            let all = bench_suite::workloads(&suite).unwrap();
            let of_family = all.iter().map(|d| &d.workload).filter(|w| w.family.name() == test.family);
            let is_meant = |workload: &str| test.workloads.iter().any(|w| w == "*" || w == workload);
            let there = of_family.filter(|w| is_meant(&w.name)).count();
            assert_eq!(there, test.cases, "{id} in {name}: {:?}", test.workloads);
        }
        for kind in &test.at.clusters {
            assert!(["local", "processes", "emulated", "hosts", "attached"].contains(&kind.as_str()), "{id}: {kind}");
        }
    }
}

#[test]
fn styles_that_stand_beside_products_are_engines_with_these_switches() {
    for subject in files().iter().flat_map(|f| f.subject.values().cloned()).filter(|s| s.style.is_some()) {
        let style = subject.style.unwrap_or_default();
        let engine = crate::engines::by_name(&style).unwrap().capabilities();
        for switch in subject.style_variant.split(',').filter(|s| *s != "default") {
            let (key, _) = switch.split_once('=').unwrap();
            assert!(engine.switches.iter().any(|s| s.name == key), "{style}: {switch}");
        }
    }
}
