//! The portal as `platen-hub open` asks it: on this machine without TLS, elsewhere over https and
//! believing the given authorities alone.

use std::net::SocketAddr;
use std::path::Path;

use dial::{Destination, Dialer, Stream, Trust};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_TYPE, COOKIE, HOST, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL,
    SET_COOKIE,
};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::cli::complaint::{Complaint, Exit};
use crate::cli::plain;
use crate::door::raw::SUBPROTOCOL;
use crate::permission::{Right, Rights};
use crate::state::write_whole;
use crate::store::{Store, Tenant};

/// Longest the portal may take over one answer. A raw connection waits for the printer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

/// Largest answer that is read, in octets.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Longest file with a link, in octets.
const LINK_BYTES_MAX: usize = 4 * 1024;

/// Most of the portal's words that are shown, in characters.
const WORDS_MAX: usize = 300;

/// What a file with a link holds once the link was used.
const SESSION_MARK: &str = "session ";

/// The portal, and who we are there. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Door {
    way: Way,
    /// Its address as browsers write it: what a form's `Origin` says.
    origin: String,
    host: String,
    cookie: String,
}

#[derive(Debug, Clone)]
enum Way {
    Here(SocketAddr),
    Elsewhere(Box<Dialer>, Destination),
}

impl Door {
    /// The portal on this machine, with a session made from the store.
    pub(super) async fn here(store: &Store, at: SocketAddr, name: &str) -> Result<Self, Complaint> {
        let (tenant, now) = (Tenant::DEFAULT, Timestamp::now());
        let rights = Rights::of([Right::Web]);
        let link = store
            .portal_link_create(&tenant, (name, &rights), now)
            .await?;
        let session = store.portal_link_use(&tenant, link.reveal(), now).await?;
        let session =
            session.ok_or_else(|| Complaint::new(Exit::FAILED, "the portal gives no session"))?;
        Ok(Self {
            way: Way::Here(at),
            origin: format!("http://{at}"),
            host: at.to_string(),
            cookie: format!("platen_{}={}", at.port(), session.reveal()),
        })
    }

    /// The portal of a hub elsewhere, with the link or the session in a file.
    pub(super) async fn elsewhere(hub: &str, ca: &Path, link: &Path) -> Result<Self, Complaint> {
        let hub = hub.trim_end_matches('/');
        let to = Destination::of_url(hub).map_err(|_| {
            Complaint::new(
                Exit::FAILED,
                format!("--hub: '{}' is no address", plain(hub)),
            )
            .try_next("write it as https://hub.example.org")
        })?;
        let roots_pem = text(ca, "--ca", ANSWER_BYTES_MAX * 4)?;
        let trust = Trust {
            roots_pem,
            identity: None,
        };
        let dialer = Dialer::new(&trust).map_err(|error| {
            Complaint::new(Exit::FAILED, format!("--ca: {}: {error}", ca.display()))
                .try_next("name a PEM file with the authority of the hub's certificate")
        })?;
        let origin = format!("https://{to}");
        let mut door = Self {
            way: Way::Elsewhere(Box::new(dialer), to.clone()),
            origin: origin.strip_suffix(":443").unwrap_or(&origin).to_owned(),
            host: to
                .to_string()
                .strip_suffix(":443")
                .map_or_else(|| to.to_string(), str::to_owned),
            cookie: String::new(),
        };
        door.cookie = door.enter(link).await?;
        Ok(door)
    }

