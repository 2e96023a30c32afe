//! `bench sim`.

use super::place::Output;
use clap::Args;
use std::num::NonZeroU64;
use std::str::FromStr;

/// Runs an engine style in virtual time under injected faults and checks its invariants after every step.
///
/// No data is read and no clock is asked: a seed always replays the same run. A violated invariant prints its seed and
/// ends with exit code 2. Ctrl-C says how far it came and how to go on.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SimArgs {
    /// Runs this style.
    #[arg(long, value_name = "NAME", default_value = "stagedag")]
    pub(crate) style: String,
    /// Starts at this seed [default: 0]. With --trace, replays just this one and prints what happened.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Runs this many seeds, or a row of them such as 1..1000000, on all cores [default: 1]. Thousands find what one does
    /// not.
    #[arg(long, value_name = "N|A..B")]
    pub(crate) seeds: Option<SeedRow>,
    /// Simulates exactly so many nodes, 1 to 200; of several counts such as 1,3,10 seeds take one in turn [default: draws
    /// 1 to 4].
    #[arg(long, value_name = "N,M", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) nodes: Vec<u32>,
    /// Prints every event and action, with its virtual time. For understanding a failing seed.
    #[arg(long, conflicts_with = "json")]
    pub(crate) trace: bool,
    /// Measures instead how many events per second one core simulates, on zero-work graphs of 100,000 tasks without faults
    /// or checks: the fastest of five runs.
    #[arg(long, conflicts_with_all = ["seed", "seeds", "nodes", "trace"])]
    pub(crate) throughput: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How many seeds, or which: `500`, `1..1000000` (both ends included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeedRow {
    /// So many, from the first one on.
    Count(NonZeroU64),
    /// From one to another.
    Range {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
}

/// Text that is neither a number of seeds nor a row of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a number of seeds, at least 1, or a row such as 1..1000000")]
pub(crate) struct SeedRowError;

impl FromStr for SeedRow {
    type Err = SeedRowError;
    fn from_str(text: &str) -> Result<Self, SeedRowError> {
        let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|_| SeedRowError);
        let Some((first, last)) = text.split_once("..") else {
            return NonZeroU64::new(number(text)?).map(Self::Count).ok_or(SeedRowError);
        };
        let (first, last) = (number(first)?, number(last)?);
        // The row's end has to be a number too.
        if first <= last && last < u64::MAX { Ok(Self::Range { first, last }) } else { Err(SeedRowError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_row_with_both_ends() {
        assert_eq!("1..1_000_000".parse(), Ok(SeedRow::Range { first: 1, last: 1_000_000 }));
        assert_eq!("7..7".parse(), Ok(SeedRow::Range { first: 7, last: 7 }));
        assert!(matches!("50".parse(), Ok(SeedRow::Count(n)) if n.get() == 50));
        for bad in ["", "0", "..", "5..1", "1..", "x", "0..18446744073709551615"] {
            assert_eq!(bad.parse::<SeedRow>(), Err(SeedRowError), "{bad}");
        }
    }
}
