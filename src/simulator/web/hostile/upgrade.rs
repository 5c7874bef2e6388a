//! Changes of protocol that nobody asked for, and WebSockets (RFC 6455) that flood.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::web::broken::Head;

use super::Goes;

/// A final text frame of 125 octets, unmasked as a server sends it (RFC 6455 §5.2).
const TEXT: [u8; 127] = frame(0x81);
/// A ping of 125 octets.
const PING: [u8; 127] = frame(0x89);
/// A binary frame that says 2^63 - 1 octets.
const HUGE: [u8; 10] = [0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255];
/// Frames written at once.
const FRAMES: usize = 512;

const fn frame(first: u8) -> [u8; 127] {
    let mut frame = [b'.'; 127];
    frame[0] = first;
    frame[1] = 125;
    frame
}

/// Plays until the peer has gone.
pub(crate) async fn play(name: &str, head: &Head, stream: &mut TcpStream) -> io::Result<Goes> {
    let key = head.header("sec-websocket-key").unwrap_or("");
    let accept = match name {
        "websocket-bad-accept" => derive_accept_key(b"another key"),
        _ => derive_accept_key(key.as_bytes()),
    };
    let protocol = if name == "h2c-unasked" {
        "h2c"
    } else {
        "websocket"
    };
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(agreed.as_bytes()).await?;
    match name {
        "websocket-flood" => flood(stream, &TEXT).await,
        "websocket-ping-flood" => flood(stream, &PING).await,
        "websocket-huge-frame" => {
            stream.write_all(&HUGE).await?;
            flood(stream, &[b'.'; 127]).await
        }
        // An answer in the old protocol behind the change: the next one's, if a proxy goes on.
        "switching-protocols-unasked" => {
            let smuggled = super::malformed::SMUGGLED;
            stream.write_all(smuggled.as_bytes()).await?;
            hear(stream).await
        }
        _ => hear(stream).await,
    }
}

async fn flood(stream: &mut TcpStream, frame: &[u8]) -> io::Result<Goes> {
    let frames = frame.repeat(FRAMES);
    loop {
        stream.write_all(&frames).await?;
        // A flood must not keep the other pages from theirs.
        tokio::task::yield_now().await;
    }
}

/// Takes what comes and answers nothing.
async fn hear(stream: &mut TcpStream) -> io::Result<Goes> {
    let mut heard = [0; 4_096];
    while stream.read(&mut heard).await? > 0 {}
    Ok(Goes::Away)
}
