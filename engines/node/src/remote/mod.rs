//! The live host across processes: one driver process, any number of node processes.
//!
//! | module | idea |
//! |---|---|
//! | `wire` | the frames of a control stream and their encoding |
//! | `token` | the secret that callers of a process must know |
//! | `handshake` | token, build and incarnation are checked before anything else is said |
//! | `poller` | where threads sleep: for work, for a deadline, for a peer |
//! | `link` | one control stream: written by whoever has something to say, read by whoever is idle |
//! | `network` | all control streams of a process |
//! | `crew` | its threads: they drive machines, speak, listen, and run tasks as slots allow |
//! | `blocks` | blocks over Arrow Flight |
//! | `reader` | blocks of other nodes as rows, a few blocks ahead |
//! | `peers` | the other nodes as a node sees them |
//! | `plans` | how plans get from the driver to the nodes |
//! | `gate` | the one port of a process, and its I/O runtime |
//! | `member` | one incarnation of a node: a style's machine and slots at work for one driver |
//! | `shelf` | which blocks it gives, and how |
//! | `node` | becomes what a driver tells it to be, again and again |
//! | `process` | a node as a process of its own |
//! | `cluster` | the driver's side: who is up, and what follows when one is not |
//! | `fleet` | the node processes of a session, from their start to their end |
//! | `stream` | the bytes under a control stream: plain or TLS |
//! | `tls` | certificates: what a process shows, and whom it believes |
//! | `options` | deadlines, and whether to encrypt |
//! | `error` | why processes do not get together |
//!
//! Invariants: kernels run on slots only, never on the I/O runtime; every wait has a deadline; what a stranger sends is
//! bounded and refused before it is decoded; a process that counts as down reaches nobody.

mod blocks;
mod cluster;
pub(crate) mod crew;
mod error;
mod fleet;
mod gate;
mod handshake;
mod link;
mod member;
mod network;
mod node;
mod options;
mod peers;
mod plans;
mod poller;
mod process;
mod reader;
mod shelf;
mod stream;
mod tls;
mod token;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use cluster::Account;
pub(crate) use crew::Wire;
pub use error::RemoteError;
pub(crate) use fleet::Fleet;
pub use fleet::NodePlan;
pub(crate) use network::Network;
pub use node::{Node, NodeSetup, NodeStyles};
pub use options::NodeOptions;
pub use process::{ProcessSetup, serve_node};
pub use tls::TlsFiles;
pub use token::{ClusterToken, InvalidToken};
pub(crate) use wire::Frame;
