//! Every format whole.

use super::*;

#[test]
fn what_an_engine_says_links_nowhere_and_calls_nobody_in_a_comment() {
    let mut new = side(1, "new", same);
    for o in new.iter_mut().flat_map(|run| &mut run.observations).filter(|o| o.case.workload == "tpch-q02") {
        *o = Observation {
            arm: o.arm,
            ..fixture::ended(&o.case, o.trial, Outcome::Failed, "see https://evil.example www.evil.example @octocat")
        };
    }
    let gate = judge(&side(0, "old", same), &new).unwrap();
    let text = write(&gate, GateFormat::Markdown, Ink::Plain);
    assert!(text.contains("octocat") && text.contains("evil"), "{text}");
    for live in ["https://", "www.", "@octocat"] {
        assert!(!text.contains(live), "{live}: {text}");
    }
}

#[test]
fn the_same_runs_give_the_same_bytes_and_sides_swap_into_each_other() {
    let text = |gate: &Gate| write(gate, GateFormat::Json, Ink::Plain);
    assert_eq!(text(&judged(mixed)), text(&judged(mixed)));
    let back = judge(&side(1, "new", mixed), &side(0, "old", same)).unwrap();
    assert_eq!(status(&back, "tpch-q03"), Status::Faster);
    assert_eq!(status(&back, "tpch-q09"), Status::Slower);
}

#[test]
fn the_table_fits_a_terminal() {
    let text = write(&judged(mixed), GateFormat::Table, Ink::Plain);
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text, @r#"
    Verdict: regression
    ===================

    - 2 cases are slower than their budgets allow

    NEW new, new-1, new-2 [0.1.0 (new)] against BASE old, old-1, old-2 [0.1.0 (old)]: 32 cases of 1gb,
    warm-1; 28 of them fine.

    Regressions: 2
    --------------

    workload  engine    status  base s  new s   ratio       bounds  budget      p      n
    ------------------------------------------------------------------------------------
    tpch-q03  stagedag  slower   0.150  0.180  1.200x  1.200–1.200    5.0%  <.001  36+36
    tpch-q07  stagedag  slower   0.350  0.378  1.080x  1.080–1.080    5.0%  <.001  36+36

    - sql tpch-q03 on stagedag: 20.0 % slower, perhaps 20.0 %; the budget is 5.0 %
    - sql tpch-q07 on stagedag: 8.0 % slower, perhaps 8.0 %; the budget is 5.0 %

    Improvements: 1
    ---------------

    workload  engine    status  base s  new s   ratio       bounds  budget      p      n
    ------------------------------------------------------------------------------------
    tpch-q09  stagedag  faster   0.450  0.360  0.800x  0.800–0.800    5.0%  <.001  36+36

    Slower within budget: 1
    -----------------------

    workload  engine    status         base s  new s   ratio       bounds  budget      p      n
    -------------------------------------------------------------------------------------------
    tpch-q11  stagedag  within budget   0.550  0.564  1.025x  1.025–1.025    5.0%  <.001  36+36

    How sure this is
    ----------------

    family  A/A cases  A/A floor  between processes  between runs  turns  visible slow-down
    ---------------------------------------------------------------------------------------
    sql            32       0.1%               0.1%          0.0%      3               0.0%

    - slower or faster: the bootstrap interval of the ratio lies apart from 1, the effect is above the
      A/A floor, and both trials and turns say so with p of at most 0.01 after Holm's correction in the
      family.
    - fine: over three turns of BASE and NEW or more, the upper bound of the ratio is within the budget.
    - machine 048219d77a3e3fb3: Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4,
      tcp bbr
    "#);
}

