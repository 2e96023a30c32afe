//! Whether anybody leads, and where.

use super::Question;
use super::arena::{Arena, Choice, mixture};
use super::rank::{Ranking, engine_of, rank};
use super::report::{
    Answer, CitedFeature, FamilyEvidence, RECOMMEND_SCHEMA, Ranked, Recommendation, Share, UnusedEvidence,
};
use super::sensitivity::sensitivity;
use super::{features, missing};
use crate::claims::ClaimsFile;
use std::collections::BTreeSet;

/// The switch of a product that is configured otherwise than it comes, in a name of a ranking.
const SET: &str = "+config=";

/// The whole answer.
pub(super) fn answer(
    question: &Question<'_>,
    claims: &[ClaimsFile],
    choice: &Choice<'_, '_>,
    notes: Vec<String>,
) -> Recommendation {
    let arenas = &choice.arenas;
    let Ranking { ranked, scored, unranked, covered } = rank(question, arenas);
    let evidence: Vec<FamilyEvidence> = arenas.iter().map(|a| missing::evidence(question, a)).collect();
    let unmeasured: Vec<&str> =
        question.mix.shares().map(|(f, _)| f).filter(|f| arenas.iter().all(|a| a.family != *f)).collect();
    let mut limits: Vec<String> =
        evidence.iter().filter_map(|e| Some(format!("{}: {}", e.family, e.differs.as_ref()?))).collect();
    limits.extend(unmeasured.iter().map(|f| format!("{f}: not measured")));
    limits.extend(mixture(arenas));
    limits.extend(untuned(claims, &ranked));
    limits.extend(ranked.first().iter().flat_map(|leader| features::unsaid(question.required, &leader.engine)));
    let has_requirements = !question.required.is_empty();
    let (mut answer, mut because) = conclude(&ranked, &limits, has_requirements);
    let mut unused: Vec<UnusedEvidence> = choice.unused.iter().map(|(a, why)| left_out(a, why)).collect();
    let mut against = Vec::new();
    for equal in &choice.equals {
        let (other, why) = conclude(&rank(question, equal).ranked, &[], has_requirements);
        let news =
            equal.iter().filter(|a| arenas.iter().all(|c| !std::ptr::eq(c.table, a.table) || c.ground != a.ground));
        unused.extend(news.map(|a| left_out(a, &format!("as near as what was taken: {why}"))));
        if other != Answer::NoEvidence && leader(&other) != leader(&answer) {
            against.push(format!("in {}: {why}", folders(equal)));
        }
    }
    if !against.is_empty() && leader(&answer).is_some() {
        because = format!(
            "runs that are as near to the question do not agree: in {}: {because}; {}",
            folders(arenas),
            against.join("; ")
        );
        answer = Answer::NoClearWinner;
    }
    let engines = engines(arenas);
    let (required, first_without) = required(question, arenas, &ranked, &engines);
    let features = features::of_families(claims, &unmeasured, &engines);
    let families: Vec<&str> = arenas.iter().map(|a| a.family.as_str()).collect();
    let weights: Vec<f64> = arenas.iter().map(|a| a.share / covered).collect();
    let missing_share = if unmeasured.is_empty() { 0.0 } else { 1.0 - covered };
    Recommendation {
        schema: RECOMMEND_SCHEMA,
        mix: question.mix.shares().map(|(name, share)| Share { name: name.to_owned(), share }).collect(),
        data_bytes: question.data_bytes,
        nodes: question.nodes,
        answer,
        because,
        covered,
        sensitivity: sensitivity(&families, &weights, &scored, missing_share),
        missing: missing::missing(question, claims, choice, &ranked),
        required,
        first_without,
        features,
        cited: missing::cited(question, claims),
        ranked,
        unranked,
        evidence,
        unused,
        notes,
    }
}

/// Who took part, whatever the configuration.
fn engines(arenas: &[Arena<'_, '_>]) -> BTreeSet<String> {
    arenas.iter().flat_map(|a| a.members.iter().map(|m| engine_of(&a.name(*m)).to_owned())).collect()
}

