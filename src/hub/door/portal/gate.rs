//! Who may pass: the name, the method, the headers of every answer, and the session.
//!
//! [`guard`] stands before every route; [`Viewer`] is the proof of a session that a page's handler
//! takes as a parameter, so that a page without one does not compile into something open.
//!
//! What changes something is a `POST` to one route, from a form of this portal only: beside the
//! cookie, which no other site can send along, the browser must say that the form was ours.
//!
//! The cookie is `HttpOnly` and `SameSite=Strict`, over https also `Secure` and named `__Host-`. On
//! a loopback address the portal speaks plain http, where not every browser and no command line
//! would send such a cookie back. Cookies know no ports, so its name there carries the port: two
//! hubs on one machine do not end each other's sessions.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::{Notice, PageError, PortalState};
use crate::door::tls::Peer;
use crate::permission::{Action, Denied, Subject};
use crate::store::portal::Session;

/// Nothing but our own style sheet and icon; no script, no frame, no form elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What every answer says. Pages are not kept: they show serial numbers and addresses.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Port of a `Host` that names none (RFC 9110, section 4.2.1).
const HTTP_PORT: u16 = 80;

/// Where a browser says which site a request comes from (Fetch Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the session's cookie is called over https: a browser takes it from this very host only.
const HTTPS_COOKIE: &str = "__Host-platen";

/// A request came over https, to one of these names. Put there by the front, never by a request.
#[derive(Debug, Clone)]
pub struct Https(pub Arc<[String]>);

/// A browser with a session. Made only by the check of its cookie.
#[derive(Debug)]
pub struct Viewer {
    session: Session,
    from: IpAddr,
}

impl Viewer {
    /// Who it is to the policy, and what they may.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::Holder {
            name: self.session.name.clone(),
            rights: self.session.rights.clone(),
        }
    }

    /// Whom the session was made for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.session.name
    }

    /// From where they look.
    #[must_use]
    pub fn from(&self) -> IpAddr {
        self.from
    }

    /// Says no to who may not reach printers' pages.
    ///
    /// # Errors
    /// [`Denied::NoRight`].
    pub fn may_web(&self) -> Result<(), Denied> {
        let (action, right) = (Action::TunnelOpen, Action::TunnelOpen.right());
        match self.session.rights.has(right) {
            true => Ok(()),
            false => Err(Denied::NoRight { action, right }),
        }
    }
}

impl FromRequestParts<PortalState> for Viewer {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &PortalState) -> Result<Self, PageError> {
        let Some(token) = cookie(&parts.headers, &cookie_name(parts)) else {
            return Err(PageError::NoSession);
        };
        let now = Timestamp::now();
        let session = state
            .store
            .portal_session_check(&state.tenant, token, now)
            .await?;
        // The listener without TLS is on a loopback address, and puts nothing there.
        let peer = parts.extensions.get::<Peer>();
        let from = peer.map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.address.ip());
        session
            .map(|session| Self { session, from })
            .ok_or(PageError::NoSession)
    }
}

