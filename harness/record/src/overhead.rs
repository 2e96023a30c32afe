//! What `bench overhead` leaves behind: its context, one line per measurement with its raw samples, and the rules that keep
//! both trustworthy. The journal is the only writer, the run the only reader.

mod journal;
mod run;

pub use journal::OverheadJournal;
pub use run::OverheadRun;

use crate::context::Build;
use crate::machine::Machine;
use crate::observation::{Contamination, Outcome};
use crate::time::Timestamp;
use bench_model::{Bytes, Nanos, Probe};
use serde::{Deserialize, Serialize};

/// The version of what this build writes, and the newest it reads.
pub const OVERHEAD_SCHEMA: u32 = 1;
/// The file that holds the context.
pub const OVERHEAD_FILE: &str = "overhead.json";
/// The file that holds the measurements, one a line.
pub const SAMPLES_FILE: &str = "samples.ndjson";

/// What was asked for, and where. Replaced as a whole, never edited in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverheadContext {
    /// [`OVERHEAD_SCHEMA`].
    pub schema: u32,
    /// The build of this program.
    pub bench: Build,
    /// The command line, program name first.
    pub command_line: Vec<String>,
    /// How often each engine was asked for, each time in a new process.
    pub trials: u32,
    /// How long an engine was left alone between its start and the reading of its memory.
    pub settle_ns: Nanos,
    /// The machine.
    pub machine: Machine,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent if it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What a reader should know, each with the next step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Whose overhead: an engine as configured, in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OverheadSubject {
    /// The engine.
    pub engine: String,
    /// `default`, or what differs from it.
    pub variant: String,
    /// `local` for processes that the engine starts itself, `processes` for nodes of this program.
    pub cluster: String,
    /// Nodes.
    pub nodes: u32,
    /// Slots of each.
    pub slots: u32,
    /// Memory that it may hold; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<Bytes>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// From starting the process until the engine is ready.
    Startup,
    /// Memory of all its processes when it has nothing to do.
    IdleMemory,
    /// Work that does nothing.
    Probe(Probe),
}

/// One measurement of one trial: one line of [`SAMPLES_FILE`]. An absent field was not measured; it is never 0 in disguise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverheadSample {
    /// [`OVERHEAD_SCHEMA`].
    pub schema: u32,
    /// Whose.
    pub subject: OverheadSubject,
    /// What the live engine said its version is; absent if it did not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Counts from 0; every trial has processes of its own.
    pub trial: u32,
    /// What.
    pub measure: Measure,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not complete; present exactly then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was timed, in the order it was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples_ns: Vec<Nanos>,
    /// What was held, for [`Measure::IdleMemory`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_bytes: Option<Bytes>,
    /// What others did meanwhile, of a probe; one with reasons is contaminated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contamination: Option<Contamination>,
    /// When it began.
    pub started_at: Timestamp,
}

