//! Files, functions and maps stay small.

use crate::source::Source;

/// A file longer than this says why.
const EXPLAIN_ABOVE: usize = 400;
/// A file longer than this is split.
const SPLIT_ABOVE: usize = 700;
/// A function outside tests is at most this long.
const FUNCTION: usize = 70;
/// A crate's map is shorter than this.
const MAP: usize = 100;
/// How a long file explains itself.
const REASON: &str = "//! Long because:";
/// Documents that must fit on a page or two.
const PAGES: [(&str, usize); 2] = [("README.md", 130), ("docs/ARCHITECTURE.md", 180)];

/// What is too long in a Rust file.
pub(super) fn judge(name: &str, source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    let lines = source.text.lines().count();
    if lines > SPLIT_ABOVE {
        problems.push(format!("{name} has {lines} lines: split it, {SPLIT_ABOVE} is the most"));
    } else if lines > EXPLAIN_ABOVE && !source.text.lines().any(|line| line.starts_with(REASON)) {
        problems.push(format!("{name} has {lines} lines: split it, or explain with a line `{REASON} ...` at its top"));
    }
    if name.ends_with("src/lib.rs") && lines >= MAP {
        problems.push(format!("{name} has {lines} lines: a map has fewer than {MAP}, move logic to a module"));
    }
    if !is_test_file(name) {
        problems.extend(long_functions(name, source));
    }
    problems
}

fn long_functions(name: &str, source: &Source) -> Vec<String> {
    let outside_tests = source.functions().into_iter().filter(|function| !source.is_test(function.start));
    outside_tests
        .filter_map(|function| {
            let lines = source.text[function.clone()].lines().count();
            let at = source.line_of(function.start);
            (lines > FUNCTION)
                .then(|| format!("{name}:{at}: a function of {lines} lines: split it, {FUNCTION} is the most"))
        })
        .collect()
}

/// Whether a file holds nothing but tests or benches.
pub(super) fn is_test_file(name: &str) -> bool {
    let folder = ["tests/", "benches/"].iter().any(|f| name.starts_with(f) || name.contains(&format!("/{f}")));
    folder || ["_test.rs", "_tests.rs", "/tests.rs", "/test.rs"].iter().any(|end| name.ends_with(end))
}

/// What is too long in a document.
pub(super) fn judge_page(name: &str, text: &str) -> Option<String> {
    let (_, most) = PAGES.iter().find(|(page, _)| *page == name)?;
    let lines = text.lines().count();
    (lines > *most).then(|| format!("{name} has {lines} lines: shorten it, {most} is the most"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str, expected: &[&str]) {
        let problems = judge(name, &Source::new(text.to_owned()));
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, part) in problems.iter().zip(expected) {
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn a_long_file_explains_itself_and_a_very_long_one_is_split() {
        check("src/a.rs", &"x\n".repeat(400), &[]);
        check("src/a.rs", &"x\n".repeat(401), &["explain"]);
        check("src/a.rs", &format!("//! Long because: it is a table.\n{}", "x\n".repeat(401)), &[]);
        check("src/a.rs", &format!("//! Long because: it is a table.\n{}", "x\n".repeat(701)), &["split it, 700"]);
        check("src/lib.rs", &"x\n".repeat(100), &["a map"]);
    }

    #[test]
    fn functions_outside_tests_fit_on_a_screen() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        check("src/a.rs", &function(70), &[]);
        check("src/a.rs", &function(71), &["src/a.rs:1: a function of 71 lines"]);
        check("src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{}}}", function(90)), &[]);
        check("tests/a.rs", &function(90), &[]);
    }

    #[test]
    fn the_readme_stays_on_one_page() {
        assert!(judge_page("README.md", &"x\n".repeat(131)).is_some());
        assert!(judge_page("CHANGELOG.md", &"x\n".repeat(131)).is_none());
    }
}
