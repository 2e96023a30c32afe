//! Blocks of a document laid out as text within [`WIDTH`] columns, or as Markdown.

mod sheet;

pub(crate) use sheet::{Column, Kind, Row, Sheet, Tone};

use super::{Ink, WIDTH};
use crate::plain::{self, cut, plain};

/// A part of a document.
pub(super) enum Block {
    /// A title; 1 is the highest level.
    Heading(usize, String),
    /// A paragraph.
    Text(String),
    /// An entry of a list.
    Item(String),
    /// A table.
    Sheet(Sheet),
}

/// Plain text: tables aligned, paragraphs wrapped.
pub(super) fn text(blocks: &[Block], ink: Ink) -> String {
    let mut out = String::new();
    let mut after_item = false;
    for block in blocks {
        let is_item = matches!(block, Block::Item(_));
        if !(out.is_empty() || is_item && after_item) {
            out.push('\n');
        }
        after_item = is_item;
        match block {
            Block::Heading(level, title) => heading(&mut out, *level, title),
            Block::Text(words) => wrap(&mut out, words, "", ""),
            Block::Item(words) => wrap(&mut out, words, "- ", "  "),
            Block::Sheet(sheet) => sheet.text(&mut out, ink),
        }
    }
    out
}

/// Markdown: nothing is cut or wrapped.
pub(super) fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    let mut after_item = false;
    for block in blocks {
        let is_item = matches!(block, Block::Item(_));
        if !(out.is_empty() || is_item && after_item) {
            out.push('\n');
        }
        after_item = is_item;
        match block {
            Block::Heading(level, title) => {
                line(&mut out, &format!("{} {}", "#".repeat(*level), plain::markdown_line(title)));
            }
            Block::Text(words) => line(&mut out, &plain::markdown_line(words)),
            Block::Item(words) => line(&mut out, &format!("- {}", plain::markdown_line(words))),
            Block::Sheet(sheet) => sheet.markdown(&mut out),
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn heading(out: &mut String, level: usize, title: &str) {
    let title = cut(&plain(title), WIDTH);
    line(out, &title);
    if level < 3 {
        line(out, &(if level == 1 { "=" } else { "-" }).repeat(width(&title)));
    }
}

/// Words in lines of at most [`WIDTH`]; a longer word is broken. Both beginnings are equally wide.
fn wrap(out: &mut String, words: &str, first: &str, rest: &str) {
    let room = WIDTH.saturating_sub(width(first)).max(1);
    let words = plain(words);
    let lines = fold(words.split_whitespace().flat_map(|word| pieces(word, room)), room);
    for (at, text) in lines.iter().enumerate() {
        line(out, &format!("{}{text}", if at == 0 { first } else { rest }));
    }
}

/// A word in pieces of at most so many characters.
fn pieces(word: &str, most: usize) -> impl Iterator<Item = &str> {
    let starts = word.char_indices().map(|(at, _)| at).step_by(most);
    let ends = word.char_indices().map(|(at, _)| at).step_by(most).skip(1).chain([word.len()]);
    starts.zip(ends).filter_map(|(from, to)| word.get(from..to))
}

/// Words in lines of at most so many characters; a longer word has a line of its own.
fn fold<'w>(words: impl IntoIterator<Item = &'w str>, to: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(last) if width(last) + 1 + width(word) <= to => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::sheet::tests::sheet;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reason_cannot_move_the_cursor_or_break_a_table() {
        let hostile = || sheet(vec![vec!["a|b\n".into(), "\u{1b}[2J\u{202e}<b>".into(), "1".into()]]);
        let shown = markdown(&[Block::Sheet(hostile()), Block::Item("[x](y)".into())]);
        assert!(shown.contains("| a\\|b  |  \\[2J\\<b\\> | 1 |") && shown.contains("- \\[x\\](y)"), "{shown}");
        let shown = text(&[Block::Sheet(hostile()), Block::Item("[x](y)".into())], Ink::Plain);
        assert!(shown.contains("a|b") && shown.contains(" [2J<b>") && shown.contains("- [x](y)"), "{shown}");
    }

    #[test]
    fn color_is_added_around_the_same_words() {
        let block = || {
            let mut sheet = sheet(vec![vec!["a".into(), "b".into(), "1".into()]]);
            sheet.rows.iter_mut().for_each(|r| r.tone = Tone::Bad);
            [Block::Sheet(sheet)]
        };
        let colored = text(&block(), Ink::Color);
        assert_eq!(colored.replace("\u{1b}[31m", "").replace("\u{1b}[0m", ""), text(&block(), Ink::Plain));
    }

    proptest! {
        #[test]
        fn no_line_of_words_is_wider_than_allowed(words in "[a-zé ]{0,400}") {
            let shown = text(&[Block::Text(words.clone()), Block::Item(words.clone())], Ink::Plain);
            prop_assert!(shown.lines().all(|l| width(l) <= WIDTH));
            let kept = |t: &str| t.chars().filter(|c| c.is_alphabetic()).count();
            prop_assert_eq!(kept(&shown), 2 * kept(&words));
        }
    }
}
