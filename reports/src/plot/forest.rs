//! Ratios with their intervals on a logarithmic axis, one a row; what did not complete says so in its row.

use super::PlotError;
use super::canvas::{Canvas, End, Tone, fitted, picture};

/// Fits a phone.
const WIDTH: f64 = 340.0;
const LABELS: f64 = 104.0;
const RIGHT: f64 = WIDTH - 14.0;
const ROW: f64 = 19.0;
const TOP: f64 = 6.0;
const AXIS: f64 = 24.0;

/// What a ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Faster,
    Slower,
    /// No difference was shown.
    Open,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) enum ForestRow {
    Ratio { label: String, value: f64, interval: Option<(f64, f64)>, effect: Effect },
    Ended { label: String, how: String },
}

/// What figures side by side have in common: the ends of the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    low: f64,
    high: f64,
}

/// Where an axis ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Beyond these a row is cut off, with an arrow and, for a ratio, its number: an axis that held everything would show nothing.
const LIMITS: (f64, f64) = (1.0 / 64.0, 64.0);

impl Frame {
    /// Around all values and 1, with a little room.
    pub(crate) fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let usable = values.into_iter().filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = usable.fold((1.0f64, 1.0f64), |(low, high), v| (low.min(v), high.max(v)));
        Self { low: low.max(LIMITS.0).min(0.96) / 1.03, high: high.min(LIMITS.1).max(1.04) * 1.03 }
    }

    /// On which side of the axis a value lies, if it lies beyond it.
    fn beyond(self, value: f64) -> Option<Side> {
        match (value < self.low, value > self.high) {
            (true, _) => Some(Side::Left),
            (_, true) => Some(Side::Right),
            _ => None,
        }
    }

    fn x(self, value: f64) -> f64 {
        let value = if value.is_finite() { value.max(f64::MIN_POSITIVE) } else { self.high };
        let share = (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln());
        LABELS + 8.0 + share.clamp(0.0, 1.0) * (RIGHT - LABELS - 8.0)
    }

    /// Round ratios, as many as have room, 1 always among them.
    fn ticks(self) -> Vec<f64> {
        const STEPS: [&[f64]; 6] = [
            &[0.9, 0.95, 1.0, 1.05, 1.1],
            &[0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4],
            &[0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0],
            &[0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0],
            &[0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0],
            &[0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 50.0],
        ];
        let inside = |steps: &&[f64]| -> Vec<f64> {
            steps.iter().copied().filter(|t| (self.low..=self.high).contains(t)).collect()
        };
        let spaced =
            |ticks: &Vec<f64>| ticks.windows(2).all(|pair| matches!(pair, [a, b] if self.x(*b) - self.x(*a) >= 32.0));
        let reach = |ticks: &Vec<f64>| match ticks.as_slice() {
            [first, .., last] => last / first,
            _ => 0.0,
        };
        // The ones that reach farthest; of several, the finest.
        let fitting = STEPS.iter().rev().map(inside).filter(|ticks| ticks.len() > 1).filter(spaced);
        fitting.max_by(|a, b| reach(a).total_cmp(&reach(b))).unwrap_or_else(|| vec![1.0])
    }
}

impl ForestRow {
    fn label(&self) -> &str {
        let (Self::Ratio { label, .. } | Self::Ended { label, .. }) = self;
        label
    }
}

/// Draws the rows in the order given. `noise` is the floor around 1 below which nothing is claimed.
pub(crate) fn forest(rows: &[ForestRow], frame: Frame, noise: Option<f64>, alt: &str) -> Result<String, PlotError> {
    let bottom = TOP + ROW * rows.len() as f64;
    picture((WIDTH, bottom + AXIS), alt, |canvas| {
        if let Some(noise) = noise.filter(|n| n.is_finite() && *n > 0.0) {
            let (left, right) = (frame.x(1.0 / (1.0 + noise)), frame.x(1.0 + noise));
            canvas.rectangle((left, TOP), (right, bottom), Tone::Band)?;
        }
        for tick in frame.ticks() {
            let x = frame.x(tick);
            let is_one = (tick - 1.0).abs() < 1e-9;
            canvas.line([(x, TOP), (x, bottom + 4.0)], if is_one { Tone::Muted } else { Tone::Rule }, 1)?;
            canvas.text((x, bottom + 13.0), &tick.to_string(), Tone::Muted, End::Middle)?;
        }
        let names = fitted(rows.iter().map(ForestRow::label), LABELS);
        for (i, row) in rows.iter().enumerate() {
            canvas.text((LABELS, TOP + ROW * (i as f64 + 0.5)), &names.text(row.label()), Tone::Ink, End::Right)?;
            draw_row(canvas, row, TOP + ROW * (i as f64 + 0.5), frame)?;
        }
        Ok(())
    })
}

