//! COST: how many cores an engine needs to beat the best single thread.

use super::View;
use super::markup::{Grid, Td, heading, number, paragraph, ratio, words};
use crate::comparison::FamilyReport;
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
    let rows = entries.iter().map(|e| {
        let target = view.anchors.group(family.family, &e.contestant);
        let failed = e.of - e.covered.min(e.of);
        let failed = if failed > 0 { format!(", {failed} not completed") } else { String::new() };
        let total = or_dash(e.total.as_ref(), |r| ratio(target.as_deref(), r, true));
        vec![
            Td::text(&e.engine),
            Td::text(&answer(e.answer)),
            Td::html(total).sorted_by(e.total.map(|r| r.value)),
            Td::text(&format!("{} of {}{failed}", e.wins, e.of)).sorted_by(Some(e.wins as f64)),
            Td::text(&e.tried.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
        ]
    });
    let grid = Grid {
        caption: format!("{} COST: cores needed to beat one thread", family.family.name()),
        heads: vec![
            words("engine"),
            words("COST"),
            words("total time over the single thread's"),
            words("faster on"),
            number("cores tried"),
        ],
        rows: rows.collect(),
        filtered: false,
    };
    let note = format!(
        "The mark is the fastest single-threaded run of each workload, of {} (McSherry, Isard, Murray, HotOS 2015).",
        escape(&cost.single_thread.join(" or "))
    );
    format!("{}{}{}", heading("COST"), grid.html(), paragraph("note", &note))
}
