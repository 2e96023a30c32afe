//! `bench history`: many runs of a machine in a row.

mod store;

use super::folders::write_out;
use super::report::ink;
use super::say;
use crate::cli::exit;
use crate::cli::history::{HistoryArgs, HistoryFormat, HistoryWhat, SeriesArgs};
use crate::progress::tell;
use anyhow::{Context, Result};
use bench_record::{Case, Run};
use bench_reports::Ink;
use bench_reports::history::{self as kept, Entry, Sensitivity, history as gather, history_svg, write_history};
use std::path::{Path, PathBuf};
use store::Store;

pub(super) fn history(args: &HistoryArgs) -> Result<u8> {
    match &args.what {
        HistoryWhat::Add { store, folders, label } => add(store, folders, label.as_deref()),
        HistoryWhat::Show { series } => print(series, None),
        HistoryWhat::Changepoints { series, p, least, window } => {
            if !(*p > 0.0 && *p < 1.0) {
                anyhow::bail!("--p {p} is no probability; give one between 0 and 1, such as 0.001");
            }
            let least = least.map_or(0.0, |l| l.share());
            print(series, Some(Sensitivity { p: *p, least, window: *window as usize }))
        }
    }
}

/// All folders are read, and all of their runs looked up in the store, before anything is written: a bad one adds nothing.
fn add(store: &Path, folders: &[PathBuf], label: Option<&str>) -> Result<u8> {
    let entry = |folder: &PathBuf| {
        let run = Run::load(folder)?;
        Entry::of(&run, label).with_context(|| format!("{} cannot be kept", folder.display()))
    };
    let entries = folders.iter().map(entry).collect::<Result<Vec<Entry>>>()?;
    let named: Vec<(&Path, &Entry)> = folders.iter().map(PathBuf::as_path).zip(&entries).collect();
    for ((folder, entry), runs) in named.iter().zip(Store::at(store).add(&named)?) {
        tell(&format!("{}: run {runs} of machine {}", folder.display(), entry.machine));
    }
    Ok(exit::FINE)
}

fn print(args: &SeriesArgs, search: Option<Sensitivity>) -> Result<u8> {
    let entries = Store::at(&args.store).read(args.machine.as_deref())?;
    let wanted = |_: &str, case: &Case| {
        let workload = args.workloads.is_empty() || args.workloads.iter().any(|p| p.matches(&case.workload));
        workload && (args.engines.is_empty() || args.engines.contains(&case.engine))
    };
    let found = gather(&entries, &wanted, search.as_ref());
    let ink = if args.out.is_some() { Ink::Plain } else { ink() };
    let text = match args.format {
        HistoryFormat::Table => write_history(&found, kept::HistoryFormat::Table, ink),
        HistoryFormat::Md => write_history(&found, kept::HistoryFormat::Markdown, ink),
        HistoryFormat::Json => write_history(&found, kept::HistoryFormat::Json, ink),
        HistoryFormat::Svg => history_svg(&found)?,
    };
    match &args.out {
        Some(file) => write_out(file, text)?,
        None => say(&text)?,
    }
    Ok(exit::FINE)
}
