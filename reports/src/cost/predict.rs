//! Times on node counts that were not measured. Nothing is said without an error on runs that the prediction had not seen, and
//! nothing at all where that error is above [`ERROR_MAX`].

use super::unit::{Hours, Range, Unit};
use super::usage::Usage;
use crate::comparison::{FamilyReport, Law, ScalingSeries};
use crate::stats::{POINTS_MIN, Scalability, usl_fit};
use serde::Serialize;
use std::collections::BTreeSet;

/// The largest error on held-out runs with which a prediction is shown: 15 %.
pub const ERROR_MAX: f64 = 0.15;

/// A law that was fitted up to so many nodes is believed up to so many times that.
const REACH: u32 = 2;
/// So many of the largest node counts are held out together: what is asked for lies beyond all of them, not among them.
const LARGEST: usize = 2;

/// What a time rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Basis {
    /// Trials on so many nodes.
    Measured {
        /// How many.
        nodes: u32,
    },
    /// The Universal Scalability Law through other node counts.
    Predicted {
        /// On how many nodes.
        nodes: u32,
        /// The node counts measured.
        from: Vec<u32>,
        /// The largest relative error on node counts that were held out of the fit: each by itself, and the largest two together.
        error: f64,
    },
    /// Trials on so many nodes; others were asked for.
    NotPredicted {
        /// How many were measured.
        nodes: u32,
        /// How many were asked for.
        asked: u32,
        /// Why there is no prediction.
        why: String,
    },
}

impl Basis {
    /// On how many nodes.
    #[must_use]
    pub const fn nodes(&self) -> u32 {
        match self {
            Self::Measured { nodes } | Self::Predicted { nodes, .. } | Self::NotPredicted { nodes, .. } => *nodes,
        }
    }

    /// What may be ranked with each other: measured with measured, and predicted for so many nodes with the like.
    #[must_use]
    pub const fn footing(&self) -> (u8, u32) {
        match self {
            Self::Measured { .. } => (0, 0),
            Self::Predicted { nodes, .. } => (1, *nodes),
            Self::NotPredicted { nodes, .. } => (2, *nodes),
        }
    }

    /// In a few words, for the line of a cost.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Measured { .. } => "measured".to_owned(),
            Self::Predicted { error, .. } => format!("predicted ±{:.0} %", error * 100.0),
            Self::NotPredicted { nodes, .. } => format!("on {nodes}, not predicted"),
        }
    }
}

impl std::fmt::Display for Basis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |counts: &[u32]| counts.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Measured { nodes: 1 } => write!(f, "measured on 1 node"),
            Self::Measured { nodes } => write!(f, "measured on {nodes} nodes"),
            Self::Predicted { nodes, from, error } => {
                let error = error * 100.0;
                write!(
                    f,
                    "predicted for {nodes} nodes from {} nodes, error {error:.1} % on held-out node counts",
                    list(from)
                )
            }
            Self::NotPredicted { asked, why, .. } => write!(f, "not predicted for {asked} nodes: {why}"),
        }
    }
}

/// The usages on the node count asked for: measured there if they were, else predicted, else as measured, saying why.
pub(super) fn on_nodes(all: Vec<Usage>, family: &FamilyReport, asked: Option<u32>) -> Vec<Usage> {
    let Some(asked) = asked else { return all };
    let mut out = Vec::new();
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    for usage in &all {
        let kind: Vec<&Usage> = all.iter().filter(|other| is_alike(usage, other)).collect();
        let labels: Vec<String> = kind.iter().map(|u| u.contestant.label.clone()).collect();
        if seen.insert(labels) {
            out.extend(best(&kind, family, asked));
        }
    }
    out
}

/// Whether they are of one engine in one configuration, on one kind of cluster.
pub(super) fn is_alike(a: &Usage, b: &Usage) -> bool {
    let who = |u: &Usage| {
        let c = &u.contestant;
        let place = (c.cluster.clone(), c.version.clone(), c.build_id.clone());
        (c.engine.clone(), c.variant.clone(), place)
    };
    who(a) == who(b)
}