fn draw_row(canvas: &Canvas<'_>, row: &ForestRow, y: f64, frame: Frame) -> Result<(), PlotError> {
    match row {
        ForestRow::Ended { how, .. } => canvas.text((frame.x(1.0) + 6.0, y), how, Tone::Worse, End::Left),
        ForestRow::Ratio { value, interval, effect, .. } => {
            let tone = match effect {
                Effect::Faster => Tone::Better,
                Effect::Slower => Tone::Worse,
                Effect::Open => Tone::Neutral,
            };
            if let Some((low, high)) = interval {
                canvas.line([(frame.x(*low), y), (frame.x(*high), y)], tone, 3)?;
                for side in [*low, *high].into_iter().filter_map(|end| frame.beyond(end)) {
                    arrow(canvas, side, y, "", tone)?;
                }
            }
            match frame.beyond(*value) {
                Some(side) => arrow(canvas, side, y, &number(*value), tone),
                None => canvas.dot((frame.x(*value), y), 3.5, tone, *effect != Effect::Open),
            }
        }
    }
}

/// A ratio far from 1, with two digits that count.
fn number(ratio: f64) -> String {
    let decimals = if ratio > 0.0 && ratio < 1.0 { (1.0 - ratio.log10().floor()).min(12.0) as usize } else { 0 };
    format!("{ratio:.decimals$}")
}

/// What points beyond the axis, with the number that lies there.
fn arrow(canvas: &Canvas<'_>, side: Side, y: f64, number: &str, tone: Tone) -> Result<(), PlotError> {
    match side {
        Side::Left => canvas.text((LABELS + 8.0, y), format!("◂ {number}").trim_end(), tone, End::Left),
        Side::Right => canvas.text((RIGHT, y), format!("{number} ▸").trim_start(), tone, End::Right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_lies_beyond_the_axis_is_marked_and_its_number_is_there() {
        let row = |value, interval| ForestRow::Ratio { label: "q".into(), value, interval, effect: Effect::Slower };
        let drawn = |row: ForestRow| forest(&[row], Frame::around([300.0]), None, "alt").unwrap();
        let beyond = drawn(row(300.0, Some((2.0, 400.0))));
        assert!(beyond.contains("300") && beyond.contains('▸') && !beyond.contains('◂'), "{beyond}");
        assert_eq!([number(300.4), number(0.0123), number(0.000_45), number(0.0)], ["300", "0.012", "0.00045", "0"]);
        let interval = drawn(row(3.0, Some((0.001, 5.0))));
        assert!(interval.contains('◂') && !interval.contains('▸'), "{interval}");
        assert!(!drawn(row(3.0, Some((2.0, 5.0)))).contains(['◂', '▸']));
    }

    #[test]
    fn ticks_are_round_and_hold_one() {
        assert_eq!(Frame::around([0.97, 1.2]).ticks(), [1.0, 1.1, 1.2]);
        assert_eq!(Frame::around([0.5, 3.0]).ticks(), [0.5, 0.75, 1.0, 1.5, 2.0, 3.0]);
        assert_eq!(Frame::around([]).ticks(), [0.95, 1.0, 1.05]);
    }

    proptest! {
        #[test]
        fn any_numbers_are_drawn_inside_the_picture(value in any::<f64>(), low in any::<f64>(), high in any::<f64>(), noise in any::<f64>()) {
            let frame = Frame::around([value, low, high]);
            prop_assert!(frame.ticks().iter().any(|t| (t - 1.0).abs() < 1e-9));
            for v in [value, low, high] {
                prop_assert!((LABELS..=RIGHT).contains(&frame.x(v)), "{v}");
            }
            let row = ForestRow::Ratio { label: "q".into(), value, interval: Some((low, high)), effect: Effect::Open };
            let drawn = forest(&[row], frame, Some(noise), "alt").unwrap_or_default();
            prop_assert!(drawn.ends_with("</svg>") && !drawn.contains("NaN"));
        }
    }
}
