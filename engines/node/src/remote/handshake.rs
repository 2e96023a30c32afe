//! How two processes make sure of each other before they exchange a frame.
//!
//! The caller sends a magic line, then one frame with who it is, the cluster's token and its build. The other side
//! checks the token first (in constant time; a stranger learns nothing else), then the build, and says who it is or why
//! it refuses. Both sides give up after a few seconds, and neither reads more than a few kilobytes from a stranger.
//!
//! With certificates, another magic line announces TLS, and everything after it is encrypted; each side has seen the
//! other's certificate before a token is sent. Nothing is negotiated: a process with certificates neither calls nor
//! answers without TLS, so nobody in between can talk two of them out of it.

use crate::remote::error::RemoteError;
use crate::remote::stream::{Stream, left_until};
use crate::remote::tls::Keys;
use crate::remote::token::ClusterToken;
use crate::remote::wire::decode;
use bench_model::{Addr, Epoch};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// What a control stream begins with. Its first byte tells it from HTTP/2 and from TLS on the same port.
pub(crate) const MAGIC: &[u8; 8] = b"bench/1\n";
/// What an encrypted one begins with.
const SECURE_MAGIC: &[u8; 8] = b"bench/s\n";

/// The longest handshake frame.
const HELLO_MAX: usize = 4 << 10;

/// A process as it introduces itself.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// What all processes of the cluster know.
    pub(crate) token: ClusterToken,
    /// Which binary this is.
    pub(crate) build: String,
    /// Its certificate, where control streams are encrypted.
    pub(crate) keys: Option<Keys>,
}

/// The caller's first words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hello {
    token: String,
    build: String,
    caller: Caller,
}

/// Who calls, and whom it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// Who calls.
    pub(crate) from: Addr,
    /// The caller's incarnation, if it is a node.
    pub(crate) epoch: Epoch,
    /// The incarnation of the node that is called, if the caller knows one.
    pub(crate) to: Epoch,
    /// The driver's session.
    pub(crate) session: u64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Reply {
    Welcome,
    WrongToken,
    /// In clear, to a caller that does not encrypt.
    WantsTls,
    OtherBuild {
        build: String,
    },
    Refused {
        reason: String,
    },
}

/// Connects and introduces this process. The connection is handed back as it was: blocking, without deadlines.
///
/// # Errors
/// No connection, a refusal, or no answer in time.
pub(crate) fn call(
    address: &str,
    identity: &Identity,
    caller: Caller,
    deadline: Duration,
) -> Result<Stream, RemoteError> {
    let connect = |source| RemoteError::Connect { address: address.to_owned(), source };
    let socket = connect_to(address, deadline).map_err(connect)?;
    let hello = Hello { token: identity.token.reveal(), build: identity.build.clone(), caller };
    let by = Instant::now() + deadline;
    let said = announce(socket, identity, by).and_then(|stream| {
        hurry(&stream, by)?;
        write_small(&stream, &hello)?;
        let reply = read_small(&stream, by)?;
        relax(&stream).map(|()| (stream, reply))
    });
    let (stream, reply) = said.map_err(|e| broken(address, &e))?;
    let reason = match reply {
        Reply::Welcome => return Ok(stream),
        Reply::WantsTls => {
            let reason = "it speaks TLS only, and this process has no certificate".to_owned();
            return Err(RemoteError::Untrusted { address: address.to_owned(), reason });
        }
        Reply::WrongToken => return Err(RemoteError::Token { address: address.to_owned() }),
        Reply::OtherBuild { build } => {
            let address = address.to_owned();
            return Err(RemoteError::Build { address, theirs: build, ours: identity.build.clone() });
        }
        Reply::Refused { reason } => reason,
    };
    Err(RemoteError::Handshake { address: address.to_owned(), reason })
}

/// Says what kind of stream this will be, and makes it one.
fn announce(socket: TcpStream, identity: &Identity, by: Instant) -> io::Result<Stream> {
    let socket = Stream::Plain(socket);
    hurry(&socket, by)?;
    (&socket).write_all(if identity.keys.is_some() { SECURE_MAGIC } else { MAGIC })?;
    match (&identity.keys, socket) {
        (Some(keys), Stream::Plain(plain)) => Stream::call(plain, keys, by),
        (_, socket) => Ok(socket),
    }
}

