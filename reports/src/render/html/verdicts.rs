//! A sentence per family: who is fastest, by how much, and how sure that is; or why nobody is.

use super::markup::{link, paragraph};
use super::{View, titlecase};
use crate::comparison::{FamilyReport, Ratio, Total, Verdict};
use crate::plain::html as escape;
use crate::plot::{Effect, ForestRow, Frame, PlotError, forest};
use crate::render::scale::ratio;
use crate::render::wording::{crowds, interval_name, range};
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn body(view: &View<'_>) -> Result<String, PlotError> {
    let mut out = String::new();
    if let Some(emulated) = &view.table.emulated {
        let text = format!("Emulated nodes: {}. Not a measurement of a cluster.", escape(emulated));
        out.push_str(&paragraph("caveat", &text));
    }
    if let Some(shared) = view.table.shared_text() {
        out.push_str(&paragraph("note", &escape(&shared)));
    }
    let crowds = crowds(&view.table.contestants);
    if !crowds.is_empty() {
        let text = format!("{}. Not a measurement of so many cores.", escape(&crowds.join("; ")));
        out.push_str(&paragraph("caveat", &text));
    }
    out.push_str("<div class=\"cards\">");
    for family in &view.table.families {
        let name = titlecase(family.family.name());
        let target = view.anchors.id(family.family.name());
        let _ = write!(
            out,
            "<article class=\"card\"><h3><a href=\"#{target}\">{}</a></h3><p class=\"verdict\">{}</p>{}<p class=\"note\">{}</p></article>",
            escape(&name),
            sentence(view, family),
            picture(view, family)?,
            escape(&counts(view, family))
        );
    }
    out.push_str("</div>");
    Ok(out)
}

/// Those who can win, but for the best.
fn rivals<'f>(view: &View<'_>, family: &'f FamilyReport) -> Vec<&'f Total> {
    let compared = |label: &str| view.table.contestants.iter().any(|c| c.label == label && c.is_compared());
    let is_rival = |t: &&Total| {
        t.not_run < t.cases
            && !t.is_not_applicable()
            && family.best.as_ref() != Some(&t.contestant)
            && compared(&t.contestant)
    };
    let mut rivals: Vec<&Total> = family.totals.iter().filter(is_rival).collect();
    let value = |t: &Total| t.against_best.as_ref().map_or(f64::INFINITY, |r| r.total.value);
    rivals.sort_by(|a, b| value(a).total_cmp(&value(b)));
    rivals
}

/// HTML.
fn sentence(view: &View<'_>, family: &FamilyReport) -> String {
    if family.workloads.is_empty() {
        return "Measured under faults only.".to_owned();
    }
    let Some(best) = &family.best else {
        return "Nobody completed a workload.".to_owned();
    };
    let strong = |name: &str| format!("<strong>{}</strong>", escape(name));
    let rivals = rivals(view, family);
    let timed: Vec<(&Total, Ratio)> =
        rivals.iter().filter_map(|t| Some((*t, t.against_best.as_ref()?.total))).collect();
    let Some((next, behind)) = timed.first() else {
        return alone(best, &rivals);
    };
    let times = |t: &Total, r: &Ratio| {
        let target = view.anchors.group(family.family, &t.contestant);
        let name = name_between(family, [best, &t.contestant]);
        let interval = r.interval.map_or_else(String::new, |i| format!(", {name}: {}", range(i, ratio)));
        format!("{}{}", link(target.as_deref(), &ratio(r.value), true), escape(&interval))
    };
    if family.winner.is_some() {
        let target = view.anchors.group(family.family, &next.contestant);
        let name = name_between(family, [best, &next.contestant]);
        let interval = behind.interval.map_or_else(String::new, |i| format!(" ({name}: {})", range(i, ratio)));
        return format!(
            "{} is fastest. The next, {}, takes {} times as long{}{}.",
            strong(best),
            escape(&next.contestant),
            link(target.as_deref(), &ratio(behind.value), true),
            escape(&interval),
            common(next)
        );
    }
    // The first that is not shown to be behind says why nobody won.
    let Some((rival, r)) = timed.iter().find(|(_, r)| r.verdict != Verdict::Slower) else {
        return format!(
            "No winner over all workloads: {} was ahead of {} (ratio {}) where both were run, but not everybody was run on, or \
             completed, the same ones, or the geometric mean says the opposite.",
            strong(best),
            escape(&next.contestant),
            times(next, behind)
        );
    };
    undecided([&strong(best), &strong(&rival.contestant)], &times(rival, r), r.verdict)
}

/// Why neither of two has won, in HTML.
fn undecided([best, rival]: [&str; 2], times: &str, verdict: Verdict) -> String {
    match verdict {
        Verdict::Indistinguishable => {
            format!("No winner: {best} and {rival} are indistinguishable (ratio of total times {times}).")
        }
        Verdict::Contaminated => format!(
            "No winner: other work disturbed trials that had to be counted, so nothing is claimed of {best} against {rival} \
             (ratio {times})."
        ),
        Verdict::Unresolved => format!("No winner yet: too few trials to tell {best} from {rival} (ratio {times})."),
        Verdict::NotInterleaved => format!(
            "No winner: {best} and {rival} were not interleaved: no run has both, and what lies between runs may be all of the \
             difference (ratio {times}). Measure them in one run."
        ),
        Verdict::NoFloor => format!(
            "No winner: nobody knows the noise, for no case has an A/A arm, so nothing is claimed of {best} against {rival} \
             (ratio {times})."
        ),
        Verdict::FloorContaminated => format!(
            "No winner: nobody knows the noise, for other work disturbed the A/A arm, so nothing is claimed of {best} against \
             {rival} (ratio {times}). Measure again on a quiet machine."
        ),
        Verdict::Faster | Verdict::Slower => format!(
            "No winner: {best} completed the most, and {rival} was faster on what both completed (ratio {times})."
        ),
    }
}

