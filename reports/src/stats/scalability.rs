//! The Universal Scalability Law: how throughput grows with nodes, and what holds it back.
//!
//! `X(n) = lambda * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))` (Gunther, "Guerrilla Capacity Planning", 2007):
//! `sigma` is the share of work that only one node can do at a time, `kappa` what every pair of nodes costs. Written as
//! `n / X(n) = a + b * (n - 1) + c * n * (n - 1)` it is linear in its parameters; they are fitted by least squares of the
//! relative error, none below zero.

use super::bootstrap::{Bootstrap, RESAMPLES};
use super::{Interval, sorted};
use serde::Serialize;
use std::collections::BTreeSet;

/// Fewer node counts fit any three parameters: an exact fit of three or four points says nothing about a fifth.
pub const POINTS_MIN: usize = 6;

/// A fitted law.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scalability {
    /// Throughput of one node, in runs per second.
    pub lambda: f64,
    /// Its 95 % interval.
    pub lambda_interval: Interval,
    /// Contention, 0 for none.
    pub sigma: f64,
    /// Its 95 % interval.
    pub sigma_interval: Interval,
    /// Coherency, 0 for none.
    pub kappa: f64,
    /// Its 95 % interval.
    pub kappa_interval: Interval,
    /// The node count at which the law has its highest throughput, at least 1; absent if throughput never falls. Beyond the
    /// counts that were measured it is no finding: see [`Scalability::shown_peak`].
    pub peak_nodes: Option<f64>,
    /// Its 95 % interval; an infinite end, `null` in JSON, is throughput that never falls.
    pub peak_nodes_interval: Interval,
    /// The fewest nodes that it was fitted to.
    pub nodes_min: u32,
    /// The most.
    pub nodes_max: u32,
}

/// Where measurements show the highest throughput to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Peak {
    /// At so many nodes, and with 95 % confidence among the node counts measured.
    At(f64),
    /// At the fewest nodes measured, or below: each further one costs more than it brings.
    Below,
    /// Nowhere up to the most nodes measured, as far as they tell.
    NotShown,
}

impl Scalability {
    /// The peak as far as it was measured: a law says nothing of node counts beyond those that it was fitted to.
    #[must_use]
    pub fn shown_peak(&self) -> Peak {
        let (least, most) = (f64::from(self.nodes_min), f64::from(self.nodes_max));
        let Interval { low, high } = self.peak_nodes_interval;
        match self.peak_nodes {
            Some(nodes) if least <= low.min(nodes) && high.max(nodes) <= most => Peak::At(nodes),
            Some(nodes) if high.max(nodes) <= least => Peak::Below,
            _ => Peak::NotShown,
        }
    }
}

/// What one node count was measured to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// How many nodes, or whatever was added.
    pub nodes: u32,
    /// Seconds of one run of everything.
    pub seconds: f64,
    /// The same, resampled.
    pub resampled: Bootstrap,
}

/// Fits the law to the points, and to each of their resamples for intervals; none below [`POINTS_MIN`] different node
/// counts.
#[must_use]
pub fn scalability(points: &[Point]) -> Option<Scalability> {
    let counts: BTreeSet<u32> = points.iter().map(|p| p.nodes).collect();
    if counts.len() < POINTS_MIN {
        return None;
    }
    let (nodes_min, nodes_max) = (*counts.first()?, *counts.last()?);
    let measured: Vec<(f64, f64)> = points.iter().map(|p| (f64::from(p.nodes), p.seconds)).collect();
    let (lambda, sigma, kappa) = fit(&measured)?;
    let drawn: Vec<(f64, f64, f64)> = (0..RESAMPLES)
        .filter_map(|i| {
            let points = points.iter().map(|p| Some((f64::from(p.nodes), p.resampled.draw(i)?)));
            fit(&points.collect::<Option<Vec<_>>>()?)
        })
        .collect();
    let interval = |of: fn(&(f64, f64, f64)) -> f64| {
        let ascending = sorted(drawn.iter().map(of));
        let cut = ascending.len() / 40;
        let at = |i: usize| ascending.get(i).copied().unwrap_or(f64::NAN);
        Interval { low: at(cut), high: at(ascending.len().saturating_sub(1 + cut)) }
    };
    Some(Scalability {
        lambda,
        lambda_interval: interval(|d| d.0),
        sigma,
        sigma_interval: interval(|d| d.1),
        kappa,
        kappa_interval: interval(|d| d.2),
        peak_nodes: peak(sigma, kappa),
        peak_nodes_interval: interval(|d| peak(d.1, d.2).unwrap_or(f64::INFINITY)),
        nodes_min,
        nodes_max,
    })
}

