//! Program output shown in documents is what the program prints.
//!
//! A block in a Markdown file is bracketed by `<!-- output: bench ARGUMENTS -->` and `<!-- end of output -->`. Between
//! them stands a fenced block, compared with standard output, or rewritten under `--fix`.

use super::commands;
use crate::cargo::cargo_command;
use crate::check::Ground;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const START: &str = "<!-- output: bench ";
const END: &str = "<!-- end of output -->";

/// Command lines that the program does not understand, and blocks that are not what it prints; mends these if asked to.
pub(super) fn judge(ground: &Ground, files: &[PathBuf]) -> Result<Vec<String>> {
    let root = &ground.root;
    let program = build(root)?;
    let mut problems = commands::judge(root, files, &|command| help(root, &program, command))?;
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        if !text.lines().any(|line| line.starts_with(START)) {
            continue;
        }
        let name = file.strip_prefix(root).unwrap_or(file).display();
        let fresh = refresh(&text, &|arguments| print(root, &program, arguments))
            .with_context(|| format!("cannot refresh {name}"))?;
        if fresh == text {
            continue;
        }
        if ground.fix {
            std::fs::write(file, fresh).with_context(|| format!("cannot write {}", file.display()))?;
        } else {
            problems.push(format!("{name} shows output that is no longer printed: run `cargo ci tidy --fix`"));
        }
    }
    Ok(problems)
}

/// The text with every output block as `print` has it.
fn refresh(text: &str, print: &dyn Fn(&str) -> Result<String>) -> Result<String> {
    let mut fresh = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        fresh.push_str(line);
        fresh.push('\n');
        let Some(arguments) = line.strip_prefix(START).and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        if !lines.by_ref().any(|skipped| skipped == END) {
            bail!("the block `{line}` has no `{END}`");
        }
        let printed = print(arguments)?;
        let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
        fresh.push_str(&format!("```text\n{}\n```\n{END}\n", printed.join("\n")));
    }
    Ok(fresh)
}

/// Builds the program and says where it is. Under a finished test run this only links.
fn build(root: &Path) -> Result<PathBuf> {
    let arguments =
        ["build", "--release", "--locked", "--package", "bench", "--message-format", "json-render-diagnostics"];
    let output = cargo_command()
        .args(arguments)
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot build bench")?;
    if !output.status.success() {
        bail!("bench does not build: run `cargo build --release --package bench`");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executables = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let found = executables.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    found.context("cargo did not say where the program is")
}

/// The help of a command; none if there is no such command.
fn help(root: &Path, program: &Path, command: &[&str]) -> Result<Option<String>> {
    let output = Command::new(program).args(command).arg("--help").current_dir(root).output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn print(root: &Path, program: &Path, arguments: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .current_dir(root)
        // What is installed here, and where tables lie, is nobody else's matter.
        .env_remove("BENCH_DATA")
        .env_remove("BENCH_ENGINES")
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("`bench {arguments}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`bench {arguments}` printed something that is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let print = |arguments: &str| Ok(format!("ran {arguments}  \n"));
        assert_eq!(refresh(text, &print).ok().as_deref(), expected);
    }

    #[test]
    fn a_block_is_replaced_and_the_rest_stays() {
        check(
            "# A\n<!-- output: bench list suites -->\nold\n<!-- end of output -->\nrest\n",
            Some(
                "# A\n<!-- output: bench list suites -->\n```text\nran list suites\n```\n<!-- end of output -->\nrest\n",
            ),
        );
        check("# A\nno block\n", Some("# A\nno block\n"));
    }

    #[test]
    fn a_block_without_an_end_is_an_error() {
        check("<!-- output: bench --help -->\nold\n", None);
    }
}
