//! What the node's process holds.
//!
//! That is its private memory, which no one else can give back: heap and stacks, whoever asked for them. Mapped shuffle
//! files are left out, because the system drops their pages when memory runs short. Blocks that this node has sealed in
//! shared memory are added from the store's own books, whether they are mapped at the moment or not; copies of other
//! processes' sealed blocks are counted by their owners.

use crate::store::BlockStore;
use bench_model::Bytes;

/// The process's memory, blocks in shared memory included. Reads a file of the system; where there is none, only blocks
/// count.
pub(crate) fn used(store: &BlockStore) -> Bytes {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let private = private(&status).unwrap_or_else(|| store.heap_bytes());
    Bytes::new(private.get() + store.shared_bytes().get())
}

/// The `RssAnon` line, which the kernel gives in KiB.
fn private(status: &str) -> Option<Bytes> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Bytes::new(kib.saturating_mul(1024)))
}

/// From now on this process gets memory in the machine's small pages only, which its children inherit.
///
/// A huge page is cleared whole when its first byte is used. Several nodes on one machine, each with a heap that grows by a
/// little of many sizes, use few bytes of most of theirs.
pub(crate) fn keep_to_small_pages() {
    #[expect(unsafe_code, reason = "the system takes this as a call without memory of ours")]
    // SAFETY: PR_SET_THP_DISABLE reads its flag and three zeros, and nothing of this process's memory.
    let done = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    if done != 0 {
        // A kernel that knows no such call has no huge pages to keep from.
        tracing::debug!("huge pages stay as they are: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    #[test]
    fn memory_that_is_taken_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlockStore::new(StoreOptions { folder: folder.path().to_owned(), ..StoreOptions::default() });
        let before = used(&store).get();
        let taken = std::hint::black_box(vec![1u8; 256 << 20]);
        let with = used(&store).get();
        assert!(with >= before + (192 << 20), "{before} bytes, then {with}");
        drop(taken);
    }

    #[test]
    fn the_kernels_line_is_read_and_nonsense_is_not() {
        assert_eq!(private("Name:\tx\nRssAnon:\t     420 kB\nRssFile:\t 9 kB\n"), Some(Bytes::new(420 << 10)));
        for nonsense in ["", "RssAnon:", "RssAnon: many kB", "RssAnon: 5 pages"] {
            assert_eq!(private(nonsense), None, "{nonsense}");
        }
    }
}
