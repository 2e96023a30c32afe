//! The sheet of node counts.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::{Scale, percent, ratio};
use super::wording::{column, cores, interval_column, or_dash, range, ratio_text};
use crate::comparison::{FamilyReport, Law, ScalingSeries};
use crate::stats::Scalability;

pub(super) fn blocks(family: &FamilyReport) -> Vec<Block> {
    let all = &family.scaling;
    if all.is_empty() {
        return Vec::new();
    }
    let title = format!("{} strong scaling: the same workloads on more nodes", family.family.name());
    let mut blocks = vec![Block::Heading(3, title), Block::Sheet(sheet(all))];
    blocks.extend(shared_lines(
        all.iter().map(|s| (s.engine.as_str(), line((s.common, s.cases), &s.law, (s.slots_shared, s.shared_cores)))),
    ));
    blocks
}

/// Engines of which the same is to be said share a line.
pub(super) fn shared_lines<'a>(said: impl Iterator<Item = (&'a str, String)>) -> Vec<Block> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (engine, line) in said {
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, engines)) => engines.push(engine),
            None => lines.push((line, vec![engine])),
        }
    }
    lines.into_iter().map(|(line, engines)| Block::Item(format!("{}: {line}", engines.join(", ")))).collect()
}

fn sheet(all: &[ScalingSeries]) -> Sheet {
    let points = || all.iter().flat_map(|s| s.points.iter().map(move |p| (s, p)));
    let ends = points().filter_map(|(_, p)| p.wall_ns_interval).flat_map(|i| [i.low, i.high]);
    let scale = Scale::time(points().filter_map(|(_, p)| p.wall_ns_total).chain(ends));
    let rows = points().map(|(s, p)| {
        let is_first = s.points.first().is_some_and(|first| first.nodes == p.nodes);
        let no_speedup = if is_first && p.wall_ns_total.is_some() { "1" } else { "-" };
        let interval = p.efficiency_interval.map_or_else(String::new, |i| format!(" {}", range(i, ratio)));
        Row {
            about: None,
            tone: Tone::Plain,
            cells: vec![
                s.engine.clone(),
                s.cluster.clone(),
                format!("{} x {}", p.nodes, p.slots),
                or_dash(p.wall_ns_total, |ns| scale.show(ns)),
                or_dash(p.wall_ns_interval, |i| range(i, |ns| scale.show(ns))),
                p.speedup.as_ref().map_or_else(|| no_speedup.to_owned(), ratio_text),
                p.efficiency.map_or_else(|| no_speedup.to_owned(), |e| format!("{}{interval}", ratio(e))),
            ],
        }
    });
    Sheet {
        rows: rows.collect(),
        columns: vec![
            column("engine", Kind::Name),
            column("cluster", Kind::Name),
            column("nodes x slots", Kind::Number),
            column(scale.unit, Kind::Number),
            column(interval_column(points().filter_map(|(_, p)| p.trials_min)), Kind::Number),
            column("speedup", Kind::Words),
            column("efficiency", Kind::Words),
        ],
    }
}

/// What a reader of one engine's rows must know: which workloads are in them, and the law.
pub(super) fn line(
    (common, cases): (usize, usize),
    law: &Law,
    (slots_shared, shared_cores): (bool, Option<f64>),
) -> String {
    let over = match common {
        0 => "no workload was completed at every node count, so there are no times".to_owned(),
        common => format!("total of the {common} of {cases} workloads completed at every node count"),
    };
    let shared = match (shared_cores, slots_shared) {
        (Some(all), _) => format!(
            "; some node counts have more slots than the {} of the one machine, so efficiency is per core that is there, \
             not per node or slot, and these counts are left out of the law",
            cores(all)
        ),
        (None, true) => {
            "; slots per node were shared out, so efficiency is per slot of the whole cluster, not per node".to_owned()
        }
        (None, false) => String::new(),
    };
    format!("{over}{shared}; {}", in_words(law, slots_shared))
}

/// The law in words, or how many points it lacks.
fn in_words(law: &Law, slots_shared: bool) -> String {
    let units = if slots_shared { "slots" } else { "nodes" };
    match law {
        Law::InsufficientPoints { measured, needed } => {
            let counts = if slots_shared { "different slot counts" } else { "node counts" };
            format!("Universal Scalability Law: insufficient points: {measured} of {needed} {counts}")
        }
        Law::Fitted(Scalability { sigma, sigma_interval, kappa, kappa_interval, peak_nodes, .. }) => {
            let share = |value: f64| percent(value);
            let peak = match peak_nodes.filter(|n| n.is_finite()).map(f64::round) {
                None => "throughput never falls with more of them".to_owned(),
                Some(1.0) => format!("throughput is highest with a single one, more {units} do not help"),
                Some(n) => format!("throughput is highest at {n:.0} {units}"),
            };
            format!(
                "Universal Scalability Law over {units}: contention {} % ({}), coherency {} % ({}); {peak}",
                share(*sigma),
                range(*sigma_interval, share),
                exact_percent(*kappa),
                range(*kappa_interval, exact_percent)
            )
        }
    }
}

/// A share as percent with three decimals: coherency costs are paid per pair of nodes, and small ones weigh.
fn exact_percent(share: f64) -> String {
    format!("{:.3}", share * 100.0)
}
