//! Which answers were checked, and by whom.

use super::field::Field;
use crate::comparison::AnswerChecks;
use bench_record::{Observation, Outcome};
use std::collections::BTreeSet;

/// The checks of a table, of trials that count and of those that do not.
pub(super) fn checks(field: &Field<'_>) -> AnswerChecks {
    let answered = |o: &&Observation| matches!(o.outcome, Outcome::Completed | Outcome::WrongAnswer);
    let all = || field.trials.iter().map(|t| t.observation).filter(answered);
    let checked = || all().filter(|o| o.is_checked());
    let oracles: BTreeSet<&str> = checked().filter_map(|o| o.oracle.as_deref()).collect();
    AnswerChecks {
        trials: all().count(),
        checked: checked().count(),
        oracles: oracles.into_iter().map(str::to_owned).collect(),
        check_ns: all().filter_map(|o| o.check_ns).fold(0, u64::saturating_add),
    }
}

/// Why an answer counts as wrong, and what that is worth where nobody else knew the right one.
pub(super) fn reason(o: &Observation) -> String {
    let reason = o.reason.clone().unwrap_or_default();
    if o.outcome != Outcome::WrongAnswer || o.is_checked() {
        return reason;
    }
    let oracle = o.oracle.as_deref().unwrap_or("an answer of unknown origin");
    format!("{reason}; held to: {oracle}; nobody knows which of the two is right")
}
