//! Work that does nothing, asked of an engine to show what its runtime costs.

use serde::{Deserialize, Serialize};

/// What is timed, and how much of it. As a message it is `{"kind": ..., ...}`; `docs/overhead.md` says what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// Tasks that do nothing, all submitted at once. One sample: until the last result is held.
    Tasks {
        /// How many.
        count: u32,
    },
    /// Tasks that do nothing, each awaited before the next. A sample each.
    RoundTrip {
        /// How many.
        count: u32,
    },
    /// Method calls of one stateful object that do nothing, all submitted at once. One sample.
    Calls {
        /// How many.
        count: u32,
    },
    /// Such calls, each awaited before the next. A sample each.
    CallRoundTrip {
        /// How many.
        count: u32,
    },
    /// Values given to the engine's store. A sample each.
    Put {
        /// How large each is.
        bytes: u64,
        /// How many.
        count: u32,
    },
    /// Values read from the engine's store, every byte of them looked at. A sample each.
    Get {
        /// How large each is.
        bytes: u64,
        /// How many.
        count: u32,
    },
    /// An Arrow table through the engine's serializer and back. A sample each time.
    Serialize {
        /// How large it is.
        bytes: u64,
        /// How often.
        count: u32,
    },
    /// Values given to the store, together more than it may hold, then all of them read back. Two samples.
    Spill {
        /// How large each is.
        bytes: u64,
        /// How many.
        count: u32,
    },
    /// Tasks that sleep. One sample: all of them.
    Recover {
        /// How many.
        count: u32,
        /// How long each sleeps.
        task_ns: u64,
        /// Whether a process that runs some of them is killed when a quarter is done.
        kill: bool,
    },
}

impl Probe {
    /// Its name in messages and records.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tasks { .. } => "tasks",
            Self::RoundTrip { .. } => "round_trip",
            Self::Calls { .. } => "calls",
            Self::CallRoundTrip { .. } => "call_round_trip",
            Self::Put { .. } => "put",
            Self::Get { .. } => "get",
            Self::Serialize { .. } => "serialize",
            Self::Spill { .. } => "spill",
            Self::Recover { .. } => "recover",
        }
    }

    /// How many samples it gives.
    #[must_use]
    pub const fn samples(&self) -> usize {
        match self {
            Self::Tasks { .. } | Self::Calls { .. } | Self::Recover { .. } => 1,
            Self::Spill { .. } => 2,
            Self::RoundTrip { count }
            | Self::CallRoundTrip { count }
            | Self::Put { count, .. }
            | Self::Get { count, .. }
            | Self::Serialize { count, .. } => *count as usize,
        }
    }
}
