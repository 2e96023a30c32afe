//! A [`Pricing`] for people and programs. All formats say the same; names and reasons from results are escaped in each.

mod focus;
mod html;
mod json;
mod picture;
pub(crate) mod words;

pub use html::fragment;
pub use picture::DrawError;

use super::pricing::{Pricing, Repriced};
use crate::render::{Ink, price_markdown, price_text};
use std::str::FromStr;

/// How a price is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostFormat {
    /// Text for a terminal, at most 100 columns wide.
    #[default]
    Table,
    /// Markdown with tables.
    Markdown,
    /// Every number unrounded, with its source.
    Json,
    /// CSV with the columns of FOCUS 1.2.
    Focus,
    /// Pictures: what matters most, and break-even curves.
    Svg,
    /// A page of its own, without scripts or network.
    Html,
}

/// Text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; use table, md, json, focus, svg or html")]
pub struct CostFormatError(pub String);

impl FromStr for CostFormat {
    type Err = CostFormatError;
    fn from_str(text: &str) -> Result<Self, CostFormatError> {
        Ok(match text {
            "table" => Self::Table,
            "md" => Self::Markdown,
            "json" => Self::Json,
            "focus" => Self::Focus,
            "svg" => Self::Svg,
            "html" => Self::Html,
            _ => return Err(CostFormatError(text.chars().take(40).collect())),
        })
    }
}

/// Writes prices of one book or of several. Ends with a newline. `month` is that which FOCUS rows are dated with, as
/// `(year, month)`; nothing here reads a clock.
///
/// # Errors
/// Only the drawing library's, for pictures.
pub fn show(
    pricings: &[Pricing],
    repriced: &[Repriced],
    format: CostFormat,
    ink: Ink,
    month: (u16, u8),
) -> Result<String, DrawError> {
    Ok(match format {
        CostFormat::Table => price_text(pricings, repriced, ink),
        CostFormat::Markdown => price_markdown(pricings, repriced),
        CostFormat::Json => json::json(pricings, repriced),
        CostFormat::Focus => focus::csv(pricings, month),
        CostFormat::Svg => picture::svg(pricings)?,
        CostFormat::Html => html::page(pricings, repriced)?,
    })
}
