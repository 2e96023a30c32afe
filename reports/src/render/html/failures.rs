//! What did not complete, and why.

use super::markup::{Grid, Td, link, number, paragraph, words};
use super::{Section, View};
use crate::comparison::{Comparison, FamilyReport, Incident};
use crate::plain::html as escape;
use bench_record::{Arm, Outcome};

/// Wrong answers of all tables: they come first, and each leads to its observations.
pub(super) fn wrong_answers(comparison: &Comparison, views: &[View<'_>]) -> Section {
    let all = views.iter().flat_map(|view| view.table.incidents.iter().map(move |i| (view, i)));
    let items = all.filter(|(_, i)| i.outcome == Outcome::WrongAnswer).map(|(view, i)| {
        let arm = if i.arm == Arm::Twin { ", A/A arm" } else { "" };
        let who = format!("{} {} on {}{arm}, ", i.family.name(), i.workload, i.contestant);
        let target = view.anchors.case(i.family, &i.contestant, &i.workload);
        let trials = if i.trials == 1 { "1 trial".to_owned() } else { format!("{} trials", i.trials) };
        let why = format!(": {} ({})", i.reason, i.run);
        format!("{}{}{}", escape(&who), link(target.as_deref(), &trials, true), escape(&why))
    });
    let body = format!(
        "{}{}",
        paragraph(
            "caveat",
            "An answer that is wrong, or differs, has no time: these cases are in no median and no total."
        ),
        super::markup::list(&items.collect::<Vec<_>>())
    );
    Section { id: "wrong-answers".to_owned(), title: comparison.wrong_answers_title(), body_html: body }
}

/// Trials in which a planned fault did not fire, case by case, each leading to its observations.
pub(super) fn void_faults(view: &View<'_>, family: &FamilyReport) -> String {
    let cases = family.faults.iter().flat_map(|r| r.cases.iter().filter(|c| c.void > 0).map(move |c| (r, c)));
    let items = cases.map(|(report, case)| {
        let target = view.anchors.case(family.family, &report.contestant, &case.workload);
        let trials = if case.void == 1 { "1 void trial".to_owned() } else { format!("{} void trials", case.void) };
        let who = format!("{} on {}: ", case.workload, report.contestant);
        format!("{}{}", escape(&who), link(target.as_deref(), &trials, true))
    });
    super::markup::list(&items.collect::<Vec<_>>())
}

pub(super) fn body(view: &View<'_>) -> String {
    let incidents = &view.table.incidents;
    if incidents.is_empty() {
        let complete = view.table.families.iter().flat_map(|f| &f.totals).all(|t| t.not_run == 0);
        let text = if complete { "Every case completed." } else { "Every case that was run completed." };
        return paragraph("", text);
    }
    let grid = Grid {
        caption: "Cases that did not complete, with the reason in the first such trial".to_owned(),
        heads: vec![
            words("workload"),
            words("engine"),
            words("family"),
            words("outcome"),
            number("trials"),
            words("reason"),
            words("run"),
        ],
        rows: incidents.iter().map(|i| row(view, i)).collect(),
        filtered: incidents.len() > 12,
    };
    grid.html()
}

fn row(view: &View<'_>, i: &Incident) -> Vec<Td> {
    let target = view.anchors.case(i.family, &i.contestant, &i.workload);
    let arm = if i.arm == Arm::Twin { " (A/A arm)" } else { "" };
    let class = if i.outcome == Outcome::Unsupported { "faint" } else { "bad" };
    vec![
        Td::text(&i.workload),
        Td::text(&format!("{}{arm}", i.contestant)),
        Td::text(i.family.name()),
        Td::text(&i.outcome.name().replace('_', " ")).of_class(class),
        Td::html(link(target.as_deref(), &i.trials.to_string(), true)).sorted_by(Some(i.trials as f64)),
        Td::text(&i.reason).of_class("reason"),
        Td::text(&i.run),
    ]
}
