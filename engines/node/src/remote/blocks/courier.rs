//! The fetching side: calls run on the I/O runtime, and what they bring is handed to the thread that waits for it.
//!
//! Invariants: a delivery is at most [`QUEUE`] portions ahead of its reader; every step of a call has a deadline; a call
//! ends when its delivery is dropped.

use super::service::MESSAGE_MAX;
use super::ticket::{ExtentHead, Head, Mapping, TOKEN, Ticket};
use super::waiting::wait;
use crate::remote::error::RemoteError;
use crate::remote::options::NodeOptions;
use crate::remote::token::ClusterToken;
use crate::remote::wire::decode;
use crate::store::Located;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightData, Ticket as FlightTicket};
use bench_model::{BlockId, BlockRef, TaskFailure};
use bytes::Bytes;
use futures::FutureExt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};
use twox_hash::XxHash3_64;

/// Portions that a delivery may be ahead of its reader.
const QUEUE: usize = 4;
/// Parts that have arrived together are handed over together, about this many bytes of them: waking a reader costs more
/// than a small block does. A single extent may be larger.
const PORTION_BYTES: usize = 1 << 20;
/// The same for parts without bytes to speak of.
const PORTION_PARCELS: usize = 256;
/// How often a call is tried before its block counts as missing.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// Flow control: what one call may have under way. All calls to one peer together are not held back, or calls that nobody
/// reads yet would use up what those that are read need.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// Longest HTTP/2 frame: each costs the sender a call to the system, and 16 KiB, the protocol's default, makes many.
const FRAME_MAX: u32 = 1 << 20;
/// What an extent's announced length may reserve before its bytes arrive.
const RESERVED_MAX: u64 = 64 << 20;
/// An extent beyond this is a lie: the store writes them a buffer at a time.
const EXTENT_MAX: u64 = 8 << 30;

/// Where a process serves blocks, and the token it does so by.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `host:port`.
    pub(crate) address: String,
    /// Its token.
    pub(crate) token: ClusterToken,
}

/// Fetches blocks from other processes.
pub(crate) struct Courier {
    runtime: Handle,
    tls: Option<ClientTlsConfig>,
    patience: Duration,
    stall: Duration,
    lines: Mutex<BTreeMap<String, Line>>,
}

/// A connection to a process, and whether it is still of use: dropping the sender ends every call over it.
struct Line {
    channel: Channel,
    in_use: watch::Sender<()>,
}

/// A part of a delivery, in order.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// First of a block: its schema, as an Arrow IPC message, and how many extents follow.
    Schema(Bytes, u32),
    /// Next rows, verified.
    Extent(Buffer),
    /// Instead of both: where the block's bytes are on this host.
    Located(Located),
    /// Instead of a block: why it is not to be had.
    Failed(TaskFailure),
    /// Instead of an extent: its bytes are not the ones that were written.
    Damaged,
}

impl Parcel {
    /// Whether a block begins with it.
    pub(crate) fn is_first(&self) -> bool {
        matches!(self, Self::Schema(..) | Self::Located(_) | Self::Failed(_))
    }
}

/// Parts that are handed over together.
type Portion = Vec<Result<Parcel, TaskFailure>>;

/// A call under way. Dropping it ends the call.
pub(crate) struct Delivery {
    portions: mpsc::Receiver<Portion>,
    portion: std::vec::IntoIter<Result<Parcel, TaskFailure>>,
    call: JoinHandle<()>,
}

impl Delivery {
    /// Waits for the next part, but no longer than until `stop` is raised, which is [`TaskFailure::Cancelled`]; none after
    /// the last, or if the call came to a sudden end. Not to be called on the I/O runtime.
    pub(crate) fn next(&mut self, stop: &AtomicBool) -> Option<Result<Parcel, TaskFailure>> {
        loop {
            if let Some(parcel) = self.portion.next() {
                return Some(parcel);
            }
            match wait(self.portions.recv(), stop) {
                Some(portion) => self.portion = portion?.into_iter(),
                None => return Some(Err(TaskFailure::Cancelled)),
            }
        }
    }
}

/// Where a call puts what arrives.
struct Counter {
    to: mpsc::Sender<Portion>,
    held: Portion,
    bytes: usize,
}

impl Counter {
    fn put(&mut self, parcel: Parcel) {
        self.bytes += match &parcel {
            Parcel::Extent(bytes) => bytes.len(),
            Parcel::Schema(bytes, _) => bytes.len(),
            Parcel::Located(_) | Parcel::Failed(_) | Parcel::Damaged => 0,
        };
        self.held.push(Ok(parcel));
    }

