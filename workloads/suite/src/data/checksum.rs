//! Checksums of file bytes: XXH3 with 128 bits, which finds accidents, not adversaries.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use twox_hash::XxHash3_128;

/// A file being written, hashed on the way so that it need not be read again.
pub(super) struct HashingFile {
    file: File,
    hash: XxHash3_128,
    bytes: u64,
}

impl HashingFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)?, hash: XxHash3_128::new(), bytes: 0 })
    }

    /// Makes the bytes durable and returns how many there are and their checksum.
    pub(super) fn finish(self) -> io::Result<(u64, String)> {
        self.file.sync_all()?;
        Ok((self.bytes, hex(&self.hash)))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(done) = bytes.get(..written) {
            self.hash.write(done);
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a file to its end; `seen` hears of each chunk and says whether to go on. `None` if it said no.
pub(super) fn checksum_of_file(path: &Path, mut seen: impl FnMut(u64) -> bool) -> io::Result<Option<(u64, String)>> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut hash = XxHash3_128::new();
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Some((bytes, hex(&hash))));
        }
        hash.write(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
        if !seen(read as u64) {
            return Ok(None);
        }
    }
}

/// The checksum of a few bytes.
pub(super) fn checksum_of_bytes(bytes: &[u8]) -> String {
    format!("{:032x}", XxHash3_128::oneshot(bytes))
}

fn hex(hash: &XxHash3_128) -> String {
    format!("{:032x}", hash.finish_128())
}
