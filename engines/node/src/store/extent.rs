//! The bytes of one output in one run: Arrow IPC messages and a checksum over them.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileDecoder;
use arrow::ipc::{Block, MessageHeader, MetadataVersion, root_as_message};
use serde::{Deserialize, Serialize};
use std::hash::Hasher;
use std::io::{self, IoSlice, Write};
use twox_hash::XxHash3_64;

/// Where encoded messages lie in a file, and the checksum of those bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) hash: u64,
}

impl Extent {
    /// Its part of a file; none if it reaches beyond the end.
    pub(super) fn of(&self, file: &Buffer) -> Option<Buffer> {
        let (offset, len) = (usize::try_from(self.offset).ok()?, usize::try_from(self.len).ok()?);
        let inside = offset.checked_add(len).is_some_and(|end| end <= file.len());
        inside.then(|| file.slice_with_length(offset, len))
    }
}

/// The most pieces one write call takes on Linux.
const PIECES_PER_WRITE: usize = 1024;

/// Writes encoded pieces in few large calls and says where they went.
pub(super) fn write_extent(to: &mut impl Write, offset: u64, pieces: &[Buffer]) -> io::Result<Extent> {
    let mut hasher = XxHash3_64::with_seed(0);
    let mut len = 0u64;
    for piece in pieces {
        hasher.write(piece.as_slice());
        len += piece.len() as u64;
    }
    for chunk in pieces.chunks(PIECES_PER_WRITE) {
        let mut slices: Vec<IoSlice<'_>> = chunk.iter().map(|b| IoSlice::new(b.as_slice())).collect();
        write_all_vectored(to, &mut slices)?;
    }
    Ok(Extent { offset, len, hash: hasher.finish() })
}

fn write_all_vectored(to: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match to.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut slices, n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Whether bytes are the ones that were written.
pub(super) fn matches(extent: &Extent, bytes: &[u8]) -> bool {
    bytes.len() as u64 == extent.len && XxHash3_64::oneshot(bytes) == extent.hash
}

/// Decodes the extents of one output, in order. Dictionaries carry over from one extent to the next.
pub(super) struct MessageDecoder {
    decoder: FileDecoder,
    rest: Buffer,
}

/// The marker and length before each message.
const PREFIX: usize = 8;

impl MessageDecoder {
    /// A decoder for rows of this schema.
    pub(super) fn new(schema: SchemaRef) -> Self {
        let decoder = FileDecoder::new(schema, MetadataVersion::V5);
        #[expect(unsafe_code, reason = "validating our own UTF-8 and offsets again would cost more than reading them")]
        // SAFETY: the bytes fed in come from `write_extent` of this process, or of one of the same build that has proven to
        // belong to the cluster: they are the encoding of arrays that Arrow had validated, and `matches` has just compared
        // their checksum with the one taken when they were encoded. A file that something else changed fails that
        // comparison and is never decoded.
        let decoder = unsafe { decoder.with_skip_validation(true) };
        Self { decoder, rest: Buffer::from_vec(Vec::<u8>::new()) }
    }

    /// Feeds the next extent. Its bytes must have passed [`matches`].
    pub(super) fn feed(&mut self, bytes: Buffer) {
        self.rest = bytes;
    }

    /// The next batch of the extent fed last.
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        while !self.rest.is_empty() {
            let (frame, block, header) = self.next_frame()?;
            match header {
                // The schema is kept beside the extents; in the file it makes each output a stream of its own.
                MessageHeader::Schema => {}
                MessageHeader::DictionaryBatch => self.decoder.read_dictionary(&block, &frame)?,
                _ => return self.decoder.read_record_batch(&block, &frame),
            }
        }
        Ok(None)
    }

    fn next_frame(&mut self) -> Result<(Buffer, Block, MessageHeader), ArrowError> {
        let cut = || ArrowError::IpcError("a message is cut short".to_owned());
        let length =
            self.rest.get(4..PREFIX).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(cut)?;
        let head = PREFIX + length as usize;
        let message = root_as_message(self.rest.get(PREFIX..head).ok_or_else(cut)?)
            .map_err(|e| ArrowError::IpcError(format!("a message has no valid header: {e}")))?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| cut())?;
        let header = message.header_type();
        let len = head.checked_add(body).filter(|len| *len <= self.rest.len()).ok_or_else(cut)?;
        let block = Block::new(0, i32::try_from(head).map_err(|_| cut())?, body as i64);
        let frame = self.rest.slice_with_length(0, len);
        self.rest.advance(len);
        Ok((frame, block, header))
    }
}
