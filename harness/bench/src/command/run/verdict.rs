//! Whether everything asked of a run was done and right: what decides how `bench run` ends.

use bench_record::{Observation, Outcome};

/// How far the spans of a trial may be from accounting for all of its slots' time.
const SPAN_TOLERANCE: f64 = 0.01;

/// What went wrong in a run, as its journal tells: a resumed run is judged whole, not by what was left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    wrong: usize,
    failed: usize,
    unaccounted: usize,
}

impl Verdict {
    /// Judges everything recorded. An engine that says beforehand that it cannot has not failed.
    pub(super) fn of(observations: &[Observation]) -> Self {
        let count = |is: fn(&Observation) -> bool| observations.iter().filter(|o| is(o)).count();
        Self {
            wrong: count(|o| o.outcome == Outcome::WrongAnswer),
            failed: count(|o| matches!(o.outcome, Outcome::Failed | Outcome::TimedOut)),
            unaccounted: count(|o| {
                let incomplete = o.spans.as_ref().is_some_and(|spans| !spans.is_complete(SPAN_TOLERANCE));
                o.outcome == Outcome::Completed && incomplete
            }),
        }
    }

    /// What went wrong, in a sentence; nothing if all is well.
    pub(super) fn complaint(&self) -> Option<String> {
        let parts = [
            (self.wrong, "gave a wrong answer"),
            (self.failed, "failed or timed out"),
            (self.unaccounted, "have spans that do not account for all slot time within 1 %"),
        ];
        let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        (!said.is_empty()).then(|| format!("of the trials, {}; the report names the cases", said.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{Family, Nanos, SpanKind, SpanReport};
    use bench_record::{Arm, Case, Protocol, Timestamp};

    fn observation(outcome: Outcome) -> Observation {
        let case = Case {
            suite: "smoke".into(),
            family: Family::Sql,
            workload: "q".into(),
            engine: "e".into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 2,
            protocol: Protocol::Warm(1),
            scale: 1,
        };
        Observation::new(case, Arm::Main, 0, outcome, Timestamp::from_unix_ms(0))
    }

    fn complaint(observations: &[Observation]) -> Option<String> {
        Verdict::of(observations).complaint()
    }

    #[test]
    fn only_completed_and_unsupported_trials_are_fine() {
        assert_eq!(complaint(&[observation(Outcome::Completed), observation(Outcome::Unsupported)]), None);
        let said = complaint(&[
            observation(Outcome::Completed),
            observation(Outcome::Failed),
            observation(Outcome::TimedOut),
            observation(Outcome::WrongAnswer),
        ]);
        let expected = "of the trials, 1 gave a wrong answer, 2 failed or timed out; the report names the cases";
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[test]
    fn spans_have_to_account_for_all_slot_time() {
        let with = |ns: u64| {
            let mut spans = SpanReport { slots: 2, makespan_ns: Nanos::new(1000), ..SpanReport::default() };
            spans.add(SpanKind::Compute, Nanos::new(ns));
            [Observation { spans: Some(spans), ..observation(Outcome::Completed) }]
        };
        assert_eq!(complaint(&with(1990)), None);
        assert!(complaint(&with(1970)).is_some_and(|said| said.starts_with("of the trials, 1 have spans")));
    }
}
