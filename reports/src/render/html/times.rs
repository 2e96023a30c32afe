//! Per workload: ratios with intervals as figures, then every case with its time, CPU and memory.

use super::View;
use super::markup::{Grid, Td, figures, heading, link, number, paragraph, ratio as ratio_html, tag, words};
use super::verdicts::{band, effect, fewest_trials};
use crate::comparison::{Cell, FamilyReport, Ratio, Total, TotalRatio, WorkloadReport};
use crate::plain::html as escape;
use crate::plot::{ForestRow, Frame, PlotError, forest};
use crate::render::scale::Scale;
use crate::render::sheets::{Aside, aside, ended, interval_title, not_applicable, not_applicable_text};
use crate::render::wording::{interval_name, or_dash, range};
use bench_record::Outcome;

/// A figure with more rows than this is no longer read; the table has them all.
const ROWS_MAX: usize = 120;

/// Bytes of a cell that went to or came from storage.
type Moved = fn(&Cell) -> Option<f64>;

pub(super) fn body(view: &View<'_>, family: &FamilyReport) -> Result<String, PlotError> {
    if family.workloads.is_empty() {
        return Ok(String::new());
    }
    let aside = aside(view.table);
    let nothing_to_say = not_applicable(family);
    let mut out = ratios(view, family, &nothing_to_say)?;
    out.push_str(&heading("Times"));
    out.push_str(&cases(view, family, &aside.union(&nothing_to_say).copied().collect()).html());
    if let Some(text) = not_applicable_text(&nothing_to_say) {
        out.push_str(&paragraph("note", &escape(&text)));
    }
    if !aside.is_empty() {
        let text = format!(
            "Left out here: {} contestants with a mechanism switched off; the table of mechanisms sums them up.",
            aside.len()
        );
        out.push_str(&paragraph("note", &text));
    }
    out.push_str(&heading("Totals"));
    out.push_str(&totals(view, family, &aside).html());
    Ok(out)
}

/// A figure per contestant: its time over the baseline's on every workload.
fn ratios(view: &View<'_>, family: &FamilyReport, nothing_to_say: &Aside<'_>) -> Result<String, PlotError> {
    let Some(baseline) = &view.table.baseline else { return Ok(String::new()) };
    let others = view.table.contestants.iter().filter(|c| c.is_compared() && c.label != *baseline);
    let others = others.filter(|c| !nothing_to_say.contains(c.label.as_str()));
    let cell = |w: &WorkloadReport, who: &str| w.cells.iter().find(|c| c.contestant == who).cloned();
    let compared = |c: &&Cell| view.table.contestants.iter().any(|o| o.label == c.contestant && o.is_compared());
    let ends = family
        .workloads
        .iter()
        .flat_map(|w| w.cells.iter().filter(compared))
        .filter_map(|c| c.against_baseline)
        .flat_map(|r| [Some(r.value), r.interval.map(|i| i.low), r.interval.map(|i| i.high)]);
    let frame = Frame::around(ends.flatten());
    let mut drawn = Vec::new();
    for contestant in others {
        let label = &contestant.label;
        let rows: Vec<ForestRow> =
            family.workloads.iter().take(ROWS_MAX).filter_map(|w| forest_row(&w.workload, &cell(w, label)?)).collect();
        if rows.is_empty() {
            continue;
        }
        let alt = format!(
            "Time of {label} relative to {baseline} on {} {} workloads with their intervals; the table of times has the same \
             numbers",
            rows.len(),
            family.family.name()
        );
        drawn.push((label.clone(), forest(&rows, frame, view.table.noise.p95, &alt)?));
    }
    if drawn.is_empty() {
        return Ok(String::new());
    }
    let cut = match family.workloads.len() {
        n if n > ROWS_MAX => format!(" The first {ROWS_MAX} of {n} workloads; the table has all."),
        _ => String::new(),
    };
    let caption = format!(
        "Time relative to {}: left of 1 is faster. Bars: {}; filled marks are differences that were shown, hollow ones were \
         not{}.{cut}",
        escape(baseline),
        interval_name(fewest_trials(family)),
        band(view)
    );
    Ok(format!("{}{}", heading(&format!("Ratios to {baseline}")), figures(drawn, &caption)))
}

fn forest_row(workload: &str, cell: &Cell) -> Option<ForestRow> {
    let label = workload.to_owned();
    if cell.outcome != Outcome::Completed {
        return Some(ForestRow::Ended { label, how: cell.outcome.name().replace('_', " ") });
    }
    let r = cell.against_baseline?;
    let interval = r.interval.map(|i| (i.low, i.high));
    Some(ForestRow::Ratio { label, value: r.value, interval, effect: effect(r.verdict) })
}

