//! Which mechanisms are on, and from which sizes they act.

use bench_model::{Bytes, PLANNER_SWITCHES, REPLANNER_SWITCHES, StyleEnv, Tuning};

/// How equi-joins of two shuffled sides run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinChoice {
    /// Hash joins, but sort-merge joins where the build side does not fit a task's memory.
    Auto,
    /// Hash joins, whatever the sizes.
    Hash,
    /// Sort-merge joins wherever they exist for the join type.
    SortMerge,
}

/// The switches of planning after cutting, read once per job.
///
/// A switch that the style does not declare is at its default in [`PLANNER_SWITCHES`] and [`REPLANNER_SWITCHES`], but for
/// `adaptive`: a style that does not declare it gets its plan decided before the first task and never changed after.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveSettings {
    /// Replan between stages at all. Decisions made before the first task do not depend on it.
    pub adaptive: bool,
    /// Merge small partitions of finished exchanges into fewer tasks.
    pub coalesce: bool,
    /// The size merged partitions aim at.
    pub coalesce_bytes: Bytes,
    /// Below this size a task is not worth starting, even to keep every slot busy.
    pub task_bytes_min: Bytes,
    /// Join against a small build side without shuffling the probe side.
    pub broadcast: bool,
    /// The largest build side that is broadcast.
    pub broadcast_bytes: Bytes,
    /// Let a fragment wait for another that it does not read, whose size may change it.
    pub wait_for_sizes: bool,
    /// Leave out joins that finished, empty inputs decide.
    pub prune_empty: bool,
    /// Filter the probe side of a join that stays shuffled by the keys of its small, finished build side.
    pub semijoin_reduction: bool,
    /// Split partitions that are far larger than their siblings.
    pub skew: bool,
    /// How many times the median a partition must be to count as skewed.
    pub skew_factor: f64,
    /// The least size of a skewed partition.
    pub skew_bytes: Bytes,
    /// How equi-joins run.
    pub join: JoinChoice,
    /// Memory one task may hold.
    pub memory_share: Bytes,
    /// How many tasks run at a time: merging partitions leaves no slot idle that has work worth a task.
    pub slots: u32,
}

impl AdaptiveSettings {
    /// A task below this size costs more to start than to run.
    pub(super) const TASK_BYTES_MIN: Bytes = Bytes::new(1 << 20);

    /// The settings of a style's tuning for one slot; see [`Self::with_slots`].
    #[must_use]
    pub fn from_tuning(tuning: &Tuning, memory_share: Bytes) -> Self {
        let mut tuning = tuning.with_defaults(&PLANNER_SWITCHES);
        if tuning.is_on("adaptive") {
            tuning = tuning.with_defaults(&REPLANNER_SWITCHES);
        }
        let coalesce_bytes = tuning.bytes("coalesce_bytes");
        Self {
            adaptive: tuning.is_on("adaptive"),
            coalesce: tuning.is_on("coalesce"),
            coalesce_bytes,
            task_bytes_min: coalesce_bytes.min(Self::TASK_BYTES_MIN),
            broadcast: tuning.is_on("broadcast"),
            broadcast_bytes: tuning.bytes("broadcast_bytes"),
            wait_for_sizes: tuning.is_on("wait_for_sizes"),
            prune_empty: tuning.is_on("prune_empty"),
            semijoin_reduction: tuning.is_on("semijoin_reduction"),
            skew: tuning.is_on("skew"),
            skew_factor: tuning.ratio("skew_factor").max(1.0),
            skew_bytes: tuning.bytes("skew_bytes"),
            join: match tuning.word("join") {
                "hash" => JoinChoice::Hash,
                "sort-merge" => JoinChoice::SortMerge,
                _ => JoinChoice::Auto,
            },
            memory_share,
            slots: 1,
        }
    }

    /// The same settings for a cluster of `slots` slots.
    #[must_use]
    pub fn with_slots(self, slots: u32) -> Self {
        Self { slots: slots.max(1), ..self }
    }

    /// What a join's build side may take of a task's memory: the rest is for rows on their way to output blocks, which
    /// have reserved that much before the join begins.
    pub(super) fn join_share(&self) -> Bytes {
        Bytes::new(self.memory_share.get() - self.memory_share.get() / 8)
    }

    /// The settings of everything a style's environment fixes.
    #[must_use]
    pub fn of(env: &StyleEnv) -> Self {
        Self::from_tuning(&env.tuning, env.memory_share).with_slots(env.slots)
    }
}
