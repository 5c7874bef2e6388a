//! The heads of requests and answers: what of them passes, what is rewritten, what is ours.
//!
//! To the printer goes a request as a browser beside it would send it. To the browser goes no
//! header by which a printer could outlive its session, reach another origin, or speak for the
//! hub; what Platen demands of every answer is set over whatever the printer says.

use axum::http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, ETAG, HOST,
    HeaderName, LOCATION, ORIGIN, REFERER, REFERRER_POLICY, REFRESH, SET_COOKIE, TRANSFER_ENCODING,
    UPGRADE,
};
use axum::http::request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::cookie::{self, Jar};
use super::link::{Home, Lead};
use super::page::{Refusal, cut};
use super::place::Place;

/// Between two hops only (RFC 9110, 7.6.1), beside what `Connection` names.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What does not go to the printer: who is before us, and what is set anew.
const NOT_TO_DEVICE: [&str; 12] = [
    "host",
    "cookie",
    "origin",
    "referer",
    "expect",
    "forwarded",
    "via",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "service-worker",
    "service-worker-navigation-preload",
];

/// Families of headers that do not go to the printer: proxies' words, and the browser's word on
/// where the request comes from.
const FAMILIES_NOT_TO_DEVICE: [&str; 3] = ["x-forwarded-", "sec-fetch-", "sec-ch-"];

/// What does not come from the printer: what outlives the session, what reports elsewhere, what
/// opens the origin to others, and what we set.
const NOT_TO_BROWSER: [&str; 42] = [
    "strict-transport-security",
    "clear-site-data",
    "public-key-pins",
    "public-key-pins-report-only",
    "expect-ct",
    "alt-svc",
    "alternate-protocol",
    "service-worker-allowed",
    "report-to",
    "nel",
    "reporting-endpoints",
    "content-security-policy",
    "content-security-policy-report-only",
    "x-content-security-policy",
    "x-webkit-csp",
    "permissions-policy",
    "permissions-policy-report-only",
    "feature-policy",
    "document-policy",
    "document-policy-report-only",
    "require-document-policy",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-opener-policy-report-only",
    "cross-origin-embedder-policy",
    "cross-origin-embedder-policy-report-only",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "timing-allow-origin",
    "accept-ch",
    "critical-ch",
    "origin-trial",
    "speculation-rules",
    "supports-loading-mode",
    "link",
    "sourcemap",
    "x-sourcemap",
    "set-cookie2",
    "set-login",
    "cache-control",
    "pragma",
    "expires",
];

/// A family that does not come from the printer: it opens the origin to others.
const FAMILY_NOT_TO_BROWSER: &str = "access-control-";

/// What every answer says, the printer's and our own.
const OURS: [(HeaderName, &str); 8] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (HeaderName::from_static("origin-agent-cluster"), "?1"),
    (HeaderName::from_static("x-dns-prefetch-control"), "off"),
    (
        HeaderName::from_static("x-permitted-cross-domain-policies"),
        "none",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), autoplay=(), bluetooth=(), browsing-topics=(), camera=(), \
         clipboard-read=(), display-capture=(), encrypted-media=(), fullscreen=(), \
         geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), \
         local-fonts=(), magnetometer=(), microphone=(), midi=(), otp-credentials=(), payment=(), \
         publickey-credentials-create=(), publickey-credentials-get=(), screen-wake-lock=(), \
         serial=(), storage-access=(), usb=(), web-share=(), window-management=(), \
         xr-spatial-tracking=()",
    ),
];

/// Kinds of body in which the printer's own address is looked for. Read before a semicolon.
const REWRITTEN: [&str; 9] = [
    "text/html",
    "application/xhtml+xml",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "application/json",
    "text/xml",
    "application/xml",
];

/// What a browser fetches that is never rewritten: there a printer may compress as it likes.
const OPAQUE: [&str; 5] = ["image", "font", "audio", "video", "track"];

/// A protocol that a connection may be handed over to: its handshake is one request, and noted.
const WEBSOCKET: &str = "websocket";

/// Whether the browser asks to go on as a WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let wants = upgrades.next().is_some_and(|upgrade| {
        upgrade
            .as_bytes()
            .eq_ignore_ascii_case(WEBSOCKET.as_bytes())
    });
    wants && upgrades.next().is_none() && headers.contains_key("sec-websocket-key")
}

