//! A gate as a document: the verdict first, then what deserves a look, then how sure all that is.

use crate::gate::{Finding, Gate, Status, Verdict, title};
use crate::render::layout::{Block, Kind, Row, Sheet, Tone};
use crate::render::scale::{Scale, percent, ratio};
use crate::render::wording::{column, or_dash, range};
use bench_record::Outcome;

/// How many inconclusive cases that lean nowhere are listed.
const LISTED: usize = 20;

pub(super) fn document(gate: &Gate) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, format!("Verdict: {}", gate.verdict.words()))];
    blocks.extend(gate.reasons.iter().map(|reason| Block::Item(reason.clone())));
    blocks.push(Block::Text(sides(gate)));
    let parts: [(&str, &[Status]); 4] = [
        ("Regressions", &[Status::WrongAnswer, Status::NewlyFailing, Status::Slower]),
        ("Inconclusive", &[Status::Inconclusive]),
        ("Improvements", &[Status::Faster, Status::Fixed]),
        ("Slower within budget", &[Status::WithinBudget]),
    ];
    for (heading, of) in parts {
        part(&mut blocks, gate, heading, of);
    }
    still_failing(&mut blocks, gate);
    absent(&mut blocks, gate);
    blocks.push(Block::Heading(2, "How sure this is".to_owned()));
    blocks.push(Block::Sheet(noise(gate)));
    blocks.extend(footer(gate).into_iter().map(Block::Item));
    blocks
}

/// What neither side completed; what an engine says that it cannot is only counted.
fn still_failing(blocks: &mut Vec<Block>, gate: &Gate) {
    let is_unsupported = |f: &Finding| (f.base.outcome, f.new.outcome) == (Outcome::Unsupported, Outcome::Unsupported);
    let found: Vec<&Finding> = gate.with(|s| s == Status::StillFailing).collect();
    let (unsupported, failing): (Vec<&Finding>, Vec<&Finding>) = found.iter().partition(|f| is_unsupported(f));
    if !failing.is_empty() {
        blocks.push(Block::Heading(2, format!("Failing on both sides: {}", failing.len())));
        blocks.extend(failing.iter().map(|f| Block::Item(format!("{}: {}", f.label(), f.said))));
    }
    match unsupported.len() {
        0 => {}
        1 => blocks.push(Block::Text("1 case is unsupported on both sides.".to_owned())),
        n => blocks.push(Block::Text(format!("{n} cases are unsupported on both sides."))),
    }
}

fn sides(gate: &Gate) -> String {
    let side = |side: &crate::gate::Side| format!("{} [{}]", side.runs.join(", "), side.build);
    let fine = gate.with(|s| s == Status::Fine).count();
    let relative = gate.relative_to.as_ref().map_or_else(String::new, |e| format!(", relative to {e}"));
    format!(
        "NEW {} against BASE {}: {} cases of {}{relative}; {fine} of them fine.",
        side(&gate.new),
        side(&gate.base),
        gate.findings.len(),
        title(&gate.findings)
    )
}

fn part(blocks: &mut Vec<Block>, gate: &Gate, heading: &str, of: &[Status]) {
    let mut found: Vec<&Finding> = gate.with(|s| of.contains(&s)).collect();
    if found.is_empty() {
        return;
    }
    let slowness = |f: &Finding| f.ratio.unwrap_or(f64::INFINITY);
    found.sort_by(|a, b| {
        let rank = |f: &Finding| (f.status, !f.suspect);
        rank(a).cmp(&rank(b)).then(slowness(b).total_cmp(&slowness(a)))
    });
    let total = found.len();
    if of == [Status::Inconclusive] {
        let kept = found.iter().filter(|f| f.suspect).count().max(LISTED);
        found.truncate(kept);
    }
    blocks.push(Block::Heading(2, format!("{heading}: {total}")));
    let (broken, timed): (Vec<&Finding>, Vec<&Finding>) = found.iter().partition(|f| f.ratio.is_none());
    if !timed.is_empty() {
        blocks.push(Block::Sheet(sheet(&timed)));
    }
    for f in &broken {
        blocks.push(Block::Item(format!("{}: {}", f.label(), f.said)));
    }
    for f in timed.iter().filter(|f| f.status.is_regression()) {
        let allowed = f.allowed.as_ref().map_or_else(String::new, |why| format!(" (allowed for now: {why})"));
        blocks.push(Block::Item(format!("{}: {}{allowed}", f.label(), f.said)));
    }
    if found.len() < total {
        let more = total - found.len();
        blocks.push(Block::Text(format!("and {more} more that lean nowhere; --format json has all of them.")));
    }
    if of == [Status::Inconclusive] {
        blocks.extend(advice(gate).into_iter().map(Block::Item));
    }
}

fn sheet(found: &[&Finding]) -> Sheet {
    let times = || found.iter().flat_map(|f| [f.base.wall_ns_median, f.new.wall_ns_median]).flatten();
    let scale = Scale::time(times());
    let rows = found.iter().map(|f| {
        let engine = f.label().split_once(" on ").map_or_else(String::new, |(_, engine)| engine.to_owned());
        let mark = if f.suspect && f.status == Status::Inconclusive { "suspect" } else { f.status.words() };
        let tone = match f.status {
            s if s.is_regression() && f.allowed.is_none() => Tone::Bad,
            Status::Faster | Status::Fixed => Tone::Good,
            Status::Inconclusive if !f.suspect => Tone::Faint,
            _ => Tone::Plain,
        };
        let cells = vec![
            f.case.workload.clone(),
            engine,
            if f.allowed.is_some() { format!("{mark}, allowed") } else { mark.to_owned() },
            or_dash(f.base.wall_ns_median, |t| scale.show(t)),
            or_dash(f.new.wall_ns_median, |t| scale.show(t)),
            or_dash(f.ratio, |r| format!("{}x", precise(r))),
            or_dash(f.bounds, |b| range(b, precise)),
            format!("{}%", percent(f.budget)),
            or_dash(f.p_adjusted, probability),
            format!("{}+{}", f.base.trials, f.new.trials),
        ];
        Row { about: None, cells, tone }
    });
    Sheet {
        columns: vec![
            column("workload", Kind::Name),
            column("engine", Kind::Name),
            column("status", Kind::Words),
            column(format!("base {}", scale.unit), Kind::Number),
            column(format!("new {}", scale.unit), Kind::Number),
            column("ratio", Kind::Number),
            column("bounds", Kind::Number),
            column("budget", Kind::Number),
            column("p", Kind::Number),
            column("n", Kind::Number),
        ],
        rows: rows.collect(),
    }
}

