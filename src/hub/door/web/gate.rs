//! Who may pass: the link's key, the cookie it gives, and what the browser says of where a request
//! comes from.
//!
//! Printers' pages lie on sibling names of one domain, beside the portal: to a browser they are one
//! site, so that a cookie alone protects nothing. Another origin can lead the person here, as any
//! link does; it can read nothing, embed nothing and change nothing.

use axum::http::header::{
    CONTENT_LENGTH, HeaderName, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::cookie;
use super::head;
use super::page::Refusal;
use super::place::Place;
use crate::session::Session;

/// Where a browser enters.
const ENTER_PATH: &str = "/.platen/enter";

/// What is ours of every origin; it never reaches the printer.
const OWN_FOLDER: &str = ".platen";

/// Longest path and query, in octets: browsers make 2 000, printers' forms by GET a little more.
const TARGET_LEN_MAX: usize = 8 * 1024;

/// Longest method, in letters. Those of RFC 9110 have seven, of WebDAV seventeen.
const METHOD_LEN_MAX: usize = 32;

/// Where a browser says which origin a request comes from, how it came and what it is for (Fetch
/// Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The link into a session, for the person who opened it. `origin` is the session's.
#[must_use]
pub fn entry_link(origin: &str, key: &str) -> String {
    format!("{origin}{ENTER_PATH}?key={key}")
}

/// Whether a path is in our folder, however it is written.
pub(super) fn is_own_path(path: &str) -> bool {
    let first = path.trim_start_matches('/').split(['/', '\\']).next();
    let first = first.unwrap_or_default();
    let decoded = decoded(first).to_ascii_lowercase();
    let name = decoded.split(['/', '\\', ';']).next().unwrap_or_default();
    name == OWN_FOLDER
}

/// Takes the key of a link for a cookie, and sends the browser to the printer's first page.
pub(super) fn enter(
    request: &Parts,
    session: &Session,
    place: &Place,
) -> Result<Response, Refusal> {
    let is_framed = header(&request.headers, &DEST).is_some_and(|dest| dest != "document");
    if request.uri.path() != ENTER_PATH {
        return Err(Refusal::NotOurs);
    }
    if request.method != Method::GET {
        return Err(Refusal::Method);
    }
    if is_framed {
        return Err(Refusal::Foreign);
    }
    let query = request.uri.query().unwrap_or_default();
    let key = query.strip_prefix("key=").ok_or(Refusal::NotEntered)?;
    let entered = session.enter(key, Timestamp::now());
    let value = entered.ok().flatten().ok_or(Refusal::NotEntered)?;
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let headers = answer.headers_mut();
    head::set_ours(headers, None);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    let cookie = HeaderValue::from_str(&cookie::own(place, &value));
    headers.insert(SET_COOKIE, cookie.map_err(|_| Refusal::NotEntered)?);
    Ok(answer)
}

/// Whether a request may be made at all: by whom it is, and from where.
pub(super) fn judge(request: &Parts, session: &Session, place: &Place) -> Result<(), Refusal> {
    let name = cookie::own_name(place);
    if !cookie::shown(&request.headers, &name).any(|value| session.admits(value)) {
        return Err(Refusal::NotEntered);
    }
    let is_service_worker = request.headers.contains_key("service-worker")
        || header(&request.headers, &DEST) == Some("serviceworker");
    if is_service_worker {
        return Err(Refusal::Worker);
    }
    let target = request.uri.path_and_query();
    if target.is_none_or(|target| !target.as_str().starts_with('/')) {
        return Err(Refusal::Method);
    }
    if target.is_some_and(|target| target.as_str().len() > TARGET_LEN_MAX) {
        return Err(Refusal::TooLong(TARGET_LEN_MAX));
    }
    let is_long = request.method.as_str().len() > METHOD_LEN_MAX;
    if is_long || matches!(request.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::Method);
    }
    let is_socket = request.headers.contains_key("upgrade");
    let is_looking = matches!(request.method, Method::GET | Method::HEAD) && !is_socket;
    if !is_ours(request, place, is_looking) {
        return Err(Refusal::Foreign);
    }
    if session.terms().is_read_only && !is_looking {
        return Err(Refusal::ReadOnly);
    }
    Ok(())
}

/// Whether the browser says that a page of this origin asks, or that the person is led here.
fn is_ours(request: &Parts, place: &Place, is_looking: bool) -> bool {
    let headers = &request.headers;
    let is_single = [SITE, MODE, DEST, ORIGIN]
        .iter()
        .all(|name| headers.get_all(name).iter().count() <= 1);
    if !is_single {
        return false;
    }
    let origin = headers.get(ORIGIN);
    let is_own_origin = origin.is_some_and(|origin| *origin == *place.origin());
    let is_led = request.method == Method::GET
        && header(headers, &MODE) == Some("navigate")
        && header(headers, &DEST) == Some("document");
    match header(headers, &SITE) {
        Some("same-origin") => origin.is_none() || is_own_origin,
        // By the person: a typed address or a bookmark.
        Some("none") => is_looking && origin.is_none(),
        Some(_) => is_looking && is_led && origin.is_none(),
        None if headers.contains_key(SITE) => false,
        None => is_own_origin || is_looking && origin.is_none(),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Decodes `%XX`, over and over, for comparison only.
fn decoded(text: &str) -> String {
    let mut decoded = text.to_owned();
    // Each round is shorter than the one before.
    while let Some(at) = decoded
        .as_bytes()
        .windows(3)
        .position(|escape| octet(escape).is_some())
    {
        let Some(octet) = decoded.as_bytes().get(at..at + 3).and_then(octet) else {
            break;
        };
        decoded.replace_range(at..at + 3, &char::from(octet).to_string());
    }
    decoded
}

/// The ASCII character of a `%XX`.
fn octet(escape: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(escape.strip_prefix(b"%")?).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octet = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    octet.is_ascii().then_some(octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_folder_is_known_however_it_is_written() {
        for path in [
            "/.platen",
            "/.platen/enter",
            "/.PLATEN/x",
            "/%2eplaten/enter",
            "/%2E%70laten",
            "/%252eplaten/x",
            "//.platen/x",
            "/.platen%2fenter",
            "/.platen\\enter",
            "/.platen;a=1/x",
        ] {
            assert!(is_own_path(path), "{path}");
        }
        for path in ["/", "/platen", "/x/.platen", "/.platenx", "/%zz", "/%2"] {
            assert!(!is_own_path(path), "{path}");
        }
    }
}
