//! Where to: a host name or address, and a port.

use std::fmt;

use rustls_pki_types::ServerName;

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
}
