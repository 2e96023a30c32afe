//! Runs whose pages are looked at.

#[path = "../fixture/fifteen.rs"]
mod fifteen;
#[path = "../fixture/scenario.rs"]
mod scenario;

use crate::{fixture, runs};
use bench_record::{CaseBlocking, Contamination, Nanos, OverheadRun, Run};
use bench_reports::cost::{CostFormat, PriceBook, Pricing, built_in, fragment, price, show};
use bench_reports::{Comparison, Ink, Options, Section, Sources, claims, compare_all, html, places_of_cases};

const MARKUP: &str = "<img src=x onerror=globalThis.hacked=1>\"'><script>globalThis.hacked=1</script>&lt;";

/// The page of these runs, with prices and claims.
pub(crate) fn page_of(runs: &[Run]) -> String {
    page_with(runs, &[])
}

/// The same with what engines cost before any work.
fn page_with(runs: &[Run], overhead: &[OverheadRun]) -> String {
    let (comparison, sources) = compare_all(runs, overhead, &Options::default()).unwrap();
    html(&comparison, &sources, &sections(runs, &comparison, &sources)).unwrap()
}

/// At built-in prices; none of runs that read no data.
fn priced(runs: &[Run], comparison: &Comparison) -> Option<Pricing> {
    let book = PriceBook::parse(built_in("aws").unwrap()).unwrap();
    price(comparison, runs, &book, &scenario::scenario()).ok()
}

/// What `bench report --prices aws --claims` adds; runs without data have no price.
fn sections(runs: &[Run], comparison: &Comparison, sources: &Sources<'_>) -> Vec<Section> {
    let prices =
        priced(runs, comparison).map(|pricing| ("prices", fragment(&[pricing], &[], Some(comparison)).unwrap()));
    let claims = claims::assess_all(&claims::built_in().unwrap(), runs, &[], None).unwrap();
    let claims = ("claims", claims::html(&claims, &places_of_cases(comparison, sources)));
    let section = |(id, body_html): (&str, String)| Section { id: id.to_owned(), title: id.to_owned(), body_html };
    prices.into_iter().chain([claims]).map(section).collect()
}

/// A page of every kind, by name.
pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let of_runs = samples().into_iter().map(|(name, runs)| (name, page_of(&runs)));
    of_runs.chain([("fifteen", page_with(&[fifteen::run()], &[fifteen::overhead()]))]).collect()
}

/// What fifteen contestants cost, as a page of its own.
#[allow(dead_code, reason = "only a browser looks at it")]
pub(crate) fn costs_alone() -> String {
    let runs = [fifteen::run()];
    let (comparison, _) = compare_all(&runs, &[], &Options::default()).unwrap();
    let pricing = priced(&runs, &comparison).unwrap();
    show(&[pricing], &[], CostFormat::Html, Ink::Plain, (2026, 11)).unwrap()
}

/// Runs of every kind that a page has sections for.
pub(crate) fn samples() -> Vec<(&'static str, Vec<Run>)> {
    vec![
        ("fixture", vec![fixture::run()]),
        ("nodes", vec![runs::nodes()]),
        ("faults", vec![runs::faults()]),
        ("mechanisms", vec![runs::ablation()]),
        ("weak", vec![runs::grown(&[1, 2, 4])]),
        ("two-tables", vec![fixture::run(), runs::nodes()]),
    ]
}

/// A run with a text in every place for text.
pub(crate) fn spoilt(text: &str) -> Run {
    let mut run = fixture::run();
    let t = || text.to_owned();
    run.path = std::path::PathBuf::from(format!("results/{}", text.replace(['/', '\0'], "-")));
    let c = &mut run.context;
    (c.bench.version, c.bench.build_id, c.suite) = (t(), t(), t());
    c.command_line.push(t());
    (c.machine.cpu_model, c.machine.os, c.machine.kernel) = (t(), t(), t());
    (c.machine.disk, c.cluster.emulated) = (Some(t()), Some(t()));
    c.warnings.push(t());
    for engine in &mut c.engines {
        engine.version = t();
        engine.settings.insert(t(), t());
    }
    for dataset in &mut c.datasets {
        (dataset.name, dataset.checksum) = (t(), t());
    }
    for o in &mut run.observations {
        (o.case.suite, o.case.cluster, o.case.variant) = (t(), t(), t());
        o.case.workload = format!("{text}{}", o.case.workload);
        o.case.engine = format!("{text}{}", o.case.engine);
        o.key = o.case.key();
        o.reason = o.reason.as_ref().map(|_| t());
        o.notes.push(t());
        o.oracle = Some(t());
        o.contamination = Some(Contamination { reasons: vec![t()], ..Contamination::default() });
    }
    // What else of a record has text: faults with why they did not fire, replays with why they failed, machines of nodes.
    let faults = serde_json::json!([{ "fault": text, "node": 1, "tasks_done": 1, "tasks_repeated": 0, "void": text }]);
    let mut hurt = run.observations.iter().find(|o| o.outcome == bench_record::Outcome::Completed).unwrap().clone();
    hurt.trial += 1_000;
    hurt.faults = serde_json::from_value(faults).unwrap();
    let replayed = CaseBlocking {
        key: hurt.key.clone(),
        case: hurt.case.clone(),
        measured_ns: Nanos::new(1),
        replayed_ns: None,
        reason: Some(t()),
        without_ns: std::collections::BTreeMap::new(),
    };
    run.observations.push(hurt);
    run.blocking.push(replayed);
    let c = &mut run.context;
    c.cluster.name = t();
    c.engines
        .iter_mut()
        .for_each(|engine| engine.tuning = serde_json::from_value(serde_json::json!({ text: text })).unwrap());
    run
}

/// A run with markup that means harm in every place for text.
pub(crate) fn hostile() -> Run {
    spoilt(MARKUP)
}
