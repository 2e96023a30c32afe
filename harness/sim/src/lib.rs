//! bench-sim
