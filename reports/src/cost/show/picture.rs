//! Pictures: the tornado of the cheapest offer, and break-even curves over data and over jobs.

use super::words;
use crate::cost::break_even::{Axis, cost, places};
use crate::cost::model::Line;
use crate::cost::offer::Offer;
use crate::cost::pricing::{FamilyPricing, Pricing};
use crate::cost::tornado::Swing;
use crate::cost::{Basis, Purchase};
use crate::plain::plain;
use crate::plot::COLORS;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::BTreeMap;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 420;
/// Bars of a tornado.
const SWINGS: usize = 12;
/// Axes end below this, and logarithmic ones begin above its inverse: the drawing library counts steps from one end to the other, and does
/// not arrive where a step overflows.
const END_MAX: f64 = 1e100;
/// What is said of every curve, for each goes on to more data than was measured.
const SCALED: &str = "beyond the measured size a job is taken as so many runs one after the other, with the error in its name or an unknown one";

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// No offer has a total.
    #[error("nothing to draw: no offer has a known total; give the missing rates in your price book")]
    Empty,
    /// The drawing library failed.
    #[error("cannot draw: {0}")]
    Draw(String),
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// One picture with what it shows in words.
pub(super) struct Picture {
    pub(super) svg: String,
    pub(super) says: String,
}

/// What one panel shows.
enum Panel<'a> {
    Tornado(&'a Offer, &'a [Swing]),
    Curves(Curves),
}

/// Curves of sums that lack the same lines: where others cross means nothing.
struct Curves {
    axis: Axis,
    missing: Vec<Line>,
    all: Vec<Curve>,
}

/// A curve by name, which says what its time rests on unless that is measured as it is. One of predicted times is broken.
struct Curve {
    name: String,
    is_measured: bool,
    points: Vec<(f64, f64)>,
}

/// All pictures, one below the other.
///
/// # Errors
/// No offer with a total, or the drawing library's.
pub(super) fn svg(pricings: &[Pricing]) -> Result<String, DrawError> {
    let panels: Vec<(&Pricing, &FamilyPricing, Panel<'_>)> = (pricings.iter())
        .flat_map(|p| p.families.iter().map(move |f| (p, f)))
        .flat_map(|(p, f)| panels(p, f).into_iter().map(move |panel| (p, f, panel)))
        .collect();
    if panels.is_empty() {
        return Err(DrawError::Empty);
    }
    let height = HEIGHT.saturating_mul(u32::try_from(panels.len()).unwrap_or(u32::MAX));
    drawn(height, |root| {
        for (area, (pricing, family, panel)) in root.split_evenly((panels.len(), 1)).iter().zip(&panels) {
            panel.draw(area, pricing, family)?;
        }
        Ok(())
    })
}

/// The pictures of a family, each by itself.
pub(super) fn of_family(pricing: &Pricing, family: &FamilyPricing) -> Result<Vec<Picture>, DrawError> {
    let one = |panel: Panel<'_>| {
        let svg = drawn(HEIGHT, |root| panel.draw(root, pricing, family))?;
        Ok(Picture { svg, says: panel.says(pricing, family) })
    };
    panels(pricing, family).into_iter().map(one).collect()
}

fn drawn(height: u32, draw: impl for<'a> Fn(&Area<'a>) -> Drawn<'a>) -> Result<String, DrawError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(|e| DrawError::Draw(e.to_string()))?;
        draw(&root).map_err(|e| DrawError::Draw(e.to_string()))?;
        root.present().map_err(|e| DrawError::Draw(e.to_string()))?;
    }
    Ok(text)
}

fn panels<'a>(pricing: &Pricing, family: &'a FamilyPricing) -> Vec<Panel<'a>> {
    let tornado = family.tornado.as_ref().filter(|(_, swings)| !swings.is_empty());
    let tornado = tornado.and_then(|(at, swings)| Some(Panel::Tornado(family.offers.get(*at)?, swings)));
    let curves = alike(family).into_iter().flat_map(|(missing, offers)| {
        let on = |axis| Curves { axis, missing: missing.clone(), all: curves(pricing, &offers, axis) };
        [Axis::Data, Axis::Jobs].map(|axis| Panel::Curves(on(axis)))
    });
    tornado.into_iter().chain(curves).filter(Panel::is_drawable).collect()
}

