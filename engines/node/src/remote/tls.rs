//! Certificates: what a process shows, and whom it believes.
//!
//! Authentication is mutual for blocks and for control streams alike: every process shows a certificate of the cluster's
//! authority that carries the cluster's name.

use crate::remote::error::RemoteError;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

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
    /// The name that certificates carry unless something else is said.
    pub const NAME: &str = "bench-node";

    /// The files of a folder: `certificate.pem`, `key.pem` and `authority.pem`, with the usual name.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let [certificate, key, authority] =
            ["certificate.pem", "key.pem", "authority.pem"].map(|file| folder.join(file));
        Self { certificate, key, authority, name: Self::NAME.to_owned() }
    }

    fn identity(&self) -> Result<Identity, RemoteError> {
        Ok(Identity::from_pem(read(&self.certificate)?, read(&self.key)?))
    }

    fn certificate_of_authority(&self) -> Result<Certificate, RemoteError> {
        Ok(Certificate::from_pem(read(&self.authority)?))
    }

    /// What a process that serves blocks needs.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn server(&self) -> Result<ServerTlsConfig, RemoteError> {
        Ok(ServerTlsConfig::new().identity(self.identity()?).client_ca_root(self.certificate_of_authority()?))
    }

    /// What a process that asks for blocks needs.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn client(&self) -> Result<ClientTlsConfig, RemoteError> {
        let config = ClientTlsConfig::new().domain_name(&self.name);
        Ok(config.identity(self.identity()?).ca_certificate(self.certificate_of_authority()?))
    }

    /// What control streams need, in both directions.
    ///
    /// # Errors
    /// A file that cannot be read, or that does not hold what it should.
    pub(crate) fn keys(&self) -> Result<Keys, RemoteError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.authority)? {
            roots.add(root).map_err(|e| wrong(&self.authority, &e))?;
        }
        let roots = Arc::new(roots);
        Ok(Keys {
            caller: Arc::new(self.caller(&provider, &roots)?),
            called: Arc::new(self.called(&provider, &roots)?),
            name: ServerName::try_from(self.name.clone()).map_err(|e| wrong(&self.certificate, &e))?,
        })
    }

    fn caller(&self, provider: &Arc<CryptoProvider>, roots: &Arc<RootCertStore>) -> Result<ClientConfig, RemoteError> {
        let (chain, key) = (certificates(&self.certificate)?, private_key(&self.key)?);
        let config = ClientConfig::builder_with_provider(Arc::clone(provider)).with_protocol_versions(&[&TLS13]);
        let config = config.map_err(|e| self.unusable(&e))?.with_root_certificates(Arc::clone(roots));
        let mut config = config.with_client_auth_cert(chain, key).map_err(|e| self.unusable(&e))?;
        // Streams are long and few: each of them is agreed upon from scratch.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    fn called(&self, provider: &Arc<CryptoProvider>, roots: &Arc<RootCertStore>) -> Result<ServerConfig, RemoteError> {
        let (chain, key) = (certificates(&self.certificate)?, private_key(&self.key)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)).build();
        let verifier = verifier.map_err(|e| wrong(&self.authority, &e))?;
        let config = ServerConfig::builder_with_provider(Arc::clone(provider)).with_protocol_versions(&[&TLS13]);
        let config = config.map_err(|e| self.unusable(&e))?.with_client_cert_verifier(verifier);
        let mut config = config.with_single_cert(chain, key).map_err(|e| self.unusable(&e))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// A configuration that cannot be used, as an error that names its files.
    pub(crate) fn unusable(&self, reason: &impl ToString) -> RemoteError {
        wrong(&self.certificate, reason)
    }
}

/// Certificates and key, read and ready.
#[derive(Clone)]
pub(crate) struct Keys {
    caller: Arc<ClientConfig>,
    called: Arc<ServerConfig>,
    name: ServerName<'static>,
}

impl Keys {
    /// For a process that calls another: how, and which name it expects.
    pub(crate) fn caller(&self) -> (Arc<ClientConfig>, ServerName<'static>) {
        (Arc::clone(&self.caller), self.name.clone())
    }

    /// For a process that is called.
    pub(crate) fn called(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.called)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    let pem = read(path)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|e| wrong(path, &e))?;
    if found.is_empty() { Err(wrong(path, &"it holds no certificate")) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, RemoteError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|e| wrong(path, &e))
}

fn read(path: &Path) -> Result<Vec<u8>, RemoteError> {
    std::fs::read(path).map_err(|e| wrong(path, &e))
}

fn wrong(path: &Path, reason: &impl ToString) -> RemoteError {
    RemoteError::Tls { path: path.display().to_string(), reason: reason.to_string() }
}

/// The certificates of one folder of the tests.
#[cfg(test)]
pub(crate) fn certificates_of(folder: &str) -> TlsFiles {
    TlsFiles::in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let good = certificates_of("cluster");
        assert!(good.keys().is_ok());
        let absent = TlsFiles { authority: "/nowhere/authority.pem".into(), ..good.clone() };
        let no_certificate = TlsFiles { certificate: good.key.clone(), ..good.clone() };
        let no_key = TlsFiles { key: good.authority.clone(), ..good.clone() };
        let mismatch = TlsFiles { key: certificates_of("stranger").key, ..good.clone() };
        for (files, named) in [
            (&absent, "/nowhere/authority.pem"),
            (&no_certificate, "cluster/key.pem"),
            (&no_key, "cluster/authority.pem"),
            (&mismatch, "cluster/certificate.pem"),
        ] {
            let error = files.keys().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn keys_are_not_printed_by_accident() {
        assert_eq!(format!("{:?}", certificates_of("cluster").keys().unwrap()), "Keys(..)");
    }
}
