//! A recommendation as text, Markdown or JSON.

use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::wording::column;
use super::{Format, Ink, recommend_words as words};
use crate::recommend::Recommendation;

/// Writes it.
pub(crate) fn recommendation(r: &Recommendation, format: Format, ink: Ink) -> String {
    match format {
        Format::Table => layout::text(&blocks(r), ink),
        Format::Markdown => layout::markdown(&blocks(r)),
        Format::Json => {
            let mut text = serde_json::to_string_pretty(r).unwrap_or_default();
            text.push('\n');
            text
        }
    }
}

fn blocks(r: &Recommendation) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, "Recommendation".to_owned()), Block::Text(words::answer(r))];
    for part in words::parts(r) {
        blocks.push(Block::Heading(2, part.title));
        if !part.rows.is_empty() {
            let kind = |(i, number): (usize, bool)| match (i, number) {
                (0, _) => Kind::Name,
                (_, true) => Kind::Number,
                (_, false) => Kind::Words,
            };
            let columns =
                part.columns.iter().enumerate().map(|(i, (title, n))| column(*title, kind((i, *n)))).collect();
            let rows = part.rows.into_iter().map(|cells| Row { about: None, cells, tone: Tone::Plain }).collect();
            blocks.push(Block::Sheet(Sheet { columns, rows }));
        }
        blocks.extend(part.items.into_iter().map(Block::Item));
    }
    blocks
}
