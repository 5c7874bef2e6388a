//! A one-time code becomes a key and a certificate on disk.
//!
//! The key is made here and never leaves. The code carries the fingerprint of the hub's CA, so
//! the very first connection already knows whom to believe; whoever else answers learns nothing.
//! What the hub refuses for good is counted ([`crate::identity::refusals`]).

mod keys;
mod pin;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use actors::outbox;
use dial::{Connector, Destination, DialError, Dialer, Route, TlsProblem};
use jiff::Timestamp;
use proto::v1;
use proto::v1::enrollment_client::EnrollmentClient;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tracing::warn;

use self::keys::Keys;
use self::pin::Pin;
use crate::identity::refusals::Tally;
use crate::identity::{self, Identity, IdentityError, hex, octets};

/// Longest reply that is read: two certificates and two names.
const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Characters of the code's secret: 128 bits in base32.
const SECRET_LEN: usize = 26;
/// Shortest and longest time between two questions whether a person has decided, in seconds.
const ASK_AGAIN_SECS: std::ops::RangeInclusive<u64> = 1..=60;
/// Longest reason that is shown of what a hub said, in characters.
const REASON_CHARS_MAX: usize = 200;

/// What the outer limit of connecting leaves to the limits of its steps.
const STEP_WORDS: Duration = Duration::from_millis(250);

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
    /// The hub itself does not take the code.
    #[error("the hub {url} refuses the code: {reason}")]
    Refused {
        /// Where.
        url: String,
        /// What it says.
        reason: String,
        /// The refusals so far, with this one.
        tally: Box<Tally>,
    },
    /// The hub wants us to wait.
    #[error("the hub {url} asks to wait: {reason}")]
    Busy {
        /// Where.
        url: String,
        /// What it says.
        reason: String,
    },
    /// The agent was refused too often.
    #[error("this agent has disabled itself after {} refusals of the hub {}", .0.refusals, .0.hub_url)]
    Disabled(Box<Tally>),
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

/// Enrolls this agent: afterwards its identity is on disk. Waits for a person, where the hub wants
/// one to compare the key first.
///
/// # Errors
/// [`EnrollError`]. Nothing has changed on disk then; the code may be used up.
pub async fn enroll(order: Enrollment<'_>) -> Result<Identity, EnrollError> {
    let applicant = Applicant::new(order)?;
    loop {
        match applicant.ask().await? {
            Asked::Enrolled(identity) => return Ok(*identity),
            Asked::Waits(again) => sleep(again).await,
        }
    }
}

/// An agent that asks a hub to let it in, with the same code and key each time it asks.
pub struct Applicant<'a> {
    order: Enrollment<'a>,
    url: String,
    keys: Keys,
}

/// What a hub answers to an applicant.
#[derive(Debug)]
pub enum Asked {
    /// It is let in; the identity is on disk.
    Enrolled(Box<Identity>),
    /// A person has to decide; ask again after this.
    Waits(Duration),
}

