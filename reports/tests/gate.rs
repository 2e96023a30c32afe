//! Two builds side by side: every status, every refusal, and every format whole.
//!
//! Long because: inline snapshots of whole documents take the room.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod fixture;

use bench_record::{Arm, Case, Family, Observation, Outcome, Protocol, Run};
use bench_reports::cost::{Count, PriceBook, Purchase, built_in};
use bench_reports::gate::{
    Gate, GateError, GateFormat, GateOptions, GatePrices, Status, Uncertainty, Verdict, confirm, gate,
    price_slow_downs, write,
};
use bench_reports::{Ink, WIDTH};

const TRIALS: u32 = 12;

/// Times around a middle, another order for each seed, all different.
fn trials(case: &Case, arm: Arm, ms: f64, spread: f64, seed: u32) -> Vec<Observation> {
    let steps = [0.3, -1.0, 0.05, 1.0, -0.4, 0.7, -0.7, 0.15, -0.15, 0.5, -0.55, -0.02];
    let time = |i: u32| ms * (1.0 + spread * steps[((i * 5 + seed) % 12) as usize] + 1e-5 * f64::from(seed));
    (0..TRIALS).map(|i| fixture::completed(case, arm, i, time(i))).collect()
}

/// A run of 16 SQL workloads on two engines, datafusion with its twin; `factor` says what became of a case.
fn run(second: u64, build: &str, factor: impl Fn(&str, &str) -> f64) -> Run {
    let mut run = fixture::later(second * 1000, fixture::run());
    run.path = format!("results/{build}").into();
    run.context.bench.build_id = build.into();
    run.context.workloads.clear();
    run.observations.clear();
    for number in 1..=16u32 {
        let workload = format!("tpch-q{number:02}");
        for (engine, ms) in [("datafusion", 40.0), ("stagedag", 50.0)] {
            let case = fixture::case(Family::Sql, &workload, engine);
            let ms = ms * f64::from(number) * factor(&workload, engine);
            let seed = number + second as u32 % 7;
            run.observations.extend(trials(&case, Arm::Main, ms, 0.01, seed));
            if engine == "datafusion" {
                run.observations.extend(trials(&case, Arm::Twin, ms * 1.001, 0.01, seed + 3));
            }
        }
    }
    run
}

fn same(_: &str, _: &str) -> f64 {
    1.0
}

/// What a change did: two slower, one faster, and within the budget.
fn mixed(workload: &str, engine: &str) -> f64 {
    match (workload, engine) {
        ("tpch-q03", "stagedag") => 1.2,
        ("tpch-q07", "stagedag") => 1.08,
        ("tpch-q09", "stagedag") => 0.8,
        ("tpch-q11", "stagedag") => 1.025,
        _ => 1.0,
    }
}

fn judge(base: &[Run], new: &[Run]) -> Result<Gate, GateError> {
    gate(base, new, &GateOptions { budget: &|_| 0.05, allowed: &|_, _| None, relative_to: None })
}

fn judged(factor: impl Fn(&str, &str) -> f64) -> Gate {
    judge(&[run(0, "old", same)], &[run(60, "new", factor)]).unwrap()
}

fn status(gate: &Gate, workload: &str) -> Status {
    gate.findings.iter().find(|f| f.case.workload == workload && f.case.engine == "stagedag").unwrap().status
}

#[test]
fn equal_runs_are_fine() {
    let gate = judged(same);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Fine, 0), "{gate:#?}");
    assert!(gate.findings.iter().all(|f| f.status == Status::Fine));
}

#[test]
fn each_case_gets_the_status_that_its_times_bear_out() {
    let gate = judged(mixed);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Regression, 1));
    assert_eq!(status(&gate, "tpch-q03"), Status::Slower);
    assert_eq!(status(&gate, "tpch-q07"), Status::Slower);
    assert_eq!(status(&gate, "tpch-q09"), Status::Faster);
    assert_eq!(status(&gate, "tpch-q11"), Status::WithinBudget);
    assert_eq!(status(&gate, "tpch-q01"), Status::Fine);
    let slow_down = gate.slow_downs().find(|s| s.finding.case.workload == "tpch-q03" && s.ratio > 1.1).unwrap();
    assert!((slow_down.new_hours / slow_down.base_hours - 1.2).abs() < 0.01);
}

