//! `bench`: measures data engines.
//!
//! | module | idea |
//! |---|---|
//! | `cli` | what can be asked for, parsed and validated |
//! | `command` | what each command does |
//! | `engines` | every engine by name: the only place that knows them all |
//! | `products` | the products, installed or not, as engines |
//! | `build_id` | which build this program is |
//! | `progress` | long work as bars on a terminal, as silence elsewhere |
//! | `interrupt` | Ctrl-C as a flag that long work looks at |

mod build_id;
mod cli;
mod command;
mod engines;
mod interrupt;
mod products;
mod progress;

use clap::Parser;
use std::process::ExitCode;

/// The same allocator for every engine that is compiled into this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    log_to_stderr(&cli.talk);
    match command::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Names and reasons in it come from files of others.
            let text = format!("error: {error:#}");
            text.lines().for_each(|line| progress::complain(&bench_reports::plain(line)));
            ExitCode::from(cli::exit::ERROR)
        }
    }
}

/// Logs go to stderr: warnings by default, more with each `-v`, only errors with `-q`.
fn log_to_stderr(talk: &cli::Talk) {
    let level = match (talk.quiet, talk.verbose) {
        (true, _) => tracing::Level::ERROR,
        (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, _) => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).init();
}
