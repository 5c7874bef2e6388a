//! Where a request goes, by the name it was asked under: `s-<session>.<domain>`, and nothing else.
//!
//! Used by the front, which tells the doors apart by name, and by the web door. A name that is not
//! written exactly so leads nowhere: not to the session it looks like, and not to the portal.

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use crate::session::SessionId;

/// The domain of sessions on a loopback address: browsers resolve it without DNS (RFC 6761, 6.3).
pub const LOCAL_DOMAIN: &str = "dwa.localhost";

/// How a session's name begins.
const PREFIX: &str = "s-";

/// How the browser came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Over the hub's TLS.
    Https,
    /// To a loopback address.
    Http,
}

impl Scheme {
    /// As a URL begins.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// The origin of one session, as this browser calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose origin it is.
    pub session: SessionId,
    /// Over what.
    pub scheme: Scheme,
    /// Name and port, as a URL has them.
    pub authority: String,
}

impl Place {
    /// Reads it off a request; `None` for one that names no session, or more than one name.
    #[must_use]
    pub fn read(request: &Parts, domain: &str, scheme: Scheme) -> Option<Self> {
        let authority = authority(&request.headers, &request.uri)?;
        let session = session(host(&authority)?, domain)?;
        Some(Self {
            session,
            scheme,
            authority,
        })
    }

    /// `scheme://name:port`, as `Origin` has it.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority)
    }

    /// Its port, 80 or 443 where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        let written = self.authority.rsplit_once(':');
        let usual = match self.scheme {
            Scheme::Https => 443,
            Scheme::Http => 80,
        };
        written
            .and_then(|(_, port)| port.parse().ok())
            .unwrap_or(usual)
    }
}

/// The name of a session under a domain.
#[must_use]
pub fn name(session: &SessionId, domain: &str) -> String {
    format!("{PREFIX}{session}.{domain}")
}

/// Whether a name, without a port, lies under the sessions' domain.
#[must_use]
pub fn is_under(host: &str, domain: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == domain
        || host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// The one authority that a request names.
fn authority(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(header), None) => Some(header.to_str().ok()?),
        (Some(_), Some(_)) => return None,
    };
    match (header, uri.authority().map(Authority::as_str)) {
        (Some(header), None) => Some(header.to_owned()),
        (Some(header), Some(uri)) if header == uri => Some(header.to_owned()),
        (None, Some(uri)) => Some(uri.to_owned()),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// The name of an authority that has no more than a name and a port.
fn host(authority: &str) -> Option<&str> {
    let Some((host, port)) = authority.split_once(':') else {
        return Some(authority);
    };
    let is_plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    (is_plain && port.parse::<u16>().is_ok()).then_some(host)
}

fn session(host: &str, domain: &str) -> Option<SessionId> {
    let label = host.strip_suffix(domain)?.strip_suffix('.')?;
    SessionId::parse(label.strip_prefix(PREFIX)?)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const DOMAIN: &str = "dwa.hub.example.org";
    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn read(uri: &str, hosts: &[&str]) -> Option<Place> {
        let request = Request::builder().uri(uri);
        let request = hosts
            .iter()
            .fold(request, |request, host| request.header(HOST, *host));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Place::read(&parts, DOMAIN, Scheme::Https)
    }

    #[test]
    fn only_the_exact_name_is_a_session() {
        let place = read("/", &[&format!("s-{ID}.{DOMAIN}:8443")]).unwrap();
        assert_eq!(place.session.as_str(), ID);
        assert_eq!(place.origin(), format!("https://s-{ID}.{DOMAIN}:8443"));
        assert_eq!(place.port(), 8443);
        for host in [
            format!("{ID}.{DOMAIN}"),
            format!("S-{ID}.{DOMAIN}"),
            format!("s-{}.{DOMAIN}", ID.to_ascii_uppercase()),
            format!("s-{}.{DOMAIN}", &ID[1..]),
            format!("s-{ID}0.{DOMAIN}"),
            format!("a.s-{ID}.{DOMAIN}"),
            format!("s-{ID}.a.{DOMAIN}"),
            format!("s-{ID}.{DOMAIN}."),
            format!("s-{ID}.{DOMAIN}.evil.example"),
            format!("s-{ID}{DOMAIN}"),
            format!("s-{ID}.x{DOMAIN}"),
            format!("evil@s-{ID}.{DOMAIN}"),
            format!("s-{ID}.{DOMAIN}@evil"),
            format!("s-{ID}.{DOMAIN}:80:80"),
            format!("s-{ID}.{DOMAIN}:x"),
            format!("s-{ID}.{DOMAIN}:"),
            format!("s-{ID}.{DOMAIN}:99999"),
            format!("s-{ID}.{DOMAIN} "),
            format!("s-{ID}.{DOMAIN}/"),
            DOMAIN.to_owned(),
            String::new(),
        ] {
            assert_eq!(read("/", &[&host]), None, "{host}");
        }
    }

    #[test]
    fn two_names_are_none() {
        let own = format!("s-{ID}.{DOMAIN}");
        assert!(read("/", &[&own]).is_some());
        assert!(
            read(&format!("https://{own}/"), &[]).is_some(),
            "HTTP/2 has no Host"
        );
        assert!(read(&format!("https://{own}/"), &[&own]).is_some());
        assert_eq!(read("/", &[&own, &own]), None);
        assert_eq!(read("https://169.254.169.254/", &[&own]), None);
        assert_eq!(read(&format!("https://{own}/"), &["evil"]), None);
        assert_eq!(read("/", &[]), None);
    }

    #[test]
    fn what_lies_under_the_domain_is_known_however_it_is_written() {
        for host in [DOMAIN, "x.dwa.hub.example.org", "X.DWA.hub.example.org."] {
            assert!(is_under(host, DOMAIN), "{host}");
        }
        for host in ["hub.example.org", "xdwa.hub.example.org", ""] {
            assert!(!is_under(host, DOMAIN), "{host}");
        }
    }
}
