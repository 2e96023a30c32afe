//! An [`OverheadReport`] as text, Markdown or JSON.

use super::{Figure, OverheadCell, OverheadReport, Unit};
use crate::render::{Ink, overhead_blocks};
use bench_record::Outcome;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverheadFormat {
    /// Text for a terminal.
    #[default]
    Table,
    /// Markdown with tables.
    Markdown,
    /// [`OverheadReport`] as JSON.
    Json,
}

/// Writes it. Ends with a newline. `ink` matters to the text format only.
#[must_use]
pub fn render_overhead(report: &OverheadReport, format: OverheadFormat, ink: Ink) -> String {
    match format {
        OverheadFormat::Table => overhead_blocks::text(report, ink),
        OverheadFormat::Markdown => overhead_blocks::markdown(report),
        OverheadFormat::Json => {
            // Strings and numbers: serialization has nothing to fail on.
            let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
            text.push('\n');
            text
        }
    }
}

impl OverheadReport {
    /// Whether some measurement failed or timed out; what an engine does not support is no failure.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        let mut cells = self.engines.iter().flat_map(|e| &e.figures);
        cells.any(|c| !matches!(c.outcome, Outcome::Completed | Outcome::Unsupported))
    }

    /// The engines' cells of a figure, by label.
    pub(crate) fn of(&self, figure: Figure) -> impl Iterator<Item = (&str, Option<&OverheadCell>)> {
        self.engines.iter().map(move |e| (e.label.as_str(), e.figures.iter().find(|c| c.figure == figure)))
    }
}

impl Unit {
    /// What follows the unit of the amount.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Ns | Self::Bytes => "",
            Self::PerSecond | Self::BytesPerSecond => "/s",
        }
    }
}
