//! COST: how many cores an engine needs to outperform the best single-threaded run. Cores are those that are there: slots
//! beyond them are more ways to use the same ones.

use super::field::Field;
use super::floors::{Floors, Ground};
use super::measured::{Measured, Timed};
use super::totals::total_ratio;
use super::workloads::{ByWorkload, ratio};
use crate::comparison::{CostAnswer, CostEntry, CostReport, Ratio, Verdict};
use bench_record::Family;
use std::collections::BTreeMap;

/// One configuration against the single thread.
struct Attempt<'m, 'a> {
    /// The contestant.
    who: usize,
    cores: u32,
    /// Its times, of those workloads that the single thread completed.
    samples: BTreeMap<&'a str, Timed<'m, 'a>>,
    wins: usize,
    /// Whether it completed all that the single thread did. What it did not complete it did not win.
    complete: bool,
    /// Over the single thread, on what both completed.
    total: Option<Ratio>,
    /// Over the attempt with the next fewer cores, if both completed the same.
    over_fewer: Option<Ratio>,
}

pub(super) fn report(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> Option<CostReport> {
    let single: Vec<usize> = with_slots(field, |slots| slots == 1).collect();
    let marks = marks(cases, &single);
    if marks.is_empty() {
        return None;
    }
    let several = field.kinds(with_slots(field, |slots| slots > 1));
    let entries = several.into_iter().filter_map(|kind| {
        let cores = |who: &usize| field.contestants.get(*who).map(|c| (*who, c.cores_begun()));
        let sizes = kind.members.iter().filter_map(cores);
        let attempts = sizes.map(|(who, cores)| attempt(who, cores, cases, &marks, floors, family)).collect();
        entry(kind.name, attempts, marks.len(), floors.whole(), |who| field.label(who).to_owned())
    });
    let entries = entries.collect();
    let single_thread = single.iter().map(|i| field.label(*i).to_owned()).collect();
    Some(CostReport { single_thread, entries })
}

fn with_slots(field: &Field<'_>, wanted: fn(u32) -> bool) -> impl Iterator<Item = usize> {
    field.compared().filter(move |(_, c)| wanted(c.slots_in_all())).map(|(i, _)| i)
}

/// Per workload the fastest single-threaded times.
fn marks<'m, 'a>(cases: &ByWorkload<'m, 'a>, single: &[usize]) -> BTreeMap<&'a str, Timed<'m, 'a>> {
    let best = |cases: &[(usize, &'m Measured<'a>)]| {
        let timed = cases.iter().filter(|(c, _)| single.contains(c)).filter_map(|(_, m)| m.timed());
        timed.min_by(|a, b| a.sample.median.total_cmp(&b.sample.median))
    };
    cases.iter().filter_map(|(workload, cases)| best(cases).map(|s| (*workload, s))).collect()
}

fn attempt<'m, 'a>(
    who: usize,
    cores: u32,
    cases: &ByWorkload<'m, 'a>,
    marks: &BTreeMap<&'a str, Timed<'m, 'a>>,
    floors: &Floors<'_>,
    family: Family,
) -> Attempt<'m, 'a> {
    let mut samples = BTreeMap::new();
    let mut pairs = Vec::new();
    let mut wins = 0;
    for (workload, mark) in marks {
        let of_case = cases.get(workload).into_iter().flatten().find(|(c, _)| *c == who);
        let Some(timed) = of_case.and_then(|(_, m)| m.timed()) else { continue };
        let verdict = ratio(timed, *mark, floors.of(family, workload)).verdict;
        wins += usize::from(verdict == Verdict::Faster);
        pairs.push((timed, *mark));
        samples.insert(*workload, timed);
    }
    let total = total_ratio(&pairs, floors.whole()).map(|t| t.total);
    Attempt { who, cores, wins, complete: samples.len() == marks.len(), samples, total, over_fewer: None }
}

fn entry(
    engine: String,
    mut attempts: Vec<Attempt<'_, '_>>,
    marks: usize,
    ground: Ground,
    label: impl Fn(usize) -> String,
) -> Option<CostEntry> {
    // Nodes and slots can make use of the same cores in several ways; the fastest is the one to judge by.
    let time = |a: &Attempt<'_, '_>| a.total.map_or(f64::INFINITY, |t| t.value);
    attempts.sort_by(|a, b| (a.cores, !a.complete).cmp(&(b.cores, !b.complete)).then(time(a).total_cmp(&time(b))));
    attempts.dedup_by_key(|a| a.cores);
    for i in 1..attempts.len() {
        let grown = attempts.get(i - 1).zip(attempts.get(i)).and_then(|(fewer, more)| growth(fewer, more, ground));
        attempts.get_mut(i).into_iter().for_each(|a| a.over_fewer = grown);
    }
    let last = attempts.last()?;
    Some(CostEntry {
        engine,
        contestant: label(last.who),
        tried: attempts.iter().map(|a| a.cores).collect(),
        tried_by: attempts.iter().map(|a| label(a.who)).collect(),
        wins: last.wins,
        of: marks,
        covered: last.samples.len(),
        total: last.total,
        answer: answer(&attempts),
    })
}

