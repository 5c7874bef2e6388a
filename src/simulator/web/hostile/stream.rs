//! Answers that never end, or end much too late. Each waits for the peer to take what was written,
//! so that it costs the simulator nothing but time.

use std::io;
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Goes;

/// Between two octets of what drips.
const DRIP: Duration = Duration::from_secs(30);
/// Octets written at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Zeros in one block of the bomb.
const BOMB_BLOCK_BYTES: usize = 1024 * 1024;
/// Blocks of the bomb: 10 GiB.
const BOMB_BLOCKS: usize = 10 * 1024;
/// A head of gzip (RFC 1952 §2.3): deflate, no name, no time.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

/// Plays until the peer has gone.
pub(crate) async fn play(name: &str, stream: &mut TcpStream) -> io::Result<Goes> {
    let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = [&b"10000\r\n"[..], &[b'.'; PIECE_BYTES], b"\r\n"].concat();
    match name {
        "endless-body" => endless(stream, &format!("{HEAD}\r\n"), &[b'.'; PIECE_BYTES]).await,
        "endless-chunks" => endless(stream, &chunked, &chunk).await,
        "endless-header" => endless(stream, HEAD, &b"X-More: more\r\n".repeat(512)).await,
        "endless-header-line" => {
            endless(stream, &format!("{HEAD}X-Long: "), &[b'a'; PIECE_BYTES]).await
        }
        "endless-status" => endless(stream, "HTTP/1.1 200 ", &[b'a'; PIECE_BYTES]).await,
        "endless-trailer" => {
            let head = format!("{chunked}1\r\n.\r\n0\r\n");
            endless(stream, &head, &b"X-More: more\r\n".repeat(512)).await
        }
        "chunk-extension-flood" => {
            endless(stream, &format!("{chunked}1;"), &[b'a'; PIECE_BYTES]).await
        }
        "one-octet-chunks" => endless(stream, &chunked, &b"1\r\n.\r\n".repeat(1024)).await,
        "100-continue-forever" => {
            endless(stream, "", &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(256)).await
        }
        "early-hints-forever" => {
            let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
            endless(stream, "", &hint.repeat(256)).await
        }
        "slow-drip" => {
            drip(
                stream,
                &format!("{HEAD}Content-Length: 1000000\r\n\r\n"),
                b'.',
            )
            .await
        }
        "slow-head" => drip(stream, HEAD, b'a').await,
        "short-body" => {
            let start = format!("{HEAD}Content-Length: 100\r\n\r\n..........");
            stream.write_all(start.as_bytes()).await?;
            wait(stream).await
        }
        "gzip-bomb" => bomb(stream).await,
        _ => wait(stream).await,
    }
}

async fn endless(stream: &mut TcpStream, head: &str, piece: &[u8]) -> io::Result<Goes> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(piece).await?;
        // An endless answer must not keep the other pages from theirs.
        tokio::task::yield_now().await;
    }
}

async fn drip(stream: &mut TcpStream, head: &str, drop: u8) -> io::Result<Goes> {
    stream.write_all(head.as_bytes()).await?;
    let mut rest = [0; 1024];
    loop {
        stream.write_all(&[drop]).await?;
        tokio::select! {
            () = tokio::time::sleep(DRIP) => {}
            read = stream.read(&mut rest) => if read? == 0 { return Ok(Goes::Away) },
        }
    }
}

/// Says nothing until the peer goes.
async fn wait(stream: &mut TcpStream) -> io::Result<Goes> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(Goes::Away)
}

async fn bomb(stream: &mut TcpStream) -> io::Result<Goes> {
    let head = format!("{HEAD}Content-Encoding: gzip\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&GZIP_HEAD).await?;
    let block = zeros()?;
    for _ in 0..BOMB_BLOCKS {
        stream.write_all(&block).await?;
        tokio::task::yield_now().await;
    }
    Ok(Goes::Away)
}

/// Deflated zeros that end on an octet (RFC 1951 §3.2.4), so that they can be said again and again.
fn zeros() -> io::Result<Vec<u8>> {
    let zeros = vec![0; BOMB_BLOCK_BYTES];
    let mut block = Vec::with_capacity(PIECE_BYTES);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate
        .compress_vec(&zeros, &mut block, FlushCompress::Full)
        .map_err(io::Error::other)?;
    Ok(block)
}
