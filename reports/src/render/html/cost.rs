//! COST: how many cores an engine needs to beat the best single thread.

use super::View;
use super::markup::{Grid, Td, heading, link, number, paragraph, ratio, words};
use crate::comparison::{CostEntry, FamilyReport};
use crate::plain::html as escape;
use crate::render::sheets::{answer, cost_entries};
use crate::render::wording::or_dash;

pub(super) fn body(view: &View<'_>, family: &FamilyReport) -> String {
    let entries = cost_entries(family);
    let Some(cost) = family.cost.as_ref().filter(|_| !entries.is_empty()) else {
        let reason = "COST is unknown: no engine with a single slot completed anything here; add one, as in \
                      <code>--engines datafusion-1t</code>.";
        let reason = if family.workloads.is_empty() { String::new() } else { paragraph("note", reason) };
        return reason;
    };
    let grid = Grid {
        caption: format!("{} COST: cores needed to beat one thread", family.family.name()),
        heads: vec![
            words("engine"),
            words("COST"),
            words("total time over the single thread's"),
            words("faster on"),
            number("cores tried"),
        ],
        rows: entries.iter().map(|e| row(view, family, e)).collect(),
        filtered: false,
    };
    let note = format!(
        "The mark is the fastest single-threaded run of each workload, of {} (McSherry, Isard, Murray, HotOS 2015).",
        escape(&cost.single_thread.join(" or "))
    );
    format!("{}{}{}", heading("COST"), grid.html(), paragraph("note", &note))
}

/// Numbers lead to the trials of the contestant with the most cores, those of other core counts to the trials with as many.
fn row(view: &View<'_>, family: &FamilyReport, e: &CostEntry) -> Vec<Td> {
    let trials_of = |who: &str| view.anchors.group(family.family, who);
    let linked = |who: &str, text: &str, is_first: bool| link(trials_of(who).as_deref(), text, is_first);
    let failed = e.of - e.covered.min(e.of);
    let failed = if failed > 0 { format!(", {failed} not completed") } else { String::new() };
    let wins = format!("{} of {}{failed}", e.wins, e.of);
    let tried = e.tried.iter().map(|cores| linked(e.with_cores(*cores), &cores.to_string(), false));
    vec![
        Td::text(&e.engine),
        Td::html(linked(e.with_cores(e.answer.cores()), &answer(e.answer), true)),
        Td::html(or_dash(e.total.as_ref(), |r| ratio(trials_of(&e.contestant).as_deref(), r, false)))
            .sorted_by(e.total.map(|r| r.value)),
        Td::html(linked(&e.contestant, &wins, false)).sorted_by(Some(e.wins as f64)),
        Td::html(tried.collect::<Vec<_>>().join(", ")),
    ]
}
