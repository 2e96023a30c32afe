//! Mechanisms switched off one at a time: what each is worth.

use crate::{compared, family, fixture, part, runs, text};
use bench_record::{Case, Outcome, Run};
use bench_reports::{Ablation, Format, Verdict};

fn ablations(runs: &[Run]) -> Vec<Ablation> {
    family(runs).ablations.clone()
}

/// One engine in these variants, each taking so many milliseconds on one workload.
fn variants(variants: &[(&str, f64)]) -> Run {
    let of = |(variant, ms): &(&str, f64)| {
        let case = Case { variant: (*variant).into(), ..runs::case("q", "actor", 4, 1) };
        runs::trials(&case, 6, *ms)
    };
    runs::run("variants", &[], variants.iter().flat_map(of).collect())
}

#[test]
fn mechanisms_are_sorted_by_what_they_are_worth() {
    let text = text(&[runs::ablation()], Format::Table);
    insta::assert_snapshot!(part(&text, "sql: 3", "How this"), @r#"
    sql: 3 workloads
    ----------------

    workload  engine          ms  95 % interval  n  against the best  cpu ms  MiB
    -----------------------------------------------------------------------------
    tpch-q01  stagedag     402.2    400.0–404.0  8  1.25x 1.24–1.26    362.0  240
              datafusion   321.8    320.0–323.2  8  best               579.2  280
    tpch-q02  stagedag     100.5    100.0–101.0  8  1.25x 1.25–1.26     90.5  240
              datafusion    80.4      80.0–80.8  8  best               144.8  280
    tpch-q18  stagedag    1206.6  1200.0–1212.0  8  1.25x 1.24–1.26   1085.9  240
              datafusion   965.3    960.0–969.6  8  best              1737.5  280

    Left out here: 3 contestants with a mechanism switched off; the sheet of mechanisms sums them up,
    and the JSON report has their times.

    sql totals, ratios to datafusion

    engine      completed     s  pen.  total ratio      geometric mean   over
    -------------------------------------------------------------------------
    stagedag    3 of 3     1.71     0  1.25x 1.25–1.25  1.25x 1.25–1.25     3
    datafusion  3 of 3     1.37     0  baseline         baseline            -

    sql: what each mechanism of stagedag is worth

    switched off  total without / with  over    missed most on  missed least on
    ---------------------------------------------------------------------------
    adaptive      1.58x 1.57–1.59       3 of 3  tpch-q18 1.80x  tpch-q01 1.05x
    speculation   0.93x 0.93–0.93       3 of 3  none shown      tpch-q18 0.90x

    - indistinguishable with and without: fusion 1.00–1.00
    "#);
}

#[test]
fn the_markdown_format_says_the_same() {
    let text = text(&[runs::ablation()], Format::Markdown);
    insta::assert_snapshot!(part(&text, "### sql: what", "## How this"), @r#"
    ### sql: what each mechanism of stagedag is worth

    | switched off | total without / with | over | missed most on | missed least on |
    |---|---|---|---|---|
    | adaptive | 1.58x 1.57–1.59 | 3 of 3 | tpch-q18 1.80x | tpch-q01 1.05x |
    | speculation | 0.93x 0.93–0.93 | 3 of 3 | none shown | tpch-q18 0.90x |

    - indistinguishable with and without: fusion 1.00–1.00
    "#);
}

#[test]
fn the_json_format_has_every_mechanism() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&ablations(&[runs::ablation()])[0].entries[0]).unwrap(), @r#"
    {
      "switch": "adaptive",
      "contestant": "stagedag+adaptive=off",
      "total": {
        "value": 1.5794117652143316,
        "interval": {
          "low": 1.5739253767166799,
          "high": 1.5851262402373771
        },
        "verdict": "slower",
        "mann_whitney": null,
        "stratified_p": 0.0004997501249375312
      },
      "common": 3,
      "lost": [],
      "worst": {
        "workload": "tpch-q18",
        "ratio": {
          "value": 1.80000000033151,
          "interval": {
            "low": 1.7919563069281332,
            "high": 1.8080838323353294
          },
          "verdict": "slower",
          "mann_whitney": {
            "u": 64.0,
            "p_two_sided": 0.0001554001554001554,
            "exact": true
          },
          "stratified_p": null
        }
      },
      "best": {
        "workload": "tpch-q01",
        "ratio": {
          "value": 1.050000000062158,
          "interval": {
            "low": 1.0453055154561668,
            "high": 1.0547085202475193
          },
          "verdict": "slower",
          "mann_whitney": {
            "u": 64.0,
            "p_two_sided": 0.0001554001554001554,
            "exact": true
          },
          "stratified_p": null
        }
      }
    }
    "#);
}

