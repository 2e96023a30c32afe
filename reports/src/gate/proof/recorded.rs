//! The times of real runs of one build, small enough to be kept with the source.

use super::Count;
use crate::compare::{CaseTrials, cases};
use crate::gate::{Cases, GateError, refuse};
use bench_record::{Case, Outcome, Run};
use serde::{Deserialize, Serialize};

/// The version of the file.
const SCHEMA: u32 = 1;
/// Every so many-th case is slowed down, another one each time.
const PLANTED_EVERY: usize = 10;

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

/// Microseconds, by run.
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
        let all: Vec<Cases> = runs.iter().map(|run| cases(std::slice::from_ref(run), None)).collect();
        let micros = |times: &[f64]| times.iter().map(|ns| (ns / 1e3).round().max(1.0) as u64).collect::<Vec<_>>();
        let usable = |t: &&CaseTrials| t.outcome == Outcome::Completed && t.times.len() > 1;
        let one = |case: &Case| {
            let trials: Vec<&CaseTrials> = all.iter().filter_map(|run| run.get(case)).filter(usable).collect();
            let has_twins = trials.iter().all(|t| t.twin.len() > 1);
            (trials.len() == all.len()).then(|| RecordedCase {
                case: case.clone(),
                main: trials.iter().map(|t| micros(&t.times)).collect(),
                twin: if has_twins { trials.iter().map(|t| micros(&t.twin)).collect() } else { Vec::new() },
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
            |times: &[Vec<u64>]| times.len() == recorded.runs && times.iter().all(|t| t.len() > 1 && !t.contains(&0));
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

    /// Every pair of runs, and every pair of halves of them.
    pub(super) fn counts(&self) -> Vec<Count> {
        let mut single = Count::new("recorded, one run a side", self.trials);
        let mut experiment = 0;
        for a in 0..self.runs {
            for b in a + 1..self.runs {
                experiment += 1;
                single.judge(&self.side(&[a]), &self.side(&[b]), &|case| (case + experiment) % PLANTED_EVERY == 0);
            }
        }
        let half = self.runs / 2;
        if half < 2 {
            return vec![single];
        }
        let mut several = Count::new(format!("recorded, {half} runs a side"), self.trials * half);
        for chosen in halves(self.runs, half) {
            let others: Vec<usize> = (0..self.runs).filter(|run| !chosen.contains(run)).take(half).collect();
            experiment += 1;
            let (old, fresh) = (self.side(&chosen), self.side(&others));
            several.judge(&old, &fresh, &|case| (case + experiment) % PLANTED_EVERY == 0);
        }
        vec![single, several]
    }

    /// The times of some runs together.
    fn side(&self, runs: &[usize]) -> Cases {
        let pooled = |times: &[Vec<u64>]| -> Vec<f64> {
            runs.iter().filter_map(|run| times.get(*run)).flatten().map(|us| *us as f64 * 1e3).collect()
        };
        let one = |c: &RecordedCase| {
            let (times, twin) = (pooled(&c.main), pooled(&c.twin));
            let trials = CaseTrials { outcome: Outcome::Completed, reason: None, times, twin, contaminated: false };
            (c.case.clone(), trials)
        };
        self.cases.iter().map(one).collect()
    }
}

/// Every choice of `half` of `n` runs that holds the first, so that none is the rest of another.
fn halves(n: usize, half: usize) -> Vec<Vec<usize>> {
    let has_all = |bits: u32| bits & 1 == 1 && bits.count_ones() as usize == half;
    let chosen = |bits: u32| (0..n).filter(|i| bits >> i & 1 == 1).collect();
    (0..1u32 << n.min(12)).filter(|bits| has_all(*bits)).map(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_halves_is_judged_once() {
        assert_eq!(halves(4, 2), [vec![0, 1], vec![0, 2], vec![0, 3]]);
        assert_eq!(halves(6, 3).len(), 10);
    }

    #[test]
    fn files_that_hold_something_else_are_refused() {
        let head = r#"{"schema":1,"about":"","trials":5,"runs":2,"cases":[]}"#;
        assert!(Recorded::parse(head.as_bytes()).is_ok());
        for wrong in [&head.replace("\"schema\":1", "\"schema\":2"), &head.replace(":2,", ":1,"), "", "[]", "{}"] {
            assert!(Recorded::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(Recorded::parse(head.as_bytes()).unwrap().json(), head.replace("[]", "[\n\n]") + "\n");
    }
}
