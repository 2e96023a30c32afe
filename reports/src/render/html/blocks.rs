//! The sheets of the other formats as HTML. Names of contestants lead to their observations.

use super::markup::{Grid, Head, Td, heading, link, list, paragraph};
use crate::plain::html as escape;
use crate::render::layout::{Block, Kind, Sheet, Tone};

/// The id of where the observations of whoever has this name are.
type Places<'p> = &'p dyn Fn(&str) -> Option<String>;

pub(super) fn body(blocks: &[Block], places: Places<'_>) -> String {
    let (mut out, mut items, mut title) = (String::new(), Vec::new(), String::new());
    for block in blocks {
        if !matches!(block, Block::Item(_)) {
            out.push_str(&list(&std::mem::take(&mut items)));
        }
        match block {
            Block::Heading(_, text) => {
                out.push_str(&heading(text));
                title.clone_from(text);
            }
            Block::Text(text) => out.push_str(&paragraph("note", &escape(text))),
            Block::Item(text) => items.push(escape(text)),
            Block::Sheet(sheet) => out.push_str(&grid(sheet, &title, places).html()),
        }
    }
    out.push_str(&list(&items));
    out
}

/// What words sort by if they are a ratio with its interval or its verdict: `1.3x 1.1–1.5`, or the middle of `indistinguishable 0.9–1.1`.
fn ratio_of(words: &str) -> Option<f64> {
    if let Some(interval) = words.strip_prefix("indistinguishable") {
        let ends = interval.split_once('–');
        let ends =
            ends.and_then(|(low, high)| Some((low.trim().parse::<f64>().ok()?, high.trim().parse::<f64>().ok()?)));
        return Some(ends.map_or(1.0, |(low, high)| (low * high).sqrt()));
    }
    words.split_once('x').and_then(|(number, _)| number.parse().ok())
}

fn grid(sheet: &Sheet, caption: &str, places: Places<'_>) -> Grid {
    let heads = sheet.columns.iter().map(|c| Head { title: c.title.clone(), is_number: c.kind == Kind::Number });
    let rows = sheet.rows.iter().map(|row| {
        let class = match row.tone {
            Tone::Bad => "bad",
            Tone::Faint => "faint",
            Tone::Plain | Tone::Good => "",
        };
        let own = row.cells.iter().zip(&sheet.columns).filter(|(_, column)| column.kind == Kind::Name);
        let mut who = row.about.iter().chain(own.map(|(text, _)| text));
        let named = who.find_map(|label| places(label));
        let cells = row.cells.iter().zip(&sheet.columns).enumerate().map(|(at, (text, column))| {
            let value = match column.kind {
                Kind::Name => None,
                Kind::Number => text.trim_end_matches('*').parse().ok(),
                Kind::Words => ratio_of(text),
            };
            let text = match column.kind {
                Kind::Name => {
                    // A row is about somebody even where its first name is of a part, or of several.
                    let about = || named.clone().filter(|_| at == 0 && row.about.is_some());
                    link(places(text).or_else(about).as_deref(), text, true)
                }
                Kind::Number if text == "-" || text.is_empty() => escape(text),
                Kind::Number => link(named.clone().or_else(|| places(&column.title)).as_deref(), text, false),
                Kind::Words if value.is_some() => link(named.as_deref(), text, false),
                Kind::Words => escape(text),
            };
            Td::html(text).sorted_by(value).of_class(class)
        });
        cells.collect()
    });
    Grid { caption: caption.to_owned(), heads: heads.collect(), rows: rows.collect(), filtered: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_sort_by_their_value_and_other_words_by_their_letters() {
        let values =
            ["1.25x 1.20–1.31", "0.85x, n < 2", "indistinguishable 0.80–1.25", "best", "6 of 21"].map(ratio_of);
        assert_eq!(values, [Some(1.25), Some(0.85), Some(1.0), None, None]);
    }
}
