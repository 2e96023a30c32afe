//! DataFusion's own execution as two engines: on all slots, and on one thread.
//!
//! They share tables, settings and programs with the styles, so that a difference is one of architecture. The single
//! thread is the yardstick of COST: how many cores an architecture needs before it outperforms one thread (McSherry,
//! Isard and Murray, HotOS 2015).
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
