//! COST: how many cores an engine needs to outperform the best single-threaded run.

use super::field::Field;
use super::totals::total_ratio;
use super::workloads::{ByWorkload, Floors, ratio};
use crate::comparison::{Contestant, CostAnswer, CostEntry, CostReport, Ratio, Verdict};
use crate::stats::Sample;
use bench_record::Family;
use std::collections::BTreeMap;

/// One configuration against the single thread.
struct Attempt {
    who: usize,
    cores: u32,
    wins: usize,
    of: usize,
    total: Option<Ratio>,
}

pub(super) fn report(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> Option<CostReport> {
    let single: Vec<usize> = with_cores(field, |cores| cores == 1).collect();
    let marks = marks(cases, &single);
    if marks.is_empty() {
        return None;
    }
    let mut engines: BTreeMap<usize, Vec<Attempt>> = BTreeMap::new();
    for who in with_cores(field, |cores| cores > 1) {
        let Some(contestant) = field.contestants.get(who) else { continue };
        let attempt = attempt(who, contestant.cores(), cases, &marks, floors, family);
        engines.entry(first_of_kind(field, contestant)).or_default().push(attempt);
    }
    let entries = engines.into_values().filter_map(|attempts| entry(field, attempts)).collect();
    let single_thread = single.iter().map(|i| field.label(*i).to_owned()).collect();
    Some(CostReport { single_thread, entries })
}

fn with_cores(field: &Field<'_>, wanted: fn(u32) -> bool) -> impl Iterator<Item = usize> {
    field.contestants.iter().enumerate().filter(move |(_, c)| wanted(c.cores())).map(|(i, _)| i)
}

/// Configurations that differ only in their size are one engine: it is known by the first of them.
fn first_of_kind(field: &Field<'_>, of: &Contestant) -> usize {
    let same = |c: &Contestant| {
        (&c.engine, &c.variant, &c.cluster, &c.version, &c.build_id)
            == (&of.engine, &of.variant, &of.cluster, &of.version, &of.build_id)
    };
    field.contestants.iter().position(same).unwrap_or_default()
}

/// Per workload the fastest single-threaded sample.
fn marks<'m, 'a>(cases: &ByWorkload<'m, 'a>, single: &[usize]) -> BTreeMap<&'a str, &'m Sample> {
    let best = |cases: &[(usize, &'m super::measured::Measured<'a>)]| {
        let samples = cases.iter().filter(|(c, _)| single.contains(c)).filter_map(|(_, m)| m.sample.as_ref());
        samples.min_by(|a, b| a.median.total_cmp(&b.median))
    };
    cases.iter().filter_map(|(workload, cases)| best(cases).map(|s| (*workload, s))).collect()
}

fn attempt(
    who: usize,
    cores: u32,
    cases: &ByWorkload<'_, '_>,
    marks: &BTreeMap<&str, &Sample>,
    floors: &Floors<'_>,
    family: Family,
) -> Attempt {
    let mut pairs = Vec::new();
    let mut wins = 0;
    for (workload, cases) in cases {
        let sample = cases.iter().find(|(c, _)| *c == who).and_then(|(_, m)| m.sample.as_ref());
        let Some((sample, mark)) = sample.zip(marks.get(workload).copied()) else { continue };
        let verdict = ratio(sample, mark, floors.of(family, workload)).verdict;
        wins += usize::from(verdict == Verdict::Faster);
        pairs.push((sample, mark));
    }
    let total = total_ratio(&pairs, floors.table.p95).map(|t| t.total);
    Attempt { who, cores, wins, of: pairs.len(), total }
}

fn entry(field: &Field<'_>, mut attempts: Vec<Attempt>) -> Option<CostEntry> {
    attempts.sort_by_key(|a| a.cores);
    let last = attempts.last()?;
    let contestant = field.contestants.get(last.who)?;
    let engine = match contestant.variant.as_str() {
        bench_record::Case::DEFAULT_VARIANT => contestant.engine.clone(),
        variant => format!("{}+{variant}", contestant.engine),
    };
    Some(CostEntry {
        engine,
        tried: attempts.iter().map(|a| a.cores).collect(),
        wins: last.wins,
        of: last.of,
        total: last.total,
        answer: answer(&attempts),
    })
}

/// Attempts in ascending order of cores.
fn answer(attempts: &[Attempt]) -> CostAnswer {
    let beats = |a: &Attempt| a.total.is_some_and(|t| t.verdict == Verdict::Faster);
    let up_to = attempts.last().map_or(0, |a| a.cores);
    match attempts.iter().position(beats) {
        Some(first) => {
            let at_most = attempts.get(first).map_or(up_to, |a| a.cores);
            let above = first.checked_sub(1).and_then(|i| attempts.get(i));
            above.map_or(CostAnswer::AtMost { cores: at_most }, |a| CostAnswer::Between { above: a.cores, at_most })
        }
        None => match attempts {
            // More cores on the same cases, and no faster: adding further ones is not going to help.
            [.., a, b] if a.of == b.of && at_least(b.total, a.total) => CostAnswer::Never { up_to },
            _ => CostAnswer::NotShown { up_to },
        },
    }
}

fn at_least(a: Option<Ratio>, b: Option<Ratio>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.value >= b.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(cores: u32, value: f64) -> Attempt {
        let verdict = if value < 1.0 { Verdict::Faster } else { Verdict::Slower };
        let total = Some(Ratio { value, interval: None, verdict, mann_whitney: None });
        Attempt { who: 0, cores, wins: 0, of: 22, total }
    }

    #[test]
    fn cost_says_no_more_than_was_measured() {
        assert_eq!(answer(&[tried(2, 0.6)]), CostAnswer::AtMost { cores: 2 });
        assert_eq!(answer(&[tried(2, 1.4), tried(4, 0.8)]), CostAnswer::Between { above: 2, at_most: 4 });
        assert_eq!(answer(&[tried(2, 1.4)]), CostAnswer::NotShown { up_to: 2 });
        assert_eq!(answer(&[tried(2, 1.4), tried(4, 1.2)]), CostAnswer::NotShown { up_to: 4 });
        assert_eq!(answer(&[tried(2, 1.4), tried(4, 1.5)]), CostAnswer::Never { up_to: 4 });
    }
}
