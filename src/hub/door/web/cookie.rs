//! Cookies: ours, which the printer never sees, and the printer's, which stay on its own origin.
//!
//! What lets a browser in is named `__Host-…` over https: no other origin can set or read it. On a
//! loopback address, where the portal has its reasons for plain http, its name carries the port as
//! the portal's does. A printer's cookie loses its `Domain`, so that it reaches no sibling.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use super::place::{Place, Scheme};

/// What lets a browser in over https.
const HTTPS_NAME: &str = "__Host-platen-session";

/// How the names begin that are ours, here and at the portal; in lower case.
const OWN_PREFIXES: [&str; 2] = ["__host-platen", "platen_"];

/// Most values of our own name that are looked at: another origin may have set some beside ours.
const OWN_VALUES_MAX: usize = 32;

/// Longest cookie kept, in octets of name and value, as browsers do (RFC 6265, 6.1).
const COOKIE_LEN_MAX: usize = 4_096;

/// Most octets of cookies that a session's printer can set. The browser sends them all with every
/// request, and the front takes 8 KiB of headers.
const JAR_LEN_MAX: usize = 4_096;

/// Most cookies that a session's printer can set. Printers set one or two.
const JAR_MAX: usize = 32;

/// What lets a browser in, in this place.
pub(super) fn own_name(place: &Place) -> String {
    match place.scheme {
        Scheme::Https => HTTPS_NAME.to_owned(),
        Scheme::Http => format!("platen_session_{}", place.port()),
    }
}

