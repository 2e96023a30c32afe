//! The fetching side: calls run on the I/O runtime, and what they bring is handed to the thread that waits for it.
//!
//! Invariants: the runtime never waits for a reader longer than for its network, because a delivery is at most
//! [`QUEUE`] extents ahead; every step of a call has a deadline; a call ends when its delivery is dropped.

use super::service::MESSAGE_MAX;
use super::ticket::{ExtentHead, Head, TOKEN, Ticket, from_status};
use crate::remote::error::RemoteError;
use crate::remote::options::NodeOptions;
use crate::remote::token::ClusterToken;
use crate::remote::wire::decode;
use crate::store::Located;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightData, Ticket as FlightTicket};
use bench_model::{BlockId, TaskFailure};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};
use twox_hash::XxHash3_64;

/// Extents that a delivery may be ahead of its reader.
const QUEUE: usize = 4;
/// How often a call is tried before its block counts as missing.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// Flow control: what one call and what all calls to one peer may have under way.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
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

/// Fetches blocks and plans from other processes.
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
    /// A whole plan.
    Shipment(Bytes),
}

/// A call under way. Dropping it ends the call.
pub(crate) struct Delivery {
    parcels: mpsc::Receiver<Result<Parcel, TaskFailure>>,
    call: JoinHandle<()>,
}

impl Delivery {
    /// Waits for the next part; none after the last, or if the call came to a sudden end. Not to be called on the I/O
    /// runtime.
    pub(crate) fn next(&mut self) -> Option<Result<Parcel, TaskFailure>> {
        // The caller may be inside a kernel's own runtime, where tokio refuses to block and counts how often a task is
        // polled: this waits without either.
        futures::executor::block_on(tokio::task::unconstrained(self.parcels.recv()))
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

    /// Begins to fetch. `block` is what is missing if nobody answers.
    pub(crate) fn order(self: &Arc<Self>, place: Place, ticket: Ticket, block: Option<BlockId>) -> Delivery {
        let (sender, parcels) = mpsc::channel(QUEUE);
        let courier = Arc::clone(self);
        let call = self.runtime.spawn(async move {
            if let Err(failure) = courier.deliver(&place, &ticket, block, &sender).await {
                // A reader that has left does not care.
                let _ = sender.send(Err(failure)).await;
            }
        });
        Delivery { parcels, call }
    }

    /// The process at this address is gone: whoever waits for it is told at once.
    pub(crate) fn forget(&self, address: &str) {
        drop(self.lines().remove(address));
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches until the end, or until the process counts as gone.
    async fn deliver(
        &self,
        place: &Place,
        ticket: &Ticket,
        block: Option<BlockId>,
        to: &mpsc::Sender<Result<Parcel, TaskFailure>>,
    ) -> Result<(), TaskFailure> {
        let gone = |reason: &str| unavailable(&place.address, block, &Status::unavailable(reason));
        let (channel, mut in_use) = self.line(&place.address).map_err(|e| gone(&e.to_string()))?;
        tokio::select! {
            // The channel never carries a value: a change is its end.
            _ = in_use.changed() => Err(gone("it went down")),
            result = self.fetch(channel, place, ticket, block, to) => result,
        }
    }

    async fn fetch(
        &self,
        channel: Channel,
        place: &Place,
        ticket: &Ticket,
        block: Option<BlockId>,
        to: &mpsc::Sender<Result<Parcel, TaskFailure>>,
    ) -> Result<(), TaskFailure> {
        let address = place.address.as_str();
        let mut tries = 1;
        let mut answer = loop {
            match self.call(channel.clone(), place, ticket).await {
                Ok(answer) => break answer,
                Err(status) => match from_status(&status) {
                    Some(failure) => return Err(failure),
                    None if tries < TRIES => {
                        tokio::time::sleep(PAUSE * (1 << tries)).await;
                        tries += 1;
                    }
                    None => return Err(unavailable(address, block, &status)),
                },
            }
        };
        let unavailable = |status: Status| from_status(&status).unwrap_or_else(|| unavailable(address, block, &status));
        let garbled = || {
            block.map_or_else(|| TaskFailure::Transient("a plan arrived damaged".to_owned()), TaskFailure::CorruptBlock)
        };
        let Some(first) = self.message(&mut answer).await.map_err(unavailable)? else { return Err(garbled()) };
        match decode(&first.app_metadata).map_err(|_| garbled())? {
            Head::Located(located) => hand_over(to, Parcel::Located(located)).await,
            Head::Shipment(len) => {
                let mut plan = Vec::new();
                while let Some(message) = self.message(&mut answer).await.map_err(unavailable)? {
                    plan.extend_from_slice(&message.data_body);
                }
                if plan.len() as u64 != len {
                    return Err(garbled());
                }
                hand_over(to, Parcel::Shipment(plan.into())).await
            }
            Head::Extents(count) => {
                hand_over(to, Parcel::Schema(first.data_header, count)).await?;
                for _ in 0..count {
                    let extent = self.extent(&mut answer).await.map_err(unavailable)?.ok_or_else(garbled)?;
                    hand_over(to, Parcel::Extent(extent)).await?;
                }
                Ok(())
            }
        }
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

    async fn message(&self, answer: &mut Streaming<FlightData>) -> Result<Option<FlightData>, Status> {
        let message = tokio::time::timeout(self.stall, answer.message()).await;
        message.map_err(|_| Status::deadline_exceeded("a block stalled on its way"))?
    }

    /// The next extent; none if what arrives is not what was sent. Memory grows with what arrives.
    async fn extent(&self, answer: &mut Streaming<FlightData>) -> Result<Option<Buffer>, Status> {
        let Some(mut message) = self.message(answer).await? else { return Ok(None) };
        let Ok(head) = decode::<ExtentHead>(&message.app_metadata) else { return Ok(None) };
        if head.len > EXTENT_MAX {
            return Ok(None);
        }
        // Nearly every extent fits its first reservation; a longer one grows with what arrives.
        let mut bytes = MutableBuffer::with_capacity(head.len.min(u64::from(CONNECTION_WINDOW)) as usize);
        loop {
            bytes.extend_from_slice(&message.data_body);
            if bytes.len() as u64 >= head.len {
                break;
            }
            match self.message(answer).await? {
                Some(next) if next.app_metadata.is_empty() => message = next,
                _ => return Ok(None),
            }
        }
        let whole = bytes.len() as u64 == head.len && XxHash3_64::oneshot(bytes.as_slice()) == head.hash;
        Ok(whole.then(|| bytes.into()))
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
            .initial_connection_window_size(CONNECTION_WINDOW);
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

async fn hand_over(to: &mpsc::Sender<Result<Parcel, TaskFailure>>, parcel: Parcel) -> Result<(), TaskFailure> {
    to.send(Ok(parcel)).await.map_err(|_| TaskFailure::Cancelled)
}

fn unavailable(address: &str, block: Option<BlockId>, status: &Status) -> TaskFailure {
    tracing::warn!(address, ?block, code = ?status.code(), reason = status.message(), "a process cannot be read from");
    match block {
        Some(block) => TaskFailure::MissingBlock(block),
        None => TaskFailure::Transient(format!("cannot fetch a plan from {address}: {}", status.message())),
    }
}
