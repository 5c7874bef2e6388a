//! The only file that makes a client of paho's, and the graveyard of those that are done.
//!
//! A client that is dropped right after one of its tokens completes takes the whole library with
//! it: the token's share of the client is then the last, paho's receiving thread drops it inside a
//! callback, and destroying a client takes the lock that the callback holds. Every client of the
//! process hangs. So a client is not dropped where it is used: it is buried, which means that
//! another thread waits for what is under way and some time more, and drops it then. A client
//! whose connection never says how it ended is not destroyed at all.
//!
//! paho also remembers a connection whose socket failed at once, or could not take the first
//! packet, with its token, and completes that token again at the next trouble: freed memory. So
//! the socket that it connects to, and the connection that was taken last, live as long as it; and
//! of the token of a connection that failed, one share is never given back (some 200 octets a
//! failure, and the client is then not destroyed).

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use library::{
    AsyncClient, AsyncReceiver, ConnectOptions, ConnectToken, CreateOptions, CreateOptionsBuilder,
};
use paho_mqtt as library;

use super::pipe::Socket;
use super::{Options, StartError, Version};

/// Events that paho may have ready before they are taken. What exceeds it, paho drops without a
/// word; [`super::pipe`] stops reading long before, and what is on the way by then (a socket's
/// buffer of 208 KiB, messages of at least 50 octets) has room in it.
const READY_MAX: usize = 8_192;

/// Longest that connecting may take, from the TCP connection to the broker's answer. Ours is a
/// unix socket: what takes time is the broker's answer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest that a goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client lies after its last token: its callback has returned by then (20 ms were
/// enough in 500 trials out of 500).
const REST: Duration = Duration::from_millis(200);

/// paho's code for a publication without a connection (`MQTTASYNC_DISCONNECTED`).
pub(super) const DISCONNECTED: i32 = -3;

/// A client of paho's that is buried when it is dropped.
pub(super) struct Paho {
    client: Option<AsyncClient>,
    /// The attempt to connect that has no answer yet.
    pending: Mutex<Option<ConnectToken>>,
    /// What it connects to, and the other end of its last connection.
    socket: Arc<Socket>,
    line: Mutex<Option<UnixStream>>,
}

impl Paho {
    /// Makes one that will connect to `socket`, and the stream of its events.
    pub(super) fn new(
        options: &Options,
        socket: Arc<Socket>,
    ) -> Result<(Self, AsyncReceiver<library::Event>), StartError> {
        let create = CreateOptionsBuilder::new()
            .server_uri(socket.uri())
            .client_id(&*options.client_id)
            .mqtt_version(match options.version {
                Version::V311 => library::MQTT_VERSION_3_1_1,
                Version::V5 => library::MQTT_VERSION_5,
            })
            .persistence(None)
            .finalize();
        let mut client = make(create)?;
        let events = client.get_event_stream(READY_MAX);
        let paho = Self {
            client: Some(client),
            pending: Mutex::new(None),
            socket,
            line: Mutex::new(None),
        };
        Ok((paho, events))
    }

    /// Begins to connect. One attempt at a time.
    pub(super) fn connect(&self, options: ConnectOptions) -> Option<ConnectToken> {
        let token = self.client.as_ref()?.connect(options);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = Some(token.clone());
        Some(token)
    }

    /// The attempt that was begun last is over: its token was answered.
    pub(super) fn note_answered(&self, has_failed: bool) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = pending.take()
            && has_failed
        {
            std::mem::forget(token);
        }
    }

    /// Keeps the other end of the connection that paho has made open, until the next one.
    pub(super) fn keep(&self, line: UnixStream) {
        let mut kept = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(line);
    }

    /// What paho thinks of the connection. Not to be called in a callback.
    pub(super) fn is_connected(&self) -> bool {
        self.client.as_ref().is_some_and(AsyncClient::is_connected)
    }

    /// Subscribes to each filter with QoS 1.
    pub(super) fn subscribe(&self, filters: &[String]) -> Option<library::SubscribeManyToken> {
        let client = self.client.as_ref()?;
        Some(client.subscribe_many_same_qos(filters, library::QOS_1))
    }

    /// Hands a message over.
    pub(super) fn publish(
        &self,
        message: library::Message,
    ) -> library::Result<library::DeliveryToken> {
        match &self.client {
            Some(client) => client.try_publish(message),
            None => Err(library::Error::Disconnected),
        }
    }

    /// Says goodbye to the broker.
    pub(super) async fn disconnect(&self) {
        let Some(client) = &self.client else { return };
        let goodbye = client.disconnect(None);
        // Without an answer the connection ends with its stream.
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await;
    }
}

/// Held while a client is made or destroyed: the library's own bookkeeping of clients is no match
/// for two threads at once.
static REGISTER: Mutex<()> = Mutex::new(());

/// A client that never connects and is never destroyed: with the last client the library ends its
/// threads and frees what it shares, and a client that is made meanwhile uses it freed.
static ANCHOR: OnceLock<AsyncClient> = OnceLock::new();

fn make(options: impl Into<CreateOptions>) -> Result<AsyncClient, StartError> {
    let _register = REGISTER.lock().unwrap_or_else(PoisonError::into_inner);
    let make = |options: CreateOptions| {
        AsyncClient::new(options).map_err(|error| StartError::Library(error.to_string()))
    };
    if ANCHOR.get().is_none() {
        let create = CreateOptionsBuilder::new()
            .server_uri("unix:///")
            .client_id("anchor");
        // Set by nobody else: the register is held.
        let _ = ANCHOR.set(make(create.persistence(None).finalize())?);
    }
    make(options.into())
}

impl Drop for Paho {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        let pending = self
            .pending
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let pending = pending.take();
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        let ends = (Arc::clone(&self.socket), line.take());
        let grave = thread::Builder::new().name("mqtt-grave".to_owned());
        // Without a thread the closure is dropped here, and the client with it, at once; a machine
        // that has no thread left has worse troubles.
        let _ = grave.spawn(move || {
            bury(client, pending);
            drop(ends);
        });
    }
}

/// Waits for what is under way, and then some; destroys the client.
fn bury(client: AsyncClient, pending: Option<ConnectToken>) {
    if let Some(pending) = pending {
        let share = pending.clone();
        let ended = pending.wait_for(CONNECT_TIMEOUT + GOODBYE_TIMEOUT);
        if ended.is_err() {
            // Its callback may still come, or come again, and would be the last to hold the client.
            std::mem::forget((client, share));
            return;
        }
    }
    thread::sleep(REST);
    // Ends nothing that has ended already.
    let _ = client.disconnect(None).wait_for(GOODBYE_TIMEOUT);
    thread::sleep(REST);
    let _register = REGISTER.lock().unwrap_or_else(PoisonError::into_inner);
    drop(client);
}
