//! `bench data`: makes, lists, verifies and removes tables.

use super::{say, say_json};
use crate::cli::data::{DataArgs, DataWhat, MakeArgs, Skew, Tables};
use crate::cli::exit;
use crate::interrupt;
use crate::progress::{DataBar, Unit};
use anyhow::{Context, Result};
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
                eprintln!("removed {name}");
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
            eprintln!("interrupted; run the same command again to continue");
            return Ok(exit::INTERRUPTED);
        };
        let folder = store.folder(&manifest.name)?;
        let (rows, bytes) = (manifest.rows(), Bytes::new(manifest.bytes()));
        if present {
            eprintln!("{} is there already: {rows} rows, {bytes} in {}", manifest.name, folder.display());
        } else {
            let took = started.elapsed().as_secs_f64();
            eprintln!("made {}: {rows} rows, {bytes} in {} ({took:.1} s)", manifest.name, folder.display());
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
            skew: match args.skew {
                Skew::Uniform => bench_suite::Skew::Uniform,
                Skew::Zipf08 => bench_suite::Skew::Zipf08,
                Skew::Zipf12 => bench_suite::Skew::Zipf12,
                Skew::HotKey => bench_suite::Skew::Hot,
            },
            null_percent: (args.null_share.get() * 100.0).round() as u8,
            ..Groupby::uniform((scale * ROWS_PER_SCALE) as u64)
        }),
        Some(Tables::Tpch) | None => DatasetSpec::Tpch(Tpch { scale_factor: scale }),
    };
    spec.validate()?;
    Ok(vec![spec])
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
                eprintln!("{name}: {} in {} files match", Bytes::new(manifest.bytes()), manifest.files().count());
                results.push(serde_json::json!({ "name": name, "verified": true }));
            }
            Err(DataError::Stopped) => return Ok(exit::INTERRUPTED),
            Err(error) => {
                eprintln!("error: {error}");
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
