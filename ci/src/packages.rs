//! What `cargo metadata` says, reduced to what is asked here.

use crate::cargo::cargo_command;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A package of the dependency graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// Where its `Cargo.toml` is.
    pub(crate) manifest: String,
    /// Whether it is one of ours.
    pub(crate) ours: bool,
    /// Ids of what it links or runs to build: normal and build dependencies.
    pub(crate) uses: BTreeSet<String>,
    /// Ids of what only its tests and benches use.
    pub(crate) tests_use: BTreeSet<String>,
}

/// The dependency graph, by package id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages(pub(crate) BTreeMap<String, Package>);

impl Package {
    /// Whether its folder is directly inside one of that name.
    pub(crate) fn lies_in(&self, folder: &str) -> bool {
        let own = Path::new(&self.manifest).parent();
        own.and_then(Path::parent).and_then(Path::file_name).is_some_and(|name| name == folder)
    }
}

impl Packages {
    /// Asks cargo, for the platform that compiles.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let host = host()?;
        let json = output(root, &["metadata", "--format-version", "1", "--locked", "--filter-platform", &host])?;
        Self::parse(&json)
    }

    /// Reads the output of `cargo metadata`.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let metadata: Metadata = serde_json::from_str(json).context("cannot read the output of `cargo metadata`")?;
        let mut all = BTreeMap::new();
        for node in metadata.resolve.nodes {
            let Some(raw) = metadata.packages.iter().find(|p| p.id == node.id) else { continue };
            let only_tests = |dep: &RawDep| dep.dep_kinds.iter().all(|k| k.kind.as_deref() == Some("dev"));
            let (tests, uses): (Vec<_>, Vec<_>) = node.deps.into_iter().partition(only_tests);
            let package = Package {
                name: raw.name.clone(),
                version: raw.version.clone(),
                licence: raw.license.clone(),
                manifest: raw.manifest_path.clone(),
                ours: metadata.workspace_members.contains(&node.id),
                uses: uses.into_iter().map(|dep| dep.pkg).collect(),
                tests_use: tests.into_iter().map(|dep| dep.pkg).collect(),
            };
            all.insert(node.id, package);
        }
        Ok(Self(all))
    }

    /// The workspace's own packages.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&String, &Package)> {
        self.0.iter().filter(|(_, package)| package.ours)
    }

    /// The workspace packages among some ids, by name.
    pub(crate) fn ours_among<'a>(&'a self, ids: &'a BTreeSet<String>) -> impl Iterator<Item = &'a str> {
        ids.iter().filter_map(|id| self.0.get(id)).filter(|package| package.ours).map(|package| package.name.as_str())
    }

    /// The packages from elsewhere among some ids, by name.
    pub(crate) fn foreign_among<'a>(&'a self, ids: &'a BTreeSet<String>) -> impl Iterator<Item = &'a str> {
        ids.iter().filter_map(|id| self.0.get(id)).filter(|package| !package.ours).map(|package| package.name.as_str())
    }

    /// A path of names to every package that `from` reaches through normal and build dependencies, by id: two versions of
    /// one name are two packages, and each brings its own.
    pub(crate) fn reached(&self, from: &str) -> BTreeMap<&str, Vec<&str>> {
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut open = vec![(from, Vec::new())];
        while let Some((id, path)) = open.pop() {
            let Some(package) = self.0.get(id) else { continue };
            for next in &package.uses {
                let Some(used) = self.0.get(next) else { continue };
                if !found.contains_key(next.as_str()) {
                    let mut longer = path.clone();
                    longer.push(used.name.as_str());
                    found.insert(next, longer.clone());
                    open.push((next, longer));
                }
            }
        }
        found
    }
}

/// What cargo prints on standard output.
pub(crate) fn output(root: &Path, arguments: &[&str]) -> Result<String> {
    let line = format!("cargo {}", arguments.join(" "));
    let output =
        cargo_command().args(arguments).current_dir(root).output().with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed something that is not text"))
}

fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("-vV").output().context("cannot run `rustc -vV`")?;
    let text = String::from_utf8_lossy(&version.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct RawPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<RawDep>,
}

#[derive(Deserialize)]
struct RawDep {
    pkg: String,
    dep_kinds: Vec<RawKind>,
}

#[derive(Deserialize)]
struct RawKind {
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "packages": [
            {"id": "a", "name": "a", "version": "1.0.0", "license": "MIT", "manifest_path": "/a/Cargo.toml"},
            {"id": "b", "name": "b", "version": "1.0.0", "license": null, "manifest_path": "/b/Cargo.toml"},
            {"id": "c", "name": "c", "version": "1.0.0", "license": null, "manifest_path": "/c/Cargo.toml"}
        ],
        "workspace_members": ["a", "c"],
        "resolve": {"nodes": [
            {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}, {"kind": "dev"}]}]},
            {"id": "b", "deps": [{"pkg": "c", "dep_kinds": [{"kind": "build"}]}]},
            {"id": "c", "deps": [{"pkg": "a", "dep_kinds": [{"kind": "dev"}]}]}
        ]}
    }"#;

    #[test]
    fn dependencies_of_tests_are_kept_apart() {
        let packages = Packages::parse(METADATA).unwrap();
        assert_eq!(packages.ours().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(packages.0["a"].uses, ["b".to_owned()].into());
        assert!(packages.0["a"].tests_use.is_empty());
        assert_eq!(packages.ours_among(&packages.0["c"].tests_use).collect::<Vec<_>>(), ["a"]);
        assert_eq!(packages.reached("a")["c"], ["b", "c"]);
        assert!(packages.reached("c").is_empty());
    }

    #[test]
    fn two_versions_of_one_package_are_both_looked_into() {
        let package = |name: &str, uses: &[&str]| Package {
            name: name.to_owned(),
            uses: uses.iter().map(|id| (*id).to_owned()).collect(),
            ..Package::default()
        };
        let all = [
            ("a", package("a", &["x 1", "x 2"])),
            ("x 1", package("x", &["one"])),
            ("x 2", package("x", &["two"])),
            ("one", package("one", &[])),
            ("two", package("two", &[])),
        ];
        let packages = Packages(all.into_iter().map(|(id, package)| (id.to_owned(), package)).collect());
        let reached: Vec<&str> = packages.reached("a").into_keys().collect();
        assert_eq!(reached, ["one", "two", "x 1", "x 2"]);
    }

    #[test]
    fn foreign_output_is_an_error() {
        assert!(Packages::parse("warning: ...").is_err());
    }
}
