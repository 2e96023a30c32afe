//! bench-record