/// The head as the printer gets it.
pub(super) fn to_device(asked: &request::Parts, home: &Home, place: &Place) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let named = named_by_connection(&asked.headers);
    for (name, value) in &asked.headers {
        let text = name.as_str();
        let is_dropped = HOP_BY_HOP.contains(&text)
            || NOT_TO_DEVICE.contains(&text)
            || *name == CONTENT_LENGTH
            || *name == ACCEPT_ENCODING
            || FAMILIES_NOT_TO_DEVICE
                .iter()
                .any(|family| text.starts_with(family))
            || named.iter().any(|named| named == text);
        if !is_dropped {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut set = |name: HeaderName, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    let text = |text: &str| HeaderValue::from_str(text).ok();
    set(HOST, text(&home.authority()));
    set(COOKIE, cookie::for_device(&asked.headers));
    let origin = asked.headers.get(ORIGIN);
    let is_own = origin.is_some_and(|origin| *origin == *place.origin());
    set(ORIGIN, text(&home.origin()).filter(|_| is_own));
    set(REFERER, referer(&asked.headers, home, place));
    set(ACCEPT_ENCODING, accept_encoding(&asked.headers));
    if is_websocket(&asked.headers) {
        set(CONNECTION, text("Upgrade"));
        set(UPGRADE, text(WEBSOCKET));
    }
    headers
}

/// Compressed text cannot be looked into, so none is asked for.
fn accept_encoding(headers: &HeaderMap) -> Option<HeaderValue> {
    let to = headers.get("sec-fetch-dest");
    let is_opaque = to.is_some_and(|to| OPAQUE.iter().any(|opaque| to == opaque));
    match headers.get(ACCEPT_ENCODING) {
        Some(asked) if is_opaque => Some(asked.clone()),
        Some(_) => Some(HeaderValue::from_static("identity")),
        None => None,
    }
}

fn referer(headers: &HeaderMap, home: &Home, place: &Place) -> Option<HeaderValue> {
    let referer = headers.get(REFERER)?.to_str().ok()?;
    let path = referer.strip_prefix(&place.origin())?;
    let is_path = path.is_empty() || path.starts_with('/');
    let text = format!("{}{path}", home.origin());
    HeaderValue::from_str(&text).ok().filter(|_| is_path)
}

/// Header names that `Connection` makes hop-by-hop.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// What an answer's head became.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) headers: HeaderMap,
    /// Whether the body is to be searched for the printer's own address.
    pub(super) is_rewritten: bool,
}

/// What an answer is an answer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// Path and query.
    pub(super) path: &'a str,
    pub(super) home: &'a Home,
    pub(super) place: &'a Place,
    pub(super) jar: &'a Jar,
}

