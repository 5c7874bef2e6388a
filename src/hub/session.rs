//! A person's session with one port of one printer, while it lives.
//!
//! Who opens one (the portal, `platen-hub open`) makes it with [`Sessions::begin`]; the gateway
//! gives it a [`Way`] once the agent has dialed; what serves the person (the web door, a raw door)
//! asks it for streams and notes each deed before it is done. Whoever ends it, it has one [`End`],
//! and everything that serves it hears of that at once. What is kept of it for good is the
//! store's; nothing here touches a disk or opens a port.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::store::{StoreError, Tenant, hash_hex, random_hex};

mod end;

pub use self::end::{Cause, End, Notice};

/// Most sessions at once on this hub: each may hold [`crate::session`]'s streams open.
pub const SESSIONS_MAX: usize = 256;

/// Longest a stream waits for the agent to have dialed: an order over MQTT and an SSH handshake.
const WAY_PATIENCE: Duration = Duration::from_secs(30);

/// How long a link into a session waits for its one use.
const KEY_LIFE: Duration = Duration::from_mins(5);

/// Most links of one session that wait: the page that shows one is loaded again and again.
const KEYS_MAX: usize = 16;

/// Most browsers in one session: a person, and a second window that keeps its own cookies.
const COOKIES_MAX: usize = 4;

/// Names a session: 32 hex digits, random. It is no secret; what lets in is a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// A new one.
    ///
    /// # Errors
    /// [`StoreError::Random`] when the system gives no random numbers.
    pub fn new() -> Result<Self, StoreError> {
        random_hex().map(Self)
    }

    /// Takes 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session is for, fixed at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The agent that dials.
    pub agent: String,
    /// The device, and no other.
    pub device: DeviceId,
    /// The device's address when the session was opened, as the hub knows it: links to it are
    /// followed home. None where the site masks addresses.
    pub address: Option<IpAddr>,
    /// The device's port, and no other.
    pub port: u16,
    /// Who opened it.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// From where.
    pub from: Option<IpAddr>,
    /// When.
    pub opened: Timestamp,
    /// Until when, whatever goes on.
    pub until: Timestamp,
    /// How long it may be silent.
    pub idle_max: Duration,
    /// Whether only `GET` and `HEAD` are let through.
    pub is_read_only: bool,
    /// Whether it is plain HTTP because the device's TLS is too old.
    pub is_fallback: bool,
}

/// Something that was done in a session, for the audit. Never a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A request is about to be sent to the device.
    Asked {
        /// Numbers the requests of the session, from 1 up.
        number: u64,
        /// As the browser sent it.
        method: String,
        /// Path and query.
        path: String,
    },
    /// It was answered, or not: then `status` is 0.
    Answered {
        /// As in [`Deed::Asked`].
        number: u64,
        /// What the device answered.
        status: u16,
        /// Octets of the body to the device.
        sent: u64,
        /// Octets of the body from the device.
        received: u64,
    },
    /// A connection to a raw door begins.
    RawBegan {
        /// Numbers the connections of the session, from 1 up.
        number: u64,
    },
    /// It ended.
    RawEnded {
        /// As in [`Deed::RawBegan`].
        number: u64,
        /// Octets to the device.
        sent: u64,
        /// Octets from the device.
        received: u64,
    },
    /// The device showed a certificate for the first time, or another one than before.
    Certificate {
        /// SHA-256 of its DER, hex.
        fingerprint: String,
        /// Whether it is another than the one that was pinned, and a person took it.
        is_change: bool,
    },
}

/// A deed that could not be written down: it is not done then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is done here cannot be written down: {0}; free the hub's disk, then open it again")]
pub struct NotNoted(pub String);

/// A future that owns what it needs.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Writes deeds down, for good.
pub trait Witness: fmt::Debug + Send + Sync {
    /// Returns once the deed is on disk.
    fn note(&self, terms: &Terms, deed: Deed) -> Later<Result<(), NotNoted>>;
}

/// A connection to the device's port.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why there is no connection to the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The session is over.
    #[error("the session has ended: {}", .0.why)]
    Ended(End),
    /// The agent has not dialed in time.
    #[error("the agent has not opened the tunnel within {} s", WAY_PATIENCE.as_secs())]
    NotYet,
    /// The agent refused the connection, or the device did.
    #[error("{0}")]
    Refused(String),
}

/// The agent's end of a session, as a gateway holds it.
pub trait Way: fmt::Debug + Send + Sync {
    /// Opens one connection to the device's port.
    fn open(&self) -> Later<Result<Box<dyn Stream>, NoWay>>;
}

/// What went through a session so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests, or connections of a raw door.
    pub requests: AtomicU64,
    /// Octets to the device.
    pub sent: AtomicU64,
    /// Octets from the device.
    pub received: AtomicU64,
}

/// A session that lives, or has just ended.
#[derive(Debug, Clone)]
pub struct Session(Arc<Live>);

#[derive(Debug)]
struct Live {
    terms: Terms,
    witness: Arc<dyn Witness>,
    way: watch::Sender<Option<Arc<dyn Way>>>,
    end: watch::Sender<Option<End>>,
    notice: watch::Sender<Option<Notice>>,
    tally: Tally,
    /// SHA-256 of the keys that wait, and until when: what is compared is no secret.
    keys: Mutex<Vec<(String, Timestamp)>>,
    /// SHA-256 of the cookies that are in.
    cookies: Mutex<Vec<String>>,
}

