//! A file of encoded blocks: written once, then mapped by everyone who reads from it, removed with its last reference.
//!
//! The same file serves as a shuffle file on disk, as a sealed object in shared memory (a file on tmpfs) and as a
//! spilled block. A process that reads a sealed file of another one maps it without owning it: it stays mapped when its
//! owner removes it.

use super::extent::{Extent, write_extent};
use super::ledger::{Charge, Ledger, Medium};
use arrow::buffer::Buffer;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// A finished file and the size it was written with. Dropping the owner's removes it.
pub(super) struct BlockFile {
    path: PathBuf,
    len: u64,
    medium: Medium,
    /// Whether this process wrote it.
    owned: bool,
    bytes: Mutex<Option<Buffer>>,
    /// What it takes on its owner's account.
    charge: Option<Charge>,
}

/// A file while it is written. Dropped unfinished, it takes the file with it.
pub(super) struct Unfinished {
    file: File,
    written: BlockFile,
}

impl Unfinished {
    /// Creates a file that must not exist yet.
    pub(super) fn create(path: PathBuf, medium: Medium, create: fn(&Path) -> io::Result<File>) -> io::Result<Self> {
        let file = create(&path)?;
        let written = BlockFile { path, len: 0, medium, owned: true, bytes: Mutex::new(None), charge: None };
        Ok(Self { file, written })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.written.path
    }

    /// What it lies on.
    pub(super) fn medium(&self) -> Medium {
        self.written.medium
    }

    /// Appends the encoding of one output's rows.
    pub(super) fn append(&mut self, pieces: &[Buffer]) -> io::Result<Extent> {
        let extent = write_extent(&mut self.file, self.written.len, pieces)?;
        self.written.len += extent.len;
        Ok(extent)
    }

    /// Appends everything that was written to another file so far.
    pub(super) fn append_file(&mut self, other: &Self) -> io::Result<()> {
        if other.written.len > 0 {
            let mut from = File::open(other.path())?.take(other.written.len);
            self.written.len += io::copy(&mut from, &mut self.file)?;
        }
        Ok(())
    }

    /// Ends the writing: from now on the content never changes.
    pub(super) fn seal(self, ledger: &Arc<Ledger>) -> BlockFile {
        let Self { file: _, mut written } = self;
        written.charge = Some(Charge::new(ledger, written.medium, written.len));
        written
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

impl BlockFile {
    /// Another process's file, mapped at once: its owner may remove it at any time.
    pub(super) fn adopt(path: PathBuf, len: u64) -> Result<Self, Unreadable> {
        let bytes = Mutex::new(Some(open(&path, len)?));
        Ok(Self { path, len, medium: Medium::Shared, owned: false, bytes, charge: None })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its size.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What it lies on.
    pub(super) fn medium(&self) -> Medium {
        self.medium
    }

    /// Its content. Mapped by the first reader and shared by the others.
    pub(super) fn bytes(&self) -> Result<Buffer, Unreadable> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        match bytes.as_ref() {
            Some(buffer) => Ok(buffer.clone()),
            None => Ok(bytes.insert(open(&self.path, self.len)?).clone()),
        }
    }

    /// Whether it goes with this process's last reference.
    pub(super) fn is_owned(&self) -> bool {
        self.owned
    }

    /// Changes one bit for whoever opens the file from now on. Whoever has it mapped keeps what it verified: the changed
    /// bytes are another file under the same name.
    pub(super) fn flip(&self, at: u64) -> io::Result<()> {
        let draft = self.path.with_extension("flipped");
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let flipped = copy_flipped(&self.path, &draft, at).and_then(|()| std::fs::rename(&draft, &self.path));
        match flipped {
            Ok(()) => *bytes = None,
            // Half a copy is of no use; the file itself is as it was.
            Err(_) => drop(std::fs::remove_file(&draft)),
        }
        flipped
    }
}

fn copy_flipped(from: &Path, to: &Path, at: u64) -> io::Result<()> {
    std::fs::copy(from, to)?;
    let file = File::options().read(true).write(true).open(to)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&byte.map(|b| b ^ 1), at)
}

impl Drop for BlockFile {
    fn drop(&mut self) {
        if self.owned {
            // Already gone is as good as removed, and the session's folder goes with the session in any case.
            let _ = std::fs::remove_file(&self.path);
        }
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
    #[expect(unsafe_code, reason = "zero-copy reads of block files need a memory map")]
    // SAFETY: the file lies in a folder that a process of this cluster created empty under a fresh name for its own use.
    // It is complete, and nothing here writes to or truncates a finished file. Removing it leaves the map intact.
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
