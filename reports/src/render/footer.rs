//! The foot of a table: what it was measured on, how, and what its words mean.

use super::layout::Block;
use super::scale::percent;
use crate::comparison::{Cell, Contestant, FamilyReport, Table, Verdict};
use crate::stats::INTERVAL_TRIALS;
use bench_record::{Case, Protocol};

/// From so many tests on it is said what chance alone would do to them.
const TESTS_OF_MANY: usize = 20;

pub(super) fn blocks(table: &Table) -> Vec<Block> {
    let mut items = vec![noise(table)];
    items.extend(contamination(table));
    items.push(answers(table));
    items.extend(table.warnings.iter().map(|w| format!("warning: {w}")));
    items.push(format!("machine {}: {}", table.machine, table.machine_summary));
    let trials: Vec<String> = table.trials_requested.iter().map(u32::to_string).collect();
    items.push(format!(
        "suite {}, protocol {} ({}), {} trials asked for, from {}",
        table.suite_text(),
        table.protocol,
        meaning(table.protocol),
        trials.join(" or "),
        table.started_at
    ));
    items.push(format!("runs: {}; bench {}", table.runs.join(", "), table.builds.join(", ")));
    let (studied, named): (Vec<&Contestant>, Vec<&Contestant>) =
        table.contestants.iter().partition(|c| c.ablates.is_some());
    items.extend(named.into_iter().map(|c| {
        let version = c.version.as_deref().unwrap_or("of unknown version");
        let variant = if c.variant == Case::DEFAULT_VARIANT { "default settings" } else { &c.variant };
        let faults = c.faults.as_ref().map_or_else(String::new, |plan| format!(", faults {plan}"));
        format!(
            "{}: {} {version}, {variant}, {}, {} x {} slots{faults}",
            c.label, c.engine, c.cluster, c.nodes, c.slots
        )
    }));
    if !studied.is_empty() {
        items.push(format!(
            "{} more contestants differ from one of these by one mechanism that is off; the JSON report lists them",
            studied.len()
        ));
    }
    items.extend(table.datasets.iter().map(|d| format!("data {d}")));
    items.extend(meanings(table));
    items.into_iter().map(Block::Item).collect()
}

/// What the words and numbers of a table mean.
pub(super) fn meanings(table: &Table) -> Vec<String> {
    let mut items = Vec::new();
    items.extend(few_trials(table));
    items.push(format!(
        "times are medians of n trials; 95 % intervals of times are pairs of them (order statistics, at least 95 %), \
         those of ratios and totals percentile bootstrap intervals \
         ({} resamples, fixed seed)",
        table.resamples
    ));
    items.push(
        "\"indistinguishable\": the interval of the ratio holds 1, or the difference is below the A/A floor (the larger of \
         the workload's own and what 95 % of all stay within; for totals the latter) or the variation of either sample, or \
         chance alone gives one as large in more than 5 % of cases (rank test; for totals a permutation test)"
            .to_owned(),
    );
    items.extend(unclaimed(table));
    items.extend(winners(table));
    items.extend(chance(table));
    items.extend(memory(table));
    items.push(
        "totals are sums of medians; a case that did not complete adds a penalty (pen.) of 2 x max(300 s, time limit, \
         slowest median of that workload); ratios are over the cases that both completed"
            .to_owned(),
    );
    if table.derived_from_tpch {
        items.push("derived from TPC-H, not comparable with published TPC results".to_owned());
    }
    items
}

/// Every contestant on every workload.
fn cells(table: &Table) -> impl Iterator<Item = &Cell> {
    table.families.iter().flat_map(|f| &f.workloads).flat_map(|w| &w.cells)
}