/// Offers on demand by the lines that their sums lack, the cheapest first.
fn alike(family: &FamilyPricing) -> BTreeMap<Vec<Line>, Vec<&Offer>> {
    let on_demand = |o: &&Offer| o.purchase.is_none_or(|p| p == Purchase::OnDemand);
    let mut priced: Vec<(&Offer, f64)> =
        (family.offers.iter().filter(on_demand)).filter_map(|o| Some((o, o.bill.total?.base.get()))).collect();
    priced.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut alike: BTreeMap<Vec<Line>, Vec<&Offer>> = BTreeMap::new();
    for (offer, _) in priced {
        alike.entry(offer.bill.missing()).or_default().push(offer);
    }
    alike
}

/// The first of these offers; a contestant has one curve per deployment.
fn curves(pricing: &Pricing, offers: &[&Offer], axis: Axis) -> Vec<Curve> {
    let curve = |offer: &&Offer| {
        let per_tb = |x: f64| {
            let month = cost(offer, axis, x, &pricing.scenario)?;
            let terabytes = if axis == Axis::Data { x / 1000.0 } else { pricing.scenario.volume.terabytes() };
            (terabytes > 0.0 && month > 0.0).then(|| (x, month / terabytes)).filter(|(_, y)| y.is_finite())
        };
        let points = places(axis).filter_map(per_tb).collect();
        let is_measured = matches!(offer.basis, Basis::Measured { .. });
        let is_as_measured = is_measured && offer.scaled.is_none();
        let time = if is_as_measured { String::new() } else { format!(", {}", offer.time()) };
        let name = format!("{} ({}){time}", offer.contestant, words::way(offer));
        Curve { name: plain(&words::at_least_running(offer, name)), is_measured, points }
    };
    offers.iter().take(COLORS.len()).map(curve).filter(|c: &Curve| !c.points.is_empty()).collect()
}

impl Panel<'_> {
    fn draw<'b>(&self, area: &Area<'b>, pricing: &Pricing, family: &FamilyPricing) -> Drawn<'b> {
        let area = area.titled(&plain(&self.title(pricing, family)), ("sans-serif", 15))?;
        match self {
            Self::Tornado(offer, swings) => draw_tornado(&area, pricing, offer, swings),
            Self::Curves(curves) => draw_curves(&area, pricing, curves),
        }
    }

    /// Whether it shows anything, on an axis that has ends.
    fn is_drawable(&self) -> bool {
        match self {
            Self::Tornado(offer, swings) => {
                let (low, high) = tornado_ends(offer, swings);
                -END_MAX < low && low < high && high < END_MAX
            }
            Self::Curves(curves) => {
                let decades = curves.decades();
                END_MAX.recip() < decades.start && decades.start < decades.end && decades.end < END_MAX
            }
        }
    }

    fn title(&self, pricing: &Pricing, family: &FamilyPricing) -> String {
        let of = format!("{}, {}", family.family.name(), pricing.book);
        match self {
            Self::Tornado(offer, _) => format!("What matters most to running {} ({of})", words::offer(offer)),
            Self::Curves(Curves { axis, missing, .. }) => {
                let over = if *axis == Axis::Data { "data per month" } else { "jobs per day" };
                format!("Running cost per TB over {over} ({of}{})", words::without(missing))
            }
        }
    }

    /// The same for those who do not see it.
    fn says(&self, pricing: &Pricing, family: &FamilyPricing) -> String {
        let mut text = self.title(pricing, family);
        match self {
            Self::Tornado(offer, swings) => {
                for s in swings.iter().take(3) {
                    let low = words::at_least_running(offer, words::amount(s.at_low));
                    let high = words::amount(s.at_high);
                    text.push_str(&format!("; {}: {low} to {high} {} a month", s.name, pricing.currency));
                }
            }
            Self::Curves(curves) => {
                text.push_str("; ");
                text.push_str(SCALED);
                let of_these = |i: usize| family.offers.get(i).is_some_and(|o| o.bill.missing() == curves.missing);
                let crossings = family.crossings.iter().filter(|c| c.axis == curves.axis && of_these(c.below));
                for sentence in crossings.filter_map(|c| words::crossing(family, c)).take(3) {
                    text.push_str("; ");
                    text.push_str(&sentence);
                }
            }
        }
        text
    }
}

