//! Scores, ratios to the leader with intervals, and whether anybody leads.

use super::Question;
use super::arena::Arena;
use super::missing;
use super::report::{Answer, FamilyEvidence, RECOMMEND_SCHEMA, Ranked, Recommendation, Share, Unranked};
use super::sensitivity::{Scored, sensitivity};
use crate::claims::{ClaimsFile, holm};
use crate::compare::evidence::TestedCase;
use crate::comparison::Verdict;
use crate::stats::{Bootstrap, Evidence, Interval, P_MAX, Sample, Stratum, judge, stratified};
use std::collections::{BTreeMap, BTreeSet};

/// Who has a place, best first, and who has none.
pub(super) struct Ranking {
    placed: Vec<Placed>,
    unranked: Vec<Unranked>,
    /// Share of the mix that was measured.
    covered: f64,
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
    usd_per_hour: Option<f64>,
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
    Ranking { placed, unranked, covered }
}

fn place(question: &Question<'_>, arenas: &[Arena<'_, '_>], name: &str, covered: f64) -> Result<Placed, String> {
    let mut one = Placed {
        scored: Scored { name: name.to_owned(), logs: Vec::new(), draws: Vec::new() },
        score: 0.0,
        resampled: None,
        samples: Vec::new(),
        usd_per_hour: None,
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
        let member = arena.members.iter().find(|m| arena.name(**m) == name);
        let price = member.and_then(|m| arena.contestant(*m)).zip(question.pricing);
        one.usd_per_hour = price.and_then(|(c, p)| p.usd_per_hour(c)).filter(|usd| usd.is_finite() && *usd > 0.0);
    }
    let parts: Option<Vec<Bootstrap>> = parts.into_iter().collect();
    one.resampled = parts.and_then(|parts| Bootstrap::sum(parts.iter()));
    Ok(one)
}

