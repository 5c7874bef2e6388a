//! The hub's own MQTT broker: rmqtt within this process, behind our own TLS.
//!
//! It listens on a loopback address, and only to whom the hub itself brought there: who wants in
//! comes by [`Broker::admit`], which takes a proven identity and binds the connection's own port
//! before it is made, so that the broker can ask here who is at the other end of a port. Whoever
//! connects from a port that is not known is refused, and so is a client id that is not the
//! agent's. An agent hears its own commands and says its own outcomes and presence; the hub does
//! the reverse. Nothing is retained. Sessions are in memory: what was not acknowledged when the
//! hub ends is sent again from its store.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use proto::topics::{self, Use};
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use rmqtt::session::Session;
use rmqtt::types::{
    AuthResult, ConnectInfo, LastWill, Publish, PublishAclResult, Subscribe, SubscribeAclResult,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tonic::async_trait;
use tracing::warn;

use crate::store::agents::AgentId;

/// What the hub is called at its broker. No agent can be: their ids are 32 hex digits.
pub const HUB_CLIENT_ID: &str = "platen-hub";

/// Largest packet: the largest payload and its frame, in bytes.
const PACKET_BYTES_MAX: u32 = 288 * 1024;

/// Messages of one agent that wait while it is away or slow. The hub's store has them all.
const QUEUE_LEN_MAX: usize = 64;

/// Messages to one client without its acknowledgement.
const IN_FLIGHT_MAX: NonZeroU16 = NonZeroU16::MIN.saturating_add(15);

/// Connections at once: as many as the door in front lets in.
const CONNECTIONS_MAX: usize = 2_048;

/// How long a session is kept for an agent that is away, and what waits in it: the hub sends what
/// has no outcome again, so this only saves a repetition.
const SESSION_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
const MESSAGE_LIFE: Duration = Duration::from_secs(60 * 60);

/// Longest the broker waits for a client's first packet, and for a client to take what is sent.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest keep-alive that a client may ask for, in seconds: silence longer than that is an end.
const KEEP_ALIVE_SECS_MAX: u16 = 1_200;

/// Levels of the longest topic: `platen/v1/ID/command`.
const TOPIC_LEVELS_MAX: usize = 4;

/// Filters of one client: an agent has one, the hub two.
const FILTERS_MAX: usize = 4;

/// Ports that are tried for the listener: another program may take one in between.
const PORTS_TRIED: usize = 16;

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
#[error("the hub's own broker cannot listen on a loopback address: {0}")]
pub struct BrokerError(String);

/// Whom a connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Guest {
    Agent(String),
    Hub,
}

/// Who is at which port of the loopback address.
type Guests = Arc<Mutex<HashMap<u16, Guest>>>;

/// The broker. Ends when it is dropped; connections end with their [`Seat`]s.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    guests: Guests,
    task: JoinHandle<()>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broker {
    /// Starts it.
    ///
    /// # Errors
    /// [`BrokerError`] when no loopback address can be listened on.
    pub async fn start() -> Result<Self, BrokerError> {
        let guests = Guests::default();
        let context = ServerContext::new().busy_check_enable(false).build().await;
        let register = context.extends.hook_mgr().register();
        for kind in [
            Type::ClientAuthenticate,
            Type::ClientSubscribeCheckAcl,
            Type::MessagePublishCheckAcl,
        ] {
            let doorkeeper = Doorkeeper(Arc::clone(&guests));
            register.add(kind, Box::new(doorkeeper)).await;
        }
        register.start().await;
        let (address, listener) = listen()?;
        let server = MqttServer::new(context).listener(listener).build();
        let task = tokio::spawn(async move {
            if let Err(error) = server.run().await {
                warn!(%error, "the hub's own broker has ended");
            }
        });
        Ok(Self {
            address,
            guests,
            task,
        })
    }

    /// A connection for an agent. It is closed by dropping it.
    ///
    /// # Errors
    /// What the system says.
    pub async fn admit(&self, agent: &AgentId) -> io::Result<Seat> {
        self.seat(Guest::Agent(agent.as_str().to_owned())).await
    }

    /// A connection for the hub itself.
    ///
    /// # Errors
    /// What the system says.
    pub async fn admit_hub(&self) -> io::Result<Seat> {
        self.seat(Guest::Hub).await
    }

    async fn seat(&self, guest: Guest) -> io::Result<Seat> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let place = Place {
            port: socket.local_addr()?.port(),
            guests: Arc::clone(&self.guests),
        };
        lock(&self.guests).insert(place.port, guest);
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Seat {
            stream,
            _place: place,
        })
    }
}

/// Binds a free port of the loopback address; rmqtt does not tell which one port 0 became.
fn listen() -> Result<(SocketAddr, rmqtt::net::Listener), BrokerError> {
    let mut last = String::new();
    for _ in 0..PORTS_TRIED {
        let free = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let bound = free.map_err(|error| error.to_string()).and_then(|address| {
            let listener = limits().laddr(address).bind();
            let listener = listener.and_then(rmqtt::net::Listener::tcp);
            listener
                .map(|listener| (address, listener))
                .map_err(|error| error.to_string())
        });
        match bound {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(BrokerError(last))
}

fn limits() -> Builder {
    Builder::new()
        .name("hub")
        .nodelay(true)
        .allow_anonymous(false)
        .max_connections(CONNECTIONS_MAX)
        .max_packet_size(PACKET_BYTES_MAX)
        .max_inflight(IN_FLIGHT_MAX)
        .max_mqueue_len(QUEUE_LEN_MAX)
        .max_qos_allowed(QoS::AtLeastOnce)
        .max_topic_levels(TOPIC_LEVELS_MAX)
        .max_subscriptions(FILTERS_MAX)
        .max_clientid_len(HUB_CLIENT_ID.len().max(32))
        .max_keepalive(KEEP_ALIVE_SECS_MAX)
        .allow_zero_keepalive(false)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .send_timeout(SEND_TIMEOUT)
        .session_expiry_interval(SESSION_LIFE)
        .max_session_expiry_interval(SESSION_LIFE)
        .message_expiry_interval(MESSAGE_LIFE)
}

fn lock(guests: &Guests) -> std::sync::MutexGuard<'_, HashMap<u16, Guest>> {
    guests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that is known while this lives.
#[derive(Debug)]
struct Place {
    port: u16,
    guests: Guests,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.guests).remove(&self.port);
    }
}

