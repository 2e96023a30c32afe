//! Clusters of machines: what was measured, what may be predicted, and what is not said.

use crate::{book, fixture, priced, run, scenario};
use bench_record::{Arm, Case, Family, NodeMachine, Observation, Run};
use bench_reports::cost::{Asked, Basis, Deployment, Line, Pricing, Usage};

/// Spark on so many machines of four cores; `seconds` says how long a query takes there.
fn on_hosts(counts: &[u32], seconds: impl Fn(f64) -> f64) -> Run {
    let mut run = run();
    run.context.cluster.name = "hosts".into();
    let machine = |n: u32| NodeMachine {
        address: [10, 0, 0, n as u8].into(),
        cpu_model: Some("Example".into()),
        cores: 4,
        memory_bytes: Some(16 << 30),
    };
    run.context.cluster.machines = (0..counts.iter().copied().max().unwrap_or(1)).map(machine).collect();
    run.context.machine.cores = 64;
    run.observations = counts.iter().flat_map(|n| trials(*n, seconds(f64::from(*n)) * 1000.0)).collect();
    run
}

fn trials(nodes: u32, ms: f64) -> Vec<Observation> {
    let base = fixture::case(Family::Sql, "tpch-q01", "spark");
    let case = Case { cluster: "hosts".into(), nodes, slots: 4, ..base };
    (0..6).map(|i| fixture::completed(&case, Arm::Main, i, ms * (1.0 + f64::from(i) / 1000.0))).collect()
}

fn on(nodes: u32, run: Run) -> Pricing {
    let mut scenario = scenario();
    scenario.price_as.clear();
    scenario.asked = Asked { nodes: Some(nodes), ..Asked::default() };
    priced(&[run], &book("aws"), &scenario).unwrap()
}

fn usages(pricing: &Pricing) -> &[Usage] {
    &pricing.families[0].usages
}

const COUNTS: [u32; 7] = [1, 2, 3, 4, 6, 8, 12];

/// 40 s on one node, a twentieth of it serial.
fn law(n: f64) -> f64 {
    40.0 * (1.0 + 0.05 * (n - 1.0)) / n
}

#[test]
fn a_node_count_that_was_measured_is_not_predicted() {
    let pricing = on(4, on_hosts(&COUNTS, law));
    let [usage] = usages(&pricing) else { panic!("{:?}", usages(&pricing).len()) };
    assert_eq!((&usage.basis, usage.place.machines), (&Basis::Measured { nodes: 4 }, 4));
}

#[test]
fn a_prediction_names_its_error_and_widens_the_range() {
    let pricing = on(10, on_hosts(&COUNTS, law));
    let [usage] = usages(&pricing) else { panic!("{:?}", usages(&pricing).len()) };
    let Basis::Predicted { nodes: 10, from, error } = &usage.basis else { panic!("{:?}", usage.basis) };
    assert_eq!((from.as_slice(), *error < 0.01), (COUNTS.as_slice(), true));
    // Within half a percent of the law that made the times: medians lie between trials.
    let data = 350.0 * 1_048_576.0 / 1e12;
    let busy = usage.busy_per_tb.unwrap();
    assert!((busy.base.seconds() * data / law(10.0) - 1.0).abs() < 0.005, "{busy:?}");
    assert!(busy.low < busy.base && busy.base < busy.high);
    let offer = pricing.families[0].offers.iter().find(|o| o.deployment == Deployment::SelfHosted).unwrap();
    assert_eq!((offer.instances, offer.instance.as_deref()), (10, Some("m6i.xlarge")));
    assert!(offer.basis.short().starts_with("predicted ±"), "{}", offer.basis.short());
}

#[test]
fn times_that_follow_no_law_are_not_predicted() {
    let jump = |n: f64| if n > 5.0 { 120.0 / n } else { 30.0 / n };
    let pricing = on(10, on_hosts(&COUNTS, jump));
    assert_eq!(usages(&pricing).len(), COUNTS.len());
    for usage in usages(&pricing) {
        let text = usage.basis.to_string();
        assert!(text.starts_with("not predicted for 10 nodes: the error on held-out node counts is "), "{text}");
        assert_eq!(usage.place.machines, usage.contestant.nodes, "priced as it was measured");
    }
}

