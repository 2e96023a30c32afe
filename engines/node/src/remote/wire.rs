//! What two processes say on a control stream, and how it becomes bytes.
//!
//! A frame is a length of four bytes (little endian) and that many bytes of postcard. Both sides are the same build (the
//! handshake sees to it), so the encoding needs no versions of its own. Everything a stranger could send is bounded
//! before it is believed (half of this file are the tests of that): a length above [`FRAME_MAX`] is an error, memory grows with the bytes that arrived and not
//! with the ones that were announced, and garbage is an error and never a panic.
//!
//! Long because: the frames, their codec and the properties it must have belong together.

use bench_model::{BlockId, Bytes, Epoch, JobId, Nanos, NodeId, Note, SpanKind, TaskId, TaskTrace};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// The longest frame. Messages are far smaller; a launch with a million inputs still fits.
pub(crate) const FRAME_MAX: usize = 64 << 20;

/// Messages are gathered into frames of about this size at most.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// The length before each frame.
const PREFIX: usize = 4;

/// A frame of a control stream, once both sides know each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Frame<M> {
    /// Driver to node: become this, empty and fresh.
    Configure(Configure),
    /// Node to driver: it is done; messages of this epoch are welcome.
    Configured {
        /// Of the [`Configure`] it answers.
        epoch: Epoch,
        /// How many tasks it runs at a time.
        slots: u32,
    },
    /// Node to driver: it cannot be done.
    Unfit {
        /// What to change.
        reason: String,
    },
    /// Driver to node: everyone who is up now.
    Peers(Vec<Peer>),
    /// What machines say to each other.
    Messages(Batch<M>),
    /// Driver to node: what slots without work wait for from now on.
    Idle(SpanKind),
    /// Driver to node: what each attempt of this job does is to be reported, from now on and of no other job.
    Trace(JobId),
    /// Driver to node: answer at once.
    Ping(u64),
    /// Node to driver: the ping of that number was heard.
    Pong(u64),
    /// Driver to node: say where your slots' time went.
    Account(u64),
    /// Node to driver: the answer, after everything that the node had said before.
    Accounted {
        /// Of the [`Frame::Account`] it answers.
        number: u64,
        /// When, on the node's clock.
        now: Nanos,
        /// Per slot, time by kind in the order of [`SpanKind::ALL`]; none if no accounts are kept.
        spent: Vec<Vec<u64>>,
    },
    /// Node to driver: a task needs the plan of that key.
    NeedPlan {
        /// The task's arguments.
        key: bytes::Bytes,
        /// It may have been sent before, and is needed all the same.
        again: bool,
    },
    /// Driver to node: the plan of that key, or that there is none.
    Plan {
        /// The arguments of its tasks.
        key: bytes::Bytes,
        /// Its bytes.
        plan: Option<bytes::Bytes>,
    },
    /// Driver to node: the job is over; drop what is left of it.
    Forget(JobId),
    /// Driver to node: damage a block of the job, drawn from the seed.
    Damage {
        /// Whose.
        job: JobId,
        /// The number of the fault.
        fault: u32,
        /// What the choice is drawn from.
        seed: u64,
    },
    /// Node to driver: which block was damaged, or why none was.
    Damaged {
        /// Of the [`Frame::Damage`] it answers.
        job: JobId,
        /// The number of the fault.
        fault: u32,
        /// The block.
        result: Result<BlockId, String>,
    },
    /// Driver to node: finish what runs, then leave.
    Stop,
    /// Either to the other: you speak for an incarnation that is over. Start afresh.
    Fenced {
        /// The sender's own epoch.
        epoch: Epoch,
    },
}

/// Messages between two machines, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Batch<M> {
    /// The incarnation of the node that sends or receives them.
    pub(crate) epoch: Epoch,
    /// Tasks that ran well on the sending node before it said this, and how much of a slot's time each took: the driver's
    /// host counts them for the answers of zero-work graphs, and for what faults waste.
    pub(crate) ran: Vec<(TaskId, Nanos)>,
    /// What attempts did that ran well, of a job that is traced.
    pub(crate) traces: Vec<TaskTrace>,
    /// What attempts at tasks of a job wrote out on the sending node because memory ran short.
    pub(crate) spilled: Vec<(JobId, Bytes)>,
    /// What the sending node's machine did that is worth telling.
    pub(crate) notes: Vec<(JobId, Note)>,
    /// The messages.
    pub(crate) messages: Vec<M>,
}