impl Session {
    /// What it is for.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// What went through.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Numbers a request or connection, from 1 up.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.tally.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends it; whoever comes first says why.
    pub fn end(&self, end: End) {
        self.0.end.send_if_modified(|ended| {
            let is_first = ended.is_none();
            if is_first {
                *ended = Some(end);
            }
            is_first
        });
        self.0.way.send_replace(None);
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn has_ended(&self) -> Option<End> {
        self.0.end.borrow().clone()
    }

    /// Returns once it has ended.
    pub async fn ended(&self) -> End {
        let mut end = self.0.end.subscribe();
        loop {
            if let Some(end) = end.borrow_and_update().clone() {
                return end;
            }
            if end.changed().await.is_err() {
                return End::new(Cause::HubEnds, "the hub ends");
            }
        }
    }

    /// What a person has to know now, if anything.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        self.0.notice.borrow().clone()
    }

    /// Says what a person has to know, or that it is no longer so.
    pub fn notify(&self, notice: Option<Notice>) {
        self.0.notice.send_replace(notice);
    }

    /// The gateway has the agent's end, or lost it.
    pub fn has_way(&self, way: Option<Arc<dyn Way>>) {
        if self.has_ended().is_none() {
            self.0.way.send_replace(way);
        }
    }

    /// Whether the agent's end is there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.way.borrow().is_some()
    }

    /// Opens one connection to the device; waits for the agent if it has not dialed yet.
    ///
    /// # Errors
    /// [`NoWay`], for a person.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, NoWay> {
        let mut ways = self.0.way.subscribe();
        let there = async {
            let way = ways.wait_for(Option::is_some).await;
            way.ok().and_then(|way| way.clone())
        };
        let way = tokio::select! {
            biased;
            end = self.ended() => return Err(NoWay::Ended(end)),
            way = timeout(WAY_PATIENCE, there) => way.ok().flatten().ok_or(NoWay::NotYet)?,
        };
        tokio::select! {
            biased;
            end = self.ended() => Err(NoWay::Ended(end)),
            opened = way.open() => opened,
        }
    }

    /// Writes a deed down, before it is done. A session whose deeds cannot be written is ended.
    ///
    /// # Errors
    /// [`NotNoted`]: the deed must not be done.
    pub async fn note(&self, deed: Deed) -> Result<(), NotNoted> {
        let noted = self.0.witness.note(&self.0.terms, deed).await;
        if let Err(why) = &noted {
            self.end(End::new(Cause::NoAudit, why.to_string()));
        }
        noted
    }

    /// Makes a key that lets one browser in, once.
    ///
    /// # Errors
    /// [`StoreError::Random`] when the system gives no random numbers.
    pub fn key(&self, now: Timestamp) -> Result<String, StoreError> {
        let key = random_hex()? + &random_hex()?;
        let mut keys = locked(&self.0.keys);
        keys.retain(|(_, until)| *until > now);
        if keys.len() >= KEYS_MAX {
            keys.remove(0);
        }
        keys.push((hash_hex(key.as_bytes()), now + KEY_LIFE));
        Ok(key)
    }

    /// Takes a key for a cookie; `None` for one that is unknown, used or too old.
    ///
    /// # Errors
    /// [`StoreError::Random`] when the system gives no random numbers.
    pub fn enter(&self, key: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let hash = hash_hex(key.as_bytes());
        let mut keys = locked(&self.0.keys);
        let Some(at) = keys.iter().position(|(known, _)| *known == hash) else {
            return Ok(None);
        };
        if keys.remove(at).1 <= now || self.has_ended().is_some() {
            return Ok(None);
        }
        let cookie = random_hex()? + &random_hex()?;
        let mut cookies = locked(&self.0.cookies);
        if cookies.len() >= COOKIES_MAX {
            cookies.remove(0);
        }
        cookies.push(hash_hex(cookie.as_bytes()));
        Ok(Some(cookie))
    }

    /// Whether a cookie is one that [`Self::enter`] gave, and the session lives.
    #[must_use]
    pub fn admits(&self, cookie: &str) -> bool {
        let hash = hash_hex(cookie.as_bytes());
        let is_known = locked(&self.0.cookies).contains(&hash);
        is_known && self.has_ended().is_none()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every session that lives.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<SessionId, Session>>>);

/// [`SESSIONS_MAX`] sessions live already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{SESSIONS_MAX} sessions are open already; end one first")]
pub struct TooMany;

impl Sessions {
    /// Begins a session. Whoever begins it also [`forget`](Self::forget)s it once it has ended.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn begin(&self, terms: Terms, witness: Arc<dyn Witness>) -> Result<Session, TooMany> {
        let mut all = locked(&self.0);
        if all.len() >= SESSIONS_MAX {
            return Err(TooMany);
        }
        let id = terms.id.clone();
        let session = Session(Arc::new(Live {
            terms,
            witness,
            way: watch::Sender::new(None),
            end: watch::Sender::new(None),
            notice: watch::Sender::new(None),
            tally: Tally::default(),
            keys: Mutex::default(),
            cookies: Mutex::default(),
        }));
        all.insert(id, session.clone());
        Ok(session)
    }

    /// The session of this name, while it lives.
    #[must_use]
    pub fn find(&self, id: &SessionId) -> Option<Session> {
        let found = locked(&self.0).get(id).cloned();
        found.filter(|session| session.has_ended().is_none())
    }

    /// Every one that has not been forgotten.
    #[must_use]
    pub fn all(&self) -> Vec<Session> {
        locked(&self.0).values().cloned().collect()
    }

    /// Lets go of a session that has ended.
    pub fn forget(&self, id: &SessionId) {
        locked(&self.0).remove(id);
    }

    /// Ends every one, because the hub ends.
    pub fn end_all(&self) {
        for session in self.all() {
            session.end(End::new(Cause::HubEnds, "the hub was stopped"));
        }
    }
}

#[cfg(test)]
#[path = "session/tests.rs"]
mod tests;
