//! Every trial, with its key and its line in the results folder: what the numbers of the page lead to.
//!
//! A page of a hundred thousand trials lists their times without the rest, and a page of far more just their quartiles: the folder
//! has them all, and the page says where.

use super::View;
use super::anchors::case_of;
use super::markup::paragraph;
use crate::compare::{Source, Sources};
use crate::plain::html as escape;
use crate::render::scale::Scale;
use crate::run_names::RunNames;
use crate::stats::{quantile, sorted};
use bench_record::{Arm, OBSERVATIONS_FILE, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Trials that have a row each.
const ROWS_MAX: usize = 6_000;
/// Trials whose times are listed.
const TIMES_MAX: usize = 250_000;

/// How much of each trial a page has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Rows,
    Times,
    Quartiles,
}

/// What is left of a page's room, shared by its tables.
pub(super) struct Budget(Detail);

impl Budget {
    pub(super) fn of(sources: &Sources<'_>) -> Self {
        match sources.tables.iter().map(Vec::len).sum::<usize>() {
            0..=ROWS_MAX => Self(Detail::Rows),
            n if n <= TIMES_MAX => Self(Detail::Times),
            _ => Self(Detail::Quartiles),
        }
    }
}

/// The trials of one case.
type Trials<'v, 'a> = Vec<&'v Source<'a>>;

pub(super) fn body(view: &View<'_>, budget: &mut Budget) -> String {
    let mut cases: BTreeMap<_, Trials<'_, '_>> = BTreeMap::new();
    for source in view.sources {
        cases.entry(case_of(source)).or_default().push(source);
    }
    let what = match budget.0 {
        Detail::Rows => "Every trial of every case.",
        Detail::Times => "The time of every trial, in the order of trials; too many for a row each.",
        Detail::Quartiles => "Quartiles of the times of every case; too many trials to list.",
    };
    let intro = format!(
        "{what} A trial is one line of <code>{OBSERVATIONS_FILE}</code> in its run's folder, under the key of its case; \
         <em>line</em> counts from 1."
    );
    let mut out = paragraph("note", &intro);
    let mut open: Option<(bench_record::Family, usize)> = None;
    for ((family, contestant, workload), trials) in &cases {
        if open != Some((*family, *contestant)) {
            if open.is_some() {
                out.push_str("</div></details>");
            }
            open = Some((*family, *contestant));
            let label = view.table.contestants.get(*contestant).map_or("", |c| c.label.as_str());
            let own = cases.iter().filter(|((f, c, _), _)| (f, c) == (family, contestant));
            let (count, all) = own.fold((0, 0), |(n, all), (_, trials)| (n + 1, all + trials.len()));
            let _ = write!(
                out,
                "<details class=\"obs\"><summary>{} · {}: {count} cases, {all} trials</summary><div id=\"{}\">",
                escape(family.name()),
                escape(label),
                view.anchors.group_of(*family, *contestant)
            );
        }
        case(&mut out, view, workload, trials, budget.0);
    }
    if open.is_some() {
        out.push_str("</div></details>");
    }
    out
}

fn case(out: &mut String, view: &View<'_>, workload: &str, trials: &[&Source<'_>], detail: Detail) {
    let Some(first) = trials.first() else { return };
    let id = view.anchors.case_of(view.anchors.number(first));
    let _ = write!(
        out,
        "<div class=\"case\" id=\"{id}\"><h4>{}</h4><p class=\"sub\">key <code>{}</code></p>",
        escape(workload),
        escape(first.observation.key.as_str())
    );
    match detail {
        Detail::Rows => rows(out, view.names, trials),
        Detail::Times => listed(out, view.names, trials, times),
        Detail::Quartiles => listed(out, view.names, trials, quartiles),
    }
    out.push_str("</div>");
}