#[test]
fn markdown_is_a_comment_on_a_change() {
    insta::assert_snapshot!(write(&judged(mixed), GateFormat::Markdown, Ink::Plain), @r#"
    # Verdict: regression

    - 2 cases are slower than their budgets allow

    NEW new, new-1, new-2 \[0.1.0 (new)\] against BASE old, old-1, old-2 \[0.1.0 (old)\]: 32 cases of 1gb, warm-1; 28 of them fine.

    ## Regressions: 2

    | workload | engine | status | base s | new s | ratio | bounds | budget | p | n |
    |---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | tpch-q03 | stagedag | slower | 0.150 | 0.180 | 1.200x | 1.200–1.200 | 5.0% | \<.001 | 36+36 |
    | tpch-q07 | stagedag | slower | 0.350 | 0.378 | 1.080x | 1.080–1.080 | 5.0% | \<.001 | 36+36 |

    - sql tpch-q03 on stagedag: 20.0 % slower, perhaps 20.0 %; the budget is 5.0 %
    - sql tpch-q07 on stagedag: 8.0 % slower, perhaps 8.0 %; the budget is 5.0 %

    ## Improvements: 1

    | workload | engine | status | base s | new s | ratio | bounds | budget | p | n |
    |---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | tpch-q09 | stagedag | faster | 0.450 | 0.360 | 0.800x | 0.800–0.800 | 5.0% | \<.001 | 36+36 |

    ## Slower within budget: 1

    | workload | engine | status | base s | new s | ratio | bounds | budget | p | n |
    |---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | tpch-q11 | stagedag | within budget | 0.550 | 0.564 | 1.025x | 1.025–1.025 | 5.0% | \<.001 | 36+36 |

    ## How sure this is

    | family | A/A cases | A/A floor | between processes | between runs | turns | visible slow-down |
    |---|---:|---:|---:|---:|---:|---:|
    | sql | 32 | 0.1% | 0.1% | 0.0% | 3 | 0.0% |

    - slower or faster: the bootstrap interval of the ratio lies apart from 1, the effect is above the A/A floor, and both trials and turns say so with p of at most 0.01 after Holm's correction in the family.
    - fine: over three turns of BASE and NEW or more, the upper bound of the ratio is within the budget.
    - machine 048219d77a3e3fb3: Example CPU @&#8203; 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4, tcp bbr
    "#);
}

#[test]
fn github_shows_what_counts() {
    insta::assert_snapshot!(write(&judged(mixed), GateFormat::Github, Ink::Plain), @r#"
    ::error title=bench%3A regression::2 cases are slower than their budgets allow
    ::error title=sql tpch-q03 on stagedag::20.0 %25 slower, perhaps 20.0 %25; the budget is 5.0 %25
    ::error title=sql tpch-q07 on stagedag::8.0 %25 slower, perhaps 8.0 %25; the budget is 5.0 %25
    "#);
}

#[test]
fn junit_has_a_test_per_case_and_counts_them_right() {
    let gate = judged(mixed);
    let text = write(&gate, GateFormat::Junit, Ink::Plain);
    let count = |what: &str| text.matches(what).count();
    assert_eq!((count("<testcase "), count("<failure "), count("<skipped ")), (32, 2, 0));
    assert!(text.contains("tests=\"32\" failures=\"2\" errors=\"0\" skipped=\"0\""), "{text}");
    let head: String = text.lines().take(9).map(|l| format!("{l}\n")).collect();
    insta::assert_snapshot!(head, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="bench compare" tests="32" failures="2" errors="0" skipped="0" time="12.225354" timestamp="2026-11-22T19:05:05" hostname="048219d77a3e3fb3" id="0" package="bench">
        <properties>
          <property name="verdict" value="regression"/>
          <property name="base" value="0.1.0 (old)"/>
          <property name="new" value="0.1.0 (new)"/>
          <property name="machine" value="Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4, tcp bbr"/>
        </properties>
    "#);
}

#[test]
fn sarif_has_a_result_per_case_that_deserves_a_look() {
    let text = write(&judged(mixed), GateFormat::Sarif, Ink::Plain);
    let sarif: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0];
        assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "new/observations.ndjson");
        assert!(place["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap().starts_with("sql/tpch-q"));
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&results[0]).unwrap(), @r#"
    {
      "level": "error",
      "locations": [
        {
          "logicalLocations": [
            {
              "fullyQualifiedName": "sql/tpch-q03/stagedag",
              "kind": "function",
              "name": "tpch-q03"
            }
          ],
          "physicalLocation": {
            "artifactLocation": {
              "uri": "new/observations.ndjson"
            },
            "region": {
              "startLine": 1
            }
          }
        }
      ],
      "message": {
        "text": "sql tpch-q03 on stagedag: 20.0 % slower, perhaps 20.0 %; the budget is 5.0 %"
      },
      "partialFingerprints": {
        "benchCase/v1": "tpch-q03.stagedag.ff5e8eee54962778"
      },
      "properties": {
        "baseTrials": 36,
        "bounds": {
          "high": 1.2001827045497724,
          "low": 1.1998494692161528
        },
        "budget": 0.05,
        "floor": 0.001030024382382866,
        "newTrials": 36,
        "pAdjusted": 9.821515185923522e-12,
        "ratio": 1.200011997540504,
        "turns": 3
      },
      "ruleId": "slower",
      "ruleIndex": 2
    }
    "#);
}

#[test]
fn a_case_that_new_lacks_is_an_error_of_junit_and_a_warning_of_sarif_unless_that_is_accepted() {
    let gate = cut_short(&OPTIONS);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Inconclusive, 3));
    let junit = write(&gate, GateFormat::Junit, Ink::Plain);
    assert!(junit.contains("tests=\"32\" failures=\"0\" errors=\"2\" skipped=\"0\""), "{junit}");
    assert_eq!((junit.matches("<testcase ").count(), junit.matches("<error type=\"missing-case\"").count()), (32, 2));
    assert!(
        junit.contains("<testcase classname=\"sql.stagedag\" name=\"sql tpch-q16 on stagedag\" time=\"0\">"),
        "{junit}"
    );
    let sarif: serde_json::Value = serde_json::from_str(&write(&gate, GateFormat::Sarif, Ink::Plain)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2, "{sarif}");
    for (result, key) in results.iter().zip(gate.missing.iter().map(|m| &m.key)) {
        let rule = &sarif["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(result["ruleId"], "missing-case");
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(result["level"], "warning");
        assert_eq!(result["partialFingerprints"]["benchCase/v1"], key.as_str());
        let place = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
        assert!(place.as_str().unwrap().starts_with("sql/tpch-q16/"), "{result}");
    }
    let accepted = cut_short(&GateOptions { may_lack: &|case| case.workload == "tpch-q16", ..OPTIONS });
    assert_eq!(accepted.verdict, Verdict::Fine);
    assert!(!write(&accepted, GateFormat::Junit, Ink::Plain).contains("<error"));
    let sarif: serde_json::Value = serde_json::from_str(&write(&accepted, GateFormat::Sarif, Ink::Plain)).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(0));
}

