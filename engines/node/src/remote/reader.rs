//! Reading blocks of other nodes as rows, a few blocks ahead.

use crate::remote::blocks::{Courier, Delivery, Mapped, Mapping, Parcel, Place};
use crate::store::{Arriving, BlockReader};
use arrow::array::RecordBatch;
use bench_model::{Batches, BlockRef, Bytes, NodeId, TaskFailure};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of blocks that one task orders at a time, if its share of memory allows; it may have twice as many on order
/// (Spark's `maxSizeInFlight` is 48 MiB). A single block may be larger.
const WINDOW_BYTES: u64 = 24 << 20;
/// The part of its share of memory that a task may order at a time, for each of its inputs.
const WINDOW_PART: u64 = 8;
/// Blocks that one task orders at a time, however small they are.
const WINDOW_BLOCKS: usize = 1024;

/// Knows where the nodes are, and reads their blocks.
pub(crate) struct Reader {
    courier: Arc<Courier>,
    session: u64,
    /// What is read where it lies, if it lies on this host.
    mapping: Option<Mapping>,
    places: Mutex<BTreeMap<NodeId, Place>>,
}

impl Reader {
    /// A reader of a session's blocks; it knows no node yet. Blocks of this host that `mapped` names are not sent.
    pub(crate) fn new(courier: Arc<Courier>, session: u64, mapped: Option<Mapped>) -> Self {
        Self { courier, session, mapping: mapped.and_then(Mapping::of), places: Mutex::default() }
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

    /// Orders blocks of one node in one call. With `mapping`, an answer may be where a block's bytes are on
    /// this host.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if the node is gone.
    pub(crate) fn order(
        &self,
        node: NodeId,
        blocks: Vec<BlockRef>,
        mapping: Option<Mapping>,
    ) -> Result<Arc<Mutex<Shared>>, TaskFailure> {
        let first = blocks.first().map(|b| b.id);
        match (self.places().get(&node).cloned(), first) {
            (None, Some(block)) => Err(TaskFailure::MissingBlock(block)),
            (None, None) => Err(TaskFailure::Transient(format!("nothing was asked of {node}, which is gone"))),
            (Some(place), _) => {
                let delivery = self.courier.order(place, self.session, blocks, mapping);
                Ok(Arc::new(Mutex::new(Shared { delivery, begun: 0 })))
            }
        }
    }

    /// Reads blocks in this order: one item per block, whose rows arrive while they are read. The next blocks are
    /// ordered meanwhile, those of one node together, as many as `memory` has room for. Waiting ends when `stop` is raised.
    pub(crate) fn read(self: &Arc<Self>, blocks: Vec<BlockRef>, memory: Bytes, stop: &Arc<AtomicBool>) -> Ahead {
        let (reader, stop) = (Arc::clone(self), Arc::clone(stop));
        let window = match self.mapping.as_ref().map(|m| m.what) {
            // All of it is going to be here anyway, and every node can get its files ready at the same time.
            Some(Mapped::Answer) => u64::MAX,
            _ => WINDOW_BYTES.min(memory.get() / WINDOW_PART).max(1),
        };
        Ahead { reader, stop, window, later: blocks.into(), ordered: VecDeque::new(), bytes: 0 }
    }
}

/// A delivery that brings several blocks, to be read one after the other.
pub(crate) struct Shared {
    delivery: Delivery,
    /// Blocks whose first part has been taken.
    begun: usize,
}

impl Shared {
    /// The first part of block `number` of the delivery. What has not been read of earlier ones is passed over.
    fn begin(&mut self, number: usize, stop: &AtomicBool) -> Option<Result<Parcel, TaskFailure>> {
        while self.begun <= number {
            match self.delivery.next(stop)? {
                Ok(parcel) if parcel.is_first() => {
                    self.begun += 1;
                    if self.begun > number {
                        return Some(Ok(parcel));
                    }
                }
                Ok(_) => {}
                Err(failure) => return Some(Err(failure)),
            }
        }
        None
    }

    /// The next part of block `number`; none if a later one has been begun.
    fn next(&mut self, number: usize, stop: &AtomicBool) -> Option<Result<Parcel, TaskFailure>> {
        if self.begun == number + 1 { self.delivery.next(stop) } else { None }
    }
}

/// One block of a delivery.
pub(crate) struct Share {
    pub(crate) block: BlockRef,
    /// Which one of the delivery.
    pub(crate) number: usize,
    pub(crate) from: Arc<Mutex<Shared>>,
    /// Raised when it is not wanted any more.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Share {
    /// The first part: rows, or where they are. A call that ends too early has lost its process.
    ///
    /// # Errors
    /// The other node's, or [`TaskFailure::MissingBlock`].
    pub(crate) fn begin(&self) -> Result<Parcel, TaskFailure> {
        match self.lock().begin(self.number, &self.stop).unwrap_or(Err(TaskFailure::MissingBlock(self.block.id)))? {
            Parcel::Failed(failure) => Err(failure),
            first => Ok(first),
        }
    }