/// Where the law's derivative is zero: `sqrt((1 - sigma) / kappa)`. One node is the least there is, and the best where each
/// further one costs as much as it brings (`sigma` of 1) or more. Without coherency throughput approaches a bound from
/// below and never falls.
fn peak(sigma: f64, kappa: f64) -> Option<f64> {
    if sigma >= 1.0 {
        return Some(1.0);
    }
    (kappa > 0.0).then(|| ((1.0 - sigma) / kappa).sqrt().max(1.0))
}

/// `(lambda, sigma, kappa)` of points `(nodes, seconds)`.
pub(crate) fn fit(points: &[(f64, f64)]) -> Option<(f64, f64, f64)> {
    // The non-negative least squares of three terms, the first always present: the best of the four subsets of the rest.
    let subsets: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let solved = subsets.iter().filter_map(|terms| {
        let solution = least_squares(points, terms)?;
        let legal = solution.iter().all(|x| *x >= 0.0) && solution[0] > 0.0;
        legal.then(|| (error(points, &solution), solution))
    });
    let (_, [a, b, c]) = solved.min_by(|(x, _), (y, _)| x.total_cmp(y))?;
    Some((1.0 / a, b / a, c / a))
}

/// What a parameter is multiplied with in `n / X(n)`.
fn term(which: usize, n: f64) -> f64 {
    match which {
        0 => 1.0,
        1 => n - 1.0,
        _ => n * (n - 1.0),
    }
}

/// The sum of squared relative errors.
fn error(points: &[(f64, f64)], parameters: &[f64; 3]) -> f64 {
    let relative = |(n, seconds): &(f64, f64)| {
        let predicted: f64 = (0..3).map(|i| parameters[i] * term(i, *n)).sum();
        predicted / (n * seconds) - 1.0
    };
    points.iter().map(|p| relative(p).powi(2)).sum()
}

/// Least squares over some terms, the others being zero; none if the terms cannot be told apart.
fn least_squares(points: &[(f64, f64)], terms: &[usize]) -> Option<[f64; 3]> {
    let size = terms.len();
    let mut rows = [[0.0f64; 4]; 3];
    for (n, seconds) in points {
        // Weighted by the inverse square of the measured value: errors count relative to it.
        let weight = 1.0 / (n * seconds).powi(2);
        for (i, row) in rows.iter_mut().enumerate().take(size) {
            for (j, cell) in row.iter_mut().enumerate().take(size) {
                *cell += weight * term(terms[i], *n) * term(terms[j], *n);
            }
            row[3] += weight * term(terms[i], *n) * n * seconds;
        }
    }
    let solved = eliminate(&mut rows, size)?;
    let mut parameters = [0.0; 3];
    for (which, value) in terms.iter().zip(solved) {
        parameters[*which] = value;
    }
    Some(parameters)
}

