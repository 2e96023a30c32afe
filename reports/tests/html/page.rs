//! What the page says, and that it says the same every time.

use crate::samples::{page_of, samples};
use crate::{fixture, probes, runs};
use bench_record::{Arm, Family, Outcome, Run};
use bench_reports::{Format, Ink, Options, Section, compare_all, compare_with_sources, html, html_by, render};

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
    insta::assert_snapshot!(text(&page_of(&[fixture::run()]), "t0-verdicts"), @r#"
    Verdicts
    SQL
    datafusion is fastest. The next, stagedag, takes 1.20 times as long (bootstrap range, n = 5: 1.17–1.22), on the 2 of 4 workloads that both completed.
    total time relative to datafusion; bars: bootstrap range, n = 5; band: what 95 % of A/A pairs stay within
    Of 4 workloads: datafusion wins 1, 3 have no winner. Completed: stagedag 2 of 4; datafusion-1t 2 of 4, 1 unsupported.
    Dataframe
    datafusion is fastest. The next, stagedag, takes 1.15 times as long (bootstrap range, n = 4: 1.14–1.17).
    total time relative to datafusion; bars: bootstrap range, n = 4; band: what 95 % of A/A pairs stay within
    Of 1 workload: datafusion wins 1. Not run: datafusion-1t.
    "#);
}

