//! Blocks on their way to and from other processes: the bytes of their extents, as they lie in files.

use super::compact::compact;
use super::extent::MessageDecoder;
use super::reader::unreadable;
use super::writer::{Encoder, decoding_schema, encoding, schema_to_bytes};
use super::{Found, Stored};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::convert::try_schema_from_flatbuffer_bytes;
use bench_model::{BlockId, TaskFailure};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// A block as it is sent: what its file holds, or the same made of its batches.
pub(crate) struct Travelling {
    /// Its schema, as an Arrow IPC message.
    pub(crate) schema: Vec<u8>,
    /// Its extents in order, each with the checksum taken when it was written. Nothing of a file is copied.
    pub(crate) extents: Vec<(Buffer, u64)>,
}

impl Found {
    /// Prepares the block for sending. Rows in memory are encoded, which takes time.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if its file is gone, [`TaskFailure::CorruptBlock`] if it has another size.
    pub(crate) fn travel(self) -> Result<Travelling, TaskFailure> {
        let (block, stored) = self.into_parts();
        match stored.as_ref() {
            Stored::Encoded { schema, extents, file } => {
                let bytes = file.bytes().map_err(|e| unreadable(block, &e))?;
                let slices = extents.iter().map(|e| Some((e.of(&bytes)?, e.hash)));
                let extents = slices.collect::<Option<_>>().ok_or(TaskFailure::CorruptBlock(block))?;
                Ok(Travelling { schema: schema_to_bytes(schema), extents })
            }
            Stored::Heap { schema, batches, .. } => encode(schema, batches),
        }
    }
}

/// Encodes batches, one extent each.
fn encode(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Travelling, TaskFailure> {
    let mut encoder = Encoder::new(schema, None)?;
    let mut extents = Vec::with_capacity(batches.len());
    for batch in batches {
        // A part of an answer is as it came: with strings of the whole input, perhaps.
        let pieces = encoder.encode(&compact(batch.clone()).map_err(encoding)?)?;
        let mut bytes = Vec::with_capacity(pieces.iter().map(|p| p.len()).sum());
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece.as_slice()));
        let hash = XxHash3_64::oneshot(&bytes);
        extents.push((Buffer::from_vec(bytes), hash));
    }
    Ok(Travelling { schema: schema_to_bytes(&decoding_schema(Arc::clone(schema))), extents })
}

/// Decodes a block that arrives extent by extent.
pub(crate) struct Arriving {
    block: BlockId,
    schema: SchemaRef,
    decoder: MessageDecoder,
}

impl Arriving {
    /// A block with this schema, as [`Travelling::schema`] had it.
    ///
    /// # Errors
    /// [`TaskFailure::CorruptBlock`] if it is no schema.
    pub(crate) fn new(block: BlockId, schema: &[u8]) -> Result<Self, TaskFailure> {
        let schema = try_schema_from_flatbuffer_bytes(schema).map_err(|_| TaskFailure::CorruptBlock(block))?;
        let schema = Arc::new(schema);
        Ok(Self { block, decoder: MessageDecoder::new(Arc::clone(&schema)), schema })
    }

    /// Its columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next extent has arrived from a process of the cluster and matches its checksum.
    pub(crate) fn feed(&mut self, extent: Buffer) {
        self.decoder.feed(extent);
    }

    /// The next batch of the extent fed last.
    ///
    /// # Errors
    /// [`TaskFailure::CorruptBlock`] if the bytes are no rows.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, TaskFailure> {
        self.decoder.next_batch().map_err(|reason| {
            tracing::warn!(block = %self.block, %reason, "a block that arrived cannot be used");
            TaskFailure::CorruptBlock(self.block)
        })
    }
}
