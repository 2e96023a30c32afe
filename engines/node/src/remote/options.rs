//! What can be set about the network side of a cluster.

use crate::remote::error::RemoteError;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

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
    /// Certificates, if connections are to be encrypted.
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

/// PEM files for mutual authentication: every process shows a certificate of the cluster's authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// This process's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that has signed every process's certificate.
    pub authority: PathBuf,
    /// The name in the certificates.
    pub name: String,
}

impl TlsFiles {
    fn identity(&self) -> Result<Identity, RemoteError> {
        Ok(Identity::from_pem(read(&self.certificate)?, read(&self.key)?))
    }

    fn certificate_of_authority(&self) -> Result<Certificate, RemoteError> {
        Ok(Certificate::from_pem(read(&self.authority)?))
    }

    /// What a listening process needs.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn server(&self) -> Result<ServerTlsConfig, RemoteError> {
        Ok(ServerTlsConfig::new().identity(self.identity()?).client_ca_root(self.certificate_of_authority()?))
    }

    /// What a calling process needs.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn client(&self) -> Result<ClientTlsConfig, RemoteError> {
        let config = ClientTlsConfig::new().domain_name(&self.name);
        Ok(config.identity(self.identity()?).ca_certificate(self.certificate_of_authority()?))
    }

    /// A configuration that cannot be used, as an error that names its files.
    pub(crate) fn unusable(&self, reason: &impl ToString) -> RemoteError {
        RemoteError::Tls { path: self.certificate.display().to_string(), reason: reason.to_string() }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RemoteError> {
    std::fs::read(path).map_err(|e| RemoteError::Tls { path: path.display().to_string(), reason: e.to_string() })
}
