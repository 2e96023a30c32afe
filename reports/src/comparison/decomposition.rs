//! Where a product's time goes, and how a style that plays its architecture compares with it.

use super::TotalRatio;
use crate::stats::Interval;
use serde::Serialize;

/// A product's time in three parts: the kernel's work, what the architecture costs, and the rest.
///
/// Invariant: the three parts sum to the product's time; all of them are sums of medians over the same workloads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decomposition {
    /// The product.
    pub product: String,
    /// The style with the same architecture, on the kernels of `single_thread`.
    pub style: String,
    /// The kernels alone, on one thread.
    pub single_thread: String,
    /// Cores of the product and of the style, over which the work of one thread is spread.
    pub cores: f64,
    /// The workloads that all three completed in the same runs.
    pub common: usize,
    /// Of so many that the family has here.
    pub cases: usize,
    /// Those that all three completed, but not in the same runs: they are left out.
    pub apart: usize,
    /// The fewest trials of a workload in one of the three.
    pub trials_min: usize,
    /// Whether contaminated trials had to be counted in one of the three.
    pub contaminated: bool,
    /// The product's time.
    pub wall: TimePart,
    /// CPU time of the single thread over the cores: the least that those cores need for the work.
    pub kernel: TimePart,
    /// The style's time beyond that; negative if it needs less.
    pub architecture: TimePart,
    /// The product's time beyond the style's: language, serialization, its own kernels; negative if it needs less.
    pub runtime: TimePart,
    /// The same runtime with the styles' kernels in its tasks, if that completed all of these workloads in the same runs.
    pub same_kernels: Option<SameKernels>,
    /// Wall time of the single thread.
    pub single_thread_wall_ns: f64,
    /// CPU time of the single thread.
    pub single_thread_cpu_ns: f64,
}

/// What is left of a product's time when its tasks run the styles' kernels: how much of `runtime` is not its own kernels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SameKernels {
    /// The product's runtime with those kernels.
    pub product: String,
    /// Its time.
    pub wall: TimePart,
    /// The product's time beyond that: its own kernels and plans; negative if it needs less.
    pub own_kernels: TimePart,
}

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TimePart {
    /// How long.
    pub wall_ns: f64,
    /// Its 95 % bootstrap interval.
    pub wall_ns_interval: Option<Interval>,
    /// Its share of the product's time.
    pub share: f64,
}

/// A style beside a product of the same architecture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Anchor {
    /// The style.
    pub style: String,
    /// The product.
    pub product: String,
    /// Of so many workloads that the family has here.
    pub cases: usize,
    /// Workloads that both completed, but not in the same runs: they are left out.
    pub apart: usize,
    /// The style's time over the product's, and over how many workloads.
    pub ratio: TotalRatio,
    /// What the style used for them.
    pub style_use: AnchorUse,
    /// What the product used for them.
    pub product_use: AnchorUse,
    /// What makes them so different; absent within [`Anchor::RANGE`].
    pub cause: Option<AnchorCause>,
}

impl Anchor {
    /// Total ratios within this range need no explanation.
    pub const RANGE: std::ops::RangeInclusive<f64> = 0.5..=2.0;
}

/// The best style beside a product that has kernels of its own and plays no style's architecture: a library in one process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelAnchor {
    /// The style with the least total, of those that completed most workloads with it.
    pub style: String,
    /// The product.
    pub product: String,
    /// Of so many workloads that the family has here.
    pub cases: usize,
    /// Workloads that both completed, but not in the same runs: they are left out.
    pub apart: usize,
    /// The style's time over the product's, and over how many workloads.
    pub ratio: TotalRatio,
    /// The engine that has the style's kernels and no style, if it completed the same workloads in the same runs.
    pub bare: Option<String>,
    /// Its time over the product's.
    pub kernel: Option<TotalRatio>,
    /// What makes the style slower; absent up to [`KernelAnchor::MOST`], and where it was not shown to be slower.
    pub cause: Option<KernelAnchorCause>,
}

impl KernelAnchor {
    /// A total ratio up to this needs no explanation.
    pub const MOST: f64 = 1.3;
}

/// What is slower than a product of other kernels: the larger part of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelAnchorCause {
    /// The kernels: without a style they are slower too.
    Kernel,
    /// What the style adds to its kernels.
    Style,
    /// The kernels were not measured without a style.
    NotMeasured,
}

/// What one side of an anchor used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AnchorUse {
    /// Sum of the medians of its times.
    pub wall_ns_total: f64,
    /// Sum of the medians of its CPU times; absent if some trial did not count them.
    pub cpu_ns_total: Option<f64>,
    /// CPU time over wall time and cores.
    pub busy_share: Option<f64>,
}

/// Time is CPU time over busy cores: which of the two makes the larger part of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorCause {
    /// One of them computes more.
    Work,
    /// One of them keeps its cores less busy.
    Waiting,
    /// CPU time was not counted.
    NotMeasured,
}