impl fmt::Debug for Applicant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applicant")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl<'a> Applicant<'a> {
    /// Makes ready to ask: the folder, and the keys.
    ///
    /// # Errors
    /// [`EnrollError`] when this agent may not ask, or cannot.
    pub fn new(order: Enrollment<'a>) -> Result<Self, EnrollError> {
        let url = check_url(order.url).map_err(EnrollError::NoAddress)?;
        // One that is damaged is replaced like any other, and never by accident.
        if !order.again {
            if let Some(Identity {
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
            let tally = Tally::load(order.state_dir)?;
            if tally.is_disabled() {
                return Err(EnrollError::Disabled(Box::new(tally)));
            }
        }
        identity::prepare(order.state_dir)?;
        let keys = Keys::of(order.state_dir, &order.code.whole)?;
        Ok(Self { order, url, keys })
    }

    /// SHA-256 of our public key, grouped for people to read to each other.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.keys.fingerprint()
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`EnrollError`]; a refusal that the hub itself made has been counted.
    pub async fn ask(&self) -> Result<Asked, EnrollError> {
        let order = &self.order;
        let request = v1::EnrollRequest {
            code: order.code.whole.clone(),
            signing_request: self.keys.signing_request(order.name)?,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            sealing_key: self.keys.sealing_public(),
        };
        let reply = ask(&self.url, order, request).await?;
        let reply = reply.map_err(|status| self.refused(&status))?;
        if reply.awaits_approval {
            let secs = u64::from(reply.ask_again_secs);
            let secs = secs.clamp(*ASK_AGAIN_SECS.start(), *ASK_AGAIN_SECS.end());
            return Ok(Asked::Waits(Duration::from_secs(secs)));
        }
        let identity = self.identity_of(reply)?;
        identity.save(order.state_dir)?;
        Keys::forget(order.state_dir);
        Tally::forget(order.state_dir)?;
        Ok(Asked::Enrolled(Box::new(identity)))
    }

    /// What a hub let us in with, checked.
    fn identity_of(&self, reply: v1::EnrollReply) -> Result<Identity, EnrollError> {
        let strange = |reason: &str| EnrollError::Strange {
            url: self.url.clone(),
            reason: reason.into(),
        };
        if !pin::is_the_one(&reply.authority, self.order.code.fingerprint) {
            return Err(strange("its CA is not the one that the code names"));
        }
        if reply.agent_id.is_empty() || !reply.certificate.contains("BEGIN CERTIFICATE") {
            return Err(strange("there is no certificate in it"));
        }
        let command_key = match reply.command_key.len() {
            0 => None,
            32 => Some(hex(&reply.command_key)),
            _ => return Err(strange("its key that signs commands is none")),
        };
        Ok(Identity {
            hub_url: self.url.clone(),
            agent_id: reply.agent_id,
            agent_name: reply.agent_name,
            authority: reply.authority,
            certificate: reply.certificate,
            key: self.keys.key.serialize_pem(),
            command_key,
            sealing_key: Some(self.keys.sealing_key.clone()),
        })
    }

    /// An error of the hub's, counted if it is a refusal that the hub itself made.
    fn refused(&self, status: &Status) -> EnrollError {
        let url = self.url.clone();
        let reason: String = status.message().chars().take(REASON_CHARS_MAX).collect();
        if status.metadata().contains_key(proto::REFUSAL) {
            let said = (url.as_str(), reason.as_str());
            // Where a proxy is let between, it could have said it in the hub's place.
            let counted = if self.order.route.beside().is_empty() {
                Tally::note(self.order.state_dir, said, Timestamp::now())
            } else {
                Tally::load(self.order.state_dir)
            };
            return match counted {
                Ok(tally) => EnrollError::Refused {
                    url,
                    reason,
                    tally: Box::new(tally),
                },
                Err(error) => EnrollError::State(error),
            };
        }
        match status.code() {
            Code::ResourceExhausted => EnrollError::Busy { url, reason },
            Code::Unavailable | Code::DeadlineExceeded => EnrollError::Unreachable { url, reason },
            _ => EnrollError::Strange { url, reason },
        }
    }
}

/// Shows the hub the code, over a connection that only the hub of the code can answer. What it
/// answers, be it an error, came over TLS that proved it to be the hub.
async fn ask(
    url: &str,
    order: &Enrollment<'_>,
    request: v1::EnrollRequest,
) -> Result<Result<v1::EnrollReply, Status>, EnrollError> {
    let limit = order.timeout;
    // The endpoint's own limits end at TCP: who accepts and then says nothing would hold us.
    let silent = |_| EnrollError::Unreachable {
        url: url.to_owned(),
        reason: format!("no answer in {limit:?}"),
    };
    // Whichever step of connecting took too long says so itself, before we do.
    let connected = timeout(limit + STEP_WORDS, connect(url, order)).await;
    let channel = connected.map_err(silent)??;
    let mut client = EnrollmentClient::new(channel).max_decoding_message_size(REPLY_BYTES_MAX);
    note(url, order.state_dir, &request);
    let reply = timeout(limit, client.enroll(request)).await;
    Ok(reply.map_err(silent)?.map(tonic::Response::into_inner))
}

/// Notes for `platen outbox` what is sent; the code stays secret.
fn note(url: &str, state_dir: &Path, request: &v1::EnrollRequest) {
    // Every field by its name: a new one stops the build here.
    let v1::EnrollRequest {
        code: _,
        signing_request,
        agent_version,
        sealing_key,
    } = request;
    let message = json!({
        "hub": url,
        "code": "***",
        "signing_request": signing_request,
        "agent_version": agent_version,
        "sealing_key": hex(sealing_key),
    });
    if let Err(error) = outbox::note_once(state_dir, outbox::Kind::Enrollment, message) {
        warn!(%error, "the log of sent messages misses this enrollment");
    }
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
