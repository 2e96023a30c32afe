//! Tests that `docs/FIDELITY.md` cites exist: a claim whose test was renamed away is no claim.
//!
//! A citation is a path in backticks whose last part has an underscore, such as `` `driver::a_task_is_tried_again` ``;
//! its last part must be a function of some Rust file.

use crate::source::Source;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "docs/FIDELITY.md";

/// Cited tests that are not there.
pub(super) fn judge(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let file = root.join(DOCUMENT);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut functions = BTreeSet::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "rs")) {
        functions.extend(named_functions(&Source::read(file)?.code));
    }
    Ok(judge_text(&text, &functions))
}

fn judge_text(text: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let cited = (1..).zip(text.lines()).flat_map(|(number, line)| citations(line).map(move |name| (number, name)));
    let missing = cited.filter(|(_, name)| !functions.contains(*name));
    missing.map(|(number, name)| format!("{DOCUMENT}:{number}: no test is called `{name}`")).collect()
}

/// The last parts of paths in backticks.
fn citations(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let last = quoted.filter_map(|path| path.rsplit_once("::")).map(|(_, name)| name);
    last.filter(|name| {
        name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

fn named_functions(code: &str) -> impl Iterator<Item = String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.split("fn ").skip(1).map(move |rest| rest.chars().take_while(|c| is_word(*c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cited_test_that_was_renamed_is_reported_with_its_line() {
        let functions: BTreeSet<String> =
            named_functions("#[test]\nfn a_stage_waits() {}\npub(crate) fn b() {}").collect();
        let text = "| x |\n| `driver::a_stage_waits`, `sim::` rule | `driver::a_stage_sleeps` `Read::Slices` `max_attempts` |\n";
        assert_eq!(judge_text(text, &functions), ["docs/FIDELITY.md:2: no test is called `a_stage_sleeps`"]);
    }
}
