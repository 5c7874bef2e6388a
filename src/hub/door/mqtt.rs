//! The agents' way to the hub's own broker: MQTT over WebSocket at `/mqtt`, and MQTT over TLS on a
//! port of its own. Both prove the agent by its certificate, and carry octets from there.
//!
//! A connection is looked at again while it stands: an agent that is revoked, or whose certificate
//! was replaced, is cut.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use dial::Stream;
use dial::websocket::{Octets, SUBPROTOCOL};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::{debug, info, warn};

use crate::door::broker::Broker;
use crate::door::tls::{self, Peer};
use crate::store::agents::AgentId;
use crate::store::{Store, StoreError, Tenant};

/// How often a standing connection is looked at again: a revocation is to work within 60 s.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// What the way to the broker needs to know.
#[derive(Debug)]
pub struct MqttParts {
    /// Knows the agents.
    pub store: Store,
    /// Whose they are.
    pub tenant: Tenant,
    /// Where they go.
    pub broker: Arc<Broker>,
    /// Turns true when the hub ends.
    pub stopped: watch::Receiver<bool>,
}

/// The way to the broker. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MqttDoor(Arc<MqttParts>);

/// Why an agent is not let in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("MQTT takes a certificate of this hub")]
    Stranger,
    #[error("this certificate is revoked, replaced or unknown; enroll again")]
    Unknown,
    #[error("the store is away; try again later")]
    Store(#[from] StoreError),
}

impl MqttDoor {
    /// Makes it.
    #[must_use]
    pub fn new(parts: MqttParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Serves MQTT over TLS until `shutdown`, then cuts what stands: sessions are resumed.
    pub async fn serve(
        self,
        listener: TcpListener,
        settings: Arc<rustls::ServerConfig>,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut connections = tls::connections(listener, settings, None);
        let mut served = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                connection = connections.next() => {
                    let Some(connection) = connection else { return };
                    let (door, peer) = (self.clone(), connection.peer().clone());
                    served.spawn(async move {
                        match door.prove(&peer).await {
                            Ok(agent) => door.carry(connection, &agent, &peer).await,
                            Err(refusal) => refused(&peer, &refusal),
                        }
                    });
                }
                Some(_) = served.join_next() => {}
            }
        }
    }

    /// Answers a request for a WebSocket, and carries it to the broker from there.
    pub(super) async fn upgrade(&self, peer: &Peer, mut request: Request) -> Response {
        let refuse = |status: StatusCode, words: String| (status, words + "\n").into_response();
        if request.headers().contains_key(ORIGIN) {
            // A page in a browser is no agent, whatever certificate the browser has.
            return refuse(StatusCode::FORBIDDEN, "MQTT is not for pages".to_owned());
        }
        let Some(key) = websocket_key(request.method(), request.headers()) else {
            let words = "here is MQTT over WebSocket (version 13, subprotocol mqtt)".to_owned();
            return refuse(StatusCode::UPGRADE_REQUIRED, words);
        };
        let accept = derive_accept_key(key.as_bytes());
        let agent = match self.prove(peer).await {
            Ok(agent) => agent,
            Err(refusal) => {
                refused(peer, &refusal);
                return refuse(StatusCode::UNAUTHORIZED, refusal.to_string());
            }
        };
        let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
            let words = "MQTT over WebSocket needs HTTP/1.1".to_owned();
            return refuse(StatusCode::UPGRADE_REQUIRED, words);
        };
        let (door, peer) = (self.clone(), peer.clone());
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let octets = Octets::accepted(TokioIo::new(upgraded)).await;
                    door.carry(octets, &agent, &peer).await;
                }
                Err(error) => debug!(address = %peer.address, %error, "no WebSocket after all"),
            }
        });
        let headers = [
            (CONNECTION, "Upgrade".to_owned()),
            (UPGRADE, "websocket".to_owned()),
            (SEC_WEBSOCKET_ACCEPT, accept),
            (SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.to_owned()),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }

    /// Proves an agent by the certificate of its connection.
    async fn prove(&self, peer: &Peer) -> Result<AgentId, Refusal> {
        let fingerprint = peer.fingerprint().ok_or(Refusal::Stranger)?;
        let parts = &self.0;
        let known = parts
            .store
            .agent_of(&parts.tenant, fingerprint, Timestamp::now());
        known.await?.ok_or(Refusal::Unknown)
    }

    /// Carries octets between an agent and the broker until either ends, the agent is not let in
    /// any more, or the hub ends.
    async fn carry(&self, mut stream: impl Stream, agent: &AgentId, peer: &Peer) {
        let name = agent.name();
        let mut seat = match self.0.broker.admit(agent).await {
            Ok(seat) => seat,
            Err(error) => {
                warn!(agent = name, %error, "the hub's own broker cannot be reached");
                return;
            }
        };
        let mut stopped = self.0.stopped.clone();
        tokio::select! {
            ended = copy_bidirectional(&mut stream, &mut seat) => note_end(name, ended),
            refusal = self.watch(peer) => info!(agent = name, %refusal, "an agent's MQTT was cut"),
            _ = stopped.wait_for(|is_stopped| *is_stopped) => {}
        }
    }

    /// Ends when the agent is not let in any more.
    async fn watch(&self, peer: &Peer) -> Refusal {
        loop {
            sleep(LOOK_AGAIN).await;
            match self.prove(peer).await {
                // A store that is away says nothing about the agent.
                Ok(_) | Err(Refusal::Store(_)) => {}
                Err(refusal @ (Refusal::Stranger | Refusal::Unknown)) => return refusal,
            }
        }
    }
}

fn note_end(agent: &str, ended: io::Result<(u64, u64)>) {
    match ended {
        Ok((received, sent)) => debug!(agent, received, sent, "an agent's MQTT ended"),
        Err(error) => debug!(agent, %error, "an agent's MQTT broke off"),
    }
}

fn refused(peer: &Peer, refusal: &Refusal) {
    warn!(address = %peer.address, %refusal, "an agent's MQTT was refused");
}

/// The key of a handshake for MQTT over WebSocket (RFC 6455, section 4.2.1); none if it is none.
fn websocket_key<'a>(method: &Method, headers: &'a HeaderMap) -> Option<&'a str> {
    let has = |name: HeaderName, wanted: &str| {
        let lines = headers.get_all(name);
        let mut words = lines.iter().filter_map(|line| line.to_str().ok());
        words.any(|line| {
            let mut parts = line.split(',').map(str::trim);
            parts.any(|part| part.eq_ignore_ascii_case(wanted))
        })
    };
    let is_one = method == Method::GET
        && has(UPGRADE, "websocket")
        && has(CONNECTION, "upgrade")
        && has(SEC_WEBSOCKET_VERSION, "13")
        && has(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let key = headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    is_one.then_some(key)
}
