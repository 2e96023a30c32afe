//! The carrier that was not chosen: messages in the metadata of an Arrow Flight `DoExchange` stream.

use crate::{OtherSide, PingPong};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

const TRIPS: u32 = 5_000;

pub(crate) struct Exchange {
    runtime: Runtime,
    outgoing: mpsc::Sender<FlightData>,
    incoming: Streaming<FlightData>,
    _other: OtherSide,
}

impl Exchange {
    pub(crate) fn start() -> Self {
        let other = OtherSide::start("serve-exchange");
        let runtime = runtime();
        let (outgoing, messages) = mpsc::channel(16);
        let incoming = runtime.block_on(async {
            let endpoint = Channel::from_shared(format!("http://{}", other.address)).unwrap().tcp_nodelay(true);
            let mut client = FlightServiceClient::new(endpoint.connect().await.unwrap());
            client.do_exchange(ReceiverStream::new(messages)).await.unwrap().into_inner()
        });
        Self { runtime, outgoing, incoming, _other: other }
    }
}

impl PingPong for Exchange {
    fn measure(&mut self) -> Duration {
        let begin = Instant::now();
        self.runtime.block_on(async {
            for _ in 0..TRIPS {
                self.outgoing.send(FlightData::new().with_app_metadata(vec![7])).await.unwrap();
                self.incoming.message().await.unwrap().unwrap();
            }
        });
        begin.elapsed() / TRIPS
    }
}

fn runtime() -> Runtime {
    // One thread: the fewest hops a runtime can have.
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn serve() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let server = Server::builder().tcp_nodelay(true).add_service(FlightServiceServer::new(Echo));
        server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
    });
}

struct Echo;

type Answers<T> = BoxStream<'static, Result<T, Status>>;

fn unused<T>() -> Result<T, Status> {
    Err(Status::unimplemented("this server only echoes"))
}

#[tonic::async_trait]
impl FlightService for Echo {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Ok(Response::new(request.into_inner().into_stream().boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        unused()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        unused()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        unused()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        unused()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        unused()
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        unused()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        unused()
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        unused()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        unused()
    }
}
