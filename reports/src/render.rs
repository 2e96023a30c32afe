//! A [`Comparison`] as text for a terminal, as Markdown, or as JSON.

mod ablation;
mod blocking;
pub(crate) mod claim_findings;
mod claim_places;
pub(crate) mod claim_words;
mod claims;
mod decomposition;
mod faults;
mod footer;
pub(crate) mod gate;
pub(crate) mod history;
mod html;
mod layout;
pub(crate) mod overhead_blocks;
mod price;
mod recommend;
pub(crate) mod recommend_words;
mod scale;
mod scaling;
mod sheets;
mod weak;
mod wording;

pub(crate) use claims::claims;
pub(crate) use html::observations_of;
pub use html::{Section, escape, html, html_by, places_of_cases};
pub(crate) use price::{price_markdown, price_text};
pub(crate) use recommend::recommendation;
pub(crate) use wording::crowds;

use crate::comparison::Comparison;
use std::str::FromStr;

/// The widest line of the text format.
pub const WIDTH: usize = 100;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text for a terminal, at most [`WIDTH`] columns wide.
    #[default]
    Table,
    /// Markdown with tables.
    Markdown,
    /// [`Comparison`] as JSON: stable, versioned, complete.
    Json,
}

/// Text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; use table, md or json")]
pub struct FormatError(pub String);

impl FromStr for Format {
    type Err = FormatError;
    fn from_str(text: &str) -> Result<Self, FormatError> {
        match text {
            "table" => Ok(Self::Table),
            "md" => Ok(Self::Markdown),
            "json" => Ok(Self::Json),
            _ => Err(FormatError(text.to_owned())),
        }
    }
}

/// Whether text may be colored. Color repeats what words say; nothing is lost without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// Plain text.
    #[default]
    Plain,
    /// ANSI colors, for a terminal.
    Color,
}

/// Writes a report. Ends with a newline. `ink` matters to the text format only.
#[must_use]
pub fn render(comparison: &Comparison, format: Format, ink: Ink) -> String {
    match format {
        Format::Table => layout::text(&sheets::document(comparison), ink),
        Format::Markdown => layout::markdown(&sheets::document(comparison)),
        Format::Json => {
            // Strings, numbers and maps with string keys: serialization has nothing to fail on.
            let mut text = serde_json::to_string_pretty(comparison).unwrap_or_default();
            text.push('\n');
            text
        }
    }
}
