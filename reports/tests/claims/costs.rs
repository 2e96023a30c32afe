//! Claims on costs, held against recorded work at the prices of a book.

use crate::products::{as_claimed, broken, moved, observations, run};
use crate::scenario::scenario;
use crate::{QUERIES, read};
use bench_record::{Outcome, Run};
use bench_reports::claims::{AssessedClaim, ClaimVerdict, Remove, assess_all, built_in};
use bench_reports::cost::{self, Deployment, Jobs, PriceBook, Pricing, Scenario, price};
use bench_reports::recommend::{BookPrices, Pricing as _};
use bench_reports::{Options, compare};

/// In jobs that process what was measured, as `bench claims` prices them.
fn priced(runs: &[Run]) -> Pricing {
    priced_as(runs, &Scenario { jobs: Jobs::AsMeasured, ..scenario() })
}

fn priced_as(runs: &[Run], scenario: &Scenario) -> Pricing {
    let book = PriceBook::parse(cost::built_in("aws").unwrap()).unwrap();
    price(&compare(runs, &Options::default()).unwrap(), runs, &book, scenario).unwrap()
}

/// The claim that Spark costs so much on a deployment, as a file.
fn claimed(deployment: &str, low: f64, high: f64) -> String {
    QUERIES
        .replace("metric = \"wall\"", "metric = \"cost\"")
        .replace("clusters = [\"local\"]", &format!("clusters = [\"local\"], deployment = \"{deployment}\""))
        .replace(
            r#"less = ["dask", "ray", "spark"]"#,
            &format!(r#"range = {{ of = "spark", low = {low}, high = {high}, unit = "USD/TB" }}"#),
        )
}

fn said(text: &str, runs: &[Run], prices: Option<&Pricing>) -> AssessedClaim {
    assess_all(&[read(text)], runs, &[], prices).unwrap().groups.remove(0).claims.remove(0)
}

/// The least and the most that Spark costs, over all ways of running it oneself.
fn ends(prices: &Pricing) -> (f64, f64) {
    let own = |o: &&cost::Offer| o.engine == "spark" && o.deployment == Deployment::SelfHosted;
    let offers = prices.families.iter().flat_map(|f| &f.offers).filter(own).filter(|o| o.bill.unknown.is_empty());
    let all = offers.filter_map(|o| o.per_tb(prices.scenario.volume));
    all.fold((f64::INFINITY, 0.0), |(low, high), r| (r.low.get().min(low), r.high.get().max(high)))
}

#[test]
fn a_cost_is_decided_where_all_that_prices_and_times_may_be_lies_on_one_side() {
    let runs = [run("a", as_claimed())];
    let prices = priced(&runs);
    let (low, high) = ends(&prices);
    assert!(0.0 < low && low < high && high < 1e6, "{low} {high}");
    let cases = [
        ((low * 0.9, high * 1.1), ClaimVerdict::Supported),
        ((high * 1.1, high * 2.0), ClaimVerdict::Contradicted),
        ((low * 0.1, low * 0.9), ClaimVerdict::Contradicted),
        ((low * 1.1, high * 2.0), ClaimVerdict::Inconclusive),
    ];
    for ((from, to), verdict) in cases {
        let claim = said(&claimed("self_hosted", from, to), &runs, Some(&prices));
        assert_eq!(claim.verdict, verdict, "{from} to {to}: {}", claim.because);
        let evidence = &claim.tests[0].evidence[0];
        assert!(
            evidence.place.contains("(aws)") && evidence.place.contains("measured on 1 node"),
            "{}",
            evidence.place
        );
        let compared = &evidence.compared[0];
        assert!(compared.interval.unwrap().low <= compared.value && compared.p.is_none(), "{compared:?}");
        assert_eq!(evidence.links.len(), 2);
    }
}

#[test]
fn scaled_times_few_trials_and_disturbed_ones_decide_nothing() {
    let runs = [run("a", as_claimed())];
    let (low, high) = ends(&priced(&runs));
    let wide = claimed("self_hosted", low * 1e-3, high * 1e3);
    assert_eq!(said(&wide, &runs, Some(&priced(&runs))).verdict, ClaimVerdict::Supported);
    let scaled = said(&wide, &runs, Some(&priced_as(&runs, &scenario())));
    let few = [run("a", as_claimed().into_iter().filter(|o| o.trial < 5).collect())];
    let disturb = |mut o: bench_record::Observation| {
        o.contaminated = o.case.engine == "spark";
        o
    };
    let disturbed = [run("a", as_claimed().into_iter().map(disturb).collect())];
    let cases = [
        (scaled, "its time is scaled (x"),
        (said(&wide, &few, Some(&priced(&few))), "n = 5"),
        (said(&wide, &disturbed, Some(&priced(&disturbed))), "disturbed trials"),
    ];
    for (claim, why) in cases {
        assert_eq!(claim.verdict, ClaimVerdict::Inconclusive, "{why}: {}", claim.because);
        assert!(claim.because.contains(why), "{why}: {}", claim.because);
    }
}

#[test]
fn without_prices_or_offers_no_claim_on_cost_is_tested() {
    let runs = [run("a", as_claimed())];
    let text = claimed("self_hosted", 1.0, 2.0);
    let claim = said(&text, &runs, None);
    assert_eq!(
        (claim.verdict, claim.because.contains("add --prices")),
        (ClaimVerdict::NotTested, true),
        "{}",
        claim.because
    );
    let others = [run("a", observations(&[("dask", 1.0), ("ray", 2.0)]))];
    let claim = said(&text, &others, Some(&priced(&others)));
    assert_eq!(claim.verdict, ClaimVerdict::NotTested, "{}", claim.because);
    assert_eq!(
        claim.would_test,
        ["bench run --suite 1gb --families sql --engines spark --configs default,tuned --trials 10"]
    );
}

#[test]
fn a_cost_of_less_than_all_of_the_work_or_elsewhere_decides_nothing() {
    let wide = claimed("self_hosted", 1e-6, 1e9);
    let some = [run("a", broken(as_claimed(), "spark", Outcome::Failed))];
    let claim = said(&wide, &some, Some(&priced(&some)));
    assert_ne!(claim.verdict, ClaimVerdict::Supported, "{}", claim.because);
    let elsewhere = [run("a", moved(as_claimed(), |c| c.suite = "10gb".into()))];
    let claim = said(&wide, &elsewhere, Some(&priced(&elsewhere)));
    assert_eq!(claim.verdict, ClaimVerdict::NotTested, "{}", claim.because);
    assert_eq!(claim.tests[0].evidence[0].remove, Remove::OtherScale);
}

#[test]
fn every_cost_of_the_document_is_bound_to_its_deployment() {
    let files = built_in().unwrap();
    let claims = files.iter().flat_map(|f| &f.claim).filter(|c| c.id.get_ref().starts_with("cost."));
    let bound: Vec<(&str, usize)> = claims.map(|c| (c.id.get_ref().as_str(), c.test.len())).collect();
    assert_eq!(bound, [("cost.self", 3), ("cost.managed", 3), ("cost.serverless", 2), ("cost.people", 0)]);
}

#[test]
fn a_recommendation_takes_the_price_of_instances_on_demand() {
    let runs = [run("a", as_claimed())];
    let prices = priced(&runs);
    let usage = prices.families[0].usages.iter().find(|u| u.contestant.engine == "spark").unwrap().clone();
    let hourly = BookPrices::new(prices).unwrap().hourly(&usage.contestant).unwrap();
    assert!(0.0 < hourly.low && hourly.low <= hourly.base && hourly.base <= hourly.high, "{hourly:?}");
    assert!(hourly.from.contains("self-hosted, on demand (aws, "), "{}", hourly.from);
}
