//! What two measurements of the same thing differ by, and what else the machine did.

use super::markup::{Grid, Td, figures, link, list, number, paragraph, words};
use super::{View, titlecase};
use crate::comparison::{FamilyReport, WorkloadReport};
use crate::plain::html as escape;
use crate::plot::{PlotError, Strip, strips};
use crate::render::footer;
use crate::render::scale::percent;
use bench_record::{Arm, Family};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn body(view: &View<'_>) -> Result<String, PlotError> {
    let families = view.table.families.iter();
    let rows: Vec<Strip> = families
        .map(|f| Strip {
            label: titlecase(f.family.name()),
            values: f.workloads.iter().filter_map(|w| w.noise_floor).collect(),
        })
        .filter(|s| !s.values.is_empty())
        .collect();
    let mut out = paragraph("", &escape(&footer::noise(view.table)));
    if !rows.is_empty() {
        let alt = "Difference between an engine and its A/A twin, a circle per workload, by family";
        let svg = strips(&rows, |share| format!("{} %", percent(share)), alt)?;
        let caption = "Difference between an engine and the same engine measured once more, a circle per workload. No smaller \
                       effect is claimed.";
        out.push_str(&figures([(String::new(), svg)], caption));
        out.push_str(&grid(view).html());
    }
    let contamination: Vec<String> = footer::contamination(view.table).iter().map(|t| escape(t)).collect();
    out.push_str(&list(&contamination));
    Ok(out)
}

/// Whose twin it is that a workload's noise was measured with, by index; several where several had one.
type Twins<'a> = BTreeMap<(Family, &'a str), BTreeSet<usize>>;

fn twins<'a>(view: &View<'a>) -> Twins<'a> {
    let mut twins = Twins::new();
    for source in view.sources.iter().filter(|s| !s.excluded && s.observation.arm == Arm::Twin) {
        let case = &source.observation.case;
        twins.entry((case.family, case.workload.as_str())).or_default().insert(source.contestant);
    }
    twins
}

/// Where the trials of the only one are that had a twin on a workload.
fn only_twin(view: &View<'_>, twins: &Twins<'_>, family: Family, workload: &str) -> Option<String> {
    let who = twins.get(&(family, workload)).filter(|who| who.len() == 1)?;
    let contestant = view.table.contestants.get(*who.first()?)?;
    view.anchors.case(family, &contestant.label, workload)
}

/// The numbers of the figure.
fn grid(view: &View<'_>) -> Grid {
    let twins = twins(view);
    let of_family = |f: &FamilyReport| {
        let row = |w: &WorkloadReport| {
            let floor = w.noise_floor?;
            let twin = only_twin(view, &twins, f.family, &w.workload);
            Some(vec![
                Td::text(f.family.name()),
                Td::text(&w.workload),
                Td::html(link(twin.as_deref(), &percent(floor), true)).sorted_by(Some(floor)),
            ])
        };
        f.workloads.iter().filter_map(row).collect::<Vec<_>>()
    };
    Grid {
        caption: "difference between an engine and its A/A twin".to_owned(),
        heads: vec![words("family"), words("workload"), number("difference %")],
        rows: view.table.families.iter().flat_map(of_family).collect(),
        filtered: false,
    }
}
