//! The one port: gRPC, the portal and MQTT over WebSocket behind one TLS, told apart by what is
//! asked, by name and by path.
//!
//! The sessions with printers' pages have names of their own, under one domain, and by those leads
//! nothing else. An agent's certificate opens no page, and a browser's session opens no agent's route. A door
//! that has names of its own answers by those alone; the portal answers by its names alone always,
//! so that no other site's name leads to it. What a peer may cost is bounded here, beyond what
//! [`super::tls`] bounds.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tonic::Status;
use tonic::codegen::Service;
use tracing::debug;

use crate::door::gateway::Gateway;
use crate::door::mqtt::MqttDoor;
use crate::door::portal::gate::Https;
use crate::door::tls::{self, Connection, Peer, STRANGER_LIFE};
use crate::door::web::WebDoor;

/// Where MQTT over WebSocket is.
pub const MQTT_PATH: &str = "/mqtt";

/// Calls at once on one connection. An agent makes one at a time, a browser a handful.
const STREAMS_MAX: u32 = 8;

/// Resets by a peer that are not yet dealt with before its connection is ended (CVE-2023-44487).
const RESETS_MAX: usize = 16;

/// Largest list of headers of one call, in bytes. An agent's have a few hundred.
const HEADERS_LEN_MAX: u32 = 8 * 1024;

/// Longest one call may take: the store waits at most 20 s for another writer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a quiet connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest a peer may take over the head of a request in HTTP/1.1, its idle time included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// When a peer without a certificate is told that no more will be answered: before it is cut, so
/// that a browser begins its next request on a new connection.
const STRANGER_NOTICE: Duration = Duration::from_secs(20);
const _: () = assert!(STRANGER_NOTICE.as_secs() < STRANGER_LIFE.as_secs());

/// How long a browser may take to read that its session has ended before its connection is cut.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The doors behind one port; one that is absent is at another.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// Enrollment and polls.
    pub uplink: Option<Router>,
    /// Commands.
    pub mqtt: Option<MqttDoor>,
    /// Pages.
    pub portal: Option<Router>,
    /// Printers' pages.
    pub web: Option<WebDoor>,
    /// SSH, told from TLS by its first octet.
    pub gateway: Option<Gateway>,
}

/// By which names each door is reached.
#[derive(Debug, Clone)]
pub struct Names {
    /// Enrollment and polls.
    pub uplink: Vec<String>,
    /// Commands.
    pub mqtt: Vec<String>,
    /// Pages.
    pub portal: Arc<[String]>,
}

/// One port.
#[derive(Debug, Clone)]
pub struct Front {
    parts: Arc<(Doors, Names)>,
}

impl Front {
    /// Puts these doors behind one port; [`Self::serve`] opens it.
    #[must_use]
    pub fn new(doors: Doors, names: Names) -> Self {
        Self {
            parts: Arc::new((doors, names)),
        }
    }

