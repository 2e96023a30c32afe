//! Many runs of one machine in a row.
