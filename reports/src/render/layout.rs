//! Blocks of a document laid out as text within [`WIDTH`] columns, or as Markdown.

use super::{Ink, WIDTH};
use crate::plain::{self, cut, plain};
use crate::shortened::Shortened;
use std::fmt::Write;

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

/// A table.
pub(super) struct Sheet {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
}

/// A column of a table.
pub(super) struct Column {
    pub(super) title: String,
    pub(super) kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name: on the left, cut short where space is.
    Name,
    /// Words.
    Words,
    /// Numbers: on the right, never cut, though their title may be.
    Number,
}

/// A row of a table.
pub(super) struct Row {
    /// Whose trials its numbers are of, where no name in the row tells: those of a part, a ratio or a point.
    pub(super) about: Option<String>,
    pub(super) cells: Vec<String>,
    pub(super) tone: Tone,
}

/// What a row says, repeated by color.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Faint,
}

/// The least a name or words are cut to.
const SHORTEST: usize = 8;

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

/// Words in lines of at most [`WIDTH`]; a longer word is broken.
fn wrap(out: &mut String, words: &str, first: &str, rest: &str) {
    let mut current = first.to_owned();
    let mut has_word = false;
    for word in plain(words).split_whitespace() {
        let mut word = word;
        loop {
            let space = usize::from(has_word);
            let left = WIDTH.saturating_sub(width(&current) + space);
            if width(word) <= left {
                current.push_str(if has_word { " " } else { "" });
                current.push_str(word);
                has_word = true;
                break;
            }
            if has_word {
                line(out, &current);
                current = rest.to_owned();
                has_word = false;
            } else {
                let at = word.char_indices().nth(left).map_or(word.len(), |(i, _)| i);
                let (head, tail) = word.split_at(at);
                line(out, &format!("{current}{head}"));
                current = rest.to_owned();
                word = tail;
            }
        }
    }
    if has_word {
        line(out, &current);
    }
}

impl Sheet {
    /// The gap between columns, and columns as wide as their widest cell. Where that is too much the gap narrows, then
    /// the widest name is cut until the rest fits, and words once all names are short. The title of a column of numbers
    /// counts as a name; its numbers are never cut.
    fn widths(&self) -> (usize, Vec<usize>) {
        let widest_cell = |i: usize| self.rows.iter().map(|r| r.cells.get(i).map_or(0, |c| width(&plain(c)))).max();
        let cells: Vec<usize> = (0..self.columns.len()).map(|i| widest_cell(i).unwrap_or_default()).collect();
        let titles = self.columns.iter().map(|c| width(&plain(&c.title)));
        // What is wider than the page is cut anyway, and not a character at a time.
        let fits = |column: &Column, cell: usize| if column.kind == Kind::Number { cell } else { cell.min(WIDTH) };
        let wanted = self.columns.iter().zip(&cells).zip(titles);
        let mut widths: Vec<usize> =
            wanted.map(|((column, cell), title)| title.min(WIDTH).max(fits(column, *cell))).collect();
        let least = |(column, cell): (&Column, &usize)| match column.kind {
            Kind::Number => SHORTEST.max(*cell),
            Kind::Name | Kind::Words => SHORTEST,
        };
        let least: Vec<usize> = self.columns.iter().zip(&cells).map(least).collect();
        let total = |widths: &[usize], gap: usize| widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1);
        let gap = if total(&widths, 2) > WIDTH { 1 } else { 2 };
        while total(&widths, gap) > WIDTH {
            let long = |words: bool| {
                let of_kind = self.columns.iter().map(move |c| (c.kind == Kind::Words) == words);
                let long = widths.iter().zip(&least).enumerate().zip(of_kind);
                long.filter(|((_, (w, least)), yes)| *yes && w > least).map(|((i, (w, _)), _)| (*w, i)).max()
            };
            let Some((_, widest)) = long(false).or_else(|| long(true)) else { break };
            widths.get_mut(widest).into_iter().for_each(|w| *w -= 1);
        }
        (gap, widths)
    }

    fn text(&self, out: &mut String, ink: Ink) {
        let (gap, widths) = self.widths();
        let header = self.aligned(&self.titles(&widths), gap, &widths);
        let names = self.names(&widths);
        line(out, &header);
        line(out, &"-".repeat(width(header.trim_end())));
        let mut above: Option<&String> = None;
        for row in &self.rows {
            let mut cells = row.cells.clone();
            // A name that repeats the row above is left out: the eye sees the group.
            if let Some(first) = cells.first_mut()
                && self.columns.first().is_some_and(|c| c.kind == Kind::Name)
                && above == row.cells.first()
            {
                first.clear();
            }
            above = row.cells.first();
            for (cell, names) in cells.iter_mut().zip(&names).filter(|(cell, _)| !cell.is_empty()) {
                if let Some(names) = names {
                    *cell = names.text(cell);
                }
            }
            let text = self.aligned(&cells, gap, &widths);
            line(out, &paint(text.trim_end(), row.tone, ink));
        }
    }

    /// Titles that fit, no two of different ones alike.
    fn titles(&self, widths: &[usize]) -> Vec<String> {
        let titles = || self.columns.iter().map(|c| c.title.as_str());
        let short = titles().zip(widths).map(|(title, to)| Shortened::of(titles(), *to).text(title));
        short.collect()
    }

    /// By column: what its names are cut to, if it holds names.
    fn names(&self, widths: &[usize]) -> Vec<Option<Shortened>> {
        let cells = |i: usize| self.rows.iter().filter_map(move |r| r.cells.get(i)).map(String::as_str);
        let columns = self.columns.iter().zip(widths).enumerate();
        columns.map(|(i, (c, to))| (c.kind == Kind::Name).then(|| Shortened::of(cells(i), *to))).collect()
    }

    fn aligned(&self, cells: &[String], gap: usize, widths: &[usize]) -> String {
        let (mut text, mut first) = (String::new(), true);
        for ((cell, to), column) in cells.iter().zip(widths).zip(&self.columns) {
            let cell = cut(&plain(cell), *to);
            let gap = " ".repeat(if first { 0 } else { gap });
            first = false;
            // Writing to a string cannot fail.
            let _ = match column.kind {
                Kind::Number => write!(text, "{gap}{cell:>to$}"),
                Kind::Name | Kind::Words => write!(text, "{gap}{cell:<to$}"),
            };
        }
        text
    }

    fn markdown(&self, out: &mut String) {
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|c| plain::markdown(c)).collect();
            format!("| {} |", cells.join(" | "))
        };
        let titles: Vec<String> = self.columns.iter().map(|c| c.title.clone()).collect();
        line(out, &row(&titles));
        let rules = self.columns.iter().map(|c| if c.kind == Kind::Number { "---:" } else { "---" });
        line(out, &format!("|{}|", rules.collect::<Vec<_>>().join("|")));
        for r in &self.rows {
            line(out, &row(&r.cells));
        }
    }
}

