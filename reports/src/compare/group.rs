//! Which trials may share a table: those of one machine, suite, scale, protocol, data and programs.

use super::CompareError;
use crate::run_names::RunNames;
use bench_record::{Case, Content, Protocol, Run, RunContext};
use std::collections::BTreeSet;

/// Runs whose trials of one suite, scale and protocol may be compared.
pub(super) struct Group<'a> {
    pub(super) suite: String,
    pub(super) protocol: Protocol,
    /// How many times the suite's own scale the data has: other data, so another table.
    pub(super) scale: u32,
    pub(super) machine: String,
    /// Runs that read other bytes or ran another program under the same name are not together in here.
    pub(super) runs: Vec<&'a Run>,
    /// What those read, computed and ran on.
    content: Content<'a>,
}

/// Refuses a run that is given twice, be it as a copy or as it was before it was continued: pooled with itself it would
/// have twice the trials, and narrower intervals for nothing.
pub(super) fn all_different(runs: &[Run]) -> Result<(), CompareError> {
    for (at, again) in runs.iter().enumerate() {
        if let Some(first) = runs.iter().take(at).find(|first| is_same(first, again)) {
            let folder = |run: &Run| run.path.display().to_string();
            let started_at = again.context.started_at.to_string();
            return Err(CompareError::SameRun { first: folder(first), again: folder(again), started_at });
        }
    }
    Ok(())
}

/// Whether one command began both, on one machine in one instant.
fn is_same(a: &Run, b: &Run) -> bool {
    let (a, b) = (&a.context, &b.context);
    (a.started_at, &a.bench, a.seed, &a.suite) == (b.started_at, &b.bench, b.seed, &b.suite)
        && a.machine.key() == b.machine.key()
}

/// Sorts runs into groups, in the order they are given.
pub(super) fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in runs {
        let machine = run.context.machine.key();
        let measured: BTreeSet<(&str, Protocol, u32)> =
            run.observations.iter().map(|o| (o.case.suite.as_str(), o.case.protocol, o.case.scale)).collect();
        for (suite, protocol, scale) in measured {
            let wanted = (suite, protocol, scale, machine.as_str());
            let at = groups.iter().position(|g| g.place() == wanted && g.accepts(run));
            match at.and_then(|i| groups.get_mut(i)) {
                Some(group) => {
                    group.runs.push(run);
                    group.content.add(&run.context);
                }
                None => {
                    let (suite, machine) = (suite.to_owned(), machine.clone());
                    let content = Content::of(&run.context);
                    groups.push(Group { suite, protocol, scale, machine, runs: vec![run], content });
                }
            }
        }
    }
    groups
}

/// Why there is more than one table: what each has that the first one has not. That data grow within a run is asked for,
/// and needs no warning.
pub(super) fn apart(groups: &[Group<'_>], names: &RunNames) -> Vec<String> {
    let Some((first, others)) = groups.split_first() else { return Vec::new() };
    let others = others.iter().filter(|other| !other.differences(first).is_empty());
    let all = |g: &Group<'_>| g.runs.iter().map(|r| names.name(&r.path)).collect::<Vec<_>>().join(", ");
    let note = |other: &Group<'_>| {
        let differences = other.differences(first).join("; ");
        format!("{} has a table apart from {}: {differences}; such times must not be compared", all(other), all(first))
    };
    others.map(note).collect()
}

/// What differed between runs that share a table: everything but what was measured may be why their times differ.
pub(super) fn pooled(groups: &[Group<'_>], names: &RunNames) -> Vec<String> {
    let mut notes = Vec::new();
    for group in groups {
        let Some((first, others)) = group.runs.split_first() else { continue };
        for other in others {
            let differences = conditions(&other.context, &first.context).join("; ");
            let (other, first) = (names.name(&other.path), names.name(&first.path));
            let note = format!("{other} shares a table with {first}, and differs in {differences}");
            if !differences.is_empty() && !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// What the machine's key leaves open, and settings of engines that both name.
fn conditions(ours: &RunContext, theirs: &RunContext) -> Vec<String> {
    let (a, b) = (&ours.machine, &theirs.machine);
    let mut found = Vec::new();
    let mut differ = |what: &str, ours: Option<&str>, theirs: Option<&str>| {
        if ours != theirs {
            found.push(format!("{what} {}, not {}", ours.unwrap_or("unknown"), theirs.unwrap_or("unknown")));
        }
    };
    differ("kernel", Some(&a.kernel), Some(&b.kernel));
    differ("governor", a.governor.as_deref(), b.governor.as_deref());
    differ("disk", a.disk.as_deref(), b.disk.as_deref());
    differ("TCP congestion control", a.tcp_congestion.as_deref(), b.tcp_congestion.as_deref());
    for engine in &ours.engines {
        let known = theirs.engine(&engine.name, &engine.variant, engine.slots);
        if known.is_some_and(|known| (&known.tuning, &known.settings) != (&engine.tuning, &engine.settings)) {
            found.push(format!("settings of {}", engine.name));
        }
    }
    found
}

impl Group<'_> {
    /// What keeps this group's trials out of the other's table.
    fn differences(&self, other: &Group<'_>) -> Vec<String> {
        let mut found = Vec::new();
        if self.suite != other.suite {
            found.push(format!("suite {}, not {}", self.suite, other.suite));
        }
        if self.protocol != other.protocol {
            found.push(format!("protocol {}, not {}", self.protocol, other.protocol));
        }
        if self.machine != other.machine {
            found.push(format!("machine {} ({}), not {}", self.machine, self.machine_summary(), other.machine));
        }
        let of = |run: &&Run| other.content.difference(&run.context).map(|d| d.to_string());
        let content: BTreeSet<String> = self.runs.iter().filter_map(of).collect();
        found.extend(content);
        found
    }

    fn place(&self) -> (&str, Protocol, u32, &str) {
        (&self.suite, self.protocol, self.scale, &self.machine)
    }

    /// Whether the other has the same workloads at another scale, measured in the same way on the same machine.
    pub(super) fn grows_into(&self, other: &Self) -> bool {
        let same = (&*self.suite, self.protocol, &*self.machine) == (&*other.suite, other.protocol, &*other.machine);
        same && self.scale != other.scale && other.runs.iter().all(|run| self.accepts(run))
    }

    /// The longest time limit of these runs; none if none has one.
    pub(super) fn limit_ns(&self) -> Option<u64> {
        self.runs.iter().filter_map(|r| r.context.timeout_ns).max()
    }

    fn accepts(&self, run: &Run) -> bool {
        self.content.difference(&run.context).is_none()
    }

    /// Whether a case belongs to this table.
    pub(super) fn holds(&self, case: &Case) -> bool {
        case.suite == self.suite && case.protocol == self.protocol && case.scale == self.scale
    }

    /// Cores of the machine that a process may use.
    pub(super) fn cores(&self) -> f64 {
        let machine = self.runs.first().map(|r| &r.context.machine);
        machine.map_or(f64::INFINITY, |m| m.quota_cores.unwrap_or_else(|| f64::from(m.cores)))
    }

    pub(super) fn machine_summary(&self) -> String {
        let has_nodes = |r: &&&Run| !r.context.cluster.machines.is_empty();
        let told = self.runs.iter().find(has_nodes).or(self.runs.first());
        told.map(|r| r.context.machine_summary()).unwrap_or_default()
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
        let all = self.runs.iter().flat_map(|r| &r.context.datasets).filter(|d| d.scale == self.scale);
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
