//! Options that several commands share.

use super::value::{MemoryLimit, Setting, Slots};
use clap::Args;
use std::path::PathBuf;

/// Where the tables lie.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataDir {
    /// Keeps tables in this folder. Point it at the disk that has the room: a suite needs about its own size.
    #[arg(long = "data", value_name = "DIR", env = "BENCH_DATA", hide_env_values = true, default_value = "bench-data")]
    pub(crate) path: PathBuf,
}

/// How a listing is written.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Prints JSON on standard output [default: text for people]. For scripts.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What engines are started with: the same for each of them.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Resources {
    /// Runs this many tasks at a time in every engine, 1 to 1024 [default: the cores this process may use]. Lower it to
    /// see how an engine scales.
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<Slots>,
    /// Lets an engine hold this much memory, such as 4GiB, before it must spill [default: unlimited]. Set it to measure
    /// larger-than-memory work.
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<MemoryLimit>,
    /// Sets a switch of an engine, such as stagedag.speculation=off; may be repeated [default: the engine's defaults].
    /// `bench list engines` shows every switch. Use it to find out what a mechanism is worth.
    #[arg(long, value_name = "ENGINE.KEY=VALUE")]
    pub(crate) set: Vec<Setting>,
}

impl Resources {
    /// The settings meant for one engine, as `Tuning::resolve` takes them.
    pub(crate) fn settings_for<'a>(&'a self, engine: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.set.iter().filter(move |s| s.engine == engine).map(|s| (s.key.as_str(), s.value.as_str()))
    }
}
