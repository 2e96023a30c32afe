//! Which trials may share a table: those of one machine, suite, protocol and data.

use bench_record::{Case, Protocol, Run};
use std::collections::{BTreeMap, BTreeSet};

/// Runs whose trials of one suite and protocol may be compared.
pub(super) struct Group<'a> {
    pub(super) suite: String,
    pub(super) protocol: Protocol,
    pub(super) machine: String,
    pub(super) runs: Vec<&'a Run>,
    /// Checksums by dataset: a run that read other bytes under the same name does not belong here.
    data: BTreeMap<&'a str, &'a str>,
}

/// Sorts runs into groups, in the order they are given.
pub(super) fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in runs {
        let machine = run.context.machine.key();
        let measured: BTreeSet<(&str, Protocol)> =
            run.observations.iter().map(|o| (o.case.suite.as_str(), o.case.protocol)).collect();
        for (suite, protocol) in measured {
            let at = groups.iter().position(|g| {
                g.suite == suite && g.protocol == protocol && g.machine == machine && g.accepts_data_of(run)
            });
            match at.and_then(|i| groups.get_mut(i)) {
                Some(group) => group.add(run),
                None => {
                    let mut group = Group {
                        suite: suite.to_owned(),
                        protocol,
                        machine: machine.clone(),
                        runs: Vec::new(),
                        data: BTreeMap::new(),
                    };
                    group.add(run);
                    groups.push(group);
                }
            }
        }
    }
    groups
}

impl<'a> Group<'a> {
    fn accepts_data_of(&self, run: &Run) -> bool {
        run.context.datasets.iter().all(|d| self.data.get(d.name.as_str()).is_none_or(|known| *known == d.checksum))
    }

    fn add(&mut self, run: &'a Run) {
        self.data.extend(run.context.datasets.iter().map(|d| (d.name.as_str(), d.checksum.as_str())));
        self.runs.push(run);
    }

    /// Whether a case belongs to this table.
    pub(super) fn holds(&self, case: &Case) -> bool {
        case.suite == self.suite && case.protocol == self.protocol
    }

    pub(super) fn machine_summary(&self) -> String {
        self.runs.first().map(|r| r.context.machine.summary()).unwrap_or_default()
    }

    pub(super) fn started_at(&self) -> String {
        self.runs.iter().map(|r| r.context.started_at).min().map(|t| t.to_string()).unwrap_or_default()
    }

    pub(super) fn builds(&self) -> Vec<String> {
        let all = self.runs.iter().map(|r| &r.context.bench);
        let texts: BTreeSet<String> = all.map(|b| format!("{} ({})", b.version, b.build_id)).collect();
        texts.into_iter().collect()
    }

    pub(super) fn datasets(&self) -> Vec<String> {
        let all = self.runs.iter().flat_map(|r| &r.context.datasets);
        let texts: BTreeSet<String> = all
            .map(|d| {
                let bytes = bench_record::Bytes::new(d.bytes);
                format!("{}: {} rows, {bytes}, checksum {}", d.name, d.rows, d.checksum)
            })
            .collect();
        texts.into_iter().collect()
    }

    pub(super) fn derived_from_tpch(&self) -> bool {
        self.runs.iter().flat_map(|r| &r.context.datasets).any(|d| d.derived_from.as_deref() == Some("tpch"))
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.runs.iter().flat_map(|r| &r.context.warnings).filter(|w| seen.insert(*w)).cloned().collect()
    }
}