#[test]
fn names_from_results_are_text_in_every_format() {
    let hostile = "a<b>&\"'|`[x](y)`\u{1b}[2J\r\n::error::x,%0A\u{ffff}\u{202e}";
    let rename = |mut run: Run| {
        for o in run.observations.iter_mut().filter(|o| o.case.workload == "tpch-q03") {
            o.case.workload = hostile.into();
            o.key = o.case.key();
        }
        run.path = "results/a b/%<x>".into();
        run
    };
    let slow = |w: &str, e: &str| if (w, e) == ("tpch-q03", "stagedag") { 1.3 } else { 1.0 };
    let gate = judge(
        &side(0, "old", same).into_iter().map(rename).collect::<Vec<_>>(),
        &side(1, "new", slow).into_iter().map(rename).collect::<Vec<_>>(),
    )
    .unwrap();
    assert_eq!(gate.verdict, Verdict::Regression);
    for format in [GateFormat::Table, GateFormat::Markdown, GateFormat::Junit, GateFormat::Sarif, GateFormat::Github] {
        let text = write(&gate, format, Ink::Plain);
        assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{format:?}: {text}");
    }
    let junit = write(&gate, GateFormat::Junit, Ink::Plain);
    assert!(junit.contains("a&lt;b&gt;&amp;&quot;&apos;|") && !junit.contains('\u{ffff}'), "{junit}");
    let markdown = write(&gate, GateFormat::Markdown, Ink::Plain);
    assert!(markdown.contains("a\\<b\\>\\&\"'\\|\\`\\[x\\]") && !markdown.contains("<b>"), "{markdown}");
    let github = write(&gate, GateFormat::Github, Ink::Plain);
    assert!(
        github.lines().all(|l| ["::error ", "::warning ", "::notice "].iter().any(|c| l.starts_with(c))),
        "{github}"
    );
    assert!(github.contains("%3A%3Aerror%3A%3Ax%2C%250A"), "{github}");
    assert!(write(&gate, GateFormat::Sarif, Ink::Plain).contains("\"uri\": \"%25%3Cx%3E/observations.ndjson\""));
}
