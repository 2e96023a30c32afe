//! Features that are required: who has no place, and what stays open.

use crate::{about, observations, run};
use bench_record::Run;
use bench_reports::claims::{ClaimsFile, built_in};
use bench_reports::recommend::{Answer, Recommendation, features, html, recommend, render};
use bench_reports::{Format, Ink};

/// Dask is the fastest, then the style, then Spark, then Ray.
fn runs() -> Vec<Run> {
    vec![run(observations(&[("dask", 1.0, 1.0), ("stagedag", 2.0, 2.0), ("spark", 3.0, 3.0), ("ray", 4.0, 4.0)]))]
}

fn required(ids: &[&str], runs: &[Run]) -> Recommendation {
    let (claims, mix) = (built_in().unwrap(), "sql=1".parse().unwrap());
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let features = features(&claims, &ids).unwrap();
    let question = bench_reports::recommend::Question { required: &features, ..about(&mix) };
    recommend(&question, &claims, runs).unwrap()
}

fn names(r: &Recommendation) -> Vec<&str> {
    r.ranked.iter().map(|e| e.engine.as_str()).collect()
}

#[test]
fn who_is_said_to_lack_a_feature_has_no_place_and_who_would_lead_without_it_is_said() {
    let r = required(&["st.exactly_once"], &runs());
    assert_eq!(names(&r), ["stagedag", "spark"]);
    let reasons: Vec<(&str, bool)> =
        r.unranked.iter().map(|u| (u.engine.as_str(), u.because.contains("cited, not tested here"))).collect();
    assert_eq!(reasons, [("dask", true), ("ray", true)]);
    assert_eq!(r.first_without.as_deref(), Some("dask"));
    let feature = &r.required[0];
    assert_eq!((&feature.has[..], &feature.unsaid[..]), (&["spark".to_owned()][..], &["stagedag".to_owned()][..]));
}

#[test]
fn a_leader_of_whom_nothing_is_said_is_no_answer_to_the_whole_question() {
    let r = required(&["st.exactly_once"], &runs());
    assert_eq!(r.answer, Answer::LeadsElsewhere { engine: "stagedag".into() });
    assert!(
        r.because.contains("nothing is said of whether stagedag has exactly-once (st.exactly_once)"),
        "{}",
        r.because
    );
    let mut products = runs();
    products[0].observations.retain(|o| o.case.engine != "stagedag");
    // The arm of the fastest, which has no place now, still tells how noisy the machine was.
    let r = required(&["st.api"], &products);
    assert_eq!((names(&r), &r.answer), (vec!["spark", "ray"], &Answer::ClearWinner { engine: "spark".into() }));
}

#[test]
fn of_a_winner_without_rivals_it_is_said_why_there_are_none() {
    let mut products = runs();
    products[0].observations.retain(|o| ["spark", "dask"].contains(&o.case.engine.as_str()));
    let r = required(&["st.exactly_once"], &products);
    assert_eq!(r.answer, Answer::NoEvidence);
    assert!(r.because.contains("only spark completed") && r.because.contains("not said to lack"), "{}", r.because);
    let commands: Vec<&str> = r.missing.iter().filter_map(|m| m.run.as_deref()).collect();
    assert!(commands.iter().all(|c| !c.contains("dask") && !c.contains("ray")), "nobody measures them: {commands:?}");
}

#[test]
fn what_all_have_changes_nothing() {
    let (free, r) = (required(&[], &runs()), required(&["format.parquet", "format.parquet"], &runs()));
    assert_eq!((names(&r), r.required.len(), &r.first_without), (names(&free), 1, &None));
    assert_eq!((free.required.len(), &free.first_without), (0, &None));
}

#[test]
fn of_work_that_nobody_measured_claims_are_cited_and_weigh_nothing() {
    let with = crate::asked("sql=40,training=40,streaming=20", &runs());
    let ids: Vec<&str> = with.features.iter().map(|f| f.id.as_str()).collect();
    assert!(
        ids.contains(&"st.exactly_once") && ids.contains(&"ml.pytorch") && !ids.contains(&"format.hudi"),
        "{ids:?}"
    );
    let exactly_once = with.features.iter().find(|f| f.id == "st.exactly_once").unwrap();
    assert_eq!((exactly_once.has.join(" "), exactly_once.lacks.join(" ")), ("spark".into(), "dask ray".into()));
    assert_eq!(exactly_once.unsaid, ["stagedag"]);
    assert_eq!(names(&with), names(&required(&[], &runs())), "nobody loses a place by it");
    assert!(crate::asked("sql=1", &runs()).features.is_empty());
}

#[test]
fn an_id_of_no_feature_is_refused_with_those_that_are_known() {
    let claims = built_in().unwrap();
    for id in ["tb.sql", "arch.core", "st.exactly-once", "<b>"] {
        let message = features(&claims, &[id.to_owned()]).unwrap_err().to_string();
        assert!(message.contains(id) && message.contains("st.exactly_once"), "{message}");
    }
    let none: Vec<ClaimsFile> = Vec::new();
    assert!(features(&none, &["x".to_owned()]).unwrap_err().to_string().contains("`--file`"));
}

#[test]
fn every_format_says_who_is_said_to_have_it() {
    let r = required(&["st.exactly_once", "st.sources"], &runs());
    insta::assert_snapshot!(render(&r, Format::Table, Ink::Plain));
    for text in [render(&r, Format::Markdown, Ink::Plain), render(&r, Format::Json, Ink::Plain), html(&r)] {
        assert!(text.contains("exactly-once") && text.contains("Ray vs Dask vs Apache Spark"), "{text}");
    }
}
