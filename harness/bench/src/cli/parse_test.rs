//! Command lines that must be understood, and ones that must be refused with the next step.

use super::value::Timeout;
use super::{Cli, Command};
use bench_record::Protocol;
use clap::Parser;
use std::path::Path;
use std::time::Duration;

fn parse(line: &str) -> Result<Command, String> {
    Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command).map_err(|e| e.to_string())
}

fn parse_run(line: &str) -> super::run::RunArgs {
    match parse(line) {
        Ok(Command::Run(args)) => *args,
        other => panic!("{other:?}"),
    }
}

/// The command line is refused, and the message contains each of `words`.
fn check_refused(line: &str, words: &[&str]) {
    let error = parse(line).map(|c| format!("{c:?}")).unwrap_err();
    for word in words {
        assert!(error.contains(word), "`{line}` does not mention `{word}`:\n{error}");
    }
}

#[test]
fn a_run_takes_every_documented_flag() {
    let args = parse_run(
        "bench run --suite 1gb --engines stagedag,datafusion --families sql,dataframe --workloads tpch-q0?,*join* \
         --slots 4 --trials 3 --protocol warm-2 --timeout 5m --set stagedag.speculation=off --set datafusion.x=1 \
         --out o --dry-run --spans --keep-results --json --workload-dir w --memory 4GiB --seed 7 --data d",
    );
    assert_eq!(args.engines, ["stagedag", "datafusion"]);
    assert_eq!(args.families.len(), 2);
    let wants = |name: &str| args.workloads.iter().any(|pattern| pattern.matches(name));
    assert!(wants("tpch-q01") && wants("join-small") && !wants("tpch-q11"));
    assert_eq!(args.resources.slots.map(|s| s.get()), Some(4));
    assert_eq!(args.resources.memory.map(|m| m.get().get()), Some(4 << 30));
    assert_eq!(args.resources.settings_for("stagedag").collect::<Vec<_>>(), [("speculation", "off")]);
    assert_eq!((args.trials.map(|t| t.get()), args.protocol), (Some(3), Some(Protocol::Warm(2))));
    assert_eq!(args.timeout.map(Timeout::get), Some(Duration::from_secs(300)));
    assert_eq!(args.data.path, Path::new("d"));
    assert!(args.dry_run && args.spans && args.keep_results && args.json);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    check_refused("bench sim --trace --json", &["--trace", "--json", "cannot be used"]);
    check_refused("bench recommend d --mix sql=1 --prices aws --usd-per-hour ray=1", &["--prices", "cannot be used"]);
}

#[test]
fn a_resumed_run_keeps_its_settings() {
    assert!(parse_run("bench run --resume out").resume.is_some());
    check_refused("bench run --resume out --trials 5", &["--resume", "--trials", "cannot be used"]);
    check_refused("bench run --resume out --set a.b=1", &["--resume", "--set"]);
    check_refused("bench run --resume out --dry-run", &["--resume", "--dry-run"]);
}

#[test]
fn scaling_needs_node_counts_and_knows_two_ways() {
    let line = "bench run --suite smoke --cluster processes --nodes 1,2 --scaling";
    assert_eq!(parse_run(&format!("{line} weak")).clusters.scaling, Some(super::cluster::Scaling::Weak));
    assert_eq!(parse_run("bench run --suite smoke").clusters.scaling, None);
    check_refused(&format!("{line} sideways"), &["strong", "weak"]);
    check_refused("bench run --suite smoke --cluster processes --scaling weak", &["--nodes"]);
    check_refused("bench run --resume out --scaling weak", &["--resume", "--scaling"]);
}

#[test]
fn a_run_needs_something_to_run() {
    check_refused("bench run", &["--suite"]);
    assert!(parse_run("bench run --workload-dir mine").suite.is_none());
}

#[test]
fn counts_stay_within_bounds() {
    for slots in ["0", "-1", "1025", "many", "1.5"] {
        check_refused(&format!("bench run --suite s --slots={slots}"), &["--slots", "from 1 to 1024"]);
    }
    check_refused("bench run --suite s --trials 0", &["--trials", "from 1 to 1000"]);
    check_refused("bench sim --seeds 0", &["--seeds", "1..1000000"]);
    check_refused("bench sim --seeds 9..2", &["--seeds", "1..1000000"]);
    check_refused("bench sim --nodes 3,201", &["--nodes", "201"]);
}

#[test]
fn times_need_a_unit() {
    for time in ["30", "s", "0s", "1d", "99999h", "99999999999999999999s", "-5s"] {
        check_refused(&format!("bench run --suite s --timeout={time}"), &["--timeout", "such as 30s or 5m"]);
    }
    for (time, millis) in [("1ms", 1), ("30s", 30_000), ("2min", 120_000), ("168h", 604_800_000)] {
        assert_eq!(time.parse().map(|t: Timeout| t.get().as_millis()), Ok(millis));
    }
}

#[test]
fn a_protocol_is_one_of_three() {
    for text in ["cold-process", "cold-cache", "warm-1", "warm-1000"] {
        assert_eq!(text.parse::<Protocol>().map(|p| p.to_string()), Ok(text.to_owned()));
    }
    for text in ["warm", "warm-0", "warm-1001", "hot", ""] {
        check_refused(&format!("bench run --suite s --protocol={text}"), &["warm-K"]);
    }
}

