//! Whom the door's TLS believes: certificates of the hub's own authority, also ended ones.
//!
//! An agent that was long without its hub comes back with a certificate that has ended. TLS lets it
//! in if that is its only fault; what it then may do is renew, and nothing else
//! ([`crate::store::holders`] judges that at each call).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::ca::{AGENT_BACKDATE, Authority, RENEWABLE_FOR};
use crate::door::tls::TlsError;
use crate::store::hash_hex;
use crate::store::holders::Presented;

/// Judges the certificates of clients; none is needed.
#[derive(Debug)]
pub(super) struct Verifier(Arc<dyn ClientCertVerifier>);

impl Verifier {
    /// Believes what this authority has signed.
    pub(super) fn new(authority: &Authority) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone())?;
        let inner = WebPkiClientVerifier::builder(Arc::new(roots))
            .allow_unauthenticated()
            .build()?;
        Ok(Self(inner))
    }
}

/// When a certificate ended, if it did within [`RENEWABLE_FOR`].
fn ended(leaf: &CertificateDer<'_>, now: UnixTime) -> Option<UnixTime> {
    let until = validity(leaf)?.1;
    let is_recent = now.as_secs().saturating_sub(until) <= RENEWABLE_FOR.as_secs();
    is_recent.then(|| UnixTime::since_unix_epoch(Duration::from_secs(until)))
}

/// From when to when, in seconds since 1970.
fn validity(leaf: &CertificateDer<'_>) -> Option<(u64, u64)> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let from = u64::try_from(leaf.validity().not_before.timestamp()).ok()?;
    let until = u64::try_from(leaf.validity().not_after.timestamp()).ok()?;
    Some((from, until))
}

/// What stands in a certificate that TLS has verified; none if it is not written like an agent's.
pub(super) fn presented(leaf: &CertificateDer<'_>) -> Option<Presented> {
    let (from, until) = validity(leaf)?;
    let at = |secs: u64| Timestamp::from_second(i64::try_from(secs).ok()?).ok();
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    let agent = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    Some(Presented {
        fingerprint: hash_hex(leaf),
        agent: agent.to_owned(),
        issued: at(from.saturating_add(AGENT_BACKDATE.as_secs()))?,
        until: at(until)?,
    })
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        let has_ended = matches!(
            verified,
            Err(Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. }
            ))
        );
        match ended(end_entity, now).filter(|_| has_ended) {
            // As it was judged in its last second: whatever else is wrong with it still is.
            Some(last) => self.0.verify_client_cert(end_entity, intermediates, last),
            None => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls_pki_types::pem::PemObject;

    use super::*;
    use crate::ca::{AGENT_LIFE, CheckedRequest};

    fn verified_after(end: Duration, authority: &Authority, other: &Authority) -> bool {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        let request = CheckedRequest::parse(&request.pem().unwrap()).unwrap();
        let made: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let signed = authority.sign_agent(&request, "0123", made).unwrap();
        let leaf = CertificateDer::from_pem_slice(signed.pem.as_bytes()).unwrap();
        let presented = presented(&leaf).unwrap();
        assert_eq!(
            (presented.issued, presented.until),
            (signed.issued, signed.until)
        );
        let now = (made + AGENT_LIFE + end).as_second().unsigned_abs();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let verifier = Verifier::new(other).unwrap();
        verifier.verify_client_cert(&leaf, &[], now).is_ok()
    }

    #[test]
    fn an_ended_certificate_passes_for_400_days_and_a_foreign_one_never() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = Timestamp::now();
        let ours = Authority::open(ours.path(), now).unwrap();
        let theirs = Authority::open(theirs.path(), now).unwrap();
        assert!(verified_after(Duration::from_secs(1), &ours, &ours));
        assert!(verified_after(RENEWABLE_FOR, &ours, &ours));
        let later = RENEWABLE_FOR + Duration::from_secs(1);
        assert!(!verified_after(later, &ours, &ours));
        assert!(!verified_after(Duration::from_secs(1), &theirs, &ours));
    }
}
