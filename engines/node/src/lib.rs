//! bench-node
