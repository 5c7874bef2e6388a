//! How to get there: directly, or through an HTTP proxy that makes a tunnel.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::connect::Client;
use crate::{Destination, NoProxy};

/// Where a proxy listens if nothing else is said: what curl takes.
const PROXY_PORT: u16 = 1080;

/// The way out of a site's network.
#[derive(Debug, Clone, Default)]
pub struct Route {
    proxy: Option<Proxy>,
    no_proxy: NoProxy,
    /// Roots beside those that are believed anyway.
    beside: Vec<CertificateDer<'static>>,
}

/// An HTTP proxy, and who we are to it.
#[derive(Clone)]
pub struct Proxy {
    to: Destination,
    user: String,
    password: String,
    /// The challenge that was answered last, so that the next tunnel needs no question first.
    answered: Arc<Mutex<Option<Client>>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.to)
    }
}

/// Without the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.user.is_empty() {
            write!(f, "http://{}", self.to)
        } else {
            write!(f, "http://{}@{}", self.user, self.to)
        }
    }
}

/// Why a text names no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Not an address of a proxy. The text is not repeated: a password may be in it.
    #[error("this is no address of an HTTP proxy, such as http://user@proxy.example.org:3128")]
    NoProxy,
    /// A proxy of another kind.
    #[error("a proxy of the kind '{0}' cannot be used; only http:// with CONNECT")]
    Scheme(String),
    /// A password without a user.
    #[error("there is a password for the proxy and no user; write http://USER@HOST:PORT")]
    NoUser,
    /// No PEM, or none that holds a certificate.
    #[error("the CA of the intercepting proxy cannot be read: no certificate in PEM")]
    NoCertificate,
}

impl Route {
    /// No proxy.
    #[must_use]
    pub fn direct() -> Self {
        Self::default()
    }

    /// Through a proxy, but for those whom `no_proxy` holds.
    #[must_use]
    pub fn through(proxy: Proxy, no_proxy: NoProxy) -> Self {
        Self {
            proxy: Some(proxy),
            no_proxy,
            ..Self::default()
        }
    }

    /// What the environment says: `HTTPS_PROXY` and `NO_PROXY`, in small letters first, as curl
    /// reads them.
    ///
    /// # Errors
    /// [`RouteError`] when the proxy's address is none.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, RouteError> {
        let either = |small: &str, large: &str| {
            let filled = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
            filled(small).or_else(|| filled(large))
        };
        let Some(proxy) = either("https_proxy", "HTTPS_PROXY") else {
            return Ok(Self::direct());
        };
        let no_proxy = either("no_proxy", "NO_PROXY").unwrap_or_default();
        Ok(Self::through(
            Proxy::parse(&proxy, None)?,
            NoProxy::parse(&no_proxy),
        ))
    }

    /// Believes these roots too, for the TLS of whoever is reached this way: the CA of a proxy
    /// that opens TLS, where a site says that it does.
    ///
    /// # Errors
    /// [`RouteError::NoCertificate`].
    pub fn believing(mut self, pem: &str) -> Result<Self, RouteError> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        self.beside = certificates.map_err(|_| RouteError::NoCertificate)?;
        if self.beside.is_empty() {
            return Err(RouteError::NoCertificate);
        }
        Ok(self)
    }

    /// Roots that are believed beside the hub's own.
    #[must_use]
    pub fn beside(&self) -> &[CertificateDer<'static>] {
        &self.beside
    }

    /// The proxy that leads there; none where the way is direct.
    #[must_use]
    pub fn proxy_to(&self, to: &Destination) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| !self.no_proxy.holds(to))
    }

    /// The proxy, for those whom the rules do not except.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }
}

impl Proxy {
    /// Reads `http://[USER[:PASSWORD]@]HOST[:PORT]`; `http://` may be left out. `password` counts
    /// over one in the text.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, RouteError> {
        let text = text.trim();
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let uri: Uri = text.parse().map_err(|_| RouteError::NoProxy)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => return Err(RouteError::Scheme(other.chars().take(16).collect())),
            None => return Err(RouteError::NoProxy),
        }
        let authority = uri.authority().ok_or(RouteError::NoProxy)?;
        let written = match authority.as_str().rsplit_once('@') {
            Some((user, _)) => user.split_once(':').unwrap_or((user, "")),
            None => ("", ""),
        };
        let user = unescaped(written.0).ok_or(RouteError::NoProxy)?;
        let written = unescaped(written.1).ok_or(RouteError::NoProxy)?;
        let password = password.map_or(written, str::to_owned);
        if user.is_empty() && !password.is_empty() {
            return Err(RouteError::NoUser);
        }
        let port = uri.port_u16().unwrap_or(PROXY_PORT);
        let to = Destination::new(authority.host(), port).map_err(|_| RouteError::NoProxy)?;
        Ok(Self {
            to,
            user,
            password,
            answered: Arc::default(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.to
    }

    /// Whether there is a user to show it.
    #[must_use]
    pub fn has_user(&self) -> bool {
        !self.user.is_empty()
    }

    /// Whether there is a password to show it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        !self.password.is_empty()
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Does something with the challenge that was answered last.
    pub(crate) fn with_answered<T>(&self, act: impl FnOnce(&mut Option<Client>) -> T) -> T {
        act(&mut self.answered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Percent-encoded text in clear (RFC 3986 2.1); none where it is not UTF-8 or cut short.
fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            octets.push(*first);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::{Proxy, Route, RouteError};
    use crate::Destination;

    #[test]
    fn a_proxy_is_read_and_never_shows_its_password() {
        let proxy = Proxy::parse("http://an%40a:s%3Aecret@proxy.test:3128", None).unwrap();
        assert_eq!((proxy.user(), proxy.password()), ("an@a", "s:ecret"));
        assert_eq!(proxy.to_string(), "http://an@a@proxy.test:3128");
        assert!(!format!("{proxy:?}{proxy}").contains("ecret"));
        let proxy = Proxy::parse("proxy.test", None).unwrap();
        assert_eq!(proxy.destination().to_string(), "proxy.test:1080");
        let proxy = Proxy::parse("http://anna@[::1]:8080", Some("word")).unwrap();
        assert_eq!(
            (proxy.password(), proxy.destination().port()),
            ("word", 8080)
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_repeating_it() {
        let refused = |text| Proxy::parse(text, None).unwrap_err();
        assert_eq!(refused("http://"), RouteError::NoProxy);
        assert_eq!(refused("http://a:%zz@p:1"), RouteError::NoProxy);
        assert_eq!(refused("socks5://p:1"), RouteError::Scheme("socks5".into()));
        assert_eq!(refused("http://:secret@p:1"), RouteError::NoUser);
    }

    #[test]
    fn the_environment_is_read_small_letters_first() {
        let from = |pairs: &'static [(&str, &str)]| {
            Route::from_environment(|name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
            .unwrap()
        };
        let hub = Destination::new("hub.test", 443).unwrap();
        let via = |route: &Route| route.proxy_to(&hub).map(ToString::to_string);
        assert_eq!(via(&from(&[])), None);
        assert_eq!(via(&from(&[("HTTPS_PROXY", " ")])), None);
        let both = from(&[
            ("HTTPS_PROXY", "http://large:1"),
            ("https_proxy", "small:2"),
        ]);
        assert_eq!(via(&both).as_deref(), Some("http://small:2"));
        let excepted = from(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "test")]);
        assert_eq!(via(&excepted), None);
        assert!(excepted.proxy().is_some());
    }
}
