//! HTTP/1.1 as a sound printer speaks it, and which page answers what.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::web::{Asked, Page, Visit, firmware, ipp, ledm, links, log, login, panel, websocket};

/// Longest form that a printer takes.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Most fields of a form.
const FIELDS_MAX: usize = 64;

/// What a page sends.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// What a page answers.
pub(crate) type Answer = Response<Body>;

/// Serves a connection until its end.
pub(crate) async fn serve<I>(stream: I, page: Page, visit: Visit)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let visit = visit.clone();
        async move {
            visit.station().asked(seen(&request));
            Ok::<_, Infallible>(answer(page, request, &visit).await)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(page: Page, request: Request<Incoming>, visit: &Visit) -> Answer {
    match page {
        Page::Links => links::answer(&request, visit).await,
        Page::Login => login::answer(request, visit).await,
        Page::WebSocket => websocket::answer(request, visit).await,
        Page::Log => log::answer(&request, visit).await,
        Page::Firmware => firmware::answer(request, visit).await,
        Page::Panel => panel::answer(&request, visit).await,
        Page::Ipp => ipp::answer(request, visit).await,
        Page::Ledm => ledm::answer(&request, visit).await,
        Page::LedmLarge => ledm::answer_large(&request, visit).await,
        // These speak no HTTP of ours.
        Page::Tls10
        | Page::TlsWeak
        | Page::Broken
        | Page::Hostile
        | Page::Tarpit
        | Page::Pjl
        | Page::Zebra
        | Page::PjlInfo
        | Page::Lpr
        | Page::Raw => words(StatusCode::NOT_FOUND, "Not here"),
    }
}

/// What the printer saw of a request.
fn seen<B>(request: &Request<B>) -> Asked {
    let headers = request.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Asked {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers: headers.collect(),
    }
}

/// A body that is known.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    let body = Full::new(bytes.into());
    body.map_err(|never| match never {}).boxed_unsync()
}

/// An answer of this type.
pub(crate) fn typed(kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(full(bytes));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// A page.
pub(crate) fn page(html: String) -> Answer {
    typed("text/html; charset=utf-8", html)
}

/// A few words.
pub(crate) fn words(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = typed("text/plain; charset=utf-8", text);
    *answer.status_mut() = status;
    answer
}

/// A redirect.
pub(crate) fn redirect(status: StatusCode, to: &str) -> Answer {
    let mut answer = Response::new(full(Bytes::new()));
    *answer.status_mut() = status;
    match HeaderValue::from_str(to) {
        Ok(to) => {
            answer.headers_mut().insert(LOCATION, to);
            answer
        }
        Err(_) => words(StatusCode::BAD_REQUEST, "No such place"),
    }
}

/// The fields of a form that was posted; none when it is too long.
pub(crate) async fn form(request: Request<Incoming>) -> Vec<(String, String)> {
    let body = Limited::new(request.into_body(), FORM_BYTES_MAX)
        .collect()
        .await;
    let bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
    fields(&String::from_utf8_lossy(&bytes))
}

/// The fields of a query or a form, decoded (URL Standard, application/x-www-form-urlencoded).
pub(crate) fn fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .take(FIELDS_MAX)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// The value of a field.
pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).filter(|_| *first == b'%');
        let octet = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if octet.is_some() {
            behind.get(2..).unwrap_or(&[])
        } else {
            behind
        };
        bytes.push(octet.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_as_browsers_write_it() {
        let fields = fields("location=2nd+floor%2C%20%C3%A9tage&x=%zz&y");
        assert_eq!(field(&fields, "location"), Some("2nd floor, étage"));
        assert_eq!(field(&fields, "x"), Some("%zz"));
        assert_eq!(field(&fields, "y"), Some(""));
    }
}
