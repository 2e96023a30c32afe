//! Rust text with comments and strings blanked out, and where its tests are. Not a parser: just enough for tidy rules.

use anyhow::{Context, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A Rust source file.
pub(crate) struct Source {
    /// Its text.
    pub(crate) text: String,
    /// Its text with the contents of comments, strings and character literals replaced by spaces; same length.
    pub(crate) code: String,
    /// Where modules and functions marked `#[cfg(test)]` are, as offsets.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Reads a file.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self::new(text))
    }

    /// Takes the text of a file.
    pub(crate) fn new(text: String) -> Self {
        let code = blank(&text);
        let tests = code.match_indices("#[cfg(test)]").map(|(at, _)| at..block_end(&code, at)).collect();
        Self { text, code, tests }
    }

    /// Whether an offset is in test code.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The line of an offset, counted from 1.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// Functions with a body: the offset of `fn` and that behind the closing brace.
    pub(crate) fn functions(&self) -> Vec<Range<usize>> {
        let starts = self.code.match_indices("fn ").map(|(at, _)| at);
        let whole_word = starts.filter(|&at| !self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        whole_word.map(|at| at..block_end(&self.code, at)).filter(|f| self.code[f.clone()].ends_with('}')).collect()
    }

    /// Every path below `std` that the code names, and `std` where it is brought in under a name of its own. `use` groups are
    /// expanded; a module that is brought in whole (`std::time`, `std::time::{self}`, `std::time::*`) is the module.
    pub(crate) fn paths_named(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, word) in self.code.match_indices("std") {
            let (before, after) = (&self.code[..at], &self.code[at + word.len()..]);
            if before.ends_with(is_word) {
                continue;
            }
            if after.starts_with("::") {
                expand("", &self.code[at..], &mut found);
            } else if !after.starts_with(is_word) && brings_in(before) {
                found.push(word.to_owned());
            }
        }
        found
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether what ends here is the start of an import.
fn brings_in(before: &str) -> bool {
    let before = before.trim_end().trim_end_matches("::").trim_end();
    ["use", "extern crate"].iter().any(|start| before.ends_with(start))
}

/// Expands the path at the start of `text` (`a::{b, c::d}` is `a::b` and `a::c::d`, `a::*` and `a::{self}` are `a`) and says
/// how much text it took.
fn expand(prefix: &str, text: &str, found: &mut Vec<String>) -> usize {
    let is_name = |c: char| is_word(c) || c == ':';
    let module = |path: &str| path.trim_end_matches("::self").trim_end_matches(':').to_owned();
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    if !text[end..].starts_with('{') {
        found.push(module(&path));
        return end;
    }
    let mut at = end + 1;
    while let Some(c) = text[at..].chars().next() {
        if c == '}' {
            return at + 1;
        }
        if c == '*' {
            found.push(module(&path));
        }
        at += if is_name(c) || c == '{' { expand(&path, &text[at..], found).max(1) } else { c.len_utf8() };
    }
    at
}

/// The offset behind the block or statement that starts at `at`.
fn block_end(code: &str, at: usize) -> usize {
    let mut depth = 0usize;
    let mut brackets = 0usize;
    for (i, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => depth += 1,
            '}' if depth <= 1 => return at + i + 1,
            '}' => depth -= 1,
            ';' if depth == 0 && brackets == 0 => return at + i + 1,
            _ => {}
        }
    }
    code.len()
}

/// Replaces the contents of comments, strings and character literals by spaces, byte for byte; newlines stay.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (keep, drop) = token(rest, out.chars().next_back(), first);
        out.push_str(&rest[..keep]);
        out.extend(rest[keep..keep + drop].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
        rest = &rest[keep + drop..];
    }
    out
}

