//! One control stream: frames over a TCP connection, written by whoever has something to say and read by whoever is idle.
//!
//! No thread belongs to a link. A message is queued under the queue's lock and written by the thread that queued it,
//! unless another thread is writing at that moment: then that one takes it along in its next frame. So a single message
//! leaves without a hop, and a burst leaves in few large frames.
//!
//! (A third of this file are its tests.)
//!
//! Invariants: frames leave in the order in which they were queued; at most [`BACKLOG_MAX`] of them wait, then the link
//! is broken, because its other side has stopped reading.
//!
//! Long because: writing, reading and their shared buffers are one protocol between two threads.

use crate::remote::error::LinkError;
use crate::remote::poller::Poller;
use crate::remote::stream::Stream;
use crate::remote::wire::{BATCH_BYTES, Batch, FRAME_MAX, Frame, Inbound, encode};
use bench_model::{Addr, Bytes, Epoch, JobId, Nanos, Note, TaskId, TaskTrace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Messages that may wait for a peer that does not read.
const BACKLOG_MAX: usize = 1 << 20;
/// Bytes read before the frames in them are handed over.
const TURN_BYTES: usize = 1 << 20;

/// Something queued for the other side.
enum Outgoing<M> {
    Message(M),
    Ran(TaskId, Nanos),
    Trace(Box<TaskTrace>),
    Spilled(JobId, Bytes),
    Note(JobId, Note),
    Frame(Frame<M>),
}

/// Bytes on their way out.
#[derive(Default)]
struct Writing {
    bytes: Vec<u8>,
    sent: usize,
    /// Whether the poller watches for room to write.
    watched: bool,
}

/// A control stream to one peer. Dropping it closes the connection.
pub(crate) struct Link<M> {
    key: u64,
    peer: Addr,
    epoch: Epoch,
    stream: Stream,
    /// A second descriptor of the same connection, watched for writing while the first is watched for reading.
    outlet: TcpStream,
    poller: Arc<Poller>,
    queue: Mutex<Vec<Outgoing<M>>>,
    writing: Mutex<Writing>,
    inbound: Mutex<Inbound>,
    /// How often bytes have arrived that nobody has looked for yet.
    arrivals: AtomicU64,
    closed: AtomicBool,
    /// The other side has said its last, and no other event will tell that there is nothing more.
    ending: AtomicBool,
    /// Whether frames have arrived since it was last asked.
    heard: AtomicBool,
    /// When it was last asked and frames had arrived.
    last_heard: Mutex<Instant>,
}

impl<M: Serialize + DeserializeOwned> Link<M> {
    /// A link over an open connection. `epoch` is the incarnation of the node it leads to or comes from; between two nodes,
    /// of the one that was called.
    pub(crate) fn open(
        stream: Stream,
        poller: &Arc<Poller>,
        key: u64,
        (peer, epoch): (Addr, Epoch),
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let outlet = stream.outlet()?;
        Ok(Self {
            key,
            peer,
            epoch,
            stream,
            outlet,
            poller: Arc::clone(poller),
            queue: Mutex::default(),
            writing: Mutex::default(),
            inbound: Mutex::default(),
            arrivals: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            last_heard: Mutex::new(Instant::now()),
        })
    }

    /// Watches for what the other side says. To be called once, when whoever handles it knows the link.
    pub(crate) fn listen(&self) -> io::Result<()> {
        self.poller.watch_for_bytes(&self.stream, self.key)
    }

    /// Its key with the poller.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> Addr {
        self.peer
    }

    /// The incarnation of the node it was opened for.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// For how long nothing was heard, as far as asking now and then can tell: reading a clock for each frame would cost
    /// more than the answer is worth.
    pub(crate) fn silence(&self) -> Duration {
        let mut last = lock(&self.last_heard);
        if self.heard.swap(false, Ordering::Relaxed) {
            *last = Instant::now();
        }
        last.elapsed()
    }

    /// Whether it was closed from this side.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends the connection. The other side sees it at once, and so does a thread that waits for this one.
    pub(crate) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            // A connection that is gone already is what was wanted.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }

    /// Queues a machine's message. Call [`Link::flush`] when the last of a group is queued.
    pub(crate) fn push(&self, message: M) {
        lock(&self.queue).push(Outgoing::Message(message));
    }

    /// Queues the news that a task ran well.
    pub(crate) fn push_ran(&self, task: TaskId, took: Nanos) {
        lock(&self.queue).push(Outgoing::Ran(task, took));
    }

    /// Queues what an attempt has done that ran well.
    pub(crate) fn push_trace(&self, trace: TaskTrace) {
        lock(&self.queue).push(Outgoing::Trace(Box::new(trace)));
    }

    /// Queues the news that a task of a job wrote out that much because memory ran short.
    pub(crate) fn push_spilled(&self, job: JobId, bytes: Bytes) {
        lock(&self.queue).push(Outgoing::Spilled(job, bytes));
    }

    /// Queues something worth telling about a job.
    pub(crate) fn push_note(&self, job: JobId, note: Note) {
        lock(&self.queue).push(Outgoing::Note(job, note));
    }

    /// Queues a frame of the host's own.
    pub(crate) fn push_frame(&self, frame: Frame<M>) {
        lock(&self.queue).push(Outgoing::Frame(frame));
    }

    /// Queues and writes a frame of the host's own.
    #[cfg(test)]
    fn send(&self, frame: Frame<M>) -> Result<(), LinkError> {
        self.push_frame(frame);
        self.flush()
    }

    /// Writes what is queued, as far as the connection takes it; the rest follows when the poller says so. If another
    /// thread is writing, that one writes it.
    ///
    /// # Errors
    /// The connection broke, or its other side does not read. It is of no use from then on.
    pub(crate) fn flush(&self) -> Result<(), LinkError> {
        loop {
            let mut writing = match self.writing.try_lock() {
                Ok(writing) => writing,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Its holder looks at the queue once more after letting go.
                Err(TryLockError::WouldBlock) => return Ok(()),
            };
            let drained = self.write(&mut writing)?;
            drop(writing);
            // Whoever queued something in between found the lock taken and left it to this thread.
            let queued = lock(&self.queue).len();
            if !drained && queued > BACKLOG_MAX {
                return Err(LinkError::Backlog(queued));
            }
            if !drained || queued == 0 {
                return Ok(());
            }
        }
    }

    /// The connection takes bytes again.
    ///
    /// # Errors
    /// Those of [`Link::flush`].
    pub(crate) fn writable(&self) -> Result<(), LinkError> {
        lock(&self.writing).watched = false;
        self.flush()
    }

    /// Writes until all is written (true) or the connection takes no more.
    fn write(&self, writing: &mut Writing) -> Result<bool, LinkError> {
        loop {
            if self.is_closed() {
                return Err(LinkError::Closed);
            }
            while writing.sent < writing.bytes.len() {
                let rest = writing.bytes.get(writing.sent..).unwrap_or_default();
                match (&self.stream).write(rest) {
                    Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                    Ok(n) => writing.sent += n,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        self.watch_for_room(writing)?;
                        return Ok(false);
                    }
                    Err(e) => return Err(e.into()),
                }
            }
            writing.bytes.clear();
            writing.bytes.shrink_to(BATCH_BYTES);
            writing.sent = 0;
            let queued = std::mem::take(&mut *lock(&self.queue));
            if queued.is_empty() {
                return Ok(true);
            }
            self.encode(queued, &mut writing.bytes)?;
        }
    }

    fn watch_for_room(&self, writing: &mut Writing) -> io::Result<()> {
        if !std::mem::replace(&mut writing.watched, true) {
            self.poller.watch_for_room(&self.outlet, self.key)?;
        }
        Ok(())
    }

    /// Gathers neighboring messages into frames.
    fn encode(&self, queued: Vec<Outgoing<M>>, bytes: &mut Vec<u8>) -> Result<(), LinkError> {
        let empty = || Batch::new(self.epoch);
        let mut batch = empty();
        // An estimate: messages of a million inputs are rare, and a frame may be much longer than a batch should be.
        let most = BATCH_BYTES / 128;
        for outgoing in queued {
            match outgoing {
                Outgoing::Message(message) => batch.messages.push(message),
                Outgoing::Ran(task, took) => batch.ran.push((task, took)),
                Outgoing::Trace(trace) => batch.traces.push(*trace),
                Outgoing::Spilled(job, bytes) => batch.spilled.push((job, bytes)),
                Outgoing::Note(job, note) => batch.notes.push((job, note)),
                Outgoing::Frame(frame) => {
                    encode_batch(std::mem::replace(&mut batch, empty()), bytes)?;
                    encode(&frame, bytes)?;
                }
            }
            if batch.len() >= most {
                encode_batch(std::mem::replace(&mut batch, empty()), bytes)?;
            }
        }
        encode_batch(batch, bytes)
    }

    /// From now on, reading goes on until the end is met: the other side has said its last.
    pub(crate) fn read_to_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Bytes have arrived: reads all there are and hands them over in order. At most one thread reads at a time; if one
    /// does already, it looks once more.
    ///
    /// # Errors
    /// The connection broke or carried garbage; what came before was handed over.
    pub(crate) fn read(&self, mut hand_over: impl FnMut(Vec<Frame<M>>)) -> Result<(), LinkError> {
        if self.arrivals.fetch_add(1, Ordering::AcqRel) > 0 {
            return Ok(());
        }
        let mut inbound = lock(&self.inbound);
        loop {
            let arrivals = self.arrivals.load(Ordering::Acquire);
            let mut frames = Vec::new();
            let result = self.take_frames(&mut inbound, &mut frames);
            if !frames.is_empty() {
                self.heard.store(true, Ordering::Relaxed);
                hand_over(frames);
            }
            let drained = result?;
            if self.is_closed() {
                return Err(LinkError::Closed);
            }
            let nothing_new = || self.arrivals.compare_exchange(arrivals, 0, Ordering::AcqRel, Ordering::Acquire);
            if drained && nothing_new().is_ok() {
                return Ok(());
            }
        }
    }

    /// Reads until nothing is left (true) or a turn is over.
    fn take_frames(&self, inbound: &mut Inbound, frames: &mut Vec<Frame<M>>) -> Result<bool, LinkError> {
        let mut taken = 0;
        while taken < TURN_BYTES {
            let room = inbound.room();
            let offered = room.len();
            match (&self.stream).read(room) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(n) => {
                    taken += n;
                    inbound.received(n);
                    while let Some(frame) = inbound.next()? {
                        frames.push(frame);
                    }
                    if n < offered && self.stream.is_drained() && !self.ending.load(Ordering::Acquire) {
                        return Ok(true);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(false)
    }
}

impl<M> Drop for Link<M> {
    fn drop(&mut self) {
        self.poller.forget(&self.stream);
        self.poller.forget(&self.outlet);
    }
}

/// Encodes a batch, in halves if it is too long for one frame.
fn encode_batch<M: Serialize>(mut batch: Batch<M>, bytes: &mut Vec<u8>) -> Result<(), LinkError> {
    if batch.len() == 0 {
        return Ok(());
    }
    let frame = Frame::Messages(batch);
    match encode(&frame, bytes) {
        Ok(()) => Ok(()),
        Err(error) => {
            let Frame::Messages(whole) = frame else { return Err(error.into()) };
            batch = whole;
            if batch.messages.len() < 2 {
                tracing::error!(%error, limit = FRAME_MAX, "a message is too long to be sent");
                return Err(error.into());
            }
            let rest = batch.messages.split_off(batch.messages.len() / 2);
            let epoch = batch.epoch;
            encode_batch(batch, bytes)?;
            encode_batch(Batch { messages: rest, ..Batch::new(epoch) }, bytes)
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::poller::Woken;
    use bench_model::NodeId;
    use std::net::TcpListener;

    type Text = Link<String>;

    /// Two ends of one connection, each with its poller.
    fn pair() -> [(Arc<Poller>, Text); 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        [near, far].map(|stream| {
            let poller = Arc::new(Poller::new().unwrap());
            let link = Link::open(stream.into(), &poller, 1, (Addr::Node(NodeId(0)), Epoch(5))).unwrap();
            link.listen().unwrap();
            (poller, link)
        })
    }

    /// Lets one end read and write until `enough`.
    fn pump(poller: &Poller, link: &Text, mut enough: impl FnMut(&[Frame<String>]) -> bool) -> Vec<Frame<String>> {
        let mut frames = Vec::new();
        while !enough(&frames) {
            match poller.wait(Some(Duration::from_secs(10))) {
                Woken::Readable(1) | Woken::Ending(1) => link.read(|mut new| frames.append(&mut new)).unwrap(),
                Woken::Writable(1) => link.writable().unwrap(),
                other => panic!("{other:?} instead of frames"),
            }
        }
        frames
    }

    fn texts(frames: &[Frame<String>]) -> Vec<String> {
        frames
            .iter()
            .flat_map(|f| match f {
                Frame::Messages(batch) => batch.messages.clone(),
                other => vec![format!("{other:?}")],
            })
            .collect()
    }

    #[test]
    fn what_is_queued_together_travels_in_one_frame_and_in_order() {
        let [(_, near), (poller, far)] = pair();
        near.push("a".to_owned());
        near.push("b".to_owned());
        near.send(Frame::Ping(1)).unwrap();
        let frames = pump(&poller, &far, |f| f.len() >= 2);
        assert_eq!(texts(&frames), ["a", "b", "Ping(1)"]);
        assert_eq!(frames.len(), 2);
    }

    #[test]
    fn more_than_the_connection_holds_arrives_whole_while_both_sides_write() {
        let [(here, near), (there, far)] = pair();
        let long = "x".repeat(300_000);
        std::thread::scope(|scope| {
            for (poller, link) in [(&here, &near), (&there, &far)] {
                let long = &long;
                scope.spawn(move || {
                    for n in 0..100 {
                        link.push(format!("{n}:{long}"));
                        link.flush().unwrap();
                    }
                    link.send(Frame::Stop).unwrap();
                    let written = || lock(&link.writing).bytes.is_empty() && lock(&link.queue).is_empty();
                    let frames = pump(poller, link, |f| f.contains(&Frame::Stop) && written());
                    let numbers: Vec<String> =
                        texts(&frames).iter().map(|t| t.split(':').next().unwrap().to_owned()).collect();
                    let sent = (0..100).map(|n| n.to_string()).chain(["Stop".to_owned()]);
                    assert_eq!(numbers, sent.collect::<Vec<_>>());
                });
            }
        });
    }

    #[test]
    fn many_writers_lose_and_reorder_nothing_of_their_own() {
        let [(_, near), (poller, far)] = pair();
        let frames = std::thread::scope(|scope| {
            for writer in 0..4 {
                let near = &near;
                scope.spawn(move || {
                    for n in 0..2_000 {
                        near.push(format!("{writer}:{n}"));
                        near.flush().unwrap();
                    }
                });
            }
            pump(&poller, &far, |f| texts(f).len() >= 8_000)
        });
        for writer in 0..4 {
            let of_writer = texts(&frames).into_iter().filter(|t| t.starts_with(&format!("{writer}:")));
            assert!(of_writer.eq((0..2_000).map(|n| format!("{writer}:{n}"))));
        }
    }

    #[test]
    fn a_closed_connection_is_an_error_on_both_sides() {
        let [(_, near), (poller, far)] = pair();
        near.close();
        assert_eq!(poller.wait(Some(Duration::from_secs(10))), Woken::Ending(1));
        assert!(matches!(far.read(|_| ()), Err(LinkError::Io(_))));
        assert!(matches!(near.send(Frame::Stop), Err(LinkError::Closed)));
    }

    #[test]
    fn last_words_and_the_end_that_comes_with_them_are_both_heard() {
        let [(_, near), (poller, far)] = pair();
        near.send(Frame::Ping(9)).unwrap();
        near.close();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(poller.wait(Some(Duration::from_secs(10))), Woken::Ending(1));
        far.read_to_end();
        let mut seen = Vec::new();
        assert!(matches!(far.read(|mut frames| seen.append(&mut frames)), Err(LinkError::Io(_))));
        assert_eq!(seen, [Frame::Ping(9)]);
    }

    #[test]
    fn garbage_breaks_the_link_after_the_frames_before_it() {
        let [(_, near), (poller, far)] = pair();
        near.send(Frame::Ping(4)).unwrap();
        (&near.stream).write_all(&[9, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255]).unwrap();
        let mut seen = Vec::new();
        let broken = loop {
            assert_eq!(poller.wait(Some(Duration::from_secs(10))), Woken::Readable(1));
            if let Err(error) = far.read(|mut frames| seen.append(&mut frames)) {
                break error;
            }
        };
        assert!(matches!(broken, LinkError::Wire(_)), "{broken}");
        assert_eq!(seen, [Frame::Ping(4)]);
    }
}
