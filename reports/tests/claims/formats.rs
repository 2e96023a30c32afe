//! Every format, whole, and nothing in it obeyed.

use crate::products::{as_claimed, moved, observations, run};
use crate::{QUERIES, assessed};
use bench_reports::claims::{assess, built_in, html, page, render};
use bench_reports::{Format, Ink, WIDTH};
use std::collections::BTreeMap;

/// A decided claim, a style beside it, one that needs something else and one of a page's worth of evidence.
fn sample() -> String {
    format!(
        "{QUERIES}[[claim]]\nid = \"start\"\ngroup = \"Resources\"\nkind = \"measurable\"\ntext = \"start-up time\"\n\
         says = {{ spark = \"10-30 s\" }}\n[[claim.test]]\nreading = \"Spark starts in 10 to 30 s\"\nmetric = \"start_up\"\n\
         range = {{ of = \"spark\", low = 10, high = 30, unit = \"s\" }}\n[[claim]]\n\
         id = \"people\"\ngroup = \"Resources\"\nkind = \"qualitative\"\ntext = \"people\"\n\
         needs = \"cited as of its date; no run decides it\"\n"
    )
}

fn runs() -> Vec<bench_record::Run> {
    let mut all = as_claimed();
    all.extend(observations(&[("taskgraph", 1.0), ("actor", 0.9), ("stagedag", 1.1)]));
    vec![run("a", all)]
}

