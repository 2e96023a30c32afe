//! The claims that come with the program, row by row.

use crate::products::{as_claimed, run};
use bench_reports::claims::{ClaimVerdict, ClaimsFile, EXAMPLE, Kind, assess, built_in};
use std::collections::BTreeMap;

/// The rows of each table of the document, in its order.
const TABLES: [(&str, &[&str]); 7] = [
    (
        "Resources and performance",
        &["mem.overhead", "cpu.efficiency", "net.serialization", "startup", "mem.use", "spill"],
    ),
    ("1 TB data set, 10 nodes (minutes)", &["tb.dataframe", "tb.training", "tb.sql", "tb.streaming"]),
    ("Architecture", &["arch.concept", "arch.compute", "arch.core", "arch.memory", "arch.gpu", "arch.fault"]),
    ("Scale", &["scale.1", "scale.10", "scale.100", "scale.1000", "scale.auto"]),
    (
        "ML",
        &[
            "ml.hpo",
            "ml.pytorch",
            "ml.tensorflow",
            "ml.serving",
            "ml.rl",
            "ml.forest",
            "ml.boosting",
            "ml.linear",
            "ml.clustering",
        ],
    ),
    ("Streaming", &["st.api", "st.latency", "st.exactly_once", "st.sources"]),
    ("Cost (USD per TB processed per month)", &["cost.self", "cost.managed", "cost.serverless", "cost.people"]),
];

#[test]
fn every_row_of_the_document_is_there_under_its_id() {
    let files = built_in().unwrap();
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for claim in files.iter().flat_map(|f| &f.claim) {
        groups.entry(&claim.group).or_default().push(claim.id.get_ref());
    }
    for (title, rows) in TABLES {
        assert_eq!(groups.remove(title).as_deref(), Some(rows), "{title}");
    }
    let rest: BTreeMap<&str, usize> = groups.iter().map(|(title, rows)| (*title, rows.len())).collect();
    let expected = [
        ("Data formats", 5),
        ("Migration from Spark", 1),
        ("Python integration, deployment, tooling", 6),
        ("Tuning advice", 7 + 4 + 8),
    ];
    assert_eq!(rest, BTreeMap::from(expected));
    assert_eq!(files.iter().map(|f| f.rule.len()).sum::<usize>(), 6 + 5 + 6 + 4);
}

#[test]
fn every_row_says_something_of_every_product_it_speaks_of() {
    let files = built_in().unwrap();
    for claim in files.iter().flat_map(|f| &f.claim) {
        let rows = TABLES.iter().flat_map(|(_, rows)| *rows).any(|id| *id == claim.id.get_ref());
        if rows {
            let who: Vec<&str> = claim.says.keys().map(String::as_str).collect();
            assert_eq!(who, ["dask", "ray", "spark"], "{}", claim.id.get_ref());
        }
        assert!(claim.says.values().all(|text| !text.is_empty()));
        assert!(claim.kind != Kind::Qualitative || claim.test.is_empty(), "{}", claim.id.get_ref());
    }
}

#[test]
fn numbers_of_the_document_stand_as_they_are() {
    let files = built_in().unwrap();
    let says = |id: &str, who: &str| {
        let mut claims = files.iter().flat_map(|f| &f.claim);
        claims.find(|c| c.id.get_ref() == id).and_then(|c| c.says.get(who).cloned()).unwrap()
    };
    let row = |id: &str| ["ray", "dask", "spark"].map(|who| says(id, who));
    assert_eq!(row("tb.dataframe"), ["15", "12", "18"]);
    assert_eq!(row("tb.training"), ["8", "25", "35"]);
    assert_eq!(row("tb.sql"), ["n/a", "20", "15"]);
    assert_eq!(row("tb.streaming"), ["45", "n/a", "12"]);
    assert_eq!(row("startup"), ["2-5 s", "1-2 s", "10-30 s"]);
    assert_eq!(row("mem.overhead"), ["~200 MB + object store", "~50-100 MB", "~500 MB-1 GB (JVM)"]);
    assert_eq!(row("cost.self"), ["50-100", "40-80", "60-120"]);
    assert_eq!(row("cost.managed"), ["200-400", "150-300", "250-500"]);
    assert_eq!(row("cost.serverless"), ["300-600", "n/a", "400-800"]);
    assert_eq!(row("cpu.efficiency"), ["5/5", "4/5", "3/5"]);
}

#[test]
fn a_product_stands_for_itself_and_a_style_only_for_its_architecture() {
    let files = built_in().unwrap();
    let styles = BTreeMap::from([("ray", "actor"), ("dask", "taskgraph"), ("spark", "stagedag")]);
    for subject in files.iter().flat_map(|f| f.subject.values()) {
        if subject.style.is_none() {
            assert!(subject.variant.is_some(), "{}: a configuration has no architecture of its own", subject.name);
            continue;
        }
        assert_eq!(subject.style.as_deref(), styles.get(subject.engine.as_str()).copied(), "{}", subject.name);
    }
}

#[test]
fn no_claim_is_filled_in_before_a_product_was_measured() {
    // Both queries of the small run are of another suite than most claims, and of fewer workloads than all.
    let report = assess(&built_in().unwrap(), &[run("a", as_claimed())]).unwrap();
    let counts = report.counts;
    assert_eq!((counts.supported, counts.contradicted), (0, 0));
    let tb = report.groups.iter().flat_map(|g| &g.claims).find(|c| c.id == "tb.sql").unwrap();
    assert_eq!(tb.verdict, ClaimVerdict::NotTested);
    assert_eq!(
        tb.would_test,
        ["bench run --suite 1tb --families sql --engines spark,dask --attach \
          spark=spark://HOST:7077 --attach dask=tcp://HOST:8786 --attach-nodes 10 --attach-slots 8 --trials 10"]
    );
}

#[test]
fn the_example_is_a_claims_file() {
    let example = ClaimsFile::read("example.toml", EXAMPLE).unwrap();
    assert_eq!((example.claim.len(), example.rule.len()), (3, 1));
    for key in ["winner = {", "ratio = {", "range = {", "completes = [", "less = [", "needs = ", "at = {"] {
        assert!(EXAMPLE.contains(key), "{key}");
    }
}
