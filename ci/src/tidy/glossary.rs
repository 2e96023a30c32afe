//! The glossary is sorted, defines each word once, and what it points at exists.
//!
//! A row reads `| word | meaning | where |`; `where` names the item in code as `` `path` `Item` ``, or is empty for words
//! that are no item.

use anyhow::{Context, Result};
use std::path::Path;

const GLOSSARY: &str = "docs/GLOSSARY.md";

/// What is wrong with the glossary.
pub(super) fn judge(root: &Path) -> Result<Vec<String>> {
    let file = root.join(GLOSSARY);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(judge_text(&text, &|path| std::fs::read_to_string(root.join(path)).ok()))
}

fn judge_text(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut last = String::new();
    let rows = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with("| **"));
    let mut count = 0;
    for (number, line) in rows {
        count += 1;
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [word, meaning, place] = cells.as_slice() else {
            problems.push(format!("{GLOSSARY}:{number}: a row has three cells: word, meaning, where"));
            continue;
        };
        let word = word.trim_matches('*').to_lowercase();
        if word <= last {
            problems.push(format!("{GLOSSARY}:{number}: `{word}` is out of order or defined twice"));
        }
        if meaning.is_empty() {
            problems.push(format!("{GLOSSARY}:{number}: `{word}` has no meaning"));
        }
        problems.extend(missing(place, read).map(|what| format!("{GLOSSARY}:{number}: `{word}` points at {what}")));
        last = word;
    }
    if count == 0 {
        problems.push(format!("{GLOSSARY} defines no word: rows start with `| **word** |`"));
    }
    problems
}

/// What `place` names that does not exist.
fn missing(place: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut quoted = place.split('`').skip(1).step_by(2);
    let path = quoted.next()?;
    let Some(text) = read(path) else { return Some(format!("`{path}`, which is not there")) };
    let item = quoted.find(|item| !text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *item))?;
    Some(format!("`{item}`, which is not in {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let problems = judge_text(text, &|path| (path == "a.rs").then(|| "pub struct Block {}".to_owned()));
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, part) in problems.iter().zip(expected) {
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn words_are_sorted_unique_and_point_at_code() {
        check("| **block** | rows | `a.rs` `Block` |\n| **case** | one | |\n", &[]);
        check("| **case** | one | |\n| **block** | rows | |\n", &["`block` is out of order"]);
        check("| **case** | one | |\n| **case** | two | |\n", &["defined twice"]);
        check("| **block** | rows | `a.rs` `Blob` |\n", &["`Blob`, which is not in a.rs"]);
        check("| **block** | rows | `b.rs` |\n", &["`b.rs`, which is not there"]);
        check("| **block** | rows |\n", &["three cells"]);
        check("nothing\n", &["defines no word"]);
    }
}
