//! The other nodes as a node sees them: blocks are read through, or copied here; plans are fetched once.

use crate::host::Host;
use crate::peers::{Peers, Remote};
use crate::remote::blocks::{Courier, Parcel, Place, Ticket, boot_id};
use crate::remote::error::RemoteError;
use crate::remote::reader::{Reader, Rows};
use bench_model::{Attempt, BlockId, BlockRef, NodeId, Storage, Style, TaskFailure};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};

/// Copies that are made at a time.
const COPIERS: usize = 4;
/// Plans that are remembered. They are small and asked for by every task of a fragment.
const PLANS_MAX: usize = 256;

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
    courier: Arc<Courier>,
    driver: Place,
    boot: Option<String>,
    host: OnceLock<Weak<Host<S>>>,
    orders: mpsc::Sender<Order>,
    waiting: Mutex<Waiting>,
    plans: Mutex<BTreeMap<Vec<u8>, Bytes>>,
}

impl<S: Style> RemotePeers<S> {
    /// Peers of a session, none of them known yet. The driver hands out plans at `driver`.
    ///
    /// # Errors
    /// No thread to be had.
    pub(crate) fn start(courier: Arc<Courier>, session: u64, driver: Place) -> Result<Arc<Self>, RemoteError> {
        let (orders, queue) = mpsc::channel();
        let peers = Arc::new(Self {
            reader: Arc::new(Reader::new(Arc::clone(&courier), session)),
            courier,
            driver,
            boot: boot_id(),
            host: OnceLock::new(),
            orders,
            waiting: Mutex::default(),
            plans: Mutex::default(),
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

    fn copy(&self, host: &Host<S>, Order { block, storage }: Order) {
        let result = self.bring(host, &block, storage);
        let waiting = self.waiting().remove(&(block.id, block.attempt)).unwrap_or_default();
        host.command(|control, now| {
            for block in waiting {
                control.fetched(now, block, result.clone());
            }
        });
    }

    fn bring(&self, host: &Host<S>, block: &BlockRef, storage: Storage) -> Result<(), TaskFailure> {
        let missing = || TaskFailure::MissingBlock(block.id);
        // Only what is meant to be shared is mapped: the other styles' nodes read each other's blocks as hosts do.
        let boot = self.boot.clone().filter(|_| storage == Storage::Shared);
        let mut delivery = self.reader.order(block, boot)?;
        match delivery.next().unwrap_or_else(|| Err(missing()))? {
            Parcel::Located(located) => host.store.adopt(block, located),
            first => {
                let rows = Rows::begun(*block, delivery, first)?;
                let schema = rows.schema().cloned().ok_or_else(missing)?;
                host.store.keep_copy(block, storage, &schema, rows)
            }
        }
    }

    fn plans(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Bytes>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn read(&self, blocks: Vec<BlockRef>) -> Remote {
        Box::new(self.reader.read(blocks))
    }

    fn ship(&self, key: &[u8]) -> Result<Bytes, TaskFailure> {
        if let Some(plan) = self.plans().get(key) {
            return Ok(plan.clone());
        }
        let ticket = Ticket::Shipment { key: Bytes::copy_from_slice(key) };
        let mut delivery = self.courier.order(self.driver.clone(), ticket, None);
        match delivery.next() {
            Some(Ok(Parcel::Shipment(plan))) => {
                let mut plans = self.plans();
                if plans.len() >= PLANS_MAX {
                    plans.clear();
                }
                plans.insert(key.to_vec(), plan.clone());
                Ok(plan)
            }
            Some(Err(failure)) => Err(failure),
            _ => Err(TaskFailure::Transient("a plan did not arrive; the driver may be gone".to_owned())),
        }
    }
}

/// The loop of a copying thread. It ends with the peers.
fn copy_all<S: Style>(peers: &Weak<RemotePeers<S>>, queue: &Mutex<mpsc::Receiver<Order>>) {
    loop {
        let order = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let (Ok(order), Some(peers)) = (order, peers.upgrade()) else { return };
        let Some(host) = peers.host.get().and_then(Weak::upgrade) else { return };
        peers.copy(&host, order);
    }
}
