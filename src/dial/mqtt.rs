//! An MQTT client: one session with one broker, kept for life over whatever carries it.
//!
//! The protocol is paho's (MQTT 3.1.1 and 5); the connection is ours. paho speaks to a unix socket
//! in a folder that only this user can enter, and [`pipe`] carries those octets over TLS or over a
//! WebSocket: one path for roots, client certificates and proxies, and no second TLS library.
//!
//! What was learnt of paho and is heeded here: a client is never dropped in an error path
//! ([`paho`]), nothing is called inside a callback, the stream of events is drained at once and
//! cannot overflow ([`pipe`] stops reading before it could), filters are subscribed again at each
//! connection, and what a broker sends is looked at before paho sees it ([`frame`]).
//!
//! QoS 1 throughout. paho acknowledges a message when it has arrived, not when it was taken, so
//! what arrives and is not yet acted on is lost if the process dies: whoever sends commands sends
//! those without an outcome again, and whoever takes them does each once.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paho_mqtt as library;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use self::driver::{Driver, Order};
use self::paho::Paho;
use self::pipe::Socket;
use crate::{Destination, Dialer, Stream};

mod driver;
mod frame;
mod paho;
mod pipe;

/// Messages that wait for the consumer. Beyond it the broker is not read from.
pub const EVENTS_MAX: usize = 64;

/// Publications without an answer at once; the next one waits. Brokers mostly allow 20.
pub const IN_FLIGHT_MAX: usize = 16;

/// Longest a publication may take, a reconnection on the way included.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);

/// Orders to the task that keeps the session; it hears each within a step.
const ORDERS_MAX: usize = 4;

/// Longest that closing may take before the session is left to its keep-alive.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    #[default]
    V5,
}

/// How a broker is reached.
#[derive(Clone)]
pub enum Carriage {
    /// MQTT over TLS, 8883 as a rule.
    Tls {
        /// Whom to believe, and by which proxy.
        dialer: Dialer,
        /// Where the broker is.
        to: Destination,
    },
    /// MQTT over a WebSocket over TLS, 443 as a rule; the subprotocol is `mqtt`.
    WebSocket {
        /// Whom to believe, and by which proxy.
        dialer: Dialer,
        /// Where the broker is.
        to: Destination,
        /// The path, with its query.
        path: String,
    },
    /// A stream that somebody else opens: the hub's to its own broker.
    Plain(Arc<dyn Opens>),
}

impl fmt::Debug for Carriage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls { to, .. } => write!(f, "mqtts://{to}"),
            Self::WebSocket { to, path, .. } => write!(f, "wss://{to}{path}"),
            Self::Plain(_) => f.write_str("a stream of our own"),
        }
    }
}

/// Opens a stream to a broker within this process or machine.
pub trait Opens: Send + Sync {
    /// Opens it.
    fn open(&self) -> futures_util::future::BoxFuture<'static, std::io::Result<Box<dyn Stream>>>;
}

/// One message, ours or the broker's.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its topic.
    pub topic: String,
    /// Its octets.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets on {}", self.payload.len(), self.topic)
    }
}

/// What one connection is made with. Asked for anew before each, so that a renewed certificate or
/// password is used without a new client.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// How the broker is reached.
    pub carriage: Carriage,
    /// User name and password, where certificates are not enough.
    pub login: Option<Login>,
    /// What the broker publishes when we are gone without a word.
    pub will: Option<Letter>,
    /// When this connection is replaced by another, before its password or certificate ends.
    pub renew_at: Option<Instant>,
}

/// A user name and its password.
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password; empty where the certificate is the proof.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with ***", self.user)
    }
}

/// Makes what the next connection is made with, or says in words why none can be.
pub type Attempts = Arc<dyn Fn() -> Result<Attempt, String> + Send + Sync>;

/// How a session is kept.
#[derive(Clone)]
pub struct Options {
    /// What each connection is made with.
    pub attempts: Attempts,
    /// Which MQTT is spoken.
    pub version: Version,
    /// Who we are to the broker; one session has it at a time.
    pub client_id: String,
    /// What is subscribed to, at each connection.
    pub filters: Vec<String>,
    /// How long a silence may last before each side asks after the other.
    pub keep_alive: Duration,
    /// How long the broker keeps the session for us (MQTT 5; 3.1.1 has no word for it).
    pub session_life: Duration,
    /// First wait after a failure, and the longest; it doubles between, half of it by chance.
    pub retry: (Duration, Duration),
    /// Where the unix socket is made: a folder of our own below it, 0700.
    pub folder: PathBuf,
}

