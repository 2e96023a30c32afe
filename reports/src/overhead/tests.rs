//! Claims about figures of overhead.

use super::*;
use crate::render::Ink;
use bench_record::{Bytes, Contamination, Measure, Probe};
use probed::sample;

#[path = "../../tests/fixture/probed.rs"]
mod probed;

const TASKS: Measure = Measure::Probe(Probe::Tasks { count: 1000 });
const ROUND: Measure = Measure::Probe(Probe::RoundTrip { count: 3 });
const PUT: Measure = Measure::Probe(Probe::Put { bytes: 64 << 20, count: 2 });
const SPILL: Measure = Measure::Probe(Probe::Spill { bytes: 1 << 20, count: 100 });

fn recover(kill: bool) -> Measure {
    Measure::Probe(Probe::Recover { count: 8, task_ns: 1_000_000, kill })
}

fn subject(engine: &str, nodes: u32) -> OverheadSubject {
    let one = OverheadSubject {
        variant: "memory=2GiB".into(),
        memory_bytes: Some(Bytes::new(2 << 30)),
        ..probed::subject(engine)
    };
    if nodes > 1 { OverheadSubject { cluster: "processes".into(), nodes, slots: 1, ..one } } else { one }
}

fn unable(subject: &OverheadSubject, measure: Measure, reason: &str) -> OverheadSample {
    let (outcome, reason) = (Outcome::Unsupported, Some(reason.to_owned()));
    OverheadSample { outcome, reason, samples_ns: vec![], ..sample(subject, 0, measure, &[]) }
}

fn run(samples: Vec<OverheadSample>) -> OverheadRun {
    probed::record(3, samples)
}

fn whole() -> OverheadRun {
    let (dask, one, two) = (subject("dask", 1), subject("stagedag", 1), subject("stagedag", 2));
    let mut all = Vec::new();
    for trial in 0..3 {
        let more = u64::from(trial);
        for (who, factor) in [(&dask, 100), (&one, 1), (&two, 4)] {
            let at =
                |measure, ns: &[u64]| sample(who, trial, measure, &ns.iter().map(|ns| ns * factor).collect::<Vec<_>>());
            all.push(at(Measure::Startup, &[20_000_000 + more * 1_000_000]));
            let held = Some(Bytes::new((10 << 20) * factor + more * (1 << 20)));
            all.push(OverheadSample { held_bytes: held, ..sample(who, trial, Measure::IdleMemory, &[]) });
            all.push(at(TASKS, &[2_000_000 + more * 1000]));
            all.push(at(ROUND, &[9_000, 10_000, 90_000]));
            if who.nodes == 1 {
                all.push(at(PUT, &[10_000_000, 12_000_000]));
                all.push(at(SPILL, &[100_000_000, 50_000_000]));
            }
            if who != &one {
                all.push(at(recover(false), &[1_000_000]));
                all.push(at(recover(true), &[3_000_000 + more * 1_000_000]));
            }
        }
    }
    all.push(unable(&one, recover(false), "one process holds all of it"));
    all.push(unable(&one, recover(true), "one process holds all of it"));
    all.push(unable(&two, PUT, "the driver gives its nodes no values"));
    run(all)
}

#[test]
fn the_table_has_medians_intervals_and_reasons() {
    let text = render_overhead(&overhead(&whole()), OverheadFormat::Table, Ink::Plain);
    assert!(text.lines().all(|l| l.chars().count() <= crate::render::WIDTH), "{text}");
    insta::assert_snapshot!(text, @r#"
    What engines cost before they do any work
    =========================================

    Before any work

    engine      start-up ms       interval  idle memory MiB       interval
    ----------------------------------------------------------------------
    dask             2100.0  2000.0–2200.0           1001.0  1000.0–1002.0
    stagedag           21.0      20.0–22.0             11.0      10.0–12.0
    stagedag/2         84.0      80.0–88.0             41.0      40.0–42.0

    Tasks that do nothing

    engine      tasks /s       interval  round trip µs       interval
    -----------------------------------------------------------------
    dask            4998      4995–5000         1000.0  1000.0–1000.0
    stagedag      499750  499500–500000           10.0      10.0–10.0
    stagedag/2    124938  124875–125000           40.0      40.0–40.0

    Values

    engine      put MiB/s       interval
    ------------------------------------
    dask             58.2      58.2–58.2
    stagedag       5818.2  5818.2–5818.2
    stagedag/2        n/a              -

    Too little memory, and a worker lost

    engine     spill MiB/s      interval read spilled MiB/s      interval recovery ms      interval
    -----------------------------------------------------------------------------------------------
    dask              10.0     10.0–10.0               20.0     20.0–20.0      300.00 200.00–400.00
    stagedag        1000.0 1000.0–1000.0             2000.0 2000.0–2000.0         n/a             -
    stagedag/2           -             -                  -             -       12.00    8.00–16.00

    Not measured
    ------------

    - stagedag, recovery: unsupported: one process holds all of it
    - stagedag/2, put: unsupported: the driver gives its nodes no values

    How this was measured
    ---------------------

    - machine: Example CPU, 2 cores, 24.0 GiB,
    - trials asked for: 3, each in processes of its own, engines in turn; from 2026-11-22T19:04:05.123Z;
      bench 0.1.0 (5f1c9a)
    - medians over trials, with 95 % intervals of six trials or more and the range of fewer; a trial's
      latencies and bandwidths are medians of its samples. * disturbed trials had to be counted. Idle
      memory is read 1.0 s after the start, of all processes, shared pages counted once
    - /N are N node processes of this program; without it an engine of this build is one process, and
      what it puts and gets does not leave that
    - dask: dask 1, default settings, 1 x 2 slots, 2.00 GiB of memory
    - stagedag: stagedag 1, default settings, 1 x 2 slots, 2.00 GiB of memory
    - stagedag/2: stagedag 1, default settings, 2 x 1 slots, 2.00 GiB of memory
    "#);
}

#[test]
fn the_markdown_and_the_json_say_the_same() {
    let report = overhead(&whole());
    let markdown = render_overhead(&report, OverheadFormat::Markdown, Ink::Plain);
    assert!(markdown.contains("| stagedag/2 | ") && markdown.contains("### Tasks that do nothing"), "{markdown}");
    let json: serde_json::Value =
        serde_json::from_str(&render_overhead(&report, OverheadFormat::Json, Ink::Plain)).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["engines"][1]["figures"][2]).unwrap(), @r#"
    {
      "contaminated": 0,
      "excluded": 0,
      "figure": "tasks",
      "interval": {
        "high": 500000.0,
        "low": 499500.4995004995
      },
      "measured": [
        {
          "contaminated": false,
          "counts": true,
          "reason": null,
          "trial": 0,
          "value": 500000.0
        },
        {
          "contaminated": false,
          "counts": true,
          "reason": null,
          "trial": 1,
          "value": 499750.1249375313
        },
        {
          "contaminated": false,
          "counts": true,
          "reason": null,
          "trial": 2,
          "value": 499500.4995004995
        }
      ],
      "median": 499750.1249375313,
      "outcome": "completed",
      "reason": null,
      "trials": 3
    }
    "#);
}

