//! Looks at the certificate that is shown while somebody else decides whether it is believed.
//!
//! A refusal can then say whose certificate it was: that tells an intercepting proxy from a
//! captive portal, and a wrong clock from an old certificate. It never believes more than the
//! verifier that it stands beside.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Longest name out of a foreign certificate that is kept, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Most names out of a foreign certificate that are kept.
const NAMES_MAX: usize = 8;

/// What a certificate says of itself. All of it is the other side's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who issued it.
    pub issuer: String,
    /// Whose it is: the names in it, at most a few.
    pub names: Vec<String>,
    /// From when it counts.
    pub begins: Timestamp,
    /// Until when it counts.
    pub ends: Timestamp,
    /// Whether it would be believed at a time within its own bounds.
    pub is_trusted_else: bool,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}', issued by '{}'",
            self.names.join(", "),
            self.issuer
        )
    }
}

impl Seen {
    /// Reads a certificate; none where it cannot be read.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let mut names: Vec<String> = alternatives
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(bounded(name)),
                GeneralName::IPAddress(octets) => address(octets),
                _ => None,
            })
            .take(NAMES_MAX)
            .collect();
        if names.is_empty() {
            names.push(bounded(&certificate.subject().to_string()));
        }
        let validity = certificate.validity();
        Some(Self {
            issuer: bounded(&certificate.issuer().to_string()),
            names,
            begins: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            ends: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
            is_trusted_else: false,
        })
    }

    /// Whether it is for this host.
    #[must_use]
    pub fn names_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            let below = host.split_once('.').map(|(_, below)| below);
            name == host || name.strip_prefix("*.").is_some_and(|it| Some(it) == below)
        })
    }
}

fn bounded(text: &str) -> String {
    let printable = text.chars().filter(|letter| !letter.is_control());
    printable.take(NAME_CHARS_MAX).collect()
}

fn address(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).map(|it| std::net::IpAddr::from(it).to_string());
    let v6 = <[u8; 16]>::try_from(octets).map(|it| std::net::IpAddr::from(it).to_string());
    v4.or(v6).ok()
}

/// Stands beside a verifier and keeps what was shown.
#[derive(Debug)]
pub(crate) struct Witness {
    verifier: Arc<dyn ServerCertVerifier>,
    /// Judge as if it were then.
    now: Option<UnixTime>,
    seen: Mutex<Option<Seen>>,
}

impl Witness {
    pub(crate) fn new(verifier: Arc<dyn ServerCertVerifier>, now: Option<UnixTime>) -> Self {
        Self {
            verifier,
            now,
            seen: Mutex::default(),
        }
    }

    /// What was shown, if anything was.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let now = self.now.unwrap_or(now);
        let judged = self
            .verifier
            .verify_server_cert(leaf, chain, name, ocsp, now);
        let mut seen = Seen::of(leaf);
        if let (Err(error), Some(seen)) = (&judged, seen.as_mut())
            && is_about_time(error)
        {
            // Time is looked at before the issuer: what would be said at another time?
            let middle = seen.begins.as_second().midpoint(seen.ends.as_second());
            let middle = Duration::from_secs(u64::try_from(middle).unwrap_or_default());
            let middle = UnixTime::since_unix_epoch(middle);
            let again = self
                .verifier
                .verify_server_cert(leaf, chain, name, ocsp, middle);
            seen.is_trusted_else = again.is_ok();
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        judged
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn is_about_time(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    )
}
