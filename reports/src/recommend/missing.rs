//! What was not measured, and the commands that would.

use super::Question;
use super::arena::{Arena, Choice, data};
use super::features;
use super::rank::engine_of;
use super::report::{CitedRule, FamilyEvidence, MissingEvidence, Ranked};
use crate::claims::{ClaimsFile, Rule, Subject, attached, attached_size, quoted};
use crate::compare::evidence::TestedCase;
use crate::comparison::{ATTACHED, Contestant, has_own_machines};
use crate::render::recommend_words::decimal_bytes;
use bench_record::{Family, Outcome};

/// Sizes of suites in bytes of text.
const SUITES: [(&str, f64); 4] = [("1gb", 1e9), ("10gb", 1e10), ("100gb", 1e11), ("1tb", 1e12)];
/// Data that differ by less than this factor are alike.
const ALIKE: f64 = 2.0;

/// What a ranking rests on for a family.
pub(super) fn evidence(question: &Question<'_>, arena: &Arena<'_, '_>) -> FamilyEvidence {
    FamilyEvidence {
        family: arena.family.clone(),
        share: arena.share,
        place: arena.place(),
        runs: arena.table.runs.clone(),
        workloads: arena.workloads.len(),
        noise: arena.table.floor(|o| o.wall_ns, &arena.family, None),
        differs: differs(question, arena),
    }
}

fn differs(question: &Question<'_>, arena: &Arena<'_, '_>) -> Option<String> {
    let found: Vec<String> =
        [other_data(question, arena), other_nodes(question, arena)].into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn other_data(question: &Question<'_>, arena: &Arena<'_, '_>) -> Option<String> {
    let (stated, measured) = question.data_bytes.zip(data(question, arena))?;
    let factor = (stated.max(1) as f64 / measured.bytes.max(1) as f64).ln().abs().exp();
    let kind = if measured.is_text { "of text" } else { "as stored" };
    let (bytes, stated) = (decimal_bytes(measured.bytes), decimal_bytes(stated));
    (factor > ALIKE).then(|| format!("measured on {bytes} {kind} ({}), not {stated}", measured.name))
}

fn other_nodes(question: &Question<'_>, arena: &Arena<'_, '_>) -> Option<String> {
    let (stated, nodes) = (question.nodes?, arena.ground.nodes);
    if stated != nodes {
        let plural = if nodes == 1 { "" } else { "s" };
        Some(format!("measured on {nodes} node{plural}, not {stated}"))
    } else {
        (stated > 1 && !has_own_machines(&arena.ground.cluster)).then(|| "its nodes share one machine".to_owned())
    }
}

/// For every family of the mix, the products that were not measured, at the stated size if one was stated.
pub(super) fn missing(
    question: &Question<'_>,
    claims: &[ClaimsFile],
    choice: &Choice<'_, '_>,
    ranked: &[Ranked],
) -> Vec<MissingEvidence> {
    let unused = choice.unused.iter().map(|(arena, _)| arena);
    let recorded = choice.arenas.iter().chain(choice.equals.iter().flatten()).chain(unused).collect();
    let known = Known { question, products: products(question, claims), arenas: &choice.arenas, recorded, ranked };
    question.mix.shares().filter_map(|(family, share)| known.missing_of(family, share)).collect()
}

/// The products that claims are about, each once.
fn products<'c>(question: &Question<'_>, claims: &'c [ClaimsFile]) -> Vec<&'c Subject> {
    let mut products: Vec<&Subject> = Vec::new();
    let plain = |s: &&Subject| s.variant.as_deref().is_none_or(|v| v == bench_record::Case::DEFAULT_VARIANT);
    let may_win = |s: &&Subject| features::excluded(question.required, &s.engine).is_none();
    for subject in claims.iter().flat_map(|f| f.subject.values()).filter(plain).filter(may_win) {
        if products.iter().all(|known| known.engine != subject.engine) {
            products.push(subject);
        }
    }
    products.sort_by(|a, b| a.engine.cmp(&b.engine));
    products
}

/// What there is when a run is proposed.
struct Known<'k, 't, 'a> {
    question: &'k Question<'k>,
    products: Vec<&'k Subject>,
    /// What the ranking rests on.
    arenas: &'k [Arena<'t, 'a>],
    /// That, and everything else that was recorded of the mix.
    recorded: Vec<&'k Arena<'t, 'a>>,
    ranked: &'k [Ranked],
}

