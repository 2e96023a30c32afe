//! The nouns every other crate speaks: blocks, kernels, machines, hosts and engines. No I/O happens here.
//!
//! | module | idea |
//! |---|---|
//! | `units` | newtypes with units: nanoseconds, bytes, rows |
//! | `ids` | who is who: nodes, jobs, fragments, tasks, attempts, blocks |
//! | `block` | an immutable run of record batches, its size and its order-independent checksum |
//! | `graph` | fragments and the exchanges between them: what every style lowers |
//! | `kernel` | a named function from input blocks to output blocks, and what it may ask of its host |
//! | `machine` | pure state machines: `(now, event) -> actions` |
//! | `span` | where a slot's time goes |
//! | `trace` | what a job did, task by task: enough to replay its schedule |
//! | `tuning` | the switches of an engine, as data |
//! | `program` | what a user wants computed, and how an answer is checked |
//! | `dataset` | tables on disk, by name |
//! | `digest` | the fingerprint of an answer |
//! | `planner` | the switches of the front half that all styles share |
//! | `front` | the shared front half: programs to graphs, and replanning between stages |
//! | `cluster` | where an engine's nodes run, and who starts them |
//! | `fault` | what may be done to a cluster on purpose, and what came of it |
//! | `probe` | work that does nothing, to show what a runtime costs |
//! | `engine` | something that runs a workload: our styles, DataFusion, the real products |

mod block;
mod cluster;
mod dataset;
mod digest;
mod engine;
mod fault;
mod front;
mod graph;
mod ids;
mod kernel;
mod machine;
mod planner;
mod probe;
mod program;
mod span;
mod trace;
mod tuning;
mod units;

pub use block::{BlockMeta, BlockRef, Checksum, checksum_of};
pub use cluster::{ClusterSpec, HostSite, HostTables, LaunchedNode, Launcher, NodeLimits, SshHost};
pub use dataset::{Dataset, Format, Table};
pub use digest::{ColumnDigest, Digest};
pub use engine::{Answer, Capabilities, Engine, EngineError, EngineSetup, Explanation, Session};
pub use fault::{Fault, FaultKind, FaultOutcome, FaultPlan, FaultSyntax, Trigger};
pub use front::{Front, Lowered};
pub use graph::{Call, Exchange, Fragment, Graph, GraphError, Input, KernelId, Placement, Read, Slice, TaskOptions};
pub use ids::{Addr, Attempt, BlockId, Epoch, FragmentId, JobId, NodeId, TaskId, TimerId};
pub use kernel::{Batches, Kernel, Registry, TaskContext, TaskFailure, TaskStats};
pub use machine::{
    Action, Assignment, Event, JobError, Machine, Note, Planned, StageStats, Storage, Style, StyleEnv, TaskReport,
    Violation,
};
pub use planner::{PLANNER_SWITCHES, REPLANNER_SWITCHES, joined};
pub use probe::Probe;
pub use program::{Aggregate, Check, Family, Form, JoinKind, Program, Query, SortKey, Step, Workload};
pub use span::{SpanKind, SpanReport};
pub use trace::{Blocking, Copied, JobTrace, Replanning, TRACE_SCHEMA, TaskTrace};
pub use tuning::{Default as SwitchDefault, Switch, Tuning, TuningError, Value, is_name, parse_bytes};
pub use units::{Bytes, Nanos, Rows};
