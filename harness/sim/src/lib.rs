//! The virtual-time host: runs any style's machines deterministically, hurts them, and checks what they do.
//!
//! | module | idea |
//! |---|---|
//! | `options` | what a simulated cluster looks like, and what a run leaves behind |
//! | `fuzz` | one seed, many seeds, the trace of one |
//! | `sim` | the host: time, messages, timers, and what each action means here |
//! | `node` | a simulated node: its machine, its slots, its blocks |
//! | `queue` | what happens next |
//! | `keyed` | hash maps without a random seed |
//! | `faults` | what goes wrong, how often, and how often it did |
//! | `shapes` | random graphs: chain, fan-out, tree, stencil, shuffles |
//! | `content` | what simulated tasks write, and the answer computed without any scheduler |
//! | `planner` | a planner that coalesces and splits partitions at random, but legally |
//! | `oracle` | what must hold whatever the style does |
//! | `replay` | a recorded job played again, as it was or without one kind of blocking |
//! | `unbarred` | a recorded job whose tasks wait for nothing but what they read |
//! | `bare` | a style's machines alone, as fast as they go |
//! | `rng` | the seeded source of every choice |
//!
//! Invariant: the same style, options and seed give the same run, event for event.

mod bare;
mod content;
mod faults;
mod fuzz;
mod keyed;
mod node;
mod options;
mod oracle;
mod planner;
mod queue;
mod replay;
mod rng;
mod shapes;
mod sim;
mod unbarred;

pub use bare::{run_bare, zero_work_graphs};
pub use content::expected_answer;
pub use faults::FaultKind;
pub use fuzz::{fuzz, fuzz_until, run_seed, trace_seed};
pub use options::{FuzzReport, SimFailure, SimOptions, SimSummary, SimTrouble};
pub use replay::replay;
pub use rng::Rng;
pub use shapes::random_graph;
pub use sim::Sim;
