//! Plain copies, to compare with.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// Read again and again: it stays in the cache, so that a copy costs what writing costs.
const SOURCE: usize = 256 << 10;

/// Copies `bytes` into memory that was never touched.
pub(crate) fn fresh(bytes: usize) -> Duration {
    let source = vec![7u8; SOURCE];
    let begin = Instant::now();
    let mut target: Vec<u8> = Vec::with_capacity(bytes);
    while target.len() < bytes {
        target.extend_from_slice(&source);
    }
    let took = begin.elapsed();
    black_box(&target);
    took
}

/// Copies `bytes` into a new file in this folder that is mapped: what any new gigabyte costs that others can map as well.
pub(crate) fn shared(bytes: usize, folder: &Path) -> Duration {
    let source = vec![7u8; SOURCE];
    let path = folder.join("copied");
    let begin = Instant::now();
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(bytes as u64).unwrap();
    #[expect(unsafe_code, reason = "the copy that is compared with writes into the mapping itself")]
    // SAFETY: the file was just made by this process under a name of its own, and nobody else opens or cuts it.
    let mut target = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
    target.chunks_exact_mut(SOURCE).for_each(|part| part.copy_from_slice(&source));
    let took = begin.elapsed();
    std::fs::remove_file(path).unwrap();
    took
}

/// Copies all of `source` into memory that is there already.
pub(crate) fn warm(source: &[u8], target: &mut [u8]) -> Duration {
    let begin = Instant::now();
    target.copy_from_slice(source);
    let took = begin.elapsed();
    black_box(target);
    took
}
