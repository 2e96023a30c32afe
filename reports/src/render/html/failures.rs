//! What did not complete, and why.

use super::markup::{Grid, Td, link, number, paragraph, words};
use super::{Section, View};
use crate::comparison::{Comparison, Incident};
use crate::plain::html as escape;
use bench_record::{Arm, Outcome};

/// Wrong answers of all tables: they come first.
pub(super) fn wrong_answers(comparison: &Comparison) -> Section {
    let items = comparison.wrong_answers.iter().map(|i| {
        let arm = if i.arm == Arm::Twin { ", A/A arm" } else { "" };
        let text = format!(
            "{} {} on {}{arm}, {} trials: {} ({})",
            i.family.name(),
            i.workload,
            i.contestant,
            i.trials,
            i.reason,
            i.run
        );
        escape(&text)
    });
    let body = format!(
        "{}{}",
        paragraph("caveat", "A wrong answer has no time: these cases are in no median and no total."),
        super::markup::list(&items.collect::<Vec<_>>())
    );
    let title = format!("Wrong answers: {}", comparison.wrong_answers.len());
    Section { id: "wrong-answers".to_owned(), title, body_html: body }
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
