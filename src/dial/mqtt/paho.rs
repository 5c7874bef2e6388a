//! The only file that makes a client of paho's, and the graveyard of those that are done.
//!
//! A client that is dropped right after one of its tokens completes takes the whole library with
//! it: the token's share of the client is then the last, paho's receiving thread drops it inside a
//! callback, and destroying a client takes the lock that the callback holds. Every client of the
//! process hangs. So a client is not dropped where it is used: it is buried, which means that
//! another thread waits for what is under way and some time more, and drops it then. A client
//! whose connection never says how it ended is not destroyed at all.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use library::{AsyncClient, AsyncReceiver, ConnectOptions, ConnectToken, CreateOptionsBuilder};
use paho_mqtt as library;

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
    /// The connection that was begun last.
    pending: Mutex<Option<ConnectToken>>,
}

impl Paho {
    /// Makes one that will connect to `uri`, and the stream of its events.
    pub(super) fn new(
        options: &Options,
        uri: &str,
    ) -> Result<(Self, AsyncReceiver<library::Event>), StartError> {
        let create = CreateOptionsBuilder::new()
            .server_uri(uri)
            .client_id(&*options.client_id)
            .mqtt_version(match options.version {
                Version::V311 => library::MQTT_VERSION_3_1_1,
                Version::V5 => library::MQTT_VERSION_5,
            })
            .persistence(None)
            .finalize();
        let mut client =
            AsyncClient::new(create).map_err(|error| StartError::Library(error.to_string()))?;
        let events = client.get_event_stream(READY_MAX);
        let paho = Self {
            client: Some(client),
            pending: Mutex::new(None),
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
        let grave = thread::Builder::new().name("mqtt-grave".to_owned());
        // Without a thread the closure is dropped here, and the client with it, at once; a machine
        // that has no thread left has worse troubles.
        let _ = grave.spawn(move || bury(client, pending));
    }
}

/// Waits for what is under way, and then some; destroys the client.
fn bury(client: AsyncClient, pending: Option<ConnectToken>) {
    if let Some(pending) = pending {
        let ended = pending.wait_for(CONNECT_TIMEOUT + GOODBYE_TIMEOUT);
        if matches!(ended, Err(library::Error::Timeout)) {
            // Its callback may still come, and would be the last to hold the client.
            std::mem::forget(client);
            return;
        }
    }
    thread::sleep(REST);
    // Ends nothing that has ended already.
    let _ = client.disconnect(None).wait_for(GOODBYE_TIMEOUT);
    thread::sleep(REST);
    drop(client);
}
