//! The sheet of node counts.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::{Scale, percent, ratio};
use super::wording::{column, cores, interval_column, or_dash, range, ratio_text};
use crate::comparison::{FamilyReport, Law, ScalingSeries};
use crate::stats::{Peak, Scalability};

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
    let (unit, units) = if slots_shared { ("slot", "slots") } else { ("node", "nodes") };
    match law {
        Law::InsufficientPoints { measured, needed } => {
            let counts = if slots_shared { "different slot counts" } else { "node counts" };
            format!("Universal Scalability Law: insufficient points: {measured} of {needed} {counts}")
        }
        Law::Fitted(law) => {
            let share = |value: f64| percent(value);
            let per_hour = |per_second: f64| ratio(per_second * 3600.0);
            format!(
                "Universal Scalability Law over {units}: one {unit} {} runs per hour ({}), contention {} % ({}), coherency {} % \
                 ({}); {}",
                per_hour(law.lambda),
                range(law.lambda_interval, per_hour),
                share(law.sigma),
                range(law.sigma_interval, share),
                exact_percent(law.kappa),
                range(law.kappa_interval, exact_percent),
                peak(law, units)
            )
        }
    }
}

/// Where throughput is highest, of what was measured.
fn peak(law: &Scalability, units: &str) -> String {
    let whole = |count: f64| format!("{count:.0}");
    let place = |count: f64| match whole(count).as_str() {
        "1" => "with a single one".to_owned(),
        many => format!("at {many} {units}"),
    };
    let among = range(law.peak_nodes_interval, whole);
    match law.shown_peak() {
        Peak::At(one) if among == "1–1" => {
            format!("throughput is highest {}, more {units} do not help", place(one))
        }
        Peak::At(count) => format!("throughput is highest {} ({among})", place(count)),
        Peak::Below => format!("throughput only falls from {} {units} on, the fewest measured", law.nodes_min),
        Peak::NotShown => format!("no peak was shown up to {} {units}, the most measured", law.nodes_max),
    }
}

/// A share as percent with three decimals: coherency costs are paid per pair of nodes, and small ones weigh.
fn exact_percent(share: f64) -> String {
    format!("{:.3}", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    /// What is said of a law with this peak that was fitted to so many nodes.
    #[track_caller]
    fn check(peak_nodes: Option<f64>, (low, high): (f64, f64), (nodes_min, nodes_max): (u32, u32), wanted: &str) {
        let law = Scalability {
            lambda: 0.1,
            lambda_interval: Interval { low: 0.0975, high: 0.1025 },
            sigma: 0.05,
            sigma_interval: Interval { low: 0.04, high: 0.06 },
            kappa: 0.001,
            kappa_interval: Interval { low: 0.0, high: 0.002 },
            peak_nodes,
            peak_nodes_interval: Interval { low, high },
            nodes_min,
            nodes_max,
        };
        let said = in_words(&Law::Fitted(law), false);
        let parameters = "Universal Scalability Law over nodes: one node 360 runs per hour (351–369), contention 5.0 % (4.0–6.0), \
                          coherency 0.100 % (0.000–0.200); ";
        assert_eq!(said, format!("{parameters}{wanted}"));
    }

    #[test]
    fn a_peak_is_named_with_its_interval_and_only_where_it_was_measured() {
        check(Some(30.8), (30.4, 31.3), (1, 32), "throughput is highest at 31 nodes (30–31)");
        check(Some(1.0), (1.0, 1.0), (1, 8), "throughput is highest with a single one, more nodes do not help");
        check(Some(1.2), (1.0, 3.4), (1, 8), "throughput is highest with a single one (1–3)");
        check(Some(1.0), (1.0, 1.0), (2, 8), "throughput only falls from 2 nodes on, the fewest measured");
    }

    #[test]
    fn a_peak_beyond_what_was_measured_or_perhaps_none_has_no_number() {
        for (nodes, low, high) in [
            (Some(100.0), 66.4, 120.0),
            (Some(100.0), 66.4, f64::INFINITY),
            (Some(5.0), 4.0, 7.0),
            (Some(7.0), 4.0, 5.0),
            (None, 4.0, f64::INFINITY),
            (None, f64::INFINITY, f64::INFINITY),
        ] {
            check(nodes, (low, high), (1, 6), "no peak was shown up to 6 nodes, the most measured");
        }
    }
}