/// The time with more cores over that with fewer, on the same workloads.
fn growth(fewer: &Attempt<'_, '_>, more: &Attempt<'_, '_>, ground: Ground) -> Option<Ratio> {
    if fewer.cores == more.cores || !fewer.samples.keys().eq(more.samples.keys()) {
        return None;
    }
    let pairs: Vec<_> = more.samples.values().copied().zip(fewer.samples.values().copied()).collect();
    total_ratio(&pairs, ground).map(|t| t.total)
}

/// Attempts in ascending order of cores. Only one that completed all that the single thread did can show anything: an
/// engine that fails the long cases would be compared on the short ones.
fn answer(attempts: &[Attempt<'_, '_>]) -> CostAnswer {
    let is = |a: &Attempt<'_, '_>, verdict| a.complete && a.total.is_some_and(|t| t.verdict == verdict);
    let up_to = attempts.last().map_or(0, |a| a.cores);
    match attempts.iter().position(|a| is(a, Verdict::Faster)) {
        Some(first) => {
            let at_most = attempts.get(first).map_or(up_to, |a| a.cores);
            let above = first.checked_sub(1).and_then(|i| attempts.get(i)).filter(|a| is(a, Verdict::Slower));
            above.map_or(CostAnswer::AtMost { cores: at_most }, |a| CostAnswer::Between { above: a.cores, at_most })
        }
        None => match attempts {
            [.., a, b] if is(a, Verdict::Slower) && is(b, Verdict::Slower) && no_faster(b.over_fewer) => {
                CostAnswer::Never { up_to }
            }
            _ => CostAnswer::NotShown { up_to },
        },
    }
}

/// Whether more cores were shown to be no help: all of the ratio's interval is at 1 or above. A ratio without an
/// interval shows nothing.
fn no_faster(over_fewer: Option<Ratio>) -> bool {
    over_fewer.and_then(|r| r.interval).is_some_and(|i| i.low >= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    fn ratio_of(value: f64) -> Ratio {
        let verdict = if value < 1.0 { Verdict::Faster } else { Verdict::Slower };
        let interval = Some(Interval { low: value * 0.99, high: value * 1.01 });
        Ratio { value, interval, verdict, mann_whitney: None, stratified_p: None }
    }

    fn tried(cores: u32, value: f64) -> Attempt<'static, 'static> {
        let total = Some(ratio_of(value));
        Attempt { who: 0, cores, samples: BTreeMap::new(), wins: 0, complete: true, total, over_fewer: None }
    }

    /// The same, with its time over that of the attempt before.
    fn after(more: Attempt<'static, 'static>, growth: Option<f64>) -> Attempt<'static, 'static> {
        Attempt { over_fewer: growth.map(ratio_of), ..more }
    }

    #[test]
    fn cost_says_no_more_than_was_measured() {
        assert_eq!(answer(&[tried(2, 0.6)]), CostAnswer::AtMost { cores: 2 });
        assert_eq!(answer(&[tried(2, 1.4), tried(4, 0.8)]), CostAnswer::Between { above: 2, at_most: 4 });
        assert_eq!(answer(&[tried(2, 1.4)]), CostAnswer::NotShown { up_to: 2 });
        assert_eq!(answer(&[tried(2, 1.4), after(tried(4, 1.2), Some(0.86))]), CostAnswer::NotShown { up_to: 4 });
    }

    #[test]
    fn never_takes_cores_that_were_shown_to_be_no_help() {
        let of = |growth| answer(&[tried(2, 1.4), after(tried(4, 1.5), growth)]);
        assert_eq!(of(Some(1.07)), CostAnswer::Never { up_to: 4 });
        // Within its interval the last cores may have helped, or nobody knows.
        assert_eq!(of(Some(1.0)), CostAnswer::NotShown { up_to: 4 });
        assert_eq!(of(None), CostAnswer::NotShown { up_to: 4 });
        let without_interval = Ratio { interval: None, ..ratio_of(1.07) };
        let more = Attempt { over_fewer: Some(without_interval), ..tried(4, 1.5) };
        assert_eq!(answer(&[tried(2, 1.4), more]), CostAnswer::NotShown { up_to: 4 });
    }

    #[test]
    fn an_attempt_that_did_not_complete_everything_shows_nothing() {
        let partly = |cores, value| Attempt { complete: false, ..tried(cores, value) };
        assert_eq!(answer(&[partly(2, 0.6)]), CostAnswer::NotShown { up_to: 2 });
        assert_eq!(answer(&[partly(2, 0.6), tried(4, 0.5)]), CostAnswer::AtMost { cores: 4 });
        assert_eq!(answer(&[partly(2, 1.4), tried(4, 0.5)]), CostAnswer::AtMost { cores: 4 });
        let slower = after(partly(4, 1.5), Some(1.07));
        assert_eq!(answer(&[tried(2, 1.4), slower]), CostAnswer::NotShown { up_to: 4 });
    }
}
