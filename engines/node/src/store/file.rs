//! The file of one attempt: written once, then mapped by everyone who reads from it, removed with its last reference.

use super::extent::{Extent, write_extent};
use super::write_failure;
use arrow::buffer::Buffer;
use bench_model::TaskFailure;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// A shuffle file and the size it was written with. Dropping it removes the file.
pub(super) struct ShuffleFile {
    path: PathBuf,
    len: u64,
    bytes: Mutex<Option<Buffer>>,
}

/// A shuffle file while it is written. Dropped unfinished, it takes the file with it.
pub(super) struct Unfinished {
    pub(super) file: File,
    pub(super) shuffle: ShuffleFile,
}

impl Unfinished {
    /// Creates a file that must not exist yet.
    pub(super) fn create(path: PathBuf, create: fn(&Path) -> io::Result<File>) -> Result<Self, TaskFailure> {
        let file = create(&path).map_err(|e| write_failure(&path, &e))?;
        Ok(Self { file, shuffle: ShuffleFile { path, len: 0, bytes: Mutex::new(None) } })
    }

    /// Appends the encoding of one output's rows.
    pub(super) fn append(&mut self, pieces: &[Buffer]) -> Result<Extent, TaskFailure> {
        let extent = write_extent(&mut self.file, self.shuffle.len, pieces)
            .map_err(|e| write_failure(&self.shuffle.path, &e))?;
        self.shuffle.len += extent.len;
        Ok(extent)
    }
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is not there any more, or not readable.
    Missing(io::Error),
    /// It is there, but not with the size it was written with.
    Resized,
}

impl ShuffleFile {
    /// Its content. Mapped by the first reader and shared by the others.
    pub(super) fn bytes(&self) -> Result<Buffer, Unreadable> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        match bytes.as_ref() {
            Some(buffer) => Ok(buffer.clone()),
            None => Ok(bytes.insert(open(&self.path, self.len)?).clone()),
        }
    }
}

impl Drop for ShuffleFile {
    fn drop(&mut self) {
        // Already gone is as good as removed, and the session's folder goes with the session in any case.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn open(path: &Path, expected: u64) -> Result<Buffer, Unreadable> {
    let file = File::open(path).map_err(Unreadable::Missing)?;
    let len = file.metadata().map_err(Unreadable::Missing)?.len();
    if len != expected || len == 0 {
        return Err(Unreadable::Resized);
    }
    // A process may run out of mappings (65,530 by default): a copy in memory serves as well.
    map(&file).or_else(|_| read(file, len)).map_err(Unreadable::Missing)
}

fn map(file: &File) -> io::Result<Buffer> {
    #[expect(unsafe_code, reason = "zero-copy reads of shuffle files need a memory map")]
    // SAFETY: the file belongs to this session alone (its folder was created empty under a fresh name), it is complete,
    // and nothing here writes to or truncates a finished file. Removing it leaves the map intact.
    let map = unsafe { memmap2::Mmap::map(file)? };
    let len = map.len();
    let Some(start) = NonNull::new(map.as_ptr().cast_mut()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    #[expect(unsafe_code, reason = "Arrow takes foreign memory by pointer")]
    // SAFETY: `start` points to `len` mapped, initialized bytes. The map is moved into the buffer's owner, so it lives
    // as long as any slice of the buffer, and moving a map does not move its pages. Arrow never writes to such a buffer.
    Ok(unsafe { Buffer::from_custom_allocation(start, len, Arc::new(map)) })
}

fn read(mut file: File, len: u64) -> io::Result<Buffer> {
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(Buffer::from_vec(bytes))
}