/// Who held the answers to account, outside the timer.
pub(super) fn answers(table: &Table) -> String {
    let checks = &table.answers;
    let took = format!("outside the timer, in {:.1} s altogether", checks.check_ns as f64 / 1e9);
    let by = || checks.oracles.join(", ");
    match (checks.checked, checks.trials.saturating_sub(checks.checked)) {
        (0, 0) => "no trial gave an answer".to_owned(),
        (checked, 0) => format!("the answers of all {checked} trials were checked {took}: {}", by()),
        (0, unknown) => format!(
            "the answers of {unknown} trials were compared {took}, and not checked: nobody else knew them, and they were held to the \
             first one given, or to an earlier one of the same engine"
        ),
        (checked, unknown) => format!(
            "the answers of {checked} of {} trials were checked {took}: {}; nobody else knew those of the other {unknown}, which were held to \
             the first one given, or to an earlier one of the same engine",
            checks.trials,
            by()
        ),
    }
}

/// How many of the differences that are shown workload by workload may be none.
fn chance(table: &Table) -> Option<String> {
    let tested = cells(table).filter_map(|c| c.against_best).filter(|r| r.mann_whitney.is_some()).count();
    (tested >= TESTS_OF_MANY).then(|| {
        format!(
            "each of the {tested} comparisons with the fastest of a workload is tested by itself at 5 %: if no two engines differed, up to \
             {:.0} of them would be shown all the same. What is said of a family rests on its totals",
            tested as f64 * 0.05
        )
    })
}

/// What it takes to win a workload where a family has several.
fn winners(table: &Table) -> Option<String> {
    let contested =
        |f: &FamilyReport| f.workloads.iter().filter(|w| w.cells.iter().any(|c| c.against_best.is_some())).count();
    table.families.iter().map(contested).any(|count| count > 1).then(|| {
        "a workload has a winner only where that one was shown to be faster than every other contestant with all workloads of the family \
         taken together: of all winners of a family, at most 5 % are expected to be chance's (Benjamini and Hochberg's correction of \
         the rank tests)"
            .to_owned()
    })
}

/// How far memory may have been above what was seen of engines of several processes.
fn memory(table: &Table) -> Option<String> {
    let mut most: Vec<(&str, f64)> = Vec::new();
    for cell in cells(table) {
        let Some((bound, peak)) = cell.rss_bytes_bound.zip(cell.rss_bytes_peak).filter(|(_, peak)| *peak > 0) else {
            continue;
        };
        let excess = (bound as f64 / peak as f64 - 1.0).max(0.0);
        match most.iter_mut().find(|(who, _)| *who == cell.contestant) {
            Some((_, known)) => *known = known.max(excess),
            None => most.push((&cell.contestant, excess)),
        }
    }
    (!most.is_empty()).then(|| {
        let each: Vec<String> = most.iter().map(|(who, excess)| format!("{who} {} %", percent(*excess))).collect();
        format!(
            "memory of one process is the peak that the kernel kept; of several it is the most that was seen at once, and short peaks \
             may be missed. By no more than this, where it is known: {}",
            each.join(", ")
        )
    })
}

/// Why nothing is claimed of some ratios here, for each reason that one has.
fn unclaimed(table: &Table) -> Vec<String> {
    let of_cells = cells(table).flat_map(|c| [c.against_best, c.against_baseline]).flatten();
    let totals = || table.families.iter().flat_map(|f| &f.totals);
    let of_totals = totals().flat_map(|t| [&t.against_best, &t.against_baseline]).flatten();
    let hurt = table.families.iter().flat_map(|f| &f.faults).filter_map(|f| f.against_whole.as_ref());
    let of_totals = of_totals.chain(hurt).flat_map(|t| [t.total, t.geometric_mean]);
    let verdicts: Vec<Verdict> = of_cells.chain(of_totals).map(|r| r.verdict).collect();
    let meaning = |(verdict, text): (Verdict, &str)| verdicts.contains(&verdict).then(|| text.to_owned());
    let all = [
        (
            Verdict::NotInterleaved,
            "\"not interleaved\": no run has both, so they did not take turns, and what lies between the runs may be all of the \
             difference; nothing is claimed: measure them in one run",
        ),
        (
            Verdict::NoFloor,
            "\"no A/A arm\": there is a difference, and no engine was measured twice that would say what equal things differ by; \
             nothing is claimed",
        ),
        (
            Verdict::FloorContaminated,
            "\"A/A arm contaminated\": there is a difference, and other work disturbed the arm that would say what equal things \
             differ by; nothing is claimed",
        ),
    ];
    all.into_iter().filter_map(meaning).collect()
}