fn best(kind: &[&Usage], family: &FamilyReport, asked: u32) -> Vec<Usage> {
    let exact: Vec<Usage> = kind.iter().filter(|u| is_on(u, asked)).map(|u| (*u).clone()).collect();
    if !exact.is_empty() {
        return exact;
    }
    match predicted(kind, family, asked) {
        Ok(usage) => vec![*usage],
        Err(why) => (kind.iter())
            .map(|u| {
                let basis = Basis::NotPredicted { nodes: u.contestant.nodes, asked, why: why.clone() };
                Usage { basis, ..(*u).clone() }
            })
            .collect(),
    }
}

/// Nodes that share a machine are not so many nodes.
fn is_on(usage: &Usage, nodes: u32) -> bool {
    usage.contestant.nodes == nodes && usage.place.machines == nodes
}

fn predicted(kind: &[&Usage], family: &FamilyReport, asked: u32) -> Result<Box<Usage>, String> {
    let machines: BTreeSet<u32> = kind.iter().map(|u| u.place.machines).collect();
    let measured = || machines.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let shares = kind.iter().any(|u| u.place.machines < u.contestant.nodes);
    if shares {
        return Err("its nodes shared a machine, and say nothing about nodes that do not".to_owned());
    }
    if machines.len() < POINTS_MIN {
        return Err(format!("measured on {} only; a fit takes {POINTS_MIN} node counts", measured()));
    }
    let label = |u: &&Usage| u.contestant.label.clone();
    let labels: BTreeSet<String> = kind.iter().map(label).collect();
    let of_kind = |s: &&ScalingSeries| s.points.iter().any(|p| labels.contains(&p.contestant));
    let series = family.scaling.iter().find(of_kind).ok_or("no workload was completed on all node counts")?;
    if series.slots_shared {
        return Err("its node counts differ in slots per node too".to_owned());
    }
    let Law::Fitted(law) = &series.law else { return Err(format!("a fit takes {POINTS_MIN} node counts")) };
    let points: Vec<(f64, f64)> =
        (series.points.iter()).filter_map(|p| Some((f64::from(p.nodes), p.wall_ns_total? / 1e9))).collect();
    let largest = series.points.iter().map(|p| p.nodes).max().unwrap_or_default();
    if asked > largest.saturating_mul(REACH) {
        return Err(format!(
            "{asked} nodes are more than {REACH} times the {largest} measured; measure larger clusters"
        ));
    }
    let error = held_out_error(&points).ok_or("the fit does not hold with a node count left out")?;
    if error > ERROR_MAX {
        return Err(format!(
            "the error on held-out node counts is {:.0} %, above {:.0} %",
            error * 100.0,
            ERROR_MAX * 100.0
        ));
    }
    // What the law says relative to the largest cluster measured, which has the usage's own workloads.
    let nearest = kind.iter().max_by_key(|u| u.contestant.nodes).ok_or("nothing was measured")?;
    let ratio = seconds(law, f64::from(asked)) / seconds(law, f64::from(nearest.contestant.nodes));
    let scaled = |hours: Hours, by: f64| Hours::of(hours.get() * ratio * by);
    let busy = nearest.busy_per_tb.map(|r| Range {
        low: scaled(r.low, 1.0 - error),
        base: scaled(r.base, 1.0),
        high: scaled(r.high, 1.0 + error),
    });
    let from = series.points.iter().map(|p| p.nodes).collect();
    let basis = Basis::Predicted { nodes: asked, from, error };
    let mut usage = Usage { busy_per_tb: busy, basis, ..(**nearest).clone() };
    usage.place.machines = asked;
    usage.contestant.nodes = asked;
    usage.contestant.label = relabelled(&nearest.contestant.label, nearest.contestant.nodes, asked);
    Ok(Box::new(usage))
}

