//! The one place where DataFusion's settings are chosen, so that engines differ in architecture and in nothing else.

use bench_model::{Bytes, PLANNER_SWITCHES, StyleEnv};
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::config::SessionConfig;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How a job is planned before it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanSettings {
    /// How many tasks a shuffled exchange feeds and a scan is split into, at most.
    pub partitions: u32,
}

impl PlanSettings {
    /// What a style's switches ask for: `partitions`, or if that is 0 `partitions_per_slot` for every slot. Joins are
    /// always planned as hash joins; sort-merge joins are made from them after cutting, because DataFusion 55.2 pushes
    /// projections below its own sort-merge joins without renumbering their filters.
    #[must_use]
    pub fn from_env(env: &StyleEnv) -> Self {
        let tuning = env.tuning.with_defaults(&PLANNER_SWITCHES);
        let asked = match tuning.count("partitions") {
            0 => tuning.count("partitions_per_slot").saturating_mul(u64::from(env.slots)),
            partitions => partitions,
        };
        Self { partitions: u32::try_from(asked).unwrap_or(u32::MAX).max(1) }
    }

    /// The same for a query over tables of so many bytes: starting a task for less than `partition_bytes` of them is no
    /// gain. A number of partitions that was asked for stays.
    #[must_use]
    pub fn for_tables(self, env: &StyleEnv, tables: Bytes) -> Self {
        let tuning = env.tuning.with_defaults(&PLANNER_SWITCHES);
        if tuning.count("partitions") > 0 {
            return self;
        }
        let worth = tables.get().div_ceil(tuning.bytes("partition_bytes").get().max(1));
        Self { partitions: self.partitions.min(u32::try_from(worth).unwrap_or(u32::MAX)).max(1) }
    }

    /// The settings that a plan to be cut is made with.
    ///
    /// Joins are planned with both sides shuffled, because which build side is small enough to be broadcast is decided
    /// after cutting, where sizes may be known. Dynamic filters are left out here, because a filter must not cross from
    /// one fragment to another, and so is the order in which a scan had best read its files for a sort above it, because
    /// DataFusion 55.2 has no encoding for it; each task adds its own (see [`task_config`]). Batches are not dealt out
    /// round robin: a task is the unit of parallelism, and scans are split by bytes.
    #[must_use]
    pub fn config(&self) -> SessionConfig {
        let mut config = shared().with_target_partitions(self.partitions as usize);
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
        optimizer.enable_round_robin_repartition = false;
        set_task_rules(optimizer, false);
        config
    }
}

/// The settings that tasks of fragments planned with `config` run with: one partition, with dynamic filters that stay
/// inside the task and scans that read in the order of the task's sort.
#[must_use]
pub fn task_config(config: &SessionConfig) -> SessionConfig {
    let mut config = config.clone().with_target_partitions(1);
    set_task_rules(&mut config.options_mut().optimizer, true);
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

/// The rules that tasks apply to their own plans.
fn set_task_rules(optimizer: &mut datafusion::common::config::OptimizerOptions, on: bool) {
    optimizer.enable_sort_pushdown = on;
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
    static DEFAULTS: LazyLock<BTreeMap<String, Option<String>>> =
        LazyLock::new(|| ConfigOptions::new().entries().into_iter().map(|e| (e.key, e.value)).collect());
    let differs = |key: &String, value: &Option<String>| key == ALWAYS || DEFAULTS.get(key) != Some(value);
    let entries = config.options().entries().into_iter().map(|e| (e.key, e.value));
    entries.filter(|(k, v)| differs(k, v)).map(|(k, v)| (k, v.unwrap_or_default())).collect()
}

/// The settings of `config` that another process needs to be told.
pub(crate) fn changed_settings(config: &SessionConfig) -> Vec<(String, String)> {
    describe(config).into_iter().collect()
}

/// The settings that [`changed_settings`] described.
///
/// # Errors
/// A key that this build does not know, or a value that does not fit.
pub(crate) fn restored_settings(changed: &[(String, String)]) -> Result<SessionConfig> {
    let mut config = shared();
    for (key, value) in changed {
        config.options_mut().set(key, value)?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Tuning;

    #[test]
    fn partitions_follow_the_slots_unless_they_are_set() {
        let partitions = |settings: &[(&str, &str)]| {
            let tuning = Tuning::resolve(&PLANNER_SWITCHES, settings.iter().copied()).unwrap();
            let (memory_share, resources) = (Bytes::new(u64::MAX), BTreeMap::new());
            PlanSettings::from_env(&StyleEnv { slots: 3, memory_share, memory: None, resources, tuning }).partitions
        };
        assert_eq!(partitions(&[]), 6);
        assert_eq!(partitions(&[("partitions_per_slot", "4")]), 12);
        assert_eq!(partitions(&[("partitions", "5"), ("partitions_per_slot", "4")]), 5);
    }

    #[test]
    fn small_tables_are_not_cut_into_more_partitions_than_they_are_worth() {
        let partitions = |settings: &[(&str, &str)], bytes| {
            let tuning = Tuning::resolve(&PLANNER_SWITCHES, settings.iter().copied()).unwrap();
            let (memory_share, resources) = (Bytes::new(u64::MAX), BTreeMap::new());
            let env = StyleEnv { slots: 3, memory_share, memory: None, resources, tuning };
            PlanSettings::from_env(&env).for_tables(&env, Bytes::new(bytes)).partitions
        };
        assert_eq!([0, 1, 5 << 20, 1 << 40].map(|bytes| partitions(&[], bytes)), [1, 1, 3, 6]);
        assert_eq!(partitions(&[("partition_bytes", "1KiB")], 5 << 20), 6);
        assert_eq!(partitions(&[("partitions", "9")], 0), 9);
    }

    #[test]
    fn settings_survive_being_told_to_another_process() {
        let config = task_config(&PlanSettings { partitions: 4 }.config());
        let restored = restored_settings(&changed_settings(&config)).unwrap();
        assert_eq!(describe(&restored), describe(&config));
        assert!(restored_settings(&[("datafusion.no.such".to_owned(), "1".to_owned())]).is_err());
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