impl Known<'_, '_, '_> {
    fn missing_of(&self, family: &str, share: f64) -> Option<MissingEvidence> {
        let percent = format!("{:.0} % of the mix", share * 100.0);
        if Family::ALL.iter().all(|f| f.name() != family) {
            let what = format!("{family} ({percent}): this version has no workloads of it, so no run can supply it");
            return Some(MissingEvidence { what, run: None });
        }
        let question = self.question;
        let arena = self.arenas.iter().find(|a| a.family == family);
        let was_run = |engine: &str| arena.is_some_and(|a| a.members.iter().any(|m| a.name(*m) == engine));
        let products: Vec<&Subject> =
            self.products.iter().copied().filter(|s| !self.cannot(&s.engine, family)).collect();
        let absent: Vec<&str> = products.iter().filter(|s| !was_run(&s.engine)).map(|s| s.name.as_str()).collect();
        let elsewhere = arena.and_then(|a| differs(question, a));
        if absent.is_empty() && elsewhere.is_none() && arena.is_some() {
            return None;
        }
        let mut reasons = Vec::new();
        if arena.is_none() {
            reasons.push("nobody was measured".to_owned());
        } else if !absent.is_empty() {
            reasons.push(format!("{} not measured", absent.join(", ")));
        }
        reasons.extend(elsewhere);
        let suite = suite(question, family);
        // The suite that is nearest to the question is the one that was run: running it again would show nothing new.
        let again =
            |a: &Arena<'_, '_>| a.table.suite == suite && a.table.scale == 1 && other_nodes(question, a).is_none();
        let run = if absent.is_empty() && arena.is_some_and(again) {
            reasons.push("no suite is nearer to it".to_owned());
            None
        } else {
            Some(self.command(suite, family, &products))
        };
        Some(MissingEvidence { what: format!("{family} ({percent}): {}", reasons.join("; ")), run })
    }

    /// Whether an engine was asked for work of a family, wherever that was, and could do none of it.
    fn cannot(&self, engine: &str, family: &str) -> bool {
        let mut was_asked = false;
        for table in self.recorded.iter().map(|arena| arena.table) {
            let is_its = |c: &&TestedCase<'_>| {
                let contestant = table.contestants.get(c.contestant);
                let is_plain = |c: &Contestant| c.engine == engine && c.cluster != ATTACHED && c.faults.is_none();
                c.family.name() == family && contestant.is_some_and(is_plain)
            };
            for case in table.cases.iter().filter(is_its) {
                if !is_beyond(case) {
                    return false;
                }
                was_asked = true;
            }
        }
        was_asked
    }

    /// Whether an engine was measured on a running cluster.
    fn was_attached(&self, engine: &str) -> bool {
        let is_it = |arena: &Arena<'_, '_>, member: usize| {
            arena.contestant(member).is_some_and(|c| c.engine == engine && c.cluster == ATTACHED)
        };
        self.recorded.iter().any(|arena| arena.members.iter().any(|member| is_it(arena, *member)))
    }

    /// One run of all products and of whom they have to beat: here, or each on a cluster of its own.
    fn command(&self, suite: &str, family: &str, products: &[&Subject]) -> String {
        let nodes = self.question.nodes.filter(|n| *n > 1);
        let mut all: Vec<(&str, Option<&str>)> =
            products.iter().map(|s| (s.engine.as_str(), s.attach.as_deref())).collect();
        // Who leads and who may, and others until there are two: one alone decides nothing.
        for one in self.ranked {
            let engine = engine_of(&one.engine);
            let is_wanted = !one.is_slower || all.len() < 2;
            let is_new = all.iter().all(|(known, _)| *known != engine);
            let may = !self.cannot(engine, family) && (nodes.is_none() || self.was_attached(engine));
            if is_wanted && is_new && may {
                all.push((engine, None));
            }
        }
        let engines = all.iter().map(|(engine, _)| *engine).collect::<Vec<_>>().join(",");
        let apart = nodes.filter(|_| !all.is_empty());
        let engines = match (engines.as_str(), apart) {
            ("", _) => String::new(),
            // A running cluster keeps its own settings.
            (names, Some(_)) => format!(" --engines {}", quoted(names)),
            (names, None) => format!(" --engines {} --configs default,tuned", quoted(names)),
        };
        let clusters = all.iter().filter(|_| apart.is_some()).map(|(engine, address)| attached(engine, *address));
        let clusters = clusters.chain(apart.map(attached_size));
        format!("bench run --suite {suite} --families {family}{engines}{} --trials 10", clusters.collect::<String>())
    }
}

/// Whether a case is not for its engine, rather than for want of a machine that is ready for it.
fn is_beyond(case: &TestedCase<'_>) -> bool {
    case.outcome == Outcome::Unsupported
        && case.trials.iter().all(|o| o.outcome == Outcome::Unsupported && !o.not_ready)
}

/// The suite nearest to the question.
fn suite(question: &Question<'_>, family: &str) -> &'static str {
    let bytes = question.data_bytes.map_or(1e9, |b| b.max(1) as f64);
    let far = |size: f64| (bytes / size).ln().abs();
    let nearest = SUITES.iter().min_by(|a, b| far(a.1).total_cmp(&far(b.1))).map_or("1gb", |s| s.0);
    if family == Family::Overhead.name() { "overhead" } else { nearest }
}

/// Rules whose every condition holds here: families that the mix has, and less data than they name. They are shown and
/// weigh nothing. A rule without conditions speaks of something that no question says.
pub(super) fn cited(question: &Question<'_>, claims: &[ClaimsFile]) -> Vec<CitedRule> {
    let holds = |rule: &&Rule| {
        let of_mix = rule.families.is_empty() || rule.families.iter().any(|f| question.mix.has(f));
        let small = |tb: f64| question.data_bytes.is_some_and(|b| (b as f64) < tb * 1e12);
        let has_any = !rule.families.is_empty() || rule.tb_below.is_some();
        has_any && of_mix && rule.tb_below.is_none_or(small)
    };
    let of_file = |file: &ClaimsFile| {
        let cite = |rule: &Rule| CitedRule {
            id: rule.id.get_ref().clone(),
            source: file.source.cited(),
            prefers: rule.prefers.iter().map(|s| file.name_of(s).to_owned()).collect(),
            text: rule.text.clone(),
        };
        file.rule.iter().filter(holds).map(cite).collect::<Vec<_>>()
    };
    claims.iter().flat_map(of_file).collect()
}
