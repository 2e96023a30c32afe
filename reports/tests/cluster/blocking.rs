//! What would have been without one kind of blocking.

use crate::runs::{case, run, trials};
use crate::{family, part, text};
use bench_record::{Blocking, CaseBlocking, Nanos, Run};
use bench_reports::Format;

/// Three styles on two workloads; one replay is far off, one fails.
pub(crate) fn blocked() -> Run {
    let mut all = Vec::new();
    let mut blocking = Vec::new();
    for (engine, writes, error) in [("actor", 5, 1.02), ("taskgraph", 0, 0.97), ("stagedag", 30, 1.0)] {
        for (workload, ms) in [("tpch-q01", 400u64), ("tpch-q02", 100)] {
            let case = case(workload, engine, 1, 2);
            all.extend(trials(&case, 6, ms as f64));
            let (replayed, reason) = match (engine, workload) {
                ("taskgraph", "tpch-q02") => (Some(ms * 13 / 10), None),
                ("actor", "tpch-q02") => (None, Some("stuck: 1 jobs never end".to_owned())),
                _ => (Some((ms as f64 * error) as u64), None),
            };
            let at = |ms: u64| Nanos::from_millis(ms);
            let without = |kind, percent: u64| replayed.map(|ms| (kind, at(ms * (100 - percent) / 100)));
            let kinds = [
                (writes > 0).then(|| without(Blocking::ShuffleWrite, writes)).flatten(),
                without(Blocking::Barrier, 10),
                without(Blocking::Scheduling, 1),
            ];
            let faithful = !(engine == "taskgraph" && workload == "tpch-q02");
            blocking.push(CaseBlocking {
                key: case.key(),
                case,
                measured_ns: at(ms),
                replayed_ns: replayed.map(at),
                reason,
                without_ns: kinds.into_iter().flatten().filter(|_| faithful).collect(),
            });
        }
    }
    Run { blocking, ..run("blocked", &["--spans"], all) }
}

#[test]
fn styles_stand_side_by_side_and_what_is_not_reproduced_is_left_out() {
    let text = text(&[blocked()], Format::Table);
    insta::assert_snapshot!(part(&text, "sql: time that would", "How this was"), @r#"
    sql: time that would go away with one kind of blocking, %, predicted

    without             actor  taskgraph  stagedag
    ----------------------------------------------
    scheduling            1.2        1.0       1.0
    shuffle_write         5.1          -      30.0
    barrier              10.0       10.1      10.0
    replay's error        2.0       -3.0       0.0
    largest of a case     2.0        3.0       0.0
    seconds replayed    0.408      0.388     0.500
    cases              1 of 2     1 of 2    2 of 2

    Not measured: one trial per case was played again in virtual time by the style's own machines, as it
    was and without each kind. Cases that this does not reproduce within 15.0 % are left out. Kinds do
    not add up.

    - actor, left out: tpch-q02 (stuck: 1 jobs never end)
    - taskgraph, left out: tpch-q02 (replay off by 30.0 %)
    "#);
}

#[test]
fn the_markdown_format_says_the_same() {
    let text = text(&[blocked()], Format::Markdown);
    insta::assert_snapshot!(part(&text, "### sql: time that would", "## How this was"), @r#"
    ### sql: time that would go away with one kind of blocking, %, predicted

    | without | actor | taskgraph | stagedag |
    |---|---:|---:|---:|
    | scheduling | 1.2 | 1.0 | 1.0 |
    | shuffle\_write | 5.1 | - | 30.0 |
    | barrier | 10.0 | 10.1 | 10.0 |
    | replay's error | 2.0 | -3.0 | 0.0 |
    | largest of a case | 2.0 | 3.0 | 0.0 |
    | seconds replayed | 0.408 | 0.388 | 0.500 |
    | cases | 1 of 2 | 1 of 2 | 2 of 2 |

    Not measured: one trial per case was played again in virtual time by the style's own machines, as it was and without each kind. Cases that this does not reproduce within 15.0 % are left out. Kinds do not add up.

    - actor, left out: tpch-q02 (stuck: 1 jobs never end)
    - taskgraph, left out: tpch-q02 (replay off by 30.0 %)
    "#);
}

#[test]
fn shares_are_of_the_replayed_time_and_cases_keep_their_errors() {
    let reports = family(&[blocked()]).blocking;
    let names: Vec<_> = reports.iter().map(|r| r.contestant.as_str()).collect();
    assert_eq!(names, ["actor", "taskgraph", "stagedag"]);
    let stagedag = &reports[2];
    let saved = |kind| stagedag.saved_share.get(&kind).copied();
    assert!(saved(Blocking::ShuffleWrite).is_some_and(|share| (share - 0.3).abs() < 1e-9), "{stagedag:?}");
    assert_eq!(saved(Blocking::Spill), None);
    assert_eq!((stagedag.measured_ns, stagedag.replayed_ns), (500_000_000, 500_000_000));
    let taskgraph = &reports[1];
    assert_eq!((taskgraph.measured_ns, taskgraph.cases.len()), (400_000_000, 2));
    assert!(taskgraph.cases[1].error.is_some_and(|error| (error - 0.3).abs() < 1e-9));
    let json = text(&[blocked()], Format::Json);
    assert!(json.contains("\"saved_share\"") && json.contains("\"shuffle_write\""), "{json}");
}

#[test]
fn a_run_without_traces_has_no_such_sheet() {
    let text = text(&[Run { blocking: vec![], ..blocked() }], Format::Table);
    assert!(!text.contains("that would go away"), "{text}");
}
