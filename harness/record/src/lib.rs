//! What a run leaves behind: its context, one line per trial, and the rules that keep both trustworthy.
//!
//! | module | idea |
//! |---|---|
//! | `time` | instants as RFC 3339 UTC text |
//! | `case` | what was measured, its deterministic key, and which protocol measured it |
//! | `observation` | one trial: one line of `observations.ndjson` |
//! | `resources` | stalls and network bytes of a trial, as the operating system counts them |
//! | `context` | what was asked for, and of what: `run.json` |
//! | `content` | what runs have in common by name, and where they differ |
//! | `machine` | the machine a run was on, and the key that says when two are the same |
//! | `journal` | the only writer: one locked, append-only, synced line per trial; resuming |
//! | `reader` | the only reader: a finished or unfinished run from its folder, hostile bytes included |
//! | `blocking` | what cases would have taken without one kind of blocking |
//! | `overhead` | what `bench overhead` leaves behind: raw samples, append-only |
//! | `own_file` | files of a folder, and not links that lead elsewhere |
//! | `error` | what can be wrong with a folder, and what to do about it |
//!
//! `docs/schema.md` describes the files for readers in other languages.

mod blocking;
mod case;
mod content;
mod context;
mod error;
mod journal;
mod machine;
mod observation;
mod overhead;
mod own_file;
mod reader;
mod resources;
mod time;

pub use bench_model::{
    Blocking, Bytes, ColumnDigest, Digest, Family, FaultOutcome, Nanos, Probe, SpanKind, SpanReport, Tuning,
    parse_bytes,
};
pub use blocking::{
    BLOCKING_FILE, CaseBlocking, MAX_TRACE_BYTES, REPLAY_ERROR_MAX, TRACES_FOLDER, read_trace, traces, traces_folder,
    write_blocking,
};
pub use case::{Arm, Case, CaseKey, Protocol, ProtocolError};
pub use content::{Content, Engines};
pub use context::{Build, ClusterContext, DatasetContext, Difference, EngineContext, RunContext, WorkloadContext};
pub use error::RecordError;
pub use journal::{Journal, Resumed, Torn};
pub use machine::{Machine, NodeMachine};
pub use observation::{Contamination, FIRST_ANSWER, Invalid, Observation, Outcome, TrialId, shorten};
pub use overhead::{
    Measure, OVERHEAD_FILE, OVERHEAD_SCHEMA, OverheadContext, OverheadJournal, OverheadRun, OverheadSample,
    OverheadSubject, SAMPLES_FILE,
};
pub use reader::{MAX_CONTEXT_BYTES, MAX_LINE_BYTES, Run};
pub use resources::{NetworkBytes, Pressure, PressureOf};
pub use time::Timestamp;

/// The schema this build writes, and the newest it reads; older ones are read too.
pub const SCHEMA: u32 = 2;
/// The file that holds a run's context.
pub const CONTEXT_FILE: &str = "run.json";
/// The file that holds a run's trials, one a line.
pub const OBSERVATIONS_FILE: &str = "observations.ndjson";
/// The folder that holds kept results, `<key>.parquet` each.
pub const RESULTS_FOLDER: &str = "results";
