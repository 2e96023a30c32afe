//! Speedup over the size of a cluster: measured points with intervals, the ideal, and the law where it was fitted.

use super::PlotError;
use super::canvas::{Canvas, End, Tone, fitted, picture};

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 34.0;
/// Names stand to the right of the last points.
const NAMES: f64 = 88.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 34.0;
/// Names closer than this are pushed apart.
const NAME_ROW: f64 = 13.0;

/// Size, speedup, and its interval.
pub(crate) type SpeedupAt = (f64, f64, Option<(f64, f64)>);

/// One engine.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<SpeedupAt>,
    /// The fitted law at evenly spaced sizes.
    pub(crate) law: Vec<(f64, f64)>,
}

struct Axes {
    size: f64,
    speedup: f64,
}

impl Axes {
    fn at(&self, (size, speedup): (f64, f64)) -> (f64, f64) {
        let across = (size / self.size).clamp(0.0, 1.0) * (WIDTH - NAMES - LEFT);
        (LEFT + across, BOTTOM - (speedup / self.speedup).clamp(0.0, 1.0) * (BOTTOM - TOP))
    }
}

/// Draws all lines; `unit` names the horizontal axis.
pub(crate) fn curves(lines: &[Line], unit: &str, alt: &str) -> Result<String, PlotError> {
    let points = || lines.iter().flat_map(|l| &l.points).filter(|p| p.0.is_finite() && p.1.is_finite());
    let size = points().map(|p| p.0).fold(1.0, f64::max);
    let highest = points().map(|p| p.2.map_or(p.1, |i| i.1.max(p.1))).filter(|v| v.is_finite()).fold(1.0, f64::max);
    let axes = Axes { size, speedup: (highest * 1.08).max(1.2) };
    picture((WIDTH, HEIGHT), alt, |canvas| {
        draw_axes(canvas, &axes, points().map(|p| p.0), unit)?;
        let mut names: Vec<(f64, usize)> = Vec::new();
        for (i, line) in lines.iter().enumerate() {
            draw_line(canvas, &axes, line, Tone::Series(i))?;
            if let Some(last) = line.points.last() {
                names.push((axes.at((last.0, last.1)).1, i));
            }
        }
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let short = fitted(lines.iter().map(|l| l.name.as_str()), NAMES - 8.0);
        let mut above = f64::NEG_INFINITY;
        for (y, i) in names {
            let y = y.max(above + NAME_ROW);
            above = y;
            let name = lines.get(i).map_or("", |l| l.name.as_str());
            canvas.text((WIDTH - NAMES + 8.0, y), &short.text(name), Tone::Series(i), End::Left)?;
        }
        Ok(())
    })
}

fn draw_axes(canvas: &Canvas<'_>, axes: &Axes, sizes: impl Iterator<Item = f64>, unit: &str) -> Result<(), PlotError> {
    let step = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0];
    let step = step.into_iter().find(|s| axes.speedup / s <= 6.0).unwrap_or(axes.speedup / 4.0);
    let mut tick = 0.0;
    while tick <= axes.speedup {
        let (_, y) = axes.at((0.0, tick));
        canvas.line([(LEFT, y), (WIDTH - NAMES, y)], if tick == 0.0 { Tone::Muted } else { Tone::Rule }, 1)?;
        canvas.text((LEFT - 5.0, y), &tick.to_string(), Tone::Muted, End::Right)?;
        tick += step;
    }
    let sizes: std::collections::BTreeSet<u64> = sizes.map(|s| s as u64).collect();
    let mut last = f64::NEG_INFINITY;
    for size in sizes {
        let (x, _) = axes.at((size as f64, 0.0));
        if x - last >= 16.0 {
            canvas.text((x, BOTTOM + 11.0), &size.to_string(), Tone::Muted, End::Middle)?;
            last = x;
        }
    }
    let middle = (LEFT + WIDTH - NAMES) / 2.0;
    canvas.text((middle, HEIGHT - 9.0), unit, Tone::Muted, End::Middle)
}

fn draw_line(canvas: &Canvas<'_>, axes: &Axes, line: &Line, tone: Tone) -> Result<(), PlotError> {
    let usable = || line.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
    canvas.line(usable().map(|p| axes.at((p.0, p.1))), tone, 3)?;
    if line.law.len() > 1 {
        canvas.line(line.law.iter().map(|p| axes.at(*p)), tone, 1)?;
    }
    for (size, speedup, interval) in usable() {
        let at = axes.at((*size, *speedup));
        if let Some((low, high)) = interval {
            canvas.line([(at.0, axes.at((*size, *low)).1), (at.0, axes.at((*size, *high)).1)], tone, 2)?;
        }
        canvas.dot(at, 3.5, tone, true)?;
    }
    Ok(())
}
