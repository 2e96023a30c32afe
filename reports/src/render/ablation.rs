//! The sheet of mechanisms.

use super::layout::{Block, Kind, Row, Sheet, Tone};
use super::scale::ratio;
use super::wording::{column, or_dash, range, ratio_text};
use crate::comparison::{Ablation, AblationEntry, FamilyReport, Verdict, WorkloadEffect};

pub(super) fn blocks(family: &FamilyReport) -> Vec<Block> {
    family.ablations.iter().flat_map(|a| study(family, a)).collect()
}

fn study(family: &FamilyReport, a: &Ablation) -> Vec<Block> {
    let title = format!("{}: what each mechanism of {} is worth", family.family.name(), a.contestant);
    let mut blocks = vec![Block::Heading(3, title)];
    let shown: Vec<&AblationEntry> = a.entries.iter().filter(|e| e.is_shown()).collect();
    if !shown.is_empty() {
        blocks.push(Block::Sheet(sheet(&shown, family.workloads.len())));
    }
    let lost = shown.iter().filter(|e| !e.lost.is_empty());
    blocks.extend(
        lost.map(|e| Block::Item(format!("without {} these do not complete: {}", e.switch, e.lost.join(", ")))),
    );
    let is = |e: &AblationEntry, verdict| e.total.is_some_and(|t| t.verdict == verdict);
    let rest = |verdict, words: &str| {
        let of = a.entries.iter().filter(|e| !e.is_shown() && is(e, verdict)).map(brief);
        let of: Vec<String> = of.collect();
        (!of.is_empty()).then(|| Block::Item(format!("{words}: {}", of.join(", "))))
    };
    blocks.extend(rest(Verdict::Indistinguishable, "indistinguishable with and without"));
    blocks.extend(rest(Verdict::Unresolved, "too few trials to say"));
    blocks.extend(rest(Verdict::Contaminated, "too few clean trials to say"));
    blocks.extend(rest(Verdict::NoFloor, "a difference, and no A/A arm to hold it against"));
    blocks.extend(rest(Verdict::FloorContaminated, "a difference, and an A/A arm that other work disturbed"));
    blocks.extend(rest(Verdict::NotInterleaved, "not measured in one run"));
    blocks
}

/// A switch with its ratio, for a line of many.
fn brief(e: &AblationEntry) -> String {
    let ratio = or_dash(e.total, |t| match t.interval {
        Some(i) => range(i, ratio),
        None => format!("{}x", ratio(t.value)),
    });
    format!("{} {ratio}", e.switch)
}

fn sheet(entries: &[&AblationEntry], workloads: usize) -> Sheet {
    // The farthest of many ratios is far by chance too: it is named where it was shown by itself.
    let one = |e: &WorkloadEffect| match e.ratio.verdict.is_shown() {
        true => format!("{} {}x", e.workload, ratio(e.ratio.value)),
        false => "none shown".to_owned(),
    };
    let rows = entries.iter().map(|e| Row {
        about: None,
        tone: Tone::Plain,
        cells: vec![
            e.switch.clone(),
            or_dash(e.total.as_ref(), ratio_text),
            format!("{} of {workloads}", e.common),
            or_dash(e.worst.as_ref(), one),
            or_dash(e.best.as_ref(), one),
        ],
    });
    Sheet {
        rows: rows.collect(),
        columns: vec![
            column("switched off", Kind::Name),
            column("total without / with", Kind::Words),
            column("over", Kind::Words),
            column("missed most on", Kind::Words),
            column("missed least on", Kind::Words),
        ],
    }
}
