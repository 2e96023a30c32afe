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

/// Whether words are a ratio with its interval or its verdict.
fn is_ratio(words: &str) -> bool {
    let number = words.split_once('x').map(|(number, _)| number);
    number.is_some_and(|number| number.parse::<f64>().is_ok()) || words.starts_with("indistinguishable")
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
            let is_number = column.kind == Kind::Number;
            let value = is_number.then(|| text.parse::<f64>().ok()).flatten();
            let text = match column.kind {
                Kind::Name => {
                    // A row is about somebody even where its first name is of a part, or of several.
                    let about = || named.clone().filter(|_| at == 0 && row.about.is_some());
                    link(places(text).or_else(about).as_deref(), text, true)
                }
                Kind::Number if text == "-" || text.is_empty() => escape(text),
                Kind::Number => link(named.clone().or_else(|| places(&column.title)).as_deref(), text, false),
                Kind::Words if is_ratio(text) => link(named.as_deref(), text, false),
                Kind::Words => escape(text),
            };
            Td::html(text).sorted_by(value).of_class(class)
        });
        cells.collect()
    });
    Grid { caption: caption.to_owned(), heads: heads.collect(), rows: rows.collect(), filtered: false }
}