/// What an offer costs to run at the base of all numbers.
fn base_of(offer: &Offer) -> f64 {
    offer.bill.running.map_or(0.0, |t| t.base.get())
}

/// The least and the most of what the bars of a tornado reach, with a little room.
fn tornado_ends(offer: &Offer, swings: &[Swing]) -> (f64, f64) {
    let reached = swings.iter().take(SWINGS).flat_map(|s| [s.at_low.get(), s.at_high.get()]).chain([base_of(offer)]);
    let (low, high) = reached.fold((f64::INFINITY, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
    let room = ((high - low) * 0.05).max(high * 1e-6).max(1e-9);
    (low - room, high + room)
}

fn draw_tornado<'b>(area: &Area<'b>, pricing: &Pricing, offer: &Offer, swings: &[Swing]) -> Drawn<'b> {
    let shown: Vec<&Swing> = swings.iter().take(SWINGS).collect();
    let (base, (low, high)) = (base_of(offer), tornado_ends(offer, swings));
    let rows = shown.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(250)
        .build_cartesian_2d(low..high, -0.5..rows - 0.5)?;
    let name = |y: &f64| {
        let at = rows - 1.0 - y.round();
        let whole = (y - y.round()).abs() < 1e-6 && at >= 0.0;
        shown.get(at as usize).filter(|_| whole).map(|s| s.name.to_owned()).unwrap_or_default()
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(shown.len().saturating_mul(2).saturating_add(1))
        .y_label_formatter(&name)
        .x_label_formatter(&|x| words::number(*x))
        .x_desc(format!("{} a month", pricing.currency))
        .light_line_style(WHITE)
        .draw()?;
    let bar = |i: usize, from: f64, to: f64, color: RGBColor| {
        let y = rows - 1.0 - i as f64;
        Rectangle::new([(from.min(to), y - 0.35), (from.max(to), y + 0.35)], color.filled())
    };
    chart.draw_series(shown.iter().enumerate().map(|(i, s)| bar(i, s.at_low.get(), base, COLORS[5])))?;
    chart.draw_series(shown.iter().enumerate().map(|(i, s)| bar(i, base, s.at_high.get(), COLORS[1])))?;
    chart.draw_series([PathElement::new(vec![(base, -0.5), (base, rows - 0.5)], BLACK.stroke_width(1))])?;
    Ok(())
}

impl Curves {
    /// The least and the most of all points in one direction.
    fn ends(&self, of: fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let all = self.all.iter().flat_map(|c| &c.points).map(of);
        all.fold((f64::INFINITY, 0.0f64), |(low, high), x| (low.min(x), high.max(x)))
    }

    /// Whole decades of cost and a little more, so that the axis has at least two labels and neither end loses its own.
    fn decades(&self) -> std::ops::Range<f64> {
        let (low, high) = self.ends(|p| p.1);
        0.9 * 10f64.powf((low / 1.1).log10().floor())..1.1 * 10f64.powf((high * 1.1).log10().ceil())
    }
}

fn draw_curves<'b>(area: &Area<'b>, pricing: &Pricing, curves: &Curves) -> Drawn<'b> {
    let axis = curves.axis;
    let (left, right) = curves.ends(|p| p.0);
    let (unit, per) = if axis == Axis::Data { ("TB a month (log)", 1000.0) } else { ("jobs a day (log)", 1.0) };
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(36)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d((left..right).log_scale(), curves.decades().log_scale())?;
    chart
        .configure_mesh()
        .x_desc(format!("{unit}; {SCALED}"))
        .y_desc(format!("{} per TB (log)", pricing.currency))
        .x_label_formatter(&|x| words::number(x / per))
        .y_label_formatter(&|y| words::number(*y))
        .light_line_style(WHITE)
        .draw()?;
    for (curve, color) in curves.all.iter().zip(COLORS.iter()) {
        let (points, style) = (curve.points.iter().copied(), color.stroke_width(2));
        let (drawn, shown) = match curve.is_measured {
            true => (chart.draw_series(LineSeries::new(points, style))?, 16),
            false => (chart.draw_series(DashedLineSeries::new(points, 8, 5, style))?, 6),
        };
        drawn.label(&curve.name).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + shown, y)], style));
    }
    // Curves fall with data and rise with jobs: the other corner is free.
    let legend = if axis == Axis::Data { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::UpperLeft };
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()
}
