//! A small picture: shapes and text in points, in colors that stand for what they mean. The page gives each of them the color
//! of its theme; on its own a picture has those of the light one.

use super::PlotError;
use crate::shortened::Shortened;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Units of the picture per point: positions are whole numbers, and a point is too coarse.
const UNITS: f64 = 2.0;
/// The font size of text in pictures, in points.
pub(crate) const TEXT: f64 = 12.0;
/// The library takes the size of a font for its height over all and writes this share of it.
const WRITTEN: f64 = 1.24;

/// What a color means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Text.
    Ink,
    /// Text that stands back.
    Muted,
    /// Lines of axes.
    Rule,
    /// An area in the background.
    Band,
    /// Less time.
    Better,
    /// More time.
    Worse,
    /// Neither.
    Neutral,
    /// One of several series.
    Series(usize),
}

/// Every color with the style variable that replaces it. Those of series are distinguishable with the common color-vision
/// deficiencies (after Okabe and Ito 2008, darkened for contrast on white).
pub(crate) const TONES: [(RGBColor, &str); 12] = [
    (RGBColor(0x1b, 0x1d, 0x20), "ink"),
    (RGBColor(0x5a, 0x5f, 0x66), "muted"),
    (RGBColor(0xc9, 0xcb, 0xc6), "rule-strong"),
    (RGBColor(0xec, 0xed, 0xe8), "band"),
    (RGBColor(0x0b, 0x5c, 0xad), "better"),
    (RGBColor(0xb4, 0x4d, 0x06), "worse"),
    (RGBColor(0x6b, 0x70, 0x77), "neutral"),
    (RGBColor(0x00, 0x6b, 0xa6), "s0"),
    (RGBColor(0xc2, 0x51, 0x00), "s1"),
    (RGBColor(0x00, 0x7d, 0x5c), "s2"),
    (RGBColor(0xa8, 0x4d, 0x85), "s3"),
    (RGBColor(0x8a, 0x68, 0x00), "s4"),
];
const SERIES_AT: usize = 7;

impl Tone {
    fn color(self) -> RGBColor {
        let at = match self {
            Self::Ink => 0,
            Self::Muted => 1,
            Self::Rule => 2,
            Self::Band => 3,
            Self::Better => 4,
            Self::Worse => 5,
            Self::Neutral => 6,
            Self::Series(i) => SERIES_AT + i % (TONES.len() - SERIES_AT),
        };
        TONES.get(at).map_or(BLACK, |(color, _)| *color)
    }
}

/// Which end of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Left,
    Middle,
    Right,
}

/// What is being drawn on.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

type Drawn = Result<(), PlotError>;

/// A picture of this size in points. `alt` says in words what it shows.
pub(crate) fn picture(
    (width, height): (f64, f64),
    alt: &str,
    draw: impl FnOnce(&Canvas<'_>) -> Drawn,
) -> Result<String, PlotError> {
    let mut text = String::new();
    let size = (units(width).unsigned_abs(), units(height).unsigned_abs());
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&Canvas { area: area.clone() })?;
        area.present().map_err(failed)?;
    }
    Ok(on_a_page(&text, (width, height), size, alt))
}

/// The same shapes under a head for a page: a size in points, no declaration, and words for who cannot see it.
fn on_a_page(svg: &str, (width, height): (f64, f64), size: (u32, u32), alt: &str) -> String {
    let shapes = svg.split_once('>').map_or("", |(_, rest)| rest);
    let alt = crate::plain::html(alt);
    format!(
        "<svg role=\"img\" aria-label=\"{alt}\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {} {}\">{}",
        size.0,
        size.1,
        shapes.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "").trim()
    )
}

fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError::Draw(error.to_string())
}

/// Positions beyond any page stay there; what is no number is at 0.
fn units(points: f64) -> i32 {
    (points * UNITS).round().clamp(-100_000.0, 100_000.0) as i32
}

fn at(x: f64, y: f64) -> (i32, i32) {
    (units(x), units(y))
}

impl Canvas<'_> {
    pub(crate) fn text(&self, (x, y): (f64, f64), text: &str, tone: Tone, end: End) -> Drawn {
        let h = match end {
            End::Left => HPos::Left,
            End::Middle => HPos::Center,
            End::Right => HPos::Right,
        };
        let style =
            ("sans-serif", TEXT * UNITS * WRITTEN).into_font().color(&tone.color()).pos(Pos::new(h, VPos::Center));
        self.area.draw(&Text::new(crate::plain::plain(text), at(x, y), style)).map_err(failed)
    }

    pub(crate) fn line(&self, points: impl IntoIterator<Item = (f64, f64)>, tone: Tone, width: u32) -> Drawn {
        let points: Vec<(i32, i32)> = points.into_iter().map(|(x, y)| at(x, y)).collect();
        self.area.draw(&PathElement::new(points, tone.color().stroke_width(width))).map_err(failed)
    }

    pub(crate) fn dot(&self, (x, y): (f64, f64), radius: f64, tone: Tone, filled: bool) -> Drawn {
        let style = if filled { tone.color().filled() } else { tone.color().stroke_width(3) };
        self.area.draw(&Circle::new(at(x, y), units(radius), style)).map_err(failed)
    }

    pub(crate) fn rectangle(&self, from: (f64, f64), to: (f64, f64), tone: Tone) -> Drawn {
        let corners = [at(from.0, from.1), at(to.0, to.1)];
        self.area.draw(&Rectangle::new(corners, tone.color().filled())).map_err(failed)
    }
}

/// Names of one picture in what fits into so many points; no two look the same.
pub(crate) fn fitted<'t>(texts: impl IntoIterator<Item = &'t str>, points: f64) -> Shortened {
    // Digits and small letters of the usual fonts are a little more than half as wide as they are high.
    Shortened::of(texts, (points / (TEXT * 0.56)) as usize)
}
