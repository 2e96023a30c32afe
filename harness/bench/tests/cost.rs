//! What work costs, as a user asks: from a run that was just made, with built-in and own prices, and with bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use serde_json::Value;
use std::fs;

#[test]
fn a_run_is_priced_in_every_format_and_again_at_other_prices() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q0[16]", "--engines", "stagedag,datafusion"];
    p.bench(&[&run[..], &["--trials", "2", "--out", out.as_str()]].concat()).assert_code(0);
    for format in ["table", "md", "json", "focus", "svg", "html"] {
        let ran = p.bench(&["cost", &out, "--prices", "aws", "--as", "stagedag=spark", "--format", format]);
        ran.assert_code(0);
        let again = p.bench(&["cost", &out, "--prices", "aws", "--as", "stagedag=spark", "--format", format]);
        assert!(!ran.stdout.is_empty() && ran.stdout == again.stdout, "{format}");
    }
    // Twice the prices of instances cost twice as much.
    let ran = p.bench(&["cost", "--print-prices", "aws"]);
    ran.assert_code(0);
    let dear = ran.stdout.replace("price = 0.096,", "price = 0.192,").replace("name = \"aws\"", "name = \"dear\"");
    // One series alone must stay linear.
    let dear: String = dear.replace("name = \"m6i.large\"", "name = \"mine.large\"");
    fs::write(p.file("dear.toml"), dear).unwrap();
    let file = p.path("dear.toml");
    let workers = |prices: &str, instance: &str| {
        let ran = p.bench(&["cost", &out, "--prices", prices, "--instance", instance, "--format", "json"]);
        ran.assert_code(0);
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        json["pricings"][0]["families"][0]["offers"][0]["lines"][0]["per_month"]["base"].as_f64().unwrap()
    };
    let ratio = workers(&file, "mine.large") / workers("aws", "m6i.large");
    assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
    let both = p.bench(&["cost", &out, "--prices", "aws", "--prices", &file]);
    both.assert_code(0);
    assert!(both.stdout.contains("The same runs at the prices of aws and dear"), "{}", both.stdout);
}

#[test]
fn what_cannot_be_priced_says_what_would_help() {
    let p = Program::new();
    p.bench(&["cost", "nowhere", "--prices", "aws"]).assert_refused(&["nowhere is not a run"]);
    p.bench(&["cost", "nowhere", "--prices", "mars"]).assert_refused(&["price book mars", "aws, azure, gcp"]);
    p.bench(&["cost", "--print-prices", "../aws"]).assert_refused(&["no price book `../aws`", "aws, azure, gcp"]);
    p.bench(&["cost", "nowhere"]).assert_refused(&["--prices"]);
    // As the file lies among the sources, where there is none.
    let ran = p.bench(&["cost", "nowhere", "--prices", "reports/prices/aws.toml"]);
    ran.assert_refused(&["there is no file reports/prices/aws.toml", "built-in book aws", "nowhere is not a run"]);
    for other in ["prices/mars.toml", "mine/aws.toml", "prices/aws"] {
        p.bench(&["cost", "nowhere", "--prices", other]).assert_refused(&["cannot open price book", other]);
    }
    fs::create_dir(p.file("prices")).unwrap();
    fs::write(p.file("prices/aws.toml"), "schema = ").unwrap();
    p.bench(&["cost", "nowhere", "--prices", "prices/aws.toml"])
        .assert_refused(&["prices/aws.toml", "TOML parse error"]);
    p.bench(&["cost", "nowhere", "--prices", "aws", "--tb-per-month", "nan"]).assert_refused(&["above 0"]);
    let book = |text: &str| {
        fs::write(p.file("bad.toml"), text).unwrap();
        p.bench(&["cost", "nowhere", "--prices", &p.path("bad.toml")])
    };
    let good = p.bench(&["cost", "--print-prices", "aws"]).stdout;
    book("schema = ").assert_refused(&["bad.toml", "TOML parse error"]);
    book(&good.replacen("price = 0.096,", "price = nan,", 1))
        .assert_refused(&["instance.m6i.large.on_demand", "no price"]);
    book(&good.replacen("price = 0.096,", "price = -1.0,", 1)).assert_refused(&["instance.m6i.large.on_demand", "-1"]);
    book(&good.replacen("price = 0.096,", "price = 0.188,", 1)).assert_refused(&["m6i.large", "Windows licence"]);
    book(&good.replacen("vcpus = 2", "vcpus = 2\ncolor = 1", 1)).assert_refused(&["color"]);
    book(&"#".repeat(10 << 20)).assert_refused(&["larger than 1048576 bytes"]);
}
