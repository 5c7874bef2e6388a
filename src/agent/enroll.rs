//! A one-time code becomes a key and a certificate on disk.
//!
//! The key is made here and never leaves. The code carries the fingerprint of the hub's CA, so
//! the very first connection already knows whom to believe; whoever else answers learns nothing.

mod pin;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use dial::{Connector, Destination, DialError, Dialer, Route, TlsProblem};
use proto::v1;
use proto::v1::enrollment_client::EnrollmentClient;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::time::timeout;
use tonic::Code;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use self::pin::Pin;
use crate::identity::{self, Identity, IdentityError};

/// Longest reply that is read: two certificates and two names.
const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Characters of the code's secret: 128 bits in base32.
const SECRET_LEN: usize = 26;
/// Characters of the code's fingerprint: SHA-256 in hex.
const FINGERPRINT_LEN: usize = 64;
/// Longest name of an agent, in characters: the limit of X.520 for a common name.
const NAME_CHARS_MAX: usize = 64;
/// Longest reason that is shown of what a hub said, in characters.
const REASON_CHARS_MAX: usize = 200;

/// What is needed to enroll.
#[derive(Debug, Clone)]
pub struct Enrollment<'a> {
    /// Where the hub is, `https://HOST:PORT`.
    pub url: &'a str,
    /// The one-time code, as the hub printed it.
    pub code: &'a OneTimeCode,
    /// Where the identity is kept.
    pub state_dir: &'a Path,
    /// What the agent calls itself; the hub may know better.
    pub name: &'a str,
    /// Whether an identity that is there is replaced.
    pub again: bool,
    /// How long the hub may take to connect, and again to answer.
    pub timeout: Duration,
    /// How to get there.
    pub route: &'a Route,
}

/// A code as printed by `platen-hub agent invite`: a secret, and which hub to believe.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    whole: String,
    fingerprint: [u8; 32],
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why an agent is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The code is not written like one.
    #[error("this is no enrollment code")]
    NoCode,
    /// The address is not written like one.
    #[error("{0}")]
    NoAddress(String),
    /// There is an identity already, and nobody asked to replace it.
    #[error("this agent is enrolled already, as {agent_name} at {hub_url}")]
    Already {
        /// What the hub calls it.
        agent_name: String,
        /// Where the hub is.
        hub_url: String,
    },
    /// The state folder or the identity in it.
    #[error(transparent)]
    State(#[from] IdentityError),
    /// Nobody answers there.
    #[error("the hub {url} cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// Somebody answers, but not the hub that made the code.
    #[error("what answers at {url} is not the hub that made this code")]
    Impostor {
        /// Where.
        url: String,
    },
    /// The hub does not take the code.
    #[error("the hub {url} refuses the code: {reason}")]
    Refused {
        /// Where.
        url: String,
        /// What it says.
        reason: String,
    },
    /// The hub, or something in its place, did not answer as agreed.
    #[error("the hub {url} answered what cannot be used: {reason}")]
    Strange {
        /// Where.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// No key could be made.
    #[error("no key could be made: {0}")]
    NoKey(#[from] rcgen::Error),
}

impl std::str::FromStr for OneTimeCode {
    type Err = EnrollError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = text.trim().to_owned();
        let (secret, fingerprint) = whole.split_once('.').ok_or(EnrollError::NoCode)?;
        let is_base32 = |letter: u8| letter.is_ascii_lowercase() || (b'2'..=b'7').contains(&letter);
        if secret.len() != SECRET_LEN || !secret.bytes().all(is_base32) {
            return Err(EnrollError::NoCode);
        }
        let fingerprint = octets(fingerprint).ok_or(EnrollError::NoCode)?;
        Ok(Self { whole, fingerprint })
    }
}

/// 64 hex digits as octets.
fn octets(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != FINGERPRINT_LEN || !hex.is_ascii() {
        return None;
    }
    let mut octets = [0; 32];
    for (octet, digits) in octets.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(octets)
}

/// Takes the address of a hub: https, a host, and nothing behind the port.
///
/// # Errors
/// What is wrong with it, lower case, no full stop.
pub fn check_url(url: &str) -> Result<String, String> {
    let uri: Uri = url
        .trim()
        .parse()
        .map_err(|_| format!("'{url}' is no address"))?;
    if uri.scheme_str() != Some("https") {
        return Err(format!("'{url}' is not an https address"));
    }
    let authority = uri
        .authority()
        .ok_or_else(|| format!("'{url}' has no host"))?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@')
    {
        return Err(format!("'{url}' has more in it than a host and a port"));
    }
    Ok(format!("https://{authority}"))
}

/// Enrolls this agent: afterwards its identity is on disk.
///
/// # Errors
/// [`EnrollError`]. Nothing has changed on disk then; the code may be used up.
pub async fn enroll(order: Enrollment<'_>) -> Result<Identity, EnrollError> {
    let url = check_url(order.url).map_err(EnrollError::NoAddress)?;
    // One that is damaged is replaced like any other, and never by accident.
    if !order.again
        && let Some(Identity {
            agent_name,
            hub_url,
            ..
        }) = Identity::load(order.state_dir)?
    {
        return Err(EnrollError::Already {
            agent_name,
            hub_url,
        });
    }
    identity::prepare(order.state_dir)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let request = signing_request(&key, order.name)?;
    let reply = ask(&url, &order, request).await?;
    let strange = |reason: &str| EnrollError::Strange {
        url: url.clone(),
        reason: reason.into(),
    };
    if !pin::is_the_one(&reply.authority, order.code.fingerprint) {
        return Err(strange("its CA is not the one that the code names"));
    }
    if reply.agent_id.is_empty() || !reply.certificate.contains("BEGIN CERTIFICATE") {
        return Err(strange("there is no certificate in it"));
    }
    let identity = Identity {
        hub_url: url,
        agent_id: reply.agent_id,
        agent_name: reply.agent_name,
        authority: reply.authority,
        certificate: reply.certificate,
        key: key.serialize_pem(),
    };
    identity.save(order.state_dir)?;
    Ok(identity)
}

/// A request to sign our key, PEM (PKCS #10).
fn signing_request(key: &KeyPair, name: &str) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serialize_request(key)?.pem()
}

