//! bench-kernels
