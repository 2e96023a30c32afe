//! Scores, and ratios to the leader with intervals.

use super::arena::Arena;
use super::features;
use super::report::{Ranked, Share, Unranked};
use super::sensitivity::Scored;
use super::{Hourly, Question};
use crate::compare::evidence::TestedCase;
use crate::comparison::Verdict;
use crate::stats::{Bootstrap, Evidence, Interval, P_MAX, Sample, Stratum, holm, judge, lone_variation, stratified};
use std::collections::{BTreeMap, BTreeSet};

/// Who has a place, best first, and who has none.
pub(super) struct Ranking {
    pub(super) ranked: Vec<Ranked>,
    /// What each of these scored, in the same order.
    pub(super) scored: Vec<Scored>,
    pub(super) unranked: Vec<Unranked>,
    /// Share of the mix that was measured.
    pub(super) covered: f64,
}

/// Somebody who completed everything.
struct Placed {
    scored: Scored,
    /// Weighted mean logarithm of times.
    score: f64,
    /// The same, resampled.
    resampled: Option<Bootstrap>,
    /// Samples with what each counts for, in the same order for everybody.
    samples: Vec<(f64, Sample)>,
    price: Option<Hourly>,
}

/// Places everybody who took part in an arena of the mix.
pub(super) fn rank(question: &Question<'_>, arenas: &[Arena<'_, '_>]) -> Ranking {
    let covered: f64 = arenas.iter().map(|a| a.share).sum();
    let names: BTreeSet<String> = arenas.iter().flat_map(|a| a.members.iter().map(|m| a.name(*m))).collect();
    let (mut placed, mut unranked) = (Vec::new(), Vec::new());
    for name in names {
        match place(question, arenas, &name, covered) {
            Ok(one) => placed.push(one),
            Err(because) => unranked.push(Unranked { engine: name, because }),
        }
    }
    placed.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.scored.name.cmp(&b.scored.name)));
    let ranked = ranked(question, arenas, &placed, covered);
    Ranking { ranked, scored: placed.into_iter().map(|p| p.scored).collect(), unranked, covered }
}

fn place(question: &Question<'_>, arenas: &[Arena<'_, '_>], name: &str, covered: f64) -> Result<Placed, String> {
    if let Some(why) = features::excluded(question.required, name) {
        return Err(why);
    }
    let mut one = Placed {
        scored: Scored { name: name.to_owned(), logs: Vec::new(), draws: Vec::new() },
        score: 0.0,
        resampled: None,
        samples: Vec::new(),
        price: None,
    };
    let mut parts = Vec::new();
    for arena in arenas {
        let samples = samples(arena, name).map_err(|why| format!("{}: {why}", arena.family))?;
        let weight = arena.share / covered;
        let n = samples.len() as f64;
        let log = samples.iter().map(|s| s.median.ln()).sum::<f64>() / n;
        let logs: Option<Vec<Bootstrap>> =
            samples.iter().map(|s| s.bootstrap.as_ref().map(|b| b.map(f64::ln))).collect();
        let draws = logs.and_then(|logs| Some(Bootstrap::sum(logs.iter())?.map(|sum| sum / n)));
        one.score += weight * log;
        parts.push(draws.as_ref().map(|d| d.map(|x| weight * x)));
        one.scored.logs.push(log);
        one.scored.draws.push(draws);
        one.samples.extend(samples.into_iter().map(|s| (weight / n, s)));
        let member = arena.only(name).ok().and_then(|m| arena.contestant(m));
        let is_price = |p: &Hourly| [p.low, p.base, p.high].iter().all(|usd| usd.is_finite() && *usd > 0.0);
        let price = member.zip(question.pricing).and_then(|(c, p)| p.hourly(c)).filter(is_price);
        // Work of several families needs a machine that holds all of it, at a price that is known for all of it.
        let dearer = |known: Hourly, other: Hourly| if other.base > known.base { other } else { known };
        one.price = if parts.len() == 1 { price } else { one.price.zip(price).map(|(a, b)| dearer(a, b)) };
    }
    let parts: Option<Vec<Bootstrap>> = parts.into_iter().collect();
    one.resampled = parts.and_then(|parts| Bootstrap::sum(parts.iter()));
    Ok(one)
}

/// Times of everything the arena holds, in the order of workloads; else what is missing.
fn samples(arena: &Arena<'_, '_>, name: &str) -> Result<Vec<Sample>, String> {
    let member = arena.only(name).map_err(|count| match count {
        0 => format!("was not run in {}", arena.table.runs.join(", ")),
        several => format!("{several} versions or builds of it; give the runs of one"),
    })?;
    let of_family = |c: &&TestedCase<'_>| c.contestant == member && c.family.name() == arena.family;
    let cases: BTreeMap<&str, &TestedCase<'_>> =
        arena.table.cases.iter().filter(of_family).map(|c| (c.workload, c)).collect();
    let sample = |w: &&str| cases.get(*w).and_then(|c| c.sample(|o| o.wall_ns));
    let found: Vec<Sample> = arena.workloads.iter().filter_map(sample).collect();
    if found.len() == arena.workloads.len() && !found.is_empty() {
        return Ok(found);
    }
    let first = cases.values().find(|c| !c.completed());
    let why = first.map_or_else(
        || "the others were not run".to_owned(),
        |c| format!("{} {}: {}", c.workload, c.outcome, c.reason.as_deref().unwrap_or("no reason recorded")),
    );
    Err(format!("completed {} of {}; {why}", found.len(), arena.workloads.len()))
}

