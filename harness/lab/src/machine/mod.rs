//! What this machine is, and what limits a run on it: `bench doctor`, and the machine part of a run's context.

mod cgroup;
mod disk;
mod doctor;
mod probe;

pub use cgroup::Cgroup;
pub use disk::{DiskSpace, drop_page_cache, free_bytes, may_drop_page_cache};
pub use doctor::{Doctor, Limit};
pub use probe::memory_available_bytes;
pub(crate) use probe::memory_total_bytes;