/// Times of everything the arena holds, in the order of workloads; else what is missing.
fn samples(arena: &Arena<'_, '_>, name: &str) -> Result<Vec<Sample>, String> {
    let members: Vec<usize> = arena.members.iter().copied().filter(|m| arena.name(*m) == name).collect();
    let [member] = members.as_slice() else {
        return Err(match members.len() {
            0 => format!("was not run in {}", arena.table.runs.join(", ")),
            several => format!("{several} versions or builds of it; give the runs of one"),
        });
    };
    let of_family = |c: &&TestedCase<'_>| c.contestant == *member && c.family.name() == arena.family;
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

/// The noise floor of a score: those of its families, weighted as they are; none if one has none.
fn floor(arenas: &[Arena<'_, '_>], covered: f64) -> Option<f64> {
    let logs = arenas.iter().map(|a| Some((1.0 + a.table.floor(|o| o.wall_ns, None)?).ln() * a.share / covered));
    Some(logs.sum::<Option<f64>>()?.exp_m1())
}

/// One who does not lead, against the one who does.
struct Behind {
    ratio: f64,
    interval: Option<Interval>,
    p: f64,
    verdict: Verdict,
    resampled: Option<Bootstrap>,
}

fn behind(one: &Placed, leader: &Placed, floor: Option<f64>) -> Behind {
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
    let verdict = match floor {
        _ if contaminated => Verdict::Contaminated,
        // Nobody knows the noise.
        None => Verdict::Unresolved,
        Some(_) => judge(ratio, interval, Evidence { p, least_p: 0.0 }, [floor]),
    };
    Behind { ratio, interval, p, verdict, resampled }
}

fn ranked(arenas: &[Arena<'_, '_>], placed: &[Placed], covered: f64, styles: &BTreeSet<&str>) -> Vec<Ranked> {
    let Some((leader, rivals)) = placed.split_first() else { return Vec::new() };
    let floor = floor(arenas, covered);
    let all: Vec<Behind> = rivals.iter().map(|r| behind(r, leader, floor)).collect();
    let adjusted = holm(&all.iter().map(|b| b.p).collect::<Vec<_>>());
    let entry = |one: &Placed, behind: Option<(&Behind, f64)>| {
        let ratios = arenas.iter().zip(one.scored.logs.iter().zip(&leader.scored.logs));
        let price = one.usd_per_hour.zip(leader.usd_per_hour).map(|(a, b)| a / b);
        Ranked {
            engine: one.scored.name.clone(),
            is_style: styles.contains(one.scored.name.split('+').next().unwrap_or_default()),
            against_leader: behind.map_or(1.0, |(b, _)| b.ratio),
            interval: behind.and_then(|(b, _)| b.interval),
            p_adjusted: behind.map(|(_, p)| p),
            is_slower: behind.is_some_and(|(b, p)| b.verdict == Verdict::Slower && p <= P_MAX),
            by_family: ratios.map(|(a, (x, y))| Share { name: a.family.clone(), share: (x - y).exp() }).collect(),
            usd_per_hour: one.usd_per_hour,
            cost_against_leader: price.map(|p| p * behind.map_or(1.0, |(b, _)| b.ratio)),
            cost_interval: price.and_then(|p| Some(behind?.0.resampled.as_ref()?.map(|r| r * p).interval())),
        }
    };
    let rest = rivals.iter().zip(all.iter().zip(adjusted)).map(|(r, (b, p))| entry(r, Some((b, p))));
    std::iter::once(entry(leader, None)).chain(rest).collect()
}

/// The whole answer.
pub(super) fn answer(
    question: &Question<'_>,
    claims: &[ClaimsFile],
    arenas: &[Arena<'_, '_>],
    ranking: Ranking,
    notes: Vec<String>,
) -> Recommendation {
    let Ranking { placed, unranked, covered } = ranking;
    let styles: BTreeSet<&str> =
        claims.iter().flat_map(|f| f.subject.values()).filter_map(|s| s.style.as_deref()).collect();
    let ranked = ranked(arenas, &placed, covered, &styles);
    let evidence: Vec<FamilyEvidence> = arenas.iter().map(|a| missing::evidence(question, a)).collect();
    let unmeasured: Vec<&str> =
        question.mix.shares().map(|(f, _)| f).filter(|f| arenas.iter().all(|a| a.family != *f)).collect();
    let (answer, because) = conclude(&ranked, &evidence, &unmeasured);
    let families: Vec<&str> = arenas.iter().map(|a| a.family.as_str()).collect();
    let weights: Vec<f64> = arenas.iter().map(|a| a.share / covered).collect();
    let missing_share = if unmeasured.is_empty() { 0.0 } else { 1.0 - covered };
    let scored: Vec<Scored> = placed.into_iter().map(|p| p.scored).collect();
    Recommendation {
        schema: RECOMMEND_SCHEMA,
        mix: question.mix.shares().map(|(name, share)| Share { name: name.to_owned(), share }).collect(),
        data_bytes: question.data_bytes,
        nodes: question.nodes,
        answer,
        because,
        covered,
        sensitivity: sensitivity(&families, &weights, &scored, missing_share),
        missing: missing::missing(question, claims, arenas),
        cited: missing::cited(question, claims),
        ranked,
        unranked,
        evidence,
        notes,
    }
}

fn conclude(ranked: &[Ranked], evidence: &[FamilyEvidence], unmeasured: &[&str]) -> (Answer, String) {
    let Some((leader, rivals)) = ranked.split_first().filter(|(_, rivals)| !rivals.is_empty()) else {
        let text = match ranked.first() {
            Some(only) => format!("only {} completed what was measured of this mix", only.engine),
            None => "nobody completed anything of this mix in the runs given".to_owned(),
        };
        return (Answer::NoEvidence, text);
    };
    let close: Vec<&str> = rivals.iter().filter(|r| !r.is_slower).map(|r| r.engine.as_str()).collect();
    if !close.is_empty() {
        let text = format!("{} is not shown to be faster than {}", leader.engine, close.join(", "));
        return (Answer::NoClearWinner, text);
    }
    let mut limits: Vec<String> =
        evidence.iter().filter_map(|e| Some(format!("{}: {}", e.family, e.differs.as_ref()?))).collect();
    limits.extend(unmeasured.iter().map(|f| format!("{f}: not measured")));
    let kind = if leader.is_style { ", an engine style and no product," } else { "" };
    let text =
        format!("{}{kind} is faster than everybody else in the runs given, beyond noise and chance", leader.engine);
    let engine = leader.engine.clone();
    if limits.is_empty() {
        (Answer::ClearWinner { engine }, text)
    } else {
        (Answer::LeadsElsewhere { engine }, format!("{text}; that is not the whole question: {}", limits.join("; ")))
    }
}