/// The noise that a ratio of two scores has to exceed: that of the families, weighted as they are; none if one has none. Of
/// a family of one workload it is no less than that workload's own.
///
/// # Errors
/// Why the two cannot be compared.
fn noise(arenas: &[Arena<'_, '_>], covered: f64, one: &str, leader: &str) -> Result<Option<f64>, String> {
    let mut sum = Some(0.0);
    for arena in arenas {
        let (Ok(a), Ok(b)) = (arena.only(one), arena.only(leader)) else { continue };
        let workloads: Vec<&str> = arena.workloads.iter().copied().collect();
        let meeting = arena.table.meeting((a, b), &arena.family, &workloads, |o| o.wall_ns);
        if let Some(why) = meeting.gap(one, leader) {
            return Err(why);
        }
        let only = match workloads.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let noise = meeting.noise(arena.table.floor(|o| o.wall_ns, &arena.family, only));
        sum = sum.zip(noise).map(|(sum, noise)| sum + noise.ln_1p() * arena.share / covered);
    }
    Ok(sum.map(f64::exp_m1))
}

/// One who does not lead, against the one who does.
struct Behind {
    ratio: f64,
    interval: Option<Interval>,
    p: f64,
    verdict: Verdict,
    resampled: Option<Bootstrap>,
    apart: Option<String>,
}

fn behind(one: &Placed, leader: &Placed, noise: Result<Option<f64>, String>) -> Behind {
    let ratio = (one.score - leader.score).exp();
    let resampled = one.resampled.as_ref().zip(leader.resampled.as_ref());
    let resampled = resampled.map(|(a, b)| a.combine(b, |a, b| (a - b).exp()));
    let interval = resampled.as_ref().map(Bootstrap::interval);
    let strata: Vec<Stratum<'_>> = one
        .samples
        .iter()
        .zip(&leader.samples)
        .map(|((weight, a), (_, b))| Stratum { weight: *weight, a: &a.ascending, b: &b.ascending })
        .collect();
    let p = stratified(&strata).filter(|t| t.lean > 0.0).map_or(1.0, |t| t.p_two_sided);
    let contaminated = one.samples.iter().chain(&leader.samples).any(|(_, s)| s.contaminated);
    let variation = |of: &Placed| lone_variation(of.samples.iter().map(|(_, s)| s));
    let verdict = match &noise {
        _ if contaminated => Verdict::Contaminated,
        // Nobody knows the noise, or what lies between their runs.
        Ok(None) | Err(_) => Verdict::Unresolved,
        Ok(floor) => judge(ratio, interval, Evidence { p, least_p: 0.0 }, [*floor, variation(one), variation(leader)]),
    };
    Behind { ratio, interval, p, verdict, resampled, apart: noise.err() }
}

fn ranked(question: &Question<'_>, arenas: &[Arena<'_, '_>], placed: &[Placed], covered: f64) -> Vec<Ranked> {
    let Some((leader, rivals)) = placed.split_first() else { return Vec::new() };
    let noise = |r: &Placed| noise(arenas, covered, &r.scored.name, &leader.scored.name);
    let all: Vec<Behind> = rivals.iter().map(|r| behind(r, leader, noise(r))).collect();
    let adjusted = holm(&all.iter().map(|b| b.p).collect::<Vec<_>>());
    let entry = |one: &Placed, behind: Option<(&Behind, f64)>| {
        let ratios = arenas.iter().zip(one.scored.logs.iter().zip(&leader.scored.logs));
        let cost = one.price.as_ref().zip(leader.price.as_ref()).map(|(a, b)| Cost::of(a, b, behind.map(|b| b.0)));
        Ranked {
            engine: one.scored.name.clone(),
            is_style: question.styles.contains(&engine_of(&one.scored.name)),
            against_leader: behind.map_or(1.0, |(b, _)| b.ratio),
            interval: behind.and_then(|(b, _)| b.interval),
            p_adjusted: behind.map(|(_, p)| p),
            is_slower: behind.is_some_and(|(b, p)| b.verdict == Verdict::Slower && p <= P_MAX),
            by_family: ratios.map(|(a, (x, y))| Share { name: a.family.clone(), share: (x - y).exp() }).collect(),
            apart: behind.and_then(|(b, _)| b.apart.clone()),
            usd_per_hour: one.price.as_ref().map(|p| p.base),
            usd_per_hour_range: one.price.as_ref().map(|p| Interval { low: p.low, high: p.high }),
            price_from: one.price.as_ref().map(|p| p.from.clone()),
            cost_against_leader: cost.as_ref().map(|c| c.base),
            cost_interval: cost.and_then(|c| c.interval),
        }
    };
    let rest = rivals.iter().zip(all.iter().zip(adjusted)).map(|(r, (b, p))| entry(r, Some((b, p))));
    std::iter::once(entry(leader, None)).chain(rest).collect()
}

/// The engine in a name of a ranking.
pub(super) fn engine_of(name: &str) -> &str {
    name.split('+').next().unwrap_or_default()
}

/// What somebody costs over what the leader costs: time times price.
struct Cost {
    base: f64,
    interval: Option<Interval>,
}

impl Cost {
    /// Both prices are taken at the same end of their ranges: where they rest on the same machines, one cannot be dear while
    /// the other is cheap.
    fn of(one: &Hourly, leader: &Hourly, behind: Option<&Behind>) -> Self {
        let base = one.base / leader.base;
        let ends = [one.low / leader.low, base, one.high / leader.high];
        let (low, high) = ends.iter().fold((base, base), |(low, high), x| (low.min(*x), high.max(*x)));
        let times = behind.and_then(|b| b.resampled.as_ref()).map(Bootstrap::interval);
        Self {
            base: base * behind.map_or(1.0, |b| b.ratio),
            interval: times.map(|t| Interval { low: t.low * low, high: t.high * high }),
        }
    }
}
