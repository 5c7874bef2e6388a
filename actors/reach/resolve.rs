//! Host names to addresses: /etc/hosts first, then the name servers of /etc/resolv.conf.
//!
//! Names are resolved once, before a [`super::scope::Scope`] is made, and the addresses are what
//! the scope holds. Name servers are asked over UDP only: discovery opens no TCP connection.

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::range::AddressRange;

/// Most addresses taken from one name: more than one device behind a name is a mistake already.
const ADDRESSES_MAX: usize = 16;

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Nobody knows it.
    #[error("the name '{name}' cannot be resolved: {}", said(error))]
    Unknown {
        /// The name.
        name: String,
        /// What the resolver said.
        error: Box<NetError>,
    },
    /// It is known, but has no address.
    #[error("the name '{name}' has no address")]
    NoAddress {
        /// The name.
        name: String,
    },
}

impl ResolveError {
    /// Why, without the name.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Unknown { error, .. } => said(error),
            Self::NoAddress { .. } => "it has no address".to_owned(),
        }
    }
}

/// The resolver's words for people: its own show its questions as it keeps them.
fn said(error: &NetError) -> String {
    match error {
        error if error.is_no_records_found() => {
            "neither /etc/hosts nor a name server knows it".to_owned()
        }
        NetError::Timeout => "no name server answers".to_owned(),
        error => error.to_string(),
    }
}

/// Resolves names as this machine is configured to.
#[derive(Clone)]
pub struct Resolver {
    dns: TokioResolver,
}

impl Resolver {
    /// Reads the system's configuration. A machine without one still knows /etc/hosts.
    ///
    /// # Errors
    /// When the resolver cannot be built.
    pub fn from_system() -> Result<Self, NetError> {
        let system = hickory_resolver::system_conf::read_system_conf();
        let (config, mut options) =
            system.unwrap_or_else(|_| (ResolverConfig::default(), ResolverOpts::default()));
        let (domain, search, servers) = config.into_parts();
        let over_udp = servers
            .into_iter()
            .map(|server| NameServerConfig::udp(server.ip));
        let config = ResolverConfig::from_parts(domain, search, over_udp.collect());
        options.use_hosts_file = ResolveHosts::Always;
        let provider = TokioRuntimeProvider::default();
        let builder = TokioResolver::builder_with_config(config, provider);
        Ok(Self {
            dns: builder.with_options(options).build()?,
        })
    }

    /// Gives a range as addresses: itself, or what its name stands for. A name with IPv4 and IPv6
    /// addresses stands for the IPv4 ones, so that one device is not found twice.
    ///
    /// # Errors
    /// [`ResolveError`] when nobody knows the name.
    pub async fn resolve(&self, range: &AddressRange) -> Result<Vec<AddressRange>, ResolveError> {
        let Some(name) = range.name() else {
            return Ok(vec![range.clone()]);
        };
        Ok(self
            .addresses(name)
            .await?
            .into_iter()
            .map(AddressRange::one)
            .collect())
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if is_localhost(name) {
            return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        }
        let found = self
            .dns
            .lookup_ip(name)
            .await
            .map_err(|error| ResolveError::Unknown {
                name: name.to_owned(),
                error: Box::new(error),
            })?;
        let mut addresses: Vec<IpAddr> = found.iter().take(ADDRESSES_MAX).collect();
        if addresses.iter().any(IpAddr::is_ipv4) {
            addresses.retain(IpAddr::is_ipv4);
        }
        if addresses.is_empty() {
            return Err(ResolveError::NoAddress {
                name: name.to_owned(),
            });
        }
        Ok(addresses)
    }
}

/// RFC 6761 §6.3: `localhost` and names under it are this machine, without asking anybody.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_needs_no_name_server() {
        let resolver = Resolver::from_system().unwrap();
        for name in ["localhost", "Printer.LOCALHOST."] {
            let ranges = resolver.resolve(&name.parse().unwrap()).await.unwrap();
            assert_eq!(ranges, [AddressRange::one(Ipv4Addr::LOCALHOST.into())]);
        }
    }

    #[tokio::test]
    async fn an_address_resolves_to_itself() {
        let resolver = Resolver::from_system().unwrap();
        let range = "10.0.0.0/24".parse().unwrap();
        assert_eq!(resolver.resolve(&range).await.unwrap(), [range]);
    }
}