impl Asked<'_> {
    /// The head as the browser gets it.
    pub(super) fn answered(
        &self,
        status: StatusCode,
        theirs: &HeaderMap,
    ) -> Result<Answered, Refusal> {
        is_one_message(theirs)?;
        let mut headers = HeaderMap::new();
        let named = named_by_connection(theirs);
        for (name, value) in theirs {
            if !is_dropped(name) && !named.iter().any(|named| named == name.as_str()) {
                headers.append(name.clone(), value.clone());
            }
        }
        for line in theirs.get_all(SET_COOKIE) {
            if let Some(cookie) = self.jar.take(line, self.place.scheme) {
                headers.append(SET_COOKIE, cookie);
            }
        }
        let is_redirect = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
        if let Some(location) = theirs.get(LOCATION) {
            let location = match self.led_home(location.as_bytes()) {
                Ok(location) => Some(location),
                Err(refusal) if is_redirect => return Err(refusal),
                Err(_) => None,
            };
            headers.extend(location.map(|location| (LOCATION, location)));
        }
        if let Some(location) = theirs.get(CONTENT_LOCATION) {
            let location = self.led_home(location.as_bytes()).ok();
            headers.extend(location.map(|location| (CONTENT_LOCATION, location)));
        }
        if let Some(refresh) = theirs.get(REFRESH) {
            headers.extend(self.refresh(refresh).map(|refresh| (REFRESH, refresh)));
        }
        let is_rewritten = status != StatusCode::PARTIAL_CONTENT && is_text(theirs);
        if is_rewritten && self.home.address.is_some() {
            for name in [ETAG, ACCEPT_RANGES, CONTENT_RANGE, CONTENT_LENGTH] {
                headers.remove(name);
            }
            for name in ["content-md5", "digest", "content-digest", "repr-digest"] {
                headers.remove(name);
            }
        } else if *self.method != Method::HEAD {
            // The body says how long it is.
            headers.remove(CONTENT_LENGTH);
        }
        set_ours(&mut headers, Some(self.place));
        Ok(Answered {
            headers,
            is_rewritten,
        })
    }

    /// A link to the session's own device and port, as a link to the session's origin. Always with
    /// the origin: a path may begin with two slashes.
    fn led_home(&self, link: &[u8]) -> Result<HeaderValue, Refusal> {
        match self.home.lead(self.path, link) {
            Lead::Home(path) => {
                let text = format!("{}{path}", self.place.origin());
                HeaderValue::from_str(&text)
                    .map_err(|_| Refusal::Broken("a link that cannot be written".to_owned()))
            }
            Lead::OtherPort(port) => Err(Refusal::OtherPort(port)),
            Lead::Elsewhere(target) => Err(Refusal::Elsewhere(cut(&target))),
        }
    }

    /// `5; url=…`: kept if it is a time only, or leads home.
    fn refresh(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let text = value.to_str().ok()?.trim();
        let (secs, rest) = text.split_once([';', ',']).unwrap_or((text, ""));
        let secs: u32 = secs.trim().parse().ok()?;
        let rest = rest.trim();
        if rest.is_empty() {
            return HeaderValue::from_str(&secs.to_string()).ok();
        }
        let url = match rest.split_once('=') {
            Some((key, url)) if key.trim().eq_ignore_ascii_case("url") => url.trim(),
            Some(_) | None => rest,
        };
        let home = self
            .led_home(url.trim_matches(['\'', '"']).as_bytes())
            .ok()?;
        HeaderValue::from_str(&format!("{secs}; url={}", home.to_str().ok()?)).ok()
    }
}

/// The answer to a WebSocket's handshake as the browser gets it.
pub(super) fn to_websocket(theirs: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    for name in [
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
    ] {
        if let Some(value) = theirs.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers
}

/// Sets what every answer says. Our own pages, which are of no place, may do nothing at all.
pub(super) fn set_ours(headers: &mut HeaderMap, place: Option<&Place>) {
    for (name, value) in OURS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = match place {
        None => "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
            .to_owned(),
        Some(place) => policy(place),
    };
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

/// A printer's page may be written in any way, and speak to its own origin only.
fn policy(place: &Place) -> String {
    let socket = match place.scheme {
        super::place::Scheme::Https => "wss",
        super::place::Scheme::Http => "ws",
    };
    format!(
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; \
         connect-src 'self' {socket}://{}; worker-src 'none'; object-src 'none'; \
         base-uri 'self'; form-action 'self'; frame-ancestors 'self'; webrtc 'block'",
        place.authority
    )
}

fn is_dropped(name: &HeaderName) -> bool {
    let text = name.as_str();
    HOP_BY_HOP.contains(&text)
        || NOT_TO_BROWSER.contains(&text)
        || text.starts_with(FAMILY_NOT_TO_BROWSER)
        || [SET_COOKIE, LOCATION, CONTENT_LOCATION, REFRESH].contains(name)
}

/// Whether everybody reads the same length out of an answer (RFC 9112, 6.3). What two programs read
/// in two ways is how one answer is smuggled into another's place.
fn is_one_message(headers: &HeaderMap) -> Result<(), Refusal> {
    let broken = |words: &str| Err(Refusal::Broken(words.to_owned()));
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if lengths > 1 {
        return broken("it has two lengths");
    }
    if lengths == 1 && coding.is_some() {
        return broken("it has a length and is in chunks too");
    }
    let is_plain = |value: &HeaderValue| {
        let digits = value.as_bytes();
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    };
    if !headers.get_all(CONTENT_LENGTH).iter().all(is_plain) {
        return broken("its length is no number");
    }
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if coding.is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some() {
        return broken("it is in a transfer coding other than chunked");
    }
    Ok(())
}

/// Whether a body is text that may name the printer's address, and can be read.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let coding = headers.get(CONTENT_ENCODING);
    let is_plain = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    is_plain && REWRITTEN.iter().any(|text| text.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
#[path = "head/tests.rs"]
mod tests;
