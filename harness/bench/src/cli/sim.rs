//! `bench sim`.

use super::place::Output;
use clap::Args;

/// Runs an engine style in virtual time under injected faults and checks its invariants after every step.
///
/// No data is read and no clock is asked: a seed always replays the same run. A violated invariant prints its seed and
/// ends with exit code 2.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SimArgs {
    /// Runs this style.
    #[arg(long, value_name = "NAME", default_value = "stagedag")]
    pub(crate) style: String,
    /// Starts at this seed. With --trace, replays just this one and prints what happened.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Runs this many seeds, on all cores [default: 1]. Thousands find what one does not.
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// Draws clusters of up to this many nodes, 1 to 200 [default: 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) nodes: Option<u32>,
    /// Prints every event and action, with its virtual time. For understanding a failing seed.
    #[arg(long)]
    pub(crate) trace: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
