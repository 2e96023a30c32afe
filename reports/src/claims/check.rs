//! What the types of a claims file cannot say.

use super::command::is_run;
use super::file::{Claim, ClaimsFile, Kind, Relation, Rule, Test, Tier};
use super::metric::Metric;
use crate::recommend::check_family;
use bench_record::parse_bytes;
use std::collections::BTreeSet;

/// The version of the format that is read.
const SCHEMA: u32 = 1;
/// The longest id.
const ID_MAX: usize = 64;

/// Where in the file, in bytes, and what is wrong.
type Wrong = (Option<usize>, String);

/// The first contradiction.
pub(super) fn check(file: &ClaimsFile) -> Result<(), Wrong> {
    if file.schema != SCHEMA {
        return Err((None, format!("schema {} is not known; this version reads schema {SCHEMA}", file.schema)));
    }
    for (name, text) in [("title", &file.source.title), ("date", &file.source.date)] {
        if text.trim().is_empty() {
            return Err((None, format!("`source.{name}` is empty; a claim without a source is nobody's")));
        }
    }
    let mut seen = BTreeSet::new();
    let claims = file.claim.iter().map(|c| &c.id);
    for id in claims.chain(file.rule.iter().map(|r| &r.id)) {
        let at = Some(id.span().start);
        if !is_id(id.get_ref()) {
            let message = format!(
                "`{}` is no id; use lower-case letters, digits, `.`, `-` and `_`, at most {ID_MAX} characters",
                id.get_ref().escape_debug()
            );
            return Err((at, message));
        }
        if !seen.insert(id.get_ref()) {
            return Err((at, format!("the id `{}` is there twice; give each claim an id of its own", id.get_ref())));
        }
    }
    file.claim.iter().try_for_each(|c| claim(file, c))?;
    file.rule.iter().try_for_each(|r| rule(file, r))
}

fn is_id(id: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    !id.is_empty() && id.len() <= ID_MAX && id.bytes().all(fits)
}

fn known(file: &ClaimsFile, at: usize, name: &str) -> Result<(), Wrong> {
    if file.subject.contains_key(name) {
        return Ok(());
    }
    let all: Vec<&str> = file.subject.keys().map(String::as_str).collect();
    let declared = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    Err((Some(at), format!("`{}` is no subject; declared are {declared}", name.escape_debug())))
}

fn claim(file: &ClaimsFile, claim: &Claim) -> Result<(), Wrong> {
    let (at, id) = (claim.id.span().start, claim.id.get_ref());
    claim.says.keys().chain(&claim.has).chain(&claim.lacks).try_for_each(|name| known(file, at, name))?;
    let said = || claim.has.iter().chain(&claim.lacks);
    if (said().next().is_some() || !claim.families.is_empty()) && claim.kind != Kind::Feature {
        return Err((Some(at), format!("claim `{id}` is no feature; leave out `has`, `lacks` and `families`")));
    }
    if said().next().is_none() && !claim.families.is_empty() {
        return Err((Some(at), format!("claim `{id}` has `families`; say in `has` and `lacks` who has it")));
    }
    families(at, &claim.families)?;
    if said().collect::<BTreeSet<_>>().len() < said().count() {
        return Err((Some(at), format!("claim `{id}` names somebody twice in `has` and `lacks`")));
    }
    if claim.test.is_empty() && claim.needs.is_none() {
        let message = format!("claim `{id}` has no test; say in `needs` what it would take to test it");
        return Err((Some(at), message));
    }
    if !claim.test.is_empty() && (claim.needs.is_some() || !claim.run.is_empty()) {
        return Err((Some(at), format!("claim `{id}` has tests; leave out `needs` and `run`")));
    }
    if let Some(line) = claim.run.iter().find(|line| !is_run(line)) {
        let message = format!(
            "claim `{id}` names `{}` as a command; a line of `run` begins with `bench run ` and has nothing in it that a \
             shell obeys",
            line.escape_debug()
        );
        return Err((Some(at), message));
    }
    claim.test.iter().try_for_each(|t| test(file, t))
}

fn families(at: usize, names: &[String]) -> Result<(), Wrong> {
    names.iter().try_for_each(|name| check_family(name)).map_err(|error| (Some(at), error.to_string()))
}

fn rule(file: &ClaimsFile, rule: &Rule) -> Result<(), Wrong> {
    let at = rule.id.span().start;
    rule.prefers.iter().try_for_each(|name| known(file, at, name))?;
    families(at, &rule.families)?;
    match rule.tb_below {
        Some(tb) if !(tb.is_finite() && tb > 0.0) => Err((Some(at), "`tb_below` must be above 0".to_owned())),
        _ => Ok(()),
    }
}

fn test(file: &ClaimsFile, test: &Test) -> Result<(), Wrong> {
    let at = test.reading.span().start;
    let wrong = |message: &str| Err((Some(at), message.to_owned()));
    let subjects = test.relation.subjects();
    let stated = test.stated.keys().map(String::as_str);
    subjects.iter().copied().chain(stated).try_for_each(|s| known(file, at, s))?;
    if subjects.is_empty() {
        return wrong("the relation is about nobody");
    }
    if subjects.iter().collect::<BTreeSet<_>>().len() < subjects.len() {
        return wrong("the relation names somebody twice");
    }
    if test.cases == 0 || test.workloads.is_empty() {
        return wrong("a test of no workloads shows nothing; `cases` says how many there are, at least 1");
    }
    if test.stated.values().any(|v| !(v.is_finite() && *v > 0.0)) {
        return wrong("numbers in `stated` must be above 0");
    }
    if test.at.nodes == Some(0) {
        return wrong("`nodes` must be at least 1");
    }
    if test.at.memory.iter().any(|limit| parse_bytes(limit).is_none()) {
        return wrong("`memory` names limits as `--memory` does, such as memory = [\"4GiB\"]");
    }
    if test.metric.figure().is_some() && !(test.at.suites.is_empty() && test.at.protocol.is_none()) {
        return wrong("what `bench overhead` measures has no suite and no protocol; leave them out of `at`");
    }
    if (test.metric == Metric::Cost) != test.at.deployment.is_some() {
        return wrong("a cost, and nothing else, is that of a `deployment`: self_hosted, managed or serverless");
    }
    match &test.relation {
        relation if test.metric == Metric::Cost && !matches!(relation, Relation::Range { .. }) => {
            wrong("a cost is claimed as a `range` in USD/TB")
        }
        Relation::Less(tiers) if tiers.len() < 2 => {
            wrong("`less` needs two or more, such as less = [\"a\", [\"b\", \"c\"]]")
        }
        Relation::Less(tiers) if tiers.iter().any(|t| Tier::names(t).next().is_none()) => {
            wrong("`less` has an empty place")
        }
        Relation::Winner { among, .. } if among.is_empty() => wrong("`winner` needs others in `among`"),
        Relation::Ratio { low, high, .. } | Relation::Range { low, high, .. }
            if !(low.is_finite() && high.is_finite() && *low > 0.0 && low < high) =>
        {
            wrong("`low` must be above 0 and below `high`")
        }
        Relation::Range { unit, .. }
            if unit.is_time() != test.metric.is_time() || unit.is_money() != (test.metric == Metric::Cost) =>
        {
            Err((Some(at), format!("{} is not measured in {}", test.metric, unit.name())))
        }
        _ => Ok(()),
    }
}