fn cell_of(samples: Vec<OverheadSample>, figure: Figure) -> OverheadCell {
    let report = overhead(&run(samples));
    report.engines[0].figures.iter().find(|c| c.figure == figure).unwrap().clone()
}

#[test]
fn a_trial_is_one_number_however_many_samples_it_has() {
    let who = subject("ray", 1);
    let all = (0..6).map(|t| sample(&who, t, ROUND, &[1, 10 + u64::from(t), 1_000_000])).collect();
    let cell = cell_of(all, Figure::RoundTrip);
    assert_eq!((cell.trials, cell.median, cell.interval), (6, Some(12.5), Some(Interval { low: 10.0, high: 15.0 })));
}

#[test]
fn bandwidths_and_rates_are_amounts_over_times() {
    let who = subject("ray", 1);
    let value = |measure, ns: &[u64], figure| cell_of(vec![sample(&who, 0, measure, ns)], figure).median.unwrap();
    assert!((value(TASKS, &[500_000_000], Figure::Tasks) - 2000.0).abs() < 1e-9);
    let put = value(PUT, &[1_000_000_000, 3_000_000_000], Figure::Put);
    assert!((put - f64::from(32 << 20)).abs() < 1e-6, "{put}");
    let (write, read) = (
        value(SPILL, &[1_000_000_000, 2_000_000_000], Figure::SpillWrite),
        value(SPILL, &[1, 500_000_000], Figure::SpillRead),
    );
    assert!(
        (write - f64::from(100 << 20)).abs() < 1e-6 && (read - f64::from(200 << 20)).abs() < 1e-6,
        "{write} {read}"
    );
}

#[test]
fn recovery_is_the_difference_within_a_trial_and_needs_both() {
    let who = subject("ray", 1);
    let both = vec![sample(&who, 0, recover(false), &[10]), sample(&who, 0, recover(true), &[35])];
    assert_eq!(cell_of(both, Figure::Recovery).median, Some(25.0));
    let half = overhead(&run(vec![sample(&who, 0, recover(true), &[35])]));
    assert_eq!(half.engines[0].figures, []);
}

#[test]
fn disturbed_trials_are_left_out_where_two_clean_ones_remain_and_marked_where_not() {
    let who = subject("ray", 1);
    let disturbed = |s: OverheadSample| OverheadSample {
        contamination: Some(Contamination { reasons: vec!["others".into()], ..Contamination::default() }),
        ..s
    };
    let trial = |t: u32, ns: u64| sample(&who, t, TASKS, &[ns]);
    let cell = cell_of(vec![trial(0, 1000), trial(1, 1000), disturbed(trial(2, 9000))], Figure::Tasks);
    assert_eq!((cell.trials, cell.contaminated, cell.excluded, cell.median), (2, 0, 1, Some(1e9)));
    let cell = cell_of(vec![trial(0, 1000), disturbed(trial(1, 1000))], Figure::Tasks);
    assert_eq!((cell.trials, cell.contaminated, cell.excluded), (2, 1, 0));
}

#[test]
fn a_trial_that_failed_leaves_no_number_behind() {
    let who = subject("ray", 1);
    let failed = OverheadSample {
        outcome: Outcome::Failed,
        reason: Some("it died".into()),
        samples_ns: vec![],
        ..sample(&who, 1, TASKS, &[])
    };
    let report = overhead(&run(vec![sample(&who, 0, TASKS, &[5]), failed]));
    let cell = &report.engines[0].figures[0];
    assert_eq!((cell.outcome, cell.reason.as_deref(), cell.median), (Outcome::Failed, Some("it died"), None));
    assert!(report.has_failures() && !overhead(&whole()).has_failures());
}

#[test]
fn what_is_unfinished_is_said() {
    let mut cut = whole();
    cut.context.finished_at = None;
    cut.torn_bytes = 7;
    let notes = overhead(&cut).notes;
    assert!(
        notes.iter().any(|n| n.contains("not finished")) && notes.iter().any(|n| n.contains("7 bytes")),
        "{notes:?}"
    );
}