#[test]
fn sizes_settings_and_globs_say_what_to_give() {
    check_refused("bench run --suite s --memory lots", &["--memory", "512MiB"]);
    check_refused("bench run --suite s --memory 1KiB", &["1.00 KiB is too little", "16.0 MiB"]);
    check_refused("bench run --suite s --set speculation=off", &["ENGINE.KEY=VALUE", "bench list engines"]);
    check_refused("bench run --suite s --set stagedag.=off", &["ENGINE.KEY=VALUE"]);
    check_refused("bench run --suite s --workloads [a", &["--workloads", "closing"]);
    check_refused("bench run --suite s --families graphs", &["--families", "dataframe"]);
}

#[test]
fn tables_are_made_for_a_suite_or_by_kind() {
    assert!(parse("bench data make 1gb").is_ok());
    assert!(parse("bench data make --tables groupby --scale 0.01 --skew zipf1.2 --null-share 0.05").is_ok());
    check_refused("bench data make", &["SUITE"]);
    check_refused("bench data make 1gb --tables tpch", &["cannot be used with"]);
    check_refused("bench data make 1gb --scale 2", &["cannot be used with"]);
    for scale in ["0", "-1", "nan", "inf", "1000000"] {
        check_refused(&format!("bench data make --tables tpch --scale={scale}"), &["up to 100000"]);
    }
    for share in ["1", "-0.1", "0.51", "0.005", "nan"] {
        check_refused(&format!("bench data make --tables groupby --null-share={share}"), &["such as 0.05"]);
    }
    check_refused("bench data rm", &["NAME"]);
}

#[test]
fn the_other_commands_are_understood() {
    for line in [
        "bench report a b --format md",
        "bench claims a b --file mine.toml --file other.toml --no-built-in --format html --out c.html",
        "bench claims --example",
        "bench recommend a b --mix sql=40,dataframe=60 --data 2TB --nodes 10 --usd-per-hour ray=7.68 --format json",
        "bench report a --format html -o report.html",
        "bench report a --format csv --rows cells --out cells.csv",
        "bench list engines --json",
        "bench list workloads --workload-dir w",
        "bench list suites",
        "bench doctor --json",
        "bench data list --json",
        "bench data verify tpch-sf1 --data d",
        "bench data rm tpch-sf1",
        "bench workload init w --from a.parquet b.csv",
        "bench workload check w",
        "bench explain tpch-q05 --suite 1gb --analyze --set stagedag.adaptive=off",
        "bench sim --style stagedag --seed 5 --trace",
        "bench sim --style actor --seeds 1..1000000 --nodes 1,3,10",
        "bench sim --throughput --json",
        "bench replay r --json",
        "bench engine-host stagedag",
        "bench answers questions --suite 1gb --out q",
        "bench answers store --suite 1gb --results r --origin x --out answers",
        "bench completions zsh",
        "bench man --out m",
        "bench -vv doctor",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
    check_refused("bench -q -v doctor", &["cannot be used with"]);
    check_refused("bench report", &["DIR"]);
    check_refused("bench claims", &["DIR"]);
    check_refused("bench claims a --example", &["--example", "cannot be used with"]);
    check_refused("bench recommend a", &["--mix"]);
    check_refused("bench recommend a --mix sql=0", &["--mix", "number above 0"]);
    check_refused("bench recommend a --mix graphs=1", &["--mix", "dataframe"]);
    check_refused("bench recommend a --mix sql=1 --data lots", &["--data", "such as"]);
    check_refused("bench recommend a --mix sql=1 --nodes 0", &["--nodes"]);
    for price in ["ray", "ray=", "=1", "ray=-1", "ray=0", "ray=nan"] {
        check_refused(&format!("bench recommend a --mix sql=1 --usd-per-hour {price}"), &["ENGINE=USD"]);
    }
    assert!(matches!(parse("bench compare a b --budget 3% --write sarif=x.sarif"), Ok(Command::Compare(_))));
    assert!(matches!(parse("bench history add store a b --label c"), Ok(Command::History(_))));
    check_refused("bench compare a", &["NEW"]);
    check_refused("bench compare a b --base-binary x", &["--confirm"]);
    check_refused("bench run --resume out --against base", &["--resume", "--against"]);
}

#[test]
fn a_verdict_is_told_in_the_same_ways_by_both_commands_that_have_one() {
    for option in ["--prices aws", "--write md=v.md", "--prices aws --runs-per-day 5"] {
        assert!(parse(&format!("bench compare a b {option}")).is_ok(), "{option}");
        assert!(parse_run(&format!("bench run --suite smoke --against base {option}")).telling.is_asked(), "{option}");
        check_refused(&format!("bench run --resume out {option}"), &["--resume", "cannot be used"]);
    }
    check_refused("bench compare a b --relative-to ray --prices aws", &["--prices", "cannot be used"]);
    check_refused("bench run --suite smoke --against base --runs-per-day 5", &["--prices"]);
    check_refused("bench run --suite smoke --against base --write pdf=v", &["junit=report.xml"]);
}

#[test]
fn man_pages_and_completions_cover_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    super::shell::write_man_pages(folder.path()).unwrap();
    assert!(folder.path().join("bench-run.1").is_file());
    let mut page = Vec::new();
    super::shell::write_man_page(&mut page).unwrap();
    assert!(String::from_utf8(page).unwrap().contains("Exit codes"));
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
        let mut script = Vec::new();
        super::shell::write_completions(shell, &mut script).unwrap();
        assert!(String::from_utf8(script).unwrap().contains("keep-results"));
    }
}
