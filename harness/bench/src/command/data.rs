//! `bench data`: makes, lists, verifies and removes tables.

use super::{say, say_json};
use crate::cli::data::{DataArgs, DataWhat, MakeArgs, Skew, Tables};
use crate::cli::exit;
use crate::interrupt;
use crate::progress::{DataBar, Unit, complain};
use anyhow::{Context, Result, bail};
use bench_model::Bytes;
use bench_suite::{DataError, DataStore, DatasetSpec, Entry, Groupby, Manifest, State, Tpch};
use std::num::NonZeroUsize;
use std::time::Instant;

/// Rows of the group-by table that make one gigabyte of tables.
const ROWS_PER_SCALE: f64 = 1e7;

pub(super) fn data(args: DataArgs) -> Result<u8> {
    match args.what {
        DataWhat::Make(make) => make_all(&make),
        DataWhat::List { data, output } => {
            let entries = DataStore::new(data.path).list()?;
            if output.json {
                say_json(&entries)?
            } else {
                say(&table(&entries))?
            }
            Ok(exit::FINE)
        }
        DataWhat::Verify { names, data, output } => verify(&DataStore::new(data.path), names, output.json),
        DataWhat::Rm { names, data } => {
            let store = DataStore::new(data.path);
            for name in names {
                store.rm(&name)?;
                complain(&format!("removed {name}"));
            }
            Ok(exit::FINE)
        }
    }
}

/// As many threads as this process may use.
pub(super) fn all_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Makes one set with a progress bar, or finds it made already. `None` if the user interrupted it.
pub(super) fn make(store: &DataStore, spec: &DatasetSpec, threads: NonZeroUsize) -> Result<Option<Manifest>> {
    let stop = interrupt::flag();
    match store.make(spec, threads, &DataBar::new(Unit::Rows), &stop) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(DataError::Stopped) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn make_all(args: &MakeArgs) -> Result<u8> {
    let store = DataStore::new(&args.data.path);
    let threads = args.threads.and_then(|t| NonZeroUsize::new(t.get() as usize)).unwrap_or_else(all_cores);
    for spec in specs(args)? {
        let started = Instant::now();
        let present = store.bytes_to_make(&spec) == 0;
        let Some(manifest) = make(&store, &spec, threads)? else {
            complain("interrupted; run the same command again to continue");
            return Ok(exit::INTERRUPTED);
        };
        let folder = store.folder(&manifest.name)?;
        let (rows, bytes) = (manifest.rows(), Bytes::new(manifest.bytes()));
        if present {
            complain(&format!("{} is there already: {rows} rows, {bytes} in {}", manifest.name, folder.display()));
        } else {
            let took = started.elapsed().as_secs_f64();
            complain(&format!("made {}: {rows} rows, {bytes} in {} ({took:.1} s)", manifest.name, folder.display()));
        }
    }
    Ok(exit::FINE)
}

/// The sets that the arguments name: a suite's, or one at any scale.
fn specs(args: &MakeArgs) -> Result<Vec<DatasetSpec>> {
    if let Some(name) = &args.suite {
        return Ok(bench_suite::suite(name)?.datasets().cloned().collect());
    }
    let scale = args.scale.get();
    let spec = match args.tables {
        Some(Tables::Groupby) => DatasetSpec::Groupby(Groupby {
            rows: (scale * ROWS_PER_SCALE) as u64,
            skew: match args.skew {
                None | Some(Skew::Uniform) => bench_suite::Skew::Uniform,
                Some(Skew::Zipf08) => bench_suite::Skew::Zipf08,
                Some(Skew::Zipf12) => bench_suite::Skew::Zipf12,
                Some(Skew::HotKey) => bench_suite::Skew::Hot,
            },
            null_percent: args.null_share.map_or(0, |share| (share.get() * 100.0).round() as u8),
            seed: args.seed.unwrap_or(Groupby::DEFAULT_SEED),
        }),
        Some(Tables::Tpch) | None => {
            refuse_for_tpch(args)?;
            DatasetSpec::Tpch(Tpch { scale_factor: scale })
        }
    };
    spec.validate()?;
    Ok(vec![spec])
}

/// A flag that would change nothing is a mistake: whoever gives it expects other tables than would be made.
fn refuse_for_tpch(args: &MakeArgs) -> Result<()> {
    let given =
        [("--skew", args.skew.is_some()), ("--null-share", args.null_share.is_some()), ("--seed", args.seed.is_some())];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => bail!("{flag} is for --tables groupby; the tpch tables are always the same at one scale"),
    }
}

