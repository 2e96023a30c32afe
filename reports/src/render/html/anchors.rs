//! Where on the page a number's observations are.

use crate::compare::Source;
use crate::comparison::{Comparison, Table};
use bench_record::Family;
use std::collections::BTreeMap;

/// A case: family, contestant, workload.
pub(super) type CaseOf<'a> = (Family, usize, &'a str);

/// The places of one table's observations.
pub(super) struct Anchors<'a> {
    table: usize,
    contestants: BTreeMap<&'a str, usize>,
    cases: BTreeMap<CaseOf<'a>, usize>,
}

impl<'a> Anchors<'a> {
    pub(super) fn new(table: usize, of: &'a Table, sources: &[Source<'a>]) -> Self {
        let contestants = of.contestants.iter().enumerate().map(|(i, c)| (c.label.as_str(), i)).collect();
        let mut cases: BTreeMap<CaseOf<'a>, usize> = sources.iter().map(|s| (case_of(s), 0)).collect();
        for (at, number) in cases.values_mut().enumerate() {
            *number = at;
        }
        Self { table, contestants, cases }
    }

    /// An id of this table's own.
    pub(super) fn id(&self, name: &str) -> String {
        id(self.table, name)
    }

    /// All trials of a contestant in a family.
    pub(super) fn group(&self, family: Family, contestant: &str) -> Option<String> {
        let index = self.contestants.get(contestant)?;
        Some(self.group_of(family, *index))
    }

    pub(super) fn group_of(&self, family: Family, contestant: usize) -> String {
        group_id(self.table, family, contestant)
    }

    /// All trials of a contestant on a workload.
    pub(super) fn case(&self, family: Family, contestant: &str, workload: &str) -> Option<String> {
        let index = self.contestants.get(contestant)?;
        let number = self.cases.get(&(family, *index, workload))?;
        Some(self.case_of(*number))
    }

    pub(super) fn case_of(&self, number: usize) -> String {
        self.id(&format!("o{number}"))
    }

    /// The case of a trial, by number.
    pub(super) fn number(&self, source: &Source<'a>) -> usize {
        self.cases.get(&case_of(source)).copied().unwrap_or_default()
    }
}

fn id(table: usize, name: &str) -> String {
    format!("t{table}-{name}")
}

fn group_id(table: usize, family: Family, contestant: usize) -> String {
    id(table, &format!("{}-c{contestant}", family.name()))
}

/// The id of where a page lists all trials of a contestant of the table of that number in a family.
pub(crate) fn observations_of(
    comparison: &Comparison,
    table: usize,
    family: Family,
    contestant: &str,
) -> Option<String> {
    let contestants = &comparison.tables.get(table)?.contestants;
    Some(group_id(table, family, contestants.iter().position(|c| c.label == contestant)?))
}

pub(super) fn case_of<'a>(source: &Source<'a>) -> CaseOf<'a> {
    let case = &source.observation.case;
    (case.family, source.contestant, case.workload.as_str())
}
