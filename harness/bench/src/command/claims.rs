//! `bench claims`: claims about engines beside what runs say to them.

use super::folders::{Folders, write_out};
use super::report::ink;
use super::{cost, say};
use crate::cli::claims::{ClaimFiles, ClaimsArgs, Format};
use crate::cli::exit;
use anyhow::{Context, Result, bail};
use bench_record::Outcome;
use bench_reports::claims::{self, ClaimsFile, EXAMPLE, assess_all, built_in};
use bench_reports::cost::{Jobs, PriceBook};
use bench_reports::{Comparison, Format as TextFormat, Ink, Options, Sources, compare, places_of_cases};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest claims file that is read.
const MAX_BYTES: u64 = 1 << 20;

pub(super) fn claims(args: &ClaimsArgs) -> Result<u8> {
    if args.example {
        say(EXAMPLE)?;
        return Ok(exit::FINE);
    }
    let (folders, files) = sorted_out(&args.folders, &args.files)?;
    let files = claim_files(&files)?;
    let Folders { runs, overhead } = Folders::load(&folders)?;
    let prices = match &args.prices {
        None => None,
        Some(_) if runs.is_empty() => bail!("--prices prices what `bench run` recorded; no folder given holds that"),
        Some(name) => {
            let comparison = compare(&runs, &Options::default())?;
            Some(cost::priced(&runs, &comparison, &cost::book(name)?, Jobs::AsMeasured)?)
        }
    };
    let report = assess_all(&files, &runs, &overhead, prices.as_ref())?;
    let write = |format, ink| claims::render(&report, format, ink);
    let page = || claims::page("Claims and evidence", &claims::html(&report, &BTreeMap::new()));
    put(args.format, args.out.as_deref(), write, page)?;
    let wrong = runs.iter().flat_map(|r| &r.observations).any(|o| o.outcome == Outcome::WrongAnswer);
    Ok(if wrong { exit::ERROR } else { exit::FINE })
}

/// What runs say to the claims that come with the program, for a page of somebody else's; at the prices of a book, if that has one.
pub(super) fn section(
    folders: &Folders,
    (comparison, sources): (&Comparison, &Sources<'_>),
    book: Option<&PriceBook>,
) -> Result<String> {
    let Folders { runs, overhead } = folders;
    let prices = book.map(|book| cost::priced(runs, comparison, book, Jobs::AsMeasured)).transpose()?;
    let report = assess_all(&built_in()?, runs, overhead, prices.as_ref())?;
    Ok(claims::html(&report, &places_of_cases(comparison, sources)))
}

/// Folders, and claims files with those among the words that belong to them: a shell makes several words of `--file claims/*.toml`,
/// and all but the first come without the option.
///
/// # Errors
/// Such a file without the option, or no folder.
pub(super) fn sorted_out(words: &[PathBuf], files: &ClaimFiles) -> Result<(Vec<PathBuf>, ClaimFiles)> {
    let is_claims = |path: &PathBuf| path.extension().is_some_and(|e| e == "toml") && !path.is_dir();
    let (further, folders): (Vec<PathBuf>, Vec<PathBuf>) = words.iter().cloned().partition(is_claims);
    if let Some(first) = further.first().filter(|_| files.file.is_empty()) {
        bail!("{0} is no folder of a run; give claims files with --file, as in --file {0}", first.display());
    }
    if folders.is_empty() {
        bail!("no run is given beside the claims files; name the folders of `bench run` too");
    }
    let mut files = files.clone();
    files.file.extend(further);
    Ok((folders, files))
}

/// Claims that come with the program, then those of files, in the order given.
pub(super) fn claim_files(args: &ClaimFiles) -> Result<Vec<ClaimsFile>> {
    let mut files = if args.no_built_in { Vec::new() } else { built_in()? };
    for path in &args.file {
        let (file, text) = read(path)?;
        // One of those that are known already, by its folder: `--file reports/claims/*.toml`.
        if args.no_built_in || !claims::is_built_in(&text) {
            files.push(file);
        }
    }
    Ok(files)
}

/// A file, and its text.
fn read(path: &Path) -> Result<(ClaimsFile, String)> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open the claims file {name}"))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read the claims file {name}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{name}: larger than {MAX_BYTES} bytes; a claims file holds claims, not data");
    }
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("{name}: not UTF-8 text; `bench claims --example` prints one that is")
    };
    Ok((ClaimsFile::read(&name, &text)?, text))
}

/// Writes to a file or to standard output.
pub(super) fn put(
    format: Format,
    out: Option<&Path>,
    text: impl Fn(TextFormat, Ink) -> String,
    page: impl Fn() -> String,
) -> Result<()> {
    let ink = if out.is_some() { Ink::Plain } else { ink() };
    let written = match format {
        Format::Table => text(TextFormat::Table, ink),
        Format::Md => text(TextFormat::Markdown, Ink::Plain),
        Format::Json => text(TextFormat::Json, Ink::Plain),
        Format::Html => page(),
    };
    match out {
        Some(file) => write_out(file, written),
        None => say(&written),
    }
}
