//! What every format says of claims in the same words.

use super::scale::{percent, ratio};
use super::wording::{or_dash, range};
use crate::claims::{AssessedClaim, ClaimVerdict, ClaimsReport, Compared, Configuration, Evidence, Remove};
use crate::stats::{INTERVAL_TRIALS, RESAMPLES};

/// Who claims it, and how it went.
pub(crate) fn summary(report: &ClaimsReport) -> Vec<String> {
    let c = report.counts;
    let mut lines: Vec<String> = report
        .sources
        .iter()
        .map(|s| {
            let language = s.source.language.as_ref().map_or_else(String::new, |l| format!(", {l}"));
            let url = s.source.url.as_ref().map_or_else(String::new, |u| format!(", {u}"));
            format!("\"{}\", {}{language}{url} ({}, {} claims)", s.source.title, s.source.date, s.file, s.claims)
        })
        .collect();
    let all = c.supported + c.contradicted + c.inconclusive + c.not_tested;
    lines.push(format!(
        "Of {all} claims: {} supported, {} contradicted, {} inconclusive, {} not tested here.",
        c.supported, c.contradicted, c.inconclusive, c.not_tested
    ));
    lines
}

/// What evidence that does not decide leans to.
pub(crate) const fn leaning(finding: ClaimVerdict) -> &'static str {
    match finding {
        ClaimVerdict::Supported => "would agree",
        ClaimVerdict::Contradicted => "would disagree",
        ClaimVerdict::Inconclusive | ClaimVerdict::NotTested => "open",
    }
}

/// What is said, by whom it is said of.
pub(crate) fn says(claim: &AssessedClaim) -> String {
    let says: Vec<String> = claim.says.iter().map(|(who, what)| format!("{who}: {what}")).collect();
    says.join("; ")
}

/// What it is evidence of, briefly.
pub(crate) fn brief(e: &Evidence) -> String {
    let remove = match e.remove {
        Remove::Direct => "direct",
        Remove::OtherScale => "scale",
        Remove::Architecture => "style",
    };
    format!("{remove}{}", configured(e))
}

/// How the product was configured, where that is not as it comes.
pub(crate) const fn configured(e: &Evidence) -> &'static str {
    match e.configuration {
        Configuration::Tuned => ", tuned",
        Configuration::Default => "",
    }
}

/// What several share, in the order in which it is first there, with all of them.
pub(crate) fn shared<K: PartialEq, V>(all: impl Iterator<Item = (K, V)>) -> Vec<(K, Vec<V>)> {
    let mut found: Vec<(K, Vec<V>)> = Vec::new();
    for (what, of) in all {
        match found.iter_mut().find(|(known, _)| *known == what) {
            Some((_, whose)) => whose.push(of),
            None => found.push((what, vec![of])),
        }
    }
    found
}

/// A column of a table of comparisons.
pub(crate) struct ClaimColumn {
    pub(crate) title: &'static str,
    pub(crate) is_number: bool,
    pub(crate) cell: fn(&Compared) -> String,
}

/// The columns of a table of these comparisons. What a source states as a number, noise and chance have one only where
/// some comparison has them.
pub(crate) fn columns<'c>(compared: impl Iterator<Item = &'c Compared> + Clone) -> Vec<ClaimColumn> {
    let has = |of: fn(&Compared) -> Option<f64>| compared.clone().any(|c| of(c).is_some());
    let column = |title, is_number, cell| Some(ClaimColumn { title, is_number, cell });
    let optional = |of: fn(&Compared) -> Option<f64>, title, cell: fn(&Compared) -> String| {
        has(of).then_some(ClaimColumn { title, is_number: true, cell })
    };
    let all = [
        column("compared", false, |c| c.what.clone()),
        column("measured", true, |c| show(c, c.value)),
        column("interval", true, |c| or_dash(c.interval, |i| range(i, |v| show(c, v)))),
        column("claimed", true, |c| c.claimed.clone()),
        optional(|c| c.stated, "stated", |c| or_dash(c.stated, ratio)),
        optional(|c| c.noise, "noise", |c| or_dash(c.noise, |noise| format!("{} %", percent(noise)))),
        optional(|c| c.p_adjusted, "p", |c| or_dash(c.p_adjusted, probability)),
        column("says", false, |c| verdict(c.finding).to_owned()),
    ];
    all.into_iter().flatten().collect()
}

/// What a comparison says to the claim.
const fn verdict(finding: ClaimVerdict) -> &'static str {
    match finding {
        ClaimVerdict::Supported => "as claimed",
        ClaimVerdict::Contradicted => "not as claimed",
        ClaimVerdict::Inconclusive | ClaimVerdict::NotTested => "open",
    }
}

/// What was measured, with its unit.
pub(crate) fn value_of(c: &Compared) -> String {
    let unit = c.unit.map_or_else(String::new, |unit| format!(" {}", unit.name()));
    format!("{} {}{unit}", c.what, show(c, c.value))
}

/// A ratio, or a value in the unit of its range, with four digits.
fn show(c: &Compared, value: f64) -> String {
    let Some(unit) = c.unit else { return ratio(value) };
    let value = value / unit.size();
    let decimals = match value.abs() {
        x if x >= 1000.0 => 0,
        x if x >= 100.0 => 1,
        x if x >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// What the words mean.
pub(crate) fn foot(report: &ClaimsReport) -> Vec<String> {
    let count = |remove: Remove| report.comparisons.get(&remove).copied().unwrap_or_default();
    let mut lines = vec![
        "A claim about a product is decided by runs of that product under the conditions of the claim, and by nothing else. \
         Evidence at another scale, and of engine styles, which have a product's architecture and not its code, is shown \
         beside it (scale, style) and decides nothing."
            .to_owned(),
        "supported: every relation of the claim was shown. contradicted: the opposite of one was shown. inconclusive: \
         either is possible; missing workloads, contaminated trials and engines of separate runs always lead here. not tested: \
         no run given could tell."
            .to_owned(),
        format!(
            "Shown is a relation whose 95 % bootstrap interval ({RESAMPLES} resamples, fixed seed; of fewer than {INTERVAL_TRIALS} \
             trials it is narrower than it says; the value of one workload has that of its median) excludes equality (or lies within the range, or outside it), whose effect is above the A/A noise floor of its family (noise), and which chance alone gives in \
             less than 5 % of cases with all comparisons taken together (Holm): {} direct, {} at another scale, {} of \
             architectures, each kind by itself; p is adjusted for that.",
            count(Remove::Direct),
            count(Remove::OtherScale),
            count(Remove::Architecture)
        ),
        format!("runs: {}", report.runs.join(", ")),
    ];
    lines.extend(report.notes.iter().cloned());
    lines
}