#[test]
fn five_node_counts_predict_nothing() {
    let pricing = on(10, on_hosts(&[1, 2, 3, 4, 6], law));
    let text = usages(&pricing)[0].basis.to_string();
    assert_eq!(text, "not predicted for 10 nodes: measured on 1, 2, 3, 4, 6 only; a fit takes 6 node counts");
}

#[test]
fn nodes_that_share_a_machine_are_one_machine_and_predict_nothing() {
    let mut shared = on_hosts(&COUNTS, law);
    shared.context.cluster.machines.clear();
    for o in &mut shared.observations {
        o.case.cluster = "processes".into();
        o.key = o.case.key();
    }
    let pricing = on(10, shared);
    for usage in usages(&pricing) {
        assert_eq!(usage.place.machines, 1);
        assert!(usage.basis.to_string().contains("its nodes shared a machine"), "{}", usage.basis);
    }
    assert!(pricing.notes.iter().any(|n| n.contains("shared one machine")), "{:?}", pricing.notes);
}

#[test]
fn a_cluster_of_machines_pays_for_its_driver_and_for_zones() {
    let pricing = on(4, on_hosts(&COUNTS, law));
    let own = pricing.families[0].offers.iter().find(|o| o.deployment == Deployment::SelfHosted).unwrap();
    let amount = |line: Line| {
        let found = own.bill.lines.iter().find(|l| l.line == line).unwrap();
        found.amount.clone().unwrap()
    };
    assert!(amount(Line::Driver).base.get() > 0.0 && amount(Line::CrossZone).high.get() > 0.0);
    let managed = pricing.families[0].offers.iter().find(|o| o.product.as_deref() == Some("EMR on EC2")).unwrap();
    let uplift = managed.bill.lines.iter().find(|l| l.line == Line::PlatformUplift).unwrap();
    assert!(uplift.amount.clone().unwrap().base.get() > 0.0);
}

#[test]
fn equal_dollars_stand_beside_equal_nodes() {
    let mut scenario = scenario();
    scenario.price_as.clear();
    let pricing = priced(&[on_hosts(&COUNTS, law)], &book("aws"), &scenario).unwrap();
    let sizing = &pricing.families[0].sizing;
    // 12 m6i.xlarge at 0.192.
    assert!((sizing.hourly.unwrap().get() - 2.304).abs() < 1e-9);
    let one = sizing.contestants.iter().find(|c| c.instances == 1).unwrap();
    assert_eq!(one.instances_for_budget, 12);
    let all = sizing.contestants.iter().find(|c| c.instances == 12).unwrap();
    assert_eq!(one.hours_per_tb_for_budget, all.hours_per_tb);
    let large = sizing.types.iter().find(|t| t.instance == "m6i.4xlarge").unwrap();
    assert_eq!((large.instances, large.vcpus), (3, 48));
}

#[test]
fn nothing_is_predicted_beyond_twice_the_largest_cluster_measured() {
    let at = |nodes| usages(&on(nodes, on_hosts(&COUNTS, law)))[0].basis.clone();
    assert!(matches!(at(24), Basis::Predicted { .. }), "{}", at(24));
    let text = at(25).to_string();
    assert_eq!(
        text,
        "not predicted for 25 nodes: 25 nodes are more than 2 times the 12 measured; measure larger clusters"
    );
}

#[test]
fn a_predicted_cost_is_not_ranked_with_a_measured_one() {
    let mut run = on_hosts(&COUNTS, law);
    // Another engine ran on ten machines, slower than what is predicted for the first.
    let dask: Vec<Observation> = trials(10, 60_000.0)
        .into_iter()
        .map(|o| Observation {
            key: Case { engine: "dask".into(), ..o.case.clone() }.key(),
            case: Case { engine: "dask".into(), ..o.case.clone() },
            ..o
        })
        .collect();
    run.observations.extend(dask);
    let pricing = on(10, run);
    let family = &pricing.families[0];
    let bases: Vec<&Basis> = family.usages.iter().map(|u| &u.basis).collect();
    assert!(bases.iter().any(|b| matches!(b, Basis::Predicted { .. })), "{bases:?}");
    let cheapest = &family.offers[family.cheapest(Some(Deployment::SelfHosted)).unwrap()];
    assert_eq!(cheapest.basis, Basis::Measured { nodes: 10 }, "{}", cheapest.contestant);
    for crossing in &family.crossings {
        let kind = |i: usize| family.offers[i].basis.footing();
        assert_eq!(kind(crossing.below), kind(crossing.above));
    }
}