/// A connection to the broker, for whom it was made.
#[derive(Debug)]
pub struct Seat {
    stream: TcpStream,
    _place: Place,
}

impl AsyncRead for Seat {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Seat {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Answers what the broker asks: who comes in, who hears what, who says what.
struct Doorkeeper(Guests);

#[async_trait]
impl Handler for Doorkeeper {
    async fn hook(&self, asked: &Parameter, answered: Option<HookResult>) -> ReturnType {
        match asked {
            Parameter::ClientAuthenticate(who) => {
                let result = if self.may_enter(who) {
                    AuthResult::Allow(false, None)
                } else {
                    AuthResult::NotAuthorized
                };
                (false, Some(HookResult::AuthResult(result)))
            }
            Parameter::ClientSubscribeCheckAcl(who, what) => {
                let result = judge_filter(who, what);
                (false, Some(HookResult::SubscribeAclResult(result)))
            }
            Parameter::MessagePublishCheckAcl(who, what) => {
                let result = judge_message(who, what);
                (false, Some(HookResult::PublishAclResult(result)))
            }
            _ => (true, answered),
        }
    }
}

impl Doorkeeper {
    /// Whether a connection is one that the hub made, under its own name, and with a will that
    /// its owner could say itself.
    fn may_enter(&self, who: &ConnectInfo) -> bool {
        let id = who.id();
        let guest = id.remote_addr.filter(|from| from.ip().is_loopback());
        let guest = guest.and_then(|from| lock(&self.0).get(&from.port()).cloned());
        let client_id: &str = who.client_id();
        let is_who_it_says = match &guest {
            None => false,
            Some(Guest::Agent(agent)) => agent == client_id,
            Some(Guest::Hub) => client_id == HUB_CLIENT_ID,
        };
        let may_will = match who.last_will() {
            None => true,
            Some(LastWill::V3(will)) => !will.retain && may_say(client_id, &will.topic),
            Some(LastWill::V5(will)) => !will.retain && may_say(client_id, &will.topic),
        };
        if !is_who_it_says || !may_will {
            warn!(client_id, ?guest, "the broker refused a connection");
        }
        is_who_it_says && may_will
    }
}

fn judge_filter(who: &Session, what: &Subscribe) -> SubscribeAclResult {
    if may_hear(&who.id.client_id, &what.topic_filter) {
        return SubscribeAclResult::new_success(QoS::AtLeastOnce, None);
    }
    warn!(client_id = %who.id.client_id, filter = %what.topic_filter,
        "the broker refused a subscription");
    SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
}

fn judge_message(who: &Session, what: &Publish) -> PublishAclResult {
    let is_short = what.payload.len() <= topics::PAYLOAD_BYTES_MAX;
    if is_short && !what.retain && may_say(&who.id.client_id, &what.topic) {
        return PublishAclResult::allow();
    }
    warn!(client_id = %who.id.client_id, topic = %what.topic, "the broker refused a message");
    PublishAclResult::rejected(true, None)
}

/// Whether a client may subscribe to a filter. The id was proven when it connected.
fn may_hear(client_id: &str, filter: &str) -> bool {
    if client_id == HUB_CLIENT_ID {
        return filter == topics::OUTCOMES || filter == topics::PRESENCES;
    }
    topics::parse(filter) == Some((client_id, Use::Command))
}

/// Whether a client may publish to a topic.
fn may_say(client_id: &str, topic: &str) -> bool {
    match topics::parse(topic) {
        Some((_, Use::Command)) => client_id == HUB_CLIENT_ID,
        Some((agent, Use::Outcome | Use::Presence)) => client_id == agent,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef";
    const B: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn an_agent_reaches_its_own_topics_and_the_hub_the_other_ends() {
        assert!(may_hear(A, &topics::command(A)));
        assert!(may_say(A, &topics::outcome(A)) && may_say(A, &topics::presence(A)));
        assert!(may_hear(HUB_CLIENT_ID, topics::OUTCOMES));
        assert!(may_hear(HUB_CLIENT_ID, topics::PRESENCES));
        assert!(may_say(HUB_CLIENT_ID, &topics::command(A)));
        let deaf = [
            topics::command(B),
            topics::outcome(A),
            "#".to_owned(),
            "+/+/+/+".to_owned(),
            "platen/v1/+/command".to_owned(),
            format!("$share/g/{}", topics::command(A)),
            "$SYS/#".to_owned(),
        ];
        for filter in deaf {
            assert!(!may_hear(A, &filter), "{filter}");
            assert!(!may_hear(HUB_CLIENT_ID, &filter), "{filter}");
        }
        for topic in [topics::command(A), topics::outcome(B), "x".to_owned()] {
            assert!(!may_say(A, &topic), "{topic}");
        }
        assert!(!may_say(HUB_CLIENT_ID, &topics::outcome(A)));
    }
}
