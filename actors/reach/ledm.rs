//! LEDM over HTTP or HTTPS, to one port of one printer of HP's: what it says of itself.
//!
//! Takes an [`InScope`] like everything here; who makes one has opened the door, and knows that a
//! printer of HP's stands at the address. Five documents can be asked for, and no other path can be
//! named. One question is on its way at a time, each with a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONNECTION, HOST};
use hyper::{Request, StatusCode, Uri};
use jiff::Timestamp;
use printer::ledm::{self, DOCUMENT_BYTES_MAX, Document, Documents, Element, LedmError};
use printer::reading::Reading;
use tokio::time::timeout;

use super::http::{self, Carriage, HttpError, Thumbprint, Tls};
use super::scope::InScope;

/// The port of HTTPS.
pub const PORT: u16 = 443;

/// How long all documents of one printer may take together.
const READING_TIMEOUT: Duration = Duration::from_secs(40);

/// What a port of HTTPS ends in: 443, 8443.
const TLS_PORTS: u16 = 443;

/// What the port is divided by to see that.
const TLS_PORTS_EVERY: u16 = 1_000;

/// What a printer said over LEDM.
#[derive(Debug)]
pub struct LedmReading {
    /// The reading.
    pub reading: Reading,
    /// The certificate that it showed; none in the clear.
    pub certificate: Option<Thumbprint>,
    /// What is wrong with documents that are left out, in words.
    pub trouble: Option<String>,
}

/// Why a printer was not read over LEDM.
#[derive(Debug, thiserror::Error)]
pub enum LedmReadError {
    /// No connection, no HTTP, no TLS, or another certificate than before.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// All of it takes too long.
    #[error("{0} did not send its documents in {secs} s", secs = READING_TIMEOUT.as_secs())]
    Slow(SocketAddr),
    /// It has no list of documents.
    #[error("{0} serves no LEDM: it has no {path}", path = Document::DiscoveryTree.path())]
    NotServed(SocketAddr),
    /// It answers with another status than 200.
    #[error("{peer} answers HTTP status {status} for its {document}")]
    Status {
        /// Whom.
        peer: SocketAddr,
        /// What was asked for.
        document: Document,
        /// What it answers.
        status: StatusCode,
    },
    /// It points elsewhere, which is not followed.
    #[error("{peer} sends whoever asks to '{to}', which is not followed")]
    Redirect {
        /// Whom.
        peer: SocketAddr,
        /// Where to.
        to: String,
    },
    /// It points at its own HTTPS.
    #[error("{0} only answers over HTTPS")]
    WantsTls(SocketAddr),
    /// It speaks HTTP, and its documents say nothing.
    #[error("{peer}: {error}")]
    Ledm {
        /// Whom.
        peer: SocketAddr,
        /// Why not.
        error: LedmError,
    },
}

/// Whether a port is one of HTTPS: 443, and those that stand in for it (8443, 10443).
#[must_use]
pub fn is_tls(port: u16) -> bool {
    port % TLS_PORTS_EVERY == TLS_PORTS
}

/// Reads a printer over LEDM, by the certificate that it showed before, if it did.
///
/// # Errors
/// [`LedmReadError`]. A document that its list has and that cannot be read is no error while others
/// make a reading.
pub async fn read_device(
    target: &InScope,
    known: Option<Thumbprint>,
) -> Result<LedmReading, LedmReadError> {
    let peer = target.addr();
    let read = timeout(READING_TIMEOUT, read(target, known)).await;
    read.map_err(|_| LedmReadError::Slow(peer))?
}

async fn read(target: &InScope, known: Option<Thumbprint>) -> Result<LedmReading, LedmReadError> {
    let peer = target.addr();
    let carriage = if is_tls(peer.port()) {
        let tls = Tls::by(known).map_err(|error| HttpError::Tls {
            peer,
            why: error.to_string(),
        })?;
        Carriage::Tls(tls)
    } else {
        Carriage::Plain
    };
    let tree = fetch(target, &carriage, Document::DiscoveryTree).await?;
    let mut documents = Documents::default();
    let mut trouble = None;
    for document in ledm::listed(&tree) {
        match fetch(target, &carriage, document).await {
            Ok(root) => documents.take(document, root),
            // Whoever shows another certificate in the middle is not listened to any more.
            Err(error @ LedmReadError::Http(HttpError::Changed { .. })) => return Err(error),
            Err(error) => {
                trouble.get_or_insert(error.to_string());
            }
        }
    }
    let now = Timestamp::now();
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let reading = ledm::judge(&documents, Some(peer.ip()), at);
    let reading = reading.map_err(|error| LedmReadError::Ledm { peer, error })?;
    let certificate = match &carriage {
        Carriage::Plain => None,
        Carriage::Tls(tls) => tls.certificate(),
    };
    Ok(LedmReading {
        reading,
        certificate,
        trouble,
    })
}

/// Asks for one document.
async fn fetch(
    target: &InScope,
    carriage: &Carriage,
    document: Document,
) -> Result<Element, LedmReadError> {
    let peer = target.addr();
    let request = Request::get(document.path())
        .header(HOST, peer.to_string())
        .header(ACCEPT, "text/xml, application/xml")
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::new()))
        .map_err(|error| HttpError::Http {
            peer,
            why: error.to_string(),
        })?;
    let answer = http::ask(target, carriage, request, DOCUMENT_BYTES_MAX).await?;
    let status = answer.status;
    if status == StatusCode::OK {
        let read = ledm::decode(document, &answer.body);
        return read.map_err(|error| LedmReadError::Ledm { peer, error });
    }
    if status == StatusCode::NOT_FOUND && document == Document::DiscoveryTree {
        return Err(LedmReadError::NotServed(peer));
    }
    match answer.location.filter(|_| status.is_redirection()) {
        Some(to) if is_own_tls(&to, peer) => Err(LedmReadError::WantsTls(peer)),
        Some(to) => Err(LedmReadError::Redirect { peer, to }),
        None => Err(LedmReadError::Status {
            peer,
            document,
            status,
        }),
    }
}

/// Whether a redirect is to HTTPS of the very address.
fn is_own_tls(to: &str, peer: SocketAddr) -> bool {
    let Ok(to) = to.parse::<Uri>() else {
        return false;
    };
    let host = to.host().map(|host| host.trim_matches(['[', ']']));
    to.scheme_str() == Some("https") && host == Some(peer.ip().to_string().as_str())
}
