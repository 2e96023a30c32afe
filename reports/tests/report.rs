//! Every format of the report, whole, from a fixed synthetic run.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod fixture;

use bench_record::{Journal, Run};
use bench_reports::{Comparison, Format, Ink, Options, WIDTH, compare, plot, render};

fn comparison() -> Comparison {
    compare(&[fixture::run()], &Options::default()).unwrap()
}

#[test]
fn the_table_format_says_everything_within_its_width() {
    let text = render(&comparison(), Format::Table, Ink::Plain);
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text, @"");
}

#[test]
fn the_markdown_format_says_the_same() {
    insta::assert_snapshot!(render(&comparison(), Format::Markdown, Ink::Plain), @"");
}

#[test]
fn the_json_format_is_stable() {
    // The head of the document and one workload: the shape that other programs rely on.
    let json = serde_json::to_value(comparison()).unwrap();
    let table = &json["tables"][0];
    let mut head = table.clone();
    head.as_object_mut().unwrap().retain(|k, _| !["families", "incidents", "contestants"].contains(&k.as_str()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&head).unwrap(), @"");
    insta::assert_snapshot!(serde_json::to_string_pretty(&table["families"][0]["workloads"][0]).unwrap(), @"");
    insta::assert_snapshot!(serde_json::to_string_pretty(&table["families"][0]["cost"]).unwrap(), @"");
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["wrong_answers"]).unwrap(), @"");
}

#[test]
fn json_reads_back_as_the_comparison_it_was() {
    let text = render(&comparison(), Format::Json, Ink::Plain);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, serde_json::to_value(comparison()).unwrap());
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
}

#[test]
fn a_plot_of_nothing_is_refused() {
    let mut run = fixture::run();
    run.observations.clear();
    let comparison = compare(&[run], &Options::default()).unwrap();
    assert_eq!(plot::svg(&comparison), Err(plot::PlotError::Empty));
    insta::assert_snapshot!(render(&comparison, Format::Table, Ink::Plain), @"");
}
