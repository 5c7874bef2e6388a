//! The TLS verifier of the one call that enrolls: believes only the CA that the code names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

/// Believes a server whose chain holds the CA with this fingerprint and ends in it, or ends in one
/// of the roots beside it: those of an intercepting proxy, where the site configured one.
#[derive(Debug)]
pub(super) struct Pin {
    fingerprint: [u8; 32],
    beside: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    doubt: Doubt,
}

/// Whether a server was refused for what it is, which tonic's own error does not tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// Whether it was.
    pub(super) fn was_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Pin {
    /// A verifier for the CA with this fingerprint, and for the roots `beside` it.
    pub(super) fn new(fingerprint: [u8; 32], beside: Vec<CertificateDer<'static>>) -> Self {
        Self {
            fingerprint,
            beside,
            provider: Arc::new(ring::default_provider()),
            doubt: Doubt::default(),
        }
    }

    /// The verifier to use, and what tells that it refused.
    pub(super) fn watched(self) -> (Arc<dyn ServerCertVerifier>, Doubt) {
        let doubt = self.doubt.clone();
        (Arc::new(self), doubt)
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = chain
            .iter()
            .find(|certificate| fingerprint(certificate) == self.fingerprint);
        let mut roots = RootCertStore::empty();
        for root in authority.into_iter().chain(&self.beside) {
            roots.add(root.clone().into_owned())?;
        }
        if roots.is_empty() {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        }
        let provider = self.provider.clone();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        verifier.verify_server_cert(leaf, chain, name, &[], now)
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verify(end_entity, intermediates, server_name, now);
        if verified.is_err() {
            self.doubt.0.store(true, Ordering::Relaxed);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Whether a PEM text is the certificate with this fingerprint.
pub(super) fn is_the_one(pem: &str, expected: [u8; 32]) -> bool {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .is_ok_and(|certificate| fingerprint(&certificate) == expected)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}