/// Lets through what is asked of a name of ours by `GET` or `HEAD`, or sent by a form of ours to
/// where forms go, and marks every answer. Over https those are the configured names, without TLS
/// the loopback ones.
///
/// A page of another site can make a browser ask 127.0.0.1 under that site's own name (DNS
/// rebinding); the name is then in `Host`, and the answer is 421.
pub async fn guard(request: Request, next: Next) -> Response {
    let mut answer = if !is_ours(&request) {
        Notice::wrong_host().into_response()
    } else if *request.method() == Method::POST && takes_forms(request.uri().path()) {
        if is_our_form(&request) {
            next.run(request).await
        } else {
            Notice::foreign_form().into_response()
        }
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response()
    } else {
        next.run(request).await
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// Whether a path takes forms: commands to an agent, and sessions with printers' pages.
fn takes_forms(path: &str) -> bool {
    let mut parts = path.split('/');
    let (first, room) = (parts.next(), parts.next());
    let (name, form, more) = (parts.next(), parts.next(), parts.next());
    let is_known = matches!(
        (room, form),
        (Some("agents"), Some("commands"))
            | (Some("printers"), Some("sessions"))
            | (Some("sessions"), Some("end" | "certificate" | "plain"))
    );
    first == Some("") && is_known && name.is_some_and(|name| !name.is_empty()) && more.is_none()
}

/// Whether the browser says that the form is of this very portal. One that says nothing is none of
/// today's, and is refused.
fn is_our_form(request: &Request) -> bool {
    let header = |name| {
        let mut values = request.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Some(None),
            (Some(value), None) => value.to_str().ok().map(Some),
            (Some(_), Some(_)) => None,
        }
    };
    let (Some(site), Some(origin), Some(host)) = (header(SITE), header(ORIGIN), header(HOST))
    else {
        return false;
    };
    // HTTP/2 has no Host; the authority stands in its place.
    let Some(host) = host.or(request.uri().authority().map(Authority::as_str)) else {
        return false;
    };
    let scheme = match request.extensions().get::<Https>() {
        Some(Https(_)) => "https://",
        None => "http://",
    };
    let is_here = |origin: &str| origin.strip_prefix(scheme) == Some(host);
    match (site, origin) {
        // Under our own Referrer-Policy a browser leaves the origin out of a form's request.
        (Some(site), None | Some("null")) => site == "same-origin",
        (None, Some(origin)) => is_here(origin),
        (Some(site), Some(origin)) => site == "same-origin" && is_here(origin),
        (None, None) => false,
    }
}

/// Whether every name the request gives for us is one of ours, and there is one at all.
fn is_ours(request: &Request) -> bool {
    let https = request.extensions().get::<Https>();
    let is_name_of_ours = |name: &Authority| match https {
        None => is_loopback_name(name),
        Some(Https(names)) => is_one_of(name, names),
    };
    let mut names = request.headers().get_all(HOST).iter();
    let (host, more) = (names.next(), names.next());
    let uri = request.uri().authority();
    let host = host.map(|host| Authority::try_from(host.as_bytes()));
    match (host, more, uri) {
        (Some(Ok(host)), None, None) => is_name_of_ours(&host),
        (Some(Ok(host)), None, Some(uri)) => is_name_of_ours(&host) && is_name_of_ours(uri),
        (None, None, Some(uri)) => is_name_of_ours(uri),
        _ => false,
    }
}

fn is_one_of(name: &Authority, names: &[String]) -> bool {
    let host = name.host().trim_start_matches('[').trim_end_matches(']');
    let is_host = |name: &String| name.eq_ignore_ascii_case(host);
    !name.as_str().contains('@') && names.iter().any(is_host)
}

/// `localhost`, 127.0.0.0/8 or `[::1]`. Names under `localhost` are left to others: each is an
/// origin of its own.
fn is_loopback_name(name: &Authority) -> bool {
    let host = name.host();
    if name.as_str().contains('@') {
        return false;
    }
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// What the session's cookie is called here.
pub(super) fn cookie_name(parts: &Parts) -> String {
    if parts.extensions.get::<Https>().is_some() {
        return HTTPS_COOKIE.to_owned();
    }
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let authority = parts.uri.authority().or(host.as_ref());
    let port = authority.and_then(Authority::port_u16).unwrap_or(HTTP_PORT);
    format!("platen_{port}")
}

/// The value of one cookie. Two of one name are none: only an attacker sets a second.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(key, value)| (key == name).then_some(value));
    let value = values.next();
    if values.next().is_some() { None } else { value }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_loopback_names_are_ours() {
        let ours = [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:80",
            "[::1]",
        ];
        let foreign = [
            "example.org",
            "localhost.example.org",
            "a.localhost",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[::]",
            "[fe80::1]",
            "localhost@example.org",
            "example.org@localhost",
            "",
            "127.1",
            "0.0.0.0",
            "2130706433",
        ];
        for host in ours {
            assert!(is_ours(&request(&[host])), "{host}");
        }
        for host in foreign {
            assert!(!is_ours(&request(&[host])), "{host}");
        }
        assert!(!is_ours(&request(&[])));
        assert!(!is_ours(&request(&["localhost", "example.org"])));
    }

    #[test]
    fn a_cookie_is_found_once() {
        let cookies = |line| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]);
        assert_eq!(
            cookie(&cookies("a=1; platen_80=xyz; b=2"), "platen_80"),
            Some("xyz")
        );
        assert_eq!(
            cookie(&cookies("platen_80=x; platen_80=y"), "platen_80"),
            None
        );
        assert_eq!(cookie(&cookies("platen_8080=x"), "platen_80"), None);
    }

    #[test]
    fn a_form_is_ours_only_if_the_browser_says_so() {
        let form = |headers: &[(HeaderName, &str)]| {
            let request = Request::builder().uri("/").header(HOST, "127.0.0.1:8080");
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(name, *value)
            });
            is_our_form(&request.body(Body::empty()).unwrap())
        };
        let here = "http://127.0.0.1:8080";
        assert!(form(&[(SITE, "same-origin"), (ORIGIN, here)]));
        assert!(form(&[(ORIGIN, here)]));
        assert!(form(&[(SITE, "same-origin")]));
        assert!(form(&[(SITE, "same-origin"), (ORIGIN, "null")]));
        assert!(!form(&[(SITE, "cross-site"), (ORIGIN, "null")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!form(&[(SITE, site), (ORIGIN, here)]), "{site}");
        }
        for origin in [
            "null",
            "http://127.0.0.1:8081",
            "http://localhost:8080",
            "https://127.0.0.1:8080",
        ] {
            assert!(!form(&[(ORIGIN, origin)]), "{origin}");
            let is_named = origin != "null";
            assert!(
                !is_named || !form(&[(SITE, "same-origin"), (ORIGIN, origin)]),
                "{origin}"
            );
        }
        assert!(!form(&[(ORIGIN, here), (ORIGIN, "http://example.org")]));
        assert!(!form(&[]));
    }

    #[test]
    fn only_commands_and_sessions_are_forms() {
        let forms = [
            "/agents/0123/commands",
            "/printers/0123/sessions",
            "/sessions/0123/end",
            "/sessions/0123/certificate",
            "/sessions/0123/plain",
        ];
        for path in forms {
            assert!(takes_forms(path), "{path}");
        }
        for path in [
            "/",
            "/agents",
            "/agents//commands",
            "/agents/a/b/commands",
            "/enter/x/commands",
            "/sessions/0123",
            "/sessions/0123/raw",
            "/sessions/0123/end/",
            "/sessions//end",
            "agents/a/commands",
        ] {
            assert!(!takes_forms(path), "{path}");
        }
    }

    fn request(hosts: &[&str]) -> Request {
        let request = Request::builder().uri("/");
        hosts
            .iter()
            .fold(request, |request, host| request.header(HOST, *host))
            .body(Body::empty())
            .unwrap()
    }
}
