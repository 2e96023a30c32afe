//! `bench engines`: installs, lists, checks and removes products.

use super::{say, say_json, setup};
use crate::cli::engines::{EnginesArgs, EnginesDir, EnginesWhat};
use crate::cli::exit;
use crate::interrupt;
use crate::products::{ALL, Products, keeper};
use crate::progress::{complain, tell};
use anyhow::{Context, Result, bail};
use bench_external::{ExternalError, Product, Source, State};
use bench_lab::hosted::{Finding, HostedEngine, Origin, Verdict, check};
use bench_suite::DataStore;
use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::Ordering;

pub(super) fn engines(args: &EnginesArgs) -> Result<u8> {
    match &args.what {
        EnginesWhat::Install { names, folder } => install(names, folder),
        EnginesWhat::List { folder, output } => {
            let rows = rows(&Products::open(folder)?);
            if output.json {
                say_json(&rows)?
            } else {
                say(&table(&rows))?
            }
            Ok(exit::FINE)
        }
        EnginesWhat::Remove { names, folder } => {
            let products = Products::open(folder)?;
            for product in chosen(&products, names)? {
                let removed = products.store.remove(product)?;
                tell(&format!("{}: {}", product.name, if removed { "removed" } else { "was not installed" }));
            }
            Ok(exit::FINE)
        }
        EnginesWhat::Check { name, command, folder, data, output } => {
            let scratch = setup::scratch_beside(&DataStore::new(&data.path))?;
            let engine = match name {
                None => foreign(command.iter().map(OsString::from).collect(), Vec::new()),
                Some(name) => {
                    let products = Products::open(folder)?;
                    let around = bench_external::Surroundings { scratch: scratch.path(), slots: 2, attached: false };
                    let command = products.store.command(products.catalog.get(name)?, around);
                    let command = command.map_err(|why| anyhow::anyhow!("{name}: {why}"))?;
                    // Without a keeper, which would end what the driver itself has to end.
                    foreign(command.argv, command.environment)
                }
            };
            let stop = interrupt::flag();
            let findings = check(&engine, scratch.path(), &stop)?;
            if stop.load(Ordering::Relaxed) {
                complain("interrupted; nothing is said of the driver");
                return Ok(exit::INTERRUPTED);
            }
            if output.json {
                say_json(&findings)?
            } else {
                say(&verdicts(&findings))?
            }
            Ok(if findings.iter().any(|f| matches!(f.verdict, Verdict::Broken { .. })) {
                exit::ERROR
            } else {
                exit::FINE
            })
        }
    }
}

fn foreign(argv: Vec<OsString>, environment: Vec<(OsString, OsString)>) -> HostedEngine {
    HostedEngine { environment, ..HostedEngine::new(argv, Origin::Foreign) }
}

/// The products asked for; `all` are those that can be installed.
fn chosen<'a>(products: &'a Products, names: &[String]) -> Result<Vec<&'a Product>> {
    if names.iter().any(|name| name == ALL) {
        return Ok(products.catalog.iter().filter(|p| p.source == Source::BuiltIn).collect());
    }
    names.iter().map(|name| Ok(products.catalog.get(name)?)).collect()
}

/// Goes on after one that fails: the others are wanted all the same.
fn install(names: &[String], folder: &EnginesDir) -> Result<u8> {
    let products = Products::open(folder)?;
    let keeper = keeper()?;
    let stop = interrupt::flag();
    let mut failed = Vec::new();
    for product in chosen(&products, names)? {
        let say = |what: &str| tell(&format!("{}: {what}", product.name));
        match products.store.install(product, &keeper, &stop, &say) {
            Ok(true) => say(&format!("installed in {}", products.store.root().join(&product.name).display())),
            Ok(false) => say("is installed already"),
            Err(ExternalError::Interrupted) => {
                complain(&format!("interrupted; {} is not installed", product.name));
                return Ok(exit::INTERRUPTED);
            }
            Err(error) => {
                complain(&format!("error: {error}"));
                failed.push(product.name.as_str());
            }
        }
    }
    if failed.is_empty() {
        return Ok(exit::FINE);
    }
    bail!("not installed: {}", failed.join(", "))
}

#[derive(Serialize)]
struct Row {
    name: String,
    about: String,
    families: Vec<&'static str>,
    #[serde(flatten)]
    state: State,
    attach: Vec<String>,
    /// Why only one of it can run on a machine at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_at_a_time: Option<String>,
}

fn rows(products: &Products) -> Vec<Row> {
    let row = |product: &Product| Row {
        name: product.name.clone(),
        about: product.about.clone(),
        families: product.families.iter().map(|f| f.name()).collect(),
        state: products.store.state(product),
        attach: product.attach.clone(),
        one_at_a_time: product.one_at_a_time.clone(),
    };
    products.catalog.iter().map(row).collect()
}

fn table(rows: &[Row]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        lines.push(format!("{:<16} {} [{}]", row.name, row.about, row.families.join(", ")));
        lines.push(match &row.state {
            State::Installed { packages, .. } if packages.is_empty() => "    a command of your own".to_owned(),
            State::Installed { packages, .. } => format!("    installed: {}", packages.join(", ")),
            State::Missing { why } => format!("    {why}"),
        });
        if let State::Installed { fitted: Some(fitted), .. } = &row.state {
            lines.push(format!("    fitted to this system, not as published: {fitted}"));
        }
        lines.extend(row.one_at_a_time.iter().map(|why| format!("    one at a time: {why}")));
    }
    lines.join("\n")
}

fn verdicts(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match &finding.verdict {
        Verdict::Kept => format!("kept      {}", finding.rule),
        Verdict::Broken { why } => format!("BROKEN    {}: {why}", finding.rule),
        Verdict::Unknown { why } => format!("unknown   {}: {why}", finding.rule),
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `bench engine-keeper`: never returns unless the command cannot be started.
pub(super) fn keep(command: &[OsString]) -> Result<u8> {
    let program = command.first().map(Path::new).unwrap_or(Path::new("")).display().to_string();
    match bench_lab::hosted::keep(command).with_context(|| format!("cannot start `{program}`"))? {}
}
