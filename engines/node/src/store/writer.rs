//! Writing rows as Arrow IPC: the encoding that all files of the store share, and files of a single block.

use super::extent::Extent;
use super::file::Unfinished;
use super::ledger::Medium;
use super::{BlockStore, Stored, write_failure};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::try_schema_from_flatbuffer_bytes;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamEncoder};
use arrow::ipc::{CompressionType, MetadataVersion};
use bench_model::{Attempt, BlockId, Bytes, TaskFailure};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Encodes the batches of one block, one after the other.
pub(super) struct Encoder(StreamEncoder);

impl Encoder {
    /// An encoder for rows of this schema.
    pub(super) fn new(schema: &SchemaRef, compression: Option<CompressionType>) -> Result<Self, TaskFailure> {
        let encoder = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)
            .and_then(|options| options.try_with_compression(compression))
            .and_then(|options| StreamEncoder::try_new_with_options(schema, options));
        encoder.map(Self).map_err(encoding)
    }

    /// The batch's bytes, in pieces.
    pub(super) fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Buffer>, TaskFailure> {
        self.0.encode(batch).map_err(encoding)
    }
}

/// The schema as a file carries it: Arrow numbers dictionaries when it encodes, and finds them by number when it decodes.
pub(super) fn decoding_schema(schema: SchemaRef) -> SchemaRef {
    let has_dictionaries = schema.flattened_fields().iter().any(|f| matches!(f.data_type(), DataType::Dictionary(..)));
    if !has_dictionaries {
        return schema;
    }
    try_schema_from_flatbuffer_bytes(&schema_to_bytes(&schema)).map_or(schema, Arc::new)
}

/// A schema as an Arrow IPC message.
pub(super) fn schema_to_bytes(schema: &Schema) -> Vec<u8> {
    let mut tracker = DictionaryTracker::new(false);
    let options = IpcWriteOptions::default();
    IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options).ipc_message
}

/// Rows that Arrow cannot encode: a retry would meet the same ones.
pub(super) fn encoding(error: ArrowError) -> TaskFailure {
    TaskFailure::Fatal(format!("rows cannot be encoded as Arrow IPC: {error}"))
}

/// Writes one block into a file of its own, a batch at a time: what is in memory besides the rows is one encoded batch.
///
/// A block in shared memory has its own file so that releasing or spilling it frees its memory at once, however long
/// other outputs of its task live on. When shared memory is full the block goes to disk, where other processes can map
/// it as well (Ray's fallback allocation).
pub(super) struct BlockWriter<'s> {
    store: &'s BlockStore,
    which: (BlockId, Attempt),
    schema: SchemaRef,
    encoder: Encoder,
    file: Unfinished,
    extents: Vec<Extent>,
}

impl<'s> BlockWriter<'s> {
    /// Creates the file.
    pub(super) fn create(
        store: &'s BlockStore,
        which: (BlockId, Attempt),
        medium: Medium,
        schema: &SchemaRef,
    ) -> Result<Self, TaskFailure> {
        // Whoever maps compressed rows must still copy them.
        let compression = store.compression.filter(|_| medium == Medium::Disk);
        let file = match new_file(store, which, medium) {
            Err((_, error)) if medium == Medium::Shared && is_full(&error) => new_file(store, which, Medium::Disk),
            created => created,
        };
        let file = file.map_err(|(path, error)| write_failure(&path, &error))?;
        let encoder = Encoder::new(schema, compression)?;
        Ok(Self { store, which, schema: Arc::clone(schema), encoder, file, extents: Vec::new() })
    }

    /// Appends rows.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), TaskFailure> {
        let pieces = self.encoder.encode(batch)?;
        self.append(&pieces)
    }

    /// Appends bytes that are encoded already.
    pub(super) fn append(&mut self, pieces: &[Buffer]) -> Result<(), TaskFailure> {
        let mut appended = self.file.append(pieces);
        if self.file.medium() == Medium::Shared && appended.as_ref().is_err_and(is_full) {
            self.fall_back()?;
            appended = self.file.append(pieces);
        }
        self.extents.push(appended.map_err(|e| write_failure(self.file.path(), &e))?);
        Ok(())
    }

    /// Goes on in a file on disk.
    fn fall_back(&mut self) -> Result<(), TaskFailure> {
        let mut file =
            new_file(self.store, self.which, Medium::Disk).map_err(|(path, error)| write_failure(&path, &error))?;
        file.append_file(&self.file).map_err(|e| write_failure(file.path(), &e))?;
        self.file = file;
        Ok(())
    }

    /// How many bytes were appended so far.
    pub(super) fn len(&self) -> Bytes {
        Bytes::new(self.extents.iter().map(|e| e.len).sum())
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Stored {
        let file = Arc::new(self.file.seal(&self.store.ledger));
        Stored::Encoded { schema: decoding_schema(self.schema), extents: self.extents, file }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn new_file(store: &BlockStore, which: (BlockId, Attempt), medium: Medium) -> Result<Unfinished, (PathBuf, io::Error)> {
    let path = store.path_of_block(which, medium);
    Unfinished::create(path.clone(), medium, store.create).map_err(|error| (path, error))
}
