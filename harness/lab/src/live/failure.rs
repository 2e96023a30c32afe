//! Every way in which no answer comes from an engine.

use bench_record::Outcome;
use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The engine cannot run this, ever.
    #[error("{0}")]
    Unsupported(String),
    /// The engine could, and this machine lacks what it needs.
    #[error("{0}")]
    NotReady(String),
    /// The program itself is wrong.
    #[error("program error: {0}")]
    Program(String),
    /// The data cannot be read.
    #[error("data error: {0}")]
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
    /// The outcome of a trial that ended this way; `None` if it says nothing about the engine. Only work has a time limit: an engine that
    /// is slow to start, or to do anything else that is not timed, has failed, and may do better the next time.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Unsupported(_) | Self::NotReady(_) => Some(Outcome::Unsupported),
            Self::TimedOut { request: "run" | "probe", .. } => Some(Outcome::TimedOut),
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

    /// Whether trying again can only end the same way, judged by what a record keeps of it, so that a resumed run judges
    /// alike: an engine that cannot, a program or data that are wrong, and a time that is over.
    #[must_use]
    pub fn is_final(outcome: Outcome, reason: &str) -> bool {
        match outcome {
            Outcome::Unsupported | Outcome::TimedOut => true,
            Outcome::Failed => reason.starts_with("program error: ") || reason.starts_with("data error: "),
            Outcome::Completed | Outcome::WrongAnswer => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_cannot_change_are_recognised_by_their_record() {
        let is_final = |f: &Failure| f.outcome().map(|o| Failure::is_final(o, &f.to_string()));
        assert_eq!(is_final(&Failure::Program("no column x".into())), Some(true));
        assert_eq!(is_final(&Failure::Data("truncated".into())), Some(true));
        assert_eq!(is_final(&Failure::Unsupported("graphs".into())), Some(true));
        assert_eq!(is_final(&Failure::Panicked("index".into())), Some(false));
        assert_eq!(is_final(&Failure::Interrupted), None);
        let late = |request| Failure::TimedOut { request, after: Duration::from_secs(120) };
        assert_eq!(
            ["run", "start", "load", "discard"].map(|r| is_final(&late(r))),
            [true, false, false, false].map(Some)
        );
    }
}