#[test]
fn too_few_trials_are_inconclusive_and_say_how_many_would_do() {
    let few = |mut run: Run| {
        run.observations.retain(|o| o.trial < 5);
        run
    };
    let gate = judge(&[few(run(0, "old", same))], &[few(run(60, "new", mixed))]).unwrap();
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Inconclusive, 3));
    let slow = gate.findings.iter().find(|f| f.case.workload == "tpch-q03" && f.case.engine == "stagedag").unwrap();
    assert!(
        slow.suspect && matches!(slow.uncertainty, Some(Uncertainty::Trials { needed }) if needed >= 7),
        "{slow:?}"
    );
    assert!(gate.reasons.iter().any(|r| r.contains("--confirm")), "{:?}", gate.reasons);
}

#[test]
fn without_an_a_a_arm_nothing_is_claimed() {
    let alone = |mut run: Run| {
        run.observations.retain(|o| o.arm == Arm::Main);
        run
    };
    let gate = judge(&[alone(run(0, "old", same))], &[alone(run(60, "new", mixed))]).unwrap();
    assert_eq!(gate.verdict, Verdict::Inconclusive);
    assert!(gate.findings.iter().all(|f| f.uncertainty == Some(Uncertainty::NoTwin)));
}

#[test]
fn wrong_answers_and_new_failures_are_regressions_whatever_the_times() {
    let mut new = run(60, "new", same);
    for o in new.observations.iter_mut().filter(|o| o.case.engine == "stagedag" && o.trial == 3) {
        let outcome = match o.case.workload.as_str() {
            "tpch-q02" => Outcome::WrongAnswer,
            "tpch-q05" => Outcome::Failed,
            _ => continue,
        };
        *o = Observation { trial: 3, ..fixture::ended(&o.case, 3, outcome, "why") };
    }
    let gate = judge(&[run(0, "old", same)], std::slice::from_ref(&new)).unwrap();
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Regression, 1));
    assert_eq!((status(&gate, "tpch-q02"), status(&gate, "tpch-q05")), (Status::WrongAnswer, Status::NewlyFailing));
    let back = judge(&[new.clone()], &[run(90, "newer", same)]).unwrap();
    assert_eq!((back.verdict, status(&back, "tpch-q02")), (Verdict::Fine, Status::Fixed));
    let mut again = new.clone();
    again.context.started_at = run(90, "newer", same).context.started_at;
    assert_eq!(status(&judge(&[new], &[again]).unwrap(), "tpch-q02"), Status::StillFailing);
}

#[test]
fn everything_slower_and_nothing_faster_is_the_harness_unless_an_engine_is_spared() {
    let gate = judged(|_, _| 1.2);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::HarnessSuspect, 2));
    assert!(gate.reasons[0].contains("every engine is affected"), "{:?}", gate.reasons);
    let one_engine = judged(|_, engine| if engine == "stagedag" { 1.2 } else { 1.0 });
    assert_eq!(one_engine.verdict, Verdict::Regression);
}

#[test]
fn an_allowed_regression_does_not_count_and_is_still_shown() {
    let allowed = |case: &Case, status: Status| {
        (status == Status::Slower && case.workload.starts_with("tpch-q0")).then(|| "see #7".to_owned())
    };
    let options = GateOptions { budget: &|_| 0.05, allowed: &allowed, relative_to: None };
    let gate = gate(&[run(0, "old", same)], &[run(60, "new", mixed)], &options).unwrap();
    assert_eq!(gate.verdict, Verdict::Fine);
    assert!(write(&gate, GateFormat::Markdown, Ink::Plain).contains("allowed for now: see #7"));
    assert!(write(&gate, GateFormat::Sarif, Ink::Plain).contains("\"justification\": \"see #7\""));
}

