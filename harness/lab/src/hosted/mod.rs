//! Engines in processes of their own, driven by JSON lines: memory, CPU time, crashes and timeouts are isolated and
//! measured alike for all. `docs/engine-protocol.md` describes the protocol for drivers in other languages.
//!
//! | part | idea |
//! |---|---|
//! | `wire` | the messages |
//! | `serve` | the child's side, for engines of this repository |
//! | `session` | the parent's side: one request at a time, never a hang |
//! | `keeper` | the parent of what products leave behind |
//! | `result` | the file that an engine leaves its answer in |
//! | `spans` | how far what a product tells of its slots' time is believed |
//! | `process` | spawning, watching and killing the child |
//! | `provider` | engines for the runner, one process each |
//! | `conformance` | whether a driver keeps to the protocol |
//! | `sockets` | folders with short paths, for products whose sockets need them |
//! | `scratch` | folders that do not outlive their run, however it ends |

mod conformance;
mod keeper;
mod process;
mod provider;
mod result;
mod scratch;
mod serve;
mod session;
mod sockets;
mod spans;
mod wire;

pub use conformance::{Finding, Verdict, check};
pub use keeper::keep;
pub use provider::HostedProvider;
pub use scratch::ScratchRoot;
pub use serve::{ServeError, serve};
pub use session::{HostedEngine, HostedSession, Origin};
pub use spans::{SPANS_VERSION, WireSpans};
pub use wire::{
    Envelope, FailureKind, Hello, MAX_MESSAGE_BYTES, PROTOCOL, Ran, Reply, Request, WireDataset, WireError, WireSetup,
    WireTable,
};