    /// Serves until `shutdown`, then lets what is under way end.
    pub async fn serve(
        self,
        listener: TcpListener,
        settings: Arc<rustls::ServerConfig>,
        shutdown: impl Future<Output = ()>,
    ) {
        let beside = self.parts.0.gateway.clone();
        let mut connections = tls::connections(listener, settings, beside);
        let (stop, stopped) = watch::channel(false);
        let mut served = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                connection = connections.next() => match connection {
                    None => break,
                    Some(connection) => {
                        served.spawn(self.clone().serve_one(connection, stopped.clone()));
                    }
                },
                Some(_) = served.join_next() => {}
            }
        }
        drop(connections);
        stop.send_replace(true);
        while served.join_next().await.is_some() {}
    }

    async fn serve_one(self, connection: Connection, mut stopped: watch::Receiver<bool>) {
        let peer = connection.peer().clone();
        let address = peer.address;
        let guest = peer.guest.clone();
        let mut is_stranger = peer.certificate.is_none();
        let router = Router::new()
            .fallback(dispatch)
            .with_state(self)
            .layer(Extension(peer));
        let builder = builder();
        let service = TowerToHyperService::new(router);
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(connection), service);
        let mut serving = pin!(serving);
        let mut notice = pin!(sleep(STRANGER_NOTICE));
        let mut cut = pin!(async {
            guest.is_out().await;
            sleep(LAST_WORDS).await;
        });
        let mut is_ending = false;
        loop {
            tokio::select! {
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        debug!(%address, error, "a connection ended");
                    }
                    return;
                }
                _ = stopped.wait_for(|is_stopped| *is_stopped), if !is_ending => {}
                () = cut.as_mut() => return,
                () = notice.as_mut(), if is_stranger && !is_ending => {
                    is_stranger = false;
                    if guest.is_in() {
                        continue;
                    }
                }
            }
            is_ending = true;
            serving.as_mut().graceful_shutdown();
        }
    }

    /// Which door a request is for, and whether it may knock there.
    fn judge(&self, peer: &Peer, request: &Request) -> Judged {
        let (doors, names) = self.parts.as_ref();
        let host = host(request);
        let name = peer
            .wanted
            .as_deref()
            .or(host.as_deref())
            .unwrap_or_default();
        let is_elsewhere = |own: &[String]| {
            let others = [&names.uplink, &names.mqtt];
            let is_named = others.into_iter().flatten().any(|other| other == name);
            (is_named || names.portal.iter().any(|other| other == name))
                && !own.iter().any(|own| own == name)
        };
        if let Some(web) = &doors.web
            && [&peer.wanted, &host]
                .into_iter()
                .flatten()
                .any(|name| web.answers(name))
        {
            return match &peer.certificate {
                Some(_) => Judged::AgentAtPortal,
                None if peer.wanted == host => Judged::Web(web.clone()),
                None => Judged::WrongName,
            };
        }
        if is_grpc(request.headers()) {
            return match &doors.uplink {
                Some(_) if is_elsewhere(&names.uplink) => Judged::WrongName,
                Some(router) => Judged::Uplink(router.clone()),
                None => Judged::NoDoor,
            };
        }
        if request.uri().path() == MQTT_PATH {
            return match &doors.mqtt {
                Some(_) if is_elsewhere(&names.mqtt) => Judged::WrongName,
                Some(door) => Judged::Mqtt(door.clone()),
                None => Judged::NoDoor,
            };
        }
        let Some(router) = &doors.portal else {
            return Judged::NoDoor;
        };
        let is_wanted = peer.wanted.is_none() || peer.wanted == host;
        if peer.certificate.is_some() {
            Judged::AgentAtPortal
        } else if is_wanted && host.is_some_and(|host| names.portal.contains(&host)) {
            Judged::Portal(router.clone(), Https(Arc::clone(&names.portal)))
        } else {
            Judged::WrongName
        }
    }
}

enum Judged {
    Uplink(Router),
    Mqtt(MqttDoor),
    Portal(Router, Https),
    Web(WebDoor),
    AgentAtPortal,
    WrongName,
    NoDoor,
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_header_list_size(HEADERS_LEN_MAX)
        .keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    builder
}

async fn dispatch(
    State(front): State<Front>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
) -> Response {
    let refuse = |status: StatusCode, words: &'static str| (status, words).into_response();
    match front.judge(&peer, &request) {
        Judged::Uplink(router) => {
            request.extensions_mut().insert(peer);
            let late = || Status::deadline_exceeded("the hub took too long").into_http::<Body>();
            within(router, request).await.unwrap_or_else(late)
        }
        Judged::Mqtt(door) => door.upgrade(&peer, request).await,
        Judged::Portal(router, https) => {
            request.extensions_mut().insert(https);
            let late = || refuse(StatusCode::SERVICE_UNAVAILABLE, "the hub took too long\n");
            within(router, request).await.unwrap_or_else(late)
        }
        // Streams for as long as its session lives.
        Judged::Web(door) => door.serve(request).await,
        Judged::AgentAtPortal => refuse(
            StatusCode::UNAUTHORIZED,
            "an agent's certificate opens no page\n",
        ),
        Judged::WrongName => refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "nothing answers by this name here\n",
        ),
        Judged::NoDoor => refuse(StatusCode::NOT_FOUND, "there is nothing here\n"),
    }
}

/// Asks a door; none if it takes too long.
async fn within(mut router: Router, request: Request) -> Option<Response> {
    let answered = timeout(CALL_TIMEOUT, router.call(request)).await.ok()?;
    let Ok(answer) = answered;
    Some(answer)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The name in the request, without its port; none unless there is exactly one.
fn host(request: &Request) -> Option<String> {
    let mut headers = request.headers().get_all(HOST).iter();
    let (header, more) = (headers.next(), headers.next());
    let header = match header {
        Some(header) => Some(Authority::try_from(header.as_bytes()).ok()?),
        None => None,
    };
    let authority = match (header, more, request.uri().authority()) {
        (Some(header), None, None) => header,
        (Some(header), None, Some(uri)) if header == *uri => header,
        (None, None, Some(uri)) => uri.clone(),
        _ => return None,
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    (!authority.as_str().contains('@')).then(|| bare.to_ascii_lowercase())
}
