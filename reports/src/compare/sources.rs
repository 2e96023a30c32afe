//! Where the numbers of a table come from: every trial with its contestant, and where it stands on disk.

use super::field::Field;
use bench_record::{Observation, Run};

/// The observations behind a comparison.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// One list per table of the comparison, in its order; trials in the order recorded.
    pub tables: Vec<Vec<Source<'a>>>,
}

/// One observation.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The run that holds it.
    pub run: &'a Run,
    /// Its line in the run's `observations.ndjson`, from 1.
    pub line: usize,
    /// What was recorded.
    pub observation: &'a Observation,
    /// Whose it is: an index into the table's contestants.
    pub contestant: usize,
    /// Whether it is left out of all times, because it was contaminated and others stand in for it.
    pub excluded: bool,
}

pub(super) fn of<'a>(field: &Field<'a>) -> Vec<Source<'a>> {
    let source = |t: &super::field::Trial<'a>| Source {
        run: t.run,
        line: t.at + 1,
        observation: t.observation,
        contestant: t.contestant,
        excluded: t.excluded,
    };
    field.trials.iter().map(source).collect()
}