#[test]
fn a_second_measurement_decides_about_suspects_alone() {
    let few = |mut run: Run, n: u32| {
        run.observations.retain(|o| o.trial < n);
        run
    };
    let first = judge(&[few(run(0, "old", same), 5)], &[few(run(60, "new", mixed), 5)]).unwrap();
    let suspects: Vec<_> = first.findings.iter().filter(|f| f.suspect).map(|f| f.key.clone()).collect();
    assert!(!suspects.is_empty());
    let only = |mut run: Run| {
        run.observations.retain(|o| suspects.contains(&o.key) || o.arm == Arm::Twin || o.case.engine == "datafusion");
        run
    };
    let second = judge(&[only(run(100, "old", same))], &[only(run(160, "new", mixed))]).unwrap();
    let merged = confirm(first.clone(), second, true);
    assert_eq!((merged.verdict, status(&merged, "tpch-q03")), (Verdict::Regression, Status::Slower));
    assert_eq!(status(&merged, "tpch-q01"), status(&first, "tpch-q01"));
    assert!(write(&merged, GateFormat::Table, Ink::Plain).contains("measured again, both builds in turns"));
}

#[test]
fn runs_that_do_not_belong_together_are_refused_with_the_next_step() {
    let (base, new) = (run(0, "old", same), run(60, "new", same));
    let refused = |change: &dyn Fn(&mut Run)| {
        let mut other = new.clone();
        change(&mut other);
        judge(std::slice::from_ref(&base), &[other]).unwrap_err().to_string()
    };
    assert!(
        judge(std::slice::from_ref(&base), std::slice::from_ref(&base)).unwrap_err().to_string().contains("same run")
    );
    assert!(refused(&|r| r.context.machine.cores = 64).contains("--relative-to"));
    assert!(refused(&|r| r.context.datasets[0].checksum = "other".into()).contains("holds other bytes"));
    assert!(refused(&|r| r.context.command_line.push("--faults=kill@50%".into())).contains("faults"));
    let protocol = refused(&|r| {
        for o in &mut r.observations {
            o.case.protocol = Protocol::ColdProcess;
            o.key = o.case.key();
        }
    });
    assert!(protocol.contains("they differ in protocol: warm-1 and cold-process"), "{protocol}");
    assert!(refused(&|r| r.observations.clear()).contains("nothing recorded"));
    assert!(judge(&[], std::slice::from_ref(&base)).unwrap_err().to_string().contains("BASE"));
    let mixed_builds = [base.clone(), run(30, "other", same)];
    assert!(judge(&mixed_builds, &[new]).unwrap_err().to_string().contains("one build"));
}

#[test]
fn relative_times_compare_two_machines_and_need_their_engine() {
    let mut new = run(60, "new", |workload, engine| 1.7 * mixed(workload, engine));
    new.context.machine.cores = 64;
    let options = |engine| GateOptions { budget: &|_| 0.05, allowed: &|_, _| None, relative_to: Some(engine) };
    let found = gate(&[run(0, "old", same)], std::slice::from_ref(&new), &options("datafusion")).unwrap();
    assert!(found.findings.iter().all(|f| f.case.engine == "stagedag"));
    // The only twin is the reference's own, so nobody knows the noise of the others.
    assert!(found.findings.iter().all(|f| f.uncertainty == Some(Uncertainty::NoTwin)));
    assert_eq!(found.slow_downs().count(), 0);
    let error = gate(&[run(0, "old", same)], &[new], &options("spark")).unwrap_err().to_string();
    assert!(error.contains("`spark` has no completed trial") && error.contains("datafusion, stagedag"), "{error}");
}

