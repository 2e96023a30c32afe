//! SQL and dataframe programs become fragments: physical plans cut at their exchanges, and the tasks that run them.
//!
//! | module | idea |
//! |---|---|
//! | `settings` | the one place where DataFusion's settings are chosen, for every engine alike |
//! | `tables` | datasets on disk become tables with exact statistics |
//! | `frame` | a query, SQL or dataframe steps, becomes a logical plan |
//! | `fragment` | a planned job: fragments and the exchanges between them |
//! | `block_scan` | the leaf that stands where an exchange was |
//! | `leaf` | what our operators answer alike |
//! | `scalars` | uncorrelated scalar subqueries across fragments |
//! | `cut` | a physical plan becomes fragments |
//! | `piece` | a piece of plan while it is being cut |
//! | `replan` | what changes when the sizes of finished fragments are known |
//! | `task` | a fragment's plan becomes one task's own plan |
//! | `stop` | where a task looks whether it should stop |
//! | `task_scan` | the leaves of a task's plan: its blocks, or one partition of another leaf |
//! | `partition` | a task's rows become its output blocks |
//! | `memory` | memory limits in one meaning for every engine, and what was spilled |
//! | `store` | where planned fragments wait for their tasks |
//! | `ship` | a fragment's plan as bytes, for tasks in another process |
//! | `front` | all of the above behind the model's `Front` |
//! | `explain` | a job's fragments as text |
//!
//! Invariant: running the fragments gives the rows of the plan that was cut (tested for every built-in query).

mod block_scan;
mod cut;
mod error;
mod explain;
mod fragment;
mod frame;
mod front;
mod leaf;
mod memory;
mod partition;
mod piece;
pub mod replan;
mod scalars;
mod settings;
mod ship;
mod stop;
mod store;
mod tables;
mod task;
mod task_scan;

pub use block_scan::{BlockScanExec, block_scans};
pub use cut::cut;
pub use datafusion::DATAFUSION_VERSION;
pub use error::{PlanError, engine_error, plain};
pub use explain::{explain, explain_with};
pub use fragment::{Cut, FragmentPlan, JobPlan, PLAN_KERNEL};
pub use frame::{data_frame, plan_query};
pub use front::PlanFront;
pub use memory::{MemoryLimit, spilled, unlimited_runtime};
pub use partition::Partitioner;
pub use scalars::ScalarsExec;
pub use settings::{PlanSettings, baseline_config, describe, task_config};
pub use ship::ShipError;
pub use stop::stopped;
pub use store::{PlanKey, PlanStore, StoredPlan};
pub use tables::Tables;
pub use task::specialize;
