//! Why two processes do not get together, or part.

use crate::remote::wire::WireError;
use std::io;

/// A cluster that cannot be formed, or a process that cannot join one.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("cannot connect to node {address}: {source}; check that `bench node` runs there")]
    Connect {
        /// Where to.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// No port to listen on.
    #[error("cannot listen on {address}: {source}; choose another address or port")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Both sides run different programs.
    #[error("{address} runs build {theirs}, this is build {ours}; start the same binary on every node")]
    Build {
        /// Whom we spoke to.
        address: String,
        /// What runs there.
        theirs: String,
        /// What runs here.
        ours: String,
    },
    /// The other side does not know our token.
    #[error("{address} refuses this cluster's token; give every node the token of this driver")]
    Token {
        /// Whom we spoke to.
        address: String,
    },
    /// The other side does not speak as it should.
    #[error("{address} broke off the handshake: {reason}")]
    Handshake {
        /// Whom we spoke to.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// A node cannot be what it is told to be.
    #[error("node {address} cannot take part: {reason}")]
    Unfit {
        /// Which one.
        address: String,
        /// What to change.
        reason: String,
    },
    /// A certificate or key that cannot be used.
    #[error("cannot use {path} for TLS: {reason}; give PEM files of a certificate, its key and its authority")]
    Tls {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The two sides do not accept each other's certificates, or one of them has none.
    #[error("{address} and this process do not trust each other: {reason}; give both certificates of one authority")]
    Untrusted {
        /// Whom we spoke to.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The system refuses a thread, a descriptor or a runtime.
    #[error("cannot start the network side of a node: {0}")]
    Resources(#[source] io::Error),
    /// A node was not given its token.
    #[error("no cluster token: its digits must be the first line of standard input")]
    NoToken,
}

/// Why a control stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The other side closed it or the network broke it.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// What arrived is not a frame.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// The other side stopped reading.
    #[error("{0} messages wait to be sent: the other side does not read")]
    Backlog(usize),
    /// It was closed from this side.
    #[error("it was closed")]
    Closed,
}