    fn next(&self) -> Result<Parcel, TaskFailure> {
        self.lock().next(self.number, &self.stop).unwrap_or(Err(TaskFailure::MissingBlock(self.block.id)))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks that are read one after the other.
pub(crate) struct Ahead {
    reader: Arc<Reader>,
    stop: Arc<AtomicBool>,
    /// Bytes that are ordered at a time.
    window: u64,
    later: VecDeque<BlockRef>,
    ordered: VecDeque<(u64, Result<Share, TaskFailure>)>,
    /// Of the ordered blocks together.
    bytes: u64,
}

impl Iterator for Ahead {
    type Item = Result<Batches, TaskFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes <= self.window && self.ordered.len() <= WINDOW_BLOCKS {
            self.order_window();
        }
        let (bytes, share) = self.ordered.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(share.map(|share| Box::new(Rows::new(share)) as Batches))
    }
}

impl Ahead {
    /// Orders the next blocks: one call for each node that holds some of them.
    fn order_window(&mut self) {
        let (mut bytes, mut window) = (0_u64, Vec::new());
        while bytes < self.window
            && window.len() < WINDOW_BLOCKS
            && let Some(block) = self.later.pop_front()
        {
            bytes = bytes.saturating_add(block.meta.bytes.get());
            window.push(block);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let mut by_node = BTreeMap::<NodeId, Vec<BlockRef>>::new();
        window.iter().for_each(|block| by_node.entry(block.node).or_default().push(*block));
        let ordered = by_node
            .into_iter()
            .map(|(node, blocks)| (node, (self.reader.order(node, blocks, self.reader.mapping.clone()), 0)));
        let mut calls: BTreeMap<_, _> = ordered.collect();
        for block in window {
            let share = match calls.get_mut(&block.node) {
                Some((Ok(from), next)) => {
                    let number = *next;
                    *next += 1;
                    Ok(Share { block, number, from: Arc::clone(from), stop: Arc::clone(&self.stop) })
                }
                _ => Err(TaskFailure::MissingBlock(block.id)),
            };
            self.ordered.push_back((block.meta.bytes.get(), share));
        }
    }
}

/// The rows of one block while they arrive. Waiting for them blocks the calling thread.
pub(crate) struct Rows {
    share: Share,
    /// Once its first part has arrived.
    source: Option<Source>,
}

/// Where the rows of a block come from.
enum Source {
    /// Over the network: the decoder, and how many extents are still to come.
    Sent(Arriving, u32),
    /// A file of this host.
    Mapped(Box<BlockReader>),
}

impl Rows {
    /// The rows of a block.
    pub(crate) fn new(share: Share) -> Self {
        Self { share, source: None }
    }

    /// As [`Rows::new`], when the first part of the block has been taken already.
    ///
    /// # Errors
    /// [`TaskFailure::CorruptBlock`] if it is not the begin of a block.
    pub(crate) fn begun(share: Share, first: Parcel) -> Result<Self, TaskFailure> {
        let mut rows = Self::new(share);
        rows.accept(first)?;
        Ok(rows)
    }

    /// The columns, once they are known.
    pub(crate) fn schema(&self) -> Option<&arrow::datatypes::SchemaRef> {
        match self.source.as_ref()? {
            Source::Sent(decoder, _) => Some(decoder.schema()),
            Source::Mapped(reader) => reader.schema(),
        }
    }

    fn accept(&mut self, parcel: Parcel) -> Result<(), TaskFailure> {
        match (parcel, &mut self.source) {
            (Parcel::Schema(schema, extents), none @ None) => {
                *none = Some(Source::Sent(Arriving::new(self.share.block.id, &schema)?, extents));
                Ok(())
            }
            (Parcel::Located(located), none @ None) => {
                *none = Some(Source::Mapped(Box::new(located.open(self.share.block.id)?)));
                Ok(())
            }
            (Parcel::Extent(bytes), Some(Source::Sent(decoder, left))) if *left > 0 => {
                *left -= 1;
                decoder.feed(bytes);
                Ok(())
            }
            _ => Err(TaskFailure::CorruptBlock(self.share.block.id)),
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, TaskFailure> {
        loop {
            let parcel = match &mut self.source {
                Some(Source::Mapped(reader)) => return reader.next_batch(),
                Some(Source::Sent(decoder, left)) => {
                    if let Some(batch) = decoder.next_batch()? {
                        return Ok(Some(batch));
                    }
                    if *left == 0 {
                        return Ok(None);
                    }
                    self.share.next()?
                }
                None => self.share.begin()?,
            };
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
