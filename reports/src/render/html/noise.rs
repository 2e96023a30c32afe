//! What two measurements of the same thing differ by, and what else the machine did.

use super::markup::{Grid, Td, figures, list, number, paragraph, words};
use super::{View, titlecase};
use crate::plain::html as escape;
use crate::plot::{PlotError, Strip, strips};
use crate::render::footer;
use crate::render::scale::percent;

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

/// The numbers of the figure.
fn grid(view: &View<'_>) -> Grid {
    let of_family = |f: &crate::comparison::FamilyReport| {
        let row = |w: &crate::comparison::WorkloadReport| {
            let floor = w.noise_floor?;
            Some(vec![
                Td::text(f.family.name()),
                Td::text(&w.workload),
                Td::text(&percent(floor)).sorted_by(Some(floor)),
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
