//! An engine that does no work of a family is not applicable to it, and neither slow nor broken.

use crate::fixture;
use crate::samples::page_of;
use bench_record::{Family, Outcome, Run};
use bench_reports::{Format, Ink, Options, compare, render};

const WORKLOADS: [&str; 8] =
    ["tpch-q01", "tpch-q02", "tpch-q18", "tpch-q21", "tpch-q03", "tpch-q04", "tpch-q05", "tpch-q06"];

/// The usual run beside an engine that has no SQL, and one that lacks a single query of eight.
fn with_refusals() -> Run {
    let mut run = fixture::run();
    for (i, workload) in WORKLOADS.into_iter().enumerate() {
        let of = |engine| fixture::case(Family::Sql, workload, engine);
        run.observations.push(fixture::ended(&of("ray"), 0, Outcome::Unsupported, "it has no SQL"));
        run.observations.push(match i {
            0 => fixture::ended(&of("sail"), 0, Outcome::Unsupported, "no such function"),
            _ => fixture::completed(&of("sail"), bench_record::Arm::Main, 0, 100.0),
        });
    }
    run
}

#[test]
fn who_supports_no_work_of_a_family_has_neither_a_total_nor_a_penalty() {
    let comparison = compare(&[with_refusals()], &Options::default()).unwrap();
    let totals = &comparison.tables[0].families[0].totals;
    let of = |who: &str| totals.iter().find(|t| t.contestant == who).unwrap();
    let ray = of("ray");
    assert_eq!((ray.unsupported, ray.cases, ray.wall_ns_penalized, ray.penalties), (8, 8, None, 0));
    assert!(ray.is_not_applicable() && ray.went_wrong() == 0);
    // Who lacks a part is penalized for it: it would be faster than those who did the work.
    let sail = of("sail");
    assert_eq!((sail.unsupported, sail.completed, sail.penalties, sail.is_not_applicable()), (1, 7, 1, false));
    assert!(sail.wall_ns_penalized.is_some_and(|total| total > 600e9));
    assert_eq!(of("stagedag").went_wrong(), 2);
}

#[test]
fn its_reason_is_said_once_and_its_rows_are_left_out() {
    let comparison = compare(&[with_refusals()], &Options::default()).unwrap();
    let text = render(&comparison, Format::Table, Ink::Plain);
    let said: Vec<&str> = text.lines().filter(|line| line.contains("ray")).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    Left out here, for they support none of it: ray; reasons in "Did not complete".
    ray            n/a                                 -     -  -                -                   -
    ray            0 of 1, 1 not run     -     0  -                -                   -
    - sql tpch-q01, tpch-q02, tpch-q03, tpch-q04, tpch-q05, tpch-q06 and 2 more on ray: unsupported (8
    - ray: ray of unknown version, default settings, local, 1 x 2 slots
    "#);
    assert!(text.contains("n/a ") && text.contains("7 of 8, 1 unsupported"), "{text}");
}

#[test]
fn the_page_says_that_it_is_not_applicable_and_draws_no_figure_of_nothing() {
    let page = page_of(&[with_refusals()]);
    assert!(page.contains("<span class=\"faint\">n/a</span>") && !page.contains("completed nothing"), "{page}");
    assert!(page.contains("Not applicable to: ray."), "{page}");
    assert!(!page.contains("Time of ray relative to"), "{page}");
}