/// First wait after a failed connection, and the longest. A broker that restarts is back in
/// seconds; one that is gone for a day is asked once a minute.
pub const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("client_id", &self.client_id)
            .field("version", &self.version)
            .field("filters", &self.filters)
            .finish_non_exhaustive()
    }
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It stands, and every filter is subscribed.
    Connected,
    /// It does not stand any more, or could not be made; another attempt follows.
    Lost {
        /// Why, in words.
        why: String,
        /// How long it had stood; `None` when it could not be made.
        stood: Option<Duration>,
        /// Whether the broker said that another holder of the client id has come (MQTT 5 only).
        is_taken_over: bool,
    },
    /// A message came.
    Message(Letter),
}

/// How the session stands now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it stands.
    pub is_connected: bool,
    /// Why it does not, in words, once it was tried.
    pub trouble: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the unix socket cannot be made.
    #[error("no socket can be made in {folder}: {error}")]
    Folder {
        /// Where it should be.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// paho refuses the options.
    #[error("no MQTT client can be made: {0}")]
    Library(String),
}

/// Why a message is not known to have arrived. It may have: send it again under the same id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There was no connection in time.
    #[error("the broker is away{}", .0.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Away(Option<String>),
    /// The broker did not acknowledge it in time.
    #[error("the broker did not acknowledge it within {} s", PUBLISH_TIMEOUT.as_secs())]
    Unanswered,
    /// The broker refused it.
    #[error("the broker refused it: {0}")]
    Refused(String),
    /// The client was closed.
    #[error("the connection was closed")]
    Closed,
}

/// A session with a broker. Cheap to clone; it ends with [`Client::close`], or when the last clone
/// or the receiver of its events is gone.
#[derive(Clone)]
pub struct Client {
    paho: Arc<Paho>,
    places: Arc<Semaphore>,
    standing: watch::Receiver<Standing>,
    orders: mpsc::Sender<Order>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a session: connects, and goes on connecting whenever it is lost. Must be called on
    /// the runtime on which it shall live. Not reading the events stops the broker's messages.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(options: Options) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let socket = Socket::make(&options.folder).map_err(|error| StartError::Folder {
            folder: options.folder.clone(),
            error,
        })?;
        let socket = Arc::new(socket);
        let (paho, arrivals) = Paho::new(&options, Arc::clone(&socket))?;
        let paho = Arc::new(paho);
        let (say, events) = mpsc::channel(EVENTS_MAX);
        let (stand, standing) = watch::channel(Standing::default());
        let (orders, heard) = mpsc::channel(ORDERS_MAX);
        let driver = Driver::new(
            (options, socket),
            (Arc::clone(&paho), arrivals),
            (say, stand, heard),
        );
        tokio::spawn(driver.run());
        let client = Self {
            paho,
            places: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            standing,
            orders,
        };
        Ok((client, events))
    }

    /// How the session stands, now and at each change.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Publishes with QoS 1; done when the broker has acknowledged it. Waits for a connection if
    /// there is none.
    ///
    /// # Errors
    /// [`PublishError`]; the message may have arrived all the same.
    pub async fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), PublishError> {
        let begun = Instant::now();
        let left = || PUBLISH_TIMEOUT.saturating_sub(begun.elapsed());
        let mut standing = self.standing.clone();
        let away = |standing: &watch::Receiver<Standing>| {
            PublishError::Away(standing.borrow().trouble.clone())
        };
        let place = timeout(left(), self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(away(&standing));
        };
        let is_there = async {
            let is_there = standing.wait_for(|standing| standing.is_connected).await;
            is_there.is_ok()
        };
        match timeout(left(), is_there).await {
            Ok(true) => {}
            Ok(false) => return Err(PublishError::Closed),
            Err(_) => return Err(away(&standing)),
        }
        let message = library::Message::new(topic, payload, library::QOS_1);
        let delivery = self.paho.publish(message).map_err(|error| match error {
            library::Error::Publish(paho::DISCONNECTED, _) => away(&standing),
            error => PublishError::Refused(error.to_string()),
        })?;
        match timeout(left(), delivery).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(library::Error::Disconnected)) => Err(away(&standing)),
            Ok(Err(error)) => Err(PublishError::Refused(error.to_string())),
            Err(_) => Err(PublishError::Unanswered),
        }
    }

    /// Replaces the connection by a new one, with a new [`Attempt`]; the broker keeps the session.
    pub async fn renew(&self) {
        // Closed already: nothing to renew.
        let _ = self.orders.send(Order::Renew).await;
    }

    /// Ends the session in order; the broker publishes no will.
    pub async fn close(&self) {
        let mut standing = self.standing.clone();
        if self.orders.send(Order::Close).await.is_ok() {
            // Ends when the driver drops its half.
            let gone = async { while standing.changed().await.is_ok() {} };
            let _ = timeout(CLOSE_TIMEOUT, gone).await;
        }
    }
}

#[cfg(test)]
mod tests;
