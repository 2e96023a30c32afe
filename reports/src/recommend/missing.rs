//! What was not measured, and the commands that would.

use super::Question;
use super::arena::Arena;
use super::report::{CitedRule, FamilyEvidence, MissingEvidence};
use crate::claims::{ClaimsFile, quoted};
use bench_record::{Bytes, Family};
use std::collections::BTreeSet;

/// Sizes of suites in bytes of text.
const SUITES: [(&str, f64); 4] = [("1gb", 1e9), ("10gb", 1e10), ("100gb", 1e11), ("1tb", 1e12)];
/// Data that differ by less than this factor are alike.
const ALIKE: f64 = 2.0;

/// What a ranking rests on for a family.
pub(super) fn evidence(question: &Question<'_>, arena: &Arena<'_, '_>) -> FamilyEvidence {
    let nodes = if arena.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", arena.nodes) };
    FamilyEvidence {
        family: arena.family.clone(),
        share: arena.share,
        place: format!(
            "{}, {}, {}, {nodes} x {} slots; {}",
            arena.table.suite, arena.table.protocol, arena.cluster, arena.slots, arena.table.machine
        ),
        runs: arena.table.runs.clone(),
        workloads: arena.workloads.len(),
        noise: arena.table.floor(|o| o.wall_ns, None),
        differs: differs(question, arena),
    }
}

fn differs(question: &Question<'_>, arena: &Arena<'_, '_>) -> Option<String> {
    let mut found = Vec::new();
    let measured = arena.table.data_bytes;
    if let Some(stated) = question.data_bytes {
        let factor = (stated.max(1) as f64 / measured.max(1) as f64).ln().abs().exp();
        if factor > ALIKE {
            found.push(format!("measured on {} of data, not {}", Bytes::new(measured), Bytes::new(stated)));
        }
    }
    if let Some(stated) = question.nodes.filter(|n| *n != arena.nodes) {
        let plural = if arena.nodes == 1 { "" } else { "s" };
        found.push(format!("measured on {} node{plural}, not {stated}", arena.nodes));
    } else if question.nodes.is_some_and(|n| n > 1) && arena.cluster != "hosts" {
        found.push("its nodes share one machine".to_owned());
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// For every family of the mix, the products that were not measured, at the stated size if one was stated.
pub(super) fn missing(
    question: &Question<'_>,
    claims: &[ClaimsFile],
    arenas: &[Arena<'_, '_>],
) -> Vec<MissingEvidence> {
    let products: BTreeSet<(&str, &str)> = claims
        .iter()
        .flat_map(|f| f.subject.values())
        .filter(|s| s.variant == bench_record::Case::DEFAULT_VARIANT)
        .map(|s| (s.engine.as_str(), s.name.as_str()))
        .collect();
    let mut found = Vec::new();
    for (family, share) in question.mix.shares() {
        let percent = format!("{:.0} % of the mix", share * 100.0);
        if Family::ALL.iter().all(|f| f.name() != family) {
            let what = format!("{family} ({percent}): this version has no workloads of it, so no run can supply it");
            found.push(MissingEvidence { what, run: None });
            continue;
        }
        let arena = arenas.iter().find(|a| a.family == family);
        let was_run = |engine: &str| arena.is_some_and(|a| a.members.iter().any(|m| a.name(*m) == engine));
        let absent: Vec<(&str, &str)> = products.iter().copied().filter(|(engine, _)| !was_run(engine)).collect();
        let elsewhere = arena.and_then(|a| differs(question, a));
        if absent.is_empty() && elsewhere.is_none() && arena.is_some() {
            continue;
        }
        let mut reasons = Vec::new();
        if arena.is_none() {
            reasons.push("nobody was measured".to_owned());
        } else if !absent.is_empty() {
            let names: Vec<&str> = absent.iter().map(|(_, name)| *name).collect();
            reasons.push(format!("{} not measured", names.join(", ")));
        }
        reasons.extend(elsewhere);
        let what = format!("{family} ({percent}): {}", reasons.join("; "));
        found.push(MissingEvidence { what, run: Some(command(question, family, &products)) });
    }
    found
}

fn command(question: &Question<'_>, family: &str, products: &BTreeSet<(&str, &str)>) -> String {
    let bytes = question.data_bytes.map_or(1e9, |b| b.max(1) as f64);
    let far = |size: f64| (bytes / size).ln().abs();
    let nearest = SUITES.iter().min_by(|a, b| far(a.1).total_cmp(&far(b.1))).map_or("1gb", |s| s.0);
    let suite = if family == Family::Overhead.name() { "overhead" } else { nearest };
    let engines = products.iter().map(|(engine, _)| *engine).collect::<Vec<_>>().join(",");
    let engines = if engines.is_empty() { String::new() } else { format!(" --engines {}", quoted(&engines)) };
    let cluster = question.nodes.filter(|n| *n > 1).map(|n| format!(" --cluster hosts.toml --nodes {n}"));
    format!("bench run --suite {suite} --families {family}{engines}{} --trials 10", cluster.unwrap_or_default())
}

/// Rules that speak of a family of the mix or of its size. They are shown and weigh nothing.
pub(super) fn cited(question: &Question<'_>, claims: &[ClaimsFile]) -> Vec<CitedRule> {
    let mut found = Vec::new();
    for file in claims {
        let of_mix = |families: &[String]| families.iter().any(|f| question.mix.has(f));
        let small = |tb: f64| question.data_bytes.is_some_and(|b| (b as f64) < tb * 1e12);
        for rule in file.rule.iter().filter(|r| of_mix(&r.families) || r.tb_below.is_some_and(small)) {
            found.push(CitedRule {
                id: rule.id.get_ref().clone(),
                source: format!("{}, {}", file.source.title, file.source.date),
                prefers: rule.prefers.iter().map(|s| file.name_of(s).to_owned()).collect(),
                text: rule.text.clone(),
            });
        }
    }
    found
}
