//! Whom we believe, and who we are: made into a rustls configuration.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The roots that are believed and, where the other side asks, our own certificate. All PEM.
#[derive(Clone)]
pub struct Trust {
    /// The only roots that are believed.
    pub roots_pem: String,
    /// Our certificate and its key.
    pub identity: Option<(String, String)>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The PEM is none, or rustls does not take it.
    #[error("the {0} cannot be read")]
    Unreadable(&'static str),
    /// rustls refuses the whole.
    #[error("no TLS configuration: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// TLS 1.2 or newer with exactly these roots.
    pub(crate) fn client_config(&self) -> Result<rustls::ClientConfig, TrustError> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.roots_pem.as_bytes()) {
            let root = root.map_err(|_| TrustError::Unreadable("hub's certificate"))?;
            roots.add(root)?;
        }
        if roots.is_empty() {
            return Err(TrustError::Unreadable("hub's certificate"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let Some((certificate, key)) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TrustError::Unreadable("agent's certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|_| TrustError::Unreadable("agent's key"))?;
        Ok(builder.with_client_auth_cert(chain, key)?)
    }
}
