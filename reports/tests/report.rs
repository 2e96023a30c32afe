//! Every format of the report, whole, from a fixed synthetic run.
//!
//! Long because: inline snapshots of whole reports take the room.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod fixture;

use bench_record::{Journal, Nanos, Run, SpanKind, SpanReport};
use bench_reports::{Comparison, Format, Ink, Options, WIDTH, compare, plot, render};

fn comparison() -> Comparison {
    compare(&[fixture::run()], &Options::default()).unwrap()
}

#[test]
fn the_table_format_says_everything_within_its_width() {
    let text = render(&comparison(), Format::Table, Ink::Plain);
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text, @r#"
    Wrong answers: 1
    ================

    - sql tpch-q21 on stagedag: wrong_answer (5 trials): row 3 differs: expected 4 rows, found 5 [run-a]

    1gb, warm-1, machine 048219d77a3e3fb3
    =====================================

    sql: 4 workloads
    ----------------

    workload  engine             ms          range  n  against the best             cpu s  MiB
    ------------------------------------------------------------------------------------------
    tpch-q01  stagedag        512.0    501.8–522.2  5  1.25x 1.22–1.28              0.922  280
              datafusion      410.0    401.8–418.2  5  best                         0.738  280
              datafusion-1t   790.0    782.1–797.9  5  1.93x 1.89–1.97              0.711  240
    tpch-q02  stagedag         94.0      92.1–95.9  5  no winner                    0.169  280
              datafusion       95.0      93.1–96.9  5  indistinguishable 0.98–1.04  0.171  280
              datafusion-1t   130.0    128.7–131.3  5  1.38x 1.36–1.41              0.117  240
    tpch-q18  stagedag            -              -  5  failed, 4 of 5 completed         -    -
              datafusion     1204.0  1192.0–1216.0  5                               2.167  280
              datafusion-1t       -              -  5  timed_out                        -    -
    tpch-q21  stagedag            -              -  5  wrong_answer                     -    -
              datafusion      640.0    633.6–646.4  5                               1.152  280
              datafusion-1t       -              -  1  unsupported                      -    -

    sql totals, ratios to datafusion

    engine         completed                    s  pen.  total ratio      geometric mean   over
    -------------------------------------------------------------------------------------------
    stagedag       2 of 4                 1200.61     2  1.20x 1.17–1.22  1.11x 1.09–1.13     2
    datafusion     4 of 4                    2.35     0  baseline         baseline            -
    datafusion-1t  2 of 4, 1 unsupported  1200.92     2  1.82x 1.79–1.85  1.62x 1.60–1.65     2

    sql COST: cores needed to beat one thread of datafusion-1t

    engine      cores tried  faster on  total / one thread  COST
    ------------------------------------------------------------
    stagedag              2  2 of 2     0.66x 0.65–0.67     at most 2 cores
    datafusion            2  2 of 2     0.55x 0.54–0.56     at most 2 cores

    sql slot time by kind, %

    kind           stagedag
    -----------------------
    submit              2.0
    deserialize         5.0
    compute            70.0
    shuffle_write      13.0
    idle_barrier       10.0
    unknown             0.0
    slot seconds      6.058
    trials               10

    dataframe: 1 workload
    ---------------------

    workload     engine        ms      range  n  against the best  cpu ms  MiB
    --------------------------------------------------------------------------
    groupby-q01  stagedag    60.0  59.8–60.2  4  1.15x 1.14–1.17    108.1  280
                 datafusion  52.0  51.5–52.5  5  best                93.6  280

    dataframe totals, ratios to datafusion

    engine         completed            ms  pen.  total ratio      geometric mean   over
    ------------------------------------------------------------------------------------
    stagedag       1 of 1             60.0     0  1.15x 1.14–1.17  1.15x 1.14–1.17     1
    datafusion     1 of 1             52.0     0  baseline         baseline            -
    datafusion-1t  0 of 1, 1 not run     -     0  -                -                   -

    Did not complete
    ----------------

    - sql tpch-q18 on stagedag: failed: engine process ended with signal 9 [run-a]
    - sql tpch-q18 on datafusion-1t: timed_out (5 trials): no answer after 60 s [run-a]
    - sql tpch-q21 on datafusion-1t: unsupported: no correlated subqueries [run-a]

    How this was measured
    ---------------------

    - A/A noise floor: the same engine measured twice differs by 1.0 % in the middle, 95 % of 2 cases by
      no more than 1.0 %
    - contaminated: 2 of 77 trials; 2 left out, for they were repeated or 2 clean ones of the same case
      and arm remain
    - contaminated and left out: groupby-q01 on stagedag (2)
    - the answers of all 70 trials were checked outside the timer, in 0.0 s altogether: duckdb 1.4.1
    - warning: the CPU governor is unknown; pin it to `performance` for steadier times
    - machine 048219d77a3e3fb3: Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4,
      tcp bbr
    - suite 1gb, protocol warm-1 (one engine process, 1 untimed run of the case before), 5 trials asked
      for, from 2026-11-22T19:04:05.123Z
    - runs: run-a; bench 0.1.0 (5f1c9a)
    - stagedag: stagedag 0.1.0, default settings, local, 1 x 2 slots
    - datafusion: datafusion 55.2.0, default settings, local, 1 x 2 slots
    - datafusion-1t: datafusion-1t 55.2.0, default settings, local, 1 x 1 slots
    - data tpch-sf1: 8661245 rows, 350 MiB, checksum 9e3779b9
    - 10 cases have n < 6: ranges of the times are shown, not 95 % intervals, and none for n < 2; use
      --trials 10
    - times are medians of n trials; 95 % intervals of times are pairs of them (order statistics, at
      least 95 %), those of ratios and totals percentile bootstrap intervals (2000 resamples, fixed
      seed)
    - "indistinguishable": the interval of the ratio holds 1, or the difference is below the A/A floor
      (the larger of the workload's own and what 95 % of all stay within; for totals the latter) or the
      variation of either sample, or chance alone gives one as large in more than 5 % of cases (rank
      test; for totals a permutation test)
    - a workload has a winner only where that one was shown to be faster than every other contestant
      with all workloads of the family taken together: of all winners of a family, at most 5 % are
      expected to be chance's (Benjamini and Hochberg's correction of the rank tests)
    - totals are sums of medians; a case that did not complete adds a penalty (pen.) of 2 x max(300 s,
      time limit, slowest median of that workload); ratios are over the cases that both completed
    - derived from TPC-H, not comparable with published TPC results
    "#);
}

