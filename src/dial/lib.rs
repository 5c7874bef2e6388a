//! How one program of ours reaches another: TCP or an HTTP CONNECT proxy, then TLS 1.2 or newer by
//! rustls, then whatever is spoken over it.
//!
//! The agent dials its hub with this, and the hub dials an external broker. Nobody else dials
//! anything but a device. What is believed is said once, in [`Trust`]; there is no switch that
//! turns verification off.

pub mod destination;
pub mod mqtt;
pub mod trust;
pub mod websocket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use destination::Destination;
pub use trust::{Trust, TrustError};

/// How long the connection may take, and again the handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream of octets to wherever we dialled.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Why nobody could be reached, in the order in which things happen.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The system could not connect.
    #[error("no connection to {to}: {error}")]
    Connect {
        /// Where to.
        to: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody answered in time.
    #[error("{to} did not answer within {} s", after.as_secs())]
    Silent {
        /// Who.
        to: String,
        /// How long it had.
        after: Duration,
    },
    /// The other side is not whom we believe, or speaks no TLS.
    #[error("no TLS with {to}: {error}")]
    Tls {
        /// With whom.
        to: String,
        /// What is wrong.
        error: io::Error,
    },
}

/// Dials. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dialer {
    tls: Arc<rustls::ClientConfig>,
}

impl Dialer {
    /// A dialer that believes whom `trust` says.
    ///
    /// # Errors
    /// [`TrustError`] when a certificate or key cannot be read.
    pub fn new(trust: &Trust) -> Result<Self, TrustError> {
        Ok(Self {
            tls: Arc::new(trust.client_config()?),
        })
    }

    /// Connects without TLS.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn tcp(&self, to: &Destination) -> Result<Box<dyn Stream>, DialError> {
        let connect = TcpStream::connect((to.host(), to.port()));
        let stream = timeout(CONNECT_TIMEOUT, connect)
            .await
            .map_err(|_| DialError::Silent {
                to: to.to_string(),
                after: CONNECT_TIMEOUT,
            })?
            .map_err(|error| DialError::Connect {
                to: to.to_string(),
                error,
            })?;
        // Exchanges are small: each would wait for an acknowledgement (RFC 896).
        stream
            .set_nodelay(true)
            .map_err(|error| DialError::Connect {
                to: to.to_string(),
                error,
            })?;
        Ok(Box::new(stream))
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
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let handshake = TlsConnector::from(Arc::new(tls)).connect(to.server_name(), stream);
        timeout(CONNECT_TIMEOUT, handshake)
            .await
            .map_err(|_| DialError::Silent {
                to: to.to_string(),
                after: CONNECT_TIMEOUT,
            })?
            .map_err(|error| DialError::Tls {
                to: to.to_string(),
                error,
            })
    }
}
