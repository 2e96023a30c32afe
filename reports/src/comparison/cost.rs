//! How many cores an engine needs to beat one thread.

use super::Ratio;
use serde::Serialize;

/// COST (McSherry, Isard, Murray, HotOS 2015): the configuration that outperforms a single thread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostReport {
    /// Contestants with one core; per workload the best of them is the mark.
    pub single_thread: Vec<String>,
    /// One per engine and variant with more cores.
    pub entries: Vec<CostEntry>,
}

/// One engine's COST.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostEntry {
    /// The engine, and its variant if it has one.
    pub engine: String,
    /// The label of its contestant with the most cores; of several with as many, the fastest. Wins and total are that one's.
    pub contestant: String,
    /// Core counts measured, ascending.
    pub tried: Vec<u32>,
    /// The labels of the contestants that had so many, in the same order; of several with as many, the fastest.
    pub tried_by: Vec<String>,
    /// At the largest of them: workloads distinguishably faster than the single thread.
    pub wins: usize,
    /// Of so many that the single thread completed.
    pub of: usize,
    /// Of those, what the engine completed, too.
    pub covered: usize,
    /// Total time over the single thread's on what both completed, at the largest core count.
    pub total: Option<Ratio>,
    /// How many cores it takes by total time.
    pub answer: CostAnswer,
}

impl CostEntry {
    /// The contestant that had so many cores; the one with the most where none had.
    #[must_use]
    pub fn with_cores(&self, cores: u32) -> &str {
        let found = self.tried.iter().zip(&self.tried_by).find(|(tried, _)| **tried == cores);
        found.map_or(&self.contestant, |(_, who)| who)
    }
}

/// How many cores beat one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum CostAnswer {
    /// The fewest cores measured already do.
    AtMost {
        /// So many.
        cores: u32,
    },
    /// More than the one, no more than the other.
    Between {
        /// Measured, and shown to be slower than the single thread.
        above: u32,
        /// Measured, and enough.
        at_most: u32,
    },
    /// Not with the cores that were measured, or not for all that the single thread completed.
    NotShown {
        /// The most measured.
        up_to: u32,
    },
    /// Slower with all the cores that were measured, and the last ones added were shown to make it no faster.
    Never {
        /// The most measured.
        up_to: u32,
    },
}

impl CostAnswer {
    /// The cores whose times it rests on first: those that are enough, or the most measured.
    #[must_use]
    pub const fn cores(self) -> u32 {
        match self {
            Self::AtMost { cores } => cores,
            Self::Between { at_most, .. } => at_most,
            Self::NotShown { up_to } | Self::Never { up_to } => up_to,
        }
    }
}