/// How many bytes at the start of `rest` are code, and how many behind them are to be blanked.
fn token(rest: &str, before: Option<char>, first: char) -> (usize, usize) {
    if rest.starts_with("//") {
        return (0, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (0, comment_length(rest));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let prefix = ["br", "r", "b", "c", ""].into_iter().find(|p| rest.starts_with(p)).unwrap_or("");
    let opened = &rest[prefix.len()..];
    if !in_word && prefix.ends_with('r') {
        let hashes = opened.len() - opened.trim_start_matches('#').len();
        if opened[hashes..].starts_with('"') {
            let open = prefix.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return (open, rest[open..].find(&close).unwrap_or(rest.len() - open) + close.len().min(rest.len() - open));
        }
    }
    match first {
        '"' => (1, quoted_length(&rest[1..], '"')),
        '\'' if is_character(&rest[1..]) => (1, quoted_length(&rest[1..], '\'')),
        _ => (first.len_utf8(), 0),
    }
}

/// Whether what follows a quote is a character literal rather than a lifetime.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

fn comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        let here = &rest[at..];
        let step = if here.starts_with("/*") {
            depth += 1;
            2
        } else if here.starts_with("*/") {
            depth -= 1;
            2
        } else {
            here.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Every Rust file below a folder, in order; build output and hidden folders are left out.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(files(folder)?.into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")).collect())
}

/// Every file below a folder, in order; build output, made data and hidden folders are left out.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    const LEFT_OUT: [&str; 4] = ["target", "bench-data", "results", ".git"];
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) {
                found.extend(files(&path)?);
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_blank(text: &str, expected: &str) {
        let blanked = blank(text);
        assert_eq!(blanked, expected);
        assert_eq!(blanked.len(), text.len());
    }

    #[test]
    fn comments_and_strings_are_blanked() {
        check_blank("a // x\nb", "a     \nb");
        check_blank("a /* x /* y */ */ b", &format!("a{}b", " ".repeat(17)));
        check_blank(r#"f("x\"y") + 1"#, &format!("f(\"{}) + 1", " ".repeat(5)));
        check_blank("let c = '\\''; let l: &'a str;", "let c = '   ; let l: &'a str;");
        check_blank("r#\"x\"y\"# b", "r#\"      b");
        check_blank("var\"s\"", "var\"  ");
        check_blank("\"unclosed", "\"        ");
    }

    #[test]
    fn functions_end_at_their_closing_brace() {
        let source = Source::new("fn a() { if x { \"}\" } }\nfn b();\nfn c(x: [u8; 2]) {}\n".to_owned());
        let bodies: Vec<&str> = source.functions().into_iter().map(|f| &source.text[f]).collect();
        assert_eq!(bodies, ["fn a() { if x { \"}\" } }", "fn c(x: [u8; 2]) {}"]);
    }

    #[test]
    fn tests_are_told_apart() {
        let source =
            Source::new("fn a() { one }\n#[cfg(test)]\nmod tests {\n fn b() { two }\n}\nfn c() { three }".to_owned());
        let at = |word: &str| source.text.find(word).unwrap();
        assert!(!source.is_test(at("one")) && source.is_test(at("two")) && !source.is_test(at("three")));
        assert_eq!(source.line_of(at("three")), 6);
    }

    #[test]
    fn use_groups_are_expanded() {
        let source =
            Source::new("use std::{fs, time::{Duration, Instant}};\nfn f() { std::thread::sleep(x) }".to_owned());
        let expected = ["std::fs", "std::time::Duration", "std::time::Instant", "std::thread::sleep"];
        assert_eq!(source.paths_named(), expected);
    }

    #[test]
    fn a_module_that_is_brought_in_whole_is_named() {
        let named = |text: &str| Source::new(text.to_owned()).paths_named();
        assert_eq!(named("use std::time;\nfn f() { time::Instant::now() }"), ["std::time"]);
        assert_eq!(named("use ::std::time as clock;"), ["std::time"]);
        assert_eq!(named("use std::time::*;"), ["std::time"]);
        assert_eq!(named("use std::{fmt, time::{self, Duration}};"), ["std::fmt", "std::time", "std::time::Duration"]);
        assert_eq!(named("use std::time::{*};"), ["std::time"]);
        for whole in ["use std::*;", "use std::{*};", "use std as s;", "use ::std as s;", "extern crate std as s;"] {
            assert_eq!(named(whole), ["std"], "{whole}");
        }
        assert_eq!(named("let std = f(my_std::x, stdin);"), [""; 0]);
    }
}