impl OverheadSample {
    /// Whether something else disturbed the machine meanwhile.
    #[must_use]
    pub fn is_contaminated(&self) -> bool {
        self.contamination.as_ref().is_some_and(|c| !c.reasons.is_empty())
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), String> {
        let (samples, held) = (!self.samples_ns.is_empty(), self.held_bytes.is_some());
        let (wanted, what) = match self.measure {
            Measure::IdleMemory => ((false, true), "`held_bytes` and nothing else"),
            Measure::Startup | Measure::Probe(_) => ((true, false), "`samples_ns` and nothing else"),
        };
        match (self.outcome, self.reason.is_some()) {
            (Outcome::WrongAnswer, _) => Err("there is no answer that could be wrong".to_owned()),
            (Outcome::Completed, true) => Err("outcome `completed` with a `reason`".to_owned()),
            (Outcome::Completed, false) if (samples, held) != wanted => {
                Err(format!("a completed measurement has {what}"))
            }
            (Outcome::Completed, false) => match self.measure {
                Measure::Probe(probe) if self.samples_ns.len() != probe.samples() => {
                    Err(format!("{} samples of a probe that gives {}", self.samples_ns.len(), probe.samples()))
                }
                _ => Ok(()),
            },
            (other, false) => Err(format!("outcome `{other}` without `reason`")),
            (other, true) if samples || held => Err(format!("outcome `{other}` with something measured")),
            (_, true) => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(measure: Measure, outcome: Outcome) -> OverheadSample {
        let done = outcome == Outcome::Completed;
        let samples = match measure {
            Measure::Startup => 1,
            Measure::IdleMemory => 0,
            Measure::Probe(probe) => probe.samples(),
        };
        OverheadSample {
            schema: OVERHEAD_SCHEMA,
            subject: OverheadSubject {
                engine: "ray".into(),
                variant: "default".into(),
                cluster: "local".into(),
                nodes: 1,
                slots: 2,
                memory_bytes: Some(Bytes::new(1 << 31)),
            },
            version: Some("2.60".into()),
            trial: 0,
            measure,
            outcome,
            reason: (!done).then(|| "it has no store".into()),
            samples_ns: if done { vec![Nanos::new(5); samples] } else { vec![] },
            held_bytes: (done && measure == Measure::IdleMemory).then(|| Bytes::new(64 << 20)),
            contamination: None,
            started_at: Timestamp::from_unix_ms(1_795_374_245_123),
        }
    }

    const ROUND: Measure = Measure::Probe(Probe::RoundTrip { count: 3 });

    #[test]
    fn a_measurement_is_written_as_documented() {
        let line = serde_json::to_string(&sample(ROUND, Outcome::Completed)).unwrap();
        insta::assert_snapshot!(line, @r#"{"schema":1,"subject":{"engine":"ray","variant":"default","cluster":"local","nodes":1,"slots":2,"memory_bytes":2147483648},"version":"2.60","trial":0,"measure":{"probe":{"kind":"round_trip","count":3}},"outcome":"completed","samples_ns":[5,5,5],"started_at":"2026-11-22T19:04:05.123Z"}"#);
        let line = serde_json::to_string(&sample(Measure::IdleMemory, Outcome::Unsupported)).unwrap();
        insta::assert_snapshot!(line, @r#"{"schema":1,"subject":{"engine":"ray","variant":"default","cluster":"local","nodes":1,"slots":2,"memory_bytes":2147483648},"version":"2.60","trial":0,"measure":"idle_memory","outcome":"unsupported","reason":"it has no store","started_at":"2026-11-22T19:04:05.123Z"}"#);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for measure in [Measure::Startup, Measure::IdleMemory, ROUND] {
            for outcome in [Outcome::Completed, Outcome::Failed, Outcome::Unsupported] {
                assert_eq!(sample(measure, outcome).validate(), Ok(()), "{measure:?} {outcome}");
            }
        }
        let refused = |change: fn(&mut OverheadSample), outcome| {
            let mut other = sample(ROUND, outcome);
            change(&mut other);
            other.validate().unwrap_err()
        };
        assert!(refused(|s| s.samples_ns.clear(), Outcome::Completed).contains("`samples_ns`"));
        assert!(
            refused(|s| s.samples_ns.truncate(2), Outcome::Completed).contains("2 samples of a probe that gives 3")
        );
        assert!(refused(|s| s.held_bytes = Some(Bytes::new(1)), Outcome::Completed).contains("nothing else"));
        assert!(refused(|s| s.reason = Some("?".into()), Outcome::Completed).contains("with a `reason`"));
        assert!(refused(|s| s.reason = None, Outcome::Failed).contains("without `reason`"));
        assert!(refused(|s| s.samples_ns.push(Nanos::new(1)), Outcome::Failed).contains("something measured"));
        assert!(refused(|s| s.outcome = Outcome::WrongAnswer, Outcome::Failed).contains("no answer"));
    }
}
