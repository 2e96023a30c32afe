//! The user's own workloads: a folder in the very format of ours, with tables of its own.
//!
//! ```text
//! DIR/family.toml        tables and workloads
//! DIR/orders-by-day.sql  one file per SQL workload
//! DIR/answers/*.parquet  expected answers, where known; CSV with the types of its columns declared
//! ```

pub(crate) mod csv;
mod example;
mod load;
pub(crate) mod table;

#[cfg(test)]
mod folder_test;

pub use example::init;
pub use load::{UserFamily, load_dir};
