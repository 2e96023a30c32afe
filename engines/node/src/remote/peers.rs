//! The other nodes as a node sees them: blocks are read through, or copied here; plans come from the driver.

use crate::host::Host;
use crate::peers::{Peers, Remote};
use crate::remote::blocks::{Mapped, Mapping, Parcel, Place};
use crate::remote::error::RemoteError;
use crate::remote::network::Network;
use crate::remote::plans::Plans;
use crate::remote::reader::{Reader, Rows, Share};
use crate::remote::wire::Frame;
use crate::task::panic_message;
use bench_model::{Addr, Attempt, BlockId, BlockRef, Bytes, NodeId, Storage, Style, TaskFailure};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::time::Duration;

/// Copies that are made at a time.
const COPIERS: usize = 4;
/// Copies that are ordered together: small blocks of one node travel in one call, large ones are copied side by side.
const GROUP_BYTES: u64 = 1 << 20;
/// The same for blocks without bytes to speak of.
const GROUP_BLOCKS: usize = 256;

/// A block to be copied here.
struct Order {
    block: BlockRef,
    storage: Storage,
}

/// Who waits for a block that is on its way: each call as it was made.
type Waiting = BTreeMap<(BlockId, Attempt), Vec<BlockRef>>;

/// What a node knows of the others.
pub(crate) struct RemotePeers<S: Style> {
    reader: Arc<Reader>,
    network: Arc<Network<S::Msg>>,
    plans: Plans,
    /// For objects in shared memory.
    mapping: Option<Mapping>,
    host: OnceLock<Weak<Host<S>>>,
    orders: mpsc::Sender<Order>,
    waiting: Mutex<Waiting>,
}

impl<S: Style> RemotePeers<S> {
    /// Peers whose blocks `reader` reads, none of them known yet. The driver is asked for plans over `network`, and has
    /// `stall` to answer.
    ///
    /// # Errors
    /// No thread to be had.
    pub(crate) fn start(
        reader: Reader,
        network: Arc<Network<S::Msg>>,
        stall: Duration,
    ) -> Result<Arc<Self>, RemoteError> {
        let (orders, queue) = mpsc::channel();
        let peers = Arc::new(Self {
            reader: Arc::new(reader),
            network,
            plans: Plans::new(stall),
            mapping: Mapping::of(Mapped::Sealed),
            host: OnceLock::new(),
            orders,
            waiting: Mutex::default(),
        });
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..COPIERS {
            let (peers, queue) = (Arc::downgrade(&peers), Arc::clone(&queue));
            let copier = std::thread::Builder::new().name("bench-copy".to_owned());
            copier.spawn(move || copy_all(&peers, &queue)).map_err(RemoteError::Resources)?;
        }
        Ok(peers)
    }

    /// The host whose machine is told of copies.
    pub(crate) fn serve(&self, host: &Arc<Host<S>>) {
        // It is told once, by whoever makes both.
        let _ = self.host.set(Arc::downgrade(host));
    }

    /// These are the nodes from now on.
    pub(crate) fn know(&self, nodes: BTreeMap<NodeId, Place>) {
        self.reader.know(nodes);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies blocks of one node. The machine is told when all of them are here.
    fn copy(&self, host: &Host<S>, node: NodeId, storage: Storage, blocks: Vec<BlockRef>) {
        // Only what is meant to be shared is mapped: other copies are made as between hosts.
        let mapping = self.mapping.clone().filter(|_| storage == Storage::Shared && host.zero_copy);
        let stop = Arc::<AtomicBool>::default();
        let (mut from, mut first) = (self.reader.order(node, blocks.clone(), mapping.clone()), 0);
        let (mut fetched, mut failures) = (Vec::with_capacity(blocks.len()), Vec::new());
        for (number, &block) in blocks.iter().enumerate() {
            let share = from.as_ref().map(Arc::clone);
            let share = share.map(|from| Share { block, number: number - first, from, stop: Arc::clone(&stop) });
            let share = share.map_err(|_| TaskFailure::MissingBlock(block.id));
            let result = share.and_then(|share| bring(host, share, storage));
            if matches!(result, Err(TaskFailure::CorruptBlock(_))) {
                // Nothing after a garbled message is understood: the rest, which may be sound, is asked for anew.
                first = number + 1;
                let rest: Vec<BlockRef> = blocks.iter().skip(first).copied().collect();
                if !rest.is_empty() {
                    from = self.reader.order(node, rest, mapping.clone());
                }
            }
            failures.extend(result.as_ref().err().cloned());
            let waiting = self.waiting().remove(&(block.id, block.attempt)).unwrap_or_default();
            fetched.extend(waiting.into_iter().map(|block| (block, result.clone())));
        }
        host.command(|control, now| {
            failures.iter().for_each(|failure| control.saw(Some(failure)));
            fetched.into_iter().for_each(|(block, result)| control.fetched(now, block, result));
        });
    }

    /// What the driver has sent of the present job's plans.
    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }
}