#[test]
fn the_table_keeps_its_width_and_says_everything() {
    let text = render(&assessed(&sample(), &runs()), Format::Table, Ink::Plain);
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn markdown_says_the_same() {
    insta::assert_snapshot!(render(&assessed(&sample(), &runs()), Format::Markdown, Ink::Plain));
}

#[test]
fn json_has_every_number() {
    let text = render(&assessed(&sample(), &runs()), Format::Json, Ink::Plain);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    insta::assert_snapshot!(text);
}

#[test]
fn html_says_the_same() {
    insta::assert_snapshot!(html(&assessed(&sample(), &runs()), &BTreeMap::new()));
}

/// What is said of the claims that come with the program, on one line.
fn built_in_text(runs: &[bench_record::Run]) -> String {
    let text = render(&assess(&built_in().unwrap(), runs).unwrap(), Format::Table, Ink::Plain);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_several_claims_share_is_said_once() {
    let text = built_in_text(&runs());
    for once in [
        "deploy.managed, tool.debugging: cited as of its date; no run decides it",
        "mem.overhead, startup: bench overhead --engines dask --trials 10",
        "1gb, warm-1, local, 1 node x 2 slots",
        "Example CPU @ 2.0 GHz",
        "results/a/observations.ndjson",
    ] {
        assert_eq!(text.matches(once).count(), 1, "{once}: {text}");
    }
    assert!(!text.contains('…'), "nothing is cut: {text}");
}

#[test]
fn evidence_of_several_machines_says_which() {
    let mut other = run("b", as_claimed());
    other.context.machine.cpu_model = "Another CPU".into();
    other.context.machine.cores = 64;
    let mut all = runs();
    all.push(other);
    let report = assessed(&sample(), &all);
    let text = render(&report, Format::Markdown, Ink::Plain);
    let line = |start: &str| text.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
    let (a, b) = (line("- a: "), line("- b: "));
    assert!(
        a.contains("CPU") && b.contains("CPU") && a.contains("Another CPU") != b.contains("Another CPU"),
        "{a}\n{b}"
    );
    assert!(
        text.contains("| direct | a |") && text.contains("| direct | b |") && !text.contains("one machine"),
        "{text}"
    );
}

#[test]
fn products_as_they_come_and_tuned_are_told_apart() {
    let mut all = as_claimed();
    all.extend(moved(observations(&[("dask", 1.0), ("ray", 0.9), ("spark", 1.3)]), |c| {
        c.variant = "config=tuned".into()
    }));
    let text = render(&assessed(QUERIES, &[run("a", all)]), Format::Markdown, Ink::Plain);
    for part in [
        "inconclusive (the configurations do not agree",
        "; direct on a: supported; direct, tuned (dask+config=tuned for Dask, ",
        ") on a: contradicted",
        "| direct, tuned | a | Dask / Ray |",
        "wall time, tuned: Dask / Ray",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_a_source_states_has_a_column_only_where_it_states_something() {
    let has = |text: &str| render(&assessed(text, &runs()), Format::Markdown, Ink::Plain).contains("| stated |");
    assert!(has(QUERIES));
    assert!(!has(&QUERIES.replace("stated = { dask = 12, ray = 15, spark = 18 }", "")));
}

#[test]
fn color_repeats_what_words_say() {
    let report = assessed(&sample(), &runs());
    let colored = render(&report, Format::Table, Ink::Color);
    let plain =
        ["32", "31", "2", "0"].iter().fold(colored.clone(), |t, code| t.replace(&format!("\u{1b}[{code}m"), ""));
    assert_ne!(colored, plain);
    assert_eq!(plain, render(&report, Format::Table, Ink::Plain));
}

#[test]
fn the_same_folders_give_the_same_bytes() {
    for format in [Format::Table, Format::Markdown, Format::Json] {
        let once = || render(&assess(&built_in().unwrap(), &runs()).unwrap(), format, Ink::Plain);
        assert_eq!(once(), once());
    }
}

const HOSTILE: &str = "<script>alert(1)</script>\"'|`=cmd\u{1b}[2J\u{202e}[x](y)";

/// A run and a file that say hostile things wherever text may be.
fn hostile() -> bench_reports::claims::ClaimsReport {
    let quoted = HOSTILE.replace('\\', "\\\\").replace('"', "\\\"").replace('\u{1b}', "\\u001b");
    let text = sample()
        .replace("A table of numbers", &quoted)
        .replace("Queries", &quoted)
        .replace("name = \"Ray\"", &format!("name = \"{quoted}\""))
        .replace("\"12\"", &format!("\"{quoted}\""))
        .replace("cited as of its date", &quoted)
        .replace("Dask takes less", &quoted);
    let mut all = crate::products::broken(as_claimed(), "spark", bench_record::Outcome::Failed);
    all.iter_mut().filter_map(|o| o.reason.as_mut()).for_each(|r| *r = HOSTILE.into());
    let mut run = run("a", all);
    run.path = format!("results/{HOSTILE}").into();
    run.context.machine.cpu_model = HOSTILE.into();
    assessed(&text, &[run])
}

#[test]
fn no_text_of_a_run_or_a_file_is_markup_or_a_terminal_command() {
    let report = hostile();
    for shown in [html(&report, &BTreeMap::new()), page(HOSTILE, &html(&report, &BTreeMap::new()))] {
        assert!(!shown.contains("<script") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
        assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;|`=cmd [2J[x](y)"), "{shown}");
        assert_eq!(shown.matches("<table").count(), shown.matches("</table>").count());
    }
    let markdown = render(&report, Format::Markdown, Ink::Plain);
    for mark in ["<", ">", "]", "`"] {
        assert_eq!(
            markdown.matches(mark).count(),
            markdown.matches(&format!("\\{mark}")).count(),
            "{mark}: {markdown}"
        );
    }
    let text = render(&report, Format::Table, Ink::Plain);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = page("Claims and evidence", &html(&assessed(&sample(), &runs()), &BTreeMap::new()));
    for word in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    for word in ["default-src 'none'", "prefers-color-scheme: dark", "<html lang=\"en\">", "width=device-width"] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn keys_lead_to_the_trials_that_the_same_page_lists() {
    let report = assessed(&sample(), &runs());
    let mut links = report.groups.iter().flat_map(|g| &g.claims).flat_map(|c| &c.tests).flat_map(|t| &t.evidence);
    let key = links.find_map(|e| e.links.first()).unwrap().key.clone();
    let places = BTreeMap::from([(key.clone(), "t0-o7".to_owned())]);
    let linked = html(&report, &places);
    assert!(linked.contains(&format!("<a class=\"o\" href=\"#t0-o7\"><code>{key}</code></a>")), "{linked}");
    assert!(!html(&report, &BTreeMap::new()).contains("<a "));
}
