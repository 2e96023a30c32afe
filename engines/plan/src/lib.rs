//! bench-plan
