//! `bench gate-proof`.

use clap::Args;
use std::path::PathBuf;

/// Counts how often the regression gate errs on data whose truth is known.
///
/// Exit code 0: every promise is shown to be kept; 2: one is broken; 3: too few experiments to show it.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct GateProofArgs {
    /// Adds what these runs of one build tell, compared with each other, as they are and with slow-downs planted [default:
    /// simulated runs alone].
    #[arg(value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Takes the times of such runs from this file, which --save wrote.
    #[arg(long, value_name = "FILE", conflicts_with = "folders")]
    pub(crate) times: Option<PathBuf>,
    /// Keeps the times of the runs in this file.
    #[arg(long, value_name = "FILE", requires = "folders")]
    pub(crate) save: Option<PathBuf>,
    /// Draws this many simulated comparisons for each setting.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) experiments: u32,
}
