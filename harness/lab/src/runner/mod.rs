//! From a plan to a journal of trials that can be trusted.
//!
//! | part | idea |
//! |---|---|
//! | `plan` | what to measure: cases and arms |
//! | `order` | who runs when: mirrored pairs, so that drift hits every engine alike |
//! | `standing` | what is already recorded, and what that leaves to do |
//! | `seat` | one engine in one arm: started, loaded and warmed as the protocol says |
//! | `room` | room in memory for whoever has its turn |
//! | `reference` | the answer that trials are held to |
//! | `sink` | where trials are recorded |
//! | `run` | the loop |
//! | `event` | what reporters are told |

mod event;
mod order;
mod plan;
mod reference;
mod room;
mod run;
mod seat;
mod sink;
mod standing;

pub use event::{RunEvent, RunSummary};
pub use plan::{OracleEngine, Plan, PlanError, Twins};
pub use run::{RunError, run};
pub use sink::Sink;
