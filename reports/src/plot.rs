//! A [`Comparison`] as SVG: per workload the time of each contestant, on a logarithmic scale, with its interval.

use crate::comparison::{Comparison, FamilyReport, Table};
use plotters::coord::Shift;
use plotters::prelude::*;

const PANEL_WIDTH: u32 = 1000;
const PANEL_HEIGHT: u32 = 420;
/// Distinguishable with the common color-vision deficiencies (Okabe and Ito 2008).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlotError {
    /// No case completed.
    #[error("nothing to plot: no case completed")]
    Empty,
    /// The drawing library failed.
    #[error("cannot draw: {0}")]
    Draw(String),
}

/// Draws one panel per table and family, one below the other.
///
/// # Errors
/// A comparison in which nothing completed.
pub fn svg(comparison: &Comparison) -> Result<String, PlotError> {
    let panels: Vec<Panel<'_>> = comparison.tables.iter().flat_map(Panel::all).collect();
    if panels.is_empty() {
        return Err(PlotError::Empty);
    }
    let mut text = String::new();
    let height = PANEL_HEIGHT.saturating_mul(u32::try_from(panels.len()).unwrap_or(u32::MAX));
    {
        let root = SVGBackend::with_string(&mut text, (PANEL_WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(|e| PlotError::Draw(e.to_string()))?;
        for (area, panel) in root.split_evenly((panels.len(), 1)).iter().zip(&panels) {
            panel.draw(area).map_err(|e| PlotError::Draw(e.to_string()))?;
        }
        root.present().map_err(|e| PlotError::Draw(e.to_string()))?;
    }
    Ok(text)
}

/// A time to be drawn, in seconds.
struct Mark {
    workload: usize,
    middle: f64,
    ends: Option<(f64, f64)>,
}

/// One family of one table.
struct Panel<'a> {
    title: String,
    workloads: Vec<&'a str>,
    /// Contestants with at least one time.
    series: Vec<(&'a str, Vec<Mark>)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> Panel<'a> {
    fn all(table: &'a Table) -> impl Iterator<Item = Self> {
        table.families.iter().map(|f| Self::new(table, f)).filter(|p| !p.series.is_empty())
    }

    fn new(table: &'a Table, family: &'a FamilyReport) -> Self {
        let title = format!("{}, {}, {}", family.family.name(), table.suite, table.protocol);
        let compared = table.contestants.iter().filter(|c| c.is_compared());
        let series = compared.map(|c| (c.label.as_str(), marks(family, &c.label)));
        Self {
            title,
            workloads: family.workloads.iter().map(|w| w.workload.as_str()).collect(),
            series: series.filter(|(_, marks)| !marks.is_empty()).collect(),
        }
    }

    /// The decades that hold every time and interval.
    fn range(&self) -> std::ops::Range<f64> {
        let all = self.series.iter().flat_map(|(_, marks)| marks);
        let ends = all.flat_map(|m| [m.middle, m.ends.map_or(m.middle, |e| e.0), m.ends.map_or(m.middle, |e| e.1)]);
        let (low, high) = ends.fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        // Whole decades, so that the axis has at least two labels; a little more, so that neither end loses its own.
        0.9 * 10f64.powf((low / 1.1).log10().floor())..1.1 * 10f64.powf((high * 1.1).log10().ceil())
    }

    fn draw<'b>(&self, area: &Area<'b>) -> Drawn<'b> {
        let count = self.workloads.len();
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(96)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..count as f64 - 0.5, self.range().log_scale())?;
        let name = |x: &f64| {
            let at = x.round();
            let whole = (x - at).abs() < 1e-6 && at >= 0.0;
            self.workloads.get(at as usize).filter(|_| whole).map_or_else(String::new, |w| (*w).to_owned())
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(count.saturating_mul(2).saturating_add(1))
            .x_label_formatter(&name)
            .x_label_style(("sans-serif", 11).into_font().transform(FontTransform::Rotate90))
            .y_desc("seconds (log)")
            .y_label_formatter(&|y| seconds(*y))
            .light_line_style(WHITE)
            .draw()?;
        let width = 0.7 / self.series.len() as f64;
        for ((i, (label, marks)), color) in self.series.iter().enumerate().zip(COLORS.iter().cycle()) {
            // Colors come round again with hollow marks.
            let style = if (i / COLORS.len()).is_multiple_of(2) { color.filled() } else { color.stroke_width(1) };
            let shift = (i as f64 - (self.series.len() - 1) as f64 / 2.0) * width;
            let at = |m: &Mark| m.workload as f64 + shift;
            chart
                .draw_series(marks.iter().map(|m| Circle::new((at(m), m.middle), 3, style)))?
                .label(*label)
                .legend(move |(x, y)| Circle::new((x + 8, y), 3, style));
            let bars = marks.iter().filter_map(|m| m.ends.map(|(low, high)| vec![(at(m), low), (at(m), high)]));
            chart.draw_series(bars.map(|bar| PathElement::new(bar, color.stroke_width(1))))?;
        }
        let legend = SeriesLabelPosition::UpperRight;
        chart.configure_series_labels().position(legend).background_style(WHITE.mix(0.8)).draw()
    }
}

/// A tick of the axis with the digits it needs and no more: powers of ten computed in binary are a little off.
fn seconds(y: f64) -> String {
    format!("{y:.2e}").parse::<f64>().unwrap_or(y).to_string()
}

fn marks(family: &FamilyReport, label: &str) -> Vec<Mark> {
    const NS: f64 = 1e-9;
    let cells = family.workloads.iter().enumerate().flat_map(|(i, w)| w.cells.iter().map(move |c| (i, c)));
    let timed = cells.filter(|(_, c)| c.contestant == label).filter_map(|(workload, c)| {
        // A logarithm has no place for a time of zero.
        let middle = c.wall_ns_median.filter(|m| *m > 0.0)? * NS;
        let ends = c.wall_ns_interval.filter(|i| i.low > 0.0).map(|i| (i.low * NS, i.high * NS));
        Some(Mark { workload, middle, ends })
    });
    timed.collect()
}
