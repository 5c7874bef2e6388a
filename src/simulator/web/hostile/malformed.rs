//! Answers that are none, octet by octet as they are sent.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::web::http::field;
use crate::web::weak::PROTOCOL_VERSION;

use super::Goes;

/// An answer that a reader may see only if it was smuggled past a proxy.
pub(crate) const SMUGGLED: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Smuggled: yes\r\n\r\nsmuggled";

/// Chunked, in spellings that one reader takes for it and another does not.
pub(crate) const TE_VARIANTS: [&str; 10] = [
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    " Transfer-Encoding: chunked",
    "X: x\nTransfer-Encoding: chunked",
    "Transfer-Encoding\r\n : chunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=0.1",
];

/// Sends the answer of this attack, and closes after most of them.
pub(crate) async fn play(
    name: &str,
    query: &[(String, String)],
    stream: &mut TcpStream,
) -> io::Result<Goes> {
    let variant = field(query, "variant").and_then(|variant| variant.parse().ok());
    stream
        .write_all(&octets(name, variant.unwrap_or(0)))
        .await?;
    match name {
        // The next request on this connection would get what was sent too much.
        "two-answers" | "smuggle-cl-te" | "smuggle-te-cl" | "te-variants" | "head-body"
        | "no-content-body" | "not-modified-body" => Ok(Goes::On),
        "reset-midway" => {
            stream.set_zero_linger()?;
            Ok(Goes::Away)
        }
        _ => Ok(Goes::Away),
    }
}

/// The octets of an attack.
pub(crate) fn octets(name: &str, variant: usize) -> Vec<u8> {
    let ok = |headers: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}").into_bytes()
    };
    let chunked = |body: &str| ok("Transfer-Encoding: chunked", body);
    match name {
        "smuggle-cl-te" => ok(
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            &format!("0\r\n\r\n{SMUGGLED}"),
        ),
        "smuggle-te-cl" => ok(
            "Transfer-Encoding: chunked\r\nContent-Length: 400",
            &format!("4\r\nbody\r\n0\r\n\r\n{SMUGGLED}"),
        ),
        "smuggle-double-cl" => ok(
            "Content-Length: 4\r\nContent-Length: 75",
            &format!("body{SMUGGLED}"),
        ),
        "smuggle-comma-cl" => ok("Content-Length: 4, 75", &format!("body{SMUGGLED}")),
        "te-variants" => {
            let spelled = TE_VARIANTS.get(variant).unwrap_or(&TE_VARIANTS[0]);
            ok(
                &format!("{spelled}\r\nContent-Length: 4"),
                &format!("0\r\n\r\n{SMUGGLED}"),
            )
        }
        "head-body" => ok(&format!("Content-Length: {}", SMUGGLED.len()), SMUGGLED),
        "no-content-body" => format!("HTTP/1.1 204 No Content\r\n\r\n{SMUGGLED}").into_bytes(),
        "not-modified-body" => format!("HTTP/1.1 304 Not Modified\r\n\r\n{SMUGGLED}").into_bytes(),
        "two-answers" => ok("Content-Length: 4", &format!("body{SMUGGLED}")),
        "trailer-smuggle" => chunked("4\r\nbody\r\n0\r\nContent-Length: 99\r\nSet-Cookie: session=tossed\r\n\r\n"),
        "negative-length" => ok("Content-Length: -1", "body"),
        "huge-length" => ok("Content-Length: 18446744073709551616", "body"),
        "plus-length" => ok("Content-Length: +4", "body"),
        "chunk-overflow" => chunked("10000000000000004\r\nbody\r\n0\r\n\r\n"),
        "chunk-negative" => chunked("-4\r\nbody\r\n0\r\n\r\n"),
        "chunk-bare-lf" => chunked("4\nbody\n0\n\n"),
        "status-999" => b"HTTP/1.1 999 Whatever\r\nContent-Length: 4\r\n\r\nbody".to_vec(),
        "status-words" => b"HTTP/1.1 two hundred\r\nContent-Length: 4\r\n\r\nbody".to_vec(),
        "http09" => b"<title>HTTP/0.9</title>body".to_vec(),
        // The server's preface is a SETTINGS frame (RFC 9113 §3.4), here with a GOAWAY behind it.
        "http2-preface" => b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        "null-in-header" => ok("X-Null: a\0b\r\nContent-Length: 4", "body"),
        "location-crlf" => {
            b"HTTP/1.1 302 Found\r\nLocation: /\rSet-Cookie: session=tossed\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        "header-no-colon" => ok("X-Nothing\r\nContent-Length: 4", "body"),
        "header-space-colon" => ok("Set-Cookie : session=tossed\r\nContent-Length: 4", "body"),
        "obsolete-fold" => ok(
            "X-Folded: a\r\n Set-Cookie: session=tossed\r\nContent-Length: 4",
            "body",
        ),
        "connection-tricks" => ok(
            "Connection: close, Content-Security-Policy, Set-Cookie, X-Frame-Options\r\nContent-Length: 4",
            "body",
        ),
        "ipp-lengths" => ipp(),
        "tls-instead" => PROTOCOL_VERSION.to_vec(),
        "brotli-claim" => ok("Content-Encoding: br\r\nContent-Length: 4", "body"),
        "reset-midway" => ok("Content-Length: 1000", "half"),
        // Every octet there is, from the last down.
        _ => (0..=u8::MAX).rev().cycle().take(4_096).collect(),
    }
}

/// A successful answer in IPP (RFC 8010 §3.1) whose lengths go far beyond its end.
fn ipp() -> Vec<u8> {
    let mut body = vec![1, 1, 0, 0, 0, 0, 0, 1];
    // operation-attributes-tag, textWithoutLanguage, and lengths of 2^15 - 1 and 2^31 - 1.
    body.extend_from_slice(&[1, 0x41, 0x7f, 0xff]);
    body.extend_from_slice(b"printer-name");
    body.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}
