//! How far a job is.

/// How far the current job is: decides what idle slots wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    Vacant,
    /// It is being planned.
    Lowering,
    /// The machines have it.
    Running,
    /// Its answer is being put together.
    Answering,
}