/// Shows the hub the code, over a connection that only the hub of the code can answer.
async fn ask(
    url: &str,
    order: &Enrollment<'_>,
    signing_request: String,
) -> Result<v1::EnrollReply, EnrollError> {
    let limit = order.timeout;
    // The endpoint's own limits end at TCP: who accepts and then says nothing would hold us.
    let silent = |_| EnrollError::Unreachable {
        url: url.to_owned(),
        reason: format!("no answer in {limit:?}"),
    };
    let connected = timeout(limit, connect(url, order)).await;
    let channel = connected.map_err(silent)??;
    let mut client = EnrollmentClient::new(channel).max_decoding_message_size(REPLY_BYTES_MAX);
    let request = v1::EnrollRequest {
        code: order.code.whole.clone(),
        signing_request,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        sealing_key: Vec::new(),
    };
    let reply = timeout(limit, client.enroll(request)).await;
    let reply = reply.map_err(silent)?.map_err(|status| {
        let url = url.to_owned();
        let reason = status.message().chars().take(REASON_CHARS_MAX).collect();
        match status.code() {
            Code::PermissionDenied | Code::ResourceExhausted | Code::Unauthenticated => {
                EnrollError::Refused { url, reason }
            }
            Code::Unavailable | Code::DeadlineExceeded => EnrollError::Unreachable { url, reason },
            _ => EnrollError::Strange { url, reason },
        }
    })?;
    Ok(reply.into_inner())
}

async fn connect(url: &str, order: &Enrollment<'_>) -> Result<Channel, EnrollError> {
    let strange = |reason: &dyn fmt::Display| EnrollError::Strange {
        url: url.to_owned(),
        reason: reason.to_string(),
    };
    let beside = order.route.beside().to_vec();
    let (pin, doubt) = Pin::new(order.code.fingerprint, beside).watched();
    let to = Destination::of_url(url).map_err(|error| strange(&error))?;
    let origin = url.parse().map_err(|error| strange(&error))?;
    let dialer = Dialer::with_verifier(pin, order.route.clone())
        .map_err(|error| strange(&error))?
        .within(order.timeout);
    // TLS is the dialer's: to tonic it looks like a connection without.
    let endpoint = Endpoint::from_shared(format!("http://{to}"))
        .map_err(|error| strange(&error))?
        .origin(origin)
        .timeout(order.timeout);
    let connected = endpoint.connect_with_connector(Connector::new(dialer, to));
    connected.await.map_err(|error| {
        if doubt.was_raised() {
            return EnrollError::Impostor {
                url: url.to_owned(),
            };
        }
        EnrollError::Unreachable {
            url: url.to_owned(),
            reason: match DialError::within(&error) {
                Some(error) => said(error),
                None => error.to_string(),
            },
        }
    })
}

/// Why nobody was reached, for people.
fn said(error: &DialError) -> String {
    match error {
        DialError::Tls {
            problem: TlsProblem::NoTls,
            ..
        } => "what listens there does not speak TLS; is it the portal's port, or another program?"
            .to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
