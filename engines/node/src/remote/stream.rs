//! The bytes under a control stream: a TCP connection as it is, or TLS over one.
//!
//! Both kinds are read and written through a shared reference, by two threads at a time if need be, and both are watched
//! by their socket. A plain connection is a socket and nothing else: the same system calls, no lock, no box.
//!
//! TLS keeps one state for both directions, so its reader and its writer take turns. While a connection blocks, TLS is
//! read record by record and never further: whatever comes later still lies in the socket when the poller begins to
//! watch it. Once it does not block, a read takes all there is, so that a short read means what it means for a socket:
//! nothing is left, unless [`Stream::is_drained`] says otherwise.

use crate::remote::tls::Keys;
use rustls::{ClientConnection, Connection, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What comes before each TLS record: kind, version, length.
const RECORD_HEAD: usize = 5;
/// How long a peer that is not trusted may take to hang up.
const FAREWELL: Duration = Duration::from_millis(200);

/// A connection between two processes.
///
/// After a write that would block, the next write has to begin with the same bytes: TLS has encrypted them already.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Bytes as they are.
    Plain(TcpStream),
    /// Encrypted; both sides have shown certificates of the cluster's authority.
    Secure(Arc<Secure>),
}

impl Stream {
    /// TLS over a connection that this process has opened.
    ///
    /// # Errors
    /// The two do not trust each other, the connection breaks, or the other side is not done at the time of `by`.
    pub(crate) fn call(socket: TcpStream, keys: &Keys, by: Instant) -> io::Result<Self> {
        let (config, name) = keys.caller();
        let connection = ClientConnection::new(config, name).map_err(untrusted)?;
        Secure::agree(socket, connection.into(), by).map(|s| Self::Secure(Arc::new(s)))
    }

    /// TLS over a connection that another process has opened.
    ///
    /// # Errors
    /// As for [`Stream::call`].
    pub(crate) fn answer(socket: TcpStream, keys: &Keys, by: Instant) -> io::Result<Self> {
        let connection = ServerConnection::new(keys.called()).map_err(untrusted)?;
        Secure::agree(socket, connection.into(), by).map(|s| Self::Secure(Arc::new(s)))
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Secure(secure) => &secure.socket,
        }
    }

    /// Another handle of the same connection.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Plain(socket) => socket.try_clone().map(Self::Plain),
            Self::Secure(secure) => Ok(Self::Secure(Arc::clone(secure))),
        }
    }

    /// A second descriptor of the socket, to be watched and not to be written to.
    pub(crate) fn outlet(&self) -> io::Result<TcpStream> {
        self.socket().try_clone()
    }

    /// Whether a read that did not fill its room has taken all there was and the end was not reached. For a plain
    /// connection the kernel would say otherwise by itself.
    #[inline]
    pub(crate) fn is_drained(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Secure(secure) => !secure.ended.load(Ordering::Acquire),
        }
    }

    pub(crate) fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.socket().set_nodelay(on)
    }

    pub(crate) fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        if let Self::Secure(secure) = self {
            secure.blocking.store(!on, Ordering::Release);
        }
        self.socket().set_nonblocking(on)
    }

    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket().set_read_timeout(timeout)
    }

    pub(crate) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket().set_write_timeout(timeout)
    }

    /// Fills the room by then, however slowly the bytes trickle in.
    pub(crate) fn read_exact_by(&self, room: &mut [u8], by: Instant) -> io::Result<()> {
        fill(self, room, Some(by), |left| self.set_read_timeout(Some(left)))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(socket)
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}

impl Read for &Stream {
    #[inline]
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => (&*socket).read(room),
            Stream::Secure(secure) => secure.read(room),
        }
    }
}

impl Write for &Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => (&*socket).write(bytes),
            Stream::Secure(secure) => secure.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // A write returns only when its bytes have left this process.
        Ok(())
    }
}

/// A socket and the TLS state of both its directions.
#[derive(Debug)]
pub(crate) struct Secure {
    socket: TcpStream,
    session: Mutex<Session>,
    blocking: AtomicBool,
    /// Nothing will come any more, or it cannot be understood: the next read says so.
    ended: AtomicBool,
}

#[derive(Debug)]
struct Session {
    connection: Connection,
    /// Bytes that were encrypted and have not left entirely: their writer was told that it would block.
    accepted: usize,
}

