//! What is measured, and in which unit.

use crate::overhead::Figure;
use bench_record::Observation;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// From submitting a program to holding its whole answer.
    Wall,
    /// CPU time of all processes of the engine.
    Cpu,
    /// The largest resident memory of all processes of the engine.
    MemoryPeak,
    /// Bytes that operators wrote out for want of memory.
    Spilled,
    /// Memory of a started engine that does nothing.
    MemoryIdle,
    /// From starting an engine until it is ready for its first program.
    StartUp,
    /// Of one task that does nothing, submitted and awaited before the next one.
    TaskRoundTrip,
    /// The same for each of many that are submitted at once.
    TaskTime,
    /// Of a thousand million bytes given to a store that is too small for them.
    StoreSpill,
    /// From the intended send time of an event to its result.
    Latency,
    /// Money for a terabyte processed, from times and a price book.
    Cost,
}

impl Metric {
    /// How it is read off a trial; none if this version records no such number, so that no run could decide a claim on it.
    #[must_use]
    pub fn reading(self) -> Option<fn(&Observation) -> Option<u64>> {
        match self {
            Self::Wall => Some(|o| o.wall_ns),
            Self::Cpu => Some(|o| o.cpu_ns),
            Self::MemoryPeak => Some(|o| o.rss_bytes_peak),
            // A byte more than was counted: nothing at all is a measurement, and a ratio to it has to be a number.
            Self::Spilled => Some(|o| o.spilled_bytes.map(|bytes| bytes.saturating_add(1))),
            Self::StartUp | Self::TaskRoundTrip | Self::TaskTime | Self::StoreSpill => Some(|o| o.wall_ns),
            Self::MemoryIdle => Some(|o| o.rss_bytes_peak),
            Self::Latency | Self::Cost => None,
        }
    }

    /// What is read off a trial beside it where the number is only the least that it was: the most that it may have been.
    #[must_use]
    pub fn bound(self) -> Option<fn(&Observation) -> Option<u64>> {
        match self {
            Self::MemoryPeak => Some(|o| o.rss_bytes_bound),
            _ => None,
        }
    }

    /// The figure of `bench overhead` that it is, if no workload is needed to measure it.
    #[must_use]
    pub const fn figure(self) -> Option<Figure> {
        match self {
            Self::StartUp => Some(Figure::Startup),
            Self::MemoryIdle => Some(Figure::IdleMemory),
            Self::TaskRoundTrip => Some(Figure::RoundTrip),
            Self::TaskTime => Some(Figure::Tasks),
            Self::StoreSpill => Some(Figure::SpillWrite),
            Self::Wall | Self::Cpu | Self::MemoryPeak | Self::Spilled | Self::Latency | Self::Cost => None,
        }
    }

    /// Whether it is a time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(
            self,
            Self::Wall
                | Self::Cpu
                | Self::StartUp
                | Self::TaskRoundTrip
                | Self::TaskTime
                | Self::StoreSpill
                | Self::Latency
        )
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wall => "wall time",
            Self::Cpu => "CPU time",
            Self::MemoryPeak => "peak memory",
            Self::Spilled => "spilled bytes",
            Self::MemoryIdle => "idle memory",
            Self::StartUp => "start-up time",
            Self::TaskRoundTrip => "round trip of a task",
            Self::TaskTime => "time per task",
            Self::StoreSpill => "time per GB given to a store that is too small",
            Self::Latency => "latency",
            Self::Cost => "cost",
        })
    }
}

/// The unit of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Minutes.
    #[serde(rename = "min")]
    Minutes,
    /// Millions of bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// Thousands of millions of bytes.
    #[serde(rename = "GB")]
    Gigabytes,
    /// US dollars for 10^12 bytes processed.
    #[serde(rename = "USD/TB")]
    DollarsPerTerabyte,
}

impl Unit {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "min",
            Self::Megabytes => "MB",
            Self::Gigabytes => "GB",
            Self::DollarsPerTerabyte => "USD/TB",
        }
    }

    /// How many nanoseconds, bytes or dollars it is.
    #[must_use]
    pub const fn size(self) -> f64 {
        match self {
            Self::Milliseconds | Self::Megabytes => 1e6,
            Self::Seconds | Self::Gigabytes => 1e9,
            Self::Minutes => 60e9,
            Self::DollarsPerTerabyte => 1.0,
        }
    }

    /// Whether it measures money.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(self, Self::DollarsPerTerabyte)
    }

    /// Whether it measures time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Milliseconds | Self::Seconds | Self::Minutes)
    }
}
