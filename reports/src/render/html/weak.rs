//! Weak scaling: one engine on several node counts over data that grow with them.

use super::anchors::observations_of;
use super::{Section, blocks};
use crate::comparison::{Comparison, WeakScaling};
use crate::render::weak;

/// All of it; none of none.
pub(super) fn section(comparison: &Comparison) -> Option<Section> {
    let all = &comparison.weak_scaling;
    let body = |of: &WeakScaling| {
        let places = |about: &str| {
            let mut points = of.series.iter().flat_map(|s| &s.points);
            let point = points.find(|p| weak::about(p) == about)?;
            observations_of(comparison, point.table, of.family, &point.contestant)
        };
        blocks::body(&weak::blocks(std::slice::from_ref(of)), &places)
    };
    let section = || Section {
        id: "weak-scaling".to_owned(),
        title: "Weak scaling".to_owned(),
        body_html: all.iter().map(body).collect(),
    };
    (!all.is_empty()).then(section)
}
