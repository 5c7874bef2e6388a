//! HTTP as broken devices speak it: no length, bare line feeds, lengths that are wrong.
//!
//! Each answer is written byte by byte as it stands here; no library would send any of them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::web::portrait::Portrait;
use crate::web::{Asked, Visit, html};

/// Longest request head that is read, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The ways in which the printer answers wrongly: path, and what is wrong.
const WAYS: [(&str, &str); 9] = [
    ("/http10", "HTTP/1.0, ends with the connection"),
    (
        "/no-length",
        "HTTP/1.1 without a length, ends with the connection",
    ),
    ("/bare-lf", "lines end with LF alone"),
    ("/too-long", "says 20 bytes more than come"),
    ("/too-short", "says 20 bytes fewer than come"),
    ("/no-status-text", "a status line without a phrase"),
    ("/latin1", "a header and a title in Latin-1"),
    ("/folded", "a header over two lines"),
    ("/chunked10", "chunks in HTTP/1.0"),
];

/// A request as it came.
pub(crate) struct Head {
    /// The method.
    pub(crate) method: String,
    /// The path, without its query.
    pub(crate) path: String,
    /// The query, without its mark.
    pub(crate) query: String,
    /// The headers by lower-case names.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Reads a head octet by octet, so that what follows stays in the stream; `None` at the end.
    pub(crate) async fn read(stream: &mut TcpStream, visit: &Visit) -> Option<Self> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") && !text.ends_with(b"\n\n") {
            if text.len() >= HEAD_BYTES_MAX {
                return None;
            }
            text.push(stream.read_u8().await.ok()?);
        }
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        visit.station().asked(Asked {
            method: method.clone(),
            target: target.clone(),
            headers: headers.clone(),
        });
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Some(Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
        })
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Answers one request, wrongly, and closes.
pub(crate) async fn play(mut stream: TcpStream, visit: &Visit) {
    let Some(head) = Head::read(&mut stream, visit).await else {
        return;
    };
    let of = visit.portrait().await;
    let answer = answer(&head.path, &of);
    // The peer may have had enough; then nobody needs the rest.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
    let mut rest = [0; 1_024];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

fn answer(path: &str, of: &Portrait) -> Vec<u8> {
    let body = html::page("Broken", of, &WAYS, "<p id=\"whole\">whole</p>");
    let length = body.len();
    let text = match path {
        "/no-length" => format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{body}"),
        "/bare-lf" => {
            format!("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: {length}\n\n{body}")
        }
        "/too-long" => measured("HTTP/1.1 200 OK", length + 20, &body),
        "/too-short" => measured("HTTP/1.1 200 OK", length.saturating_sub(20), &body),
        "/no-status-text" => measured("HTTP/1.1 200", length, &body),
        "/folded" => format!(
            "HTTP/1.1 200 OK\r\nServer: Printer\r\n\tof two lines\r\nContent-Length: {length}\r\n\
             Content-Type: text/html\r\n\r\n{body}"
        ),
        "/chunked10" => format!(
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\n\r\n\
             {length:x}\r\n{body}\r\n0\r\n\r\n"
        ),
        "/latin1" => {
            let head =
                b"HTTP/1.1 200 OK\r\nServer: B\xfcrodrucker\r\nContent-Type: text/html\r\n\r\n";
            return [head, &b"<title>B\xfcro</title>"[..], body.as_bytes()].concat();
        }
        _ => format!("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n{body}"),
    };
    text.into_bytes()
}

fn measured(status: &str, length: usize, body: &str) -> String {
    format!("{status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}")
}
