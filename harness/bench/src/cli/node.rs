//! `bench node`.

use clap::Args;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Runs a node of a cluster: slots, a block store and the machines of one engine style, driven from elsewhere.
///
/// `bench run --cluster` starts nodes by itself; this is what it starts. The cluster's token is read from the first line
/// of standard input, one line of JSON on standard output then says where the node listens, and the node ends when its
/// input does. A caller without the token, or of another build, is refused.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeArgs {
    /// Listens here; port 0 takes a free one. Anything but the loopback address lets other machines try their token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Keeps blocks and temporary files in this folder, made if need be; what the node put there is gone at its end.
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: PathBuf,
    /// Keeps blocks that other nodes of this machine may map in this folder, which should lie in memory, such as below
    /// /dev/shm [default: such blocks stay in the node's own memory].
    #[arg(long, value_name = "DIR")]
    pub(crate) shared: Option<PathBuf>,
    /// Encrypts everything, and talks to nobody without a certificate: certificate.pem, key.pem and authority.pem of this
    /// folder are shown and believed, and all certificates carry the name bench-node [default: in clear].
    #[arg(long, value_name = "DIR")]
    pub(crate) tls: Option<PathBuf>,
    /// Ends when no driver has had this node for so many seconds [default: never]. For nodes whose starter may vanish
    /// without a trace.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) alone: Option<NonZeroU32>,
    /// Takes memory in small pages, never in huge ones. For nodes that share a machine, which need less memory that way
    /// and have sooner used all of it once.
    #[arg(long)]
    pub(crate) small_pages: bool,
}
