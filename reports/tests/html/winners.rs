//! Who wins a workload of many, and where the numbers of COST lead.

use crate::page::{links, summary, text};
use crate::samples::page_of;
use crate::{fixture, runs};
use bench_record::{Case, Family, Run};
use bench_reports::{Format, Ink, Options, WorkloadReport, compare, render};

/// Two engines on some workloads where all times of one are shorter than all of the other, and then on some where they are the same.
fn run_of(apart: usize, alike: usize, trials: u32) -> Run {
    let mut all = Vec::new();
    for workload in 1..=apart + alike {
        let other = if workload <= apart { 150.0 } else { 100.0 };
        for (engine, ms) in [("datafusion", 100.0), ("stagedag", other)] {
            all.extend(runs::trials(&fixture::case(Family::Sql, &format!("tpch-q{workload:02}"), engine), trials, ms));
        }
    }
    runs::run("apart", &[], all)
}

fn workloads(run: &Run) -> Vec<WorkloadReport> {
    let comparison = compare(std::slice::from_ref(run), &Options::default()).unwrap();
    comparison.tables[0].families[0].workloads.clone()
}

#[test]
fn a_workload_is_won_with_all_workloads_of_the_family_taken_together() {
    // Four trials that are all shorter than four others happen by chance in 2 of 70 cases: too often for one of two workloads, and not for
    // all of twenty-two.
    for (apart, alike, trials, is_won) in
        [(1, 0, 4, true), (1, 1, 4, false), (22, 0, 4, true), (1, 6, 5, false), (2, 4, 5, true), (1, 21, 6, true)]
    {
        let all = workloads(&run_of(apart, alike, trials));
        for (at, w) in all.iter().enumerate() {
            let name = format!("{} of {apart} and {alike}, {trials} trials", w.workload);
            assert_eq!(w.winner_alone.as_deref(), Some("datafusion").filter(|_| at < apart), "{name}");
            assert_eq!(w.winner.as_deref(), Some("datafusion").filter(|_| at < apart && is_won), "{name}");
        }
    }
}

#[test]
fn a_report_says_why_a_workload_of_many_has_no_winner() {
    let run = run_of(1, 6, 5);
    let page = page_of(std::slice::from_ref(&run));
    assert!(text(&page, "t0-verdicts").contains("None of 7 workloads has a winner."));
    assert_eq!(text(&page, "t0-sql").matches("| shortest, no winner of so many workloads |").count(), 1);
    let comparison = compare(&[run], &Options::default()).unwrap();
    let table = render(&comparison, Format::Table, Ink::Plain);
    assert_eq!(table.matches(" no winner of so many workloads ").count(), 1, "{table}");
    let folded = table.replace("\n  ", " ");
    assert!(folded.contains("of all winners of a family, at most 5 % are expected to be chance's"), "{table}");
}

#[test]
fn numbers_of_cost_lead_to_the_trials_with_so_many_cores() {
    let mut all = Vec::new();
    for (engine, slots, ms) in [("datafusion-1t", 1, 100.0), ("stagedag", 2, 150.0), ("stagedag", 4, 60.0)] {
        let case = Case { slots, ..fixture::case(Family::Sql, "tpch-q01", engine) };
        all.extend(runs::trials(&case, 6, ms));
    }
    let mut run = runs::run("cores", &[], all);
    run.context.machine.cores = 4;
    let page = page_of(&[run]);
    let links = links(&page, "t0-sql");
    let led = |shown: &str| {
        let own = links.iter().filter(|(text, _)| *text == shown);
        own.map(|(_, id)| summary(&page, id).split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (two, four) = ("sql · stagedag 2 slots", "sql · stagedag 4 slots");
    assert_eq!(led("more than 2, at most 4 cores"), [four]);
    assert_eq!(led("0.60 ×").last().map(String::as_str), Some(four), "{links:?}");
    assert_eq!(led("1 of 1"), [four]);
    assert_eq!((led("2"), led("4")), (vec![two.to_owned()], vec![four.to_owned()]));
}
