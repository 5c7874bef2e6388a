//! How one program of ours reaches another: TCP or an HTTP CONNECT proxy, then TLS 1.2 or newer by
//! rustls, then whatever is spoken over it.
//!
//! The agent dials its hub with this, and the hub dials an external broker. Nobody else dials
//! anything but a device. What is believed is said once, in [`Trust`], and how to get there in
//! [`Route`]; there is no switch that turns verification off.

mod connect;
pub mod destination;
mod error;
mod grpc;
pub mod mqtt;
mod no_proxy;
mod prompt;
mod route;
pub mod trust;
pub mod websocket;
mod witness;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use connect::ProxyError;
pub use destination::Destination;
pub use error::{DialError, Step, TlsProblem};
pub use grpc::Connector;
pub use no_proxy::NoProxy;
pub use route::{Proxy, Route, RouteError};
pub use trust::{Trust, TrustError};
pub use witness::Seen;

use prompt::Prompt;
use witness::Witness;

/// How long each step may take: name, connection, proxy, handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// A stream of octets to wherever we dialled.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Dials. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dialer {
    tls: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
    route: Route,
    limit: Duration,
    as_if_at: Option<UnixTime>,
    is_prompt: bool,
}

impl Dialer {
    /// A dialer that believes whom `trust` says, and goes directly.
    ///
    /// # Errors
    /// [`TrustError`] when a certificate or key cannot be read.
    pub fn new(trust: &Trust) -> Result<Self, TrustError> {
        Self::through(trust, Route::direct())
    }

    /// A dialer that believes whom `trust` says, and goes as `route` says.
    ///
    /// # Errors
    /// [`TrustError`] when a certificate or key cannot be read.
    pub fn through(trust: &Trust, route: Route) -> Result<Self, TrustError> {
        let verifier = trust.verifier(route.beside())?;
        let tls = trust.client_config(verifier.clone())?;
        Ok(Self::of(tls, verifier, route))
    }

    /// A dialer that believes whom `verifier` says and shows no certificate: for the one call that
    /// enrolls, which knows the hub by a fingerprint only.
    ///
    /// # Errors
    /// [`TrustError`] when rustls refuses the whole.
    pub fn with_verifier(
        verifier: Arc<dyn ServerCertVerifier>,
        route: Route,
    ) -> Result<Self, TrustError> {
        let tls = trust::without_identity(verifier.clone())?;
        Ok(Self::of(tls, verifier, route))
    }

    fn of(tls: ClientConfig, verifier: Arc<dyn ServerCertVerifier>, route: Route) -> Self {
        Self {
            tls: Arc::new(tls),
            verifier,
            route,
            limit: CONNECT_TIMEOUT,
            as_if_at: None,
            is_prompt: false,
        }
    }

    /// Gives each step another limit.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Judges certificates as if it were then: to ask the hub for its time when the clock of this
    /// machine may be wrong. Nothing else about a certificate counts less.
    #[must_use]
    pub fn as_if_at(self, then: Timestamp) -> Self {
        let secs = u64::try_from(then.as_second()).unwrap_or_default();
        let then = UnixTime::since_unix_epoch(Duration::from_secs(secs));
        Self {
            as_if_at: Some(then),
            ..self
        }
    }

    /// Acknowledges what comes at once, where the way is direct: for a peer that gathers what it
    /// writes, as a stock sshd does.
    #[must_use]
    pub fn acknowledging_at_once(self) -> Self {
        Self {
            is_prompt: true,
            ..self
        }
    }

    /// How it goes.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Connects without TLS.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn tcp(&self, to: &Destination) -> Result<Box<dyn Stream>, DialError> {
        let Some(proxy) = self.route.proxy_to(to) else {
            let stream = reach(to, self.limit).await?;
            return Ok(if self.is_prompt {
                Box::new(Prompt::new(stream))
            } else {
                Box::new(stream)
            });
        };
        let dial = || reach(proxy.destination(), self.limit);
        let tunnel = connect::tunnel(proxy, to, self.limit, dial).await?;
        match tunnel {
            Ok(tunnel) => Ok(Box::new(tunnel)),
            Err(ProxyError::Silent(after)) => Err(DialError::Silent {
                to: proxy.destination().to_string(),
                step: Step::Proxy,
                after,
            }),
            Err(error) => Err(DialError::Proxy {
                proxy: proxy.destination().to_string(),
                to: to.to_string(),
                error,
            }),
        }
    }

    /// Connects and shakes hands, offering `alpn` (RFC 7301) where it is not empty.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn tls(
        &self,
        to: &Destination,
        alpn: &[&[u8]],
    ) -> Result<TlsStream<Box<dyn Stream>>, DialError> {
        let stream = self.tcp(to).await?;
        let witness = Arc::new(Witness::new(self.verifier.clone(), self.as_if_at));
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        // Believes what our own verifier believes, and can tell what it saw.
        tls.dangerous().set_certificate_verifier(witness.clone());
        let handshake = TlsConnector::from(Arc::new(tls)).connect(to.server_name(), stream);
        timeout(self.limit, handshake)
            .await
            .map_err(|_| silent(to, Step::Handshake, self.limit))?
            .map_err(|error| DialError::Tls {
                to: to.to_string(),
                problem: TlsProblem::new(error, witness.seen()),
            })
    }
}

/// Finds the address and connects to it.
async fn reach(to: &Destination, limit: Duration) -> Result<TcpStream, DialError> {
    let addresses = resolve(to, limit).await?;
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut refused = None;
    for address in addresses {
        // One address that drops packets must not use up the time of the others.
        let connected = match timeout(limit / count, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(|error| DialError::connect(to.to_string(), error)),
            Err(_) => Err(silent(to, Step::Connect, limit / count)),
        };
        match connected {
            Ok(stream) => {
                // Exchanges are small: each would wait for an acknowledgement (RFC 896).
                return stream
                    .set_nodelay(true)
                    .map(|()| stream)
                    .map_err(|error| DialError::connect(to.to_string(), error));
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| DialError::Unresolved {
        name: to.host().to_owned(),
        error: std::io::Error::new(std::io::ErrorKind::NotFound, "no address"),
    }))
}

/// The addresses behind a name.
async fn resolve(to: &Destination, limit: Duration) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(address) = to.host().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, to.port())]);
    }
    let lookup = tokio::net::lookup_host((to.host(), to.port()));
    let found = timeout(limit, lookup)
        .await
        .map_err(|_| silent(to, Step::Lookup, limit))?
        .map_err(|error| DialError::Unresolved {
            name: to.host().to_owned(),
            error,
        })?;
    Ok(found.take(ADDRESSES_MAX).collect())
}

fn silent(to: &Destination, step: Step, after: Duration) -> DialError {
    DialError::Silent {
        to: to.to_string(),
        step,
        after,
    }
}
