//! How far two measurements of the same thing lie apart.
//!
//! Trials of one process resemble each other more than those of another process, or of the same program an hour later: memory
//! lies elsewhere, the machine has other guests. A test that only sees trials takes such a difference for a change (Kalibera
//! and Jones 2013; Mytkowicz and others 2009). Two sources tell of it without further runs: the A/A twin is a process of its
//! own, and most cases of two builds are untouched by the change between them. What differences have beyond what trials
//! explain is the noise between processes or runs; the larger counts.

use super::model::GateNoise;
use super::{CaseTrials, Cases};
use crate::stats::{Bootstrap, RESAMPLES, effect, median, quantile, sorted};
use bench_record::{Case, CaseKey, Family};
use std::collections::BTreeMap;

/// From so many cases on, the scatter of their ratios says something.
const SCATTER_CASES: usize = 10;
/// From so many cases on, an engine has a middle of its own.
const ENGINE_CASES: usize = 5;
/// The median of the absolute deviations of a normal distribution is a standard deviation times 1 / 1.4826.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// What a value is worth to that median, of one to a standard deviation (Huber 1981).
const MAD_EFFICIENCY: f64 = 0.37;
/// A normal distribution has a tenth beyond so many deviations.
const ONE_OF_TEN: f64 = 1.281_552;

/// What a variance may be that was seen in `n` values: its upper bound with 90 % confidence, by the chi-squared distribution
/// (Wilson and Hilferty 1931). Of few values a variance is as often too small as too large, and only the former does harm.
fn pessimistic(variance: f64, n: f64) -> f64 {
    let part = 2.0 / (9.0 * n.max(1.0));
    variance / (1.0 - part - ONE_OF_TEN * part.sqrt()).max(0.2).powi(3)
}

/// The noise of a comparison.
pub(super) struct Noise {
    /// What a reader is told, per family.
    pub(super) told: Vec<GateNoise>,
    by_workload: BTreeMap<(Family, String), f64>,
    families: BTreeMap<Family, usize>,
}

/// What a case must exceed, and what its bounds must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct NoiseOf {
    /// No smaller effect is claimed; none without an A/A arm.
    pub(super) floor: Option<f64>,
    /// The deviation of a logarithm of a ratio that trials do not explain.
    pub(super) beyond: f64,
}

impl Noise {
    pub(super) fn new(old: &Cases, fresh: &Cases) -> Self {
        let mut by_workload: BTreeMap<(Family, String), f64> = BTreeMap::new();
        let mut pairs: BTreeMap<Family, Vec<Difference>> = BTreeMap::new();
        for (case, trials) in old.iter().chain(fresh) {
            let usable = !trials.contaminated && trials.times.len() >= 2 && trials.twin.len() >= 2;
            let twins = usable.then(|| Difference::of(&case.key(), &trials.times, &trials.twin)).flatten();
            if let Some(difference) = twins {
                let floor = by_workload.entry((case.family, case.workload.clone())).or_default();
                *floor = floor.max(effect(difference.log.exp()));
                pairs.entry(case.family).or_default().push(difference);
            }
        }
        let mut told = Vec::new();
        let mut families = BTreeMap::new();
        let present: std::collections::BTreeSet<Family> = old.keys().map(|case| case.family).collect();
        for family in present {
            let twins = pairs.get(&family).map(Vec::as_slice).unwrap_or_default();
            let effects = sorted(twins.iter().map(|d| effect(d.log.exp())));
            families.insert(family, told.len());
            told.push(GateNoise {
                family: family.name().to_owned(),
                aa_cases: twins.len(),
                floor: quantile(&effects, 0.95),
                between_processes: between_processes(twins),
                between_runs: between_runs(family, old, fresh),
            });
        }
        Self { told, by_workload, families }
    }

    /// That of a case: its family's, and its own workload's floor if that is higher.
    pub(super) fn of(&self, case: &Case) -> NoiseOf {
        let Some(family) = self.families.get(&case.family).and_then(|at| self.told.get(*at)) else {
            return NoiseOf::default();
        };
        let own = self.by_workload.get(&(case.family, case.workload.clone())).copied();
        // A ratio holds two processes' deviations.
        let processes = family.between_processes.unwrap_or_default() * std::f64::consts::SQRT_2;
        let floor = family.floor.map(|floor| floor.max(own.unwrap_or_default()));
        NoiseOf { floor, beyond: processes.max(family.between_runs.unwrap_or_default()) }
    }
}