/// The best has nobody to be compared with.
fn alone(best: &str, rivals: &[&Total]) -> String {
    let strong = |name: &str| format!("<strong>{}</strong>", escape(name));
    match rivals.iter().find(|t| t.completed > 0) {
        Some(rival) => {
            format!("No winner: {} and {} completed no workload in common.", strong(best), strong(&rival.contestant))
        }
        None => format!("Only {} completed anything, so there is nothing to compare it with.", strong(best)),
    }
}

/// On how many workloads two were compared, where that is not all of them.
fn common(rival: &Total) -> String {
    let common = rival.against_best.as_ref().map_or(0, |r| r.common);
    if common == rival.cases {
        String::new()
    } else {
        format!(", on the {common} of {} workloads that both completed", rival.cases)
    }
}

/// What the interval of a ratio between two may be called.
fn name_between(family: &FamilyReport, who: [&str; 2]) -> String {
    let cells = family.workloads.iter().flat_map(|w| &w.cells);
    let counted = cells.filter(|c| who.contains(&c.contestant.as_str()) && c.wall_ns_median.is_some());
    interval_name(counted.map(|c| c.trials).min())
}

/// The fewest trials that a time of the family has.
pub(super) fn fewest_trials(family: &FamilyReport) -> Option<usize> {
    let cells = family.workloads.iter().flat_map(|w| &w.cells);
    cells.filter(|c| c.wall_ns_median.is_some()).map(|c| c.trials).min()
}

/// Everybody's total over the best one's.
fn picture(view: &View<'_>, family: &FamilyReport) -> Result<String, PlotError> {
    let Some(best) = &family.best else { return Ok(String::new()) };
    let rivals = rivals(view, family);
    if rivals.iter().all(|t| t.against_best.is_none()) {
        return Ok(String::new());
    }
    let rows: Vec<ForestRow> = rivals.iter().map(|t| row(t)).collect();
    let ends = rivals
        .iter()
        .filter_map(|t| t.against_best.as_ref())
        .flat_map(|r| [Some(r.total.value), r.total.interval.map(|i| i.low), r.total.interval.map(|i| i.high)]);
    let alt =
        format!("Total time of each engine relative to {best}; the same numbers are in the table of engines by family");
    let svg = forest(&rows, Frame::around(ends.flatten()), view.table.noise.p95, &alt)?;
    let caption = format!(
        "total time relative to {}; bars: {}{}",
        escape(best),
        interval_name(fewest_trials(family)),
        band(view)
    );
    Ok(format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>"))
}

/// What the band of a figure is, if there is one.
pub(super) fn band(view: &View<'_>) -> &'static str {
    if view.table.noise.p95.is_some() { "; band: what 95 % of A/A pairs stay within" } else { "" }
}

fn row(total: &Total) -> ForestRow {
    let label = total.contestant.clone();
    total.against_best.as_ref().map_or_else(
        || ForestRow::Ended { label: label.clone(), how: "nothing in common".to_owned() },
        |r| ForestRow::Ratio {
            label: label.clone(),
            value: r.total.value,
            interval: r.total.interval.map(|i| (i.low, i.high)),
            effect: effect(r.total.verdict),
        },
    )
}

pub(super) const fn effect(verdict: Verdict) -> Effect {
    match verdict {
        Verdict::Faster => Effect::Faster,
        Verdict::Slower => Effect::Slower,
        _ => Effect::Open,
    }
}

/// How many workloads each contestant won, and who did not complete all.
fn counts(view: &View<'_>, family: &FamilyReport) -> String {
    let count = family.workloads.len();
    if count == 0 {
        return String::new();
    }
    let mut wins: BTreeMap<&str, usize> = BTreeMap::new();
    for winner in family.workloads.iter().filter_map(|w| w.winner.as_deref()) {
        *wins.entry(winner).or_default() += 1;
    }
    let none = count - wins.values().sum::<usize>();
    let mut wins: Vec<(&str, usize)> = wins.into_iter().collect();
    wins.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut parts: Vec<String> = wins.iter().map(|(who, n)| format!("{who} wins {n}")).collect();
    if none > 0 {
        parts.push(format!("{none} have no winner"));
    }
    let workloads = if count == 1 { "1 workload".to_owned() } else { format!("{count} workloads") };
    let mut text = match (wins.is_empty(), count) {
        (true, 1) => "The workload has no winner.".to_owned(),
        (true, _) => format!("None of {workloads} has a winner."),
        (false, _) => format!("Of {workloads}: {}.", parts.join(", ")),
    };
    let aside = crate::render::sheets::aside(view.table);
    let shown = || family.totals.iter().filter(|t| !aside.contains(t.contestant.as_str()));
    let is_partial = |t: &&Total| t.completed < t.cases && t.not_run < t.cases && !t.is_not_applicable();
    let partial = shown().filter(is_partial).map(|t| format!("{} {}", t.contestant, t.completed_text()));
    let names = |of: fn(&Total) -> bool| shown().filter(move |t| of(t)).map(|t| t.contestant.clone()).collect();
    let lists: [(&str, &str, Vec<String>); 3] = [
        ("Not run", ", ", names(|t| t.not_run == t.cases)),
        ("Not applicable to", ", ", names(Total::is_not_applicable)),
        ("Completed", "; ", partial.collect()),
    ];
    for (title, separator, whom) in lists.iter().filter(|(_, _, whom)| !whom.is_empty()) {
        let _ = write!(text, " {title}: {}.", whom.join(separator));
    }
    text
}
