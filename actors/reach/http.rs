//! One request over HTTP/1.1 to one port of one device, in the clear or over TLS, and its answer.
//!
//! Used by the doors that speak HTTP. Nothing that a device sends is followed: no redirect, no
//! cookie, no login; an answer in another encoding than none is refused, so nothing is unpacked.
//! Over TLS a device is believed by the certificate it showed first, and by no other: devices sign
//! their own. A name, an end or an issuer in it means nothing; that it has the key does.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_ENCODING, HeaderMap, LOCATION};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::scope::InScope;
use super::stream::{self, DeviceStream, NoStream};

/// How long one answer may take, to its last octet, TLS included: a printer that wakes up takes some
/// seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest head of an answer. hyper takes no less than 8 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1_024;

/// Most characters of a redirect's target that are repeated.
const TARGET_CHARS_MAX: usize = 120;

/// Octets of a SHA-256.
const DIGEST_OCTETS: usize = 32;

/// A certificate by its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint([u8; DIGEST_OCTETS]);

/// An answer with status 200, or another status and where it points.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Of a redirect, its target, bounded and printable.
    pub(super) location: Option<String>,
    /// Empty unless the status is 200.
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error(transparent)]
    NoStream(#[from] NoStream),
    /// It accepts connections and does not answer in time.
    #[error("{0} did not answer over HTTP in {secs} s", secs = ANSWER_TIMEOUT.as_secs())]
    Slow(SocketAddr),
    /// What it sends is no HTTP, or ends in the middle.
    #[error("{peer} does not speak HTTP as it should: {why}")]
    Http {
        /// Whom.
        peer: SocketAddr,
        /// What was wrong.
        why: String,
    },
    /// Longer than such an answer may be.
    #[error("{peer} answers more than {bytes_max} bytes")]
    TooLong {
        /// Whom.
        peer: SocketAddr,
        /// What there is room for.
        bytes_max: usize,
    },
    /// No TLS of today.
    #[error("{peer} does not speak TLS 1.2 or 1.3 as it should: {why}")]
    Tls {
        /// Whom.
        peer: SocketAddr,
        /// What was wrong.
        why: String,
    },
    /// Another certificate than before.
    #[error("the certificate of {peer} changed: it was {was}, it is {is} (SHA-256)")]
    Changed {
        /// Whom.
        peer: SocketAddr,
        /// The one that is known.
        was: Thumbprint,
        /// The one it shows.
        is: Thumbprint,
    },
}

impl Thumbprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl std::fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.to_string()
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "a SHA-256 is 64 hexadecimal digits";
        if text.len() != 2 * DIGEST_OCTETS || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        let mut octets = [0; DIGEST_OCTETS];
        for (octet, digits) in octets.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong)?;
            *octet = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(Self(octets))
    }
}

/// How a device is spoken to.
#[derive(Debug, Clone)]
pub(super) enum Carriage {
    /// In the clear.
    Plain,
    /// Over TLS, by a certificate.
    Tls(Tls),
}

/// TLS with one device: the certificate that counts, which the first connection settles where none
/// is known yet.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    pin: Arc<Pinned>,
}

impl Tls {
    /// By this certificate, or by the first that is shown.
    pub(super) fn by(known: Option<Thumbprint>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pin = Arc::new(Pinned {
            provider: Arc::clone(&provider),
            counts: OnceLock::new(),
            other: OnceLock::new(),
        });
        if let Some(known) = known {
            // Nobody else has it yet.
            let _ = pin.counts.set(known);
        }
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(pin.clone())
            .with_no_client_auth();
        let config = Arc::new(config);
        Ok(Self { config, pin })
    }

    /// The certificate that counts, once one is known.
    pub(super) fn certificate(&self) -> Option<Thumbprint> {
        self.pin.counts.get().copied()
    }
}

/// Believes one certificate.
#[derive(Debug)]
struct Pinned {
    provider: Arc<CryptoProvider>,
    counts: OnceLock<Thumbprint>,
    /// The one that was shown instead, if any.
    other: OnceLock<Thumbprint>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Thumbprint::of(shown);
        if *self.counts.get_or_init(|| shown) == shown {
            return Ok(ServerCertVerified::assertion());
        }
        // The first that differs is the one that is told of.
        let _ = self.other.set(shown);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}

