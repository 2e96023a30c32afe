//! Reading blocks of other nodes as rows, a few blocks ahead.

use crate::remote::blocks::{Courier, Delivery, Parcel, Place, Ticket};
use crate::store::Arriving;
use arrow::array::RecordBatch;
use bench_model::{Batches, BlockRef, NodeId, TaskFailure};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of blocks that one task may have ordered and not yet read (Spark's `maxSizeInFlight`). A single block may be
/// larger.
const AHEAD_MAX: u64 = 48 << 20;
/// Blocks that one task may have ordered, however small they are.
const ORDERS_MAX: usize = 64;

/// Knows where the nodes are, and reads their blocks.
pub(crate) struct Reader {
    courier: Arc<Courier>,
    session: u64,
    places: Mutex<BTreeMap<NodeId, Place>>,
}

impl Reader {
    /// A reader of a session's blocks; it knows no node yet.
    pub(crate) fn new(courier: Arc<Courier>, session: u64) -> Self {
        Self { courier, session, places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<NodeId, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are the nodes from now on.
    pub(crate) fn know(&self, nodes: BTreeMap<NodeId, Place>) {
        let before = std::mem::replace(&mut *self.places(), nodes);
        let now = self.places();
        let is_gone = |place: &Place| now.values().all(|p| p.address != place.address);
        let gone: Vec<Place> = before.into_values().filter(is_gone).collect();
        drop(now);
        gone.iter().for_each(|place| self.courier.forget(&place.address));
    }

    /// Orders one block. With `boot`, the answer may be where its bytes are on this host.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if its node is gone.
    pub(crate) fn order(&self, block: &BlockRef, boot: Option<String>) -> Result<Delivery, TaskFailure> {
        let place = self.places().get(&block.node).cloned().ok_or(TaskFailure::MissingBlock(block.id))?;
        let ticket = Ticket::Block { session: self.session, block: *block, boot };
        Ok(self.courier.order(place, ticket, Some(block.id)))
    }

    /// Reads blocks in this order: one item per block, whose rows arrive while they are read. The next blocks are
    /// ordered meanwhile.
    pub(crate) fn read(self: &Arc<Self>, blocks: Vec<BlockRef>) -> Ahead {
        Ahead { reader: Arc::clone(self), later: blocks.into(), ordered: VecDeque::new(), bytes: 0 }
    }
}

/// Blocks that are read one after the other.
pub(crate) struct Ahead {
    reader: Arc<Reader>,
    later: VecDeque<BlockRef>,
    ordered: VecDeque<(BlockRef, Result<Delivery, TaskFailure>)>,
    /// Of the ordered blocks together.
    bytes: u64,
}

impl Iterator for Ahead {
    type Item = Result<Batches, TaskFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.order_ahead();
        let (block, delivery) = self.ordered.pop_front()?;
        self.bytes = self.bytes.saturating_sub(block.meta.bytes.get());
        self.order_ahead();
        Some(delivery.map(|delivery| Box::new(Rows::new(block, delivery)) as Batches))
    }
}

impl Ahead {
    fn order_ahead(&mut self) {
        while let Some(block) = self.later.front() {
            let bytes = block.meta.bytes.get();
            let full = self.bytes + bytes > AHEAD_MAX || self.ordered.len() >= ORDERS_MAX;
            if full && !self.ordered.is_empty() {
                return;
            }
            let delivery = self.reader.order(block, None);
            self.ordered.push_back((*block, delivery));
            self.bytes += bytes;
            self.later.pop_front();
        }
    }
}

/// The rows of one block while they arrive. Waiting for them blocks the calling thread.
pub(crate) struct Rows {
    block: BlockRef,
    delivery: Delivery,
    /// Once the schema has arrived: the decoder, and how many extents are still to come.
    decoder: Option<(Arriving, u32)>,
}

impl Rows {
    /// The rows that a delivery brings.
    pub(crate) fn new(block: BlockRef, delivery: Delivery) -> Self {
        Self { block, delivery, decoder: None }
    }

    /// As [`Rows::new`], when the first part of the delivery has arrived already.
    ///
    /// # Errors
    /// [`TaskFailure::CorruptBlock`] if it is not the begin of a block.
    pub(crate) fn begun(block: BlockRef, delivery: Delivery, first: Parcel) -> Result<Self, TaskFailure> {
        let mut rows = Self::new(block, delivery);
        rows.accept(first)?;
        Ok(rows)
    }

    /// The columns, once they are known.
    pub(crate) fn schema(&self) -> Option<&arrow::datatypes::SchemaRef> {
        self.decoder.as_ref().map(|(decoder, _)| decoder.schema())
    }

    fn accept(&mut self, parcel: Parcel) -> Result<(), TaskFailure> {
        match (parcel, &mut self.decoder) {
            (Parcel::Schema(schema, extents), none @ None) => {
                *none = Some((Arriving::new(self.block.id, &schema)?, extents));
                Ok(())
            }
            (Parcel::Extent(bytes), Some((decoder, left))) if *left > 0 => {
                *left -= 1;
                decoder.feed(bytes);
                Ok(())
            }
            _ => Err(TaskFailure::CorruptBlock(self.block.id)),
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, TaskFailure> {
        loop {
            if let Some((decoder, left)) = &mut self.decoder {
                if let Some(batch) = decoder.next_batch()? {
                    return Ok(Some(batch));
                }
                if *left == 0 {
                    return Ok(None);
                }
            }
            // A call that ends too early has lost its process.
            let parcel = self.delivery.next().unwrap_or(Err(TaskFailure::MissingBlock(self.block.id)))?;
            self.accept(parcel)?;
        }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, TaskFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
