//! Which trials do not count because something else used the machine meanwhile.

use super::field::{Field, Trial};
use crate::comparison::{ATTACHED, Contamination};
use bench_record::{Arm, Family, Outcome};
use std::collections::BTreeMap;

/// So many clean trials of a case and arm are better alone than with disturbed ones among them.
const CLEAN_MIN: usize = 2;

/// Leaves out disturbed times of which a case and arm have enough clean ones; those that a later trial repeats are left out
/// already. Only a time can be spoilt by others: a failure stands however busy the machine was.
pub(super) fn leave_out(trials: &mut [Trial<'_>]) {
    let mut clean: BTreeMap<(usize, Family, &str, Arm), usize> = BTreeMap::new();
    for trial in trials.iter().filter(|t| completed(t) && !t.observation.contaminated) {
        *clean.entry(place(trial)).or_default() += 1;
    }
    for trial in trials.iter_mut().filter(|t| completed(t) && t.observation.contaminated) {
        trial.excluded |= clean.get(&place(trial)).is_some_and(|count| *count >= CLEAN_MIN);
    }
}

fn completed(trial: &Trial<'_>) -> bool {
    trial.observation.outcome == Outcome::Completed
}

fn place<'a>(trial: &Trial<'a>) -> (usize, Family, &'a str, Arm) {
    let case = &trial.observation.case;
    (trial.contestant, case.family, &case.workload, trial.observation.arm)
}

/// How many trials of a table were disturbed, and what became of them.
pub(super) fn count(field: &Field<'_>) -> Contamination {
    let count = |of: fn(&Trial<'_>) -> bool| field.trials.iter().filter(|t| of(t)).count();
    Contamination {
        trials: field.trials.len(),
        contaminated: count(|t| t.observation.contaminated),
        excluded: count(|t| t.excluded),
        not_judged: count(|t| {
            t.observation.case.cluster == ATTACHED && t.observation.contamination.is_none() && completed(t)
        }),
    }
}
