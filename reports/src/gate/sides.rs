//! The two sides of a gate, and what is not the same in both.

use super::model::label;
use crate::run_names::RunNames;
use bench_record::{Case, CaseKey, Run};
use serde::Serialize;

/// One side: runs of one build.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// What they are called; a name is the end of its folder's path.
    pub runs: Vec<String>,
    /// The build of this program, as `version (build id)`.
    pub build: String,
    /// When the first run began.
    pub started_at: String,
    /// The machine's key.
    pub machine: String,
    /// The machine in words.
    pub machine_summary: String,
}

impl Side {
    pub(super) fn of(runs: &[Run], names: &RunNames) -> Self {
        let first = runs.first().map(|r| &r.context);
        Self {
            runs: runs.iter().map(|r| names.name(&r.path)).collect(),
            build: first.map(|c| format!("{} ({})", c.bench.version, c.bench.build_id)).unwrap_or_default(),
            started_at: runs.iter().map(|r| r.context.started_at).min().map(|t| t.to_string()).unwrap_or_default(),
            machine: first.map(|c| c.machine.key()).unwrap_or_default(),
            machine_summary: first.map(|c| c.machine_summary()).unwrap_or_default(),
        }
    }
}

/// A case that one side lacks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    /// The case's key.
    pub key: CaseKey,
    /// Which case.
    pub case: Case,
    /// The case in words.
    pub label: String,
    /// The side that lacks it: `base` or `new`.
    pub from: &'static str,
    /// Whether whoever compares said that NEW may lack it.
    pub accepted: bool,
}

impl Missing {
    pub(super) fn new(case: &Case, from: &'static str, accepted: bool) -> Self {
        Self { key: case.key(), case: case.clone(), label: label(case), from, accepted }
    }

    /// Whether nothing can be said about a case that BASE has: whatever became of it would go unseen.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.from == "new" && !self.accepted
    }
}

/// An engine that is another version or set up in another way on the two sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineChange {
    /// Its name, with its variant.
    pub engine: String,
    /// Its version before.
    pub base: String,
    /// Its version now.
    pub new: String,
    /// Settings that differ, as `name: before, now`.
    pub settings: Vec<String>,
}

impl EngineChange {
    /// What differs, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let version = (self.base != self.new).then(|| format!("version {}, {}", self.base, self.new));
        let all: Vec<String> = version.into_iter().chain(self.settings.iter().cloned()).collect();
        format!("{} ({})", self.engine, all.join("; "))
    }
}
