//! TLS to a printer: whatever certificate it shows, the one that was seen first.
//!
//! Printers sign for themselves, with dates, names and key sizes as they come, so no authority is
//! asked. What counts is that the device proves to hold the key of the certificate that is pinned
//! at this device and port. Another certificate ends the handshake before a request is sent.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error,
    PeerIncompatible, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::link::MASKED_NAME;
use super::page::{Refusal, cut};
use crate::session::{Deed, Later, Notice, Session, Stream, Terms};
use crate::store::hash_hex;

/// Longest a printer may take to shake hands: a small processor takes seconds over RSA.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest certificate that is looked at, in octets of DER.
const CERTIFICATE_LEN_MAX: usize = 16 * 1024;

/// What is pinned cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PinError(pub String);

/// Which certificate is believed at a device's port. Kept by the store.
pub trait Pins: fmt::Debug + Send + Sync {
    /// The SHA-256 of the certificate that is pinned at the session's device and port, in hex.
    fn get(&self, terms: &Terms) -> Later<Result<Option<String>, PinError>>;

    /// Pins the first one that was seen. Where another was first, that one stays.
    fn first(&self, terms: &Terms, fingerprint: &str) -> Later<Result<(), PinError>>;
}

/// Speaks TLS to the session's device over a stream, and pins what it shows first.
///
/// # Errors
/// [`Refusal`], for a person; the session has a [`Notice`] where a person has to decide.
pub(super) async fn over(
    session: &Session,
    pins: &dyn Pins,
    stream: Box<dyn Stream>,
) -> Result<TlsStream<Box<dyn Stream>>, Refusal> {
    let no_pins = |error: PinError| Refusal::NoPins(error.to_string());
    let terms = session.terms();
    let pinned = pins.get(terms).await.map_err(no_pins)?;
    let verifier = Arc::new(Pinned::new(pinned.clone()));
    let shaken = shake_hands(Arc::clone(&verifier), terms, stream).await;
    let shown = verifier.shown();
    let stream = match (shaken, pinned, shown) {
        (Err(_), Some(old), Some(new)) if old != new => return Err(changed(session, old, new)),
        (Err(error), ..) => return Err(refused(session, &error)),
        (Ok(stream), Some(_), _) => stream,
        (Ok(stream), None, Some(new)) => {
            pins.first(terms, &new).await.map_err(no_pins)?;
            // Two connections at once may have seen two: the one that is pinned is believed.
            let pinned = pins.get(terms).await.map_err(no_pins)?;
            if let Some(old) = pinned.filter(|old| *old != new) {
                return Err(changed(session, old, new));
            }
            let fingerprint = new;
            let deed = Deed::Certificate {
                fingerprint,
                is_change: false,
            };
            session.note(deed).await?;
            stream
        }
        (Ok(_), None, None) => return Err(Refusal::Tls("it has shown no certificate".to_owned())),
    };
    session.notify(None);
    Ok(stream)
}

fn changed(session: &Session, old: String, new: String) -> Refusal {
    session.notify(Some(Notice::CertificateChanged {
        old: old.clone(),
        new: new.clone(),
    }));
    Refusal::CertificateChanged { old, new }
}

/// Why there is no TLS, in words; a device that is only too old is told apart.
fn refused(session: &Session, error: &io::Error) -> Refusal {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let refusal = match inner {
        Some(
            Error::AlertReceived(
                AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity,
            )
            | Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ),
        ) => Refusal::TlsTooOld,
        Some(Error::InvalidMessage(_)) => Refusal::Tls("it does not speak TLS there".to_owned()),
        Some(Error::InvalidCertificate(error)) => Refusal::Tls(match error {
            CertificateError::BadEncoding => "its certificate cannot be read".to_owned(),
            CertificateError::BadSignature => {
                "it does not prove that its certificate is its own".to_owned()
            }
            other => format!(
                "its certificate cannot be used: {}",
                cut(&other.to_string())
            ),
        }),
        Some(other) => Refusal::Tls(cut(&other.to_string())),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                Refusal::Tls("it hung up when it was greeted".to_owned())
            }
            io::ErrorKind::TimedOut => Refusal::Late(HANDSHAKE_TIMEOUT.as_secs()),
            _ => Refusal::Tls(cut(&error.to_string())),
        },
    };
    session.notify(Some(match &refusal {
        Refusal::TlsTooOld => Notice::TlsTooOld,
        other => Notice::Unreachable(other.to_string()),
    }));
    refusal
}

async fn shake_hands(
    verifier: Arc<Pinned>,
    terms: &Terms,
    stream: Box<dyn Stream>,
) -> io::Result<TlsStream<Box<dyn Stream>>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // A name means nothing to a printer, and some fall over it.
    config.enable_sni = false;
    config.resumption = rustls::client::Resumption::disabled();
    let name = match terms.address {
        Some(address) => ServerName::IpAddress(address.into()),
        None => ServerName::try_from(MASKED_NAME).map_err(io::Error::other)?,
    };
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(shaken) => shaken,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Believes one certificate, or the first one it sees.
#[derive(Debug)]
struct Pinned {
    pinned: Option<String>,
    shown: Mutex<Option<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(pinned: Option<String>) -> Self {
        Self {
            pinned,
            shown: Mutex::default(),
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
        }
    }

    fn shown(&self) -> Option<String> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if end_entity.len() > CERTIFICATE_LEN_MAX {
            return Err(CertificateError::BadEncoding.into());
        }
        let fingerprint = hash_hex(end_entity);
        let is_believed = self
            .pinned
            .as_ref()
            .is_none_or(|pinned| *pinned == fingerprint);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
        match is_believed {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
            .or_else(|error| verify_odd(message, cert, (dss.scheme, dss.signature())).ok_or(error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
            .or_else(|error| verify_odd(message, cert, (dss.scheme, dss.signature())).ok_or(error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// As above for a certificate that webpki does not read (version 1, a certificate authority's) and
/// for RSA keys under 2 048 bits, which old printers make. The pin is what is believed; that the
/// device holds the key is proven here too.
fn verify_odd(
    message: &[u8],
    cert: &CertificateDer<'_>,
    (scheme, signed): (SignatureScheme, &[u8]),
) -> Option<HandshakeSignatureValid> {
    let algorithm: &dyn VerificationAlgorithm = match scheme {
        SignatureScheme::RSA_PKCS1_SHA256 => {
            &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        SignatureScheme::RSA_PKCS1_SHA512 => {
            &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        SignatureScheme::RSA_PKCS1_SHA384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        SignatureScheme::RSA_PSS_SHA256 => &signature::RSA_PSS_2048_8192_SHA256,
        SignatureScheme::RSA_PSS_SHA384 => &signature::RSA_PSS_2048_8192_SHA384,
        SignatureScheme::RSA_PSS_SHA512 => &signature::RSA_PSS_2048_8192_SHA512,
        SignatureScheme::ECDSA_NISTP256_SHA256 => &signature::ECDSA_P256_SHA256_ASN1,
        SignatureScheme::ECDSA_NISTP384_SHA384 => &signature::ECDSA_P384_SHA384_ASN1,
        SignatureScheme::ED25519 => &signature::ED25519,
        _ => return None,
    };
    let (_, cert) = X509Certificate::from_der(cert).ok()?;
    let key = UnparsedPublicKey::new(
        algorithm,
        cert.public_key().subject_public_key.data.as_ref(),
    );
    key.verify(message, signed).ok()?;
    Some(HandshakeSignatureValid::assertion())
}

#[cfg(test)]
#[path = "tls/tests.rs"]
mod tests;
