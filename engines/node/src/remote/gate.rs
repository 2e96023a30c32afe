//! The one port of a process: control streams and Arrow Flight arrive at the same address.
//!
//! The first byte tells them apart: a control stream begins with [`MAGIC`](crate::remote::handshake::MAGIC), anything
//! else is left to gRPC. Blocks are served on the I/O runtime; a control stream leaves it at once and is handed over as
//! a connection that blocks. Where TLS is asked for, both speak it: a control stream says in clear that it is one, and
//! nothing else.

use crate::remote::blocks::{FlightService, Shelf};
use crate::remote::error::RemoteError;
use crate::remote::handshake::MAGIC;
use crate::remote::options::NodeOptions;
use crate::remote::token::ClusterToken;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

/// Threads of the I/O runtime. Kernels never run there.
const IO_THREADS: usize = 1;
/// Threads that may read and encode blocks for others at a time.
const SERVING_MAX: usize = 16;
/// Callers that may introduce themselves at a time.
const CALLERS_MAX: usize = 64;
/// Of these, on control streams: fewer than there are threads, so that callers that say nothing never keep blocks from
/// being served.
const INTRODUCTIONS_MAX: usize = SERVING_MAX / 2;
/// Calls that one connection may have under way.
const CALLS_MAX: u32 = 256;

/// The I/O runtime of a process. Dropping it ends all calls without waiting for them.
pub(crate) struct Io {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Io {
    /// Starts it.
    ///
    /// # Errors
    /// No thread to be had.
    pub(crate) fn start() -> Result<Self, RemoteError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(IO_THREADS)
            .max_blocking_threads(SERVING_MAX)
            .thread_name("bench-io")
            .enable_all()
            .build();
        let runtime = runtime.map_err(RemoteError::Resources)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where calls are spawned.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What becomes of a caller's connection: called on a thread that may block.
pub(crate) type Receive = Arc<dyn Fn(StdStream) + Send + Sync>;

/// Listens on `bind` and serves until the runtime ends. Returns the address that was bound.
///
/// # Errors
/// The port is taken, or certificates cannot be used.
pub(crate) fn open(
    runtime: &Handle,
    bind: &str,
    (shelf, receive): (Arc<dyn Shelf>, Receive),
    token: ClusterToken,
    options: &NodeOptions,
) -> Result<SocketAddr, RemoteError> {
    let failed = |source| RemoteError::Listen { address: bind.to_owned(), source };
    let listener = StdListener::bind(bind).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut server = Server::builder()
        .max_concurrent_streams(CALLS_MAX)
        .http2_keepalive_interval(Some(options.silence))
        .http2_keepalive_timeout(Some(options.stall));
    if let Some(files) = &options.tls {
        server = server.tls_config(files.server()?).map_err(|e| files.unusable(&e))?;
    }
    let router = server.add_service(FlightService::server(shelf, token));
    let (calls, incoming) = mpsc::channel::<std::io::Result<TcpStream>>(CALLERS_MAX);
    let door = Door {
        calls,
        receive,
        callers: Arc::new(Semaphore::new(CALLERS_MAX)),
        introductions: Arc::new(Semaphore::new(INTRODUCTIONS_MAX)),
        options: options.clone(),
    };
    let _runtime = runtime.enter();
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    runtime.spawn(async move {
        if let Err(error) = router.serve_with_incoming(ReceiverStream::new(incoming)).await {
            tracing::error!(%error, "blocks are not served any more");
        }
    });
    runtime.spawn(door.keep(listener));
    Ok(address)
}

/// Sorts callers.
#[derive(Clone)]
struct Door {
    calls: mpsc::Sender<std::io::Result<TcpStream>>,
    receive: Receive,
    callers: Arc<Semaphore>,
    introductions: Arc<Semaphore>,
    options: NodeOptions,
}

impl Door {
    async fn keep(self, listener: TcpListener) {
        loop {
            // Never more undecided callers than permitted: the rest waits in the listener's own queue.
            let Ok(permit) = Arc::clone(&self.callers).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Else each small answer waits for an acknowledgement that the other side delays by 40 ms.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a caller was gone before it was heard");
                        continue;
                    }
                    let door = self.clone();
                    tokio::spawn(async move {
                        door.sort(stream).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a caller could not be accepted");
                    tokio::time::sleep(self.options.heartbeat).await;
                }
            }
        }
    }

    async fn sort(self, stream: TcpStream) {
        let mut first = [0];
        let looked = tokio::time::timeout(self.options.patience, stream.peek(&mut first)).await;
        if !matches!(looked, Ok(Ok(1))) {
            return;
        }
        if Some(&first[0]) != MAGIC.first() {
            // The server is gone only when the process is about to be.
            let _ = self.calls.send(Ok(stream)).await;
            return;
        }
        let plain = stream.into_std().and_then(|s| s.set_nonblocking(false).map(|()| s));
        if let Ok(plain) = plain {
            let Ok(_turn) = self.introductions.acquire().await else { return };
            let receive = Arc::clone(&self.receive);
            // Its end is of no interest here; its panic was reported when it happened.
            let _ = tokio::task::spawn_blocking(move || receive(plain)).await;
        }
    }
}
