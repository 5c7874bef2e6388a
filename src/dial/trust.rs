//! Whom we believe, and who we are: made into a rustls configuration.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
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
    /// Believes exactly these roots, and those `beside` them.
    pub(crate) fn verifier(
        &self,
        beside: &[CertificateDer<'static>],
    ) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.roots_pem.as_bytes()) {
            let root = root.map_err(|_| TrustError::Unreadable("hub's certificate"))?;
            roots.add(root)?;
        }
        if roots.is_empty() {
            return Err(TrustError::Unreadable("hub's certificate"));
        }
        for root in beside {
            roots.add(root.clone())?;
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
            .map_err(|_| TrustError::Unreadable("hub's certificate"))
    }

    /// TLS 1.2 or newer, with our certificate if there is one.
    pub(crate) fn client_config(
        &self,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<ClientConfig, TrustError> {
        let Some((certificate, key)) = &self.identity else {
            return Ok(without_identity(verifier)?);
        };
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TrustError::Unreadable("agent's certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|_| TrustError::Unreadable("agent's key"))?;
        Ok(ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(chain, key)?)
    }
}

/// TLS 1.2 or newer for somebody who shows no certificate.
pub(crate) fn without_identity(
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
