//! Checks that cargo makes. Its output passes through; a failure names the command that repeats it.

use crate::check::{Check, Findings, Ground};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// Formatting.
pub(crate) const FMT: Check = Check {
    name: "fmt",
    ensures: "every file is formatted as rustfmt.toml says",
    run: |ground| {
        let check: &[&str] = if ground.fix { &[] } else { &["--check"] };
        cargo(ground, &[&["fmt", "--all"], check].concat(), &[])
    },
};

/// Lints.
pub(crate) const CLIPPY: Check = Check {
    name: "clippy",
    ensures: "no lint fires anywhere, tests and benches included",
    run: |ground| {
        cargo(ground, &["clippy", "--release", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
    },
};

/// Documentation.
pub(crate) const DOCS: Check = Check {
    name: "docs",
    ensures: "documentation builds without a warning",
    run: |ground| {
        cargo(ground, &["doc", "--release", "--locked", "--no-deps", "--workspace"], &[("RUSTDOCFLAGS", "-D warnings")])
    },
};

/// Tests.
pub(crate) const TESTS: Check = Check {
    name: "tests",
    ensures: "every test passes, in the profile that runs use",
    run: |ground| cargo(ground, &["test", "--release", "--locked", "--workspace"], &[]),
};

/// The real products: made only where it is named, because they come from the network.
pub(crate) const PRODUCTS: Check = Check {
    name: "products",
    ensures: "every product installs, keeps to the protocol, answers right, stays within its limits and this machine, and is an outcome when killed",
    run: |ground| {
        let folder = products_folder(ground)?;
        let variables = [(PRODUCTS_FOLDER, folder.as_str())];
        let install = ["run", "--release", "--locked", "--package", "bench", "--", "engines", "install", "all"];
        let mut found = cargo(ground, &install, &variables)?;
        if found.problems.is_empty() {
            let tests = ["--no-fail-fast", "--test", "python", "--test", "products", "--", "--include-ignored"];
            found =
                cargo(ground, &[&["test", "--release", "--locked", "--workspace"], &tests[..]].concat(), &variables)?;
        }
        Ok(Findings { looked_at: format!("the products in {folder}"), ..found })
    },
};

/// Names the folder that products are installed in.
const PRODUCTS_FOLDER: &str = "BENCH_ENGINES";

/// Where products are, or will be: beside what is built, unless somebody says where.
fn products_folder(ground: &Ground) -> Result<String> {
    let told = std::env::var_os(PRODUCTS_FOLDER).map(PathBuf::from);
    let built = || std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| ground.root.join("target"), PathBuf::from);
    let folder = std::path::absolute(told.unwrap_or_else(|| built().join("products")))?;
    folder.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{} is no UTF-8", path.display()))
}

fn cargo(ground: &Ground, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Findings> {
    let mut command = cargo_command();
    command.args(arguments).envs(variables.iter().copied()).current_dir(&ground.root);
    let status = command.status().context("cannot start cargo; is it on the PATH?")?;
    let setting: String = variables.iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
    let line = format!("{setting}cargo {}", arguments.join(" "));
    let problems = if status.success() { vec![] } else { vec![format!("failed with {status}; repeat with: {line}")] };
    Ok(Findings { looked_at: format!("cargo {}", arguments.first().unwrap_or(&"")), problems })
}

/// The cargo that runs this program, so that the toolchain is the same. What cargo has told this program about itself is
/// not passed on: build scripts that look at such variables would take it for a change, and half of the build would be made
/// again.
pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(own) {
            command.env_remove(name);
        }
    }
    command
}
