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
    folder: String,
    shared: Vec<String>,
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
    foreign: Option<Vec<String>>,
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
    if let Some(foreign) = &row.foreign {
        for used in packages.foreign_among(&package.uses).filter(|used| !listed(foreign, used)) {
            problems.push(format!("{name} uses {used}, which is not among the foreign crates of its row ({because})"));
        }
    }
    for used in packages.ours_among(&package.tests_use) {
        if !listed(&row.may_use, used) && !listed(&row.tests_may_use, used) {
            problems.push(format!("tests of {name} use {used}, which its row does not allow ({because})"));
        }
    }
    for path in packages.reached(id).values() {
        if let Some(reached) = path.last().filter(|reached| listed(&row.never_sees, reached)) {
            problems.push(format!("{name} sees {reached} by way of {} ({because})", path.join(" -> ")));
        }
    }
    problems
}

/// Who names a concrete engine without being allowed to, tests apart. Whatever lies in the folder of engines is one, unless
/// it is listed as shared by them.
fn engines_named(layers: &Layers, packages: &Packages) -> Vec<String> {
    let Engines { folder, shared, named_by } = &layers.engines;
    let in_folder: BTreeSet<&str> =
        packages.ours().filter(|(_, p)| p.lies_in(folder)).map(|(_, p)| p.name.as_str()).collect();
    let mut problems = Vec::new();
    for listed in shared.iter().filter(|name| !in_folder.contains(name.as_str())) {
        problems.push(format!("ci/layers.toml lists `{listed}` as shared by engines, and {folder}/ has no such crate"));
    }
    let is_engine = |name: &str| in_folder.contains(name) && !shared.iter().any(|s| s == name);
    for (_, package) in packages.ours().filter(|(_, package)| !named_by.contains(&package.name)) {
        for engine in packages.ours_among(&package.uses).filter(|used| is_engine(used)) {
            problems.push(format!("{} names the engine {engine}: only {} may", package.name, named_by.join(", ")));
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
            } else if let Some(name) = row.never_names.iter().find(|name| under(&path, name)) {
                let because = &row.because;
                problems.push(format!("{} brings in {path}, and {name} with it ({because})", file.display()));
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
        let folder = |name: &str| if ["style", "shared"].contains(&name) { "engines" } else { "elsewhere" };
        let package = |(name, uses, tests): &(&str, &[&str], &[&str])| Package {
            name: (*name).to_owned(),
            manifest: format!("/root/{}/{name}/Cargo.toml", folder(name)),
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
            engines = { folder = "engines", shared = ["shared"], named_by = ["binary"] }
            crate = [
                { name = "model", because = "nouns", may_use = [] },
                { name = "style", because = "pure", may_use = ["model"], foreign = ["plain-data"], never_sees = ["async-*"] },
                { name = "shared", because = "for all", may_use = ["model"] },
                { name = "host", because = "acts", may_use = ["model", "style", "shared"], tests_may_use = ["style"] },
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

    type Crate = (&'static str, &'static [&'static str], &'static [&'static str]);
    const BINARY: Crate = ("binary", &["host", "style", "model"], &[]);
    const MODEL: Crate = ("model", &[], &[]);
    const SHARED: Crate = ("shared", &["model"], &[]);
    const STYLE: Crate = ("style", &["model"], &[]);
    const HOST: Crate = ("host", &["model", "shared"], &["style"]);

    #[test]
    fn the_intended_layers_pass() {
        check(&[MODEL, SHARED, ("style", &["model", "plain-data"], &[]), HOST, BINARY], &[]);
    }

    #[test]
    fn a_style_sees_nothing_forbidden_however_indirectly() {
        let crates: &[Crate] = &[
            ("model", &["some-crate"], &[]),
            ("some-crate", &["async-runtime"], &[]),
            ("async-runtime", &[], &[]),
            ("style", &["model"], &["async-runtime"]),
            SHARED,
            HOST,
            BINARY,
        ];
        check(crates, &["style sees async-runtime by way of model -> some-crate -> async-runtime (pure)"]);
    }

    #[test]
    fn a_style_uses_no_foreign_crate_that_its_row_does_not_list() {
        let crates: &[Crate] = &[
            MODEL,
            SHARED,
            ("style", &["model", "web-client"], &["web-test"]),
            HOST,
            BINARY,
            ("web-client", &[], &[]),
        ];
        check(crates, &["style uses web-client, which is not among the foreign crates"]);
    }

    #[test]
    fn only_the_binary_names_an_engine_outside_tests() {
        check(
            &[MODEL, SHARED, STYLE, ("host", &["model", "style"], &[]), BINARY],
            &["host names the engine style: only binary may"],
        );
    }

    #[test]
    fn whatever_lies_among_the_engines_is_one_unless_it_is_listed_as_shared() {
        let mut layers = layers();
        layers.engines.shared = vec!["gone".to_owned()];
        let problems = engines_named(&layers, &workspace(&[MODEL, SHARED, STYLE, HOST, BINARY]));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("lists `gone`") && problems[1].contains("host names the engine shared"));
    }

    #[test]
    fn every_crate_has_a_row_and_every_row_a_crate() {
        check(
            &[MODEL, SHARED, STYLE, ("extra", &[], &[]), ("binary", &[], &[])],
            &["extra has no row", "a row for `host`"],
        );
    }

    #[test]
    fn cycles_are_found_even_through_tests() {
        check(
            &[
                ("model", &[], &["binary"]),
                ("style", &[], &[]),
                ("shared", &[], &[]),
                ("host", &["model"], &[]),
                BINARY,
            ],
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

    #[test]
    fn a_module_that_brings_in_a_forbidden_name_is_forbidden_too() {
        let folder = std::env::temp_dir().join(format!("bench-ci-layers-{}", std::process::id()));
        let manifest = folder.join("Cargo.toml").to_string_lossy().into_owned();
        let problems = |code: &str| {
            std::fs::create_dir_all(folder.join("src")).unwrap();
            std::fs::write(folder.join("src/lib.rs"), code).unwrap();
            let never_names = vec!["std::fs".to_owned(), "std::time::Instant".to_owned()];
            let row = Row { because: "pure".to_owned(), never_names, ..Row::default() };
            forbidden_names(&row, &Package { manifest: manifest.clone(), ..Package::default() }).unwrap()
        };
        for bypass in
            ["use std::time;", "use std::time::*;", "use std::{time::{self}};", "use std::*;", "use std as s;"]
        {
            let found = problems(bypass);
            assert!(found.len() == 1 && found[0].contains("brings in std"), "{bypass}: {found:?}");
        }
        assert!(problems("use std::fs as files;")[0].contains("names std::fs"));
        assert_eq!(problems("use std::time::Duration;\nuse std::fmt;"), [""; 0]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
