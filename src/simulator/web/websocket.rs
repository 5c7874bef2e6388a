//! A page that talks over a WebSocket (RFC 6455): what it says comes back, and is shown.

use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::web::http::{self, Answer};
use crate::web::{Visit, html, panel, until_left};

/// Longest message that a printer takes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// What the navigation has besides the panel.
const MORE: [(&str, &str); 1] = [("/live", "Live")];
/// Says two words and shows what comes back.
const SCRIPT: &str = "\
const shown = document.getElementById('echoes');\
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');\
socket.onopen = () => { socket.send('hello'); socket.send('printer'); };\
socket.onmessage = (message) => {\
const item = document.createElement('li'); item.textContent = message.data; shown.append(item); };\
socket.onerror = () => { document.title = 'failed'; };";

/// Answers for the page and its socket, and for the panel.
pub(crate) async fn answer(mut request: Request<Incoming>, visit: &Visit) -> Answer {
    match request.uri().path() {
        "/live" => {
            let of = visit.portrait().await;
            let main = format!("<ul id=\"echoes\"></ul><script>{SCRIPT}</script>");
            http::page(html::page("Live", &of, &MORE, &main))
        }
        "/socket" => {
            let key = request.headers().get(SEC_WEBSOCKET_KEY);
            let Some(accept) = key.map(|key| derive_accept_key(key.as_bytes())) else {
                return http::words(StatusCode::UPGRADE_REQUIRED, "A WebSocket is wanted here");
            };
            tokio::spawn(echo(hyper::upgrade::on(&mut request), visit.clone()));
            agreed(&accept)
        }
        _ => panel::answer_with(&request, visit, &MORE).await,
    }
}

fn agreed(accept: &str) -> Answer {
    let mut answer = Response::new(http::full(""));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

/// Says back what comes, until one side has had enough or the device leaves.
async fn echo(upgrade: OnUpgrade, visit: Visit) {
    let Ok(upgraded) = upgrade.await else { return };
    let said = visit.clone();
    until_left(&visit, async move {
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
        let stream = TokioIo::new(upgraded);
        let reading = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config));
        let mut socket = reading.await;
        while let Some(Ok(message)) = socket.next().await {
            if !(message.is_text() || message.is_binary()) {
                continue;
            }
            said.station().messaged();
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
    .await;
}
