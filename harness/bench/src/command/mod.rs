//! What each command does. One file per command; all of them return an exit code of [`crate::cli::exit`].

mod answers;
mod claims;
mod compare;
mod cost;
mod data;
mod doctor;
mod engine_host;
mod engines;
mod explain;
mod folders;
mod gate_proof;
mod history;
mod identity;
mod list;
mod node;
mod overhead;
mod recommend;
mod replay;
mod report;
mod run;
mod selection;
mod setup;
mod sim;
mod trust;
mod workload;

#[cfg(test)]
mod claims_test;

use crate::cli::{Cli, Command, exit, shell};
use crate::progress;
use anyhow::{Context, Result};
use std::io::{self, Write};

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<u8> {
    if cli.talk.quiet {
        progress::silence();
    }
    match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Replay(args) => replay::replay(&args),
        Command::Report(args) => report::report(&args),
        Command::Claims(args) => claims::claims(&args),
        Command::Recommend(args) => recommend::recommend(&args),
        Command::Cost(args) => cost::cost(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::History(args) => history::history(&args),
        Command::GateProof(args) => gate_proof::prove(&args),
        Command::List(args) => list::list(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Data(args) => data::data(args),
        Command::Engines(args) => engines::engines(&args),
        Command::Workload(args) => workload::workload(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Overhead(args) => overhead::measure_overhead(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::Node(args) => node::serve(&args),
        Command::EngineHost(args) => engine_host::serve(&args),
        Command::EngineKeeper(args) => engines::keep(&args.command),
        Command::Answers(args) => answers::answers(&args),
        Command::Completions(args) => {
            let mut script = Vec::new();
            shell::write_completions(args.shell, &mut script).context("cannot make the completions")?;
            print(&script)?;
            Ok(exit::FINE)
        }
        Command::Man(args) => {
            match args.out {
                Some(folder) => shell::write_man_pages(&folder)
                    .with_context(|| format!("cannot write man pages to {}", folder.display()))?,
                None => {
                    let mut page = Vec::new();
                    shell::write_man_page(&mut page).context("cannot make the man page")?;
                    print(&page)?;
                }
            }
            Ok(exit::FINE)
        }
    }
}

/// Prints a line of data.
fn say(text: &str) -> Result<()> {
    print(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
}

/// Writes data to standard output. A reader that has seen enough (`| head`) is no error and does not cut the work short:
/// the exit code still says how it ended.
fn print(data: &[u8]) -> Result<()> {
    let mut out = io::stdout();
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Prints data as JSON.
fn say_json(value: &impl serde::Serialize) -> Result<()> {
    say(&serde_json::to_string_pretty(value).context("cannot encode as JSON")?)
}
