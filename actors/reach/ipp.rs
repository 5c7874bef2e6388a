//! IPP over HTTP/1.1, in the clear, to one port of one printer: what it says of itself.
//!
//! Takes a [`Printer`], the proof that SNMP called it one, which is asked again on each connection
//! before the first octet; or an [`InScope`], where a person vouches for what stands there. One
//! question is on its way at a time, each with a connection of its own, and nothing a printer sends
//! is followed: no redirect, no login, no switch to TLS.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use printer::ipp::{self, ANSWER_BYTES_MAX, Answer, IppError, Version};
use printer::reading::Reading;

use super::http::{self, Carriage, HttpError};
use super::identified::{NoWay, NotIdentified, Printer};
use super::scope::InScope;
use super::stream::{self, DeviceStream};

/// The port of IPP (RFC 8010 §7).
pub const PORT: u16 = 631;

/// Where printers answer: by IPP Everywhere (PWG 5100.14 §4.2.2), and before it.
const PATHS: [&str; 3] = ["/ipp/print", "/ipp", "/"];

/// What carries IPP in HTTP (RFC 8010 §4).
const MEDIA_TYPE: &str = "application/ipp";

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// Whom SNMP called a printer.
    Printer(&'a Printer),
    /// Whoever stands there, on the word of a person.
    Vouched(&'a InScope),
}

/// Why a printer was not read over IPP.
#[derive(Debug, thiserror::Error)]
pub enum IppReadError {
    /// No connection, or no HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Nobody knows any more who answers there.
    #[error(transparent)]
    NotIdentified(#[from] NotIdentified),
    /// It answers with another status than 200.
    #[error("{peer} answers HTTP status {status}")]
    Status {
        /// Whom.
        peer: SocketAddr,
        /// What it answers.
        status: StatusCode,
    },
    /// It speaks HTTP, and its answer says nothing.
    #[error("{peer}: {error}")]
    Ipp {
        /// Whom.
        peer: SocketAddr,
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
            Self::Http(_) | Self::NotIdentified(_) => false,
        }
    }

    fn is_of_version(&self) -> bool {
        matches!(self, Self::Ipp { error, .. } if error.is_of_version())
    }
}

impl Asked<'_> {
    fn addr(&self) -> SocketAddr {
        match self {
            Self::Printer(printer) => printer.addr(),
            Self::Vouched(target) => target.addr(),
        }
    }

    /// A connection over which something may be sent.
    async fn connect(&self) -> Result<DeviceStream, IppReadError> {
        let connected = match self {
            Self::Printer(printer) => printer.connect().await,
            Self::Vouched(target) => Ok(stream::connect(target, &[])
                .await
                .map_err(HttpError::from)?),
        };
        connected.map_err(|no_way| match no_way {
            NoWay::NoStream(error) => HttpError::from(error).into(),
            NoWay::NotIdentified(error) => error.into(),
        })
    }
}

/// Reads a printer over IPP: in version 2.0, in 1.1 where it wants that, at the first of the usual
/// paths where it is.
///
/// # Errors
/// [`IppReadError`] of the last path that was tried.
pub async fn read_device(who: Asked<'_>) -> Result<Reading, IppReadError> {
    let peer = who.addr();
    let [first, others @ ..] = PATHS;
    let mut asked = ask(who, first).await;
    for path in others {
        match asked {
            Err(error) if error.is_of_path() => asked = ask(who, path).await,
            Ok(_) | Err(_) => break,
        }
    }
    let now = Timestamp::now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    ipp::judge(&asked?, Some(peer.ip()), at).map_err(|error| IppReadError::Ipp { peer, error })
}

/// Asks at one path.
async fn ask(who: Asked<'_>, path: &str) -> Result<Answer, IppReadError> {
    match ask_in(who, path, Version::V2).await {
        Err(error) if error.is_of_version() => ask_in(who, path, Version::V1).await,
        asked => asked,
    }
}

async fn ask_in(who: Asked<'_>, path: &str, version: Version) -> Result<Answer, IppReadError> {
    let peer = who.addr();
    let question = ipp::question(version, &format!("ipp://{peer}{path}"));
    let request = Request::post(path)
        .header(HOST, peer.to_string())
        .header(CONTENT_TYPE, MEDIA_TYPE)
        .header(ACCEPT, MEDIA_TYPE)
        .body(Full::new(Bytes::from(question)))
        .map_err(|error| HttpError::Http {
            peer,
            why: error.to_string(),
        })?;
    let stream = who.connect().await?;
    let way = (peer, &Carriage::Plain);
    let answer = http::ask_over(stream, way, request, ANSWER_BYTES_MAX).await?;
    let status = answer.status;
    if status != StatusCode::OK {
        return Err(IppReadError::Status { peer, status });
    }
    ipp::decode(&answer.body).map_err(|error| IppReadError::Ipp { peer, error })
}
