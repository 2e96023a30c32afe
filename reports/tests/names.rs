//! Two folders of one name are two runs: in every report, table, page and row.

mod fixture;
#[path = "fixture/scenario.rs"]
mod scenario;

use bench_record::{DatasetContext, Run, Timestamp};
use bench_reports::claims::{assess, built_in};
use bench_reports::cost::{PriceBook, price};
use bench_reports::gate::{GateOptions, gate};
use bench_reports::recommend::{Question, recommend};
use bench_reports::{Format, Ink, Options, Rows, compare, compare_with_sources, csv, html, render, rows};
use scenario::scenario;

/// The fixture in a folder, begun so many seconds after it.
fn run_in(folder: &str, later_s: u64) -> Run {
    fixture::later(1000 * later_s, Run { path: folder.into(), ..fixture::run() })
}

/// The same with twice the data: a table apart.
fn larger(mut run: Run) -> Run {
    run.context.datasets = run
        .context
        .datasets
        .into_iter()
        .map(|d| DatasetContext { bytes: 2 * d.bytes, checksum: "b0".into(), ..d })
        .collect();
    run
}

#[test]
fn two_folders_of_one_name_are_told_apart_wherever_a_run_is_named() {
    let runs = [run_in("a/run", 0), run_in("b/run", 1)];
    let (comparison, sources) = compare_with_sources(&runs, &Options::default()).unwrap();
    assert_eq!(comparison.tables[0].runs, ["a/run", "b/run"]);
    let mut named: Vec<&str> = comparison.wrong_answers.iter().map(|i| i.run.as_str()).collect();
    named.dedup();
    assert_eq!(named, ["a/run"], "the first such trial");
    let page = html(&comparison, &sources, &[]).unwrap();
    assert!(page.contains("<td>a/run</td>") && page.contains("<td>b/run</td>") && !page.contains("<td>run</td>"));
    let text = String::from_utf8(csv(&rows(&comparison, &sources, Rows::Observations).unwrap()).unwrap()).unwrap();
    let from = |run: &str| text.lines().skip(1).filter(|l| l.starts_with(&format!("{run},"))).count();
    assert_eq!(
        (from("a/run"), from("b/run"), from("run")),
        (runs[0].observations.len(), runs[1].observations.len(), 0)
    );
}

#[test]
fn what_a_run_cost_is_computed_from_that_run_and_not_from_its_namesake() {
    let runs = [run_in("a/run", 0), larger(run_in("b/run", 1))];
    let book = PriceBook::parse(bench_reports::cost::built_in("aws").unwrap()).unwrap();
    let comparison = compare(&runs, &Options::default()).unwrap();
    let pricing = price(&comparison, &runs, &book, &scenario()).unwrap();
    let sql = pricing.families.iter().filter(|f| f.family == bench_record::Family::Sql);
    let read: Vec<f64> = sql.map(|f| f.usages[0].data.as_ref().unwrap().0.get()).collect();
    assert_eq!(read.len(), 2);
    assert!((read[1] / read[0] - 2.0).abs() < 1e-9, "{read:?}");
}

#[test]
fn gate_claims_and_recommendations_name_them_as_the_report_does() {
    let sides = ([run_in("base/run", 0)], [run_in("new/run", 1)]);
    let options = GateOptions { budget: &|_| 0.0, allowed: &|_, _| None, may_lack: &|_| false, relative_to: None };
    let found = gate(&sides.0, &sides.1, &options).unwrap();
    assert_eq!((found.base.runs, found.new.runs), (vec!["base/run".to_owned()], vec!["new/run".to_owned()]));

    let mut runs = [run_in("a/run", 0), run_in("b/run", 1)];
    runs.iter_mut().for_each(|run| run.context.finished_at = None::<Timestamp>);
    let mix = "sql=100".parse().unwrap();
    let question = Question {
        mix: &mix,
        data_bytes: None,
        nodes: None,
        required: &[],
        pricing: None,
        styles: &[],
        text_bytes: None,
    };
    let noted = [
        compare(&runs, &Options::default()).unwrap().notes,
        assess(&built_in().unwrap(), &runs).unwrap().notes,
        recommend(&question, &built_in().unwrap(), &runs).unwrap().notes,
    ];
    for notes in noted {
        for name in ["a/run", "b/run"] {
            assert!(notes.iter().any(|n| n.starts_with(&format!("{name}: not finished"))), "{name}: {notes:?}");
        }
    }
}

#[test]
fn what_every_contestant_was_set_to_is_said_once_and_in_no_label() {
    let set = |mut run: Run, to: fn(&str) -> String| {
        for o in &mut run.observations {
            o.case.variant = to(&o.case.engine);
            o.key = o.case.key();
        }
        run.context.engines.iter_mut().for_each(|e| e.variant = to(&e.name));
        run
    };
    let said = |run: Run| {
        let runs = [run];
        let (comparison, sources) = compare_with_sources(&runs, &Options::default()).unwrap();
        let labels: Vec<String> = comparison.tables[0].contestants.iter().map(|c| c.label.clone()).collect();
        let pages = [render(&comparison, Format::Table, Ink::Plain), html(&comparison, &sources, &[]).unwrap()];
        (labels, pages.map(|page| page.matches("Everybody here ran with spans=on; names leave that out.").count()))
    };
    let all = set(run_in("all", 0), |_| "spans=on".into());
    assert_eq!(said(all), (["stagedag", "datafusion", "datafusion-1t"].map(str::to_owned).to_vec(), [1, 1]));
    let one_more =
        set(run_in("more", 0), |engine| if engine == "stagedag" { "memory=4GiB,spans=on" } else { "spans=on" }.into());
    assert_eq!(said(one_more).0[0], "stagedag+memory=4GiB");
    let some = set(run_in("some", 0), |engine| if engine == "stagedag" { "spans=on" } else { "default" }.into());
    assert_eq!(said(some), (["stagedag+spans=on", "datafusion", "datafusion-1t"].map(str::to_owned).to_vec(), [0, 0]));
}
