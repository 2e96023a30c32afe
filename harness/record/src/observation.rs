//! One trial: one line of `observations.ndjson`.

use crate::SCHEMA;
use crate::case::{Arm, Case, CaseKey};
use crate::resources::{NetworkBytes, Pressure};
use crate::time::Timestamp;
use bench_model::{Digest, FaultOutcome, SpanReport};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How [`Observation::oracle`] begins where nobody knew the answer beforehand: the first answer that was given is what the
/// others are compared with, and nobody knows whether it is right.
pub const FIRST_ANSWER: &str = "first answer, of ";

/// How a trial ended. Closed: there is no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A whole answer that the oracle agrees with, or that has no oracle (then `oracle` is absent).
    Completed,
    /// A whole answer that the oracle contradicts. It has no time.
    WrongAnswer,
    /// No answer.
    Failed,
    /// No answer within the time allowed.
    TimedOut,
    /// The engine says beforehand that it cannot.
    Unsupported,
}

impl Outcome {
    /// Its name in records and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::WrongAnswer => "wrong_answer",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The most bytes of a reason or a note that are kept: what products say of themselves has no end.
const TEXT_BYTES_MAX: usize = 4096;
/// The most notes that are kept.
const NOTES_MAX: usize = 64;

/// Cuts a text to 4 KiB, and says so.
pub fn shorten(text: &mut String) {
    if text.len() > TEXT_BYTES_MAX {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        let left_out = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("... ({left_out} more bytes)"));
    }
}

/// One trial of one case. An absent field was not measured or does not apply; it is never 0 in disguise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The schema version of this line: [`crate::SCHEMA`].
    pub schema: u32,
    /// The case's key: `case.key()`.
    pub key: CaseKey,
    /// What was measured.
    pub case: Case,
    /// The measurement itself, or its A/A twin.
    pub arm: Arm,
    /// Counts from 0 within case and arm; a repetition of a contaminated trial takes the next free number.
    pub trial: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not complete; present exactly then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of an engine that is unsupported only because this machine was not ready for it: `reason` says what it lacks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_ready: bool,
    /// From submitting the program to holding the whole answer; present exactly when completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ns: Option<u64>,
    /// CPU time of the engine's processes meanwhile, user and system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Largest resident memory of the engine's processes meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes_peak: Option<u64>,
    /// Of several processes: no more than this was resident at any time; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes_bound: Option<u64>,
    /// Memory that the other engines of the run held meanwhile, waiting for their turn; absent if none was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_rss_bytes: Option<u64>,
    /// Bytes the engine's processes fetched from storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes they sent to storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<u64>,
    /// How long tasks stalled for want of CPU, memory or storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Bytes that passed over network interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkBytes>,
    /// Bytes that the engine's operators wrote out because memory ran short, as the engine counts them; part of
    /// `write_bytes` where they reached the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spilled_bytes: Option<u64>,
    /// Rows of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_out: Option<u64>,
    /// The answer's fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Who says what the answer must be, with version; absent if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<String>,
    /// Whether something else disturbed the machine meanwhile.
    pub contaminated: bool,
    /// When it began.
    pub started_at: Timestamp,

    /// What checking the answer cost, outside the timer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_ns: Option<u64>,
    /// Where slot time went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans: Option<SpanReport>,
    /// What the engine decided on the way, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What came of the faults that were planned for this trial, whatever its outcome. One that did not fire makes the
    /// trial void: it shows nothing about recovery.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultOutcome>,
    /// What was seen of the rest of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contamination: Option<Contamination>,
    /// The contaminated trial of the same case and arm that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
}

/// What else the machine did during a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contamination {
    /// CPU time of processes that do not belong to the trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_cpu_ns: Option<u64>,
    /// CPU time of the kernel's own threads, which work for everybody, the trial too; it contaminates nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_cpu_ns: Option<u64>,
    /// Time the hypervisor gave to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_ns: Option<u64>,
    /// Time a quota held the trial's processes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
    /// Why it counts as contaminated, with the limit that was passed; empty if it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What identifies a line: two lines of one run never share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId {
    /// Which case.
    pub key: CaseKey,
    /// Which arm.
    pub arm: Arm,
    /// Which trial.
    pub trial: u32,
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, arm {}, trial {}", self.key, self.arm, self.trial)
    }
}