/// What the reader of few trials has to know.
fn few_trials(table: &Table) -> Option<String> {
    let few = cells(table).filter(|c| c.wall_ns_median.is_some() && c.trials < INTERVAL_TRIALS).count();
    let plural = if few == 1 { "case has" } else { "cases have" };
    (few > 0).then(|| {
        format!(
            "{few} {plural} n < {INTERVAL_TRIALS}: ranges of the times are shown, not 95 % intervals, and none for n < 2; \
             use --trials 10"
        )
    })
}

pub(super) fn noise(table: &Table) -> String {
    match (table.noise.median, table.noise.p95) {
        (Some(median), Some(p95)) => format!(
            "A/A noise floor: the same engine measured twice differs by {} % in the middle, 95 % of {} cases by no \
             more than {} %",
            percent(median),
            table.noise.cases,
            percent(p95)
        ),
        _ if table.noise.contaminated > 0 => {
            let cases = match table.noise.contaminated {
                1 => "the A/A arm of the only case that has one".to_owned(),
                n => format!("the A/A arms of all {n} cases that have one"),
            };
            format!(
                "A/A noise floor unknown: something else disturbed {cases}; no difference is claimed: measure again on a quiet \
                 machine"
            )
        }
        _ => "A/A noise floor unknown: no case has an A/A arm; no difference is claimed: measure again with `bench run`, whose \
              first engine of each family is measured twice"
            .to_owned(),
    }
}

/// How many trials were disturbed, which of them are in no number, and which had to be counted.
pub(super) fn contamination(table: &Table) -> Vec<String> {
    let c = table.contamination;
    let unknown = (c.not_judged > 0).then(|| {
        format!(
            "not judged: {} of {} trials, whose clusters ran already: what this machine did may be theirs",
            c.not_judged, c.trials
        )
    });
    if c.contaminated == 0 {
        let seen = format!("no contamination seen in {} trials", c.trials - c.not_judged);
        return std::iter::once(seen).filter(|_| c.trials > c.not_judged || c.trials == 0).chain(unknown).collect();
    }
    let kept = c.contaminated.saturating_sub(c.excluded);
    let kept = if kept > 0 { format!("; {kept} in use") } else { String::new() };
    let mut items = vec![format!(
        "contaminated: {} of {} trials; {} left out, for they were repeated or 2 clean ones of the same case and arm \
         remain{kept}",
        c.contaminated, c.trials, c.excluded
    )];
    items.extend(unknown);
    items.extend(named(table, |cell| cell.excluded).map(|cases| format!("contaminated and left out: {cases}")));
    items.extend(named(table, |cell| cell.contaminated).map(|cases| {
        format!(
            "contaminated and in use (*), for want of 2 clean ones: {cases}; nothing is claimed of these cases and of totals \
             with them"
        )
    }));
    items
}

/// So many cases are named; the JSON report has them all.
const NAMED_MAX: usize = 12;

/// The cases with such trials, and how many.
fn named(table: &Table, of: impl Fn(&Cell) -> usize) -> Option<String> {
    let cells = table.families.iter().flat_map(|f| &f.workloads).flat_map(|w| w.cells.iter().map(move |c| (w, c)));
    let some = cells.filter(|(_, cell)| of(cell) > 0);
    let mut cases: Vec<String> =
        some.map(|(w, cell)| format!("{} on {} ({})", w.workload, cell.contestant, of(cell))).collect();
    let more = cases.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        cases.truncate(NAMED_MAX);
        cases.push(format!("and {more} more cases"));
    }
    (!cases.is_empty()).then(|| cases.join(", "))
}

pub(super) fn meaning(protocol: Protocol) -> String {
    match protocol {
        Protocol::ColdProcess => "a new engine process per trial".to_owned(),
        Protocol::ColdCache => "a new engine process per trial, operating system cache dropped".to_owned(),
        Protocol::Warm(1) => "one engine process, 1 untimed run of the case before".to_owned(),
        Protocol::Warm(k) => format!("one engine process, {k} untimed runs of the case before"),
    }
}