#[test]
fn a_slow_down_costs_so_much_more_a_year_and_nothing_else_is_priced() {
    let new = [run(60, "new", mixed)];
    let book = PriceBook::parse(built_in("aws").unwrap()).unwrap();
    let prices = GatePrices { book: &book, runs_per_day: Count::new(1000.0).unwrap() };
    let gate = price_slow_downs(judge(&[run(0, "old", same)], &new).unwrap(), &new, &prices);
    let priced: Vec<_> =
        gate.findings.iter().filter(|f| f.yearly.is_some()).map(|f| f.case.workload.as_str()).collect();
    assert_eq!(priced, ["tpch-q03", "tpch-q07"]);
    let found = gate.findings.iter().find(|f| f.case.workload == "tpch-q03" && f.yearly.is_some()).unwrap();
    let yearly = found.yearly.as_ref().unwrap();
    // 20 % of 150 ms, a thousand times a day, on two cores at the price of the smallest machine that has them.
    let hourly = book.instance(&yearly.instance).unwrap().hourly(Purchase::OnDemand).unwrap().base.per_unit().get();
    let expected = 0.2 * 0.150 / 3600.0 * 1000.0 * 365.25 * hourly;
    assert!((yearly.base / expected - 1.0).abs() < 0.02, "{} and {expected}", yearly.base);
    assert!(yearly.low <= yearly.base && yearly.base <= yearly.high && yearly.instances == 1);
    assert!(found.said.contains("USD more a year") && found.said.contains(&yearly.instance), "{}", found.said);
    let json = write(&gate, GateFormat::Json, Ink::Plain);
    assert!(json.contains("\"runs_per_day\": 1000.0") && json.contains("\"currency\": \"USD\""), "{json}");
}

#[test]
fn cases_of_one_side_are_listed() {
    let mut base = run(0, "old", same);
    base.observations.retain(|o| o.case.workload != "tpch-q16");
    let mut new = run(60, "new", same);
    new.observations.retain(|o| o.case.workload != "tpch-q15");
    let gate = judge(&[base], &[new]).unwrap();
    let missing: Vec<(&str, &str)> = gate.missing.iter().map(|m| (m.label.as_str(), m.from)).collect();
    assert_eq!(missing[0], ("sql tpch-q15 on datafusion", "new"));
    assert_eq!(missing.len(), 4);
    assert!(
        write(&gate, GateFormat::Table, Ink::Plain).contains("not in BASE, so not judged: sql tpch-q16 on datafusion")
    );
}

#[test]
fn the_same_runs_give_the_same_bytes_and_sides_swap_into_each_other() {
    let text = |gate: &Gate| write(gate, GateFormat::Json, Ink::Plain);
    assert_eq!(text(&judged(mixed)), text(&judged(mixed)));
    let back = judge(&[run(60, "new", mixed)], &[run(0, "old", same)]).unwrap();
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

    NEW new [0.1.0 (new)] against BASE old [0.1.0 (old)]: 32 cases of 1gb, warm-1; 28 of them fine.

    Regressions: 2
    --------------

    workload  engine    status  base s  new s   ratio       bounds  budget      p      n
    ------------------------------------------------------------------------------------
    tpch-q03  stagedag  slower   0.150  0.180  1.200x  1.193–1.207    5.0%  <.001  12+12
    tpch-q07  stagedag  slower   0.350  0.378  1.080x  1.074–1.086    5.0%  <.001  12+12

    - sql tpch-q03 on stagedag: 20.0 % slower, perhaps 20.7 %; the budget is 5.0 %
    - sql tpch-q07 on stagedag: 8.0 % slower, perhaps 8.6 %; the budget is 5.0 %

    Improvements: 1
    ---------------

    workload  engine    status  base s  new s   ratio       bounds  budget      p      n
    ------------------------------------------------------------------------------------
    tpch-q09  stagedag  faster   0.450  0.360  0.800x  0.795–0.805    5.0%  <.001  12+12

    Slower within budget: 1
    -----------------------

    workload  engine    status         base s  new s   ratio       bounds  budget      p      n
    -------------------------------------------------------------------------------------------
    tpch-q11  stagedag  within budget   0.550  0.564  1.025x  1.019–1.031    5.0%  <.001  12+12

    How sure this is
    ----------------

    family  A/A cases  A/A floor  between processes  between runs  visible slow-down
    --------------------------------------------------------------------------------
    sql            32       0.1%               0.0%          0.0%               0.6%

    - slower or faster: the bootstrap interval of the ratio lies apart from 1, the effect is above the
      A/A floor, and p after Holm's correction over all cases is at most 0.01.
    - fine: the upper bound of the ratio, noise between runs included, is within the budget.
    - machine 048219d77a3e3fb3: Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4,
      tcp bbr
    "#);
}