    fn is_full(&self) -> bool {
        self.bytes >= PORTION_BYTES || self.held.len() >= PORTION_PARCELS
    }

    /// Hands over what has been put.
    ///
    /// # Errors
    /// The reader has left.
    async fn hand_over(&mut self) -> Result<(), TaskFailure> {
        self.bytes = 0;
        if self.held.is_empty() {
            return Ok(());
        }
        self.to.send(std::mem::take(&mut self.held)).await.map_err(|_| TaskFailure::Cancelled)
    }

    /// Hands over what has been put, and why nothing more will come. A reader that has left does not care.
    async fn give_up(mut self, failure: TaskFailure) {
        self.held.push(Err(failure));
        let _ = self.hand_over().await;
    }
}

/// What a call is about, and how much of it has arrived.
struct Errand {
    place: Place,
    ticket: Ticket,
    /// Blocks that have arrived whole.
    arrived: AtomicUsize,
}

impl Errand {
    /// What it means for the block that is on its way.
    fn failure(&self, of: impl Fn(BlockId) -> TaskFailure) -> TaskFailure {
        let (blocks, at) = (&self.ticket.blocks, self.arrived.load(Ordering::Relaxed));
        let nothing = || TaskFailure::Transient("a call asked for no block".to_owned());
        blocks.get(at).or(blocks.last()).map_or_else(nothing, |b| of(b.id))
    }

    /// What it means that the other side does not answer.
    fn unavailable(&self, status: &Status) -> TaskFailure {
        let (address, reason) = (self.place.address.as_str(), status.message());
        tracing::warn!(address, code = ?status.code(), reason, "a node cannot be read from");
        self.failure(TaskFailure::MissingBlock)
    }

    /// What it means that the other side says something senseless.
    fn garbled(&self) -> TaskFailure {
        self.failure(TaskFailure::CorruptBlock)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.call.abort();
    }
}

impl Courier {
    /// A courier whose calls run on `runtime`.
    ///
    /// # Errors
    /// Certificates that cannot be used.
    pub(crate) fn new(runtime: Handle, options: &NodeOptions) -> Result<Self, RemoteError> {
        let tls = options.tls.as_ref().map(|files| files.client()).transpose()?;
        let (patience, stall) = (options.patience, options.stall);
        Ok(Self { runtime, tls, patience, stall, lines: Mutex::default() })
    }

    /// Begins to fetch blocks of one process. With `mapping`, an answer may be where a block's bytes are on this host.
    pub(crate) fn order(
        self: &Arc<Self>,
        place: Place,
        session: u64,
        blocks: Vec<BlockRef>,
        mapping: Option<Mapping>,
    ) -> Delivery {
        let (to, portions) = mpsc::channel(QUEUE);
        let courier = Arc::clone(self);
        let call = self.runtime.spawn(async move {
            let ticket = Ticket { session, blocks, mapping };
            let errand = Errand { place, ticket, arrived: AtomicUsize::new(0) };
            let mut counter = Counter { to, held: Vec::new(), bytes: 0 };
            if let Err(failure) = courier.deliver(&errand, &mut counter).await {
                counter.give_up(failure).await;
            }
        });
        Delivery { portions, portion: Vec::new().into_iter(), call }
    }

