//! The raw door: one connection to a session's port, as octets within a WebSocket, for
//! `platen-hub open`. A page of a browser gets none, whosever it is.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use dial::websocket::config;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tracing::debug;

use super::gate::Viewer;
use super::visit::own;
use super::{PageError, PortalState};
use crate::door::raw::{SUBPROTOCOL, Way, bridge};
use crate::session::{Deed, Session, Stream};

/// What every browser sends, and no program that has no reason to.
const FETCH: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Opens a connection to the session's port, and carries octets from there.
///
/// # Errors
/// [`PageError::NotFound`] for a session that is over, or somebody else's.
pub async fn open(
    viewer: Viewer,
    State(state): State<PortalState>,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, PageError> {
    viewer.may_web()?;
    let refuse = |status: StatusCode, words: String| Ok((status, words + "\n").into_response());
    let headers = request.headers();
    if headers.contains_key(ORIGIN) || headers.contains_key(FETCH) {
        return refuse(StatusCode::FORBIDDEN, "no page opens a raw door".to_owned());
    }
    let session = own(&viewer, &state, &id)?;
    if session.terms().is_read_only {
        let words = "this session is for looking only: what goes through a raw door cannot be seen";
        return refuse(StatusCode::FORBIDDEN, words.to_owned());
    }
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let key = websocket_key(request.headers());
    let (Some(key), Some(upgrade)) = (key, upgrade) else {
        let words = format!("here is a WebSocket (version 13, subprotocol {SUBPROTOCOL})");
        return refuse(StatusCode::UPGRADE_REQUIRED, words);
    };
    let accept = derive_accept_key(key.as_bytes());
    let number = session.number();
    if let Err(why) = session.note(Deed::RawBegan { number }).await {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, why.to_string());
    }
    let stream = match session.connect().await {
        Ok(stream) => stream,
        Err(why) => {
            note_end(&session, number, (0, 0)).await;
            return refuse(StatusCode::BAD_GATEWAY, why.to_string());
        }
    };
    tokio::spawn(carry(session, number, (upgrade, stream)));
    let headers = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.to_owned()),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response())
}

/// Carries octets until either side or the session ends, and writes down how many there were.
async fn carry(session: Session, number: u64, (upgrade, stream): (OnUpgrade, Box<dyn Stream>)) {
    let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
    let moved = |way, count| {
        let tally = session.tally();
        let (all, own) = match way {
            Way::In => (&tally.sent, &sent),
            Way::Out => (&tally.received, &received),
        };
        all.fetch_add(count, Ordering::Relaxed);
        own.fetch_add(count, Ordering::Relaxed);
    };
    let carried = async {
        let upgraded = upgrade.await.map_err(std::io::Error::other)?;
        let upgraded = TokioIo::<Upgraded>::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config()));
        bridge(socket.await, stream, moved).await
    };
    tokio::select! {
        carried = carried => if let Err(error) = carried {
            debug!(session = %session.terms().id, number, %error, "a raw connection broke off");
        },
        _ = session.ended() => {}
    }
    let moved = (
        sent.load(Ordering::Relaxed),
        received.load(Ordering::Relaxed),
    );
    note_end(&session, number, moved).await;
}

async fn note_end(session: &Session, number: u64, (sent, received): (u64, u64)) {
    let deed = Deed::RawEnded {
        number,
        sent,
        received,
    };
    if let Err(error) = session.note(deed).await {
        debug!(session = %session.terms().id, number, %error, "an end is not in the audit");
    }
}

/// The key of a handshake (RFC 6455, section 4.2.1); none if it is none.
fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: HeaderName, wanted: &str| {
        let lines = headers.get_all(name);
        let mut words = lines.iter().filter_map(|line| line.to_str().ok());
        words.any(|line| {
            let mut parts = line.split(',').map(str::trim);
            parts.any(|part| part.eq_ignore_ascii_case(wanted))
        })
    };
    let is_one = has(UPGRADE, "websocket")
        && has(CONNECTION, "upgrade")
        && has(SEC_WEBSOCKET_VERSION, "13")
        && has(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let key = headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    is_one.then(|| key.to_owned())
}
