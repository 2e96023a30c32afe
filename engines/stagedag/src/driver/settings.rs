//! The switches that the driver itself obeys; planners and hosts read the others.

use bench_model::{Nanos, Tuning};

/// How long an answer may be outstanding before the driver asks for it.
const OVERDUE: Nanos = Nanos::from_millis(500);
/// How often the driver looks for slow tasks and overdue answers, as Spark's `spark.speculation.interval`.
const TICK: Nanos = Nanos::from_millis(100);

pub(crate) struct Settings {
    pub(crate) adaptive: bool,
    /// Whether slow tasks get a second copy; that they are slow is noticed and accounted for either way.
    pub(crate) speculation: bool,
    pub(crate) slow: Slow,
    pub(crate) max_attempts: u32,
    pub(crate) max_stage_attempts: u32,
    pub(crate) overdue: Nanos,
    pub(crate) tick: Nanos,
}

/// When a task counts as slow.
#[derive(Clone, Copy)]
pub(crate) struct Slow {
    pub(crate) multiplier: f64,
    pub(crate) quantile: f64,
    pub(crate) min: Nanos,
}

impl Settings {
    pub(crate) fn of(tuning: &Tuning) -> Self {
        let count = |name: &str| u32::try_from(tuning.count(name)).unwrap_or(u32::MAX).max(1);
        let slow = Slow {
            multiplier: tuning.ratio("speculation_multiplier"),
            quantile: tuning.ratio("speculation_quantile").min(1.0),
            min: Nanos::from_millis(tuning.count("speculation_min_ms")),
        };
        Self {
            adaptive: tuning.is_on("adaptive"),
            speculation: tuning.is_on("speculation"),
            slow,
            max_attempts: count("max_attempts"),
            max_stage_attempts: count("max_stage_attempts"),
            overdue: OVERDUE,
            tick: TICK,
        }
    }
}
