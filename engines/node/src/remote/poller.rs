//! Where the threads of a host in several processes sleep: for work, for a deadline, or for a peer to say something.
//!
//! All of them wait on one `epoll` instance, and the kernel picks who wakes up: a message is read by a thread that is
//! idle anyway and acts on it itself, which saves the hop from an I/O thread to a compute thread that would otherwise be
//! half of a round trip (`docs/decisions/0015-control-stream.md`).
//!
//! Descriptors are watched for edges: one sleeper wakes up each time bytes arrive, and whoever reads must read until
//! there are none left. Watching for levels, or for one event at a time, would cost a system call per message more. This
//! is the one place here that calls libc, besides `process`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What woke a sleeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// [`Poller::wake`] did, or nothing in particular: look what there is to do.
    Signal,
    /// The time is over.
    Timeout,
    /// The descriptor watched under this key can be read, or was closed.
    Readable(u64),
    /// It can be read to its end, for the other side has said its last: no other event tells of that.
    Ending(u64),
    /// The descriptor watched under this key can be written, or was closed.
    Writable(u64),
}

/// The key of the wake-up descriptor. Keys of others have their top bit free: it is set in events of room to write.
const SIGNAL: u64 = u64::MAX;
const WRITE: u64 = 1 << 63;
/// The events that tell of an end.
const LAST: u32 = (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR).cast_unsigned();

/// One `epoll` instance and the descriptor that wakes its sleepers.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    signal: OwnedFd,
}

impl Poller {
    /// Nothing is watched yet.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        let poller = Self { epoll: create(Kind::Epoll)?, signal: create(Kind::Event)? };
        // Edge-triggered: each signal wakes one sleeper, and the counter never needs to be read.
        poller.control(libc::EPOLL_CTL_ADD, poller.signal.as_raw_fd(), SIGNAL, libc::EPOLLIN | libc::EPOLLET)?;
        Ok(poller)
    }

    /// Watches for bytes to read, each time some arrive. The caller keeps the descriptor open while it is watched.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn watch_for_bytes(&self, fd: &impl AsRawFd, key: u64) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), key, events)
    }

    /// Watches for room to write, once. It must be another descriptor than the one that is watched for bytes.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn watch_for_room(&self, fd: &impl AsRawFd, key: u64) -> io::Result<()> {
        let (fd, events) = (fd.as_raw_fd(), libc::EPOLLOUT | libc::EPOLLONESHOT);
        match self.control(libc::EPOLL_CTL_MOD, fd, key | WRITE, events) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.control(libc::EPOLL_CTL_ADD, fd, key | WRITE, events),
            other => other,
        }
    }

    /// Watches it no longer.
    pub(crate) fn forget(&self, fd: &impl AsRawFd) {
        // It may be closed already, which is as good.
        let _ = self.control(libc::EPOLL_CTL_DEL, fd.as_raw_fd(), 0, 0);
    }

    /// Wakes one sleeper. Signals may merge: whoever wakes passes on what others are needed for.
    pub(crate) fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        #[expect(unsafe_code, reason = "an eventfd is written by libc only")]
        // SAFETY: the descriptor is open as long as `self`, and `one` holds the 8 bytes that are read from it. A full
        // counter (after 2^64 signals) would fail the call and change nothing.
        let _ = unsafe { libc::write(self.signal.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Sleeps until something happens, but no longer than `at_most`.
    pub(crate) fn wait(&self, at_most: Option<Duration>) -> Woken {
        let timeout = at_most.map_or(-1, |t| {
            let up = t.as_nanos().div_ceil(1_000_000);
            libc::c_int::try_from(up).unwrap_or(libc::c_int::MAX)
        });
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        #[expect(unsafe_code, reason = "epoll is reached by libc only")]
        // SAFETY: the descriptor is open as long as `self`, and `event` is one writable entry, as announced.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), &raw mut event, 1, timeout) };
        let key = event.u64;
        match count {
            0 => Woken::Timeout,
            1 if key == SIGNAL => Woken::Signal,
            1 if key & WRITE != 0 => Woken::Writable(key & !WRITE),
            1 if event.events & LAST != 0 => Woken::Ending(key),
            1 => Woken::Readable(key),
            // Interrupted by a signal of the system: the caller looks and comes back.
            _ => Woken::Signal,
        }
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, key: u64, events: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: key };
        #[expect(unsafe_code, reason = "epoll is reached by libc only")]
        // SAFETY: `event` is a valid entry for the duration of the call. A descriptor that is not open makes the call
        // fail; it is never dereferenced.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

enum Kind {
    Epoll,
    Event,
}

fn create(kind: Kind) -> io::Result<OwnedFd> {
    #[expect(unsafe_code, reason = "these descriptors are made by libc only")]
    // SAFETY: both calls take plain numbers and give a new descriptor or -1.
    let fd = unsafe {
        match kind {
            Kind::Epoll => libc::epoll_create1(libc::EPOLL_CLOEXEC),
            Kind::Event => libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK),
        }
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "a new descriptor gets its owner")]
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    const LONG: Option<Duration> = Some(Duration::from_secs(10));

    #[test]
    fn a_signal_sent_before_the_sleep_is_not_lost() {
        let poller = Poller::new().unwrap();
        poller.wake();
        assert_eq!(poller.wait(LONG), Woken::Signal);
        assert_eq!(poller.wait(Some(Duration::ZERO)), Woken::Timeout);
    }

    #[test]
    fn each_arrival_wakes_one_sleeper_once() {
        let poller = Poller::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        poller.watch_for_bytes(&far, 7).unwrap();
        for _ in 0..2 {
            near.write_all(b"x").unwrap();
            assert_eq!(poller.wait(LONG), Woken::Readable(7));
            assert_eq!(poller.wait(Some(Duration::ZERO)), Woken::Timeout);
        }
        for _ in 0..2 {
            poller.watch_for_room(&near, 8).unwrap();
            assert_eq!(poller.wait(LONG), Woken::Writable(8));
            assert_eq!(poller.wait(Some(Duration::ZERO)), Woken::Timeout);
        }
        poller.forget(&far);
        near.write_all(b"x").unwrap();
        assert_eq!(poller.wait(Some(Duration::ZERO)), Woken::Timeout);
    }

    #[test]
    fn an_end_that_comes_with_the_last_bytes_is_told_with_them() {
        let poller = Poller::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        poller.watch_for_bytes(&far, 7).unwrap();
        near.write_all(b"x").unwrap();
        drop(near);
        // Time for both to arrive: one event tells of the two.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(poller.wait(LONG), Woken::Ending(7));
        assert_eq!(poller.wait(Some(Duration::ZERO)), Woken::Timeout);
    }
}
