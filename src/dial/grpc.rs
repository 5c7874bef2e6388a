//! A dialer as what tonic connects with.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::{Destination, DialError, Dialer, Stream};

/// Connects to one destination with TLS and HTTP/2, whatever address it is asked for: give it to
/// `Endpoint::connect_with_connector`, with an endpoint of `http://` (TLS is done here) and the
/// hub's own address as its origin.
#[derive(Debug, Clone)]
pub struct Connector {
    dialer: Dialer,
    to: Destination,
}

impl Connector {
    /// A connector to this destination.
    #[must_use]
    pub fn new(dialer: Dialer, to: Destination) -> Self {
        Self { dialer, to }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<Box<dyn Stream>>>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { dialer, to } = self.clone();
        Box::pin(async move { Ok(TokioIo::new(dialer.tls(&to, &[b"h2"]).await?)) })
    }
}
