//! One object of the store, and where it is on its way.

use bench_model::BlockRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is to be fetched ahead of its readers, when there is room for it.
    Queued,
    /// It is to be fetched as soon as fewer others are on their way.
    Asked,
    /// On its way.
    Fetching,
    /// In memory.
    Here,
    /// In memory, and on its way to disk.
    Spilling,
    /// On disk.
    Spilled,
    /// On its way, and nobody wants it any more.
    Unwanted,
}

#[derive(Debug)]
pub(super) struct Object {
    /// Itself, as it was asked for.
    pub(super) block: BlockRef,
    pub(super) bytes: u64,
    pub(super) state: State,
    pub(super) primary: bool,
    /// It counts against the quota while it is in memory or on its way.
    pub(super) counted: bool,
    /// Its owner knows or will know that it is here.
    pub(super) known: bool,
    /// Fetched ahead of its readers: counts against that budget while on its way.
    pub(super) ahead: bool,
    /// It was listed for eviction or spilling.
    pub(super) listed: bool,
    pub(super) pins: u32,
    pub(super) waiters: Vec<u64>,
}

impl Object {
    pub(super) const fn new(block: BlockRef, state: State, counted: bool) -> Self {
        Self {
            bytes: block.meta.bytes.get(),
            block,
            state,
            primary: false,
            counted,
            known: false,
            ahead: false,
            listed: false,
            pins: 0,
            waiters: Vec::new(),
        }
    }

    pub(super) const fn is_counted_now(&self) -> bool {
        self.counted && matches!(self.state, State::Asked | State::Fetching | State::Here | State::Spilling)
    }

    pub(super) const fn is_here(&self) -> bool {
        matches!(self.state, State::Here | State::Spilling | State::Spilled)
    }
}
