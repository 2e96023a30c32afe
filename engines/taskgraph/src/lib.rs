//! Dask.distributed's architecture as pure state machines: one central scheduler that decides per task.
//!
//! | module | idea |
//! |---|---|
//! | `style` | the [`TaskGraph`] style: its switches and which machine stands where |
//! | `settings` | the switches, read once |
//! | `message` | what scheduler and workers say to each other |
//! | `stream` | ordered, lossless streams over a network that loses, repeats and reorders |
//! | `lower` | a graph of fragments becomes keys: cull, fuse, barriers, depth-first priorities |
//! | `scheduler` | the machine that decides: states, transitions run to fixpoint, placement, stealing, shuffles |
//! | `worker` | the machine of a node: gathers, executes, spills, pauses |
//!
//! Projection and predicate pushdown belong to the shared planning front half. Tree reduction happens where a graph
//! reads with `Read::Merge`: what a combine task would compute is known to the planner only, so this style cannot insert
//! one into a gather of which it knows no more than a kernel's name. Dask's `persist` is what happens to a job's answer:
//! its keys stay in memory until the job is over. Abstract resources, placement groups and actors are ignored.
//!
//! Invariant: nothing here knows a clock, a thread, a socket or a file; both hosts run this very code.

mod lower;
mod message;
mod scheduler;
mod settings;
mod stream;
mod style;
mod worker;

pub use message::{Down, Failed, Msg, Order, Pressure, Route, Up};
pub use stream::{Frame, Shared};
pub use style::{TaskGraph, TaskGraphMachine};