#[test]
fn the_matrix_has_a_winner_only_where_there_is_one() {
    insta::assert_snapshot!(text(&page_of(&[runs::nodes()]), "t0-matrix"), @r#"
    Engines by family
    Total time over the best engine's, per family
    engine | SQL
    actor/1 | 1.57 × | 1.57–1.58
    actor/2 | 1.81 × | 1.80–1.81
    actor/4 | 1.10 × | 1.10–1.10
    taskgraph/1 | 1.71 × | 1.71–1.72
    taskgraph/2 | 1.97 × | 1.96–1.98
    taskgraph/4 | 1.20 × | 1.20–1.20
    stagedag/1 | 1.43 × | 1.42–1.43
    stagedag/2 | 1.64 × | 1.64–1.65
    stagedag/4 | 1.20 s | fastest
    datafusion | 1.43 × | 1.42–1.43
    Sums of median times over the workloads that both completed, relative to the engine with the least of those that completed the most; below that 95 % interval. An engine is called fastest only where every other one was shown to be slower; n/a: it supports no work of the family. Not measured in these runs: dataframe. Of training and streaming this version has no workloads.
    "#);
}

#[test]
fn a_family_has_its_times_cost_and_spans() {
    insta::assert_snapshot!(text(&page_of(&[fixture::run()]), "t0-sql"), @r#"
    SQL
    Ratios to datafusion
    stagedag
    datafusion-1t
    Time relative to datafusion: left of 1 is faster. Bars: bootstrap range, n = 5; filled marks are differences that were shown, hollow ones were not; band: what 95 % of A/A pairs stay within.
    Times
    sql median times, CPU and memory peaks per workload and engine
    workload | engine | time ms | range | n | against the best | CPU s | memory MiB
    tpch-q01 | stagedag | 512.0 | 501.8–522.2 | 5 | 1.25 × 1.22–1.28 | 0.922 | 280
    tpch-q01 | datafusion | 410.0 | 401.8–418.2 | 5 | fastest | 0.738 | 280
    tpch-q01 | datafusion-1t | 790.0 | 782.1–797.9 | 5 | 1.93 × 1.89–1.97 | 0.711 | 240
    tpch-q02 | stagedag | 94.0 | 92.1–95.9 | 5 | shortest, no winner | 0.169 | 280
    tpch-q02 | datafusion | 95.0 | 93.1–96.9 | 5 | indistinguishable 0.98–1.04 | 0.171 | 280
    tpch-q02 | datafusion-1t | 130.0 | 128.7–131.3 | 5 | 1.38 × 1.36–1.41 | 0.117 | 240
    tpch-q18 | stagedag | - | - | 5 | failed, 4 of 5 completed engine process ended with signal 9 | - | -
    tpch-q18 | datafusion | 1204.0 | 1192.0–1216.0 | 5 |  | 2.167 | 280
    tpch-q18 | datafusion-1t | - | - | 5 | timed out no answer after 60 s | - | -
    tpch-q21 | stagedag | - | - | 5 | wrong answer row 3 differs: expected 4 rows, found 5 | - | -
    tpch-q21 | datafusion | 640.0 | 633.6–646.4 | 5 |  | 1.152 | 280
    tpch-q21 | datafusion-1t | - | - | 1 | unsupported no correlated subqueries | - | -
    Totals
    sql totals, ratios to datafusion
    engine | completed | total s | penalties | ratio of totals | geometric mean of ratios | over
    stagedag | 2 of 4 | 1200.61 | 2 | 1.20 × 1.17–1.22 | 1.11 × 1.09–1.13 | 2
    datafusion | 4 of 4 | 2.35 | 0 | baseline | baseline | -
    datafusion-1t | 2 of 4, 1 unsupported | 1200.92 | 2 | 1.82 × 1.79–1.85 | 1.62 × 1.60–1.65 | 2
    COST
    sql COST: cores needed to beat one thread
    engine | COST | total time over the single thread's | faster on | cores tried
    stagedag | at most 2 cores | 0.66 × 0.65–0.67 | 2 of 2 | 2
    datafusion | at most 2 cores | 0.55 × 0.54–0.56 | 2 of 2 | 2
    The mark is the fastest single-threaded run of each workload, of datafusion-1t (McSherry, Isard, Murray, HotOS 2015).
    Where slot time went
    stagedag
    Share of all slot time (slots × makespan). Waiting is grey; what no kind accounts for is unknown.
    sql slot time by kind, %
    engine | submit | deserialize | compute | shuffle write | idle barrier | unknown | slot seconds | trials
    stagedag | 2.0 | 5.0 | 70.0 | 13.0 | 10.0 | 0.0 | 6.058 | 10
    Memory
    Largest resident memory of all processes of the engine, a circle per workload; the line is the middle one. The table of times has the numbers. Of several processes it is what was seen at once: see how this was measured.
    "#);
}

#[test]
fn failures_noise_and_method_are_told() {
    let page = page_of(&[fixture::run()]);
    insta::assert_snapshot!(text(&page, "t0-failures"), @r#"
    Did not complete
    Cases that did not complete, with the reason in the first such trial
    workload | engine | family | outcome | trials | reason | run
    tpch-q21 | stagedag | sql | wrong answer | 5 | row 3 differs: expected 4 rows, found 5 | run-a
    tpch-q18 | stagedag | sql | failed | 1 | engine process ended with signal 9 | run-a
    tpch-q18 | datafusion-1t | sql | timed out | 5 | no answer after 60 s | run-a
    tpch-q21 | datafusion-1t | sql | unsupported | 1 | no correlated subqueries | run-a
    "#);
    insta::assert_snapshot!(text(&page, "t0-noise"), @r#"
    Noise floor
    A/A noise floor: the same engine measured twice differs by 1.0 % in the middle, 95 % of 2 cases by no more than 1.0 %
    Difference between an engine and the same engine measured once more, a circle per workload. No smaller effect is claimed.
    difference between an engine and its A/A twin
    family | workload | difference %
    sql | tpch-q01 | 1.0
    sql | tpch-q02 | 1.0
    contaminated: 2 of 77 trials; 2 left out, for they were repeated or 2 clean ones of the same case and arm remain
    contaminated and left out: groupby-q01 on stagedag (2)
    "#);
    let method = text(&page, "t0-method");
    for said in ["Example CPU @ 2.0 GHz", "warm-1 (one engine process", "bench run"] {
        assert!(method.contains(said), "{said}: {method}");
    }
}

#[test]
fn the_page_names_the_command_that_wrote_it_as_it_was_given() {
    let runs = [fixture::run()];
    let (comparison, sources) = compare_with_sources(&runs, &Options::default()).unwrap();
    let words =
        ["bench", "report", "results/run a", "../run-b", "--baseline", "stagedag", "--prices", "aws", "-o", "x.html"];
    let page = html_by(&comparison, &sources, &[], &words.map(str::to_owned)).unwrap();
    let wanted = "bench report 'results/run a' ../run-b --baseline stagedag --prices aws -o x.html";
    assert!(text(&page, "t0-method").contains(wanted), "{}", text(&page, "t0-method"));
    assert!(!text(&page_of(&runs), "t0-method").contains("bench report"), "nobody knows the command");
}

/// A run of these engines on two queries, so many trials of so many milliseconds each; the first has an A/A arm.
fn of(engines: &[(&str, f64)], trials: u32) -> Run {
    let mut all = Vec::new();
    for (workload, longer) in [("a", 1.0), ("b", 3.0)] {
        for (at, (engine, ms)) in engines.iter().enumerate() {
            let case = fixture::case(Family::Sql, workload, engine);
            for i in 0..trials {
                let step = 1.0 + f64::from((i * 7) % 11) / 1000.0;
                all.push(fixture::completed(&case, Arm::Main, i, ms * longer * step));
                if at == 0 {
                    all.push(fixture::completed(&case, Arm::Twin, i, ms * longer * step));
                }
            }
        }
    }
    Run { observations: all, ..fixture::run() }
}

/// The sentence of the first family, whose first run has this name.
fn sentence(runs: &[Run]) -> String {
    let verdicts = text(&page_of(runs), "t0-verdicts");
    verdicts.lines().nth(2).unwrap().to_owned()
}

#[test]
fn every_reason_for_a_winner_or_none_has_a_sentence_of_its_own() {
    let two = |trials| of(&[("datafusion", 100.0), ("stagedag", 150.0)], trials);
    let without_arm = |mut run: Run| {
        run.observations.retain(|o| o.arm == Arm::Main);
        run
    };
    let spoilt_arm = |mut run: Run| {
        run.observations.iter_mut().filter(|o| o.arm == Arm::Twin).for_each(|o| o.contaminated = true);
        run
    };
    let disturbed = |mut run: Run| {
        run.observations.iter_mut().filter(|o| o.case.engine == "stagedag").for_each(|o| o.contaminated = true);
        run
    };
    let only = |engine: &str, name: &str, later: u64| {
        let mut run = two(6);
        run.observations.retain(|o| o.case.engine == engine);
        fixture::later(later, Run { path: format!("results/{name}").into(), ..run })
    };
    let failing = |mut run: Run, engine: &str, workload: &str| {
        for o in run.observations.iter_mut().filter(|o| o.case.engine == engine && o.case.workload == workload) {
            *o = fixture::ended(&o.case.clone(), o.trial, Outcome::Failed, "gone");
        }
        run.observations.dedup_by_key(|o| (o.key.clone(), o.arm, o.trial));
        run
    };
    let ahead_on_less = failing(of(&[("stagedag", 100.0), ("datafusion", 150.0)], 6), "stagedag", "b");
    let apart = failing(failing(two(6), "stagedag", "a"), "datafusion", "b");
    let nobody = {
        let all = failing(failing(two(6), "stagedag", "a"), "stagedag", "b");
        failing(failing(all, "datafusion", "a"), "datafusion", "b")
    };
    let alone = failing(failing(two(6), "stagedag", "a"), "stagedag", "b");
    let cases: [(&[Run], &str); 12] = [
        (&[two(6)], "datafusion is fastest. The next, stagedag, takes 1.50 times as long (95 % interval: 1.49–1.51)."),
        (&[two(5)], "datafusion is fastest. The next, stagedag, takes 1.50 times as long (bootstrap range, n = 5: "),
        (
            &[of(&[("datafusion", 100.0), ("stagedag", 100.1)], 6)],
            "No winner: datafusion and stagedag are indistinguishable (",
        ),
        (
            &[disturbed(two(6))],
            "No winner: other work disturbed trials that had to be counted, so nothing is claimed of datafusion",
        ),
        (
            &[of(&[("datafusion", 100.0), ("stagedag", 150.0)], 1)],
            "No winner yet: too few trials to tell datafusion from stagedag",
        ),
        (
            &[only("datafusion", "one", 0), only("stagedag", "two", 1)],
            "No winner: datafusion and stagedag were not interleaved:",
        ),
        (&[without_arm(two(6))], "No winner: nobody knows the noise, for no case has an A/A arm"),
        (&[spoilt_arm(two(6))], "No winner: nobody knows the noise, for other work disturbed the A/A arm"),
        (
            &[ahead_on_less],
            "No winner: datafusion completed the most, and stagedag was faster on what both completed (",
        ),
        (&[apart], "No winner: datafusion and stagedag completed no workload in common."),
        (&[alone], "Only datafusion completed anything, so there is nothing to compare it with."),
        (&[nobody], "Nobody completed a workload."),
    ];
    for (runs, wanted) in cases {
        let said = sentence(runs);
        assert!(said.starts_with(wanted), "{wanted}\n{said}");
    }
    assert!(sentence(&[fixture::run()]).contains("on the 2 of 4 workloads that both completed"));
}

#[test]
fn what_trials_are_shown_in_depends_on_how_many_there_are() {
    let page = |trials: u32| {
        let mut run = of(&[("datafusion", 100.0)], trials);
        run.observations.retain(|o| o.arm == Arm::Main);
        text(&page_of(&[run]), "t0-observations")
    };
    let (rows, times) = (page(3_000), page(3_001));
    assert!(rows.contains("Every trial of every case.") && rows.lines().count() > 6_000);
    assert!(times.contains("too many for a row each") && times.lines().count() < 40, "{}", times.lines().count());
    assert!(times.contains("3001 trials in lines"), "{}", &times[..400]);
}

#[test]
fn overhead_stands_on_the_page_and_alone() {
    let overhead = [probes::record()];
    let runs = [fixture::run()];
    for (runs, title) in [(&runs[..], "1gb, warm-1 · overhead"), (&[], "overhead")] {
        let (comparison, sources) = compare_all(runs, &overhead, &Options::default()).unwrap();
        let page = html(&comparison, &sources, &[]).unwrap();
        assert!(page.contains(&format!("<title>{title}</title>")) && !page.contains("Nothing was recorded"), "{title}");
        let shown = text(&page, "overhead-0");
        for said in ["Before any work", "start-up s", "idle memory MiB", "ray", "Example CPU"] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        let text = render(&comparison, Format::Table, Ink::Plain);
        assert!(text.contains("What engines cost before they do any work") && text.contains("start-up"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&render(&comparison, Format::Json, Ink::Plain)).unwrap();
        assert_eq!(json["overhead"][0]["engines"][0]["label"], "ray");
    }
}

/// What numbers of a section lead to, by the text of the link.
pub(crate) fn links<'p>(page: &'p str, id: &str) -> Vec<(&'p str, &'p str)> {
    let from = page.find(&format!("<section id=\"{id}\"")).unwrap();
    let section = &page[from..from + page[from..].find("</section>").unwrap()];
    let link = |part: &'p str| {
        let (target, rest) = part.split_once('"')?;
        let text = rest.split_once('>')?.1.split_once("</a>")?.0;
        Some((text, target))
    };
    section.split("<a class=\"o\" href=\"#").skip(1).filter_map(link).collect()
}

/// The summary of the trials with this id.
pub(crate) fn summary<'p>(page: &'p str, id: &str) -> &'p str {
    let at = page.find(&format!("<div id=\"{id}\"")).unwrap();
    let before = &page[..at];
    before[before.rfind("<summary>").unwrap() + 9..].split_once("</summary>").unwrap().0
}

#[test]
fn numbers_of_weak_scaling_lead_to_the_trials_of_their_scale() {
    let page = page_of(&[runs::grown(&[1, 2, 4])]);
    let links = links(&page, "weak-scaling");
    assert!(links.len() >= 2 * 3 * 4, "{links:?}");
    // Each row's name and four numbers.
    for who in ["stagedag", "actor"] {
        let own = links.iter().filter(|(_, id)| summary(&page, id).contains(&format!(" · {who}:")));
        let tables: Vec<&str> = own.map(|(_, id)| &id[..3]).collect();
        for table in ["t0-", "t1-", "t2-"] {
            let of_table = tables.iter().filter(|t| **t == table).count();
            assert!((4..=6).contains(&of_table), "{who} in {table}: {links:?}");
        }
    }
}

#[test]
fn numbers_of_overhead_lead_to_the_trials_of_their_engine() {
    let overhead = [probes::record()];
    let (comparison, sources) = compare_all(&[], &overhead, &Options::default()).unwrap();
    let page = html(&comparison, &sources, &[]).unwrap();
    let links = links(&page, "overhead-0");
    for (engine, id) in [("ray", "overhead-0-e0"), ("dask", "overhead-0-e1")] {
        assert_eq!(summary(&page, id), format!("{engine}: 12 values"));
        // Its name, and two figures with their intervals.
        assert_eq!(links.iter().filter(|(_, target)| *target == id).count(), 5, "{links:?}");
    }
    assert!(text(&page, "overhead-0").contains("start-up | 5 | 0.805 | s"), "{}", text(&page, "overhead-0"));
}

#[test]
fn costs_lead_to_the_trials_that_they_rest_on() {
    let page = page_of(&[fixture::run()]);
    let links = links(&page, "prices");
    assert!(links.len() > 20, "{links:?}");
    for (engine, target) in links.iter().filter(|(text, _)| ["stagedag", "datafusion"].contains(text)) {
        assert!(summary(&page, target).contains(&format!(" · {engine}:")), "{target}: {}", summary(&page, target));
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
        for fetched in ["href=\"http", "src=", "url(", "@import", " style="] {
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
