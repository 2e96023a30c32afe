//! bench-stagedag