/// What is said of features that are required, and who would be first without them if that is somebody else.
fn required(
    question: &Question<'_>,
    arenas: &[Arena<'_, '_>],
    ranked: &[Ranked],
    engines: &BTreeSet<String>,
) -> (Vec<CitedFeature>, Option<String>) {
    if question.required.is_empty() {
        return (Vec::new(), None);
    }
    let free = rank(&Question { required: &[], ..*question }, arenas).ranked;
    let first = free.into_iter().next().map(|r| r.engine);
    let is_other = first.as_deref() != ranked.first().map(|r| r.engine.as_str());
    (question.required.iter().map(|f| f.cited(engines)).collect(), first.filter(|_| is_other))
}

fn left_out(arena: &Arena<'_, '_>, because: &str) -> UnusedEvidence {
    UnusedEvidence {
        family: arena.family.clone(),
        place: arena.place(),
        runs: arena.table.runs.clone(),
        because: because.to_owned(),
    }
}

/// The folders that arenas are from.
fn folders(arenas: &[Arena<'_, '_>]) -> String {
    let all: BTreeSet<&str> = arenas.iter().flat_map(|a| &a.table.runs).map(String::as_str).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

fn leader(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::ClearWinner { engine } | Answer::LeadsElsewhere { engine } => Some(engine),
        Answer::NoClearWinner | Answer::NoEvidence => None,
    }
}

/// Products that a leader who was set met only as they come: it would have had a budget that they had not.
fn untuned(claims: &[ClaimsFile], ranked: &[Ranked]) -> Option<String> {
    let leader = ranked.first().filter(|r| r.engine.contains(SET))?;
    let products: BTreeSet<&str> = claims.iter().flat_map(|f| f.subject.values()).map(|s| s.engine.as_str()).collect();
    let is_set = |engine: &str| ranked.iter().any(|r| engine_of(&r.engine) == engine && r.engine.contains(SET));
    let others: BTreeSet<&str> = ranked.iter().map(|r| engine_of(&r.engine)).collect();
    let bare: Vec<&str> = others.into_iter().filter(|e| products.contains(e) && !is_set(e)).collect();
    let how = if leader.engine.ends_with("=tuned") { "is tuned" } else { "is not as it comes" };
    (!bare.is_empty())
        .then(|| format!("{} {how}, and {} was measured only as it comes", leader.engine, bare.join(", ")))
}

/// `limits` is what keeps an answer from being one to the whole question. Two configurations of one engine do not compete.
fn conclude(ranked: &[Ranked], limits: &[String], has_requirements: bool) -> (Answer, String) {
    let meant = if has_requirements { ", of those who are not said to lack what is required" } else { "" };
    let Some((leader, others)) = ranked.split_first() else {
        return (Answer::NoEvidence, format!("nobody completed anything of this mix in the runs given{meant}"));
    };
    let is_rival = |r: &&Ranked| engine_of(&r.engine) != engine_of(&leader.engine);
    if !others.iter().any(|r| is_rival(&r)) {
        let text = format!("only {} completed what was measured of this mix{meant}", engine_of(&leader.engine));
        return (Answer::NoEvidence, text);
    }
    let close: Vec<&Ranked> = others.iter().filter(is_rival).filter(|r| !r.is_slower).collect();
    if !close.is_empty() {
        let names: Vec<&str> = close.iter().map(|r| r.engine.as_str()).collect();
        let apart: BTreeSet<&str> = close.iter().filter_map(|r| r.apart.as_deref()).collect();
        let why: String = apart.into_iter().map(|why| format!("; {why}")).collect();
        return (
            Answer::NoClearWinner,
            format!("{} is not shown to be faster than {}{why}", leader.engine, names.join(", ")),
        );
    }
    let kind = if leader.is_style { ", an engine style and no product," } else { "" };
    let text = format!(
        "{}{kind} is faster than everybody else in the runs given{meant}, beyond noise and chance",
        leader.engine
    );
    let engine = leader.engine.clone();
    if limits.is_empty() {
        (Answer::ClearWinner { engine }, text)
    } else {
        (Answer::LeadsElsewhere { engine }, format!("{text}; that is not the whole question: {}", limits.join("; ")))
    }
}
