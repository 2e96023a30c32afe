//! A [`Comparison`] as SVG: per workload the time of each contestant, on a logarithmic scale, with its interval. A case that
//! did not complete has a cross and its outcome instead. The modules draw the small figures of the HTML report.
//!
//! | module | idea |
//! |---|---|
//! | `canvas` | shapes and text in colors that a page can replace |
//! | `forest` | ratios with their intervals, one a row |
//! | `bars` | shares of a whole, one a row |
//! | `strip` | how values are spread, one row per group |
//! | `curve` | speedup over the size of a cluster |

use crate::comparison::{Cell, Comparison, FamilyReport, Table};
use crate::plain::plain;
use crate::render::crowds;
use bench_record::Outcome;
use plotters::coord::Shift;
use plotters::prelude::*;

mod bars;
mod canvas;
mod curve;
mod forest;
mod strip;

pub(crate) use bars::{Bar, bars};
#[cfg(test)]
pub(crate) use canvas::TONES;
pub(crate) use canvas::Tone;
pub(crate) use curve::{Line, SpeedupAt, curves};
pub(crate) use forest::{Effect, ForestRow, Frame, forest};
pub(crate) use strip::{Strip, strips};

const PANEL_WIDTH: u32 = 1000;
const PANEL_HEIGHT: u32 = 420;
/// The range of a panel without any time.
const NO_TIMES: (f64, f64) = (0.1, 1.0);
/// For lines and marks on white: each at least 3 to 1 against it, and every two of them 14 apart (CIE 1976) also for protans and deutans as
/// Machado, Oliveira and Fernandes (2009) simulate them.
pub(crate) const COLORS: [RGBColor; 7] = [
    RGBColor(0, 107, 166),
    RGBColor(194, 81, 0),
    RGBColor(0, 125, 92),
    RGBColor(168, 77, 133),
    RGBColor(70, 140, 220),
    RGBColor(110, 70, 20),
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
    let panels: Vec<Panel> = comparison.tables.iter().flat_map(Panel::all).collect();
    if !panels.iter().any(Panel::has_times) {
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

/// What is drawn of one case.
struct Mark {
    workload: usize,
    shape: Shape,
}

enum Shape {
    /// Its time in seconds, with the ends of its interval.
    Time(f64, Option<(f64, f64)>),
    /// How it ended instead.
    Ended(&'static str),
}

/// One family of one table.
struct Panel {
    /// What all of its times have in common, and on which machine that is not what it looks like.
    titles: Vec<String>,
    workloads: Vec<String>,
    /// Contestants with their cases.
    series: Vec<(String, Vec<Mark>)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl Panel {
    fn all(table: &Table) -> impl Iterator<Item = Self> {
        table.families.iter().map(|f| Self::new(table, f)).filter(|p| !p.series.is_empty())
    }

    fn new(table: &Table, family: &FamilyReport) -> Self {
        let emulated = table.emulated.as_ref().map(|how| format!("emulated nodes: {how}"));
        let titles = [format!("{}: {}", family.family.name(), table.title())];
        let compared = table.contestants.iter().filter(|c| c.is_compared());
        let series = compared.map(|c| (plain(&c.label), marks(family, &c.label)));
        Self {
            titles: titles
                .into_iter()
                .chain(table.shared_text())
                .chain(emulated)
                .chain(crowds(&table.contestants))
                .map(|t| plain(&t))
                .collect(),
            workloads: family.workloads.iter().map(|w| plain(&w.workload)).collect(),
            series: series.filter(|(_, marks)| !marks.is_empty()).collect(),
        }
    }

    fn has_times(&self) -> bool {
        self.times().next().is_some()
    }

    fn times(&self) -> impl Iterator<Item = (f64, Option<(f64, f64)>)> {
        self.series.iter().flat_map(|(_, marks)| marks).filter_map(Mark::time)
    }

    /// The decades that hold every time and interval.
    fn range(&self) -> std::ops::Range<f64> {
        let ends = self
            .times()
            .flat_map(|(middle, ends)| [middle, ends.map_or(middle, |e| e.0), ends.map_or(middle, |e| e.1)]);
        let both = ends.map(|v| (v, v)).reduce(|(low, high), (v, _)| (low.min(v), high.max(v)));
        let (low, high) = both.unwrap_or(NO_TIMES);
        // Whole decades, so that the axis has at least two labels; a little more, so that neither end loses its own.
        0.9 * 10f64.powf((low / 1.1).log10().floor())..1.1 * 10f64.powf((high * 1.1).log10().ceil())
    }

    fn draw<'b>(&self, area: &Area<'b>) -> Drawn<'b> {
        let count = self.workloads.len();
        let mut area = area.clone();
        for (i, title) in self.titles.iter().enumerate() {
            area = area.titled(title, ("sans-serif", if i == 0 { 18 } else { 12 }))?;
        }
        let range = self.range();
        let floor = range.start;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(96)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..count as f64 - 0.5, range.log_scale())?;
        let name = |x: &f64| {
            let at = x.round();
            let whole = (x - at).abs() < 1e-6 && at >= 0.0;
            self.workloads.get(at as usize).filter(|_| whole).cloned().unwrap_or_default()
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
            let times = || marks.iter().filter_map(|m| m.time().map(|(middle, ends)| (at(m), middle, ends)));
            chart
                .draw_series(times().map(|(x, middle, _)| Circle::new((x, middle), 3, style)))?
                .label(label)
                .legend(move |(x, y)| Circle::new((x + 8, y), 3, style));
            let bars = times().filter_map(|(x, _, ends)| ends.map(|(low, high)| vec![(x, low), (x, high)]));
            chart.draw_series(bars.map(|bar| PathElement::new(bar, color.stroke_width(1))))?;
            let ended = || marks.iter().filter_map(|m| m.ended().map(|word| (at(m), word)));
            chart.draw_series(ended().map(|(x, _)| Cross::new((x, floor), 4, color.stroke_width(2))))?;
            let font = ("sans-serif", 10).into_font().transform(FontTransform::Rotate270).color(color);
            let word = |(x, word)| EmptyElement::at((x, floor)) + Text::new(word, (-5, -8), font.clone());
            chart.draw_series(ended().map(word))?;
        }
        let legend = SeriesLabelPosition::UpperRight;
        chart.configure_series_labels().position(legend).background_style(WHITE.mix(0.8)).draw()
    }
}

impl Mark {
    const fn time(&self) -> Option<(f64, Option<(f64, f64)>)> {
        match self.shape {
            Shape::Time(middle, ends) => Some((middle, ends)),
            Shape::Ended(_) => None,
        }
    }

    const fn ended(&self) -> Option<&'static str> {
        match self.shape {
            Shape::Time(..) => None,
            Shape::Ended(word) => Some(word),
        }
    }
}

/// A tick of the axis with the digits it needs and no more: powers of ten computed in binary are a little off.
fn seconds(y: f64) -> String {
    format!("{y:.2e}").parse::<f64>().unwrap_or(y).to_string()
}

fn marks(family: &FamilyReport, label: &str) -> Vec<Mark> {
    let cells = family.workloads.iter().enumerate().flat_map(|(i, w)| w.cells.iter().map(move |c| (i, c)));
    let own = cells.filter(|(_, c)| c.contestant == label);
    own.filter_map(|(workload, c)| Some(Mark { workload, shape: shape(c)? })).collect()
}

/// None of a case whose time is zero: a logarithm has no place for it.
fn shape(c: &Cell) -> Option<Shape> {
    const NS: f64 = 1e-9;
    if c.outcome != Outcome::Completed {
        return Some(Shape::Ended(c.outcome.name()));
    }
    let middle = c.wall_ns_median.filter(|m| *m > 0.0)? * NS;
    let ends = c.wall_ns_interval.filter(|i| i.low > 0.0).map(|i| (i.low * NS, i.high * NS));
    Some(Shape::Time(middle, ends))
}
