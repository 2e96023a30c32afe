//! Claims that come with the program are bound to engines, families, configurations and clusters that there are, and the
//! commands that would test them are accepted.

use super::setup::engine_specs;
use crate::cli::run::RunArgs;
use crate::cli::{Cli, Command};
use crate::engines;
use crate::products::Products;
use bench_model::{Capabilities, Tuning};
use bench_reports::claims::{Claim, ClaimsFile, EXAMPLE, Subject, Test, built_in};
use clap::Parser;

fn files() -> Vec<ClaimsFile> {
    built_in().unwrap().into_iter().chain([ClaimsFile::read("example.toml", EXAMPLE).unwrap()]).collect()
}

fn run_args(command: &str) -> RunArgs {
    match Cli::try_parse_from(command.split_whitespace()).map(|cli| cli.command) {
        Ok(Command::Run(args)) => *args,
        other => panic!("{command}: {other:?}"),
    }
}

fn products() -> Products {
    Products::open(&run_args("bench run --suite smoke").products.folder).unwrap()
}

/// What an engine can do, and whether it is a product.
fn capabilities(name: &str, products: &Products) -> (Capabilities, bool) {
    match products.catalog.find(name) {
        Some(product) => (Products::capabilities(product), true),
        None => (engines::by_name(name).unwrap().capabilities(), false),
    }
}

/// Every test with its claim and the subjects of its relation.
fn each(then: impl Fn(&Claim, &Test, &[&Subject])) {
    for file in files() {
        for claim in &file.claim {
            for test in &claim.test {
                let subjects: Vec<&Subject> = test.relation.subjects().iter().map(|s| &file.subject[*s]).collect();
                then(claim, test, &subjects);
            }
        }
    }
}

#[test]
fn every_subject_of_a_test_is_an_engine_that_can_run_its_family_as_it_is_set() {
    let products = products();
    each(|claim, test, subjects| {
        let id = claim.id.get_ref();
        for subject in subjects {
            let (can, _) = capabilities(&subject.engine, &products);
            let family = can.families.iter().find(|f| f.name() == test.family);
            assert!(
                family.is_some() || test.metric.figure().is_some(),
                "{id}: {} has no {} workloads",
                subject.engine,
                test.family
            );
            let variant = subject.variant.as_deref().unwrap_or("default");
            let settings = variant.split(',').filter(|s| *s != "default").map(|s| s.split_once('=').unwrap());
            let tuning = Tuning::resolve(can.switches, settings).unwrap_or_else(|e| panic!("{id}: {e}"));
            let changes = tuning.changes(can.switches);
            let named = if changes.is_empty() { "default".to_owned() } else { changes.join(",") };
            assert_eq!(named, variant, "{id}: records name this variant otherwise");
        }
    });
}

#[test]
fn products_are_claimed_of_this_machine_or_of_clusters_of_their_own() {
    let products = products();
    each(|claim, test, subjects| {
        let id = claim.id.get_ref();
        for subject in subjects.iter().filter(|s| capabilities(&s.engine, &products).1) {
            let kinds = &test.at.clusters;
            assert!(kinds.iter().all(|k| k == "local" || k == "attached"), "{id}: {kinds:?}");
            let apart = test.at.nodes.is_some_and(|n| n > 1);
            assert!(!apart || kinds == &["attached"], "{id}: {} has no nodes here", subject.engine);
            let address = subject.attach.as_deref();
            let product = products.catalog.find(&subject.engine).unwrap();
            assert!(!apart || address.is_some_and(|a| product.can_attach(a)), "{id}: {address:?}");
        }
    });
}

#[test]
fn commands_that_would_test_a_claim_are_runs_that_can_be_made_ready() {
    let products = products();
    let all: Vec<String> = files().iter().flat_map(ClaimsFile::would_test).collect();
    assert!(all.len() > 10, "{all:?}");
    let (probes, runs): (Vec<String>, Vec<String>) = all.into_iter().partition(|c| c.starts_with("bench overhead "));
    assert!(probes.len() > 5, "{probes:?}");
    for command in probes {
        match Cli::try_parse_from(command.split_whitespace()).map(|cli| cli.command) {
            Ok(Command::Overhead(args)) => {
                let specs = super::overhead::specs(&args, &products).unwrap_or_else(|e| panic!("{command}: {e:#}"));
                assert_eq!(specs.len(), args.engines.len(), "{command}");
            }
            other => panic!("{command}: {other:?}"),
        }
    }
    for command in runs {
        let args = run_args(&command);
        let clusters = args.clusters.specs().unwrap_or_else(|e| panic!("{command}: {e:#}"));
        let specs = engine_specs(&args, &clusters, &products).unwrap_or_else(|e| panic!("{command}: {e:#}"));
        // What one product's own cluster costs is compared with a figure, anything else with another engine or configuration.
        let alone = args.engines.len() == 1 && args.products.attach.len() == 1;
        assert!(specs.len() > 1 || alone, "{command}: nobody to be compared with");
    }
}

