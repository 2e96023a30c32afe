//! Where slots spent their time, by kind.

use super::View;
use super::markup::{Grid, Td, figures, heading, link, list, number, words};
use crate::comparison::{FamilyReport, SpanBreakdown};
use crate::plain::html as escape;
use crate::plot::{Bar, PlotError, Tone, bars};
use crate::render::scale::percent;
use crate::render::sheets::aside;
use bench_record::SpanKind;

pub(super) fn body(view: &View<'_>, family: &FamilyReport) -> Result<String, PlotError> {
    let aside = aside(view.table);
    let shown: Vec<&SpanBreakdown> = family.spans.iter().filter(|s| !aside.contains(s.contestant.as_str())).collect();
    if shown.is_empty() {
        return Ok(String::new());
    }
    let kinds: Vec<SpanKind> =
        SpanKind::ALL.iter().copied().filter(|k| shown.iter().any(|s| s.share.contains_key(k))).collect();
    let full = shown.iter().flat_map(|s| s.share.values().copied().chain([s.unknown_share])).fold(0.0, f64::max);
    let mut drawn = Vec::new();
    for s in &shown {
        let alt = format!(
            "Share of slot time of {} by kind on {} workloads; the table below has the same numbers",
            s.contestant,
            family.family.name()
        );
        drawn.push((s.contestant.clone(), bars(&of(s, &kinds), full, &alt)?));
    }
    let caption =
        "Share of all slot time (slots × makespan). Waiting is grey; what no kind accounts for is <em>unknown</em>.";
    let suspects =
        family.spans.iter().flat_map(|s| s.violations.iter().map(move |(workload, share)| (s, workload, share)));
    let suspects: Vec<String> = suspects
        .map(|(s, workload, share)| {
            escape(&format!(
                "harness suspect: spans of {} on {workload} account for {} % of its slots' time, not 100 within 1",
                s.contestant,
                percent(*share)
            ))
        })
        .collect();
    Ok(format!(
        "{}{}{}{}",
        heading("Where slot time went"),
        figures(drawn, caption),
        grid(view, family, &shown, &kinds).html(),
        list(&suspects)
    ))
}

fn of(s: &SpanBreakdown, kinds: &[SpanKind]) -> Vec<Bar> {
    let bar = |label: &str, share: f64, tone: Tone| Bar {
        label: label.replace('_', " "),
        share,
        text: format!("{} %", percent(share)),
        tone,
    };
    let known = kinds.iter().map(|kind| {
        let idle = kind.name().starts_with("idle");
        let tone = match kind {
            SpanKind::Compute => Tone::Better,
            _ if idle => Tone::Rule,
            _ => Tone::Neutral,
        };
        bar(kind.name(), s.share.get(kind).copied().unwrap_or_default(), tone)
    });
    known.chain([bar("unknown", s.unknown_share, Tone::Rule)]).collect()
}

/// Contestants down, kinds across: as wide as it needs to be, for it scrolls.
fn grid(view: &View<'_>, family: &FamilyReport, shown: &[&SpanBreakdown], kinds: &[SpanKind]) -> Grid {
    let rows = shown.iter().map(|s| {
        let target = view.anchors.group(family.family, &s.contestant);
        let linked = |text: &str, value: f64| Td::html(link(target.as_deref(), text, false)).sorted_by(Some(value));
        let name = Td::html(link(target.as_deref(), &s.contestant, true));
        let share =
            |k: &SpanKind| s.share.get(k).map_or_else(|| Td::text("-"), |share| linked(&percent(*share), *share));
        let last = [
            linked(&percent(s.unknown_share), s.unknown_share),
            linked(&format!("{:.3}", s.slot_ns as f64 / 1e9), s.slot_ns as f64),
            linked(&s.trials.to_string(), s.trials as f64),
        ];
        std::iter::once(name).chain(kinds.iter().map(share)).chain(last).collect()
    });
    let heads = kinds.iter().map(|k| number(k.name().replace('_', " ")));
    let last = ["unknown", "slot seconds", "trials"].map(number);
    Grid {
        caption: format!("{} slot time by kind, %", family.family.name()),
        heads: std::iter::once(words("engine")).chain(heads).chain(last).collect(),
        rows: rows.collect(),
        filtered: false,
    }
}