impl<S: Style> Peers for RemotePeers<S> {
    fn fetch(&self, block: &BlockRef, storage: Storage) -> Option<Result<(), TaskFailure>> {
        let mut waiting = self.waiting();
        let calls = waiting.entry((block.id, block.attempt)).or_default();
        calls.push(*block);
        if calls.len() == 1 && self.orders.send(Order { block: *block, storage }).is_err() {
            waiting.remove(&(block.id, block.attempt));
            return Some(Err(TaskFailure::MissingBlock(block.id)));
        }
        None
    }

    fn read(&self, blocks: Vec<BlockRef>, memory: Bytes, stop: &Arc<AtomicBool>) -> Remote {
        Box::new(self.reader.read(blocks, memory, stop))
    }

    fn refuse(&self, key: &[u8]) {
        self.plans.refuse(key);
    }

    fn ship(&self, key: &[u8], stop: &AtomicBool) -> Result<bytes::Bytes, TaskFailure> {
        self.plans.get(key, stop, |key, again| {
            self.network.post_frame_to(Addr::Driver, Frame::NeedPlan { key, again });
            if let Some(host) = self.host.get().and_then(Weak::upgrade) {
                host.wake(0);
            }
        })
    }
}

/// Brings one block here: maps it or copies it. Decoding panics on some damaged bytes.
fn bring<S: Style>(host: &Host<S>, share: Share, storage: Storage) -> Result<(), TaskFailure> {
    let block = share.block;
    let brought = catch_unwind(AssertUnwindSafe(|| bring_in(host, share, storage)));
    brought.unwrap_or_else(|panic| {
        tracing::warn!(%block.id, reason = panic_message(&*panic), "a block that arrived cannot be decoded");
        Err(TaskFailure::CorruptBlock(block.id))
    })
}

fn bring_in<S: Style>(host: &Host<S>, share: Share, storage: Storage) -> Result<(), TaskFailure> {
    let block = share.block;
    match share.begin()? {
        Parcel::Located(located) => host.store.adopt(&block, located),
        first => {
            let rows = Rows::begun(share, first)?;
            let schema = rows.schema().cloned().ok_or(TaskFailure::MissingBlock(block.id))?;
            host.store.keep_copy(&block, storage, &schema, rows)
        }
    }
}

/// The loop of a copying thread. It ends with the peers.
fn copy_all<S: Style>(peers: &Weak<RemotePeers<S>>, queue: &Mutex<mpsc::Receiver<Order>>) {
    loop {
        let orders = next_orders(&queue.lock().unwrap_or_else(PoisonError::into_inner));
        let (false, Some(peers)) = (orders.is_empty(), peers.upgrade()) else { return };
        let Some(host) = peers.host.get().and_then(Weak::upgrade) else { return };
        let mut groups = BTreeMap::<(NodeId, bool), (Storage, Vec<BlockRef>)>::new();
        for Order { block, storage } in orders {
            let group = groups.entry((block.node, storage == Storage::Shared)).or_insert((storage, Vec::new()));
            group.1.push(block);
        }
        groups.into_iter().for_each(|((node, _), (storage, blocks))| peers.copy(&host, node, storage, blocks));
    }
}

/// Waits for an order and takes along what waits behind it, as long as that is small; nothing if there will be none.
fn next_orders(queue: &mpsc::Receiver<Order>) -> Vec<Order> {
    let mut orders: Vec<Order> = queue.recv().into_iter().collect();
    let mut bytes = orders.first().map_or(0, |o| o.block.meta.bytes.get());
    while bytes < GROUP_BYTES
        && orders.len() < GROUP_BLOCKS
        && !orders.is_empty()
        && let Ok(order) = queue.try_recv()
    {
        bytes += order.block.meta.bytes.get();
        orders.push(order);
    }
    orders
}
