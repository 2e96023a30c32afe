//! What every format says of a recommendation in the same words.

use super::scale::{percent, ratio};
use super::wording::range;
use crate::recommend::{Answer, CitedFeature, Ranked, Recommendation, Sensitivity, Share};
use crate::stats::{INTERVAL_TRIALS, Interval};

/// A part of a recommendation: a table, a list, or both.
pub(crate) struct Part {
    pub(crate) title: String,
    /// Titles of columns, and whether they hold numbers.
    pub(crate) columns: Vec<(&'static str, bool)>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) items: Vec<String>,
}

/// Bytes in powers of ten, as suites and people count data: `2 TB`, `1.5 GB`.
pub(crate) fn decimal_bytes(bytes: u64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let bytes = bytes as f64;
    match UNITS.into_iter().find(|(per, _)| bytes >= *per) {
        Some((per, unit)) => format!("{} {unit}", (bytes / per * 10.0).round() / 10.0),
        None => format!("{bytes} B"),
    }
}

/// The answer in a sentence.
pub(crate) fn answer(r: &Recommendation) -> String {
    let data = r.data_bytes.map_or_else(String::new, |b| format!(" over {}", decimal_bytes(b)));
    let nodes =
        r.nodes.map_or_else(String::new, |n| if n == 1 { " on 1 node".to_owned() } else { format!(" on {n} nodes") });
    let mix: Vec<String> = r.mix.iter().map(|s| format!("{} {} %", s.name, percent(s.share))).collect();
    let said = match &r.answer {
        Answer::ClearWinner { engine } => engine.clone(),
        Answer::LeadsElsewhere { engine } => {
            format!("no answer for the whole question; {engine} leads what was measured")
        }
        Answer::NoClearWinner => "no clear winner".to_owned(),
        Answer::NoEvidence => "no evidence".to_owned(),
    };
    format!("{}{data}{nodes}: {said}. {}.", mix.join(", "), r.because)
}

/// Everything else, in order; parts without content are left out.
pub(crate) fn parts(r: &Recommendation) -> Vec<Part> {
    let mut parts = vec![ranking(r), evidence(r)];
    parts.push(required(r));
    parts.extend(r.sensitivity.iter().map(sensitivity));
    let run = |m: &crate::recommend::MissingEvidence| match &m.run {
        Some(run) => format!("{}; would supply it: {run}", m.what),
        None => m.what.clone(),
    };
    parts.push(list("What was not measured", r.missing.iter().map(run)));
    let unused = r.unused.iter();
    let unused = unused.map(|u| format!("{}: {}; runs {}: {}", u.family, u.place, u.runs.join(", "), u.because));
    parts.push(features("What claims say of work that was not measured; it weighs nothing here", &r.features));
    parts.push(list("Runs that the ranking does not rest on", unused));
    let unranked = r.unranked.iter().map(|u| format!("{}: {}", u.engine, u.because));
    parts.push(list("Without a place in the ranking", unranked));
    let cited = r.cited.iter().map(|c| format!("{}: {} for {} ({})", c.id, c.prefers.join(", "), c.text, c.source));
    parts.push(list("What others say of such a mix; it weighs nothing here", cited));
    parts.push(list("How the ranking comes about", how(r)));
    parts.retain(|p| !(p.rows.is_empty() && p.items.is_empty()));
    parts
}

fn list(title: &str, items: impl IntoIterator<Item = String>) -> Part {
    Part { title: title.to_owned(), columns: Vec::new(), rows: Vec::new(), items: items.into_iter().collect() }
}

fn interval(i: Option<Interval>) -> String {
    i.map_or_else(|| "-".to_owned(), |i| range(i, ratio))
}

fn ranking(r: &Recommendation) -> Part {
    let priced = r.ranked.iter().any(|e| e.usd_per_hour.is_some());
    let mut columns = vec![
        ("engine", false),
        ("time / leader", true),
        ("interval", true),
        ("p", true),
        ("said of it", false),
        ("by family", false),
    ];
    if priced {
        columns.extend([("USD/h", true), ("low-high", true), ("cost / leader", true), ("interval", true)]);
    }
    let row = |(i, e): (usize, &Ranked)| {
        let name = if e.is_style { format!("{} (style)", e.engine) } else { e.engine.clone() };
        let said = match (i, e.is_slower) {
            (0, _) => "leads",
            (_, true) => "slower",
            (_, false) if e.apart.is_some() => "not comparable",
            (_, false) => "not shown to be slower",
        };
        let families: Vec<String> = e.by_family.iter().map(|f| format!("{} {}x", f.name, ratio(f.share))).collect();
        let p = e.p_adjusted.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"));
        let mut cells =
            vec![name, ratio(e.against_leader), interval(e.interval), p, said.to_owned(), families.join(", ")];
        if priced {
            cells.push(e.usd_per_hour.map_or_else(|| "unknown".to_owned(), |usd| format!("{usd:.3}")));
            let ends = e.usd_per_hour_range.map(|i| range(i, |usd| format!("{usd:.3}")));
            cells.push(ends.unwrap_or_else(|| "-".to_owned()));
            cells.push(e.cost_against_leader.map_or_else(|| "-".to_owned(), ratio));
            cells.push(interval(e.cost_interval));
        }
        cells
    };
    let rows = r.ranked.iter().enumerate().map(row).collect();
    let items = r.ranked.iter().filter_map(|e| Some(format!("price of {}: {}", e.engine, e.price_from.as_ref()?)));
    Part { title: "Ranking".to_owned(), columns, rows, items: items.collect() }
}

fn evidence(r: &Recommendation) -> Part {
    let columns = vec![("family", false), ("weight %", true), ("workloads", true), ("A/A noise %", true)];
    let rows = r.evidence.iter().map(|e| {
        let noise = e.noise.map_or_else(|| "unknown".to_owned(), percent);
        vec![e.family.clone(), percent(e.share), e.workloads.to_string(), noise]
    });
    let items = r.evidence.iter().map(|e| {
        let differs = e.differs.as_ref().map_or_else(String::new, |d| format!("; {d}"));
        format!("{}: {}; runs {}{differs}", e.family, e.place, e.runs.join(", "))
    });
    Part { title: "Evidence".to_owned(), columns, rows: rows.collect(), items: items.collect() }
}

fn required(r: &Recommendation) -> Part {
    let mut part = features("Features that are required", &r.required);
    part.items.extend(r.first_without.iter().map(|first| format!("if nothing were required, {first} would be first")));
    part
}

fn features(title: &str, all: &[CitedFeature]) -> Part {
    let columns =
        vec![("feature", false), ("said to have it", false), ("said to lack it", false), ("nothing said of", false)];
    let names = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
    let row = |f: &CitedFeature| vec![f.id.clone(), names(&f.has), names(&f.lacks), names(&f.unsaid)];
    let items = all.iter().map(|f| format!("{}: {} ({}); cited, not tested here", f.id, f.text, f.source)).collect();
    Part { title: title.to_owned(), columns, rows: all.iter().map(row).collect(), items }
}

fn shares(all: &[Share]) -> String {
    let parts: Vec<String> = all.iter().map(|s| format!("{} {} %", s.name, percent(s.share))).collect();
    parts.join(", ")
}

fn sensitivity(s: &Sensitivity) -> Part {
    let tipping = s.tipping.iter().map(|t| match (t.at, &t.rival) {
        (Some(at), Some(rival)) => format!(
            "{} would have to be {} % of what was measured instead of {} % for {rival} to draw level",
            t.family,
            percent(at),
            percent(t.share)
        ),
        _ => format!("no share of {} makes another one lead", t.family),
    });
    let mut items: Vec<String> = tipping.collect();
    items.push(format!(
        "near this mix (each weight halved to doubled), {} leads drawn: {}",
        s.samples,
        shares(&s.near)
    ));
    items.push(format!("over all mixes of these families, {} leads drawn: {}", s.samples, shares(&s.any)));
    items.push("these leads are counted however small they are; the A/A noise is in none of them".to_owned());
    items.extend(s.unmeasured_slack.map(|slack| {
        format!(
            "on what was not measured, the leader may take up to {}x as long as the runner-up before it is level",
            ratio(slack)
        )
    }));
    list("How much the weights matter", items)
}

fn how(r: &Recommendation) -> Vec<String> {
    let mut items = vec![
        "score: geometric mean of times, each family weighing as stated and each workload of a family the same; only engines \
         that completed everything measured, and are not said to lack what is required, have one"
            .to_owned(),
        format!(
            "slower: the 95 % bootstrap interval of the ratio (of fewer than {INTERVAL_TRIALS} trials narrower than it says) is above \
             1, the ratio is above the A/A noise floor, and chance alone gives one as large in less than 5 % of cases (permutation \
             test, with all rivals of the leader taken together)"
        ),
        "a style has a product's architecture and not its code: its place says nothing about the product".to_owned(),
    ];
    items.extend(r.notes.iter().cloned());
    items
}
