//! One connection's octets within a WebSocket, on either side of it: the portal's raw door and
//! `platen-hub open`. Frames are binary and their borders mean nothing, but that an empty one says
//! that no more comes from that side: a print job ends so, and the printer may still answer.

use std::io;

use dial::Stream;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// The subprotocol.
pub const SUBPROTOCOL: &str = "platen-raw";

/// Octets that are read before they are sent on.
const PIECE_BYTES: usize = 32 * 1024;

/// Where octets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the stream into the WebSocket.
    Out,
    /// From the WebSocket into the stream.
    In,
}

/// Carries octets both ways until both sides have ended, or either breaks off.
///
/// # Errors
/// What broke off.
pub async fn bridge<S: Stream>(
    socket: WebSocketStream<S>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    moved: impl Fn(Way, u64),
) -> io::Result<()> {
    let (mut sink, mut source) = socket.split();
    let (mut reader, mut writer) = split(stream);
    let out = async {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = reader.read(&mut piece).await?;
            let frame = Message::Binary(Bytes::copy_from_slice(&piece[..count]));
            sink.send(frame).await.map_err(plain)?;
            if count == 0 {
                return Ok(());
            }
            moved(Way::Out, count as u64);
        }
    };
    let into = async {
        while let Some(message) = source.next().await {
            match message.map_err(plain)? {
                Message::Binary(octets) if octets.is_empty() => return writer.shutdown().await,
                Message::Binary(octets) => {
                    writer.write_all(&octets).await?;
                    moved(Way::In, octets.len() as u64);
                }
                // Control frames are answered by the library.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                Message::Text(_) | Message::Close(_) => break,
            }
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    };
    tokio::try_join!(out, into)?;
    sink.close().await.map_err(plain)
}

/// The system's own error where there is one.
fn plain(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::other(error),
    }
}
