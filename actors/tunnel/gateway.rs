//! The way to the gateway: SSH, dialed by us, with the one host key that the ticket names.
//!
//! What the gateway opens is refused, whatever it is, but for connections to the name and port that
//! we asked it to forward (RFC 4254, section 7.2). It cannot name a target: a connection goes to
//! the ticket's device or nowhere.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dial::{DialError, Dialer, Stream, TrustError};
use russh::client::{self, AuthResult};
use russh::keys::{PrivateKeyWithHashAlg, decode_secret_key};
use russh::{Disconnect, Preferred, cipher, kex, mac};
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

use super::cord::{self, Flow, Knife};
use super::ears::{Call, Ears};
use super::ending::End;
use super::ticket::Ticket;
use super::ways::Room;
use crate::keeper::Papers;
use crate::tunnel::tally::Tally;

/// What a gateway is shown as our name. Its version is ours, not the library's.
const CLIENT_ID: &str = concat!("SSH-2.0-Platen_", env!("CARGO_PKG_VERSION"));

/// Credit of one connection, in octets: what the gateway may send before we have taken anything. It
/// allocates nothing; half of it taken renews it, so that a slow device keeps the line alive.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// Longest packet of a connection, in octets: what OpenSSH sends.
const PACKET_BYTES_MAX: u32 = 32 * 1024;

/// What is read from the gateway at once, in octets: the library reads the length of each packet by
/// itself, and a small packet then needs no second look at the socket.
const READ_AHEAD_BYTES: usize = 2 * 1024;

/// How often the gateway is asked whether it is there, and how often it may not answer: a dead link
/// is seen within 20 s.
const KEEPALIVE: (Duration, usize) = (Duration::from_secs(5), 3);

/// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Longest words of a gateway that are kept, in characters.
const WORDS_CHARS_MAX: usize = 200;

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLink {
    /// The hub's authority is unreadable.
    #[error("the gateway cannot be dialed: {0}")]
    Trust(#[from] TrustError),
    /// Nobody was reached.
    #[error("the gateway is not reached: {0}")]
    Dial(#[from] DialError),
    /// Our own key is not what SSH can use.
    #[error("the agent's key cannot be used for SSH: {0}")]
    OwnKey(String),
    /// It showed another key than the ticket names. Nothing was told it.
    #[error("the gateway at {0} shows another host key than the ticket names; nothing was told it")]
    WrongKey(String),
    /// It would have let somebody in between drop what it says first.
    #[error("the gateway does not speak strict key exchange; bring its SSH up to date")]
    NotStrict,
    /// It does not let us in.
    #[error("the gateway does not let this agent in as '{0}'")]
    NotLetIn(String),
    /// It forwards nothing to us.
    #[error("the gateway does not forward {0}:{1} to this agent")]
    NotForwarded(String, u16),
    /// It broke off.
    #[error("the gateway broke off: {0}")]
    Broke(String),
}

/// Why a session with a gateway ended, as russh hands it through.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The library's.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    /// See [`NoLink::NotStrict`].
    #[error("no strict key exchange")]
    NotStrict,
}

/// What a gateway said when it went.
#[derive(Debug, Clone, Default)]
pub(super) struct Farewell(Arc<Mutex<Option<String>>>);

impl Farewell {
    pub(super) fn note(&self, words: &str) {
        let words = words.chars().filter(|c| !c.is_control());
        let words: String = words.take(WORDS_CHARS_MAX).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    /// Its words, or that it said none.
    pub(super) fn words(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
            .filter(|words| !words.is_empty())
            .unwrap_or_else(|| "it said nothing".to_owned())
    }
}

/// A tunnel that stands.
pub(super) struct Link {
    handle: client::Handle<Ears>,
    /// Connections that the gateway asks for; closed when the link is lost.
    pub(super) calls: mpsc::Receiver<Box<Call>>,
    pub(super) farewell: Farewell,
    /// Whether it takes what is sent.
    pub(super) flow: Flow,
    _knife: Knife,
}

impl Link {
    /// Says goodbye with the reason, and cuts the link. The hub's own gateway hears the reason in
    /// the name whose forwarding is cancelled (RFC 4254, section 7.1): many a library drops the
    /// words of a disconnection unread.
    pub(super) async fn close(mut self, ticket: &Ticket, end: &End) {
        let (host, port) = &ticket.bind;
        if host == ticket.session.as_str() {
            let name = format!("{host} {}: {}", end.cause.to_gateway(), end.why);
            let cancelled = self.handle.cancel_tcpip_forward(name, u32::from(*port));
            if timeout(GOODBYE_MAX, cancelled).await.is_err() {
                debug!("a gateway did not take the reason of an end");
            }
        }
        let said = self
            .handle
            .disconnect(Disconnect::ByApplication, &end.why, "en");
        let is_said = matches!(timeout(GOODBYE_MAX, said).await, Ok(Ok(())));
        if is_said && timeout(GOODBYE_MAX, &mut self.handle).await.is_err() {
            debug!("a gateway did not take the goodbye");
        }
    }
}

/// Dials, authenticates, and has the ticket's name forwarded.
///
/// # Errors
/// [`NoLink`], for the hub and the site's log.
pub(super) async fn open(
    (dialer, to): (&Dialer, &dial::Destination),
    ticket: &Ticket,
    papers: Papers,
    (tally, room): (Arc<Tally>, Room),
) -> Result<Link, NoLink> {
    let key = String::from_utf8_lossy(papers.key_pem.expose()).into_owned();
    let key = decode_secret_key(&key, None).map_err(|error| NoLink::OwnKey(error.to_string()))?;
    let stream = dialer.tcp(to).await?;
    let (cord, knife, flow) = cord::tie(stream);
    let farewell = Farewell::default();
    let (ears, calls) = Ears::new(ticket, farewell.clone(), (tally, room));
    let mut handle = greet(cord, ticket, ears)
        .await
        .map_err(|error| no_greeting(error, to))?;
    let broke = |error: russh::Error| NoLink::Broke(format!("{error}; {}", farewell.words()));
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let authenticated = handle.authenticate_publickey(&ticket.user, key).await;
    match authenticated.map_err(broke)? {
        AuthResult::Success => {}
        AuthResult::Failure { .. } => return Err(NoLink::NotLetIn(ticket.user.clone())),
    }
    let (host, port) = &ticket.bind;
    match handle.tcpip_forward(host, u32::from(*port)).await {
        Ok(_) => {}
        Err(russh::Error::RequestDenied) => {
            return Err(NoLink::NotForwarded(host.clone(), *port));
        }
        Err(error) => return Err(broke(error)),
    }
    Ok(Link {
        handle,
        calls,
        farewell,
        flow,
        _knife: knife,
    })
}

async fn greet<S: Stream>(
    cord: cord::Cord<S>,
    ticket: &Ticket,
    ears: Ears,
) -> Result<client::Handle<Ears>, LinkError> {
    let ahead = BufReader::with_capacity(READ_AHEAD_BYTES, cord);
    client::connect_stream(Arc::new(config(ticket)), ahead, ears).await
}

fn no_greeting(error: LinkError, to: &dial::Destination) -> NoLink {
    match error {
        LinkError::NotStrict => NoLink::NotStrict,
        LinkError::Ssh(russh::Error::UnknownKey) => NoLink::WrongKey(to.to_string()),
        // A gateway that has no key of the ticket's kind has not the ticket's key.
        LinkError::Ssh(russh::Error::NoCommonAlgo {
            kind: russh::AlgorithmKind::Key,
            ..
        }) => NoLink::WrongKey(to.to_string()),
        LinkError::Ssh(error) => NoLink::Broke(error.to_string()),
    }
}

/// How SSH is spoken: only what is sound today, AES-GCM first, which the hardware helps with.
fn config(ticket: &Ticket) -> client::Config {
    let preferred = Preferred {
        kex: Cow::Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        ]),
        key: Cow::Owned(vec![ticket.host_key.algorithm()]),
        cipher: Cow::Borrowed(&[
            cipher::AES_128_GCM,
            cipher::AES_256_GCM,
            cipher::CHACHA20_POLY1305,
        ]),
        mac: Cow::Borrowed(&[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM]),
        ..Preferred::DEFAULT
    };
    client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(CLIENT_ID)),
        window_size: WINDOW_BYTES,
        maximum_packet_size: PACKET_BYTES_MAX,
        // Nobody listens there: what comes is taken by `Ears`.
        channel_buffer_size: 1,
        preferred,
        keepalive_interval: Some(KEEPALIVE.0),
        keepalive_max: KEEPALIVE.1,
        nodelay: true,
        ..client::Config::default()
    }
}
