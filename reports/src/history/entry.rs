//! What is kept of a run: one line of a store, as JSON.

use crate::compare::cases;
use bench_record::{Build, Case, CaseKey, Outcome, Run, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of a line.
pub const ENTRY_SCHEMA: u32 = 1;

/// A run in a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`ENTRY_SCHEMA`].
    pub schema: u32,
    /// The machine's key.
    pub machine: String,
    /// When the run began.
    pub started_at: Timestamp,
    /// The build that ran.
    pub bench: Build,
    /// The run's seed.
    pub seed: u64,
    /// The suite that was asked for.
    pub suite: String,
    /// What whoever added it noted, such as a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its cases, by key.
    pub cases: Vec<EntryCase>,
}

/// A case of a run in a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryCase {
    /// The case's key.
    pub key: CaseKey,
    /// Which case.
    pub case: Case,
    /// What identifies the workload's program and answer: times before and after a change of it are two series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_checksum: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Trials with a time that counts.
    pub trials: usize,
    /// Their median; present exactly when completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ns_median: Option<f64>,
    /// Whether disturbed times had to be counted: such a time is kept, and is no point of a series.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contaminated: bool,
}

/// What no two lines of a store share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId {
    started_at: Timestamp,
    build_id: String,
    seed: u64,
    suite: String,
}

/// Why a run cannot be kept, or a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not finished.
    #[error("the run is not finished; continue it with bench run --resume")]
    Unfinished,
    /// Nothing to keep.
    #[error("the run has no trial")]
    Empty,
    /// With planned faults.
    #[error("the run was made with --faults; its times say nothing about runs without")]
    Faults,
    /// Not a line of a store.
    #[error("not an entry of a history: {0}")]
    Malformed(String),
    /// A line of a later version.
    #[error(
        "schema {found} is newer than {ENTRY_SCHEMA}, the newest that this build reads; use the build that wrote it"
    )]
    Newer {
        /// What the line says.
        found: u64,
    },
    /// A time that nobody can have measured.
    #[error("case {0} has an impossible time")]
    Time(CaseKey),
    /// The same case twice.
    #[error("case {0} is there twice")]
    Twice(CaseKey),
    /// The key of another case.
    #[error("key {0} is not the key of its case")]
    Key(CaseKey),
}

impl Entry {
    /// What is kept of a run.
    ///
    /// # Errors
    /// A run that was interrupted, has no trial, or was hurt on purpose. One that completed nothing is kept: whoever leaves it out has a
    /// history of survivors.
    pub fn of(run: &Run, label: Option<&str>) -> Result<Self, EntryError> {
        let context = &run.context;
        if context.finished_at.is_none() {
            return Err(EntryError::Unfinished);
        }
        if crate::compare::planned(run).is_some() {
            return Err(EntryError::Faults);
        }
        let kept = cases(std::slice::from_ref(run), None);
        let kept = kept.into_iter().map(|(case, trials)| {
            let same = |w: &&bench_record::WorkloadContext| w.name == case.workload && w.scale == case.scale;
            let times = trials.times();
            let median = crate::stats::median(&crate::stats::sorted(times.iter().copied()));
            EntryCase {
                key: case.key(),
                workload_checksum: context.workloads.iter().find(same).map(|w| w.checksum.clone()),
                outcome: trials.outcome,
                trials: times.len(),
                wall_ns_median: median,
                contaminated: trials.contaminated,
                case,
            }
        });
        let cases: Vec<EntryCase> = kept.collect();
        if cases.is_empty() {
            return Err(EntryError::Empty);
        }
        Ok(Self {
            schema: ENTRY_SCHEMA,
            machine: context.machine.key(),
            started_at: context.started_at,
            bench: context.bench.clone(),
            seed: context.seed,
            suite: context.suite.clone(),
            label: label.map(str::to_owned),
            cases,
        })
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    /// A line that is something else, of a later version, or that contradicts itself.
    pub fn parse(line: &[u8]) -> Result<Self, EntryError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u64,
        }
        let entry: Self = serde_json::from_slice(line).map_err(|e| {
            let version = serde_json::from_slice::<Version>(line).ok().map(|v| v.schema);
            match version.filter(|found| *found > u64::from(ENTRY_SCHEMA)) {
                Some(found) => EntryError::Newer { found },
                None => EntryError::Malformed(e.to_string()),
            }
        })?;
        match entry.schema {
            0 => return Err(EntryError::Malformed("schema 0 does not exist".to_owned())),
            ENTRY_SCHEMA => {}
            found => return Err(EntryError::Newer { found: found.into() }),
        }
        let mut seen = BTreeSet::new();
        for case in &entry.cases {
            let is_possible = |ns: f64| ns.is_finite() && ns > 0.0;
            if case.key != case.case.key() {
                return Err(EntryError::Key(case.key.clone()));
            }
            if !case.wall_ns_median.is_none_or(is_possible) {
                return Err(EntryError::Time(case.key.clone()));
            }
            if !seen.insert(&case.key) {
                return Err(EntryError::Twice(case.key.clone()));
            }
        }
        Ok(entry)
    }

    /// What no two lines share.
    #[must_use]
    pub fn id(&self) -> EntryId {
        EntryId {
            started_at: self.started_at,
            build_id: self.bench.build_id.clone(),
            seed: self.seed,
            suite: self.suite.clone(),
        }
    }

    /// The line with its newline.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        // Strings and finite numbers: serialization has nothing to fail on, and JSON text holds no newline.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}