/// A label with another node count: whatever else tells it apart from others, such as a variant or a version, stays.
fn relabelled(label: &str, nodes: u32, asked: u32) -> String {
    let count = format!("/{nodes}");
    match label.split_once(&count) {
        Some((engine, rest)) if rest.is_empty() || rest.starts_with([' ', '+']) => format!("{engine}/{asked}{rest}"),
        _ => match label.find([' ', '+']) {
            Some(at) => {
                format!("{}/{asked}{}", label.get(..at).unwrap_or_default(), label.get(at..).unwrap_or_default())
            }
            None => format!("{label}/{asked}"),
        },
    }
}

/// What the law says of a run on so many nodes.
fn seconds(law: &Scalability, nodes: f64) -> f64 {
    law_seconds((law.lambda, law.sigma, law.kappa), nodes)
}

fn law_seconds((lambda, sigma, kappa): (f64, f64, f64), nodes: f64) -> f64 {
    (1.0 + sigma * (nodes - 1.0) + kappa * nodes * (nodes - 1.0)) / (lambda * nodes)
}

/// The largest relative error of the law on points `(nodes, seconds)` that were left out of its fit: each by itself, and the
/// [`LARGEST`] together, which is what extrapolating to more nodes does.
fn held_out_error(points: &[(f64, f64)]) -> Option<f64> {
    let mut largest: f64 = 0.0;
    let mut ascending = points.to_vec();
    ascending.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (inner, outer) = ascending.split_at(ascending.len().saturating_sub(LARGEST));
    let law = usl_fit(inner)?;
    for (nodes, measured) in outer {
        largest = largest.max((law_seconds(law, *nodes) / measured - 1.0).abs());
    }
    for (at, (nodes, measured)) in points.iter().enumerate() {
        let rest: Vec<(f64, f64)> = points.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, p)| *p).collect();
        largest = largest.max((law_seconds(usl_fit(&rest)?, *nodes) / measured - 1.0).abs());
    }
    largest.is_finite().then_some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: [f64; 7] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0];

    #[test]
    fn a_law_predicts_the_points_that_it_made() {
        let points = COUNTS.map(|n| (n, law_seconds((0.5, 0.05, 0.002), n)));
        assert!(held_out_error(&points).is_some_and(|e| e < 1e-6));
    }

    #[test]
    fn a_law_that_only_interpolates_has_the_error_of_its_largest_clusters() {
        // Up to six nodes nothing is shared; beyond, everything is.
        let points = COUNTS.map(|n| (n, if n <= 6.0 { 60.0 / n } else { 10.0 * (n / 6.0).powf(1.5) }));
        assert!(held_out_error(&points).is_some_and(|e| e > 0.3), "{:?}", held_out_error(&points));
    }

    #[test]
    fn a_predicted_label_keeps_what_tells_it_apart() {
        assert_eq!(relabelled("stagedag/4+stealing=off", 4, 10), "stagedag/10+stealing=off");
        assert_eq!(relabelled("ray/8 2.60", 8, 10), "ray/10 2.60");
        assert_eq!(relabelled("ray/8", 8, 10), "ray/10");
        assert_eq!(relabelled("ray+tuned", 8, 10), "ray/10+tuned");
    }

    #[test]
    fn points_that_follow_no_law_have_an_error_above_the_limit() {
        let points = COUNTS.map(|n| (n, if n > 5.0 { 40.0 / n } else { 10.0 / n }));
        assert!(held_out_error(&points).is_some_and(|e| e > ERROR_MAX), "{:?}", held_out_error(&points));
    }

    #[test]
    fn the_label_names_the_error() {
        let basis = Basis::Predicted { nodes: 10, from: vec![1, 2, 3, 4, 6, 8], error: 0.0712 };
        assert_eq!(basis.short(), "predicted ±7 %");
        let wanted = "predicted for 10 nodes from 1, 2, 3, 4, 6, 8 nodes, error 7.1 % on held-out node counts";
        assert_eq!(basis.to_string(), wanted);
    }
}
