//! What can be set about the network side of a cluster.

use crate::remote::tls::TlsFiles;
use std::time::Duration;

/// Deadlines and encryption. The same on the driver and, by its configuration, on the nodes.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// How often the driver asks each node whether it is there.
    pub heartbeat: Duration,
    /// A node that was not heard for this long is gone, and so is a driver.
    pub silence: Duration,
    /// The longest that a connection, a handshake or a node's start may take.
    pub patience: Duration,
    /// The longest pause in the middle of a block.
    pub stall: Duration,
    /// Certificates, if connections are to be encrypted: those for blocks and control streams alike.
    pub tls: Option<TlsFiles>,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            silence: Duration::from_secs(3),
            patience: Duration::from_secs(5),
            stall: Duration::from_secs(10),
            tls: None,
        }
    }
}