impl<M> Batch<M> {
    /// Nothing yet.
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            ran: Vec::new(),
            traces: Vec::new(),
            spilled: Vec::new(),
            notes: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// How many things it says. A trace takes as much as its blocks.
    pub(crate) fn len(&self) -> usize {
        let traces: usize = self.traces.iter().map(|t| 1 + t.blocks.len() / 8).sum();
        self.ran.len() + traces + self.spilled.len() + self.notes.len() + self.messages.len()
    }
}

/// What a node is told to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Configure {
    /// The style whose machine it runs.
    pub(crate) style: String,
    /// The style's settings that differ from its defaults, as text.
    pub(crate) settings: Vec<(String, String)>,
    /// Which node it is.
    pub(crate) node: NodeId,
    /// Its incarnation: higher than any before.
    pub(crate) epoch: Epoch,
    /// The driver's session: blocks of another are never served.
    pub(crate) session: u64,
    /// How many tasks it runs at a time.
    pub(crate) slots: u32,
    /// Memory it may hold.
    pub(crate) memory: Option<Bytes>,
    /// What else it has, in thousandths.
    pub(crate) resources: Vec<(String, u64)>,
    /// Whether it accounts for its slots' time.
    pub(crate) spans: bool,
    /// The driver is gone when it was not heard for this long.
    pub(crate) silence: Nanos,
}

/// Another node, as the driver knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Which node.
    pub(crate) node: NodeId,
    /// Which incarnation of it.
    pub(crate) epoch: Epoch,
    /// Where it listens: `host:port`.
    pub(crate) address: String,
    /// The token it accepts calls by.
    pub(crate) token: String,
}

/// Bytes that are not a frame, or a value that does not make one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The announced length is beyond the limit.
    #[error("a frame of {0} bytes was announced, more than the {FRAME_MAX} allowed")]
    TooLong(usize),
    /// The bytes do not decode.
    #[error("a frame does not decode: {0}")]
    Garbage(postcard::Error),
    /// A frame decodes, but bytes are left over.
    #[error("a frame has {0} bytes too many")]
    Trailing(usize),
    /// The value is too large or cannot be encoded.
    #[error("a frame cannot be encoded: {0}; split the message, {FRAME_MAX} bytes are allowed")]
    Unencodable(postcard::Error),
}

/// Appends one frame. On an error, `to` is as it was.
///
/// # Errors
/// [`WireError::Unencodable`].
pub(crate) fn encode<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<(), WireError> {
    let start = to.len();
    to.extend_from_slice(&[0; PREFIX]);
    let body = to.len();
    let encoded = postcard::serialize_with_flavor(value, Bounded { to, end: body + FRAME_MAX });
    if let Err(error) = encoded {
        to.truncate(start);
        return Err(WireError::Unencodable(error));
    }
    let len = u32::try_from(to.len() - body).unwrap_or(u32::MAX);
    if let Some(prefix) = to.get_mut(start..body) {
        prefix.copy_from_slice(&len.to_le_bytes());
    }
    Ok(())
}

/// Lets postcard write into a vector up to a length.
struct Bounded<'v> {
    to: &'v mut Vec<u8>,
    end: usize,
}