    /// The process at this address is gone: whoever waits for it is told at once.
    pub(crate) fn forget(&self, address: &str) {
        drop(self.lines().remove(address));
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches until the end, or until the process counts as gone.
    async fn deliver(&self, errand: &Errand, to: &mut Counter) -> Result<(), TaskFailure> {
        let gone = |reason: &str| errand.unavailable(&Status::unavailable(reason));
        let (channel, mut in_use) = self.line(&errand.place.address).map_err(|e| gone(&e.to_string()))?;
        tokio::select! {
            // The channel never carries a value: a change is its end.
            _ = in_use.changed() => Err(gone("it went down")),
            result = self.fetch(channel, errand, to) => result,
        }
    }

    async fn fetch(&self, channel: Channel, errand: &Errand, to: &mut Counter) -> Result<(), TaskFailure> {
        let mut tries = 1;
        let mut answer = loop {
            match self.call(channel.clone(), &errand.place, &errand.ticket).await {
                Ok(answer) => break answer,
                Err(_) if tries < TRIES => {
                    tokio::time::sleep(PAUSE * (1 << tries)).await;
                    tries += 1;
                }
                Err(status) => return Err(errand.unavailable(&status)),
            }
        };
        for _ in &errand.ticket.blocks {
            self.block(&mut answer, errand, to).await?;
            errand.arrived.fetch_add(1, Ordering::Relaxed);
        }
        to.hand_over().await
    }

    /// One block.
    async fn block(
        &self,
        answer: &mut Streaming<FlightData>,
        errand: &Errand,
        to: &mut Counter,
    ) -> Result<(), TaskFailure> {
        let first = self.message(answer, to).await.map_err(|s| errand.unavailable(&s))?;
        let first = first.ok_or_else(|| errand.garbled())?;
        match decode(&first.app_metadata).map_err(|_| errand.garbled())? {
            Head::Located(located) => to.put(Parcel::Located(located)),
            Head::Failed(failure) => to.put(Parcel::Failed(failure)),
            Head::Extents { schema, .. } if XxHash3_64::oneshot(&first.data_header) != schema => {
                return Err(errand.garbled());
            }
            Head::Extents { count, .. } => {
                to.put(Parcel::Schema(first.data_header, count));
                for _ in 0..count {
                    let extent = self.extent(answer, to).await.map_err(|s| errand.unavailable(&s))?;
                    to.put(extent.ok_or_else(|| errand.garbled())?);
                }
            }
        }
        Ok(())
    }

    async fn call(&self, channel: Channel, place: &Place, ticket: &Ticket) -> Result<Streaming<FlightData>, Status> {
        let token = place.token.reveal().parse();
        let mut token: MetadataValue<Ascii> = token.map_err(|_| Status::internal("a token is no metadata"))?;
        token.set_sensitive(true);
        let ticket = postcard::to_stdvec(ticket).map_err(|e| Status::internal(e.to_string()))?;
        let mut client = FlightServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        let mut request = Request::new(FlightTicket { ticket: ticket.into() });
        request.metadata_mut().insert(TOKEN, token);
        // The other side may have to encode the block first.
        let answer = tokio::time::timeout(self.stall, client.do_get(request)).await;
        Ok(answer.map_err(|_| Status::deadline_exceeded("no answer in time"))??.into_inner())
    }

    /// The next message. What has arrived before is handed over as soon as it is worth it, or the next one is not there.
    async fn message(
        &self,
        answer: &mut Streaming<FlightData>,
        to: &mut Counter,
    ) -> Result<Option<FlightData>, Status> {
        let left = |_| Status::cancelled("nobody waits for it any more");
        if to.is_full() {
            to.hand_over().await.map_err(left)?;
        }
        if let Some(there) = answer.message().now_or_never() {
            return there;
        }
        to.hand_over().await.map_err(left)?;
        let message = tokio::time::timeout(self.stall, answer.message()).await;
        message.map_err(|_| Status::deadline_exceeded("a block stalled on its way"))?
    }

    /// The next extent; none if what arrives is not what was sent. Memory grows with what arrives.
    async fn extent(&self, answer: &mut Streaming<FlightData>, to: &mut Counter) -> Result<Option<Parcel>, Status> {
        let Some(mut message) = self.message(answer, to).await? else { return Ok(None) };
        let Ok(head) = decode::<ExtentHead>(&message.app_metadata) else { return Ok(None) };
        if head.len > EXTENT_MAX {
            return Ok(None);
        }
        // Nearly every extent fits its first reservation; a longer one grows with what arrives.
        let mut bytes = MutableBuffer::with_capacity(head.len.min(RESERVED_MAX) as usize);
        loop {
            bytes.extend_from_slice(&message.data_body);
            if bytes.len() as u64 >= head.len {
                break;
            }
            match self.message(answer, to).await? {
                Some(next) if next.app_metadata.is_empty() => message = next,
                _ => return Ok(None),
            }
        }
        if bytes.len() as u64 != head.len {
            return Ok(None);
        }
        let whole = XxHash3_64::oneshot(bytes.as_slice()) == head.hash;
        Ok(Some(if whole { Parcel::Extent(bytes.into()) } else { Parcel::Damaged }))
    }

    /// A connection to `address`, made when it is first used.
    fn line(&self, address: &str) -> Result<(Channel, watch::Receiver<()>), tonic::transport::Error> {
        let mut lines = self.lines();
        if let Some(line) = lines.get(address) {
            return Ok((line.channel.clone(), line.in_use.subscribe()));
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
            .connect_timeout(self.patience)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME_MAX);
        if let Some(tls) = &self.tls {
            endpoint = endpoint.tls_config(tls.clone())?;
        }
        // Lazy channels spawn onto the runtime of whoever makes them.
        let _runtime = self.runtime.enter();
        let channel = endpoint.connect_lazy();
        let (in_use, watched) = watch::channel(());
        lines.insert(address.to_owned(), Line { channel: channel.clone(), in_use });
        Ok((channel, watched))
    }
}