/// A ratio near 1 needs a digit more than one of a comparison of engines.
fn precise(value: f64) -> String {
    if (0.1..10.0).contains(&value) { format!("{value:.3}") } else { ratio(value) }
}

fn probability(p: f64) -> String {
    match p {
        p if p >= 0.1 => format!("{p:.2}"),
        p if p >= 0.001 => format!("{p:.3}"),
        _ => "<.001".to_owned(),
    }
}

/// What to do about inconclusive cases, most frequent first.
fn advice(gate: &Gate) -> Vec<String> {
    use crate::gate::Uncertainty;
    let unsure: Vec<&Finding> = gate.with(|s| s == Status::Inconclusive).collect();
    let count = |is: &dyn Fn(Uncertainty) -> bool| unsure.iter().filter(|f| f.uncertainty.is_some_and(is)).count();
    let needed = unsure.iter().filter_map(|f| match f.uncertainty {
        Some(Uncertainty::Trials { needed }) => Some(needed),
        _ => None,
    });
    let most = needed.max().unwrap_or_default();
    let runs = unsure.iter().filter_map(|f| match f.uncertainty {
        Some(Uncertainty::Runs { needed }) => Some(needed),
        _ => None,
    });
    let turns = runs.max().unwrap_or_default();
    let told = [
        (
            count(&|u| matches!(u, Uncertainty::Trials { .. })),
            format!("too few trials; --trials {most} on both sides would do"),
        ),
        (
            count(&|u| matches!(u, Uncertainty::Runs { .. })),
            format!(
                "too few runs that take turns; {turns} a side would do (ci/gate.sh, or --more-base and --more-new)"
            ),
        ),
        (
            count(&|u| u == Uncertainty::Noise),
            "noise above the budget; a steadier machine or a wider --budget would do".to_owned(),
        ),
        (count(&|u| u == Uncertainty::Contaminated), "something else used the machine; run again".to_owned()),
        (count(&|u| u == Uncertainty::NoTwin), "no A/A arm in their family; measure without --faults".to_owned()),
    ];
    told.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n}: {what}")).collect()
}

fn absent(blocks: &mut Vec<Block>, gate: &Gate) {
    if gate.missing.is_empty() {
        return;
    }
    blocks.push(Block::Heading(2, format!("On one side only: {}", gate.missing.len())));
    for (from, what) in [("new", "not in NEW"), ("base", "not in BASE")] {
        let labels: Vec<&str> = gate.missing.iter().filter(|m| m.from == from).map(|m| m.label.as_str()).collect();
        let shown: Vec<&str> = labels.iter().take(LISTED).copied().collect();
        if !shown.is_empty() {
            let more = labels.len() - shown.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            blocks.push(Block::Item(format!("{what}, so not judged: {}{more}", shown.join("; "))));
        }
    }
}

fn noise(gate: &Gate) -> Sheet {
    let share = |s: Option<f64>| or_dash(s, |s| format!("{}%", percent(s)));
    let rows = gate.noise.iter().map(|n| {
        let seen = gate.findings.iter().filter(|f| f.case.family.name() == n.family).filter_map(|f| f.visible);
        let visible = crate::stats::median(&crate::stats::sorted(seen));
        let cells = vec![
            n.family.clone(),
            n.aa_cases.to_string(),
            share(n.floor),
            share(n.between_processes),
            share(n.between_runs),
            n.turns.to_string(),
            share(visible),
        ];
        Row { about: None, cells, tone: Tone::Plain }
    });
    Sheet {
        columns: vec![
            column("family", Kind::Name),
            column("A/A cases", Kind::Number),
            column("A/A floor", Kind::Number),
            column("between processes", Kind::Number),
            column("between runs", Kind::Number),
            column("turns", Kind::Number),
            column("visible slow-down", Kind::Number),
        ],
        rows: rows.collect(),
    }
}

fn footer(gate: &Gate) -> Vec<String> {
    let mut lines = vec![
        format!(
            "slower or faster: the bootstrap interval of the ratio lies apart from 1, the effect is above the A/A floor, and both \
             trials and turns say so with p of at most {} after Holm's correction in the family.",
            gate.alpha
        ),
        "fine: over three turns of BASE and NEW or more, the upper bound of the ratio is within the budget.".to_owned(),
        format!("machine {}: {}", gate.new.machine, gate.new.machine_summary),
    ];
    for change in &gate.engines {
        lines.push(format!("not the same in BASE and NEW: {}", change.words()));
    }
    if let Some(again) = &gate.confirmation {
        let folders = again.new.join(", ");
        lines.push(format!("{} suspects were measured again, both builds in turns [{folders}].", again.cases));
    }
    if gate.verdict == Verdict::HarnessSuspect {
        lines.push(
            "next: let both builds take turns (ci/gate.sh); what is slower in every turn is not the machine."
                .to_owned(),
        );
    }
    lines
}