#[test]
fn a_study_does_not_keep_an_engine_from_winning() {
    let table = compared(&[runs::ablation()]).tables[0].clone();
    assert!(table.families[0].workloads.iter().all(|w| w.winner.as_deref() == Some("datafusion")));
    // `fusion=off` changes nothing: as a rival it would leave `stagedag` without a claim on anything.
    let mut alone = runs::ablation();
    alone.observations.retain(|o| o.case.engine == "stagedag");
    let mut slow = runs::trials(&runs::case("tpch-q01", "actor", 4, 1), 8, 4000.0);
    alone.observations.append(&mut slow);
    let table = compared(&[alone]).tables[0].clone();
    assert_eq!(table.families[0].workloads[0].winner.as_deref(), Some("stagedag"));
    let cells = &table.families[0].workloads[0].cells;
    assert_eq!(cells.len(), 5, "the data has all of them");
}

#[test]
fn one_setting_beside_the_default_is_an_ordinary_comparison() {
    let run = variants(&[("default", 100.0), ("stealing=off", 150.0)]);
    let comparison = compared(std::slice::from_ref(&run));
    assert!(comparison.tables[0].contestants.iter().all(|c| c.ablates.is_none()));
    assert_eq!(comparison.tables[0].families[0].workloads[0].winner.as_deref(), Some("actor"));
    let entry = &ablations(std::slice::from_ref(&run))[0].entries[0];
    assert_eq!((entry.switch.as_str(), entry.total.unwrap().verdict), ("stealing", Verdict::Slower));
    assert!(text(&[run], Format::Table).contains("actor+stealing=off"));
}

#[test]
fn only_one_switch_may_differ_and_the_rest_may_be_anything() {
    let run = variants(&[
        ("memory=64MiB,spans=on", 100.0),
        ("stealing=off,memory=64MiB,spans=on", 150.0),
        ("stealing=off,spilling=off,memory=64MiB,spans=on", 170.0),
        ("stealing=off", 140.0),
        ("partitions=8,memory=64MiB,spans=on", 120.0),
    ]);
    let found = ablations(&[run]);
    let [study] = found.as_slice() else { panic!("one study: {found:?}") };
    let switches: Vec<&str> = study.entries.iter().map(|e| e.switch.as_str()).collect();
    assert_eq!((study.contestant.as_str(), switches), ("actor+memory=64MiB,spans=on", vec!["stealing"]));
}

#[test]
fn other_node_counts_are_other_engines() {
    let mut run = variants(&[("default", 100.0)]);
    let off = Case { variant: "stealing=off".into(), ..runs::case("q", "actor", 2, 1) };
    run.observations.extend(runs::trials(&off, 6, 150.0));
    assert_eq!(ablations(&[run]), []);
}

#[test]
fn a_mechanism_without_which_a_workload_fails_is_never_called_indistinguishable() {
    let mut run = variants(&[("default", 100.0), ("spilling=off", 100.0), ("stealing=off", 100.0)]);
    let with = runs::case("r", "actor", 4, 1);
    run.observations.extend(runs::trials(&with, 6, 100.0));
    for variant in ["spilling=off", "stealing=off"] {
        let off = Case { variant: variant.into(), ..with.clone() };
        match variant {
            "spilling=off" => run.observations.push(fixture::ended(&off, 0, Outcome::Failed, "out of memory")),
            _ => run.observations.extend(runs::trials(&off, 6, 100.0)),
        }
    }
    let entries = &ablations(std::slice::from_ref(&run))[0].entries;
    assert_eq!((entries[0].switch.as_str(), entries[0].common, entries[0].is_shown()), ("spilling", 1, true));
    assert_eq!(entries[0].lost, ["r"]);
    let text = text(&[run], Format::Table);
    assert!(text.contains("without spilling these do not complete: r"), "{text}");
    assert!(text.contains("indistinguishable with and without: stealing 1.00"), "{text}");
}

#[test]
fn the_footer_counts_the_contestants_of_a_study_and_does_not_list_them() {
    let text = text(&[runs::ablation()], Format::Table);
    let footer = &text[text.find("How this was").unwrap()..];
    assert!(footer.contains("3 more contestants differ from one of these"), "{footer}");
    assert!(footer.contains("- stagedag: stagedag") && !footer.contains("fusion=off"), "{footer}");
}
