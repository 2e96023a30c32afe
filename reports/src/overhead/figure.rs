//! What is reported of an engine's overhead, and how each number follows from the samples of one trial.

use crate::stats::{median, sorted};
use bench_record::{Measure, OverheadSample, Probe};
use serde::Serialize;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// Bytes.
    Bytes,
    /// Tasks or calls in a second.
    PerSecond,
    /// Bytes in a second.
    BytesPerSecond,
}

/// One number that says what an engine costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// From starting the process until the engine is ready.
    Startup,
    /// Memory of all its processes with nothing to do.
    IdleMemory,
    /// Tasks that do nothing, per second.
    Tasks,
    /// One such task, submitted and awaited.
    RoundTrip,
    /// Method calls of one stateful object, per second.
    Calls,
    /// One such call, sent and awaited.
    CallRoundTrip,
    /// Bytes per second into the store.
    Put,
    /// Bytes per second out of the store.
    Get,
    /// Bytes per second through the serializer and back.
    Serialize,
    /// Bytes per second into a store that is too small for them.
    SpillWrite,
    /// Bytes per second back from it.
    SpillRead,
    /// How much longer tasks take when a worker is killed among them.
    Recovery,
}

impl Figure {
    /// Every figure, in the order in which reports show them.
    pub const ALL: [Self; 12] = [
        Self::Startup,
        Self::IdleMemory,
        Self::Tasks,
        Self::RoundTrip,
        Self::Calls,
        Self::CallRoundTrip,
        Self::Put,
        Self::Get,
        Self::Serialize,
        Self::SpillWrite,
        Self::SpillRead,
        Self::Recovery,
    ];

    /// What it counts.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Startup | Self::RoundTrip | Self::CallRoundTrip | Self::Recovery => Unit::Ns,
            Self::IdleMemory => Unit::Bytes,
            Self::Tasks | Self::Calls => Unit::PerSecond,
            Self::Put | Self::Get | Self::Serialize | Self::SpillWrite | Self::SpillRead => Unit::BytesPerSecond,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Startup => "start-up",
            Self::IdleMemory => "idle memory",
            Self::Tasks => "tasks",
            Self::RoundTrip => "round trip",
            Self::Calls => "calls",
            Self::CallRoundTrip => "call round trip",
            Self::Put => "put",
            Self::Get => "get",
            Self::Serialize => "serialize",
            Self::SpillWrite => "spill",
            Self::SpillRead => "read spilled",
            Self::Recovery => "recovery",
        }
    }

    /// Whether it follows from such measurements.
    pub(super) const fn is_of(self, measure: Measure) -> bool {
        match measure {
            Measure::Startup => matches!(self, Self::Startup),
            Measure::IdleMemory => matches!(self, Self::IdleMemory),
            Measure::Probe(probe) => match probe {
                Probe::Tasks { .. } => matches!(self, Self::Tasks),
                Probe::RoundTrip { .. } => matches!(self, Self::RoundTrip),
                Probe::Calls { .. } => matches!(self, Self::Calls),
                Probe::CallRoundTrip { .. } => matches!(self, Self::CallRoundTrip),
                Probe::Put { .. } => matches!(self, Self::Put),
                Probe::Get { .. } => matches!(self, Self::Get),
                Probe::Serialize { .. } => matches!(self, Self::Serialize),
                Probe::Spill { .. } => matches!(self, Self::SpillWrite | Self::SpillRead),
                Probe::Recover { .. } => matches!(self, Self::Recovery),
            },
        }
    }

    /// Its value from the completed measurements of one trial; none if some are missing.
    pub(super) fn value(self, samples: &[&OverheadSample]) -> Option<f64> {
        if self == Self::Recovery {
            return Some(recovery(samples, true)? - recovery(samples, false)?);
        }
        let sample = samples.first()?;
        let times = sorted(sample.samples_ns.iter().map(|ns| ns.get() as f64));
        let per_second = |amount: f64, ns: f64| (ns > 0.0).then(|| amount * 1e9 / ns);
        match sample.measure {
            Measure::Startup => median(&times),
            Measure::IdleMemory => sample.held_bytes.map(|held| held.get() as f64),
            Measure::Probe(probe) => match probe {
                Probe::Tasks { count } | Probe::Calls { count } => per_second(f64::from(count), *times.first()?),
                Probe::RoundTrip { .. } | Probe::CallRoundTrip { .. } => median(&times),
                Probe::Put { bytes, .. } | Probe::Get { bytes, .. } | Probe::Serialize { bytes, .. } => {
                    per_second(bytes as f64, median(&times)?)
                }
                Probe::Spill { bytes, count } => {
                    // As they were taken: written, then read.
                    let at = usize::from(self == Self::SpillRead);
                    per_second(bytes as f64 * f64::from(count), sample.samples_ns.get(at)?.get() as f64)
                }
                Probe::Recover { .. } => None,
            },
        }
    }
}

/// How long the tasks took, with a worker killed or without.
fn recovery(samples: &[&OverheadSample], killed: bool) -> Option<f64> {
    let is = |s: &&&OverheadSample| matches!(s.measure, Measure::Probe(Probe::Recover { kill, .. }) if kill == killed);
    samples.iter().find(is)?.samples_ns.first().map(|ns| ns.get() as f64)
}
