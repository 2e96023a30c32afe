//! Percentiles of the times of cases with many trials. A percentile is shown where enough trials lie beyond it to have seen
//! one: the 90th from 20 trials on, the 99th from 200.

use super::View;
use super::markup::{Grid, Td, heading, link, number, paragraph, words};
use crate::comparison::FamilyReport;
use crate::render::scale::Scale;
use crate::stats::{quantile, sorted};
use bench_record::{Arm, Outcome};
use std::collections::BTreeMap;

/// Percentiles, each with the trials it takes: twice as many as leave one beyond it.
const SHOWN: [(f64, usize); 4] = [(0.5, 20), (0.9, 20), (0.99, 200), (0.999, 2_000)];

/// The fewest trials of a case of which any percentile is shown.
pub(super) const TRIALS_MIN: usize = 20;

pub(super) fn body(view: &View<'_>, family: &FamilyReport) -> String {
    let mut times: BTreeMap<(&str, usize), Vec<f64>> = BTreeMap::new();
    for source in view.sources {
        let o = source.observation;
        let counts = o.outcome == Outcome::Completed && o.arm == Arm::Main && !source.excluded;
        let compared = view.table.contestants.get(source.contestant).is_some_and(|c| c.is_compared());
        if let Some(ns) = o.wall_ns.filter(|_| counts && compared && o.case.family == family.family) {
            times.entry((o.case.workload.as_str(), source.contestant)).or_default().push(ns as f64);
        }
    }
    let completed = |workload: &str, who: &str| {
        let of = family.workloads.iter().find(|w| w.workload == workload);
        of.is_some_and(|w| w.cells.iter().any(|c| c.contestant == who && c.wall_ns_median.is_some()))
    };
    let label = |who: usize| view.table.contestants.get(who).map_or("", |c| c.label.as_str());
    let many =
        |(workload, who): &(&str, usize), all: &Vec<f64>| all.len() >= TRIALS_MIN && completed(workload, label(*who));
    let cases: Vec<((&str, usize), Vec<f64>)> =
        times.into_iter().filter(|(at, all)| many(at, all)).map(|(at, all)| (at, sorted(all))).collect();
    if cases.is_empty() {
        return String::new();
    }
    let scale = Scale::time(cases.iter().filter_map(|(_, all)| quantile(all, 0.5)));
    let rows = cases.iter().map(|((workload, who), all)| {
        let target = view.anchors.case(family.family, label(*who), workload);
        let linked = |text: &str, first: bool| link(target.as_deref(), text, first);
        let percentile = |(q, needs): &(f64, usize)| {
            let value = quantile(all, *q).filter(|_| all.len() >= *needs);
            Td::html(value.map_or_else(|| "-".to_owned(), |v| linked(&scale.show(v), false))).sorted_by(value)
        };
        let most = all.last().copied();
        let names = [Td::text(workload), Td::text(label(*who))];
        let count = Td::html(linked(&all.len().to_string(), true)).sorted_by(Some(all.len() as f64));
        let worst = Td::html(most.map_or_else(String::new, |v| linked(&scale.show(v), false))).sorted_by(most);
        names.into_iter().chain([count]).chain(SHOWN.iter().map(percentile)).chain([worst]).collect()
    });
    let unit = scale.unit;
    let heads = ["50 %", "90 %", "99 %", "99.9 %", "longest"].map(|name| number(format!("{name} {unit}")));
    let grid = Grid {
        caption: format!("{} percentiles of trial times", family.family.name()),
        heads: [words("workload"), words("engine"), number("n")].into_iter().chain(heads).collect(),
        rows: rows.collect(),
        filtered: cases.len() > 12,
    };
    let note = "Trials follow one another (closed loop): these are not latencies under load. Percentiles, the 50th too, are by nearest \
                rank, of completed trials of the main arm that count (a disturbed one does where nothing clean stands in its place), and shown from as many trials on as leave two beyond them.";
    format!("{}{}{}", heading("Percentiles of times"), grid.html(), paragraph("note", note))
}