fn verify(store: &DataStore, names: Vec<String>, json: bool) -> Result<u8> {
    let names = if names.is_empty() {
        store.list()?.into_iter().filter(|e| e.state != State::Partial).map(|e| e.name).collect()
    } else {
        names
    };
    let stop = interrupt::flag();
    let mut code = exit::FINE;
    let mut results = Vec::new();
    for name in names {
        match store.verify(&name, all_cores(), &DataBar::new(Unit::Bytes), &stop) {
            Ok(manifest) => {
                complain(&format!(
                    "{name}: {} in {} files match",
                    Bytes::new(manifest.bytes()),
                    manifest.files().count()
                ));
                results.push(serde_json::json!({ "name": name, "verified": true }));
            }
            Err(DataError::Stopped) => return Ok(exit::INTERRUPTED),
            Err(error) => {
                complain(&format!("error: {error}"));
                results.push(serde_json::json!({ "name": name, "verified": false, "problem": error.to_string() }));
                code = exit::ERROR;
            }
        }
    }
    if json {
        say_json(&results)?;
    }
    Ok(code)
}

fn table(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no tables yet; `bench data make smoke` makes the smallest".to_owned();
    }
    let mut lines = vec![format!("{:<28} {:>14} {:>10}  {:<9} folder", "name", "rows", "size", "state")];
    for e in entries {
        let state = match (&e.state, e.verified_unix_s) {
            (State::Complete, Some(_)) => "verified",
            (State::Complete, None) => "complete",
            (State::Partial, _) => "partial",
            (State::Broken { .. }, _) => "broken",
        };
        let size = Bytes::new(e.bytes).to_string();
        lines.push(format!("{:<28} {:>14} {size:>10}  {state:<9} {}", e.name, e.rows, e.folder.display()));
        if let State::Broken { problem } = &e.state {
            lines.push(format!("  {problem}"));
        }
    }
    lines.join("\n")
}

/// What a dataset is known by in records, or why it cannot be opened.
pub(super) fn manifest(store: &DataStore, spec: &DatasetSpec) -> Result<Manifest> {
    store.manifest(&spec.name()).with_context(|| format!("cannot open dataset {}", spec.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn named(line: &str) -> Result<Vec<String>, String> {
        let parsed = Cli::try_parse_from(format!("bench data make {line}").split_whitespace()).map(|cli| cli.command);
        let Ok(Command::Data(DataArgs { what: DataWhat::Make(make) })) = parsed else { panic!("{line}: {parsed:?}") };
        specs(&make).map(|all| all.iter().map(DatasetSpec::name).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_flag_that_would_change_nothing_is_refused() {
        for flag in ["--skew hot", "--skew uniform", "--null-share 0.05", "--seed 7"] {
            let error = named(&format!("--tables tpch {flag}")).unwrap_err();
            assert!(error.contains("is for --tables groupby"), "{flag}: {error}");
        }
        assert_eq!(named("--tables tpch --scale 0.01"), Ok(vec!["tpch-sf0.01".to_owned()]));
    }

    #[test]
    fn every_parameter_of_the_groupby_tables_can_be_asked_for() {
        let name = |line: &str| named(&format!("--tables groupby --scale 0.01 {line}")).map(|names| names.join(" "));
        assert_eq!(name(""), Ok("groupby-n100000".to_owned()));
        let asked = name("--skew zipf1.2 --null-share 0.05 --seed 7");
        assert_eq!(asked, Ok("groupby-n100000-zipf1.2-nulls5-seed7".to_owned()));
    }

    #[test]
    fn the_skew_suite_has_four_sets() {
        assert_eq!(named("skew-smoke").map(|names| names.len()), Ok(4));
    }
}