impl postcard::ser_flavors::Flavor for Bounded<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.to.len() + bytes.len() > self.end {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.to.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Cuts a stream of bytes into frames.
#[derive(Default)]
pub(crate) struct Inbound {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were consumed.
    start: usize,
    /// Bytes of `buffer` that were received.
    end: usize,
}

/// Room offered to one read.
const READ_BYTES: usize = 64 << 10;
/// A larger buffer is given back once it is empty.
const KEPT_BYTES: usize = 1 << 20;

impl Inbound {
    /// Room for the next read, never empty. Follow it with [`Inbound::received`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > KEPT_BYTES {
                self.buffer = Vec::new();
            }
        }
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            // Doubling with what has arrived: an announced length alone reserves nothing.
            let len = (2 * self.end).max(READ_BYTES);
            self.buffer.resize(len.max(self.buffer.len()), 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read into the room.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.end = self.buffer.len().min(self.end + bytes);
    }

    /// The next complete frame, if there is one.
    ///
    /// # Errors
    /// Any of [`WireError`] but the last; the stream is useless from then on.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        let held = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(prefix) = held.first_chunk::<PREFIX>() else { return Ok(None) };
        let len = u32::from_le_bytes(*prefix) as usize;
        if len > FRAME_MAX {
            return Err(WireError::TooLong(len));
        }
        let Some(body) = held.get(PREFIX..PREFIX + len) else { return Ok(None) };
        let frame = decode(body)?;
        self.start += PREFIX + len;
        Ok(Some(frame))
    }
}

/// Reads one frame and not a byte more, from a connection that blocks.
///
/// # Errors
/// The connection's, or [`WireError`] as invalid data.
pub(crate) fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut prefix = [0; PREFIX];
    from.read_exact(&mut prefix)?;
    let len = u32::from_le_bytes(prefix) as usize;
    let invalid = |e: WireError| io::Error::new(io::ErrorKind::InvalidData, e.to_string());
    if len > FRAME_MAX {
        return Err(invalid(WireError::TooLong(len)));
    }
    let mut body = Vec::new();
    from.take(len as u64).read_to_end(&mut body)?;
    if body.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    decode(&body).map_err(invalid)
}

/// Writes one frame to a connection that blocks.
///
/// # Errors
/// The connection's, or [`WireError::Unencodable`] as invalid data.
pub(crate) fn write_frame(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
    to.write_all(&bytes)
}

