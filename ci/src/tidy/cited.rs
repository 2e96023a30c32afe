//! Tests that `docs/FIDELITY.md` cites exist: a claim whose test was renamed away is no claim.
//!
//! A citation is a path in backticks whose last part has an underscore, such as `` `driver::a_task_is_tried_again` ``. Its
//! last part must be a test (marked `#[test]`, inside `proptest!` or not), and what is before it must be names in the path
//! of the test's file: its folders, and its own without `.rs`.

use crate::source::Source;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "docs/FIDELITY.md";
const MARK: &str = "#[test]";

/// The tests by name, each with the names in the paths of the files that have one so called.
type Tests = BTreeMap<String, Vec<BTreeSet<String>>>;

/// Cited tests that are not there.
pub(super) fn judge(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let file = root.join(DOCUMENT);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut tests = Tests::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "rs")) {
        let inside = file.strip_prefix(root).unwrap_or(file);
        collect(inside, &Source::read(file)?.code, &mut tests);
    }
    Ok(judge_text(&text, &tests))
}

fn judge_text(text: &str, tests: &Tests) -> Vec<String> {
    let cited = (1..).zip(text.lines()).flat_map(|(number, line)| citations(line).map(move |path| (number, path)));
    cited.filter_map(|(number, path)| Some(format!("{DOCUMENT}:{number}: {}", missing(path, tests)?))).collect()
}

/// What is wrong with a citation.
fn missing(path: &str, tests: &Tests) -> Option<String> {
    let (modules, name) = path.rsplit_once("::")?;
    let Some(files) = tests.get(name) else { return Some(format!("no test is called `{name}`")) };
    let has = |file: &BTreeSet<String>| modules.split("::").all(|module| file.contains(module));
    (!files.iter().any(has)).then(|| format!("no file of `{modules}` has the test `{name}`"))
}

/// Paths in backticks whose last part is the name of a function of several words.
fn citations(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|path| {
        path.rsplit_once("::").is_some_and(|(_, name)| {
            name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
    })
}

/// Adds the tests of a file.
fn collect(file: &Path, code: &str, tests: &mut Tests) {
    let place: BTreeSet<String> = file.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices(MARK) {
        let name = code[at + MARK.len()..].split_once("fn ").map(|(_, rest)| rest);
        let name: String = name.unwrap_or_default().chars().take_while(|c| is_word(*c)).collect();
        tests.entry(name).or_default().push(place.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut tests = Tests::new();
        let code =
            "#[test]\nfn a_stage_waits() {}\npub(crate) fn a_helper() {}\n#[test]\n#[ignore]\nfn a_stage_ends() {}";
        collect(Path::new("engines/stagedag/src/driver/tests.rs"), code, &mut tests);
        let drawn = "proptest! {\n    #[test]\n    fn all_seeds_pass(seed in 0u64..9) {}\n}";
        collect(Path::new("harness/sim/tests/stagedag.rs"), drawn, &mut tests);
        assert_eq!(judge_text(text, &tests), expected, "{text}");
    }

    #[test]
    fn a_cited_test_that_was_renamed_is_reported_with_its_line() {
        let text = "| x |\n| `driver::a_stage_waits`, `sim::` rule | `driver::a_stage_sleeps` `Read::Slices` `max_attempts` |\n";
        check(text, &["docs/FIDELITY.md:2: no test is called `a_stage_sleeps`"]);
        check("`driver::a_stage_ends`, `sim::all_seeds_pass`, `sim::stagedag::all_seeds_pass`", &[]);
    }

    #[test]
    fn a_function_that_is_no_test_is_no_citation() {
        check("`driver::a_helper`", &["docs/FIDELITY.md:1: no test is called `a_helper`"]);
    }

    #[test]
    fn a_test_of_another_module_is_no_citation() {
        check("`executor::a_stage_waits`", &["docs/FIDELITY.md:1: no file of `executor` has the test `a_stage_waits`"]);
    }
}
