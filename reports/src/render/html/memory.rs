//! How the memory peaks of an engine are spread over the workloads.

use super::View;
use super::markup::{figures, heading};
use crate::comparison::{Cell, FamilyReport};
use crate::plot::{PlotError, Strip, strips};
use crate::render::scale::Scale;

pub(super) fn body(view: &View<'_>, family: &FamilyReport) -> Result<String, PlotError> {
    let cells = || family.workloads.iter().flat_map(|w| &w.cells);
    let peaks = |who: &str| -> Vec<f64> {
        let own = cells().filter(|c: &&Cell| c.contestant == who);
        own.filter_map(|c| c.rss_bytes_peak).map(|b| b as f64).collect()
    };
    let compared = view.table.contestants.iter().filter(|c| c.is_compared());
    let rows: Vec<Strip> = compared
        .map(|c| Strip { label: c.label.clone(), values: peaks(&c.label) })
        .filter(|s| !s.values.is_empty())
        .collect();
    if rows.is_empty() {
        return Ok(String::new());
    }
    let most = rows.iter().flat_map(|s| &s.values).copied().fold(0.0, f64::max);
    let scale = Scale::size([most]);
    let show = |bytes: f64| if bytes > 0.0 { format!("{} {}", scale.show(bytes), scale.unit) } else { "0".to_owned() };
    let alt = format!(
        "Largest resident memory of {} on each {} workload; the table of times has the same numbers",
        rows.iter().map(|s| s.label.as_str()).collect::<Vec<_>>().join(", "),
        family.family.name()
    );
    let svg = strips(&rows, show, &alt)?;
    let caption = "Largest resident memory of all processes of the engine, a circle per workload; the line is the middle one. \
                   The table of times has the numbers. Of several processes it is what was seen at once: see how this was measured.";
    Ok(format!("{}{}", heading("Memory"), figures([(String::new(), svg)], caption)))
}