impl Secure {
    /// Lets both sides prove who they are, in the time there is.
    fn agree(socket: TcpStream, mut connection: Connection, by: Instant) -> io::Result<Self> {
        if let Err(error) = introduce(&socket, &mut connection, by) {
            part(&socket);
            return Err(error);
        }
        let session = Mutex::new(Session { connection, accepted: 0 });
        Ok(Self { socket, session, blocking: AtomicBool::new(true), ended: AtomicBool::new(false) })
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        let Session { connection, .. } = &mut *self.session();
        let blocking = self.blocking.load(Ordering::Acquire);
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let more = match connection.reader().read(rest) {
                // The other side has said that this is the end.
                Ok(0) => {
                    self.ended.store(true, Ordering::Release);
                    break;
                }
                Ok(n) => {
                    filled += n;
                    continue;
                }
                Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
                Err(_) if !blocking => self.take_some(connection),
                Err(_) if filled > 0 => break,
                Err(_) => take_record(&self.socket, connection, None).map(|()| true),
            };
            match more {
                Ok(true) => {}
                Ok(false) if filled == 0 => return Err(ErrorKind::WouldBlock.into()),
                Ok(false) => break,
                Err(e) if filled == 0 => return Err(e),
                Err(_) => {
                    self.ended.store(true, Ordering::Release);
                    break;
                }
            }
        }
        Ok(filled)
    }

    /// Takes what the socket holds; false if that is nothing.
    fn take_some(&self, connection: &mut Connection) -> io::Result<bool> {
        loop {
            return match connection.read_tls(&mut &self.socket) {
                // The end of the socket: the reader knows whether it was announced.
                Ok(_) => understand(&self.socket, connection).map(|()| true),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
                Err(e) => Err(e),
            };
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let session = &mut *self.session();
        if session.accepted == 0 {
            // Answers of the protocol itself may wait here.
            push(&self.socket, &mut session.connection)?;
            session.accepted = session.connection.writer().write(bytes)?;
        }
        push(&self.socket, &mut session.connection)?;
        Ok(std::mem::take(&mut session.accepted))
    }
}

/// Says and hears what TLS wants before anything else, one record after the other.
fn introduce(socket: &TcpStream, connection: &mut Connection, by: Instant) -> io::Result<()> {
    while connection.is_handshaking() || connection.wants_write() {
        push(socket, connection)?;
        if connection.is_handshaking() {
            take_record(socket, connection, Some(by))?;
        }
    }
    Ok(())
}

/// Ends a connection such that the other side hears what was said last: one that is closed with bytes unread is reset, and
/// the reset overtakes them.
fn part(mut socket: &TcpStream) {
    let mut rest = [0; 1024];
    // All of this is a courtesy.
    let _ = socket.shutdown(Shutdown::Write).and_then(|()| socket.set_read_timeout(Some(FAREWELL)));
    for _ in 0..64 {
        if !matches!(socket.read(&mut rest), Ok(1..)) {
            break;
        }
    }
}

/// Writes what is encrypted.
fn push(mut socket: &TcpStream, connection: &mut Connection) -> io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(&mut socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads one record, and not a byte more, from a socket that blocks; by then, if there is a deadline for all of it.
fn take_record(socket: &TcpStream, connection: &mut Connection, by: Option<Instant>) -> io::Result<()> {
    let mut record = vec![0; RECORD_HEAD];
    let limit = |left| socket.set_read_timeout(Some(left));
    fill(socket, &mut record, by, limit)?;
    let length = record.last_chunk::<2>().map_or(0, |length| u16::from_be_bytes(*length));
    record.resize(RECORD_HEAD + usize::from(length), 0);
    fill(socket, record.get_mut(RECORD_HEAD..).unwrap_or_default(), by, limit)?;
    let mut rest = record.as_slice();
    while !rest.is_empty() {
        connection.read_tls(&mut rest)?;
        understand(socket, connection)?;
    }
    Ok(())
}

/// Fills the room; by then, however slowly the bytes trickle in, if there is a deadline, of which `limit` tells the socket.
fn fill(
    mut source: impl Read,
    mut room: &mut [u8],
    by: Option<Instant>,
    limit: impl Fn(Duration) -> io::Result<()>,
) -> io::Result<()> {
    while !room.is_empty() {
        if let Some(by) = by {
            limit(left_until(by)?)?;
        }
        match source.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => room = room.get_mut(read..).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The time until then.
///
/// # Errors
/// There is none left.
pub(crate) fn left_until(by: Instant) -> io::Result<Duration> {
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Decrypts what was read. The other side is told what is wrong with it.
fn understand(socket: &TcpStream, connection: &mut Connection) -> io::Result<()> {
    match connection.process_new_packets() {
        Ok(_) => Ok(()),
        Err(error) => {
            // It may be gone already, and the connection is over in any case.
            let _ = push(socket, connection);
            Err(untrusted(error))
        }
    }
}

fn untrusted(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
