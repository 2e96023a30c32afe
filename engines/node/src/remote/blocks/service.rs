//! The serving side: Arrow Flight's `DoGet`, for callers that know the token.

use super::ticket::{ExtentHead, Head, Mapped, TOKEN, Ticket};
use crate::remote::token::ClusterToken;
use crate::remote::wire::decode;
use crate::store::Located;
use arrow::buffer::Buffer;
use arrow_flight::flight_service_server::{FlightService as Service, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket as FlightTicket,
};
use bench_model::{BlockRef, TaskFailure};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::VecDeque;
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};
use twox_hash::XxHash3_64;

/// Bytes of a block in one message: large enough to be cheap, small enough to flow.
const PIECE: usize = 1 << 20;
/// What is packed where it is asked for, see [`Packing::is_small`].
const SMALL_BYTES: u64 = 64 << 10;
const SMALL_BLOCKS: usize = 16;
/// The longest gRPC message that is sent or received: a piece and its heads.
pub(super) const MESSAGE_MAX: usize = 4 << 20;

/// A block as it travels.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// Its schema, as an Arrow IPC message.
    pub(crate) schema: Vec<u8>,
    /// Its bytes, in the order in which they are decoded.
    pub(crate) extents: Vec<Extent>,
}

/// A run of encoded rows.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    /// Arrow IPC messages.
    pub(crate) bytes: Buffer,
    /// The checksum taken when they were written.
    pub(crate) hash: u64,
}

/// What a process has to give.
pub(crate) trait Shelf: Send + Sync + 'static {
    /// Where a block's file is, for a caller on this host; none if it is to be sent. May take time: it is called where
    /// blocking is allowed.
    fn locate(&self, session: u64, block: &BlockRef, mapped: Mapped) -> Option<Located>;
    /// A block's bytes. May take time: it is called where blocking is allowed.
    ///
    /// # Errors
    /// [`TaskFailure::MissingBlock`] if it is not here.
    fn take(&self, session: u64, block: &BlockRef) -> Result<Encoded, TaskFailure>;
}

/// The service over a shelf.
pub(crate) struct FlightService {
    shelf: Arc<dyn Shelf>,
    token: ClusterToken,
    boot: Option<String>,
}

impl FlightService {
    /// The service as tonic wants it.
    pub(crate) fn server(shelf: Arc<dyn Shelf>, token: ClusterToken) -> FlightServiceServer<Self> {
        let service = Self { shelf, token, boot: super::boot_id() };
        FlightServiceServer::new(service).max_decoding_message_size(MESSAGE_MAX).max_encoding_message_size(MESSAGE_MAX)
    }

    fn authorize<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let given = request.metadata().get(TOKEN).and_then(|t| t.to_str().ok()).unwrap_or_default();
        if self.token.admits(given) {
            Ok(())
        } else {
            Err(Status::unauthenticated("the cluster token is missing or wrong"))
        }
    }
}

type Answer = BoxStream<'static, Result<FlightData, Status>>;

