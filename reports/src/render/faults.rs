//! The sheet of faults.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::{Scale, percent, ratio as scale_ratio};
use super::wording::{column, or_dash, range, ratio_text};
use crate::comparison::{FamilyReport, FaultEffect, FaultReport, Ratio, Verdict};

pub(super) fn blocks(family: &FamilyReport) -> Vec<Block> {
    let all = &family.faults;
    if all.is_empty() {
        return Vec::new();
    }
    let title = format!("{} under faults: medians of the trials in which every fault fired", family.family.name());
    let mut blocks = vec![Block::Heading(3, title), Block::Sheet(sheet(all))];
    blocks.push(Block::Item(
        "detected and recovered: from firing to noticing, and to the end of the last task that ran again; (k) where only k \
         of the fired trials have one. Void: a fault did not fire, so the trial shows nothing about recovery and is in no \
         other number. Repeated: tasks, and their share of the time that all tasks took on their slots (wasted work)"
            .to_owned(),
    ));
    let totals = all.iter().filter_map(|r| r.against_whole.as_ref());
    if totals.map(|t| t.total.verdict).any(|verdict| verdict == Verdict::NotInterleaved) {
        blocks.push(Block::Item(
            "time / fault-free: with faults and without are separate runs, which did not take turns (not interleaved); nothing is \
             claimed of a difference"
                .to_owned(),
        ));
    }
    blocks.extend(all.iter().flat_map(items).map(Block::Item));
    blocks
}

/// One row per contestant; of a plan with several faults, one per fault.
fn sheet(all: &[FaultReport]) -> Sheet {
    let effects = || all.iter().flat_map(|r| &r.effects);
    let detection = Scale::time(effects().filter_map(|e| e.detection_ns_median));
    let recovery = Scale::time(effects().filter_map(|e| e.recovery_ns_median));
    let several = all.iter().any(|r| r.effects.len() > 1);
    // Of how many fired ones is a range where some trials do not say whether they are among them.
    let completed = |r: &FaultReport| match r.unrecorded {
        0 => format!("{} of {}", r.completed, r.fired),
        unknown => format!("{} of {}–{}", r.completed, r.fired, r.fired + unknown),
    };
    let row = |r: &FaultReport, e: Option<&FaultEffect>, first: bool| {
        let once = |text: String| if first { text } else { String::new() };
        let of_fired = |k: usize| if k < r.fired { format!(" ({k})") } else { String::new() };
        let detected = e.and_then(|e| Some((e.detection_ns_median?, e.detected)));
        let recovered = e.and_then(|e| Some((e.recovery_ns_median?, e.recovered)));
        let mut cells = vec![
            r.contestant.clone(),
            once(r.trials.to_string()),
            once(r.fired.to_string()),
            once(r.void.to_string()),
            once(completed(r)),
            or_dash(detected, |(ns, k)| format!("{}{}", detection.show(ns), of_fired(k))),
            or_dash(recovered, |(ns, k)| format!("{}{}", recovery.show(ns), of_fired(k))),
            e.map_or_else(|| "-".to_owned(), repeated),
            once(or_dash(r.against_whole.as_ref(), |t| against_whole(&t.total))),
        ];
        if several {
            cells.insert(1, e.map_or_else(|| r.plan.clone(), |e| e.fault.clone()));
        }
        Row { about: None, tone: if r.completed < r.fired + r.unrecorded { Tone::Bad } else { Tone::Plain }, cells }
    };
    let rows = all.iter().flat_map(|r| {
        let none = r.effects.is_empty().then(|| row(r, None, true));
        let some = r.effects.iter().enumerate().map(|(i, e)| row(r, Some(e), i == 0));
        none.into_iter().chain(some).collect::<Vec<_>>()
    });
    let mut columns = vec![
        column("engine", Kind::Name),
        column("n", Kind::Number),
        column("fired", Kind::Number),
        column("void", Kind::Number),
        column("completed", Kind::Words),
        column(format!("detected {}", detection.unit), Kind::Number),
        column(format!("recovered {}", recovery.unit), Kind::Number),
        column("repeated", Kind::Number),
        column("time / fault-free", Kind::Words),
    ];
    if several {
        columns.insert(1, column("fault", Kind::Name));
    }
    Sheet { rows: rows.collect(), columns }
}

/// What faults cost. That the two are of separate runs holds for nearly all of these ratios, and is said once below.
fn against_whole(ratio: &Ratio) -> String {
    match ratio.interval.filter(|_| ratio.verdict == Verdict::NotInterleaved) {
        Some(interval) => format!("{}x {}", scale_ratio(ratio.value), range(interval, scale_ratio)),
        None => ratio_text(ratio),
    }
}

/// Tasks that ran again, and what that wasted where somebody measured it.
fn repeated(e: &FaultEffect) -> String {
    let wasted = e.wasted_share_median.map_or_else(String::new, |share| format!(", {} %", percent(share)));
    or_dash(e.tasks_repeated_median, |n| format!("{n}{wasted}"))
}

/// What the numbers of one contestant leave out, and what its times are compared with.
fn items(r: &FaultReport) -> Vec<String> {
    let mut items = Vec::new();
    let trials = |n: usize| if n == 1 { "1 trial".to_owned() } else { format!("{n} trials") };
    if r.unrecorded > 0 {
        items.push(format!(
            "{}: {} did not complete and left no record of the faults: whether they fired is unknown",
            r.contestant,
            trials(r.unrecorded)
        ));
    }
    if !r.void_reasons.is_empty() {
        items.push(format!("{}: {} void: {}", r.contestant, trials(r.void), r.void_reasons.join("; ")));
    }
    match (&r.whole, &r.against_whole) {
        (Some(whole), Some(t)) if t.common < r.cases.len() => items.push(format!(
            "{}: time over that of {whole} on the {} of {} workloads that both completed in every trial that counts",
            r.contestant,
            t.common,
            r.cases.len()
        )),
        (None, _) => items.push(format!(
            "{}: what the faults cost is unknown: no run of the same engine on the same nodes without --faults was given",
            r.contestant
        )),
        _ => {}
    }
    items
}