/// Answers a caller. `admit` decides about callers of this cluster and build, or says why not. The connection is handed
/// back blocking, without deadlines, and encrypted if this process has a certificate.
///
/// # Errors
/// A stranger, another build, a caller that was not admitted, or silence.
pub(crate) fn answer(
    socket: TcpStream,
    identity: &Identity,
    deadline: Duration,
    admit: impl FnOnce(&Caller) -> Result<(), String>,
) -> Result<(Caller, Stream), RemoteError> {
    let address = socket.peer_addr().map_or_else(|_| "a caller".to_owned(), |a| a.to_string());
    let by = Instant::now() + deadline;
    let heard = listen(socket, identity, by).and_then(|stream| {
        hurry(&stream, by)?;
        read_small::<Hello>(&stream, by).map(|hello| (stream, hello))
    });
    let (stream, hello) = heard.map_err(|e| broken(&address, &e))?;
    let in_clear = matches!(stream, Stream::Plain(_));
    let reply = if in_clear && identity.keys.is_some() { Reply::WantsTls } else { judge(&hello, identity, admit) };
    write_small(&stream, &reply).and_then(|()| relax(&stream)).map_err(|e| broken(&address, &e))?;
    match reply {
        Reply::Welcome => Ok((hello.caller, stream)),
        Reply::WrongToken => Err(RemoteError::Token { address }),
        Reply::WantsTls => {
            let reason = "it called without TLS".to_owned();
            Err(RemoteError::Untrusted { address, reason })
        }
        Reply::OtherBuild { build } => Err(RemoteError::Build { address, theirs: hello.build, ours: build }),
        Reply::Refused { reason } => Err(RemoteError::Handshake { address, reason }),
    }
}

/// Hears what kind of stream a caller wants, and makes it one.
fn listen(socket: TcpStream, identity: &Identity, by: Instant) -> io::Result<Stream> {
    let socket = Stream::Plain(socket);
    hurry(&socket, by)?;
    let mut magic = [0; MAGIC.len()];
    socket.read_exact_by(&mut magic, by)?;
    let foreign = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    match (&magic, &identity.keys, socket) {
        // A caller in clear is told later that it is refused: an answer that overtakes its words could be lost.
        (MAGIC, _, socket) => Ok(socket),
        (SECURE_MAGIC, Some(keys), Stream::Plain(plain)) => Stream::answer(plain, keys, by),
        (SECURE_MAGIC, None, _) => foreign("it speaks TLS, and this process has no certificate"),
        _ => foreign("it speaks another protocol"),
    }
}

fn judge(hello: &Hello, identity: &Identity, admit: impl FnOnce(&Caller) -> Result<(), String>) -> Reply {
    if !identity.token.admits(&hello.token) {
        return Reply::WrongToken;
    }
    if hello.build != identity.build {
        return Reply::OtherBuild { build: identity.build.clone() };
    }
    match admit(&hello.caller) {
        Ok(()) => Reply::Welcome,
        Err(reason) => Reply::Refused { reason },
    }
}

fn connect_to(address: &str, deadline: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for resolved in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&resolved, deadline) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Lets each read and write wait until then and no longer.
fn hurry(stream: &Stream, by: Instant) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let left = left_until(by)?;
    stream.set_read_timeout(Some(left))?;
    stream.set_write_timeout(Some(left))
}

/// Takes it off again.
fn relax(stream: &Stream) -> io::Result<()> {
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)
}

fn write_small(mut stream: &Stream, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0, 0];
    bytes = postcard::to_extend(value, bytes).map_err(io::Error::other)?;
    let len = u16::try_from(bytes.len() - 2).map_err(io::Error::other)?;
    if let Some(prefix) = bytes.get_mut(..2) {
        prefix.copy_from_slice(&len.to_le_bytes());
    }
    stream.write_all(&bytes)
}

fn read_small<T: DeserializeOwned>(stream: &Stream, by: Instant) -> io::Result<T> {
    let mut len = [0; 2];
    stream.read_exact_by(&mut len, by)?;
    let len = usize::from(u16::from_le_bytes(len));
    if len > HELLO_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its introduction is too long"));
    }
    let mut bytes = vec![0; len];
    stream.read_exact_by(&mut bytes, by)?;
    decode(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))
}

fn broken(address: &str, error: &io::Error) -> RemoteError {
    if let Some(error) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        return RemoteError::Untrusted { address: address.to_owned(), reason: error.to_string() };
    }
    let reason = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it said nothing in time".to_owned(),
        io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
        _ => error.to_string(),
    };
    RemoteError::Handshake { address: address.to_owned(), reason }
}

#[cfg(test)]
mod tests;
