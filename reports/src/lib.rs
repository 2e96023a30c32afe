//! bench-reports
