//! The times of real runs of one build, small enough to be kept with the source.

use super::Count;
use crate::compare::{CaseTrials, RunTimes, cases};
use crate::gate::{Cases, GateError, refuse};
use bench_record::{Case, Outcome, Run, Timestamp};
use serde::{Deserialize, Serialize};

/// The version of the file.
const SCHEMA: u32 = 3;
/// How many turns are judged together. One turn of the four trials that are recorded could raise no alarm and pass nothing as fine,
/// whatever was compared: it would prove nothing.
const TURNS: [usize; 2] = [3, 6];
const NS_PER_US: f64 = 1e3;

/// Runs of one build on one machine, reduced to the times that count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    schema: u32,
    /// Where and when they were made, in words.
    about: String,
    /// Trials asked for.
    trials: usize,
    /// How many runs.
    runs: usize,
    cases: Vec<RecordedCase>,
}

/// Microseconds, by run, in the order in which the runs were made: the clock's finer digits would triple the file and change no verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RecordedCase {
    case: Case,
    main: Vec<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    twin: Vec<Vec<u64>>,
}

/// Why there are no recorded times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordedError {
    /// Runs that do not belong together.
    #[error(transparent)]
    Runs(#[from] GateError),
    /// Too few for a pair.
    #[error("give two runs of one build or more, so that they can be compared")]
    TooFew,
    /// Not such a file.
    #[error("not recorded times: {0}")]
    Malformed(String),
}

impl Recorded {
    /// The times of runs. Cases that did not complete in all of them are left out. Disturbed times are kept as if they were
    /// not: the gate itself would claim nothing of them, so its tests are shown to be worth something without that guard.
    ///
    /// # Errors
    /// Fewer than two, or runs that may not be compared.
    pub fn of(runs: &[Run]) -> Result<Self, RecordedError> {
        let (Some((first, others)), true) = (runs.split_first(), runs.len() > 1) else {
            return Err(RecordedError::TooFew);
        };
        refuse::incomparable(std::slice::from_ref(first), others, None)?;
        let mut runs: Vec<&Run> = runs.iter().collect();
        runs.sort_by_key(|run| run.context.started_at);
        let all: Vec<Cases> = runs.iter().map(|run| cases(std::slice::from_ref(*run), None)).collect();
        let usable = |t: &&CaseTrials| t.outcome == Outcome::Completed && !t.runs.is_empty();
        let times = |t: &CaseTrials, of: fn(&RunTimes) -> &Vec<f64>| -> Vec<u64> {
            t.runs.iter().flat_map(of).map(|ns| (ns / NS_PER_US).round().max(1.0) as u64).collect()
        };
        let one = |case: &Case| {
            let trials: Vec<&CaseTrials> = all.iter().filter_map(|run| run.get(case)).filter(usable).collect();
            let (main, twin): (Vec<_>, Vec<_>) =
                trials.iter().map(|t| (times(t, |run| &run.main), times(t, |run| &run.twin))).unzip();
            let has_twins = twin.iter().all(|t| !t.is_empty());
            (trials.len() == all.len() && main.iter().all(|t| !t.is_empty())).then(|| RecordedCase {
                case: case.clone(),
                main,
                twin: if has_twins { twin } else { Vec::new() },
            })
        };
        let c = &first.context;
        Ok(Self {
            schema: SCHEMA,
            about: format!("suite {}, {}, {}; from {}", c.suite, c.protocol, c.machine.summary(), c.started_at),
            trials: c.trials as usize,
            runs: runs.len(),
            cases: all.first().into_iter().flat_map(|run| run.keys()).filter_map(one).collect(),
        })
    }

    /// Reads them from JSON.
    ///
    /// # Errors
    /// Something else.
    pub fn parse(json: &[u8]) -> Result<Self, RecordedError> {
        let recorded: Self = serde_json::from_slice(json).map_err(|e| RecordedError::Malformed(e.to_string()))?;
        let whole =
            |times: &[Vec<u64>]| times.len() == recorded.runs && times.iter().all(|t| !t.is_empty() && !t.contains(&0));
        let is_whole = |c: &RecordedCase| whole(&c.main) && (c.twin.is_empty() || whole(&c.twin));
        if recorded.schema != SCHEMA || recorded.runs < 2 || !recorded.cases.iter().all(is_whole) {
            return Err(RecordedError::Malformed(format!("no schema {SCHEMA}, or times are missing")));
        }
        Ok(recorded)
    }

    /// As JSON, a case a line.
    #[must_use]
    pub fn json(&self) -> String {
        let head = Self { cases: Vec::new(), ..self.clone() };
        // Strings and numbers: serialization has nothing to fail on.
        let head = serde_json::to_string(&head).unwrap_or_default();
        let cases: Vec<String> = self.cases.iter().map(|c| serde_json::to_string(c).unwrap_or_default()).collect();
        format!("{}[\n{}\n]}}\n", head.trim_end_matches("[]}"), cases.join(",\n"))
    }

    /// Runs in a row as so many turns of two equal builds, by numbers of turns that there are enough runs for.
    pub(super) fn counts(&self) -> Vec<Count> {
        TURNS.into_iter().filter(|turns| 2 * turns <= self.runs).map(|turns| self.count(turns)).collect()
    }

    /// Turns A B B A, each run in one experiment only.
    fn count(&self, turns: usize) -> Count {
        let mut count = Count::new(format!("recorded, {} runs", self.runs), turns, self.trials);
        count.is_recorded = true;
        let all: Vec<usize> = (0..self.runs).collect();
        for (experiment, window) in all.chunks_exact(2 * turns).enumerate() {
            let side = |of: [usize; 2]| {
                let chosen = window.iter().enumerate().filter(|(at, _)| of.contains(&(at % 4))).map(|(_, run)| *run);
                self.side(&chosen.collect::<Vec<_>>())
            };
            count.judge(&side([0, 3]), &side([1, 2]), experiment);
        }
        count
    }

    /// The times of some runs together.
    fn side(&self, runs: &[usize]) -> Cases {
        let of_run = |times: &[Vec<u64>], run: usize| -> Vec<f64> {
            times.get(run).into_iter().flatten().map(|us| *us as f64 * NS_PER_US).collect()
        };
        let one = |c: &RecordedCase| {
            let run = |run: &usize| RunTimes {
                started_at: Timestamp::from_unix_ms(*run as u64),
                main: of_run(&c.main, *run),
                twin: of_run(&c.twin, *run),
            };
            let runs = runs.iter().map(run).collect();
            let trials = CaseTrials { outcome: Outcome::Completed, reason: None, runs, contaminated: false };
            (c.case.clone(), trials)
        };
        self.cases.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_in_one_experiment_of_each_size_however_many_there_are() {
        let head = r#"{"schema":3,"about":"","trials":5,"runs":40,"cases":[]}"#;
        let recorded = Recorded::parse(head.as_bytes()).unwrap();
        let counted: Vec<(usize, usize)> = recorded.counts().iter().map(|c| (c.turns, c.exit_zero.of)).collect();
        assert_eq!(counted, [(3, 6), (6, 3)]);
    }

    #[test]
    fn files_that_hold_something_else_are_refused() {
        let head = r#"{"schema":3,"about":"","trials":5,"runs":2,"cases":[]}"#;
        assert!(Recorded::parse(head.as_bytes()).is_ok());
        for wrong in [&head.replace("\"schema\":3", "\"schema\":1"), &head.replace(":2,", ":1,"), "", "[]", "{}"] {
            assert!(Recorded::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(Recorded::parse(head.as_bytes()).unwrap().json(), head.replace("[]", "[\n\n]") + "\n");
    }
}