/// The logarithm of a ratio of medians, and the variance that trials alone give it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) log: f64,
    pub(super) variance: f64,
}

impl Difference {
    /// None of fewer than two times on a side.
    pub(super) fn of(key: &CaseKey, a: &[f64], b: &[f64]) -> Option<Self> {
        let (a, b) = (sorted(a.iter().copied()), sorted(b.iter().copied()));
        let log = (median(&a)? / median(&b)?).ln();
        let ratios = Bootstrap::of_median(&a, seed(key, 1))?.ratio(&Bootstrap::of_median(&b, seed(key, 2))?);
        let logs: Vec<f64> = (0..RESAMPLES).filter_map(|i| ratios.draw(i)).map(f64::ln).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let variance = logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (logs.len() as f64 - 1.0);
        (log.is_finite() && variance.is_finite()).then_some(Self { log, variance })
    }
}

/// What samples of a case are resampled with: another sequence on each side.
pub(super) fn seed(key: &CaseKey, side: u8) -> u64 {
    let bytes = key.as_str().bytes().chain([0, side]);
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// The deviation of one process: the mean square of the A/A differences, the outermost 5 % pulled in, less the mean of what
/// trials explain, shared by two processes (the method of moments of DerSimonian and Laird 1986, equal weights).
fn between_processes(twins: &[Difference]) -> Option<f64> {
    if twins.is_empty() {
        return None;
    }
    let most = quantile(&sorted(twins.iter().map(|d| d.log.abs())), 0.95)?;
    let n = twins.len() as f64;
    let seen = twins.iter().map(|d| d.log.abs().min(most).powi(2)).sum::<f64>() / n;
    let explained = twins.iter().map(|d| d.variance).sum::<f64>() / n;
    Some((pessimistic(seen, n) - explained).max(0.0).sqrt() / std::f64::consts::SQRT_2)
}

/// The deviation of the ratios of all cases about the middle of their engine, by the median of absolute deviations so that the few cases
/// that changed do not count, less what trials explain (an empirical null, Efron 2004). A shift of all of them is not noise
/// of this kind: it is for the verdict to find one-sided.
fn between_runs(family: Family, old: &Cases, fresh: &Cases) -> Option<f64> {
    let both = old.iter().filter(|(case, _)| case.family == family);
    let clean = |a: &CaseTrials, b: &CaseTrials| !a.contaminated && !b.contaminated;
    let ratios: Vec<(&str, Difference)> = both
        .filter_map(|(case, a)| Some((case, a, fresh.get(case)?)))
        .filter(|(_, a, b)| clean(a, b))
        .filter_map(|(case, a, b)| Some((case.engine.as_str(), Difference::of(&case.key(), &b.times, &a.times)?)))
        .collect();
    if ratios.len() < SCATTER_CASES {
        return None;
    }
    let mut middles: BTreeMap<&str, f64> = BTreeMap::new();
    for (engine, _) in &ratios {
        // An engine of few cases has no middle of its own to lie apart from.
        let own = ratios.iter().filter(|(other, _)| other == engine).count() >= ENGINE_CASES;
        let chosen = ratios.iter().filter(|(other, _)| !own || other == engine).map(|(_, d)| d.log);
        middles.insert(engine, median(&sorted(chosen))?);
    }
    let apart = ratios.iter().map(|(engine, d)| (d.log - middles.get(engine).copied().unwrap_or_default()).abs());
    let deviation = MAD_TO_DEVIATION * median(&sorted(apart))?;
    let ratios: Vec<Difference> = ratios.into_iter().map(|(_, d)| d).collect();
    let explained = median(&sorted(ratios.iter().map(|d| d.variance)))?;
    let worth = ratios.len() as f64 * MAD_EFFICIENCY;
    Some((pessimistic(deviation.powi(2), worth) - explained).max(0.0).sqrt())
}