#[test]
fn markdown_is_a_comment_on_a_change() {
    insta::assert_snapshot!(write(&judged(mixed), GateFormat::Markdown, Ink::Plain), @r#"
    # Verdict: regression

    - 2 cases are slower than their budgets allow

    NEW new \[0.1.0 (new)\] against BASE old \[0.1.0 (old)\]: 32 cases of 1gb, warm-1; 28 of them fine.

    ## Regressions: 2

    | workload | engine | status | base s | new s | ratio | bounds | budget | p | n |
    |---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | tpch-q03 | stagedag | slower | 0.150 | 0.180 | 1.200x | 1.193–1.207 | 5.0% | \<.001 | 12+12 |
    | tpch-q07 | stagedag | slower | 0.350 | 0.378 | 1.080x | 1.074–1.086 | 5.0% | \<.001 | 12+12 |

    - sql tpch-q03 on stagedag: 20.0 % slower, perhaps 20.7 %; the budget is 5.0 %
    - sql tpch-q07 on stagedag: 8.0 % slower, perhaps 8.6 %; the budget is 5.0 %

    ## Improvements: 1

    | workload | engine | status | base s | new s | ratio | bounds | budget | p | n |
    |---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | tpch-q09 | stagedag | faster | 0.450 | 0.360 | 0.800x | 0.795–0.805 | 5.0% | \<.001 | 12+12 |

    ## Slower within budget: 1

    | workload | engine | status | base s | new s | ratio | bounds | budget | p | n |
    |---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | tpch-q11 | stagedag | within budget | 0.550 | 0.564 | 1.025x | 1.019–1.031 | 5.0% | \<.001 | 12+12 |

    ## How sure this is

    | family | A/A cases | A/A floor | between processes | between runs | visible slow-down |
    |---|---:|---:|---:|---:|---:|
    | sql | 32 | 0.1% | 0.0% | 0.0% | 0.6% |

    - slower or faster: the bootstrap interval of the ratio lies apart from 1, the effect is above the A/A floor, and p after Holm's correction over all cases is at most 0.01.
    - fine: the upper bound of the ratio, noise between runs included, is within the budget.
    - machine 048219d77a3e3fb3: Example CPU @ 2.0 GHz, 2 cores, 24.0 GiB, Linux 6.18.0, disk vda ext4, tcp bbr
    "#);
}

#[test]
fn github_shows_what_counts() {
    insta::assert_snapshot!(write(&judged(mixed), GateFormat::Github, Ink::Plain), @r#"
    ::error title=bench%3A regression::2 cases are slower than their budgets allow
    ::error title=sql tpch-q03 on stagedag::20.0 %25 slower, perhaps 20.7 %25; the budget is 5.0 %25
    ::error title=sql tpch-q07 on stagedag::8.0 %25 slower, perhaps 8.6 %25; the budget is 5.0 %25
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
      <testsuite name="bench compare" tests="32" failures="2" errors="0" skipped="0" time="12.225415" timestamp="2026-11-22T19:05:05" hostname="048219d77a3e3fb3" id="0" package="bench">
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
        "text": "sql tpch-q03 on stagedag: 20.0 % slower, perhaps 20.7 %; the budget is 5.0 %"
      },
      "partialFingerprints": {
        "benchCase/v1": "tpch-q03.stagedag.ff5e8eee54962778"
      },
      "properties": {
        "baseTrials": 12,
        "bounds": {
          "high": 1.206865554583572,
          "low": 1.193163590989755
        },
        "budget": 0.05,
        "floor": 0.0010300237462093076,
        "newTrials": 12,
        "pAdjusted": 0.000023667273633621728,
        "ratio": 1.200047991361555
      },
      "ruleId": "slower",
      "ruleIndex": 2
    }
    "#);
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
    let gate = judge(&[run(0, "old", same)].map(rename), &[run(60, "new", slow)].map(rename)).unwrap();
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
