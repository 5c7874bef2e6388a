//! Where to: a host name or address, and a port.

use std::fmt;

use http::Uri;
use rustls_pki_types::ServerName;

/// Port of https where an address names none.
const HTTPS_PORT: u16 = 443;

/// A host and a port, as the configuration or an enrollment gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a host name nor an address")]
pub struct NoHost(pub String);

impl Destination {
    /// Takes a host name or an address (IPv6 without brackets), and a port.
    ///
    /// # Errors
    /// [`NoHost`].
    pub fn new(host: &str, port: u16) -> Result<Self, NoHost> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| NoHost(host.to_owned()))?;
        Ok(Self {
            host: bare.to_owned(),
            port,
            name,
        })
    }

    /// Takes host and port out of `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// [`NoHost`].
    pub fn of_url(url: &str) -> Result<Self, NoHost> {
        let no_host = || NoHost(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| no_host())?;
        if uri.scheme_str() != Some("https") {
            return Err(no_host());
        }
        let port = uri.port_u16().unwrap_or(HTTPS_PORT);
        Self::new(uri.host().ok_or_else(no_host)?, port)
    }

    /// The host, an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whom TLS must prove to be there.
    #[must_use]
    pub fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Destination;

    #[test]
    fn hosts_are_written_as_in_a_url() {
        let shown = |host, port| Destination::new(host, port).unwrap().to_string();
        assert_eq!(shown("hub.example.org", 443), "hub.example.org:443");
        assert_eq!(shown("[::1]", 8883), "[::1]:8883");
        assert!(Destination::new("no host", 1).is_err());
    }

    #[test]
    fn an_address_without_a_port_is_on_443_even_in_brackets() {
        let shown = |url| Destination::of_url(url).unwrap().to_string();
        assert_eq!(shown("https://hub.example.org"), "hub.example.org:443");
        assert_eq!(shown("https://[2001:db8::1]"), "[2001:db8::1]:443");
        assert_eq!(shown("https://[2001:db8::1]:9"), "[2001:db8::1]:9");
        assert!(Destination::of_url("http://hub.example.org").is_err());
    }
}
