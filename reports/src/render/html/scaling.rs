//! One engine on several node counts: speedup, efficiency, and the law where enough points were measured.

use super::View;
use super::markup::{Grid, Td, figures, heading, link, list, number, ratio as ratio_html, words};
use crate::comparison::{FamilyReport, Law, ScalingPoint, ScalingSeries};
use crate::plain::html as escape;
use crate::plot::{Line, PlotError, SpeedupAt, curves};
use crate::render::scale::{Scale, ratio};
use crate::render::scaling::line;
use crate::render::wording::{interval_column, interval_name, or_dash, range};

/// Points of a fitted curve.
const LAW_POINTS: u32 = 40;

pub(super) fn body(view: &View<'_>, family: &FamilyReport) -> Result<String, PlotError> {
    let all = &family.scaling;
    if all.is_empty() {
        return Ok(String::new());
    }
    let says = |s: &ScalingSeries| line((s.common, s.cases), &s.law, (s.slots_shared, s.shared_cores));
    let said: Vec<String> = all.iter().map(|s| escape(&format!("{}: {}", s.engine, says(s)))).collect();
    Ok(format!(
        "{}{}{}{}",
        heading("Strong scaling: the same workloads on more nodes"),
        picture(family)?,
        grid(view, family).html(),
        list(&said)
    ))
}

fn picture(family: &FamilyReport) -> Result<String, PlotError> {
    let lines: Vec<Line> = family.scaling.iter().filter_map(curve).collect();
    if lines.is_empty() {
        return Ok(String::new());
    }
    let alt = format!(
        "{} speedup over the smallest node count, by nodes, of {}; the table below has the same numbers",
        family.family.name(),
        lines.iter().map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ")
    );
    let svg = curves(&lines, "nodes", &alt)?;
    let fewest = family.scaling.iter().flat_map(|s| &s.points).filter_map(|p| p.trials_min).min();
    let caption = format!(
        "Speedup over the smallest node count. Bars: {}; a thin line is the Universal Scalability Law, drawn where it was \
         fitted.",
        interval_name(fewest)
    );
    Ok(figures([(String::new(), svg)], &caption))
}

fn curve(series: &ScalingSeries) -> Option<Line> {
    let first = series.points.first()?;
    let start = first.wall_ns_total?;
    let measured = series.points.iter().filter_map(|p| {
        let (value, interval) = match &p.speedup {
            Some(s) => (s.value, s.interval.map(|i| (i.low, i.high))),
            None if p.nodes == first.nodes => (1.0, None),
            None => return None,
        };
        Some((f64::from(p.nodes), value, interval))
    });
    let points: Vec<SpeedupAt> = measured.collect();
    if points.is_empty() {
        return None;
    }
    // Over slots the law has another axis than this figure.
    let law = match &series.law {
        Law::Fitted(law) if !series.slots_shared => {
            let (least, most) = (f64::from(law.nodes_min), f64::from(law.nodes_max));
            let at = |i: u32| {
                let n = least + (most - least) * f64::from(i) / f64::from(LAW_POINTS);
                let throughput = law.lambda * n / (1.0 + law.sigma * (n - 1.0) + law.kappa * n * (n - 1.0));
                (n, throughput * start / 1e9)
            };
            (0..=LAW_POINTS).map(at).collect()
        }
        _ => Vec::new(),
    };
    Some(Line { name: series.engine.clone(), points, law })
}

fn grid(view: &View<'_>, family: &FamilyReport) -> Grid {
    let points = || family.scaling.iter().flat_map(|s| s.points.iter().map(move |p| (s, p)));
    let ends = points().filter_map(|(_, p)| p.wall_ns_interval).flat_map(|i| [i.low, i.high]);
    let scale = Scale::time(points().filter_map(|(_, p)| p.wall_ns_total).chain(ends));
    let rows = points().map(|(s, p)| row(view, family, (s, p), scale));
    Grid {
        caption: format!("{} strong scaling by engine and nodes", family.family.name()),
        heads: vec![
            words("engine"),
            words("cluster"),
            number("nodes × slots"),
            number(format!("total {}", scale.unit)),
            number(interval_column(points().filter_map(|(_, p)| p.trials_min))),
            words("speedup"),
            words("efficiency"),
        ],
        rows: rows.collect(),
        filtered: false,
    }
}

fn row(view: &View<'_>, family: &FamilyReport, (s, p): (&ScalingSeries, &ScalingPoint), scale: Scale) -> Vec<Td> {
    let target = view.anchors.group(family.family, &p.contestant);
    let linked = |text: &str, first: bool| Td::html(link(target.as_deref(), text, first));
    let is_first = s.points.first().is_some_and(|first| first.nodes == p.nodes);
    let alone = if is_first && p.wall_ns_total.is_some() { "1" } else { "-" };
    let interval = p.efficiency_interval.map_or_else(String::new, |i| format!(" {}", range(i, ratio)));
    let speedup = p.speedup.as_ref();
    let speedup = speedup.map_or_else(|| alone.to_owned(), |r| ratio_html(target.as_deref(), r, false));
    vec![
        Td::text(&s.engine),
        Td::text(&s.cluster),
        Td::text(&format!("{} × {}", p.nodes, p.slots)).sorted_by(Some(f64::from(p.nodes))),
        linked(&or_dash(p.wall_ns_total, |ns| scale.show(ns)), true).sorted_by(p.wall_ns_total),
        linked(&or_dash(p.wall_ns_interval, |i| range(i, |ns| scale.show(ns))), false),
        Td::html(speedup).sorted_by(p.speedup.map(|s| s.value).or(Some(1.0))),
        linked(&p.efficiency.map_or_else(|| alone.to_owned(), |e| format!("{}{interval}", ratio(e))), false)
            .sorted_by(p.efficiency.or(Some(1.0))),
    ]
}
