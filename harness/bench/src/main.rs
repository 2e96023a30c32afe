//! `bench`: measures data engines. Parsing is in `cli`, each command's work in `command`.

mod cli;

use clap::Parser;

fn main() {
    let _ = cli::Cli::parse();
}