/// Gauss-Jordan elimination with row exchange; the right-hand side is the last column.
fn eliminate(rows: &mut [[f64; 4]; 3], size: usize) -> Option<[f64; 3]> {
    for column in 0..size {
        let pivot = (column..size).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let divisor = rows[column][column];
        if divisor.abs() < 1e-12 {
            return None;
        }
        rows[column].iter_mut().for_each(|cell| *cell /= divisor);
        let unit = rows[column];
        for (_, row) in rows.iter_mut().enumerate().take(size).filter(|(i, _)| *i != column) {
            let factor = row[column];
            row.iter_mut().zip(unit).for_each(|(cell, u)| *cell -= factor * u);
        }
    }
    Some([rows[0][3], rows[1][3], rows[2][3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(nodes: u32, seconds: [f64; 3]) -> Point {
        let resampled = Bootstrap::of_median(&sorted(seconds), nodes.into()).unwrap();
        Point { nodes, seconds: sorted(seconds)[1], resampled }
    }

    fn points(lambda: f64, sigma: f64, kappa: f64, counts: &[u32]) -> Vec<Point> {
        let seconds = |n: f64| (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)) / (lambda * n);
        counts.iter().map(|n| point(*n, [seconds(f64::from(*n)); 3])).collect()
    }

    #[test]
    fn five_node_counts_are_insufficient() {
        assert_eq!(scalability(&points(1.0, 0.1, 0.0, &[1, 2, 4, 8, 16])), None);
        // The same count twice is one.
        assert_eq!(scalability(&points(1.0, 0.1, 0.0, &[1, 2, 4, 8, 16, 16])), None);
    }

    #[test]
    fn perfect_scaling_has_neither_contention_nor_coherency() {
        let fit = scalability(&points(2.0, 0.0, 0.0, &[1, 2, 3, 4, 6, 8])).unwrap();
        assert!(fit.sigma.abs() < 1e-9 && fit.kappa.abs() < 1e-9 && fit.peak_nodes.is_none(), "{fit:?}");
        assert_eq!((fit.nodes_min, fit.nodes_max, fit.shown_peak()), (1, 8, Peak::NotShown));
        assert!(fit.lambda_interval.contains(fit.lambda) && (fit.lambda - 2.0).abs() < 1e-9, "{fit:?}");
        assert_eq!(fit.peak_nodes_interval.high, f64::INFINITY);
    }

    /// The law of points whose times vary by 1 % around what made them.
    fn varied(sigma: f64, kappa: f64, counts: &[u32]) -> Scalability {
        let vary = |p: &Point| point(p.nodes, [p.seconds * 0.99, p.seconds, p.seconds * 1.01]);
        scalability(&points(1.0, sigma, kappa, counts).iter().map(vary).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_peak_is_shown_only_where_all_that_it_may_be_was_measured() {
        let among = varied(0.05, 0.01, &[1, 2, 4, 8, 16, 32]);
        let Peak::At(nodes) = among.shown_peak() else { panic!("{among:?}") };
        assert!((nodes - 95f64.sqrt()).abs() < 0.5 && among.peak_nodes_interval.contains(nodes), "{among:?}");
        // At 14 nodes by the law, and nobody measured more than six.
        let beyond = varied(0.0, 0.005, &[1, 2, 3, 4, 5, 6]);
        assert_eq!((beyond.shown_peak(), beyond.nodes_max), (Peak::NotShown, 6), "{beyond:?}");
        assert!(beyond.peak_nodes.is_some_and(|nodes| nodes > 10.0), "{beyond:?}");
        // Coherency may be none, so there may be no peak.
        let open = varied(0.0, 1e-4, &[1, 2, 3, 4, 5, 6]);
        assert!(open.kappa_interval.contains(0.0) && open.peak_nodes_interval.high == f64::INFINITY, "{open:?}");
        assert_eq!(open.shown_peak(), Peak::NotShown);
        assert_eq!(varied(1.5, 0.0, &[1, 2, 3, 4, 6, 8]).shown_peak(), Peak::At(1.0));
        assert_eq!(varied(1.5, 0.0, &[2, 3, 4, 6, 8, 12]).shown_peak(), Peak::Below);
    }

    #[test]
    fn throughput_that_never_rises_is_highest_on_one_node() {
        assert_eq!([peak(1.0, 0.0), peak(1.5, 0.0), peak(1.5, 0.01)], [Some(1.0); 3]);
        // The root is below 1: the second node already costs more than it brings.
        assert_eq!(peak(0.5, 0.9), Some(1.0));
        assert!(peak(0.1, 0.1).is_some_and(|nodes| (nodes - 3.0).abs() < 1e-6));
        assert_eq!(peak(0.5, 0.0), None, "bounded, but never falling");
        let fitted = scalability(&points(1.0, 1.5, 0.0, &[1, 2, 3, 4, 6, 8])).unwrap();
        assert_eq!(fitted.peak_nodes, Some(1.0), "{fitted:?}");
    }

    proptest! {
        #[test]
        fn the_law_that_made_the_points_is_found(lambda in 0.1f64..10.0, sigma in 0.0f64..0.5, kappa in 0.0f64..0.05) {
            let fit = scalability(&points(lambda, sigma, kappa, &[1, 2, 3, 4, 6, 8, 12])).unwrap();
            prop_assert!((fit.lambda / lambda - 1.0).abs() < 1e-6);
            prop_assert!((fit.sigma - sigma).abs() < 1e-6 && (fit.kappa - kappa).abs() < 1e-6);
            prop_assert!(fit.sigma_interval.low <= sigma + 1e-6 && fit.sigma_interval.high >= sigma - 1e-6);
        }

        #[test]
        fn no_measurements_give_negative_parameters(seconds in prop::collection::vec(0.01f64..100.0, 6)) {
            let around = |s: f64| [s * 0.9, s, s * 1.2];
            let points: Vec<Point> = seconds.iter().zip(1..).map(|(s, nodes)| point(nodes, around(*s))).collect();
            if let Some(fit) = scalability(&points) {
                prop_assert!(fit.lambda > 0.0 && fit.sigma >= 0.0 && fit.kappa >= 0.0);
            }
        }
    }
}
