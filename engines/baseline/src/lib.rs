//! bench-baseline
