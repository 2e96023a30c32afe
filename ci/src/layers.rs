//! Whether dependencies point only where `ci/layers.toml` lets them, whether they are used at all, and whether tests
//! share the build of runs.

use crate::check::{Check, Findings, Ground, count_of};
use crate::packages::{Package, Packages, output};
use crate::source::{Source, rust_files};
use crate::unused;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The check.
pub(crate) const LAYERS: Check = Check {
    name: "layers",
    ensures: "crates use what they declare and only what ci/layers.toml lets them, one build serves all",
    run,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    engines: Engines,
    #[serde(rename = "crate")]
    crates: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Engines {
    crates: Vec<String>,
    named_by: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    because: String,
    may_use: Vec<String>,
    #[serde(default)]
    tests_may_use: Vec<String>,
    #[serde(default)]
    never_sees: Vec<String>,
    #[serde(default)]
    never_names: Vec<String>,
}

fn run(ground: &Ground) -> Result<Findings> {
    let file = ground.root.join("ci/layers.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let layers: Layers = toml::from_str(&text).with_context(|| format!("cannot parse {}", file.display()))?;
    let packages = Packages::read(&ground.root)?;
    let mut problems = judge(&layers, &packages);
    for row in &layers.crates {
        if let Some((_, package)) = packages.ours().find(|(_, package)| package.name == row.name) {
            problems.extend(forbidden_names(row, package)?);
        }
    }
    for (_, package) in packages.ours() {
        problems.extend(unused::judge(package)?);
    }
    problems.extend(second_build(&ground.root)?);
    Ok(Findings { looked_at: count_of(packages.ours().count(), "crate"), problems })
}

fn judge(layers: &Layers, packages: &Packages) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, package) in packages.ours() {
        match layers.crates.iter().find(|row| row.name == package.name) {
            Some(row) => problems.extend(judge_crate(row, id, package, packages)),
            None => {
                problems.push(format!("{} has no row in ci/layers.toml: say what it may use and why", package.name))
            }
        }
    }
    for row in &layers.crates {
        if !packages.ours().any(|(_, package)| package.name == row.name) {
            problems.push(format!("ci/layers.toml has a row for `{}`, which is not in the workspace", row.name));
        }
    }
    problems.extend(engines_named(layers, packages));
    problems.extend(cycle(packages));
    problems
}

/// What one crate uses or reaches against its row.
fn judge_crate(row: &Row, id: &str, package: &Package, packages: &Packages) -> Vec<String> {
    let Row { name, because, .. } = row;
    let listed = |list: &[String], used: &str| list.iter().any(|pattern| fits(pattern, used));
    let mut problems = Vec::new();
    for used in packages.ours_among(&package.uses) {
        if !listed(&row.may_use, used) {
            problems.push(format!("{name} uses {used}, which its row does not allow ({because})"));
        }
    }
    for used in packages.ours_among(&package.tests_use) {
        if !listed(&row.may_use, used) && !listed(&row.tests_may_use, used) {
            problems.push(format!("tests of {name} use {used}, which its row does not allow ({because})"));
        }
    }
    for (reached, path) in packages.reached(id) {
        if listed(&row.never_sees, reached) {
            problems.push(format!("{name} sees {reached} by way of {} ({because})", path.join(" -> ")));
        }
    }
    problems
}

/// Who names a concrete engine without being allowed to, tests apart.
fn engines_named(layers: &Layers, packages: &Packages) -> Vec<String> {
    let mut problems = Vec::new();
    for (_, package) in packages.ours().filter(|(_, package)| !layers.engines.named_by.contains(&package.name)) {
        for engine in packages.ours_among(&package.uses).filter(|used| layers.engines.crates.iter().any(|e| e == used))
        {
            let by = layers.engines.named_by.join(", ");
            problems.push(format!("{} names the engine {engine}: only {by} may", package.name));
        }
    }
    problems
}

/// A cycle among our crates, tests included: cargo allows it through tests, we do not.
fn cycle(packages: &Packages) -> Option<String> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = packages
        .ours()
        .map(|(_, p)| {
            (p.name.as_str(), packages.ours_among(&p.uses).chain(packages.ours_among(&p.tests_use)).collect())
        })
        .collect();
    while let Some(leaf) = left.iter().find(|(_, uses)| uses.iter().all(|u| !left.contains_key(u))).map(|(n, _)| *n) {
        left.remove(leaf);
    }
    let names: Vec<&str> = left.keys().copied().collect();
    (!names.is_empty()).then(|| format!("there is a dependency cycle among {}", names.join(", ")))
}

/// `name*` fits every name that starts with `name`; any other pattern fits itself.
fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn forbidden_names(row: &Row, package: &Package) -> Result<Vec<String>> {
    if row.never_names.is_empty() {
        return Ok(vec![]);
    }
    let folder = Path::new(&package.manifest).parent().context("a manifest has a folder")?.join("src");
    let mut problems = Vec::new();
    for file in rust_files(&folder)? {
        let source = Source::read(&file)?;
        for path in source.paths_named() {
            if let Some(name) = row.never_names.iter().find(|name| under(name, &path)) {
                problems.push(format!("{} names {name} ({})", file.display(), row.because));
            }
        }
    }
    problems.dedup();
    Ok(problems)
}

