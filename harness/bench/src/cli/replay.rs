//! `bench replay`.

use super::place::Output;
use clap::Args;
use std::path::PathBuf;

/// Plays the traces of a run again in virtual time, as they were and without one kind of blocking.
///
/// `bench run --spans` leaves a trace of each case and does this when it ends; this does it once more, for a run that was
/// interrupted or with another build. What comes out is kept in the folder, where `bench report` finds it: predictions,
/// none where the replay misses the measured time by more than 15 %.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplayArgs {
    /// Reads this folder, made by `bench run --spans`.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}
