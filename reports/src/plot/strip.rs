//! How values are spread: a dot per value in the row of its group, a tick at the middle one.

use super::PlotError;
use super::canvas::{End, Tone, fitted, picture};
use crate::stats::{median, sorted};

const WIDTH: f64 = 340.0;
const LABELS: f64 = 104.0;
const RIGHT: f64 = WIDTH - 14.0;
const ROW: f64 = 24.0;
const TOP: f64 = 4.0;
const AXIS: f64 = 20.0;
/// So many dots tell how a row is spread; more would only make the page longer.
const DOTS_MAX: usize = 400;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    pub(crate) label: String,
    /// Not negative.
    pub(crate) values: Vec<f64>,
}

/// Draws the rows over an axis that begins at 0; `show` writes its numbers.
pub(crate) fn strips(rows: &[Strip], show: impl Fn(f64) -> String, alt: &str) -> Result<String, PlotError> {
    let usable = |row: &Strip| sorted(row.values.iter().copied().filter(|v| v.is_finite() && *v >= 0.0));
    let most = rows.iter().flat_map(usable).fold(0.0, f64::max);
    let bottom = TOP + ROW * rows.len() as f64;
    let left = LABELS + 8.0;
    let x = |value: f64| left + if most > 0.0 { value / most } else { 0.0 } * (RIGHT - left);
    picture((WIDTH, bottom + AXIS), alt, |canvas| {
        for (share, end) in [(0.0, End::Left), (0.5, End::Middle), (1.0, End::Right)] {
            let at = x(most * share);
            canvas.line([(at, TOP), (at, bottom)], Tone::Rule, 1)?;
            canvas.text((at, bottom + 10.0), &show(most * share), Tone::Muted, end)?;
        }
        let names = fitted(rows.iter().map(|row| row.label.as_str()), LABELS);
        for (i, row) in rows.iter().enumerate() {
            let y = TOP + ROW * (i as f64 + 0.5);
            canvas.text((LABELS, y), &names.text(&row.label), Tone::Ink, End::Right)?;
            let values = usable(row);
            for value in values.iter().step_by(values.len().div_ceil(DOTS_MAX).max(1)) {
                canvas.dot((x(*value), y), 3.0, Tone::Neutral, false)?;
            }
            if let Some(middle) = median(&values) {
                canvas.line([(x(middle), y - 8.0), (x(middle), y + 8.0)], Tone::Better, 4)?;
            }
        }
        Ok(())
    })
}
