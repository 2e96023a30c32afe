//! Engines by families: the table of the question "which engine for which work", filled by measurement.

use super::markup::{Grid, Td, link, paragraph, words};
use super::verdicts::fewest_trials;
use super::{View, titlecase};
use crate::comparison::{FamilyReport, Total, Verdict};
use crate::plain::html as escape;
use crate::render::scale::{Scale, ratio};
use crate::render::wording::{interval_name, range};
use bench_record::Family;

pub(super) fn body(view: &View<'_>) -> String {
    let families = &view.table.families;
    let heads = families.iter().map(|f| words(titlecase(f.family.name())));
    let shown = view.table.contestants.iter().filter(|c| c.is_compared());
    let rows = shown.map(|c| {
        let cells = families.iter().map(|f| cell(view, f, &c.label));
        std::iter::once(Td::text(&c.label)).chain(cells).collect()
    });
    let grid = Grid {
        caption: "Total time over the best engine's, per family".to_owned(),
        heads: std::iter::once(words("engine")).chain(heads).collect(),
        rows: rows.collect(),
        filtered: false,
    };
    let note = format!(
        "Sums of median times over the workloads that both completed, relative to the engine with the least of those that \
         completed the most; below that {}. An engine is called fastest only where every other one was shown to be slower; n/a: it supports no work of the family. {}Of \
         training and streaming this version has no workloads.",
        interval_name(families.iter().filter_map(fewest_trials).min()),
        absent(families)
    );
    format!("{}{}", grid.html(), paragraph("note", &note))
}

/// Families of work, not of the runtime alone, that this table has nothing of.
fn absent(families: &[FamilyReport]) -> String {
    let is_there = |family: &Family| families.iter().any(|f| f.family == *family);
    let measured = [Family::Sql, Family::Dataframe];
    let absent: Vec<&str> = measured.iter().filter(|f| !is_there(f)).map(|f| f.name()).collect();
    if absent.is_empty() { String::new() } else { format!("Not measured in these runs: {}. ", absent.join(", ")) }
}

fn cell(view: &View<'_>, family: &FamilyReport, label: &str) -> Td {
    let Some(total) = family.totals.iter().find(|t| t.contestant == label) else {
        return Td::html("<span class=\"faint\">not run</span>".to_owned());
    };
    let target = view.anchors.group(family.family, label);
    let is_best = family.best.as_deref() == Some(label);
    let (main, detail, class) = match &total.against_best {
        _ if total.not_run == total.cases => return Td::html("<span class=\"faint\">not run</span>".to_owned()),
        _ if total.is_not_applicable() => return Td::html("<span class=\"faint\">n/a</span>".to_owned()),
        _ if total.completed == 0 => ("–".to_owned(), "completed nothing".to_owned(), "bad"),
        _ if is_best => {
            let word = if family.winner.is_some() { "fastest" } else { "no winner" };
            let time = total.wall_ns_penalized.filter(|_| total.penalties == 0);
            let time = time.map_or_else(
                || "best".to_owned(),
                |ns| {
                    let scale = Scale::time([ns]);
                    format!("{} {}", scale.show(ns), scale.unit)
                },
            );
            (time, word.to_owned(), if family.winner.is_some() { "win" } else { "" })
        }
        None => ("–".to_owned(), "nothing in common".to_owned(), "faint"),
        Some(r) => {
            let interval = r.total.interval.map_or_else(String::new, |i| range(i, ratio));
            let main = match r.total.verdict {
                Verdict::Indistinguishable => "indistinguishable".to_owned(),
                _ => format!("{} ×", ratio(r.total.value)),
            };
            let detail = match r.total.verdict.remark() {
                Some(remark) if interval.is_empty() => remark.to_owned(),
                Some(remark) => format!("{interval}, {remark}"),
                None => interval,
            };
            (main, detail, "")
        }
    };
    let value = if is_best { Some(1.0) } else { total.against_best.as_ref().map(|r| r.total.value) };
    let html = format!(
        "{}<br><span class=\"sub\">{}</span>{}",
        link(target.as_deref(), &main, true),
        escape(&detail),
        completed(total)
    );
    Td::html(html).sorted_by(value).of_class(class)
}

fn completed(total: &Total) -> String {
    if total.completed == total.cases {
        return String::new();
    }
    let class = if total.went_wrong() > 0 { "sub bad" } else { "sub" };
    format!("<br><span class=\"{class}\">{}</span>", total.completed_text())
}
