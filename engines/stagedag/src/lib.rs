//! Spark's architecture as pure state machines: stages between barriers, decided by one driver.
//!
//! | module | idea |
//! |---|---|
//! | `style` | the [`StageDag`] style: its switches and which machine stands where |
//! | `message` | what driver and executors say to each other, and why lost or repeated messages do no harm |
//! | `executor` | the machine of a node: runs what it is told, reports until it is heard |
//! | `driver` | the machine that decides: stages, task sets, recovery, replanning, speculation |
//!
//! Invariant: nothing here knows a clock, a thread, a socket or a file; both hosts run this very code.

mod driver;
mod executor;
mod message;
mod style;

pub use message::{Msg, Outcome, Ticket};
pub use style::{StageDag, StageDagMachine};
