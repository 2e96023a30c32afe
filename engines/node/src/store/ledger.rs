//! How many bytes the blocks of a node take, by where they are.

use bench_model::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a block lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// The memory of this process alone.
    Heap,
    /// Memory that every process of the host can map.
    Shared,
    /// A file on local disk.
    Disk,
}

/// The sums of a store. Bytes stay on it until the last reader of a dropped block is done.
#[derive(Default)]
pub(super) struct Ledger {
    heap: AtomicU64,
    shared: AtomicU64,
    disk: AtomicU64,
}

impl Ledger {
    /// What lies on a medium.
    pub(super) fn on(&self, medium: Medium) -> Bytes {
        Bytes::new(self.account(medium).load(Ordering::Relaxed))
    }

    fn account(&self, medium: Medium) -> &AtomicU64 {
        match medium {
            Medium::Heap => &self.heap,
            Medium::Shared => &self.shared,
            Medium::Disk => &self.disk,
        }
    }
}

/// Bytes on a ledger for as long as this lives.
pub(super) struct Charge {
    ledger: Arc<Ledger>,
    medium: Medium,
    bytes: u64,
}

impl Charge {
    /// Puts bytes on the ledger.
    pub(super) fn new(ledger: &Arc<Ledger>, medium: Medium, bytes: u64) -> Self {
        ledger.account(medium).fetch_add(bytes, Ordering::Relaxed);
        Self { ledger: Arc::clone(ledger), medium, bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.account(self.medium).fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
