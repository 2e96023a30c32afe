//! The one place where DataFusion's settings are chosen, so that engines differ in architecture and in nothing else.

use bench_model::StyleEnv;
use datafusion::common::config::ConfigOptions;
use datafusion::execution::config::SessionConfig;
use std::collections::BTreeMap;

/// How a job is planned before it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanSettings {
    /// How many tasks a shuffled exchange feeds and a scan is split into, at most.
    pub partitions: u32,
}

impl PlanSettings {
    /// Tasks per slot when nobody says otherwise: a second task evens out what one slow task would leave idle.
    const TASKS_PER_SLOT: u32 = 2;

    /// What a style's switches ask for: `partitions` (0 chooses by the number of slots). Joins are always planned as hash
    /// joins; sort-merge joins are made from them after cutting, because DataFusion 55.2 pushes projections below its own
    /// sort-merge joins without renumbering their filters.
    #[must_use]
    pub fn from_env(env: &StyleEnv) -> Self {
        let asked = u32::try_from(env.tuning.count("partitions")).unwrap_or(u32::MAX);
        let partitions = if asked == 0 { env.slots.saturating_mul(Self::TASKS_PER_SLOT) } else { asked };
        Self { partitions: partitions.max(1) }
    }

    /// The settings that a plan to be cut is made with.
    ///
    /// Joins are planned with both sides shuffled, because which build side is small enough to be broadcast is decided
    /// after cutting, where sizes may be known. Dynamic filters are left out here, because a filter must not cross from
    /// one fragment to another; each task adds its own (see [`task_config`]). Batches are not dealt out round robin:
    /// a task is the unit of parallelism, and scans are split by bytes.
    #[must_use]
    pub fn config(&self) -> SessionConfig {
        let mut config = shared().with_target_partitions(self.partitions as usize);
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
        optimizer.enable_round_robin_repartition = false;
        set_dynamic_filters(optimizer, false);
        config
    }
}

/// The settings that tasks of fragments planned with `config` run with: one partition, with dynamic filters that stay
/// inside the task.
#[must_use]
pub fn task_config(config: &SessionConfig) -> SessionConfig {
    let mut config = config.clone().with_target_partitions(1);
    set_dynamic_filters(&mut config.options_mut().optimizer, true);
    config
}

/// The settings of DataFusion's own execution on `threads` threads: its defaults, with as many partitions as threads.
#[must_use]
pub fn baseline_config(threads: u32) -> SessionConfig {
    shared().with_target_partitions(threads.max(1) as usize)
}

/// What every engine has alike.
fn shared() -> SessionConfig {
    SessionConfig::new()
}

fn set_dynamic_filters(optimizer: &mut datafusion::common::config::OptimizerOptions, on: bool) {
    optimizer.enable_dynamic_filter_pushdown = on;
    optimizer.enable_join_dynamic_filter_pushdown = on;
    optimizer.enable_topk_dynamic_filter_pushdown = on;
    optimizer.enable_aggregate_dynamic_filter_pushdown = on;
}

/// Every setting that differs from DataFusion's default, and always the number of partitions: what a record needs in
/// order to say how an engine was configured.
#[must_use]
pub fn describe(config: &SessionConfig) -> BTreeMap<String, String> {
    const ALWAYS: &str = "datafusion.execution.target_partitions";
    let defaults: BTreeMap<_, _> = ConfigOptions::new().entries().into_iter().map(|e| (e.key, e.value)).collect();
    let differs = |key: &String, value: &Option<String>| key == ALWAYS || defaults.get(key) != Some(value);
    let entries = config.options().entries().into_iter().map(|e| (e.key, e.value));
    entries.filter(|(k, v)| differs(k, v)).map(|(k, v)| (k, v.unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{Bytes, Tuning};

    #[test]
    fn partitions_follow_the_slots_unless_they_are_set() {
        let env = |tuning| StyleEnv { slots: 3, memory_share: Bytes::new(u64::MAX), tuning };
        assert_eq!(PlanSettings::from_env(&env(Tuning::default())).partitions, 6);
        let switches =
            [bench_model::Switch { name: "partitions", default: bench_model::SwitchDefault::Count(0), help: "" }];
        let tuning = Tuning::resolve(&switches, [("partitions", "5")]).unwrap();
        assert_eq!(PlanSettings::from_env(&env(tuning)).partitions, 5);
    }

    #[test]
    fn the_description_lists_what_is_not_default() {
        let keys = |config: &SessionConfig| describe(config).into_keys().collect::<Vec<_>>();
        assert_eq!(keys(&baseline_config(7)), ["datafusion.execution.target_partitions"]);
        let cut = describe(&PlanSettings { partitions: 4 }.config());
        let threshold = "datafusion.optimizer.hash_join_single_partition_threshold";
        assert_eq!(cut.get(threshold).map(String::as_str), Some("0"));
        assert_eq!(cut.get("datafusion.execution.target_partitions").map(String::as_str), Some("4"));
    }
}