fn cases(view: &View<'_>, family: &FamilyReport, aside: &Aside<'_>) -> Grid {
    let shown = |c: &&Cell| !aside.contains(c.contestant.as_str());
    let cells = || family.workloads.iter().flat_map(|w| &w.cells).filter(shown);
    let ends = |c: &Cell| [c.wall_ns_median, c.wall_ns_interval.map(|i| i.low), c.wall_ns_interval.map(|i| i.high)];
    let wall = Scale::time(cells().flat_map(ends).flatten());
    let cpu = Scale::time(cells().filter_map(|c| c.cpu_ns_median));
    let memory = Scale::size(cells().filter_map(|c| c.rss_bytes_peak).map(|b| b as f64));
    let io = |of: Moved| Scale::size(cells().filter_map(of));
    let optional: [(&str, Moved); 3] = [
        ("read", |c| c.read_bytes_median),
        ("written", |c| c.write_bytes_median),
        ("spilled", |c| c.spilled_bytes_median),
    ];
    // A column of zeros says nothing.
    let moved: Vec<(&str, Moved, Scale)> = optional
        .into_iter()
        .filter(|(_, of)| cells().any(|c| of(c).is_some_and(|bytes| bytes > 0.0)))
        .map(|(name, of)| (name, of, io(of)))
        .collect();
    let rows = family.workloads.iter().flat_map(|w| w.cells.iter().filter(shown).map(move |c| (w, c))).map(|(w, c)| {
        let target = view.anchors.case(family.family, &c.contestant, &w.workload);
        let of = |scale: &Scale, v: Option<f64>, first: bool| {
            Td::html(or_dash(v, |v| link(target.as_deref(), &scale.show(v), first))).sorted_by(v)
        };
        let interval = or_dash(c.wall_ns_interval, |i| link(target.as_deref(), &range(i, |v| wall.show(v)), false));
        let mark = if c.contaminated > 0 { "*" } else { "" };
        let mut row = vec![
            Td::text(&w.workload),
            Td::text(&c.contestant),
            of(&wall, c.wall_ns_median, true),
            Td::html(interval).sorted_by(c.wall_ns_interval.map(|i| i.high - i.low)),
            Td::html(link(target.as_deref(), &format!("{}{mark}", c.trials), c.wall_ns_median.is_none()))
                .sorted_by(Some(c.trials as f64)),
            against_best(view, family, w, c),
            of(&cpu, c.cpu_ns_median, false),
            of(&memory, c.rss_bytes_peak.map(|b| b as f64), false),
        ];
        row.extend(moved.iter().map(|(_, value, scale)| of(scale, value(c), false)));
        row
    });
    let heads = [
        words("workload"),
        words("engine"),
        number(format!("time {}", wall.unit)),
        number(interval_title(&family.workloads)),
        number("n"),
        words("against the best"),
        number(format!("CPU {}", cpu.unit)),
        number(format!("memory {}", memory.unit)),
    ];
    let moved_heads = moved.iter().map(|(name, _, scale)| number(format!("{name} {}", scale.unit)));
    Grid {
        caption: format!("{} median times, CPU and memory peaks per workload and engine", family.family.name()),
        heads: heads.into_iter().chain(moved_heads).collect(),
        rows: rows.collect(),
        filtered: true,
    }
}

fn against_best(view: &View<'_>, family: &FamilyReport, workload: &WorkloadReport, c: &Cell) -> Td {
    let target = view.anchors.case(family.family, &c.contestant, &workload.workload);
    if c.outcome != Outcome::Completed {
        let reason = c.reason.as_deref().unwrap_or_default();
        let class = if c.outcome == Outcome::Unsupported { "" } else { "bad" };
        let how = tag(class, &link(target.as_deref(), &ended(c).replace('_', " "), false));
        let html = format!("{how} <span class=\"sub\">{}</span>", escape(reason));
        return Td::html(html).sorted_by(Some(f64::MAX)).of_class("reason");
    }
    let timed = workload.cells.iter().filter(|c| c.wall_ns_median.is_some()).count();
    match &c.against_best {
        Some(r) => Td::html(ratio_html(target.as_deref(), r, false)).sorted_by(Some(r.value)),
        None if timed < 2 => Td::html(String::new()).sorted_by(Some(1.0)),
        None if workload.winner.is_some() => Td::html(tag("win", "fastest")).sorted_by(Some(1.0)),
        None if workload.winner_alone.is_some() => {
            Td::html(tag("", "shortest, no winner of so many workloads")).sorted_by(Some(1.0))
        }
        None => Td::html(tag("", "shortest, no winner")).sorted_by(Some(1.0)),
    }
}

fn totals(view: &View<'_>, family: &FamilyReport, aside: &Aside<'_>) -> Grid {
    let baseline = view.table.baseline.as_deref().unwrap_or("the baseline");
    let shown = || family.totals.iter().filter(|t| !aside.contains(t.contestant.as_str()));
    let scale = Scale::time(shown().filter_map(|t| t.wall_ns_penalized));
    let rows = shown().map(|t| {
        let target = view.anchors.group(family.family, &t.contestant);
        let against = |of: fn(&TotalRatio) -> &Ratio| match &t.against_baseline {
            Some(r) => Td::html(ratio_html(target.as_deref(), of(r), false)).sorted_by(Some(of(r).value)),
            None if t.contestant == baseline => Td::text("baseline").sorted_by(Some(1.0)),
            None => Td::text("-"),
        };
        vec![
            Td::text(&t.contestant),
            completed(t),
            Td::html(or_dash(t.wall_ns_penalized, |v| link(target.as_deref(), &scale.show(v), true)))
                .sorted_by(t.wall_ns_penalized),
            Td::text(&t.penalties_text()).sorted_by((!t.is_not_applicable()).then_some(t.penalties as f64)),
            against(|r| &r.total),
            against(|r| &r.geometric_mean),
            Td::text(&or_dash(t.against_baseline.as_ref(), |r| r.common.to_string())),
        ]
    });
    Grid {
        caption: format!("{} totals, ratios to {baseline}", family.family.name()),
        heads: vec![
            words("engine"),
            words("completed"),
            number(format!("total {}", scale.unit)),
            number("penalties"),
            words("ratio of totals"),
            words("geometric mean of ratios"),
            number("over"),
        ],
        rows: rows.collect(),
        filtered: false,
    }
}

fn completed(t: &Total) -> Td {
    let class = match t.went_wrong() {
        0 if t.is_not_applicable() => "faint",
        0 => "",
        _ => "bad",
    };
    Td::text(&t.completed_text()).sorted_by(Some(t.completed as f64)).of_class(class)
}
