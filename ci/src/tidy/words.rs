//! Words and names that have no place here.

use super::size::is_test_file;
use crate::source::Source;

/// File and folder names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "helpers", "common", "misc"];

/// Marks of unfinished work, written apart so that this file does not contain them.
fn unfinished_marks() -> [String; 3] {
    [["TO", "DO"], ["FIX", "ME"], ["X", "XX"]].map(|halves| halves.concat())
}

/// A name that says nothing.
pub(super) fn judge_name(name: &str) -> Vec<String> {
    let stem = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
    let empty = name.split('/').find(|part| EMPTY_NAMES.contains(&stem(part).as_str()));
    let leftover = [".snap.new", ".pending-snap", ".orig", ".rej"].iter().find(|end| name.ends_with(*end));
    let mut problems = Vec::new();
    problems.extend(empty.map(|part| format!("{name}: `{part}` says nothing: name it by what it knows")));
    problems.extend(leftover.map(|end| format!("{name}: a leftover `{end}` file: review it, then remove it")));
    problems
}

/// Unfinished work in any text.
pub(super) fn judge_text(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        for mark in unfinished_marks() {
            let mut words = content.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| word == mark) {
                problems.push(format!("{name}:{line}: {mark} marks unfinished work: finish it, or open an issue"));
            }
        }
    }
    problems
}

/// What clippy cannot see in a Rust file: `unwrap` inside macros, and silenced lints without a reason.
pub(super) fn judge_rust(name: &str, source: &Source) -> Vec<String> {
    let mut problems = judge_text(name, &source.text);
    let mut forbid = |needle: &str, why: &str| {
        for (at, _) in source.code.match_indices(needle) {
            if !source.is_test(at) && !is_test_file(name) {
                problems.push(format!("{name}:{}: {why}", source.line_of(at)));
            }
        }
    };
    forbid(".unwrap()", "`unwrap` outside tests: return an error, or use a method that cannot fail");
    forbid("#[allow(", "`allow` hides a lint for ever: use `#[expect(.., reason = \"..\")]`");
    forbid("#![allow(", "`allow` hides a lint for ever: use `#![expect(.., reason = \"..\")]`");
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_refused() {
        assert_eq!(judge_name("engines/plan/src/utils.rs").len(), 1);
        assert_eq!(judge_name("workloads/common/sort.rs").len(), 1);
        assert_eq!(judge_name("a/snapshots/b.snap.new").len(), 1);
        assert_eq!(judge_name("engines/plan/src/uncommon.rs"), Vec::<String>::new());
    }

    #[test]
    fn unfinished_work_is_refused_wherever_it_is_written() {
        let [first, second, _] = unfinished_marks();
        assert_eq!(judge_text("a.md", &format!("fine\n{first}: more\n// {second}\n")).len(), 2);
        assert!(judge_text("a.md", "PREFIXED_TODOS and XXXL are words\n").is_empty());
    }

    #[test]
    fn unwrap_is_for_tests() {
        let judge = |name: &str, text: &str| judge_rust(name, &Source::new(text.to_owned())).len();
        assert_eq!(judge("src/a.rs", "macro_rules! m { () => { x.unwrap() } }"), 1);
        assert_eq!(judge("src/a.rs", "// x.unwrap()\nlet s = \".unwrap()\";"), 0);
        assert_eq!(judge("src/a.rs", "#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }"), 0);
        assert_eq!(judge("tests/a.rs", "fn f() { x.unwrap() }"), 0);
        assert_eq!(judge("src/a.rs", "#[allow(dead_code)]\nfn f() {}"), 1);
    }
}
