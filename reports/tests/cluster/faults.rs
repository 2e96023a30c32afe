//! Faults: what counts, what is void, and what never mixes.

use crate::runs::Hurt;
use crate::{compared, family, fixture, part, runs, text};
use bench_record::{Observation, Outcome, Run};
use bench_reports::{FaultReport, Format};

fn report(runs: &[Run], contestant: &str) -> FaultReport {
    let all = family(runs).faults.clone();
    all.into_iter().find(|r| r.contestant == contestant).unwrap()
}

const KILL: Hurt =
    Hurt { fault: "kill@50%", fired: Some(40), detected: Some(45), recovered: Some(70), repeated: 2, wasted: Some(5) };

/// Trials of one case, each with what became of its faults, in a run whose command line plans nothing.
fn run_of(trials: Vec<Observation>) -> Run {
    runs::run("hurt", &[], trials)
}

#[test]
fn the_sheet_of_faults_says_what_fired_and_what_it_cost() {
    let text = text(&[runs::nodes(), runs::faults()], Format::Table);
    insta::assert_snapshot!(part(&text, "sql under faults", "sql slot time"), @r#"
    sql under faults: medians of the trials in which every fault fired

    engine               n fired void completed   detected ms recovered ms  repeated time / fault-free
    --------------------------------------------------------------------------------------------------
    actor/4 kill@50%    18    16    1 16 of 16–17        7.50    32.0 (13)       3.5 1.69x 1.68–1.70
    stagedag/4 kill@50% 18    17    1 16 of 17           8.00    32.0 (14) 4, 13.0 % 2.14x 2.13–2.15

    - detected and recovered: from firing to noticing, and to the end of the last task that ran again;
      (k) where only k of the fired trials have one. Void: a fault did not fire, so the trial shows
      nothing about recovery and is in no other number. Repeated: tasks, and their share of the time
      that all tasks took on their slots (wasted work)
    - time / fault-free: with faults and without are separate runs, which did not take turns (not
      interleaved); nothing is claimed of a difference
    - actor/4 kill@50%: 1 trial did not complete and left no record of the faults: whether they fired is
      unknown
    - actor/4 kill@50%: 1 trial void: the job ended first
    - actor/4 kill@50%: time over that of actor/4 on the 2 of 3 workloads that both completed in every
      trial that counts
    - stagedag/4 kill@50%: 1 trial void: the job ended first
    - stagedag/4 kill@50%: time over that of stagedag/4 on the 2 of 3 workloads that both completed in
      every trial that counts
    "#);
    insta::assert_snapshot!(part(&text, "Did not complete", "How this"), @r#"
    Did not complete
    ----------------

    - sql tpch-q02 on actor/4 kill@50%: failed: the owner died [faults]
    - sql tpch-q02 on stagedag/4 kill@50%: failed: no node is left [faults]
    "#);
}

#[test]
fn the_markdown_format_says_the_same() {
    let text = text(&[runs::nodes(), runs::faults()], Format::Markdown);
    insta::assert_snapshot!(part(&text, "### sql under faults", "### sql slot time"), @r#"
    ### sql under faults: medians of the trials in which every fault fired

    | engine | n | fired | void | completed | detected ms | recovered ms | repeated | time / fault-free |
    |---|---:|---:|---:|---|---:|---:|---:|---|
    | actor/4 kill@50% | 18 | 16 | 1 | 16 of 16–17 | 7.50 | 32.0 (13) | 3.5 | 1.69x 1.68–1.70 |
    | stagedag/4 kill@50% | 18 | 17 | 1 | 16 of 17 | 8.00 | 32.0 (14) | 4, 13.0 % | 2.14x 2.13–2.15 |

    - detected and recovered: from firing to noticing, and to the end of the last task that ran again; (k) where only k of the fired trials have one. Void: a fault did not fire, so the trial shows nothing about recovery and is in no other number. Repeated: tasks, and their share of the time that all tasks took on their slots (wasted work)
    - time / fault-free: with faults and without are separate runs, which did not take turns (not interleaved); nothing is claimed of a difference
    - actor/4 kill@50%: 1 trial did not complete and left no record of the faults: whether they fired is unknown
    - actor/4 kill@50%: 1 trial void: the job ended first
    - actor/4 kill@50%: time over that of actor/4 on the 2 of 3 workloads that both completed in every trial that counts
    - stagedag/4 kill@50%: 1 trial void: the job ended first
    - stagedag/4 kill@50%: time over that of stagedag/4 on the 2 of 3 workloads that both completed in every trial that counts
    "#);
}

#[test]
fn the_json_format_has_every_workload_under_faults() {
    let report = report(&[runs::nodes(), runs::faults()], "stagedag/4 kill@50%");
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "contestant": "stagedag/4 kill@50%",
      "plan": "kill@50%",
      "trials": 18,
      "fired": 17,
      "void": 1,
      "void_reasons": [
        "the job ended first"
      ],
      "unrecorded": 0,
      "completed": 16,
      "effects": [
        {
          "fault": "kill@50%",
          "detected": 17,
          "detection_ns_median": 8000000.0,
          "recovered": 14,
          "recovery_ns_median": 32000000.0,
          "tasks_repeated_median": 4.0,
          "repeated_ns_median": 13000000.0,
          "wasted_share_median": 0.13
        }
      ],
      "whole": "stagedag/4",
      "against_whole": {
        "common": 2,
        "total": {
          "value": 2.1428571433650614,
          "interval": {
            "low": 2.1337953091684434,
            "high": 2.1522099299877078
          },
          "verdict": "not_interleaved",
          "mann_whitney": null,
          "stratified_p": 0.0004997501249375312
        },
        "geometric_mean": {
          "value": 2.142857143195755,
          "interval": {
            "low": 2.1348753718336866,
            "high": 2.1514149376922056
          },
          "verdict": "not_interleaved",
          "mann_whitney": null,
          "stratified_p": 0.0004997501249375312
        }
      },
      "cases": [
        {
          "workload": "tpch-q01",
          "outcome": "completed",
          "trials": 6,
          "fired": 6,
          "void": 0,
          "completed": 6,
          "wall_ns_median": 602700000.0,
          "against_whole": {
            "value": 2.142857142857143,
            "interval": {
              "low": 2.131170762801898,
              "high": 2.1546076039737927
            },
            "verdict": "not_interleaved",
            "mann_whitney": {
              "u": 36.0,
              "p_two_sided": 0.0021645021645021645,
              "exact": true
            },
            "stratified_p": null
          }
        },
        {
          "workload": "tpch-q02",
          "outcome": "failed",
          "trials": 6,
          "fired": 5,
          "void": 1,
          "completed": 4,
          "wall_ns_median": null,
          "against_whole": null
        },
        {
          "workload": "tpch-q18",
          "outcome": "completed",
          "trials": 6,
          "fired": 6,
          "void": 0,
          "completed": 6,
          "wall_ns_median": 1808099999.5,
          "against_whole": {
            "value": 2.1428571435343673,
            "interval": {
              "low": 2.1311649653958806,
              "high": 2.1546310832025117
            },
            "verdict": "not_interleaved",
            "mann_whitney": {
              "u": 36.0,
              "p_two_sided": 0.0021645021645021645,
              "exact": true
            },
            "stratified_p": null
          }
        }
      ]
    }
    "#);
}

#[test]
fn trials_with_faults_change_no_number_of_those_without() {
    let alone = compared(&[runs::nodes()]);
    let both = compared(&[runs::nodes(), runs::faults()]);
    let (alone, both) = (&alone.tables[0], &both.tables[0]);
    let mut family = both.families[0].clone();
    assert_eq!(std::mem::take(&mut family.faults).len(), 2);
    assert_eq!((&family, &both.noise, &both.baseline), (&alone.families[0], &alone.noise, &alone.baseline));
    assert_eq!(both.contestants[..alone.contestants.len()], alone.contestants);
}

#[test]
fn a_trial_whose_fault_did_not_fire_is_void_and_in_no_recovery_statistic() {
    let case = runs::case("q", "actor", 4, 1);
    let trials = runs::trials(&case, 3, 100.0);
    let late = Hurt { fired: None, detected: None, recovered: None, repeated: 99, ..KILL };
    let run = run_of(trials.into_iter().zip([KILL, late, KILL]).map(|(t, h)| runs::hurt(t, &[h])).collect());
    let report = report(&[run], "actor kill@50%");
    assert_eq!((report.trials, report.fired, report.void, report.completed), (3, 2, 1, 2));
    assert_eq!(report.void_reasons, ["the job ended first"]);
    let effect = &report.effects[0];
    assert_eq!((effect.detected, effect.detection_ns_median), (2, Some(5e6)));
    assert_eq!((effect.recovery_ns_median, effect.tasks_repeated_median), (Some(30e6), Some(2.0)));
}

#[test]
fn wasted_work_is_the_time_of_repeated_tasks_over_the_time_of_all_and_unknown_where_nobody_measured_it() {
    let case = runs::case("q", "actor", 4, 1);
    let waste = |wasted: [Option<u64>; 3]| {
        let trials = runs::trials(&case, 3, 100.0).into_iter().zip(wasted);
        let run = run_of(trials.map(|(t, wasted)| runs::hurt(t, &[Hurt { wasted, ..KILL }])).collect());
        let effect = report(&[run], "actor kill@50%").effects.remove(0);
        (effect.repeated_ns_median, effect.wasted_share_median)
    };
    assert_eq!(waste([Some(10), Some(30), Some(20)]), (Some(20e6), Some(0.2)));
    assert_eq!(waste([Some(10), None, None]), (Some(10e6), Some(0.1)));
    assert_eq!(waste([None; 3]), (None, None));
}

#[test]
fn a_trial_that_failed_without_a_word_belongs_to_the_faults_its_run_planned() {
    let case = runs::case("q", "actor", 4, 1);
    let mut trials: Vec<Observation> =
        runs::trials(&case, 2, 100.0).into_iter().map(|t| runs::hurt(t, &[KILL])).collect();
    trials.push(fixture::ended(&case, 2, Outcome::Failed, "the owner died"));
    for words in [["--faults", "kill@50%"].as_slice(), ["--faults=kill@50%"].as_slice()] {
        let run = runs::run("hurt", words, trials.clone());
        let comparison = compared(&[run]);
        assert_eq!(comparison.tables[0].contestants.len(), 1, "{words:?}");
        let family = &comparison.tables[0].families[0];
        let report = &family.faults[0];
        assert_eq!((report.trials, report.fired, report.completed, report.unrecorded), (3, 2, 2, 1));
        assert!(family.workloads.is_empty() && family.totals.is_empty());
    }
}

#[test]
fn the_time_under_faults_is_over_that_of_the_same_engine_on_the_same_nodes() {
    let both = [runs::nodes(), runs::faults()];
    let actor = report(&both, "actor/4 kill@50%");
    assert_eq!(actor.whole.as_deref(), Some("actor/4"));
    // Whole, four nodes take 1.1 x 0.7 of the time of one.
    let ratio = actor.against_whole.unwrap();
    // A trial that failed without a word denies its workload a time.
    assert_eq!(ratio.common, 2);
    assert!((ratio.total.value - 1.3 / (1.1 * 0.7)).abs() < 0.01, "{}", ratio.total.value);
    let alone = report(&[runs::faults()], "actor kill@50%");
    assert_eq!((alone.whole, alone.against_whole), (None, None));
    assert!(text(&[runs::faults()], Format::Table).contains("what the faults cost is unknown"));
}

#[test]
fn a_workload_that_some_fired_trial_failed_has_no_time_under_faults() {
    let report = report(&[runs::nodes(), runs::faults()], "stagedag/4 kill@50%");
    let case = report.cases.iter().find(|c| c.workload == "tpch-q02").unwrap();
    assert_eq!((case.outcome, case.fired, case.void, case.completed), (Outcome::Failed, 5, 1, 4));
    assert_eq!((case.wall_ns_median, case.against_whole), (None, None));
    assert_eq!(report.against_whole.unwrap().common, 2);
}

#[test]
fn a_wrong_answer_under_faults_comes_first_in_the_report_even_if_the_fault_did_not_fire() {
    let case = runs::case("q", "actor", 4, 1);
    let late = Hurt { fired: None, detected: None, recovered: None, ..KILL };
    let wrong = runs::hurt(fixture::ended(&case, 0, Outcome::WrongAnswer, "5 rows, not 4"), &[late]);
    let comparison = compared(&[run_of(vec![wrong])]);
    assert_eq!(comparison.wrong_answers[0].contestant, "actor kill@50%");
    assert_eq!(comparison.tables[0].families[0].faults[0].cases[0].outcome, Outcome::WrongAnswer);
}

#[test]
fn an_engine_that_cannot_be_hurt_has_no_trials_under_faults() {
    let case = runs::case("q", "datafusion", 1, 2);
    let refused = fixture::ended(&case, 0, Outcome::Unsupported, "there is no node to hurt");
    let run = runs::run("hurt", &["--faults", "kill@50%"], vec![refused]);
    let comparison = compared(std::slice::from_ref(&run));
    assert!(comparison.tables[0].families[0].faults.is_empty());
    assert!(text(&[run], Format::Table).contains("unsupported: there is no node to hurt"));
}

#[test]
fn every_fault_of_a_plan_has_a_row_of_its_own() {
    let case = runs::case("q", "actor", 4, 1);
    let pause =
        Hurt { fault: "pause@random", fired: Some(50), detected: None, recovered: None, repeated: 0, wasted: Some(0) };
    let trials = runs::trials(&case, 4, 100.0).into_iter();
    let run = run_of(trials.map(|t| runs::hurt(t, &[KILL, Hurt { ..pause }])).collect());
    let text = text(&[run], Format::Table);
    insta::assert_snapshot!(part(&text, "sql under faults", "How this"), @r#"
    sql under faults: medians of the trials in which every fault fired

    engine                 fault        n fired void comp…ted detected ms recovered ms repeated time…ree
    ----------------------------------------------------------------------------------------------------
    actor kill@…use@random kill@50%     4     4    0 4 of 4          5.00         30.0 2, 5.0 % -
                           pause@random                                 -            - 0, 0.0 %

    - detected and recovered: from firing to noticing, and to the end of the last task that ran again;
      (k) where only k of the fired trials have one. Void: a fault did not fire, so the trial shows
      nothing about recovery and is in no other number. Repeated: tasks, and their share of the time
      that all tasks took on their slots (wasted work)
    - actor kill@50%,pause@random: what the faults cost is unknown: no run of the same engine on the
      same nodes without --faults was given
    "#);
}
