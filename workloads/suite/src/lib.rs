//! What is measured: datasets, workloads, suites and known answers. Definitions are data; this crate reads them.
//!
//! | module | idea |
//! |---|---|
//! | `spec` | what a dataset is: kind, scale, skew, name |
//! | `generate` | rows from a spec, any part alone |
//! | `data` | datasets on disk: made atomically, listed, verified, opened |
//! | `suite` | families at one scale, as TOML |
//! | `requirement` | what a selection needs and what a machine lacks |
//! | `family` | a folder of workloads, ours or the user's |
//! | `catalog` | the built-in families |
//! | `user` | the user's own folders |
//! | `graph_shape` | zero-work task graphs |
//! | `answers` | stored digests of known answers |
//! | `definition` | what can be wrong with what people write |

mod answers;
mod catalog;
mod data;
mod definition;
mod family;
mod generate;
mod graph_shape;
mod requirement;
mod spec;
mod suite;
mod user;

#[cfg(test)]
mod fuzz;

pub use answers::{Answers, AnswersError, Stored};
pub use catalog::{families, workloads};
pub use data::{
    DataError, DataStore, Entry, Event, FileEntry, MANIFEST_SCHEMA, Manifest, Progress, State, TableEntry, free_bytes,
};
pub use definition::DefinitionError;
pub use family::{Definition, Expected};
pub use graph_shape::GraphShape;
pub use requirement::{Demand, Effort, HOURS_MAX, Machine, Requirements, Shortfall, demands, missing, requirements_of};
pub use spec::{DatasetSpec, Groupby, Skew, SpecError, Tpch};
pub use suite::{Suite, SuiteFamily, suite, suites};
pub use user::{UserFamily, init, load_dir};
