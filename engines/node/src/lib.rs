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
//! | `timers` | deadlines chosen by machines |
//! | `task` | one attempt: its kernel, its context, what its panic becomes |
//! | `timeline` | where each slot's time goes |
//! | `store` | blocks: shuffle files, inline blocks, checksums |
//! | `outline` | a graph as text, for `explain` |

mod completion;
mod control;
mod engine;
mod host;
mod job;
mod outline;
mod session;
mod sleepers;
mod slot;
mod store;
mod task;
mod timeline;
mod timers;

pub use engine::LiveEngine;
pub use session::LiveSession;