fn rows(out: &mut String, names: &RunNames, trials: &[&Source<'_>]) {
    let of = |value: fn(&Source<'_>) -> Option<u64>| trials.iter().filter_map(move |s| value(s)).map(|v| v as f64);
    let wall = Scale::time(of(|s| s.observation.wall_ns));
    let cpu = Scale::time(of(|s| s.observation.cpu_ns));
    let memory = Scale::size(of(|s| s.observation.rss_bytes_peak));
    let _ = write!(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"trials\"><table><thead><tr><th scope=\"col\">trial</th>\
         <th scope=\"col\" class=\"num\">line</th><th scope=\"col\" class=\"num\">time {}</th>\
         <th scope=\"col\" class=\"num\">CPU {}</th><th scope=\"col\" class=\"num\">memory {}</th><th scope=\"col\">began</th>\
         <th scope=\"col\">run</th><th scope=\"col\">remarks</th></tr></thead><tbody>",
        wall.unit, cpu.unit, memory.unit
    );
    for s in trials {
        let o = s.observation;
        let show = |scale: &Scale, value: Option<u64>| value.map_or_else(|| "-".to_owned(), |v| scale.show(v as f64));
        let arm = if o.arm == Arm::Twin { "A/A " } else { "" };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{arm}{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td class=\"num\">{}</td><td>{}</td><td>{}</td>{}</tr>",
            o.trial,
            s.line,
            show(&wall, o.wall_ns),
            show(&cpu, o.cpu_ns),
            show(&memory, o.rss_bytes_peak),
            o.started_at,
            escape(&names.name(&s.run.path)),
            match remarks(s).as_str() {
                "" => "<td></td>".to_owned(),
                some => format!("<td class=\"reason\">{}</td>", escape(some)),
            }
        );
    }
    out.push_str("</tbody></table></div>");
}

fn remarks(s: &Source<'_>) -> String {
    let o = s.observation;
    let mut all = Vec::new();
    if o.outcome != Outcome::Completed {
        all.push(format!("{}: {}", o.outcome.name().replace('_', " "), o.reason.as_deref().unwrap_or_default()));
    }
    if o.contaminated {
        let why = o.contamination.as_ref().map(|c| c.reasons.join(", ")).unwrap_or_default();
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        all.push(format!("contaminated{why}, {}", if s.excluded { "left out" } else { "in use" }));
    }
    if let Some(repeat) = o.repeat {
        all.push(format!("repeats trial {repeat}"));
    }
    let faults = o.faults.iter().map(|f| {
        let void = f.void.as_ref().map_or_else(String::new, |why| format!(", void: {why}"));
        format!("fault {}{void}", f.fault)
    });
    all.extend(faults);
    all.extend(o.notes.iter().cloned());
    all.join("; ")
}

/// A paragraph per run and arm, and one for what has no time.
fn listed(out: &mut String, names: &RunNames, trials: &[&Source<'_>], show: fn(&[&Source<'_>]) -> String) {
    let mut parts: BTreeMap<(String, Arm), Trials<'_, '_>> = BTreeMap::new();
    for s in trials {
        parts.entry((names.name(&s.run.path), s.observation.arm)).or_default().push(s);
    }
    for ((run, arm), mut trials) in parts {
        trials.sort_by_key(|s| s.observation.trial);
        let lines = trials.iter().map(|s| s.line);
        let (from, to) = lines.fold((usize::MAX, 0), |(from, to), line| (from.min(line), to.max(line)));
        let arm = if arm == Arm::Twin { ", A/A arm" } else { "" };
        let (timed, ended): (Vec<_>, Vec<_>) = trials.iter().copied().partition(|s| s.observation.wall_ns.is_some());
        let _ = write!(
            out,
            "<p class=\"sub\">{}{arm}: {} trials in lines {from} to {to}; {}</p>",
            escape(&run),
            trials.len(),
            show(&timed)
        );
        if let Some(first) = ended.first() {
            let text = format!(
                "{} without a time, the first: trial {}, {}",
                ended.len(),
                first.observation.trial,
                remarks(first)
            );
            out.push_str(&paragraph("sub", &escape(&text)));
        }
    }
}

fn of_all(trials: &[&Source<'_>]) -> Vec<f64> {
    trials.iter().filter_map(|s| s.observation.wall_ns).map(|ns| ns as f64).collect()
}

/// Times in the order of trials; those that are left out in parentheses.
fn times(trials: &[&Source<'_>]) -> String {
    let all = of_all(trials);
    let scale = Scale::time(all.iter().copied());
    let shown: Vec<String> = trials
        .iter()
        .zip(&all)
        .map(|(s, ns)| if s.excluded { format!("({})", scale.show(*ns)) } else { scale.show(*ns) })
        .collect();
    format!("{}:</p><p class=\"times\">{}", scale.unit, shown.join(" "))
}

fn quartiles(trials: &[&Source<'_>]) -> String {
    let all = sorted(of_all(trials));
    let scale = Scale::time(all.iter().copied());
    let names = ["shortest", "first quartile", "median", "third quartile", "longest"];
    let parts = names.iter().zip([0.0, 0.25, 0.5, 0.75, 1.0]);
    let shown: Vec<String> = parts
        .filter_map(|(name, q)| quantile(&all, q).map(|v| format!("{name} {} {}", scale.show(v), scale.unit)))
        .collect();
    shown.join(", ")
}
