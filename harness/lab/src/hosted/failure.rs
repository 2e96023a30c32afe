//! Every way in which no answer comes from an engine.

use super::wire::FailureKind;
use bench_record::Outcome;
use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The engine cannot run this, ever.
    #[error("{0}")]
    Unsupported(String),
    /// The program itself is wrong.
    #[error("{0}")]
    Program(String),
    /// The data cannot be read.
    #[error("{0}")]
    Data(String),
    /// The memory limit is too small.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// The engine gave up.
    #[error("{0}")]
    Failed(String),
    /// The engine broke.
    #[error("the engine panicked: {0}")]
    Panicked(String),
    /// The engine's process cannot be started.
    #[error("cannot start `{command}`: {why}")]
    Spawn {
        /// The command line.
        command: String,
        /// Why.
        why: String,
    },
    /// The engine's process is gone.
    #[error("the engine process {how} during `{request}`{}", last_words(stderr))]
    Died {
        /// How it ended.
        how: String,
        /// What it was doing.
        request: &'static str,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// The engine's process said something that is no reply.
    #[error("the engine process broke the protocol during `{request}`: {why}{}", last_words(stderr))]
    Protocol {
        /// What it was asked.
        request: &'static str,
        /// What is wrong with what it said.
        why: String,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// No reply in time.
    #[error("no answer to `{request}` within {:.1} s", after.as_secs_f64())]
    TimedOut {
        /// What it was asked.
        request: &'static str,
        /// The time it had.
        after: Duration,
    },
    /// The user interrupted the run.
    #[error("interrupted")]
    Interrupted,
    /// The harness's own work failed: not a property of the engine.
    #[error("{0}")]
    Harness(String),
}

fn last_words(stderr: &str) -> String {
    let words = stderr.trim();
    if words.is_empty() { "; it wrote nothing to stderr".to_owned() } else { format!("; its last words: {words}") }
}

impl Failure {
    /// From a reply's kind and message.
    pub(super) fn replied(kind: FailureKind, message: String, request: &'static str) -> Self {
        match kind {
            FailureKind::Unsupported => Self::Unsupported(message),
            FailureKind::Program => Self::Program(message),
            FailureKind::Data => Self::Data(message),
            FailureKind::OutOfMemory => Self::OutOfMemory(message),
            FailureKind::Cancelled => Self::Failed("cancelled without being told to".to_owned()),
            FailureKind::Failed => Self::Failed(message),
            FailureKind::Panicked => Self::Panicked(message),
            FailureKind::Protocol => Self::Protocol { request, why: message, stderr: String::new() },
            FailureKind::Harness => Self::Harness(message),
        }
    }

    /// The outcome of a trial that ended this way; `None` if it says nothing about the engine.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Unsupported(_) => Some(Outcome::Unsupported),
            Self::TimedOut { .. } => Some(Outcome::TimedOut),
            Self::Interrupted | Self::Harness(_) => None,
            _ => Some(Outcome::Failed),
        }
    }

    /// Whether the engine's process has to be replaced before the next request.
    #[must_use]
    pub const fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::Panicked(_) | Self::Spawn { .. } | Self::Died { .. } | Self::Protocol { .. } | Self::Interrupted
        )
    }
}
