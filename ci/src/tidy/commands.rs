//! Command lines shown in documents are ones that the program understands: the command exists and its help lists every
//! flag.
//!
//! Looked at are lines of fenced blocks, and text in backticks, that start with `bench ` or `cargo run --release -- `.
//! What a program printed between `<!-- output -->` marks is left to `generated`, and so is the value of a flag to the
//! program.

use anyhow::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Says what `bench COMMAND.. --help` prints; none if there is no such command.
pub(super) type Help<'a> = &'a dyn Fn(&[&str]) -> Result<Option<String>>;

/// Command lines that are not understood, in every document that people read for instructions.
pub(super) fn judge(root: &Path, files: &[PathBuf], help: Help<'_>) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut known = BTreeMap::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        // What changed once, or was decided once, stays as it was written.
        if name == "CHANGELOG.md" || name.starts_with("docs/decisions/") {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap_or_default();
        for (number, line) in shown(&text) {
            if let Some(why) = problem(&line, &mut known, help)? {
                problems.push(format!("{name}:{number}: `{line}` is not understood: {why}"));
            }
        }
    }
    Ok(problems)
}

/// Command lines without the program's name, with where they stand.
fn shown(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut fenced, mut printed) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        printed = (printed || line.starts_with("<!-- output:")) && line != "<!-- end of output -->";
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced && !printed {
            found.extend(command(line).map(|c| (number, c)));
        } else if !printed {
            found.extend(line.split('`').skip(1).step_by(2).filter_map(command).map(|c| (number, c)));
        }
    }
    found
}

/// What follows the program's name, up to a comment or to what the shell does with it.
fn command(text: &str) -> Option<String> {
    let text = text.trim_start().trim_start_matches("$ ").trim_start_matches("target/release/");
    let rest = text.strip_prefix("bench ").or_else(|| text.strip_prefix("cargo run --release -- "))?;
    let end =
        [" #", " |", " >", " &&", ";", " <"].iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len());
    Some(rest[..end].trim().to_owned())
}

fn problem(line: &str, known: &mut BTreeMap<String, Option<String>>, help: Help<'_>) -> Result<Option<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(first) = words.first().filter(|word| is_command(word)) else { return Ok(None) };
    let mut of = |path: &[&str]| -> Result<Option<String>> {
        let key = path.join(" ");
        if !known.contains_key(&key) {
            known.insert(key.clone(), help(path)?);
        }
        Ok(known.get(&key).cloned().flatten())
    };
    let Some(mut text) = of(&[first])? else { return Ok(Some(format!("there is no command `{first}`"))) };
    // A second word is a command where the first one has commands, else a value.
    if text.contains("\nCommands:") {
        let Some(second) = words.get(1).filter(|word| is_command(word)) else { return Ok(None) };
        text = match of(&[first, second])? {
            Some(text) => text,
            None => return Ok(Some(format!("`{first}` has no command `{second}`"))),
        };
    }
    let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    let flags =
        flags.map(|flag| flag.split_once('=').map_or(*flag, |(flag, _)| flag).trim_end_matches(['.', ',', ')']));
    let mut unknown = flags.filter(|flag| !text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|w| w == *flag));
    Ok(unknown.next().map(|flag| format!("it has no flag `{flag}`")))
}

/// Words in capitals stand for something, and flags come after the command.
fn is_command(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(path: &[&str]) -> Result<Option<String>> {
        Ok(match path {
            ["run"] => Some("Options:\n  --suite <NAME>\n  --trials <N>".to_owned()),
            ["data"] => Some("Usage\n\nCommands:\n  make".to_owned()),
            ["data", "make"] => Some("--scale <FACTOR>".to_owned()),
            _ => None,
        })
    }

    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(problem(line, &mut BTreeMap::new(), &help).unwrap().as_deref(), expected, "{line}");
    }

    #[test]
    fn commands_and_flags_must_be_in_the_help() {
        check("run --suite 1gb --trials=10", None);
        check("run --suite 1gb --speed 9", Some("it has no flag `--speed`"));
        check("run --suit 1gb", Some("it has no flag `--suit`"));
        check("rnu --suite 1gb", Some("there is no command `rnu`"));
        check("data make --scale 2", None);
        check("data mak --scale 2", Some("`data` has no command `mak`"));
        check("data", None);
        check("--help", None);
        check("COMMAND --help", None);
    }

    #[test]
    fn lines_are_found_in_blocks_and_in_text_but_not_in_output() {
        let text = "`bench run --suite a` and `cargo test`\n```text\n$ bench data make  # all\nbench run | head\nbenches\n```\n\
                    <!-- output: bench list -->\n```text\nbench nosuch\n```\n<!-- end of output -->\n\
                    ```text\ncargo run --release -- run --suite b\n```\n";
        let expected = [(1, "run --suite a"), (3, "data make"), (4, "run"), (13, "run --suite b")];
        assert_eq!(shown(text), expected.map(|(number, line)| (number, line.to_owned())));
    }
}
