//! Two processes' worth of service and courier in one, over real sockets.

use super::*;
use crate::remote::error::RemoteError;
use crate::remote::gate::{self, Io};
use crate::remote::options::NodeOptions;
use crate::remote::token::ClusterToken;
use crate::store::Located;
use arrow::buffer::Buffer;
use bench_model::{Attempt, BlockId, BlockMeta, BlockRef, FragmentId, JobId, NodeId, TaskFailure, TaskId};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use twox_hash::XxHash3_64;

const SESSION: u64 = 11;
static GO: AtomicBool = AtomicBool::new(false);

/// More than any gRPC message may hold.
static LONG: LazyLock<Extent> = LazyLock::new(|| extent(80 << 20));

/// Holds what the partition of a block says.
struct Shelves;

impl Shelf for Shelves {
    fn locate(&self, _: u64, _: &BlockRef, _: Mapped) -> Option<Located> {
        None
    }

    fn take(&self, session: u64, block: &BlockRef) -> Result<Encoded, TaskFailure> {
        if session != SESSION {
            return Err(TaskFailure::MissingBlock(block.id));
        }
        let extents = match block.id.task.partition {
            0 => vec![],
            1 => vec![extent(0), extent(5), extent((3 << 20) + 7)],
            2 => vec![LONG.clone()],
            3 => vec![Extent { hash: 1, ..extent(100) }],
            _ => return Err(TaskFailure::CorruptBlock(block.id)),
        };
        Ok(Encoded { schema: vec![1, 2, 3], extents })
    }
}

fn extent(len: usize) -> Extent {
    let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    Extent { hash: XxHash3_64::oneshot(&bytes), bytes: Buffer::from_vec(bytes) }
}

fn block(partition: u32) -> BlockRef {
    let task = TaskId { job: JobId(1), fragment: FragmentId(2), partition };
    let id = BlockId { task, output: 0 };
    BlockRef { id, attempt: Attempt(0), node: NodeId(0), meta: BlockMeta::default() }
}

struct Pair {
    _io: Io,
    place: Place,
    courier: Arc<Courier>,
}

fn pair(served: ClusterToken, shown: ClusterToken) -> Pair {
    let options = NodeOptions { patience: Duration::from_secs(5), ..NodeOptions::default() };
    let io = Io::start().unwrap();
    let runtime = io.handle();
    let receive: gate::Receive = Arc::new(|_| ());
    let address = gate::open(&runtime, "127.0.0.1:0", (Arc::new(Shelves), receive), served, &options).unwrap();
    let courier = Arc::new(Courier::new(runtime, &options).unwrap());
    Pair { _io: io, place: Place { address: address.to_string(), token: shown }, courier }
}

fn friends() -> Pair {
    let token = ClusterToken::random().unwrap();
    pair(token, token)
}

impl Pair {
    fn fetch(&self, session: u64, partition: u32) -> Result<Vec<Parcel>, TaskFailure> {
        let block = block(partition);
        self.fetch_all(session, vec![block]).into_iter().map(|parcel| failed(parcel?, block.id)).collect()
    }

    fn fetch_all(&self, session: u64, blocks: Vec<BlockRef>) -> Vec<Result<Parcel, TaskFailure>> {
        let mut delivery = self.courier.order(self.place.clone(), session, blocks, Mapping::of(Mapped::Answer));
        std::iter::from_fn(|| delivery.next(&GO)).collect()
    }
}

fn failed(parcel: Parcel, block: BlockId) -> Result<Parcel, TaskFailure> {
    match parcel {
        Parcel::Failed(failure) => Err(failure),
        Parcel::Damaged => Err(TaskFailure::CorruptBlock(block)),
        other => Ok(other),
    }
}

/// The lengths of the extents that arrived, after their schema.
fn lengths(parcels: &[Parcel]) -> Vec<usize> {
    assert!(
        matches!(&parcels[0], Parcel::Schema(schema, n) if schema[..] == [1, 2, 3] && *n as usize + 1 == parcels.len())
    );
    parcels[1..]
        .iter()
        .map(|p| match p {
            Parcel::Extent(bytes) => {
                assert!(bytes.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
                bytes.len()
            }
            other => panic!("{other:?} instead of an extent"),
        })
        .collect()
}

#[test]
fn extents_of_any_size_arrive_as_they_were() {
    assert_eq!(LONG.bytes.len(), 80 << 20, "made before anyone waits for it");
    let pair = friends();
    assert_eq!(lengths(&pair.fetch(SESSION, 0).unwrap()), [] as [usize; 0]);
    assert_eq!(lengths(&pair.fetch(SESSION, 1).unwrap()), [0, 5, (3 << 20) + 7]);
    assert_eq!(lengths(&pair.fetch(SESSION, 2).unwrap()), [80 << 20]);
}

#[test]
fn damage_on_the_way_and_failures_at_the_other_end_keep_their_type() {
    let pair = friends();
    assert_eq!(pair.fetch(SESSION, 3).unwrap_err(), TaskFailure::CorruptBlock(block(3).id));
    assert_eq!(pair.fetch(SESSION, 4).unwrap_err(), TaskFailure::CorruptBlock(block(4).id));
    assert_eq!(pair.fetch(SESSION + 1, 1).unwrap_err(), TaskFailure::MissingBlock(block(1).id));
}

#[test]
fn many_blocks_arrive_in_one_call_and_a_failure_of_one_is_no_failure_of_the_next() {
    let pair = friends();
    let asked = [1, 4, 0, 3, 1].map(block).to_vec();
    let parcels = pair.fetch_all(SESSION, asked);
    let shape: Vec<String> = parcels
        .iter()
        .map(|parcel| match parcel.as_ref().unwrap() {
            Parcel::Schema(_, extents) => format!("{extents} extents"),
            Parcel::Extent(bytes) => bytes.len().to_string(),
            other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
        })
        .collect();
    let long = ((3 << 20) + 7).to_string();
    let one = ["3 extents", "0", "5", &long];
    assert_eq!(shape, [&one[..], &["Failed", "0 extents", "1 extents", "Damaged"], &one[..]].concat());
}

#[test]
fn a_stranger_gets_nothing() {
    let pair = pair(ClusterToken::random().unwrap(), ClusterToken::random().unwrap());
    assert_eq!(pair.fetch(SESSION, 1).unwrap_err(), TaskFailure::MissingBlock(block(1).id));
}

#[test]
fn a_process_that_is_gone_has_no_blocks() {
    let pair = friends();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let nobody = Place { address, ..pair.place.clone() };
    let mut delivery = pair.courier.order(nobody, SESSION, vec![block(1)], None);
    assert_eq!(delivery.next(&GO).unwrap().unwrap_err(), TaskFailure::MissingBlock(block(1).id));
    assert!(delivery.next(&GO).is_none());
}

#[test]
fn whoever_waits_for_a_process_that_went_down_is_told_at_once() {
    let pair = friends();
    // It accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let place = Place { address: address.clone(), ..pair.place.clone() };
    let mut delivery = pair.courier.order(place, SESSION, vec![block(1)], None);
    let _held = silent.accept().unwrap();
    pair.courier.forget(&address);
    assert_eq!(delivery.next(&GO).unwrap().unwrap_err(), TaskFailure::MissingBlock(block(1).id));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let io = Io::start().unwrap();
    let receive: gate::Receive = Arc::new(|_| ());
    let token = ClusterToken::random().unwrap();
    let opened = gate::open(&io.handle(), &bind, (Arc::new(Shelves), receive), token, &NodeOptions::default());
    assert!(matches!(opened, Err(RemoteError::Listen { address, .. }) if address == bind));
}
