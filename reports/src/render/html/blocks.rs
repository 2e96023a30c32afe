//! The sheets of the other formats as HTML. Names of contestants lead to their observations.

use super::Section;
use super::anchors::Anchors;
use super::markup::{Grid, Head, Td, heading, link, list, paragraph};
use crate::plain::html as escape;
use crate::render::layout::{Block, Kind, Sheet, Tone};
use bench_record::Family;

/// Where the observations of contestants are.
type Places<'p, 'a> = Option<(&'p Anchors<'a>, Family)>;

/// A section of these blocks; none of none.
pub(super) fn section(id: &str, title: &str, blocks: &[Block]) -> Option<Section> {
    let section = || Section { id: id.to_owned(), title: title.to_owned(), body_html: body(blocks, None) };
    (!blocks.is_empty()).then(section)
}

pub(super) fn body(blocks: &[Block], places: Places<'_, '_>) -> String {
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

fn grid(sheet: &Sheet, caption: &str, places: Places<'_, '_>) -> Grid {
    let heads = sheet.columns.iter().map(|c| Head { title: c.title.clone(), is_number: c.kind == Kind::Number });
    let rows = sheet.rows.iter().map(|row| {
        let class = match row.tone {
            Tone::Bad => "bad",
            Tone::Faint => "faint",
            Tone::Plain | Tone::Good => "",
        };
        let own = row.cells.iter().zip(&sheet.columns).filter(|(_, column)| column.kind == Kind::Name);
        let mut who = row.about.iter().chain(own.map(|(text, _)| text));
        let named = places.and_then(|(anchors, family)| who.find_map(|label| anchors.group(family, label)));
        let cells = row.cells.iter().zip(&sheet.columns).map(|(text, column)| {
            let place = places.and_then(|(anchors, family)| anchors.group(family, text));
            let is_number = column.kind == Kind::Number;
            let of_column = || places.and_then(|(anchors, family)| anchors.group(family, &column.title));
            let value = is_number.then(|| text.parse::<f64>().ok()).flatten();
            let text = match column.kind {
                Kind::Name => link(place.as_deref(), text, true),
                Kind::Number if text == "-" || text.is_empty() => escape(text),
                Kind::Number => link(named.clone().or_else(of_column).as_deref(), text, false),
                Kind::Words if is_ratio(text) => link(named.as_deref(), text, false),
                Kind::Words => escape(text),
            };
            Td::html(text).sorted_by(value).of_class(class)
        });
        cells.collect()
    });
    Grid { caption: caption.to_owned(), heads: heads.collect(), rows: rows.collect(), filtered: false }
}
