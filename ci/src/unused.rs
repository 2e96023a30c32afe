//! Whether every dependency that a crate declares is named in its sources: one that is not costs build time for
//! nothing.
//!
//! A dependency that is meant although no source names it says why, in a comment on its own line:
//! `getrandom.workspace = true # shares its features with tests, so that nothing is compiled twice`.

use crate::packages::Package;
use crate::source::{Source, rust_files};
use anyhow::{Context, Result};
use std::path::Path;

/// A declared dependency.
#[derive(Debug, PartialEq, Eq)]
struct Declared {
    name: String,
    kind: Kind,
    /// Whether its line says why it is there.
    explained: bool,
}

/// Where a dependency may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Tests,
    Build,
}

impl Kind {
    /// The files and folders that may name it, and what they are called.
    const fn places(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Normal => (&["src"], "src"),
            Self::Tests => (&["src", "tests", "benches", "examples"], "src, tests, benches or examples"),
            Self::Build => (&["build.rs"], "build.rs"),
        }
    }
}

/// Dependencies of one of our crates that its sources do not name.
pub(crate) fn judge(package: &Package) -> Result<Vec<String>> {
    let manifest = Path::new(&package.manifest);
    let folder = manifest.parent().context("a manifest has a folder")?;
    let text = std::fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let mut problems = Vec::new();
    let all = declared(&text).with_context(|| format!("cannot parse {}", manifest.display()))?;
    for dependency in all.into_iter().filter(|d| !d.explained) {
        let (places, where_to) = dependency.kind.places();
        let mut sources = Vec::new();
        for place in places.iter().map(|place| folder.join(place)).filter(|place| place.exists()) {
            let files = if place.is_dir() { rust_files(&place)? } else { vec![place] };
            sources.extend(files.iter().map(|file| Source::read(file)).collect::<Result<Vec<_>>>()?);
        }
        if !sources.iter().any(|source| names(&source.code, &dependency.name)) {
            problems.push(format!(
                "{} declares {}, which nothing in {where_to} names: remove it, or say why on its line with `# reason`",
                package.name, dependency.name
            ));
        }
    }
    Ok(problems)
}

/// The dependencies that a manifest declares, for all platforms and for some.
fn declared(manifest: &str) -> Result<Vec<Declared>> {
    let parsed: toml::Table = toml::from_str(manifest)?;
    let platforms = parsed.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = platforms.filter_map(toml::Value::as_table).chain([&parsed]);
    let mut found = Vec::new();
    for table in tables {
        let sections =
            [("dependencies", Kind::Normal), ("dev-dependencies", Kind::Tests), ("build-dependencies", Kind::Build)];
        for (section, kind) in sections {
            let names = table.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            found.extend(names.map(|name| Declared { name: name.clone(), kind, explained: explained(manifest, name) }));
        }
    }
    Ok(found)
}

/// Whether a comment stands on the line that declares a dependency.
fn explained(manifest: &str, name: &str) -> bool {
    let declares = |line: &&str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().filter(declares).any(|line| line.split_once('#').is_some_and(|(_, why)| !why.trim().is_empty()))
}

/// Whether code, without comments and strings, has the crate's name as a word.
fn names(code: &str, dependency: &str) -> bool {
    let name = dependency.replace('-', "_");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(&name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_in_every_form() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nserde.workspace = true\n\
                        query = { version = \"1\", features = [\n    \"sql\",\n] }\n\
                        getrandom.workspace = true # for its features\n# tokio.workspace = true\n\n\
                        [target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\
                        [dev-dependencies]\nproptest.workspace = true\n[build-dependencies.cc]\nversion = \"1\"\n";
        let found = declared(manifest).unwrap();
        let mut named: Vec<(&str, Kind)> = found.iter().map(|d| (d.name.as_str(), d.kind)).collect();
        named.sort_by_key(|(name, _)| *name);
        let expected = [
            ("cc", Kind::Build),
            ("getrandom", Kind::Normal),
            ("libc", Kind::Normal),
            ("proptest", Kind::Tests),
            ("query", Kind::Normal),
            ("serde", Kind::Normal),
        ];
        assert_eq!(named, expected);
        assert_eq!(found.iter().filter(|d| d.explained).map(|d| d.name.as_str()).collect::<Vec<_>>(), ["getrandom"]);
    }

    #[test]
    fn a_dependency_is_used_when_it_is_named_as_a_word() {
        assert!(names("use bench_model::Block;", "bench-model") && names("serde_json::to_vec(x)", "serde_json"));
        assert!(!names("use bench_models::Block;", "bench-model") && !names("let serde_json = 1;", "serde"));
    }

    #[test]
    fn a_crate_that_declares_what_it_does_not_name_is_told_so() {
        let folder = std::env::temp_dir().join(format!("bench-ci-unused-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        std::fs::write(folder.join("src/lib.rs"), "// uses tokio\nuse serde::Serialize;\n").unwrap();
        let manifest = folder.join("Cargo.toml");
        std::fs::write(&manifest, "[dependencies]\nserde = \"1\"\ntokio = \"1\"\nlog = \"1\" # by a macro\n").unwrap();
        let package =
            Package { name: "x".into(), manifest: manifest.to_string_lossy().into_owned(), ..Package::default() };
        let problems = judge(&package);
        std::fs::remove_dir_all(&folder).unwrap();
        let problems = problems.unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("x declares tokio, which nothing in src names"), "{problems:?}");
    }
}