#[test]
fn the_table_format_keeps_its_width_whatever_the_names_and_numbers() {
    let mut run = fixture::run();
    for engine in &mut run.context.engines {
        engine.variant = format!("partitions=4096,speculation={}", engine.name);
    }
    for (i, o) in run.observations.iter_mut().enumerate() {
        o.case.workload = format!("a-workload-with-a-very-long-name-{}", o.case.workload);
        o.case.variant = format!("partitions=4096,speculation={}", o.case.engine);
        o.key = o.case.key();
        o.wall_ns = o.wall_ns.map(|ns| if i % 2 == 0 { ns * 3_000_000 } else { ns });
        o.rss_bytes_peak = Some(u64::MAX >> (i % 40));
        o.reason = o.reason.as_ref().map(|r| r.repeat(40));
        // Two engines with spans: each is a column of numbers under a long title.
        if o.case.engine == "datafusion" {
            let mut spans = SpanReport { slots: 2, makespan_ns: Nanos::new(1_000), ..SpanReport::default() };
            spans.add(SpanKind::Compute, Nanos::new(2_000));
            o.spans = Some(spans);
        }
    }
    let text = render(&compare(&[run], &Options::default()).unwrap(), Format::Table, Ink::Plain);
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
}

#[test]
fn the_markdown_format_says_the_same() {
    insta::assert_snapshot!(render(&comparison(), Format::Markdown, Ink::Plain), @r#"
    # Wrong answers: 1

    - sql tpch-q21 on stagedag: wrong\_answer (5 trials): row 3 differs: expected 4 rows, found 5 \[run-a\]

    # 1gb, warm-1, machine 048219d77a3e3fb3

    ## sql: 4 workloads

    | workload | engine | ms | range | n | against the best | cpu s | MiB |
    |---|---|---:|---:|---:|---|---:|---:|
    | tpch-q01 | stagedag | 512.0 | 501.8–522.2 | 5 | 1.25x 1.22–1.28 | 0.922 | 280 |
    | tpch-q01 | datafusion | 410.0 | 401.8–418.2 | 5 | best | 0.738 | 280 |
    | tpch-q01 | datafusion-1t | 790.0 | 782.1–797.9 | 5 | 1.93x 1.89–1.97 | 0.711 | 240 |
    | tpch-q02 | stagedag | 94.0 | 92.1–95.9 | 5 | no winner | 0.169 | 280 |
    | tpch-q02 | datafusion | 95.0 | 93.1–96.9 | 5 | indistinguishable 0.98–1.04 | 0.171 | 280 |
    | tpch-q02 | datafusion-1t | 130.0 | 128.7–131.3 | 5 | 1.38x 1.36–1.41 | 0.117 | 240 |
    | tpch-q18 | stagedag | - | - | 5 | failed, 4 of 5 completed | - | - |
    | tpch-q18 | datafusion | 1204.0 | 1192.0–1216.0 | 5 |  | 2.167 | 280 |
    | tpch-q18 | datafusion-1t | - | - | 5 | timed\_out | - | - |
    | tpch-q21 | stagedag | - | - | 5 | wrong\_answer | - | - |
    | tpch-q21 | datafusion | 640.0 | 633.6–646.4 | 5 |  | 1.152 | 280 |
    | tpch-q21 | datafusion-1t | - | - | 1 | unsupported | - | - |

    ### sql totals, ratios to datafusion

    | engine | completed | s | pen. | total ratio | geometric mean | over |
    |---|---|---:|---:|---|---|---:|
    | stagedag | 2 of 4 | 1200.61 | 2 | 1.20x 1.17–1.22 | 1.11x 1.09–1.13 | 2 |
    | datafusion | 4 of 4 | 2.35 | 0 | baseline | baseline | - |
    | datafusion-1t | 2 of 4, 1 unsupported | 1200.92 | 2 | 1.82x 1.79–1.85 | 1.62x 1.60–1.65 | 2 |

    ### sql COST: cores needed to beat one thread of datafusion-1t

    | engine | cores tried | faster on | total / one thread | COST |
    |---|---:|---|---|---|
    | stagedag | 2 | 2 of 2 | 0.66x 0.65–0.67 | at most 2 cores |
    | datafusion | 2 | 2 of 2 | 0.55x 0.54–0.56 | at most 2 cores |

    ### sql slot time by kind, %

    | kind | stagedag |
    |---|---:|
    | submit | 2.0 |
    | deserialize | 5.0 |
    | compute | 70.0 |
    | shuffle\_write | 13.0 |
    | idle\_barrier | 10.0 |
    | unknown | 0.0 |
    | slot seconds | 6.058 |
    | trials | 10 |

    ## dataframe: 1 workload

    | workload | engine | ms | range | n | against the best | cpu ms | MiB |
    |---|---|---:|---:|---:|---|---:|---:|
    | groupby-q01 | stagedag | 60.0 | 59.8–60.2 | 4 | 1.15x 1.14–1.17 | 108.1 | 280 |
    | groupby-q01 | datafusion | 52.0 | 51.5–52.5 | 5 | best | 93.6 | 280 |

    ### dataframe totals, ratios to datafusion

    | engine | completed | ms | pen. | total ratio | geometric mean | over |
    |---|---|---:|---:|---|---|---:|
    | stagedag | 1 of 1 | 60.0 | 0 | 1.15x 1.14–1.17 | 1.15x 1.14–1.17 | 1 |
    | datafusion | 1 of 1 | 52.0 | 0 | baseline | baseline | - |
    | datafusion-1t | 0 of 1, 1 not run | - | 0 | - | - | - |

    ## Did not complete

    - sql tpch-q18 on stagedag: failed: engine process ended with signal 9 \[run-a\]
    - sql tpch-q18 on datafusion-1t: timed\_out (5 trials): no answer after 60 s \[run-a\]
    - sql tpch-q21 on datafusion-1t: unsupported: no correlated subqueries \[run-a\]

    ## How this was measured

    - A/A noise floor: the same engine measured twice differs by 1.0 % in the middle, 95 % of 2 cases by no more than 1.0 %
    - contaminated: 2 of 77 trials; 2 left out, for they were repeated or 2 clean ones of the same case and arm remain
    - contaminated and left out: groupby-q01 on stagedag (2)
    - the answers of all 70 trials were checked outside the timer, in 0.0 s altogether: duckdb 1.4.1
    - warning: the CPU governor is unknown; pin it to \`performance\` for steadier times
    - machine 048219d77a3e3fb3: Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4, tcp bbr
    - suite 1gb, protocol warm-1 (one engine process, 1 untimed run of the case before), 5 trials asked for, from 2026-11-22T19:04:05.123Z
    - runs: run-a; bench 0.1.0 (5f1c9a)
    - stagedag: stagedag 0.1.0, default settings, local, 1 x 2 slots
    - datafusion: datafusion 55.2.0, default settings, local, 1 x 2 slots
    - datafusion-1t: datafusion-1t 55.2.0, default settings, local, 1 x 1 slots
    - data tpch-sf1: 8661245 rows, 350 MiB, checksum 9e3779b9
    - 10 cases have n \< 6: ranges of the times are shown, not 95 % intervals, and none for n \< 2; use --trials 10
    - times are medians of n trials; 95 % intervals of times are pairs of them (order statistics, at least 95 %), those of ratios and totals percentile bootstrap intervals (2000 resamples, fixed seed)
    - "indistinguishable": the interval of the ratio holds 1, or the difference is below the A/A floor (the larger of the workload's own and what 95 % of all stay within; for totals the latter) or the variation of either sample, or chance alone gives one as large in more than 5 % of cases (rank test; for totals a permutation test)
    - a workload has a winner only where that one was shown to be faster than every other contestant with all workloads of the family taken together: of all winners of a family, at most 5 % are expected to be chance's (Benjamini and Hochberg's correction of the rank tests)
    - totals are sums of medians; a case that did not complete adds a penalty (pen.) of 2 x max(300 s, time limit, slowest median of that workload); ratios are over the cases that both completed
    - derived from TPC-H, not comparable with published TPC results
    "#);
}

#[test]
fn the_json_format_is_stable() {
    // The head of the document and one workload: the shape that other programs rely on.
    let json = serde_json::to_value(comparison()).unwrap();
    let table = &json["tables"][0];
    let mut head = table.clone();
    head.as_object_mut().unwrap().retain(|k, _| !["families", "incidents", "contestants"].contains(&k.as_str()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&head).unwrap(), @r#"
    {
      "answers": {
        "check_ns": 0,
        "checked": 70,
        "oracles": [
          "duckdb 1.4.1"
        ],
        "trials": 70
      },
      "baseline": "datafusion",
      "builds": [
        "0.1.0 (5f1c9a)"
      ],
      "contamination": {
        "contaminated": 2,
        "excluded": 2,
        "not_judged": 0,
        "trials": 77
      },
      "datasets": [
        "tpch-sf1: 8661245 rows, 350 MiB, checksum 9e3779b9"
      ],
      "derived_from_tpch": true,
      "emulated": null,
      "machine": "048219d77a3e3fb3",
      "machine_summary": "Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4, tcp bbr",
      "noise": {
        "cases": 2,
        "contaminated": 0,
        "median": 0.010000000000000009,
        "p95": 0.010000000000000009
      },
      "protocol": "warm-1",
      "resamples": 2000,
      "runs": [
        "run-a"
      ],
      "scale": 1,
      "shared_variant": null,
      "started_at": "2026-11-22T19:04:05.123Z",
      "suite": "1gb",
      "trials_requested": [
        5
      ],
      "warnings": [
        "the CPU governor is unknown; pin it to `performance` for steadier times"
      ]
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&table["families"][0]["workloads"][0]).unwrap(), @r#"
    {
      "cells": [
        {
          "against_baseline": {
            "interval": {
              "high": 1.2819113987058237,
              "low": 1.2165058429908355
            },
            "mann_whitney": {
              "exact": true,
              "p_two_sided": 0.007936507936507936,
              "u": 25.0
            },
            "stratified_p": null,
            "value": 1.248780487804878,
            "verdict": "slower"
          },
          "against_best": {
            "interval": {
              "high": 1.2819113987058237,
              "low": 1.2165058429908355
            },
            "mann_whitney": {
              "exact": true,
              "p_two_sided": 0.007936507936507936,
              "u": 25.0
            },
            "stratified_p": null,
            "value": 1.248780487804878,
            "verdict": "slower"
          },
          "completed": 5,
          "contaminated": 0,
          "contestant": "stagedag",
          "cpu_ns_median": 921600000.0,
          "excluded": 0,
          "outcome": "completed",
          "read_bytes_median": null,
          "reason": null,
          "rss_bytes_bound": null,
          "rss_bytes_peak": 293601284,
          "spilled_bytes_median": null,
          "trials": 5,
          "wall_cv": 0.01499933158382658,
          "wall_ns_interval": {
            "high": 522240000.0,
            "low": 501760000.0
          },
          "wall_ns_median": 512000000.0,
          "write_bytes_median": null
        },
        {
          "against_baseline": null,
          "against_best": null,
          "completed": 5,
          "contaminated": 0,
          "contestant": "datafusion",
          "cpu_ns_median": 738000000.0,
          "excluded": 0,
          "outcome": "completed",
          "read_bytes_median": null,
          "reason": null,
          "rss_bytes_bound": null,
          "rss_bytes_peak": 293601284,
          "spilled_bytes_median": null,
          "trials": 5,
          "wall_cv": 0.01499933158382658,
          "wall_ns_interval": {
            "high": 418200000.0,
            "low": 401800000.0
          },
          "wall_ns_median": 410000000.0,
          "write_bytes_median": null
        },
        {
          "against_baseline": {
            "interval": {
              "high": 1.9661523145843702,
              "low": 1.8890483022477285
            },
            "mann_whitney": {
              "exact": true,
              "p_two_sided": 0.007936507936507936,
              "u": 25.0
            },
            "stratified_p": null,
            "value": 1.9268292682926829,
            "verdict": "slower"
          },
          "against_best": {
            "interval": {
              "high": 1.9661523145843702,
              "low": 1.8890483022477285
            },
            "mann_whitney": {
              "exact": true,
              "p_two_sided": 0.007936507936507936,
              "u": 25.0
            },
            "stratified_p": null,
            "value": 1.9268292682926829,
            "verdict": "slower"
          },
          "completed": 5,
          "contaminated": 0,
          "contestant": "datafusion-1t",
          "cpu_ns_median": 711000000.0,
          "excluded": 0,
          "outcome": "completed",
          "read_bytes_median": null,
          "reason": null,
          "rss_bytes_bound": null,
          "rss_bytes_peak": 251658244,
          "spilled_bytes_median": null,
          "trials": 5,
          "wall_cv": 0.007498165425498769,
          "wall_ns_interval": {
            "high": 797900000.0,
            "low": 782100000.0
          },
          "wall_ns_median": 790000000.0,
          "write_bytes_median": null
        }
      ],
      "noise_floor": 0.010000000000000009,
      "winner": "datafusion",
      "winner_alone": "datafusion",
      "workload": "tpch-q01"
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&table["families"][0]["cost"]).unwrap(), @r#"
    {
      "entries": [
        {
          "answer": {
            "cores": 2,
            "is": "at_most"
          },
          "contestant": "stagedag",
          "covered": 2,
          "engine": "stagedag",
          "of": 2,
          "total": {
            "interval": {
              "high": 0.6701550436990352,
              "low": 0.64726364919136
            },
            "mann_whitney": null,
            "stratified_p": 0.0004997501249375312,
            "value": 0.658695652173913,
            "verdict": "faster"
          },
          "tried": [
            2
          ],
          "tried_by": [
            "stagedag"
          ],
          "wins": 2
        },
        {
          "answer": {
            "cores": 2,
            "is": "at_most"
          },
          "contestant": "datafusion",
          "covered": 2,
          "engine": "datafusion",
          "of": 2,
          "total": {
            "interval": {
              "high": 0.5582166555945569,
              "low": 0.5398857635521069
            },
            "mann_whitney": null,
            "stratified_p": 0.0004997501249375312,
            "value": 0.5489130434782609,
            "verdict": "faster"
          },
          "tried": [
            2
          ],
          "tried_by": [
            "datafusion"
          ],
          "wins": 2
        }
      ],
      "single_thread": [
        "datafusion-1t"
      ]
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["wrong_answers"]).unwrap(), @r#"
    [
      {
        "arm": "main",
        "checked": true,
        "contestant": "stagedag",
        "family": "sql",
        "outcome": "wrong_answer",
        "reason": "row 3 differs: expected 4 rows, found 5",
        "run": "run-a",
        "trials": 5,
        "workload": "tpch-q21"
      }
    ]
    "#);
}

#[test]
fn the_json_format_is_the_whole_comparison() {
    let text = render(&comparison(), Format::Json, Ink::Plain);
    assert_eq!(text, serde_json::to_string_pretty(&comparison()).unwrap() + "\n");
}

#[test]
fn a_folder_on_disk_reports_the_same_bytes_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run-a");
    let mut journal = Journal::create(&folder, &fixture::context()).unwrap();
    for observation in fixture::observations() {
        journal.append(&observation).unwrap();
    }
    drop(journal);
    let loaded = || compare(&[Run::load(&folder).unwrap()], &Options::default()).unwrap();
    assert_eq!(loaded(), comparison());
    for format in [Format::Table, Format::Markdown, Format::Json] {
        assert_eq!(render(&loaded(), format, Ink::Plain), render(&comparison(), format, Ink::Plain));
    }
    assert_eq!(plot::svg(&loaded()), plot::svg(&comparison()));
}

#[test]
fn color_only_repeats_what_words_say() {
    let plain = render(&comparison(), Format::Table, Ink::Plain);
    let mut colored = render(&comparison(), Format::Table, Ink::Color);
    assert_ne!(plain, colored);
    for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"] {
        colored = colored.replace(code, "");
    }
    assert_eq!(plain, colored);
}

#[test]
fn the_plot_names_every_workload_and_contestant_that_has_a_time() {
    let svg = plot::svg(&comparison()).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for name in ["tpch-q01", "tpch-q21", "groupby-q01", "stagedag", "datafusion-1t", "seconds (log)"] {
        assert!(svg.contains(name), "{name}");
    }
    for tick in ["\n0.01\n", "\n0.1\n", "\n1\n"] {
        assert!(svg.contains(tick), "{tick:?}");
    }
    assert!(!svg.contains("0000000"), "a tick shows rounding errors");
}

#[test]
fn the_plot_shows_every_case_that_did_not_complete_with_its_outcome() {
    let svg = plot::svg(&comparison()).unwrap();
    let count = |word: &str| svg.lines().filter(|line| line.trim() == word).count();
    let outcomes = ["failed", "timed_out", "wrong_answer", "unsupported"];
    assert_eq!(outcomes.map(count), [1; 4], "{svg}");
    // An engine that completed nothing of a family is in its panel all the same.
    let mut run = fixture::run();
    run.observations.retain(|o| o.case.family == bench_record::Family::Sql);
    let of = |workload: &str| fixture::case(bench_record::Family::Dataframe, workload, "stagedag");
    run.observations.push(fixture::ended(&of("q"), 0, bench_record::Outcome::Failed, "out of memory"));
    let svg = plot::svg(&compare(&[run], &Options::default()).unwrap()).unwrap();
    assert!(svg.contains("dataframe: 1gb, warm-1"), "{svg}");
}

#[test]
fn the_plot_has_the_title_of_the_table_and_says_what_is_no_cluster() {
    let mut run = fixture::run();
    run.context.cluster.emulated = Some("4 nodes emulated on 2 cores".into());
    for o in &mut run.observations {
        (o.case.scale, o.case.nodes) = (4, 4);
        o.case.workload = format!("{}\u{1b}\u{202e}", o.case.workload);
        o.key = o.case.key();
    }
    let comparison = compare(&[run], &Options::default()).unwrap();
    let svg = plot::svg(&comparison).unwrap();
    let title = comparison.tables[0].title();
    assert_eq!(title, "1gb x 4, warm-1, machine 048219d77a3e3fb3");
    assert!(render(&comparison, Format::Table, Ink::Plain).contains(&title));
    let emulated = "emulated nodes: 4 nodes emulated on 2 cores";
    for words in [format!("sql: {title}").as_str(), emulated, "4 nodes on 2 cores of one machine: "] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(!svg.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_plot_of_nothing_is_refused() {
    let mut run = fixture::run();
    run.observations.clear();
    let comparison = compare(&[run], &Options::default()).unwrap();
    assert_eq!(plot::svg(&comparison), Err(plot::PlotError::Empty));
    insta::assert_snapshot!(render(&comparison, Format::Table, Ink::Plain), @r#"
    Nothing was recorded.

    - run-a: no trials recorded
    "#);
}

#[test]
fn spilled_bytes_have_a_column_where_some_were_and_no_number_where_nobody_counted() {
    let spilling = |bytes: u64| {
        let mut run = fixture::run();
        run.observations.iter_mut().filter(|o| o.case.engine == "stagedag").for_each(|o| o.spilled_bytes = Some(bytes));
        render(&compare(&[run], &Options::default()).unwrap(), Format::Table, Ink::Plain)
    };
    assert!(!spilling(0).contains("spilled"));
    let text = spilling(3 << 20);
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    assert!(text.contains("spilled MiB"), "{text}");
    let row = |engine: &str| {
        let named = |l: &&str| l.split_whitespace().any(|word| word == engine) && l.contains("0.");
        let found = text.lines().skip_while(|l| !l.contains("tpch-q01")).find(named);
        found.unwrap().split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!((row("stagedag").as_str(), row("datafusion").as_str()), ("3.00", "-"));
}
