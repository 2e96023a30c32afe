//! What every format says of claims in the same words.

use super::scale::{percent, ratio};
use super::wording::range;
use crate::claims::{ClaimVerdict, ClaimsReport, Compared, Evidence, Remove};
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

/// Where evidence is from, and the noise there.
pub(crate) fn place(e: &Evidence) -> String {
    let noise = e.compared.iter().filter_map(|c| c.noise).reduce(f64::max);
    let noise = noise.map_or_else(String::new, |n| format!("; A/A noise {} %", percent(n)));
    format!("{}{noise}", e.place)
}

/// What it is evidence of, briefly.
pub(crate) const fn brief(remove: Remove) -> &'static str {
    match remove {
        Remove::Direct => "direct",
        Remove::OtherScale => "scale",
        Remove::Architecture => "style",
    }
}

/// Titles of [`cells`], and whether they hold numbers.
pub(crate) const COLUMNS: [(&str, bool); 7] = [
    ("compared", false),
    ("measured", true),
    ("interval", true),
    ("claimed", true),
    ("stated", true),
    ("p", true),
    ("says", false),
];

/// One comparison as cells.
pub(crate) fn cells(c: &Compared) -> Vec<String> {
    let is_ratio = c.what.contains(" / ");
    let show = |v: f64| if is_ratio { ratio(v) } else { value(v, &c.claimed) };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let says = match c.finding {
        ClaimVerdict::Supported => "as claimed",
        ClaimVerdict::Contradicted => "not as claimed",
        ClaimVerdict::Inconclusive | ClaimVerdict::NotTested => "open",
    };
    vec![
        c.what.clone(),
        show(c.value),
        or_dash(c.interval.map(|i| range(i, show))),
        c.claimed.clone(),
        or_dash(c.stated.map(ratio)),
        or_dash(c.p_adjusted.map(probability)),
        says.to_owned(),
    ]
}

/// A value in the unit of its range.
fn value(value: f64, claimed: &str) -> String {
    // A range is written with its unit behind it.
    let unit = claimed.rsplit(' ').next().unwrap_or_default();
    let size = match unit {
        "ms" | "MB" => 1e6,
        "min" => 60e9,
        "USD/TB" => 1.0,
        _ => 1e9,
    };
    format!("{:.3}", value / size)
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
         either is possible; missing workloads, contaminated trials and engines of separate runs always lead here. not tested \
         here: no run given could tell."
            .to_owned(),
        format!(
            "Shown is a relation whose 95 % bootstrap interval ({RESAMPLES} resamples, fixed seed; of fewer than {INTERVAL_TRIALS} \
             trials it is narrower than it says; the value of one workload has that of its median) excludes equality (or lies within the range, or outside it), whose effect is above the A/A noise floor of its family, and which chance alone gives in \
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