/// The header that gives a browser its way in.
pub(super) fn own(place: &Place, value: &str) -> String {
    let secure = match place.scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let name = own_name(place);
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// What the browser shows under our own name. More than one is not refused here: each session's
/// cookie opens that session only, so another's can be in the way but never of use.
pub(super) fn shown<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    pairs(headers)
        .filter_map(|pair| pair.split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
        .take(OWN_VALUES_MAX)
}

/// The browser's cookies without ours, for the printer.
pub(super) fn for_device(headers: &HeaderMap) -> Option<HeaderValue> {
    let theirs: Vec<&str> = pairs(headers)
        .filter(|pair| !is_ours(pair.split('=').next().unwrap_or_default()))
        .collect();
    let line = theirs.join("; ");
    HeaderValue::from_str(&line)
        .ok()
        .filter(|_| !line.is_empty())
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
}

fn is_ours(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What a printer has set so far, by name: how long each is.
#[derive(Debug, Default)]
pub(super) struct Jar(Mutex<HashMap<String, usize>>);

impl Jar {
    /// A printer's `Set-Cookie` as the browser may have it; `None` for one that it may not.
    pub(super) fn take(&self, line: &HeaderValue, scheme: Scheme) -> Option<HeaderValue> {
        let cookie = Cookie::parse(line.to_str().ok()?)?;
        let mut jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let len = cookie.name.len() + cookie.value.len();
        let others = jar.iter().filter(|(name, _)| *name != cookie.name);
        let (count, kept) = others.fold((0, 0), |(count, kept), (_, len)| (count + 1, kept + len));
        if count >= JAR_MAX || kept + len > JAR_LEN_MAX {
            return None;
        }
        jar.insert(cookie.name.to_owned(), len);
        HeaderValue::from_str(&cookie.write(scheme)).ok()
    }
}

/// A cookie as a printer sets it (RFC 6265, 5.2).
struct Cookie<'a> {
    name: &'a str,
    value: &'a str,
    path: Option<&'a str>,
    life: Vec<String>,
    is_http_only: bool,
    is_secure: bool,
    is_strict: bool,
}

impl<'a> Cookie<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_clean = |text: &str| !text.bytes().any(|byte| byte.is_ascii_control());
        let is_wrong = name.is_empty() || is_ours(name) || !is_clean(line);
        if is_wrong || name.len() + value.len() > COOKIE_LEN_MAX {
            return None;
        }
        let mut cookie = Self {
            name,
            value,
            path: None,
            life: Vec::new(),
            is_http_only: false,
            is_secure: false,
            is_strict: false,
        };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match key.as_str() {
                "path" if value.starts_with('/') => cookie.path = Some(value),
                "max-age" => cookie.life.push(format!("Max-Age={value}")),
                "expires" => cookie.life.push(format!("Expires={value}")),
                "httponly" => cookie.is_http_only = true,
                "secure" => cookie.is_secure = true,
                "samesite" => cookie.is_strict = value.eq_ignore_ascii_case("strict"),
                // `Domain` above all, and whatever will be invented.
                _ => {}
            }
        }
        Some(cookie)
    }

    fn write(&self, scheme: Scheme) -> String {
        let name = self.name.to_ascii_lowercase();
        let is_host = name.starts_with("__host-");
        // A browser refuses these names without it.
        let is_prefixed = is_host || name.starts_with("__secure-");
        let is_secure = scheme == Scheme::Https || is_prefixed && self.is_secure;
        let mut line = format!("{}={}", self.name, self.value);
        let path = self.path.filter(|_| !is_host);
        if let Some(path) = path.or(is_host.then_some("/")) {
            line.push_str("; Path=");
            line.push_str(path);
        }
        for life in &self.life {
            line.push_str("; ");
            line.push_str(life);
        }
        if self.is_http_only {
            line.push_str("; HttpOnly");
        }
        if is_secure {
            line.push_str("; Secure");
        }
        line.push_str(match self.is_strict {
            true => "; SameSite=Strict",
            false => "; SameSite=Lax",
        });
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(line: &str, scheme: Scheme) -> Option<String> {
        let line = HeaderValue::from_str(line).unwrap();
        let taken = Jar::default().take(&line, scheme)?;
        Some(taken.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_printers_cookie_stays_on_its_origin() {
        for (set, taken) in [
            ("a=1", Some("a=1; Secure; SameSite=Lax")),
            (
                "a=1; Domain=hub.example.org; Path=/x; HttpOnly",
                Some("a=1; Path=/x; HttpOnly; Secure; SameSite=Lax"),
            ),
            (
                "a=1; DOMAIN = .example.org; domain=x",
                Some("a=1; Secure; SameSite=Lax"),
            ),
            (
                "a=1; SameSite=None; Secure; Partitioned",
                Some("a=1; Secure; SameSite=Lax"),
            ),
            (
                "a=b=c; Max-Age=0; SameSite=Strict",
                Some("a=b=c; Max-Age=0; Secure; SameSite=Strict"),
            ),
            (
                "__Host-x=1; Path=/deep; Domain=y",
                Some("__Host-x=1; Path=/; Secure; SameSite=Lax"),
            ),
            ("__Host-platen=evil", None),
            ("__host-Platen-session=evil; Path=/", None),
            ("__Host-platen-session=evil", None),
            (" platen_session_8080=evil", None),
            ("PLATEN_8080=evil", None),
            ("=evil", None),
            ("nothing", None),
            ("", None),
        ] {
            assert_eq!(take(set, Scheme::Https).as_deref(), taken, "{set}");
        }
        assert_eq!(
            take("a=1; Secure; Domain=localhost", Scheme::Http).as_deref(),
            Some("a=1; SameSite=Lax")
        );
    }

    #[test]
    fn a_printer_cannot_fill_the_browsers_requests() {
        let jar = Jar::default();
        let taken = (0..200).filter(|number| {
            let line = format!("c{number}={}", "x".repeat(4_000));
            let line = HeaderValue::from_str(&line).unwrap();
            jar.take(&line, Scheme::Https).is_some()
        });
        assert_eq!(taken.count(), 1);
        let jar = Jar::default();
        let taken = (0..200).filter(|number| {
            let line = HeaderValue::from_str(&format!("c{number}=x")).unwrap();
            jar.take(&line, Scheme::Https).is_some()
        });
        assert_eq!(taken.count(), JAR_MAX);
        let again = HeaderValue::from_static("c0=y");
        assert!(jar.take(&again, Scheme::Https).is_some(), "one it has");
        assert_eq!(
            take(&format!("a={}", "x".repeat(4_097)), Scheme::Https),
            None
        );
    }

    #[test]
    fn ours_never_reach_the_printer() {
        let headers = HeaderMap::from_iter([
            (
                COOKIE,
                HeaderValue::from_static("a=1; __Host-platen-session=s; b=2; __Host-platen=p"),
            ),
            (
                COOKIE,
                HeaderValue::from_static("platen_session_80=t;platen_8080=u; __HOST-PLATEN-x=v"),
            ),
        ]);
        assert_eq!(for_device(&headers).unwrap(), "a=1; b=2");
        let shown: Vec<_> = shown(&headers, HTTPS_NAME).collect();
        assert_eq!(shown, ["s"]);
        let only = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static("platen_80=u"))]);
        assert_eq!(for_device(&only), None);
    }
}