/// Sends a request on a connection of its own, and takes the answer to its end.
///
/// # Errors
/// [`HttpError`].
pub(super) async fn ask(
    target: &InScope,
    carriage: &Carriage,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<Answer, HttpError> {
    let stream = stream::connect(target, &[]).await?;
    ask_over(stream, (target.addr(), carriage), request, bytes_max).await
}

/// The same on a connection that is there already.
///
/// # Errors
/// [`HttpError`].
pub(super) async fn ask_over(
    stream: DeviceStream,
    (peer, carriage): (SocketAddr, &Carriage),
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<Answer, HttpError> {
    let stream = stream.into_tcp();
    let asked = async {
        let exchange = Exchange { peer, bytes_max };
        match carriage {
            Carriage::Plain => exchange.over(stream, request).await,
            Carriage::Tls(tls) => {
                let connector = TlsConnector::from(Arc::clone(&tls.config));
                let name = ServerName::IpAddress(peer.ip().into());
                let secured = connector.connect(name, stream).await;
                let secured = secured.map_err(|error| unsecured(peer, tls, &error))?;
                exchange.over(secured, request).await
            }
        }
    };
    let asked = timeout(ANSWER_TIMEOUT, asked).await;
    asked.map_err(|_| HttpError::Slow(peer))?
}

fn unsecured(peer: SocketAddr, tls: &Tls, error: &std::io::Error) -> HttpError {
    match (tls.certificate(), tls.pin.other.get()) {
        (Some(was), Some(is)) => HttpError::Changed { peer, was, is: *is },
        (_, _) => HttpError::Tls {
            peer,
            why: error.to_string(),
        },
    }
}

/// One request and its answer.
struct Exchange {
    peer: SocketAddr,
    bytes_max: usize,
}

impl Exchange {
    async fn over<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, HttpError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.wrong(error.to_string()))?;
        let exchange = pin!(async {
            let answered = sender.send_request(request).await;
            let answer = answered.map_err(|error| self.wrong(error.to_string()))?;
            let (head, body) = answer.into_parts();
            let location = location(&head.headers);
            if head.status != StatusCode::OK {
                return Ok(Answer {
                    status: head.status,
                    location,
                    body: Bytes::new(),
                });
            }
            if let Some(encoding) = head.headers.get(CONTENT_ENCODING)
                && encoding != "identity"
            {
                return Err(self.wrong("it packs what it was not asked to pack".to_owned()));
            }
            let body = self.body(body).await?;
            Ok(Answer {
                status: head.status,
                location,
                body,
            })
        });
        match select(exchange, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            // The connection may end before all of its octets have been looked at.
            Either::Right((_, exchange)) => exchange.await,
        }
    }

    async fn body(&self, body: hyper::body::Incoming) -> Result<Bytes, HttpError> {
        let too_long = || HttpError::TooLong {
            peer: self.peer,
            bytes_max: self.bytes_max,
        };
        // What says of itself that it is too long is not waited for.
        if body.size_hint().lower() > self.bytes_max as u64 {
            return Err(too_long());
        }
        let body = Limited::new(body, self.bytes_max).collect().await;
        let body = body.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                too_long()
            } else {
                self.wrong(error.to_string())
            }
        })?;
        Ok(body.to_bytes())
    }

    fn wrong(&self, why: String) -> HttpError {
        let peer = self.peer;
        HttpError::Http { peer, why }
    }
}

fn location(headers: &HeaderMap) -> Option<String> {
    let target = headers.get(LOCATION)?;
    let target = String::from_utf8_lossy(target.as_bytes());
    let printable = target.chars().filter(|letter| !letter.is_control());
    Some(printable.take(TARGET_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_written_and_read_back() {
        let thumbprint = Thumbprint::of(&CertificateDer::from(vec![1, 2, 3]));
        let text = String::from(thumbprint);
        assert_eq!(text.len(), 64);
        assert_eq!(Thumbprint::try_from(text.clone()), Ok(thumbprint));
        for wrong in ["", "00", &text[1..], &format!("{}x", &text[1..]), "é"] {
            assert!(Thumbprint::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
