//! The switches, resolved once; planners and hosts read those that are not here.

use bench_model::{StyleEnv, Tuning};

/// What the machines obey.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) spread_ownership: bool,
    pub(crate) resubmit: u32,
    pub(crate) locality: bool,
    pub(crate) spillback: bool,
    /// In thousandths of a node's slots.
    pub(crate) spread_threshold: u64,
    pub(crate) window: u32,
    /// Bytes of unread blocks above which tasks without inputs wait; unlimited if absent.
    pub(crate) backpressure: Option<u64>,
    pub(crate) max_retries: u32,
    pub(crate) max_reconstructions: u32,
    pub(crate) copies: bool,
    /// Blocks up to this size travel with their task.
    pub(crate) inline_bytes: u64,
    /// What the object store may hold in memory; unlimited if absent.
    pub(crate) quota: Option<u64>,
    pub(crate) spill: bool,
    /// Bytes in memory above which objects are spilled.
    pub(crate) spill_above: u64,
    pub(crate) admission: bool,
    pub(crate) push_merge: bool,
    pub(crate) merge_round: u32,
    pub(crate) merge_bytes: u64,
    pub(crate) placement: bool,
    /// Calls of an actor are sent to it before the earlier ones are done.
    pub(crate) pipelining: bool,
    pub(crate) max_restarts: u32,
    /// Calls between two checkpoints of an actor; none if absent.
    pub(crate) checkpoint_every: Option<u32>,
}

impl Settings {
    pub(crate) fn of(env: &StyleEnv) -> Self {
        let tuning: &Tuning = &env.tuning;
        let count = |name: &str| u32::try_from(tuning.count(name)).unwrap_or(u32::MAX);
        let share = |bytes: u64, ratio: f64| (bytes as f64 * ratio.clamp(0.0, 1.0)) as u64;
        let quota = env.memory.map(|memory| share(memory.get(), tuning.ratio("store_fraction")));
        Self {
            spread_ownership: tuning.word("ownership") == "spread",
            resubmit: count("resubmit"),
            locality: tuning.is_on("locality"),
            spillback: tuning.is_on("spillback"),
            spread_threshold: share(1_000, tuning.ratio("spread_threshold")),
            window: count("inflight_tasks_per_slot").max(1),
            backpressure: tuning.is_on("backpressure").then(|| tuning.bytes("backpressure_bytes").get()),
            max_retries: count("max_retries"),
            max_reconstructions: count("max_reconstructions"),
            copies: tuning.is_on("copies"),
            inline_bytes: if tuning.is_on("inline") { tuning.bytes("inline_bytes").get() } else { 0 },
            quota,
            spill: tuning.is_on("spill"),
            spill_above: quota.map_or(u64::MAX, |q| share(q, tuning.ratio("spill_threshold"))),
            admission: tuning.is_on("admission"),
            push_merge: tuning.is_on("push_merge"),
            merge_round: count("merge_round").max(1),
            merge_bytes: tuning.bytes("merge_bytes").get(),
            placement: tuning.is_on("placement_groups"),
            pipelining: tuning.is_on("pipelining"),
            max_restarts: count("max_restarts"),
            checkpoint_every: tuning.is_on("checkpoint").then(|| count("checkpoint_every").max(1)),
        }
    }
}