fn paint(text: &str, tone: Tone, ink: Ink) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Faint => "2",
    };
    match ink {
        Ink::Plain => text.to_owned(),
        Ink::Color => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sheet(cells: Vec<Vec<String>>) -> Sheet {
        let kinds = [Kind::Name, Kind::Name, Kind::Number];
        let columns = kinds.map(|kind| Column { title: "title".into(), kind });
        let rows = cells.into_iter().map(|cells| Row { about: None, cells, tone: Tone::Plain });
        Sheet { columns: columns.into(), rows: rows.collect() }
    }

    #[test]
    fn long_names_are_cut_and_numbers_are_not() {
        let rows = vec![vec!["w".repeat(90), "e".repeat(60), "123.456".into()]];
        let shown = text(&[Block::Sheet(sheet(rows))], Ink::Plain);
        assert!(shown.contains("123.456") && shown.contains('…'), "{shown}");
        assert!(shown.lines().all(|l| width(l) <= WIDTH), "{shown}");
    }

    #[test]
    fn long_titles_of_numbers_are_cut_before_the_page_gets_too_wide() {
        let mut wide = sheet(vec![vec!["shuffle_write".into(), "x".into(), "12.3".into()]]);
        for end in ["one", "two"] {
            let title = format!("stagedag+partitions=4096,speculation=off,adaptive=off {end}");
            wide.columns.push(Column { title, kind: Kind::Number });
            wide.rows.iter_mut().for_each(|r| r.cells.push("45.6".into()));
        }
        let shown = text(&[Block::Sheet(wide)], Ink::Plain);
        assert!(shown.lines().all(|l| width(l) <= WIDTH), "{shown}");
        for whole in ["shuffle_write", "12.3", "45.6", "off one", "off two"] {
            assert!(shown.contains(whole), "{whole}: {shown}");
        }
    }

    #[test]
    fn different_titles_and_names_stay_different_however_narrow_the_page() {
        let name = |i: usize| format!("taskgraph/4+config=tuned,number={i},memory=64MiB,spans=on");
        let mut wide = sheet(vec![]);
        wide.columns = vec![Column { title: "kind".into(), kind: Kind::Name }];
        wide.columns.extend((0..9).map(|i| Column { title: name(i), kind: Kind::Number }));
        wide.rows = (0..9)
            .map(|i| Row {
                about: None,
                cells: [name(i)].into_iter().chain((0..9).map(|n| n.to_string())).collect(),
                tone: Tone::Plain,
            })
            .collect();
        let shown = text(&[Block::Sheet(wide)], Ink::Plain);
        assert!(shown.lines().all(|l| width(l) <= WIDTH), "{shown}");
        let distinct = |words: Vec<&str>| words.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(distinct(shown.lines().next().unwrap().split_whitespace().collect()), 10, "{shown}");
        assert_eq!(
            distinct(shown.lines().skip(2).map(|l| l.split_whitespace().next().unwrap()).collect()),
            9,
            "{shown}"
        );
    }

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
