//! IPP over HTTP/1.1, in the clear, to one port of one printer: what it says of itself.
//!
//! Takes an [`InScope`] like everything here; who makes one has opened the door, and knows what stands
//! at the address. One question is on its way at a time, each with a connection of its own, and
//! nothing a printer sends is followed: no redirect, no login, no switch to TLS.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use printer::ipp::{self, ANSWER_BYTES_MAX, Answer, IppError, Version};
use printer::reading::Reading;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::scope::InScope;
use super::stream::{self, NoStream};

/// The port of IPP (RFC 8010 §7).
pub const PORT: u16 = 631;

/// Where printers answer: by IPP Everywhere (PWG 5100.14 §4.2.2), and before it.
const PATHS: [&str; 3] = ["/ipp/print", "/ipp", "/"];

/// How long one answer may take, to its last octet: a printer that wakes up takes some seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest head of an answer. hyper takes no less than 8 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1_024;

/// What carries IPP in HTTP (RFC 8010 §4).
const MEDIA_TYPE: &str = "application/ipp";

/// Why a printer was not read over IPP.
#[derive(Debug, thiserror::Error)]
pub enum IppReadError {
    /// No connection.
    #[error(transparent)]
    NoStream(#[from] NoStream),
    /// It accepts connections and does not answer in time.
    #[error("{0} did not answer over IPP in {secs} s", secs = ANSWER_TIMEOUT.as_secs())]
    Slow(std::net::SocketAddr),
    /// What it sends is no HTTP, or ends in the middle.
    #[error("{peer} does not speak HTTP as it should: {why}")]
    Http {
        /// Whom.
        peer: std::net::SocketAddr,
        /// What was wrong.
        why: String,
    },
    /// It answers with another status than 200.
    #[error("{peer} answers HTTP status {status}")]
    Status {
        /// Whom.
        peer: std::net::SocketAddr,
        /// What it answers.
        status: StatusCode,
    },
    /// It speaks HTTP, and its answer says nothing.
    #[error("{peer}: {error}")]
    Ipp {
        /// Whom.
        peer: std::net::SocketAddr,
        /// Why not.
        error: IppError,
    },
}

impl IppReadError {
    /// Whether another path may be the right one.
    fn is_of_path(&self) -> bool {
        match self {
            Self::Status { status, .. } => [
                StatusCode::NOT_FOUND,
                StatusCode::METHOD_NOT_ALLOWED,
                StatusCode::BAD_REQUEST,
            ]
            .contains(status),
            Self::Ipp { error, .. } => error.is_of_path(),
            Self::NoStream(_) | Self::Slow(_) | Self::Http { .. } => false,
        }
    }

    fn is_of_version(&self) -> bool {
        matches!(self, Self::Ipp { error, .. } if error.is_of_version())
    }
}

/// Reads a printer over IPP: in version 2.0, in 1.1 where it wants that, at the first of the usual
/// paths where it is.
///
/// # Errors
/// [`IppReadError`] of the last path that was tried.
pub async fn read_device(target: &InScope) -> Result<Reading, IppReadError> {
    let peer = target.addr();
    let [first, others @ ..] = PATHS;
    let mut asked = ask(target, first).await;
    for path in others {
        match asked {
            Err(error) if error.is_of_path() => asked = ask(target, path).await,
            Ok(_) | Err(_) => break,
        }
    }
    let now = Timestamp::now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    ipp::judge(&asked?, Some(peer.ip()), at).map_err(|error| IppReadError::Ipp { peer, error })
}

/// Asks at one path.
async fn ask(target: &InScope, path: &str) -> Result<Answer, IppReadError> {
    match ask_in(target, path, Version::V2).await {
        Err(error) if error.is_of_version() => ask_in(target, path, Version::V1).await,
        asked => asked,
    }
}

async fn ask_in(target: &InScope, path: &str, version: Version) -> Result<Answer, IppReadError> {
    let peer = target.addr();
    let stream = stream::connect(target, &[]).await?.into_tcp();
    let question = ipp::question(version, &format!("ipp://{peer}{path}"));
    let posted = timeout(ANSWER_TIMEOUT, post(target, stream, path, question)).await;
    let octets = posted.map_err(|_| IppReadError::Slow(peer))??;
    ipp::decode(&octets).map_err(|error| IppReadError::Ipp { peer, error })
}

/// Posts a question on a connection, and takes the answer to its end.
async fn post(
    target: &InScope,
    stream: TcpStream,
    path: &str,
    question: Vec<u8>,
) -> Result<Bytes, IppReadError> {
    let peer = target.addr();
    let http = |why: String| IppReadError::Http { peer, why };
    let request = Request::post(path)
        .header(HOST, peer.to_string())
        .header(CONTENT_TYPE, MEDIA_TYPE)
        .header(ACCEPT, MEDIA_TYPE)
        .body(Full::new(Bytes::from(question)))
        .map_err(|error| http(error.to_string()))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| http(error.to_string()))?;
    let exchange = pin!(async {
        let answered = sender.send_request(request).await;
        let answer = answered.map_err(|error| http(error.to_string()))?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(IppReadError::Status { peer, status });
        }
        // What says of itself that it is too long is not waited for.
        if answer.body().size_hint().lower() > ANSWER_BYTES_MAX as u64 {
            let error = IppError::TooLong;
            return Err(IppReadError::Ipp { peer, error });
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body.await.map_err(|error| http(error.to_string()))?;
        Ok(body.to_bytes())
    });
    match select(exchange, pin!(connection)).await {
        Either::Left((octets, _)) => octets,
        // The connection may end before all of its octets have been looked at.
        Either::Right((_, exchange)) => exchange.await,
    }
}