#[test]
fn products_are_not_run_on_clusters_of_this_program() {
    let products = products();
    let several = "add 1 to --nodes";
    let elsewhere = "give --attach spark=ADDRESS";
    for (options, said) in [
        ("--cluster processes --nodes 4", elsewhere),
        ("--cluster processes", elsewhere),
        ("--cluster emulated", several),
        ("--cluster emulated --nodes 2,4", several),
    ] {
        let args = run_args(&format!("bench run --suite smoke --engines stagedag,spark {options}"));
        let error = engine_specs(&args, &args.clusters.specs().unwrap(), &products).unwrap_err().to_string();
        assert!(error.contains(said), "{options}: {error}");
    }
    let limited = run_args(
        "bench run --suite smoke --engines stagedag,spark --cluster emulated --nodes 1,2 --node-limits memory=6GiB",
    );
    let specs = engine_specs(&limited, &limited.clusters.specs().unwrap(), &products).unwrap();
    let of = |name: &str| specs.iter().filter(|s| s.name == name).map(|s| s.cluster.nodes()).collect::<Vec<_>>();
    assert_eq!((of("stagedag"), of("spark")), (vec![1, 2], vec![1]));
    assert!(specs.iter().all(|s| s.variant == "node-memory=6GiB" && s.cluster.name() == "emulated"));
    let local = run_args("bench run --suite smoke --engines stagedag,spark --cluster local");
    assert_eq!(engine_specs(&local, &local.clusters.specs().unwrap(), &products).unwrap().len(), 2);
    let beside = run_args(
        "bench run --suite smoke --engines stagedag,spark --cluster processes --nodes 2 --attach spark=spark://h:7077 \
         --attach-nodes 2 --attach-slots 4",
    );
    let specs = engine_specs(&beside, &beside.clusters.specs().unwrap(), &products).unwrap();
    assert_eq!(specs.iter().map(|s| s.cluster.name()).collect::<Vec<_>>(), ["processes", "attached"]);
}

/// Keys with their values, as they stand in a configuration of a product.
fn settings(text: &str) -> Vec<(&str, &str)> {
    let value = |wanted: &'static str| {
        text.lines().filter_map(move |l| l.split_once(" = ").filter(|(key, _)| *key == wanted).map(|(_, v)| v))
    };
    value("key").zip(value("value")).collect()
}

#[test]
fn tuned_spark_differs_from_spark_as_it_comes_in_what_its_claim_is_about() {
    let default = settings(include_str!("../../../../engines/external/python/spark/default.toml"));
    let tuned = settings(include_str!("../../../../engines/external/python/spark/tuned.toml"));
    let differing: Vec<&str> = tuned.iter().filter(|s| !default.contains(s)).map(|(key, _)| *key).collect();
    assert_eq!(differing, ["\"spark.sql.shuffle.partitions\""]);
    assert!(tuned.contains(&("\"spark.sql.shuffle.partitions\"", "\"{slots}\"")), "one per slot: {tuned:?}");
    assert!(default.iter().all(|s| tuned.contains(s)), "{default:?}");
}

#[test]
fn a_configuration_that_a_product_does_not_have_is_refused_before_anything_runs() {
    let products = products();
    let planned = |options: &str| {
        let args = run_args(&format!("bench run --suite smoke {options}"));
        engine_specs(&args, &args.clusters.specs().unwrap(), &products).map(|specs| {
            specs.iter().map(|spec| format!("{} {}", spec.name, spec.variant)).collect::<Vec<_>>().join(", ")
        })
    };
    let both = planned("--engines spark --configs default,kryo").unwrap();
    assert_eq!(both, "spark default, spark config=kryo");
    for options in ["--engines spark,duckdb --configs default,kryo", "--engines duckdb --set duckdb.config=kryo"] {
        let said = planned(options).unwrap_err().to_string();
        assert!(said.contains("`duckdb` has no configuration `kryo`; it has default, tuned, trial-1"), "{said}");
    }
}
