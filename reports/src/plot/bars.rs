//! Shares of a whole as horizontal bars, each with its name and its percentage.

use super::PlotError;
use super::canvas::{End, Tone, fitted, picture};

const WIDTH: f64 = 340.0;
const LABELS: f64 = 104.0;
const ROW: f64 = 20.0;
const TOP: f64 = 4.0;
/// What the longest bar leaves for its percentage.
const NUMBERS: f64 = 48.0;

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    /// 0.25 is a quarter.
    pub(crate) share: f64,
    /// What stands beside it.
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// Draws the bars in the order given; `full` is the share of the longest bar of all figures side by side.
pub(crate) fn bars(bars: &[Bar], full: f64, alt: &str) -> Result<String, PlotError> {
    let height = TOP * 2.0 + ROW * bars.len() as f64;
    picture((WIDTH, height), alt, |canvas| {
        let left = LABELS + 8.0;
        let names = fitted(bars.iter().map(|bar| bar.label.as_str()), LABELS);
        for (i, bar) in bars.iter().enumerate() {
            let middle = TOP + ROW * (i as f64 + 0.5);
            let part = if full > 0.0 { (bar.share / full).clamp(0.0, 1.0) } else { 0.0 };
            let right = left + part * (WIDTH - NUMBERS - left);
            canvas.text((LABELS, middle), &names.text(&bar.label), Tone::Ink, End::Right)?;
            canvas.rectangle((left, middle - 5.0), (right.max(left + 0.5), middle + 5.0), bar.tone)?;
            canvas.text((right + 5.0, middle), &bar.text, Tone::Muted, End::Left)?;
        }
        Ok(())
    })
}
