//! DataFusion's own execution as two engines: on all slots, and on one thread.
//!
//! They share tables, settings and programs with the styles, so that a difference is one of architecture. The single
//! thread is the yardstick for how many cores an architecture needs before it pays (METHOD: COST).
//!
//! | module | idea |
//! |---|---|
//! | `engine` | the two engines and how they start |
//! | `session` | a started engine: plan, run, explain |
//! | `threads` | a pool of exactly as many threads as slots |

mod engine;
mod session;
mod threads;

pub use engine::{Datafusion, Datafusion1t};
