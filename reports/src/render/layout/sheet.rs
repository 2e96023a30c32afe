//! Tables as text within [`WIDTH`] columns, or as Markdown.

use super::{fold, line, width};
use crate::plain::{self, cut, plain};
use crate::render::{Ink, WIDTH};
use crate::shortened::Shortened;
use std::fmt::Write;

/// A table.
pub(crate) struct Sheet {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

/// A column of a table.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name: on the left, cut short where space is.
    Name,
    /// Words.
    Words,
    /// Numbers: on the right, never cut, though their title may be.
    Number,
}

/// A row of a table.
pub(crate) struct Row {
    /// Whose trials its numbers are of, where no name in the row tells: those of a part, a ratio or a point.
    pub(crate) about: Option<String>,
    pub(crate) cells: Vec<String>,
    pub(crate) tone: Tone,
}

/// What a row says, repeated by color.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Faint,
}

/// The least a name or words are cut to.
const SHORTEST: usize = 8;

/// How a table that is too wide becomes narrower, one after the other.
#[derive(Clone, Copy)]
enum Step {
    Fold,
    CutNames,
    CutWords,
}

impl Sheet {
    /// The gap between columns, and columns as wide as their widest cell. Where that is too much the gap narrows, then words are
    /// folded over several lines, then the widest name is cut until the rest fits, and words once all names are short. The title of a
    /// column of numbers counts as a name; its numbers are never cut.
    fn widths(&self) -> (usize, Vec<usize>) {
        let widest = |i: usize, of: fn(&str) -> usize| {
            self.rows.iter().map(|r| r.cells.get(i).map_or(0, |c| of(&plain(c)))).max().unwrap_or_default()
        };
        let columns = || self.columns.iter().enumerate();
        let wanted = columns().map(|(i, c)| {
            // What is wider than the page is cut anyway, and not a character at a time.
            let cell = if c.kind == Kind::Number { widest(i, width) } else { widest(i, width).min(WIDTH) };
            width(&plain(&c.title)).min(WIDTH).max(cell)
        });
        let mut widths: Vec<usize> = wanted.collect();
        let total = |widths: &[usize], gap: usize| widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1);
        let gap = if total(&widths, 2) > WIDTH { 1 } else { 2 };
        let folded: Vec<usize> = columns().map(|(i, _)| SHORTEST.max(widest(i, longest_word))).collect();
        let cut: Vec<usize> = columns()
            .map(|(i, c)| if c.kind == Kind::Number { SHORTEST.max(widest(i, width)) } else { SHORTEST })
            .collect();
        let least = |step: Step, i: usize, kind: Kind, now: usize| match (step, kind) {
            (Step::Fold | Step::CutNames, Kind::Words) => folded.get(i).copied().unwrap_or(now),
            (Step::Fold, Kind::Name | Kind::Number) => now,
            (Step::CutNames | Step::CutWords, _) => cut.get(i).copied().unwrap_or(now),
        };
        for step in [Step::Fold, Step::CutNames, Step::CutWords] {
            while total(&widths, gap) > WIDTH {
                let long = columns().zip(&widths).filter(|((i, c), w)| **w > least(step, *i, c.kind, **w));
                let Some((_, widest)) = long.map(|((i, _), w)| (*w, i)).max() else { break };
                widths.get_mut(widest).into_iter().for_each(|w| *w -= 1);
            }
        }
        (gap, widths)
    }

    pub(super) fn text(&self, out: &mut String, ink: Ink) {
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
            for cells in self.folded(cells, &widths) {
                let text = self.aligned(&cells, gap, &widths);
                line(out, &paint(text.trim_end(), row.tone, ink));
            }
        }
    }

    /// A row as so many lines as its longest words take.
    fn folded(&self, cells: Vec<String>, widths: &[usize]) -> Vec<Vec<String>> {
        let parts = cells.into_iter().zip(&self.columns).zip(widths).map(|((cell, column), to)| match column.kind {
            Kind::Words => fold(plain(&cell).split_whitespace(), *to),
            Kind::Name | Kind::Number => vec![cell],
        });
        let parts: Vec<Vec<String>> = parts.collect();
        let lines = parts.iter().map(Vec::len).max().unwrap_or_default().max(1);
        (0..lines).map(|at| parts.iter().map(|p| p.get(at).cloned().unwrap_or_default()).collect()).collect()
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

    pub(super) fn markdown(&self, out: &mut String) {
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

fn longest_word(text: &str) -> usize {
    text.split_whitespace().map(width).max().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::render::layout::{Block, text};

    pub(in crate::render::layout) fn sheet(cells: Vec<Vec<String>>) -> Sheet {
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
    fn words_are_folded_before_names_are_cut_and_nothing_of_them_is_lost() {
        let column = |title: &str, kind| Column { title: title.into(), kind };
        let columns = vec![column("engine", Kind::Name), column("ratio", Kind::Words), column("mean", Kind::Words)];
        let row = |name: &str, words: &str| Row {
            about: None,
            cells: vec![name.into(), words.into(), words.into()],
            tone: Tone::Plain,
        };
        let words = "indistinguishable 0.94–1.00 of all that both completed";
        let rows = vec![row("dask-datafusion", words), row("spark", "11.7x 11.3–12.1")];
        let shown = text(&[Block::Sheet(Sheet { columns, rows })], Ink::Plain);
        assert!(shown.contains("dask-datafusion") && !shown.contains('…'), "{shown}");
        assert!(shown.lines().all(|l| width(l) <= WIDTH), "{shown}");
        assert!(words.split(' ').all(|word| shown.matches(word).count() == 2), "{shown}");
        assert_eq!(shown.lines().filter(|l| l.starts_with("spark")).count(), 1, "a row that fits is one line: {shown}");
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
}