/// Whether `path` is `name` or something inside it.
fn under(name: &str, path: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Packages that tests compile with other features than `cargo run` does: each, and all that depends on it, would be
/// compiled twice.
fn second_build(root: &Path) -> Result<Vec<String>> {
    let tree = |arguments: &[&str]| {
        let format = ["tree", "--locked", "--prefix", "none", "--format", "{p} [{f}]"];
        output(root, &[&format[..], arguments].concat())
    };
    let run = tree(&["--package", "bench", "--edges", "normal,build"])?;
    let tests = tree(&["--workspace", "--edges", "normal,build,dev"])?;
    Ok(built_twice(&run, &tests))
}

fn built_twice(run: &str, tests: &str) -> Vec<String> {
    let lines = |text: &str| -> BTreeSet<String> {
        text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).filter(|line| !line.is_empty()).collect()
    };
    let (run, tests) = (lines(run), lines(tests));
    run.difference(&tests)
        .map(|line| {
            format!("{line} is compiled again, with other features, for tests: name them in harness/bench/Cargo.toml")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of crates, each with what it uses and what its tests use. Names with a dash are foreign.
    fn workspace(crates: &[(&str, &[&str], &[&str])]) -> Packages {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let package = |(name, uses, tests): &(&str, &[&str], &[&str])| Package {
            name: (*name).to_owned(),
            ours: !name.contains('-'),
            uses: names(uses),
            tests_use: names(tests),
            ..Package::default()
        };
        Packages(crates.iter().map(|row| (row.0.to_owned(), package(row))).collect())
    }

    fn layers() -> Layers {
        toml::from_str(
            r#"
            engines = { crates = ["style"], named_by = ["binary"] }
            crate = [
                { name = "model", because = "nouns", may_use = [] },
                { name = "style", because = "pure", may_use = ["model"], never_sees = ["async-*"] },
                { name = "host", because = "acts", may_use = ["model", "style"], tests_may_use = ["style"] },
                { name = "binary", because = "all", may_use = ["*"] },
            ]
            "#,
        )
        .unwrap()
    }

    fn check(crates: &[(&str, &[&str], &[&str])], expected: &[&str]) {
        let problems = judge(&layers(), &workspace(crates));
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, part) in problems.iter().zip(expected) {
            assert!(problem.contains(part), "{problem}");
        }
    }

    const BINARY: (&str, &[&str], &[&str]) = ("binary", &["host", "style", "model"], &[]);
    const MODEL: (&str, &[&str], &[&str]) = ("model", &[], &[]);

    #[test]
    fn the_intended_layers_pass() {
        check(&[MODEL, ("style", &["model"], &[]), ("host", &["model"], &["style"]), BINARY], &[]);
    }

    #[test]
    fn a_style_sees_nothing_forbidden_however_indirectly() {
        let crates: &[(&str, &[&str], &[&str])] = &[
            ("model", &["some-crate"], &[]),
            ("some-crate", &["async-runtime"], &[]),
            ("async-runtime", &[], &[]),
            ("style", &["model"], &["async-runtime"]),
            ("host", &["model"], &[]),
            BINARY,
        ];
        check(crates, &["style sees async-runtime by way of model -> some-crate -> async-runtime (pure)"]);
    }

    #[test]
    fn only_the_binary_names_an_engine_outside_tests() {
        check(
            &[MODEL, ("style", &["model"], &[]), ("host", &["model", "style"], &[]), BINARY],
            &["host names the engine style: only binary may"],
        );
    }

    #[test]
    fn every_crate_has_a_row_and_every_row_a_crate() {
        check(
            &[MODEL, ("style", &["model"], &[]), ("extra", &[], &[]), ("binary", &[], &[])],
            &["extra has no row", "a row for `host`"],
        );
    }

    #[test]
    fn cycles_are_found_even_through_tests() {
        check(
            &[("model", &[], &["binary"]), ("style", &[], &[]), ("host", &["model"], &[]), BINARY],
            &["tests of model use binary", "cycle among binary, host, model"],
        );
    }

    #[test]
    fn a_dependency_compiled_with_other_features_for_tests_is_reported() {
        let run = "bench v1 []\nrandom v1 [] (*)\nquery v2 [sql]\n";
        let tests = "bench v1 []\nrandom v1 [std]\nquery v2 [sql]\nproptest v1 []\n";
        let problems = built_twice(run, tests);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("random v1 [] is compiled again"));
    }

    #[test]
    fn a_forbidden_module_covers_what_is_inside_it_and_nothing_else() {
        assert!(under("std::fs", "std::fs::File") && under("std::fs", "std::fs"));
        assert!(!under("std::fs", "std::fsx") && !under("std::fs", "std::fmt"));
    }
}