    /// Uses the link in a file up, and keeps there what it was good for.
    async fn enter(&self, file: &Path) -> Result<String, Complaint> {
        let held = text(file, "--link", LINK_BYTES_MAX)?;
        let held = held.trim();
        if let Some(cookie) = held.strip_prefix(SESSION_MARK) {
            return Ok(cookie.to_owned());
        }
        let no_link = || {
            Complaint::new(
                Exit::FAILED,
                format!("--link: {} holds no link", file.display()),
            )
            .try_next("on the hub's machine: platen-hub setup-link --may web > FILE")
        };
        let (_, token) = held.split_once("/enter/").ok_or_else(no_link)?;
        let is_digit = |byte: u8| byte.is_ascii_hexdigit();
        if token.is_empty() || !token.bytes().all(is_digit) {
            return Err(no_link());
        }
        let path = format!("/enter/{token}");
        let (_, headers, _) = self.ask(Method::GET, &path, None).await?;
        let cookie = headers
            .get(SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie
            .and_then(|cookie| cookie.split(';').next())
            .ok_or_else(|| {
                Complaint::new(Exit::REFUSED, "the portal does not take this link")
                    .because("a link works once, within 24 hours")
                    .try_next("on the hub's machine: platen-hub setup-link --may web > FILE")
            })?;
        let kept = format!("{SESSION_MARK}{cookie}\n");
        if let Err(error) = write_whole(file, kept.as_bytes()) {
            eprintln!("the session is not kept in {}: {error}", file.display());
        }
        Ok(cookie.to_owned())
    }

    /// Asks for something to read.
    pub(super) async fn get(&self, path: &str) -> Result<(u16, Bytes), Complaint> {
        let (status, _, said) = self.ask(Method::GET, path, None).await?;
        Ok((status, said))
    }

    /// Sends a form.
    pub(super) async fn post(&self, path: &str, form: &str) -> Result<(u16, Bytes), Complaint> {
        let (status, _, said) = self.ask(Method::POST, path, Some(form)).await?;
        Ok((status, said))
    }

    /// Opens one connection of a session.
    pub(super) async fn raw(
        &self,
        path: &str,
    ) -> Result<WebSocketStream<Box<dyn Stream>>, Complaint> {
        let url = format!("ws://{}{path}", self.host);
        let request = url.into_client_request();
        let mut request = request.map_err(|error| self.away(&error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(COOKIE, self.header(&self.cookie)?);
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
        let opened = async {
            let stream = self.stream().await?;
            let config = Some(dial::websocket::config());
            let opened = tokio_tungstenite::client_async_with_config(request, stream, config);
            opened
                .await
                .map(|(socket, _)| socket)
                .map_err(|error| match error {
                    Error::Http(answer) => {
                        let said = answer.body().as_deref().unwrap_or_default();
                        let said = String::from_utf8_lossy(said);
                        let said: String = plain(said.trim()).chars().take(WORDS_MAX).collect();
                        Complaint::new(Exit::FAILED, "the portal opens no connection").because(said)
                    }
                    error => self.away(&error.to_string()),
                })
        };
        let late = |_| self.away("no answer in time");
        timeout(ANSWER_TIMEOUT, opened).await.map_err(late)?
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        form: Option<&str>,
    ) -> Result<(u16, HeaderMap, Bytes), Complaint> {
        let asked = async {
            let stream = TokioIo::new(self.stream().await?);
            let shaken = hyper::client::conn::http1::handshake(stream).await;
            let (mut sender, connection) = shaken.map_err(|error| self.away(&error.to_string()))?;
            let serving = tokio::spawn(connection);
            let request = self.request(method, path, form)?;
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| self.away(&error.to_string()))?;
            let (head, body) = answer.into_parts();
            let said = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let said = said.map_err(|error| self.away(&error.to_string()))?;
            serving.abort();
            Ok((head.status.as_u16(), head.headers, said.to_bytes()))
        };
        let late = |_| self.away("no answer in time");
        timeout(ANSWER_TIMEOUT, asked).await.map_err(late)?
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        form: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Complaint> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONNECTION, "close")
            .header(ACCEPT, "application/json");
        if !self.cookie.is_empty() {
            request = request.header(COOKIE, self.header(&self.cookie)?);
        }
        if form.is_some() {
            request = request
                .header(ORIGIN, &self.origin)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(form.unwrap_or_default().to_owned()));
        request
            .body(body)
            .map_err(|error| self.away(&error.to_string()))
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, Complaint> {
        match &self.way {
            Way::Here(at) => {
                let stream = TcpStream::connect(at).await;
                let stream = stream.map_err(|error| self.away(&error.to_string()))?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Way::Elsewhere(dialer, to) => {
                let stream = dialer.tls(to, &[b"http/1.1"]).await;
                Ok(Box::new(
                    stream.map_err(|error| self.away(&error.to_string()))?,
                ))
            }
        }
    }

    fn header(&self, text: &str) -> Result<HeaderValue, Complaint> {
        HeaderValue::from_str(text).map_err(|_| {
            Complaint::new(Exit::FAILED, "the session in the file of --link is none")
                .try_next("on the hub's machine: platen-hub setup-link --may web > FILE")
        })
    }

    fn away(&self, why: &str) -> Complaint {
        let what = format!("the portal does not answer at {}", self.origin);
        Complaint::new(Exit::HUB_AWAY, what)
            .because(plain(why))
            .try_next("see that the hub runs: platen-hub health, on its machine")
    }
}

/// What the portal's refusal means here.
pub(super) fn refused(status: u16) -> Complaint {
    let complaint = |what: &str| Complaint::new(Exit::REFUSED, what);
    match status {
        401 => complaint("the portal does not know this session any more")
            .because("a session of the portal lasts 12 hours")
            .try_next("on the hub's machine: platen-hub setup-link --may web > FILE"),
        403 => complaint("the link was made for less")
            .try_next("on the hub's machine: platen-hub setup-link --may web > FILE"),
        404 => Complaint::new(Exit::NOTHING, "the hub knows no such printer or session")
            .try_next("platen-hub printer ls --json, on the hub's machine, lists device ids"),
        status => Complaint::new(Exit::FAILED, format!("the portal answers {status}"))
            .try_next("the hub's log says why"),
    }
}

/// A text as a form or a path has it (RFC 3986, section 2.1).
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn text(file: &Path, flag: &str, most: usize) -> Result<String, Complaint> {
    let refuse = |why: String| {
        let what = format!("{flag}: {} cannot be read", file.display());
        Complaint::new(Exit::FAILED, what)
            .because(why)
            .try_next("name a file that this user can read")
    };
    let octets = std::fs::read(file).map_err(|error| refuse(error.to_string()))?;
    if octets.len() > most {
        return Err(refuse(format!("it has more than {most} octets")));
    }
    String::from_utf8(octets).map_err(|_| refuse("it is no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_reason_stays_one_field_of_the_form() {
        assert_eq!(encoded("jam & café=1"), "jam%20%26%20caf%C3%A9%3D1");
        assert_eq!(encoded("../x"), "..%2Fx");
    }
}
