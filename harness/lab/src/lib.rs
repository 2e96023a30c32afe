//! The laboratory: what turns engines and workloads into observations that can be trusted.
//!
//! | module | idea |
//! |---|---|
//! | `oracle` | fingerprints of answers, and their comparison |
//! | `live` | a started engine as the runner sees it, and every way in which it fails |
//! | `hosted` | an engine in its own process, driven by JSON lines |
//! | `cluster` | node processes: plain, emulated, or on other machines |
//! | `counters` | CPU, memory and I/O of a process tree, and who else was busy |
//! | `machine` | what this machine is, and what limits a run on it |
//! | `leftovers` | folders of killed processes |
//! | `offspring` | child processes that do not outlive this one |
//! | `overhead` | start-up, idle memory, and work that does nothing, engine by engine |
//! | `runner` | cases, trials, interleaving, repetition, resumption |

pub mod cluster;
pub mod counters;
pub mod hosted;
mod leftovers;
pub mod live;
pub mod machine;
mod offspring;
pub mod oracle;
pub mod overhead;
pub mod runner;
