//! Who wins a workload of many, and where the numbers of COST lead.

use crate::page::{links, summary, text};
use crate::samples::page_of;
use crate::{fixture, runs};
use bench_record::{Case, Family, Run};
use bench_reports::{Format, Ink, Options, WorkloadReport, compare, render};

/// Two engines on so many workloads; all times of one are shorter than all of the other.
fn apart(workloads: usize, trials: u32) -> Run {
    let mut all = Vec::new();
    for workload in 1..=workloads {
        for (engine, ms) in [("datafusion", 100.0), ("stagedag", 150.0)] {
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
    // Five trials that are all shorter than five others happen by chance in 2 of 252 cases: too often for one of seven workloads.
    for (count, trials, is_won) in [(1, 4, true), (6, 5, true), (7, 5, false), (7, 6, true), (22, 6, true)] {
        for w in workloads(&apart(count, trials)) {
            let name = &w.workload;
            assert_eq!(w.winner_alone.as_deref(), Some("datafusion"), "{name} of {count}, {trials} trials");
            assert_eq!(
                w.winner.as_deref(),
                Some("datafusion").filter(|_| is_won),
                "{name} of {count}, {trials} trials"
            );
        }
    }
}

#[test]
fn a_report_says_why_none_of_many_workloads_has_a_winner() {
    let run = apart(7, 5);
    let page = page_of(std::slice::from_ref(&run));
    assert!(text(&page, "t0-verdicts").contains("None of 7 workloads has a winner."));
    assert_eq!(text(&page, "t0-sql").matches("| shortest, no winner of so many workloads |").count(), 7);
    let comparison = compare(&[run], &Options::default()).unwrap();
    let table = render(&comparison, Format::Table, Ink::Plain);
    assert_eq!(table.matches(" no winner of so many workloads ").count(), 7, "{table}");
    let folded = table.replace("\n  ", " ");
    assert!(folded.contains("of 7 workloads, one can have it from 6 trials each on"), "{table}");
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
