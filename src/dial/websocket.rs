//! A WebSocket as a stream of octets, as MQTT uses it (MQTT 5, section 6): binary frames whose
//! borders mean nothing. Used by [`crate::mqtt`] and by the hub's `/mqtt`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::Stream;

/// The subprotocol under which MQTT travels (MQTT 5, section 6.0).
pub const SUBPROTOCOL: &str = "mqtt";

/// Largest frame and message that are read, in octets: a packet of MQTT and some more.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Most octets that are packed into one frame.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The octets within a WebSocket.
#[derive(Debug)]
pub struct Octets<S> {
    socket: WebSocketStream<S>,
    received: Bytes,
}

impl<S: Stream> Octets<S> {
    /// Takes a WebSocket whose handshake is done.
    #[must_use]
    pub fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            received: Bytes::new(),
        }
    }

    /// Takes a stream whose handshake was done by an HTTP server.
    pub async fn accepted(stream: S) -> Self {
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config()));
        Self::new(socket.await)
    }
}

/// Our limits.
#[must_use]
pub fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

impl<S: Stream> AsyncRead for Octets<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.received.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(octets))) => self.received = octets,
                // Control frames are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    let what = "MQTT over WebSocket has no text frames";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
                }
                Some(Ok(Message::Close(_)))
                | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed))
                | None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(plain(error))),
            }
        }
        let count = self.received.len().min(buffer.remaining());
        buffer.put_slice(&self.received[..count]);
        self.received.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Octets<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(plain)?;
        let count = octets.len().min(FRAME_BYTES_MAX);
        let frame = Message::Binary(Bytes::copy_from_slice(&octets[..count]));
        Pin::new(&mut self.socket)
            .start_send(frame)
            .map_err(plain)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket)
            .poll_flush(context)
            .map_err(plain)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(context)) {
            Err(Error::ConnectionClosed | Error::AlreadyClosed) | Ok(()) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(plain(error))),
        }
    }
}

/// The system's own error where there is one, so that its words are not wrapped twice.
fn plain(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::other(error),
    }
}
