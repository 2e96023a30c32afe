//! How two processes make sure of each other before they exchange a frame.
//!
//! The caller sends a magic line, then one frame with who it is, the cluster's token and its build. The other side
//! checks the token first (in constant time; a stranger learns nothing else), then the build, and says who it is or why
//! it refuses. Both sides give up after a few seconds, and neither reads more than a few kilobytes from a stranger.

use crate::remote::error::RemoteError;
use crate::remote::token::ClusterToken;
use crate::remote::wire::decode;
use bench_model::{Addr, Epoch};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// What a control stream begins with. Its first byte tells it from HTTP/2 and from TLS on the same port.
pub(crate) const MAGIC: &[u8; 8] = b"bench/1\n";

/// The longest handshake frame.
const HELLO_MAX: usize = 4 << 10;

/// A process as it introduces itself.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// What all processes of the cluster know.
    pub(crate) token: ClusterToken,
    /// Which binary this is.
    pub(crate) build: String,
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
    OtherBuild { build: String },
    Refused { reason: String },
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
) -> Result<TcpStream, RemoteError> {
    let connect = |source| RemoteError::Connect { address: address.to_owned(), source };
    let stream = connect_to(address, deadline).map_err(connect)?;
    let hello = Hello { token: identity.token.reveal(), build: identity.build.clone(), caller };
    let reply = within(&stream, deadline, |mut stream| {
        stream.write_all(MAGIC)?;
        write_small(&mut stream, &hello)?;
        read_small(&mut stream)
    });
    let reason = match reply.map_err(|e| broken(address, &e))? {
        Reply::Welcome => return Ok(stream),
        Reply::WrongToken => return Err(RemoteError::Token { address: address.to_owned() }),
        Reply::OtherBuild { build } => {
            let address = address.to_owned();
            return Err(RemoteError::Build { address, theirs: build, ours: identity.build.clone() });
        }
        Reply::Refused { reason } => reason,
    };
    Err(RemoteError::Handshake { address: address.to_owned(), reason })
}

/// Answers a caller. `admit` decides about callers of this cluster and build, or says why not.
///
/// # Errors
/// A stranger, another build, a caller that was not admitted, or silence.
pub(crate) fn answer(
    stream: &TcpStream,
    identity: &Identity,
    deadline: Duration,
    admit: impl FnOnce(&Caller) -> Result<(), String>,
) -> Result<Caller, RemoteError> {
    let address = stream.peer_addr().map_or_else(|_| "a caller".to_owned(), |a| a.to_string());
    let hello: io::Result<Hello> = within(stream, deadline, |mut stream| {
        let mut magic = [0; MAGIC.len()];
        stream.read_exact(&mut magic)?;
        if &magic != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks another protocol"));
        }
        read_small(&mut stream)
    });
    let hello = hello.map_err(|e| broken(&address, &e))?;
    let reply = judge(&hello, identity, admit);
    within(stream, deadline, |mut stream| write_small(&mut stream, &reply)).map_err(|e| broken(&address, &e))?;
    match reply {
        Reply::Welcome => Ok(hello.caller),
        Reply::WrongToken => Err(RemoteError::Token { address }),
        Reply::OtherBuild { build } => Err(RemoteError::Build { address, theirs: hello.build, ours: build }),
        Reply::Refused { reason } => Err(RemoteError::Handshake { address, reason }),
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

/// Talks with a deadline for each read and write, and takes it off again.
fn within<T>(stream: &TcpStream, deadline: Duration, talk: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(deadline))?;
    stream.set_write_timeout(Some(deadline))?;
    let result = talk(stream)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(result)
}

fn write_small(stream: &mut &TcpStream, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0, 0];
    bytes = postcard::to_extend(value, bytes).map_err(io::Error::other)?;
    let len = u16::try_from(bytes.len() - 2).map_err(io::Error::other)?;
    if let Some(prefix) = bytes.get_mut(..2) {
        prefix.copy_from_slice(&len.to_le_bytes());
    }
    stream.write_all(&bytes)
}

fn read_small<T: DeserializeOwned>(stream: &mut &TcpStream) -> io::Result<T> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let len = usize::from(u16::from_le_bytes(len));
    if len > HELLO_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its introduction is too long"));
    }
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes)?;
    decode(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))
}

fn broken(address: &str, error: &io::Error) -> RemoteError {
    let reason = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it said nothing in time".to_owned(),
        io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
        _ => error.to_string(),
    };
    RemoteError::Handshake { address: address.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::NodeId;
    use std::net::TcpListener;

    const SOON: Duration = Duration::from_secs(5);

    fn identity(build: &str) -> Identity {
        Identity { token: ClusterToken::random().unwrap(), build: build.to_owned() }
    }

    fn caller() -> Caller {
        Caller { from: Addr::Node(NodeId(2)), epoch: Epoch(4), to: Epoch(9), session: 77 }
    }

    /// What both sides make of each other.
    fn meet(ours: &Identity, theirs: &Identity) -> (Result<TcpStream, RemoteError>, Result<Caller, RemoteError>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::scope(|scope| {
            let called = scope.spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                answer(&stream, theirs, SOON, |c| if c.session == 77 { Ok(()) } else { Err("no".to_owned()) })
            });
            let calling = call(&address, ours, caller(), SOON);
            (calling, called.join().unwrap())
        })
    }

    #[test]
    fn processes_of_one_cluster_and_build_meet() {
        let ours = identity("b1");
        let (calling, called) = meet(&ours, &ours.clone());
        assert!(calling.is_ok());
        assert_eq!(called.unwrap(), caller());
    }

    #[test]
    fn another_build_is_refused_and_both_builds_are_named() {
        let ours = identity("b1");
        let theirs = Identity { build: "b2".to_owned(), ..ours.clone() };
        let (calling, called) = meet(&ours, &theirs);
        let text = calling.unwrap_err().to_string();
        assert!(text.contains("runs build b2, this is build b1"), "{text}");
        let text = called.unwrap_err().to_string();
        assert!(text.contains("runs build b1, this is build b2"), "{text}");
    }

    #[test]
    fn a_wrong_token_is_refused_whatever_the_build() {
        let (calling, called) = meet(&identity("b1"), &identity("b2"));
        assert!(matches!(calling, Err(RemoteError::Token { .. })));
        assert!(matches!(called, Err(RemoteError::Token { .. })));
    }

    #[test]
    fn strangers_and_the_silent_are_shaken_off() {
        for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"bench/1\n\xff\xff", b"bench/1\n\x03\x00\xff\xff\xff", b"be"] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut stranger = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stranger.write_all(words).unwrap();
            let refused = answer(&stream, &identity("b"), Duration::from_millis(50), |_| Ok(()));
            assert!(matches!(refused, Err(RemoteError::Handshake { .. })), "{words:?}");
        }
    }
}
