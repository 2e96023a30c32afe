//! Every format, whole, and nothing in it obeyed.

use crate::{asked, fixture, observations, run};
use bench_record::{Case, Outcome};
use bench_reports::recommend::{Recommendation, html, render};
use bench_reports::{Format, Ink, WIDTH};

fn sample() -> Recommendation {
    let engines = [("spark", 1.0, 2.0), ("dask", 2.0, 1.0), ("stagedag", 3.0, 3.0)];
    asked("sql=40,dataframe=20,training=40", &[run(observations(&engines))])
}

#[test]
fn the_table_keeps_its_width_and_says_everything() {
    let text = render(&sample(), Format::Table, Ink::Plain);
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn markdown_html_and_json_say_the_same() {
    insta::assert_snapshot!("markdown", render(&sample(), Format::Markdown, Ink::Plain));
    insta::assert_snapshot!("html", html(&sample()));
    insta::assert_snapshot!("json", render(&sample(), Format::Json, Ink::Plain));
}

#[test]
fn the_same_question_gives_the_same_bytes() {
    assert_eq!(render(&sample(), Format::Json, Ink::Plain), render(&sample(), Format::Json, Ink::Plain));
}

#[test]
fn no_text_of_a_run_is_markup_or_a_terminal_command() {
    let hostile = "<script>alert(1)</script>\u{1b}[2J\u{202e}";
    let mut all = observations(&[("spark", 1.0, 2.0), ("dask", 2.0, 1.0)]);
    for o in all.iter_mut().filter(|o| o.case.engine == "dask") {
        let case = Case { engine: hostile.into(), ..o.case.clone() };
        *o = fixture::ended(&case, o.trial, Outcome::Failed, hostile);
    }
    let mut run = run(all);
    run.context.machine.cpu_model = hostile.into();
    let r = asked("sql=1", &[run]);
    let page = html(&r);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && !page.contains('\u{1b}'), "{page}");
    let text = render(&r, Format::Table, Ink::Plain);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    let markdown = render(&r, Format::Markdown, Ink::Plain);
    assert_eq!(markdown.matches('<').count(), markdown.matches("\\<").count(), "{markdown}");
}
