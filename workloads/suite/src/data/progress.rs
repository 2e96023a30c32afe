//! What long work on datasets tells whoever watches.

/// Something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Work starts, or continues where an earlier run was interrupted.
    Started {
        /// Which set.
        name: &'a str,
        /// Parts in total, and already done by an earlier run.
        parts: u64,
        /// Of those, done already.
        parts_done: u64,
        /// Units in total: rows when making (an estimate), bytes when verifying.
        units: u64,
        /// Of those, done already.
        units_done: u64,
    },
    /// So many more rows (making) or bytes (verifying) are done.
    Advanced {
        /// How many more.
        units: u64,
    },
    /// A part is complete.
    Part {
        /// Its file, relative to the set's folder.
        path: &'a str,
        /// Its rows.
        rows: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// All parts are complete.
    Finished {
        /// Rows of the whole set.
        rows: u64,
        /// Bytes of the whole set.
        bytes: u64,
    },
}

/// Watches long work. Called from several threads at a time.
pub trait Progress: Sync {
    /// Something happened. Must return quickly.
    fn event(&self, event: Event<'_>);
}

/// Nobody watches.
impl Progress for () {
    fn event(&self, _: Event<'_>) {}
}