/// Decodes exactly these bytes.
///
/// # Errors
/// [`WireError::Garbage`], [`WireError::Trailing`].
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(WireError::Trailing(rest.len())),
        Err(error) => Err(WireError::Garbage(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{
        Assignment, Attempt, BlockId, BlockMeta, BlockRef, Call, Checksum, Exchange, FragmentId, KernelId, Rows,
        Storage, TaskFailure,
    };
    use proptest::prelude::*;

    /// A message with everything in it that styles send.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Said {
        Run(Assignment),
        Failed(Result<u64, TaskFailure>),
        Nothing,
    }

    fn task() -> impl Strategy<Value = TaskId> {
        (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(job, fragment, partition)| TaskId {
            job: JobId(job),
            fragment: FragmentId(fragment),
            partition,
        })
    }

    fn block() -> impl Strategy<Value = BlockRef> {
        (task(), any::<u32>(), any::<u32>(), any::<u32>(), any::<(u64, u64, u128)>()).prop_map(
            |(task, output, attempt, node, (rows, bytes, sum))| BlockRef {
                id: BlockId { task, output },
                attempt: Attempt(attempt),
                node: NodeId(node),
                meta: BlockMeta { rows: Rows::new(rows), bytes: Bytes::new(bytes), checksum: Checksum(sum) },
            },
        )
    }

    fn said() -> impl Strategy<Value = Said> {
        let run = (task(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..200), block()).prop_map(
            |(task, attempt, args, block)| {
                Said::Run(Assignment {
                    task,
                    attempt: Attempt(attempt),
                    call: Call { kernel: KernelId::new("noop/1"), args: args.into() },
                    inputs: vec![vec![], vec![block; 3]],
                    outputs: 3,
                    exchange: Exchange::Hash,
                    storage: Storage::Shared,
                })
            },
        );
        let failed = prop_oneof![
            ".*".prop_map(TaskFailure::Fatal),
            block().prop_map(|b| TaskFailure::CorruptBlock(b.id)),
            Just(TaskFailure::Cancelled),
        ];
        prop_oneof![run, failed.prop_map(|f| Said::Failed(Err(f))), Just(Said::Nothing)]
    }

    fn traced(task: TaskId) -> TaskTrace {
        let by_kind_ns = [(SpanKind::Compute, Nanos::new(u64::from(task.partition)))].into();
        let copied = bench_model::Copied { bytes: Bytes::new(5), took_ns: Nanos::new(6) };
        TaskTrace { task, attempt: Attempt(1), node: NodeId(2), by_kind_ns, copied, blocks: vec![(1, 2), (3, 4)] }
    }

    fn frame() -> impl Strategy<Value = Frame<Said>> {
        let batch = (any::<u64>(), proptest::collection::vec(task(), 0..4), proptest::collection::vec(said(), 0..6));
        prop_oneof![
            batch.prop_map(|(e, ran, messages)| Frame::Messages(Batch {
                epoch: Epoch(e),
                spilled: ran.iter().map(|t| (t.job, Bytes::new(u64::from(t.partition)))).collect(),
                notes: ran.iter().map(|t| (t.job, Note::Speculated(*t))).collect(),
                traces: ran.iter().map(|t| traced(*t)).collect(),
                ran: ran.into_iter().zip((0..).map(Nanos::new)).collect(),
                messages,
            })),
            any::<u64>().prop_map(Frame::Ping),
            (any::<u64>(), proptest::collection::vec(any::<u64>(), 0..20))
                .prop_map(|(number, spent)| Frame::Accounted { number, now: Nanos::new(7), spent: vec![spent] }),
            ".*".prop_map(|address| Frame::Peers(vec![Peer {
                node: NodeId(3),
                epoch: Epoch(9),
                address,
                token: String::new()
            }])),
            Just(Frame::Stop),
        ]
    }

    /// Feeds bytes in pieces of some size and collects what comes out.
    fn receive(bytes: &[u8], piece: usize) -> Result<Vec<Frame<Said>>, WireError> {
        let mut inbound = Inbound::default();
        let mut frames = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = inbound.room();
            let n = piece.min(room.len()).min(rest.len());
            room[..n].copy_from_slice(&rest[..n]);
            inbound.received(n);
            rest = &rest[n..];
            while let Some(frame) = inbound.next()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut_of_the_stream(
            frames in proptest::collection::vec(frame(), 0..8), piece in 1usize..5000,
        ) {
            let mut bytes = Vec::new();
            for frame in &frames {
                encode(frame, &mut bytes).unwrap();
            }
            prop_assert_eq!(receive(&bytes, piece), Ok(frames));
        }

        #[test]
        fn garbage_is_an_error_or_a_frame_but_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = receive(&bytes, 100);
            let _ = decode::<Frame<Said>>(&bytes);
        }

        #[test]
        fn a_damaged_frame_never_panics(frame in frame(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = Vec::new();
            encode(&frame, &mut bytes).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let _ = receive(&bytes, 64);
        }
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused_at_once() {
        let mut bytes = (FRAME_MAX as u32 + 1).to_le_bytes().to_vec();
        bytes.push(0);
        assert_eq!(receive(&bytes, 5), Err(WireError::TooLong(FRAME_MAX + 1)));
    }

    #[test]
    fn an_announced_length_reserves_no_memory_before_its_bytes_arrive() {
        let mut inbound = Inbound::default();
        inbound.room()[..4].copy_from_slice(&(FRAME_MAX as u32).to_le_bytes());
        inbound.received(4);
        assert_eq!(inbound.next::<Frame<Said>>(), Ok(None));
        assert!(inbound.room().len() <= READ_BYTES);
    }

    #[test]
    fn a_message_beyond_the_limit_leaves_the_stream_as_it_was() {
        let mut bytes = vec![1, 2, 3];
        let large = Frame::<Vec<u8>>::Messages(Batch { messages: vec![vec![0; FRAME_MAX]], ..Batch::new(Epoch(0)) });
        assert!(matches!(encode(&large, &mut bytes), Err(WireError::Unencodable(_))));
        assert_eq!(bytes, [1, 2, 3]);
    }
}
