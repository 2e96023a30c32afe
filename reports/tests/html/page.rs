//! What the page says, and that it says the same every time.

use crate::{fixture, page_of, runs, samples};
use bench_reports::{Options, Section, compare_with_sources, html};

/// The text of a section without markup and figures, a line per block.
fn text(page: &str, id: &str) -> String {
    let from = page.find(&format!("<section id=\"{id}\"")).unwrap();
    let section = &page[from..from + page[from..].find("</section>").unwrap()];
    let mut out = String::new();
    let mut rest = section;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let tag = &rest[at..];
        if let Some(after) = tag.strip_prefix("<svg") {
            rest = &after[after.find("</svg>").unwrap() + 6..];
            continue;
        }
        let block = ["<p", "<h", "<tr", "<li", "<div", "</table", "<fig", "<article", "<caption"];
        out.push_str(if block.iter().any(|b| tag.starts_with(b)) { "\n" } else { "" });
        let cell = ["<td", "<th ", "<br"].iter().any(|b| tag.starts_with(b));
        out.push_str(if cell { " | " } else { "" });
        rest = &tag[tag.find('>').unwrap() + 1..];
    }
    let lines = out.lines().map(|l| l.trim().trim_start_matches("| ").to_owned()).filter(|l| !l.is_empty());
    lines.collect::<Vec<_>>().join("\n").replace("&#39;", "'")
}

#[test]
fn the_verdicts_are_sentences_with_their_uncertainty() {
    insta::assert_snapshot!(text(&page_of(&[fixture::run()]), "t0-verdicts"), @"");
}

#[test]
fn the_matrix_has_a_winner_only_where_there_is_one() {
    insta::assert_snapshot!(text(&page_of(&[runs::nodes()]), "t0-matrix"), @"");
}

#[test]
fn a_family_has_its_times_cost_and_spans() {
    insta::assert_snapshot!(text(&page_of(&[fixture::run()]), "t0-sql"), @"");
}

#[test]
fn failures_noise_and_method_are_told() {
    let page = page_of(&[fixture::run()]);
    insta::assert_snapshot!(text(&page, "t0-failures"), @"");
    insta::assert_snapshot!(text(&page, "t0-noise"), @"");
    let method = text(&page, "t0-method");
    for said in [
        "Example CPU @ 2.0 GHz",
        "warm-1 (one engine process",
        "bench run",
        "bench report run-a --format html -o report.html",
    ] {
        assert!(method.contains(said), "{said}: {method}");
    }
}

#[test]
fn sections_of_other_commands_stand_before_the_observations() {
    let runs = [fixture::run()];
    let (comparison, sources) = compare_with_sources(&runs, &Options::default()).unwrap();
    let further = Section { id: "cost-model".into(), title: "Money & time".into(), body_html: "<p>12 USD</p>".into() };
    let page = html(&comparison, &sources, &[further]).unwrap();
    assert!(page.contains("<li><a href=\"#cost-model\">Money &amp; time</a></li>"));
    let at = |what: &str| page.find(what).unwrap();
    assert!(at("id=\"t0-method\"") < at("<p>12 USD</p>") && at("<p>12 USD</p>") < at("id=\"t0-observations\""));
}

#[test]
fn the_same_runs_give_the_same_bytes_and_nothing_is_fetched() {
    for (name, runs) in samples() {
        let page = page_of(&runs);
        assert_eq!(page, page_of(&runs), "{name}");
        for fetched in ["http:", "https:", "src=", "url(", "@import", " style="] {
            assert!(!page.contains(fetched), "{name}: {fetched}");
        }
    }
}

#[test]
fn every_observation_is_on_the_page_with_its_line() {
    let run = fixture::run();
    let page = page_of(std::slice::from_ref(&run));
    assert!(page.matches("<tr><th scope=\"row\">").count() >= run.observations.len());
    for (at, o) in run.observations.iter().enumerate() {
        assert!(
            page.contains(&format!("<code>{}</code>", o.key))
                && page.contains(&format!("<td class=\"num\">{}</td>", at + 1))
        );
    }
}
