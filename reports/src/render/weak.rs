//! The sheets of weak scaling.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::{Scale, ratio};
use super::scaling::{line, shared_lines};
use super::wording::{column, interval_column, or_dash, range, ratio_text};
use crate::comparison::{WeakPoint, WeakScaling, WeakSeries};

pub(super) fn blocks(all: &[WeakScaling]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut headed = None;
    for weak in all {
        let head = format!("{}, {}, machine {}: weak scaling", weak.suite, weak.protocol, weak.machine);
        if headed.as_ref() != Some(&head) {
            blocks.push(Block::Heading(1, head.clone()));
            headed = Some(head);
        }
        let title = format!("{} weak scaling: as many times the data as there are nodes", weak.family.name());
        blocks.extend([Block::Heading(3, title), Block::Sheet(sheet(&weak.series))]);
        blocks.extend(shared_lines(
            (weak.series.iter())
                .map(|s| (s.engine.as_str(), line((s.common, s.cases), &s.law, (s.slots_shared, s.shared_cores)))),
        ));
        blocks.push(Block::Item(
            "efficiency: growth of the data over growth of time and cluster; work that does not grow in step with its data, \
             such as sorting, counts against it"
                .to_owned(),
        ));
    }
    blocks
}

/// Whose trials a point is made of, unlike any other: the table and the name there.
pub(super) fn about(point: &WeakPoint) -> String {
    format!("{} in table {}", point.contestant, point.table)
}

fn sheet(all: &[WeakSeries]) -> Sheet {
    let points = || all.iter().flat_map(|s| s.points.iter().map(move |p| (s, p)));
    let ends = points().filter_map(|(_, p)| p.wall_ns_interval).flat_map(|i| [i.low, i.high]);
    let scale = Scale::time(points().filter_map(|(_, p)| p.wall_ns_total).chain(ends));
    let rows = points().map(|(s, p)| {
        let is_first = s.points.first().is_some_and(|first| first.nodes == p.nodes);
        let no_ratio = if is_first && p.wall_ns_total.is_some() { "1" } else { "-" };
        let interval = p.efficiency_interval.map_or_else(String::new, |i| format!(" {}", range(i, ratio)));
        Row {
            about: Some(about(p)),
            tone: Tone::Plain,
            cells: vec![
                s.engine.clone(),
                s.cluster.clone(),
                format!("{} x {}", p.nodes, p.slots),
                format!("x {}", p.scale),
                or_dash(p.wall_ns_total, |ns| scale.show(ns)),
                or_dash(p.wall_ns_interval, |i| range(i, |ns| scale.show(ns))),
                p.time.as_ref().map_or_else(|| no_ratio.to_owned(), ratio_text),
                p.efficiency.map_or_else(|| no_ratio.to_owned(), |e| format!("{}{interval}", ratio(e))),
            ],
        }
    });
    Sheet {
        rows: rows.collect(),
        columns: vec![
            column("engine", Kind::Name),
            column("cluster", Kind::Name),
            column("nodes x slots", Kind::Number),
            column("data", Kind::Number),
            column(scale.unit, Kind::Number),
            column(interval_column(points().filter_map(|(_, p)| p.trials_min)), Kind::Number),
            column("time / fewest", Kind::Words),
            column("efficiency", Kind::Words),
        ],
    }
}
