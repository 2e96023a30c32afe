//! bench-lab