/// An observation that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The key is another case's.
    #[error("key `{found}` is not the key of its case, `{expected}`")]
    Key {
        /// What the line says.
        found: CaseKey,
        /// What the case gives.
        expected: CaseKey,
    },
    /// Completed without a time.
    #[error("outcome `completed` without `wall_ns`")]
    NoTime,
    /// Completed in no time: the clock stood still, or the line was made up.
    #[error("`wall_ns` is 0: no answer takes no time")]
    NoDuration,
    /// A time that nobody may use.
    #[error("outcome `{0}` with `wall_ns`: only a completed trial has a time")]
    Time(Outcome),
    /// Not completed, and nobody says why.
    #[error("outcome `{0}` without `reason`")]
    NoReason(Outcome),
    /// Completed, and yet a reason why not.
    #[error("outcome `completed` with a `reason`")]
    Reason,
    /// Something else than a machine that lacks something.
    #[error("outcome `{0}` with `not_ready`: only an unsupported engine can be waiting for a machine")]
    NotReady(Outcome),
    /// A case that cannot have run.
    #[error("`{0}` is 0 in `case`")]
    Zero(&'static str),
    /// A repetition of itself or of a later trial.
    #[error("trial {trial} cannot repeat trial {repeat}: a repetition comes later")]
    Repeat {
        /// The trial.
        trial: u32,
        /// What it claims to repeat.
        repeat: u32,
    },
    /// JSON has no such number.
    #[error("the digest of column `{0}` is not finite")]
    NotFinite(String),
}

impl Observation {
    /// Cuts what engines say of themselves to what a record has room for.
    pub fn shorten(&mut self) {
        let left_out = self.notes.len().saturating_sub(NOTES_MAX);
        if left_out > 0 {
            self.notes.truncate(NOTES_MAX);
            self.notes.push(format!("{left_out} more notes"));
        }
        self.notes.iter_mut().chain(&mut self.reason).for_each(shorten);
    }

    /// A trial of which only its end is known; the caller fills in what was measured.
    #[must_use]
    pub fn new(case: Case, arm: Arm, trial: u32, outcome: Outcome, started_at: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            key: case.key(),
            case,
            arm,
            trial,
            outcome,
            reason: None,
            not_ready: false,
            wall_ns: None,
            cpu_ns: None,
            rss_bytes_peak: None,
            rss_bytes_bound: None,
            others_rss_bytes: None,
            read_bytes: None,
            write_bytes: None,
            pressure: None,
            network: None,
            spilled_bytes: None,
            rows_out: None,
            digest: None,
            oracle: None,
            contaminated: false,
            started_at,
            check_ns: None,
            spans: None,
            notes: Vec::new(),
            faults: Vec::new(),
            contamination: None,
            repeat: None,
        }
    }

    /// Whether somebody who knew the answer by other means than this engine, or another one that answered first, held the
    /// answer to it. Only then does the outcome say that an answer is right or wrong; else, that answers agree or differ.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        let oracle = self.oracle.as_deref().filter(|oracle| !oracle.starts_with(FIRST_ANSWER));
        oracle.is_some_and(|oracle| oracle.split(' ').next() != Some(self.case.engine.as_str()))
    }

    /// What identifies it within its run.
    #[must_use]
    pub fn id(&self) -> TrialId {
        TrialId { key: self.key.clone(), arm: self.arm, trial: self.trial }
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), Invalid> {
        let expected = self.case.key();
        if self.key != expected {
            return Err(Invalid::Key { found: self.key.clone(), expected });
        }
        let completed = self.outcome == Outcome::Completed;
        match (completed, self.wall_ns.is_some(), self.reason.is_some()) {
            (true, false, _) => return Err(Invalid::NoTime),
            (true, _, true) => return Err(Invalid::Reason),
            (true, ..) if self.wall_ns == Some(0) => return Err(Invalid::NoDuration),
            (false, true, _) => return Err(Invalid::Time(self.outcome)),
            (false, _, false) => return Err(Invalid::NoReason(self.outcome)),
            _ => {}
        }
        if self.not_ready && self.outcome != Outcome::Unsupported {
            return Err(Invalid::NotReady(self.outcome));
        }
        for (name, value) in [("nodes", self.case.nodes), ("slots", self.case.slots), ("scale", self.case.scale)] {
            if value == 0 {
                return Err(Invalid::Zero(name));
            }
        }
        if let Some(repeat) = self.repeat.filter(|r| *r >= self.trial) {
            return Err(Invalid::Repeat { trial: self.trial, repeat });
        }
        let columns = self.digest.iter().flat_map(|d| &d.approx);
        let finite = |x: f64| x.is_finite();
        match columns.into_iter().find(|c| !(finite(c.sum) && finite(c.magnitude) && finite(c.weighted))) {
            Some(column) => Err(Invalid::NotFinite(column.name.clone())),
            None => Ok(()),
        }
    }
}