#[tonic::async_trait]
impl Service for FlightService {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = Answer;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = Answer;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn do_get(&self, request: Request<FlightTicket>) -> Result<Response<Answer>, Status> {
        self.authorize(&request)?;
        let ticket = decode(&request.get_ref().ticket).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let Ticket { session, blocks, mapping } = ticket;
        let mapped = mapping.filter(|m| Some(&m.boot) == self.boot.as_ref()).map(|m| m.what);
        let shelf = Arc::clone(&self.shelf);
        Ok(Response::new(blocks_of(Packing { shelf, session, mapped, blocks: blocks.into() })))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(absent("Handshake"))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(absent("ListFlights"))
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        Err(absent("GetFlightInfo"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(absent("PollFlightInfo"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(absent("GetSchema"))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(absent("DoPut"))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(absent("DoExchange"))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(absent("DoAction"))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(absent("ListActions"))
    }
}

/// Nodes only give blocks away: what they keep, they fetch themselves.
fn absent(call: &str) -> Status {
    Status::unimplemented(format!("{call} is not offered here; blocks are read by DoGet"))
}

/// Blocks that are sent one after the other.
struct Packing {
    shelf: Arc<dyn Shelf>,
    session: u64,
    /// What the caller maps, if it is on this host.
    mapped: Option<Mapped>,
    blocks: VecDeque<BlockRef>,
}

impl Packing {
    /// Everything that is sent for the next blocks, about [`PIECE`] bytes of them, and at least one.
    fn pack(&mut self) -> Vec<FlightData> {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while bytes < PIECE
            && let Some(block) = self.blocks.pop_front()
        {
            let packed = self.pack_one(&block);
            // A block that is mapped counts as well: writing its file may have taken as long as encoding it.
            bytes = bytes.saturating_add(usize::try_from(block.meta.bytes.get()).unwrap_or(usize::MAX));
            messages.extend(packed);
        }
        messages
    }

    /// Whether what is left takes less time to pack than a thread takes to wake up.
    fn is_small(&self) -> bool {
        self.blocks.len() <= SMALL_BLOCKS && self.blocks.iter().map(|b| b.meta.bytes.get()).sum::<u64>() <= SMALL_BYTES
    }

    /// Pieces refer to the block's bytes: nothing is copied here.
    fn pack_one(&self, block: &BlockRef) -> Vec<FlightData> {
        if let Some(located) = self.mapped.and_then(|mapped| self.shelf.locate(self.session, block, mapped)) {
            return vec![head(&Head::Located(located), Bytes::new())];
        }
        match self.shelf.take(self.session, block) {
            Ok(encoded) => messages_of(encoded),
            Err(failure) => vec![head(&Head::Failed(failure), Bytes::new())],
        }
    }
}

/// Blocks as they are asked for: the next ones are read and encoded when those before have been sent.
fn blocks_of(packing: Packing) -> Answer {
    let portions = stream::unfold(packing, |mut packing| async {
        if packing.blocks.is_empty() {
            return None;
        }
        if packing.is_small() {
            let messages = packing.pack();
            return Some((stream::iter(messages.into_iter().map(Ok)), packing));
        }
        // Encoding and reading may take long; the I/O runtime has other calls to serve.
        let packed = tokio::task::spawn_blocking(move || (packing.pack(), packing)).await;
        // A packer that panicked was reported when it happened; the call ends early, which is a missing block.
        let (messages, packing) = packed.ok()?;
        Some((stream::iter(messages.into_iter().map(Ok)), packing))
    });
    portions.flatten().boxed()
}

fn messages_of(encoded: Encoded) -> Vec<FlightData> {
    let count = u32::try_from(encoded.extents.len()).unwrap_or(u32::MAX);
    let schema = XxHash3_64::oneshot(&encoded.schema);
    let mut messages = vec![head(&Head::Extents { count, schema }, encoded.schema.into())];
    for Extent { bytes, hash } in encoded.extents {
        let extent = ExtentHead { len: bytes.len() as u64, hash };
        let first = messages.len();
        messages.extend(pieces(&Bytes::from_owner(Held(bytes))));
        match messages.get_mut(first) {
            Some(piece) => piece.app_metadata = metadata(&extent),
            None => messages.push(FlightData::new().with_app_metadata(metadata(&extent))),
        }
    }
    messages
}

/// A block's bytes, held until they are sent.
struct Held(Buffer);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

fn head(head: &Head, schema: Bytes) -> FlightData {
    FlightData::new().with_data_header(schema).with_app_metadata(metadata(head))
}

fn metadata(value: &impl serde::Serialize) -> Bytes {
    // Heads are plain data: encoding them cannot fail.
    postcard::to_stdvec(value).unwrap_or_default().into()
}

fn pieces(bytes: &Bytes) -> impl Iterator<Item = FlightData> {
    (0..bytes.len()).step_by(PIECE).map(|from| {
        let to = bytes.len().min(from + PIECE);
        FlightData::new().with_data_body(bytes.slice(from..to))
    })
}
