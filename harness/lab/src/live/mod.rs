//! A started engine as the runner sees it: the seam between trials and processes, where fakes go in tests.

mod engine;
mod failure;

pub use engine::{Digested, EngineProvider, EngineSpec, Keep, Limits, LiveEngine, Measured, Probed, Refusals};
pub use failure::Failure;
