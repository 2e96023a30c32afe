//! What each command does. One file per command; all of them return an exit code of [`crate::cli::exit`].

mod answers;
mod data;
mod doctor;
mod engine_host;
mod explain;
mod list;
mod report;
mod run;
mod selection;
mod setup;
mod sim;
mod workload;

use crate::cli::{Cli, Command, exit, shell};
use anyhow::{Context, Result};
use std::io::{self, Write};

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<u8> {
    let quiet = cli.talk.quiet;
    match cli.command {
        Command::Run(args) => run::run(*args, quiet),
        Command::Report(args) => report::report(&args),
        Command::List(args) => list::list(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Data(args) => data::data(args),
        Command::Workload(args) => workload::workload(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::EngineHost(args) => engine_host::serve(&args),
        Command::Answers(args) => answers::answers(&args),
        Command::Completions(args) => {
            shell::write_completions(args.shell, &mut io::stdout()).context("cannot write the completions")?;
            Ok(exit::FINE)
        }
        Command::Man(args) => {
            match args.out {
                Some(folder) => shell::write_man_pages(&folder)
                    .with_context(|| format!("cannot write man pages to {}", folder.display()))?,
                None => shell::write_man_page(&mut io::stdout()).context("cannot write the man page")?,
            }
            Ok(exit::FINE)
        }
    }
}

/// Prints a line of data. A reader that has seen enough (`| head`) ends the program quietly.
fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{}", text.trim_end_matches('\n')) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(exit::FINE.into()),
        result => result.context("cannot write to standard output"),
    }
}

/// Prints data as JSON.
fn say_json(value: &impl serde::Serialize) -> Result<()> {
    say(&serde_json::to_string_pretty(value).context("cannot encode as JSON")?)
}
