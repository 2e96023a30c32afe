//! The live host: runs a style's machines for real, on threads, memory and local disk.
//!
//! One process is one node here. Its slots are the only compute threads there are, and they also drive the machines:
//! whoever finishes a task tells the machines so and takes the next one (see `docs/decisions/0001`).
//!
//! | module | idea |
//! |---|---|
//! | `engine` | any [`bench_model::Style`] as a [`bench_model::Engine`] |
//! | `session` | a started engine: lower, submit, wait, answer |
//! | `host` | what the slots of a session share, and how they start and stop |
//! | `control` | the machines, their messages, timers and the run queue: all that is behind the one lock |
//! | `job` | what the host itself remembers about the running job: notes, finished tasks |
//! | `slot` | the loop of one compute thread |
//! | `sleepers` | which slots sleep, and whom to wake for work or for a timer |
//! | `strike` | faults on purpose: when they fire, and what came of them |
//! | `striker` | the thread that hurts nodes while a job runs |
//! | `timers` | deadlines chosen by machines |
//! | `task` | one attempt: its kernel, its context, what its panic becomes |
//! | `timeline` | where each slot's time goes |
//! | `store` | blocks: shuffle files, batches in memory, sealed shared memory, copies, spilling, checksums |
//! | `peers` | how a node reaches the blocks of the others |
//! | `remote` | the same host in several processes: control streams, blocks over Arrow Flight |
//! | `memory` | what the node's process holds |
//! | `probe` | work that does nothing, to show what this runtime costs |
//! | `outline` | a graph as text, for `explain` |

mod completion;
mod control;
mod engine;
mod host;
mod job;
mod log;
mod memory;
mod outline;
mod peers;
mod phase;
mod probe;
mod remote;
mod residents;
mod session;
mod sleepers;
mod slot;
mod store;
mod strike;
mod striker;
mod task;
mod timeline;
mod timers;

pub use engine::LiveEngine;
pub use remote::{
    ClusterToken, InvalidToken, Node, NodeOptions, NodePlan, NodeSetup, NodeStyles, ProcessSetup, RemoteError,
    TlsFiles, serve_node,
};
pub use session::LiveSession;
pub use store::{AttemptOutput, BlockReader, BlockStore, Found, Keep, Located, StoreOptions, read_all};
