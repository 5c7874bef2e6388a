//! What an attacker's printer does to a browser, a proxy and a portal: a path each, one printer all.
//!
//! `/hostile/NAME` plays what [`HOSTILE`] lists. Whom it attacks stands in the query, `?portal=` and
//! `?sibling=` (origins) or `?target=`; what it managed stands in the title and in `#verdict`:
//! `read: …` when it read what is not its own, `wrote: …` when it left something behind outside its
//! own page, else `blocked`. Everything here is bytes of our own: no library would send half of it.

mod header;
mod list;
mod malformed;
mod redirect;
mod stream;
mod upgrade;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub use self::list::HOSTILE;

use crate::web::broken::Head;
use crate::web::{Visit, html, http};

/// Longest body that a page catches, in bytes.
const CAUGHT_BYTES_MAX: usize = 8 * 1024;
/// Longest value of a header that is sent back, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// What runs in the browser, an attack a name.
const ATTACKS: &str = include_str!("hostile/attacks.js");
/// What a service worker or a shared worker runs.
const WORKER: &str = include_str!("hostile/worker.js");

/// A page of an attacker's printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hostile {
    /// Its name, under `/hostile/`.
    pub name: &'static str,
    /// What plays it.
    pub plays: Plays,
    /// What it tries.
    pub tries: &'static str,
}

/// What an attack is made of, and so what judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plays {
    /// A script in the browser, which says its verdict itself.
    Script,
    /// Headers, or markup without a script: the browser's jar or address tells what they did.
    Header,
    /// A redirect to where nobody may be led.
    Redirect,
    /// An answer that never ends, or ends too late: memory and time tell.
    Stream,
    /// An answer that is none: whoever reads it must refuse it.
    Malformed,
    /// A change of protocol that nobody asked for, or that floods.
    Upgrade,
}

/// Whether a connection goes on after an answer.
pub(crate) enum Goes {
    /// The next request may come.
    On,
    /// It is closed.
    Away,
}

/// Answers requests until the peer has enough, or an attack ends the connection.
pub(crate) async fn play(mut stream: TcpStream, visit: &Visit) {
    while let Some(head) = Head::read(&mut stream, visit).await {
        let is_last = head.header("connection") == Some("close");
        match answer(&head, &mut stream, visit).await {
            Ok(Goes::On) if !is_last => {}
            Ok(Goes::On | Goes::Away) | Err(_) => break,
        }
    }
    // The peer may be gone: then there is nothing to close.
    let _ = stream.shutdown().await;
}

async fn answer(head: &Head, stream: &mut TcpStream, visit: &Visit) -> std::io::Result<Goes> {
    let body = caught(head, stream, visit).await?;
    let Some(name) = head.path.strip_prefix("/hostile/") else {
        let bytes = plain(head, visit).await;
        stream.write_all(cut_for(head, &bytes)).await?;
        return Ok(Goes::On);
    };
    let known = HOSTILE.iter().find(|hostile| hostile.name == name);
    let query = http::fields(&head.query);
    let bytes = match known.map(|hostile| hostile.plays) {
        Some(Plays::Script) => header::script(name, head, visit),
        Some(Plays::Header) => header::answer(name, head, &query),
        Some(Plays::Redirect) => redirect::answer(name, &query, visit),
        Some(Plays::Stream) => return stream::play(name, stream).await,
        Some(Plays::Malformed) => return malformed::play(name, &query, stream).await,
        Some(Plays::Upgrade) => return upgrade::play(name, head, stream).await,
        None => file(name, &body),
    };
    stream.write_all(cut_for(head, &bytes)).await?;
    Ok(Goes::On)
}

/// What the attacks load besides themselves.
fn file(name: &str, body: &str) -> Vec<u8> {
    match name {
        "attacks.js" => sent("200 OK", "text/javascript", &[], ATTACKS),
        "worker.js" => {
            let allowed = [("Service-Worker-Allowed", "/")];
            sent("200 OK", "text/javascript", &allowed, WORKER)
        }
        "caught" => sent("200 OK", "text/plain", &[], body),
        _ => sent("404 Not Found", "text/plain", &[], "no such attack"),
    }
}

/// The answer without its body for HEAD: what stands between attacks is sound HTTP.
fn cut_for<'a>(head: &Head, bytes: &'a [u8]) -> &'a [u8] {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    match end {
        Some(end) if head.method == "HEAD" => bytes.get(..end + 4).unwrap_or(bytes),
        _ => bytes,
    }
}

/// Takes what was sent along. What a lookalike or a script caught is kept.
async fn caught(head: &Head, stream: &mut TcpStream, visit: &Visit) -> std::io::Result<String> {
    let length = head
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let mut left: usize = length.unwrap_or(0);
    let mut body = Vec::new();
    while left > 0 {
        let mut piece = [0; 4_096];
        let wanted = left.min(piece.len());
        let got = stream
            .read(piece.get_mut(..wanted).unwrap_or(&mut []))
            .await?;
        if got == 0 {
            break;
        }
        left -= got;
        if body.len() < CAUGHT_BYTES_MAX {
            body.extend_from_slice(piece.get(..got).unwrap_or(&[]));
        }
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    if head.path == "/hostile/caught" {
        visit.station().caught(&format!("{} {text}", head.query));
    }
    Ok(text)
}

/// The front page, which lists the attacks, and everything that is not one.
async fn plain(head: &Head, visit: &Visit) -> Vec<u8> {
    match head.path.as_str() {
        "/" | "/index.html" => {}
        "/style.css" => return sent("200 OK", "text/css", &[], html::STYLE),
        "/logo.svg" => return sent("200 OK", "image/svg+xml", &[], html::LOGO),
        _ => return sent("404 Not Found", "text/plain", &[], "not found"),
    }
    let of = visit.portrait().await;
    let items: String = HOSTILE
        .iter()
        .map(|hostile| {
            let (name, tries) = (hostile.name, html::encoded(hostile.tries));
            format!("<li><a href=\"/hostile/{name}\">{name}</a> {tries}</li>")
        })
        .collect();
    let page = html::page("Attacks", &of, &[], &format!("<ul>{items}</ul>"));
    sent("200 OK", "text/html; charset=utf-8", &[], &page)
}

/// A whole answer with its length.
pub(crate) fn sent(status: &str, kind: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let more: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A value out of the query as it may stand in a header: an attacker's, but no second header.
pub(crate) fn in_header(text: &str) -> String {
    let sound = text.chars().filter(|c| c.is_ascii_graphic());
    sound.take(SHOWN_CHARS_MAX).collect()
}
