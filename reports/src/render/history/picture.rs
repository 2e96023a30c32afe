//! A [`History`] as SVG: a panel per series, each run's time as a point, each stretch between changes as a line at its mean,
//! each change as an upright line with its share. How many runs have no time stands below it.

use super::standing;
use crate::history::{History, Series};
use crate::plain::plain;
use crate::plot::PlotError;
use plotters::coord::Shift;
use plotters::prelude::*;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 240;
/// No picture has more panels: beyond that, nobody looks.
const PANELS: usize = 60;
/// Distinguishable with the common color-vision deficiencies (Okabe and Ito 2008).
const POINTS: RGBColor = RGBColor(0, 114, 178);
const CHANGES: RGBColor = RGBColor(213, 94, 0);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// Draws one panel per series, one below the other, those first that changed or whose last runs failed, those without any time last; at
/// most 60.
///
/// # Errors
/// A history without any series.
pub fn svg(history: &History) -> Result<String, PlotError> {
    let mut series: Vec<&Series> = history.series.iter().collect();
    series.sort_by_key(|s| (s.points.is_empty(), s.changes.is_empty() && s.failing == 0));
    series.truncate(PANELS);
    if series.is_empty() {
        return Err(PlotError::Empty);
    }
    let mut text = String::new();
    {
        let height = HEIGHT.saturating_mul(u32::try_from(series.len()).unwrap_or(u32::MAX));
        let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(|e| PlotError::Draw(e.to_string()))?;
        for (area, series) in root.split_evenly((series.len(), 1)).iter().zip(series) {
            panel(area, series).map_err(|e| PlotError::Draw(e.to_string()))?;
        }
        root.present().map_err(|e| PlotError::Draw(e.to_string()))?;
    }
    Ok(text)
}

fn panel<'a>(area: &Area<'a>, series: &Series) -> Drawn<'a> {
    let seconds: Vec<f64> = series.points.iter().map(|p| p.wall_ns_median / 1e9).collect();
    let low = seconds.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let high = seconds.iter().copied().reduce(f64::max).unwrap_or(1.0);
    let margin = ((high - low) * 0.15).max(high * 0.02).max(1e-9);
    let (low, high) = ((low - margin).max(0.0), high + margin);
    let last = seconds.len().max(1) as f64;
    let c = &series.case;
    let title = plain(&format!("{} {} on {}, machine {}", c.family.name(), c.workload, c.engine, series.machine));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(70)
        .build_cartesian_2d(-0.5..last, low..high)?;
    let runs = plain(&format!("runs with a time; {}", standing(series)));
    chart.configure_mesh().disable_x_mesh().x_desc(runs).y_desc("s").light_line_style(WHITE).draw()?;
    let starts = std::iter::once(0).chain(series.changes.iter().map(|c| c.at));
    let ends = series.changes.iter().map(|c| c.at).chain([seconds.len()]);
    for (start, end) in starts.zip(ends) {
        let stretch = seconds.get(start..end).unwrap_or_default();
        if stretch.is_empty() {
            continue;
        }
        let mean = stretch.iter().sum::<f64>() / stretch.len() as f64;
        let line = [(start as f64 - 0.5, mean), (end as f64 - 0.5, mean)];
        chart.draw_series(LineSeries::new(line, POINTS.stroke_width(1)))?;
    }
    chart.draw_series(seconds.iter().enumerate().map(|(i, s)| Circle::new((i as f64, *s), 3, POINTS.filled())))?;
    for change in &series.changes {
        let at = change.at as f64 - 0.5;
        chart.draw_series(LineSeries::new([(at, low), (at, high)], CHANGES.stroke_width(2)))?;
        let words = format!("{:+.1} %", change.share * 100.0);
        let style = ("sans-serif", 13).into_font().color(&CHANGES);
        chart.draw_series([Text::new(words, (at + last * 0.005, high - (high - low) * 0.02), style)])?;
    }
    Ok(())
}
